//! Delete: the end of a HelmRelease, of what it released, and of its HelmChart.

use std::sync::Arc;

use ::release::Storage;
use api::condition::Reason;
use api::helm::HelmRelease;
use api::meta::{Timestamp, keys};
use api::object::Reconciled as _;
use api::source::HelmChart;
use cel::HealthChecks;
use chart::{Chart, Table};
use kube::ResourceExt as _;
use runtime::{Key, Outcome, Run};

use super::ledger::{Ledger, WriteError};
use super::names::{helm_chart, name, namespace};
use super::{HelmReleases, history};

impl HelmReleases {
    pub(super) async fn delete(
        &self,
        object: &Arc<HelmRelease>,
        run: &Run,
        ledger: &mut Ledger,
    ) -> Result<Outcome, WriteError> {
        // A resting object leaves everything as it is.
        if !object.suspend_state(Timestamp::now()).is_suspended() {
            if let Err(error) = self.end_release(object, run, ledger).await {
                ledger.close(super::ledger::Handled::NotYet).await?;
                return Ok(Outcome::Failed(error.into()));
            }
            if let Err(error) = self.end_helm_chart(object, ledger).await {
                return Ok(Outcome::Failed(error.into()));
            }
        }
        self.writer.remove_finalizer(object).await?;
        Ok(Outcome::Done)
    }

    async fn end_release(
        &self,
        object: &Arc<HelmRelease>,
        run: &Run,
        ledger: &mut Ledger,
    ) -> Result<(), String> {
        let Some(stored) = ledger.status.storage_namespace.clone().filter(|namespace| !namespace.is_empty())
        else {
            tracing::info!("skipping Helm release uninstallation: no storage namespace configured");
            return Ok(());
        };
        history::sort(&mut ledger.status.history);
        let cluster = match self.identities.of(object).await {
            Ok(cluster) => cluster,
            Err(error) if error.missing => {
                tracing::error!(%error, "skipping Helm release uninstallation");
                return Ok(());
            }
            Err(error) => {
                let text = format!("failed to build REST client getter to uninstall release: {error}");
                ledger.not_ready(Reason::UninstallFailed, &text);
                return Err(error.to_string());
            }
        };
        match self.identities.can_act(object).await {
            Ok((true, _)) => {}
            Ok((false, account)) => {
                tracing::error!(
                    error = format!("serviceaccounts \"{account}\" not found"),
                    "skipping Helm release uninstallation"
                );
                return Ok(());
            }
            Err(text) => {
                ledger.not_ready(Reason::UninstallFailed, &text);
                return Err(text);
            }
        }
        let storage = Storage::new(&cluster, &stored);
        let attempt = self.attempt(
            object,
            &cluster,
            run,
            Chart::default(),
            Table::new(),
            String::new(),
            String::new(),
            Arc::new(HealthChecks::default()),
        );
        if ledger.status.history.is_empty() {
            // A crash in the installation kept the release out of the history.
            crate::act::found(&attempt, &storage, ledger).await.map_err(|error| error.to_string())?;
        }
        crate::act::uninstall(&attempt, &storage, ledger).await.map_err(|error| error.to_string())
    }

    /// The HelmChart of a template, also when a crash kept its name out of the status.
    async fn end_helm_chart(&self, object: &Arc<HelmRelease>, ledger: &Ledger) -> Result<(), String> {
        let made = ledger.status.helm_chart.as_deref().and_then(|made| made.split_once('/'));
        if let Some((namespace, name)) = made {
            return self.helm_charts.delete(object, &Key::new(namespace, name)).await;
        }
        let Some(key) = helm_chart(object) else { return Ok(()) };
        let is_ours = |chart: &HelmChart| {
            let label = |key: &str| chart.labels().get(key).map(String::as_str);
            label(keys::helm::NAME) == Some(name(object))
                && label(keys::helm::NAMESPACE) == Some(namespace(object))
        };
        match self.sources.helm_chart(&key) {
            Some(chart) if is_ours(&chart) => self.helm_charts.delete(object, &key).await,
            _ => Ok(()),
        }
    }
}

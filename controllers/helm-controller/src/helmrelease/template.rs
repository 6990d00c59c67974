//! The HelmChart that is made of `spec.chart`, beside its source.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::helm::{ChartTemplate, HelmRelease};
use api::meta::keys;
use api::source::{ChartSourceReference, ChartVerification, HelmChart, HelmChartSpec};
use kube::ResourceExt as _;
use runtime::{Error, Key, Recorder, Severity};
use serde_json::json;

use super::names::{name, namespace};
use super::sources::Sources;

/// Content type of server-side apply.
const APPLY: &str = "application/apply-patch+yaml";

/// The HelmChart of a template.
pub fn desired(release: &HelmRelease, template: &ChartTemplate, key: &Key) -> HelmChart {
    let spec = &template.spec;
    let wanted = HelmChartSpec {
        chart: spec.chart.clone(),
        version: spec.version.clone(),
        source_ref: ChartSourceReference {
            api_version: None,
            kind: spec.source_ref.kind,
            name: spec.source_ref.name.clone(),
        },
        interval: spec.interval.clone().unwrap_or_else(|| release.spec.interval.clone()),
        reconcile_strategy: spec.reconcile_strategy,
        values_files: spec.values_files.clone(),
        ignore_missing_values_files: spec.ignore_missing_values_files,
        suspend: false,
        verify: spec.verify.as_ref().map(|verify| ChartVerification {
            provider: verify.provider,
            secret_ref: verify.secret_ref.clone(),
            match_oidc_identity: Vec::new(),
        }),
    };
    let metadata = template.metadata.clone().unwrap_or_default();
    let mut labels = metadata.labels;
    labels.insert(keys::helm::NAME.to_owned(), name(release).to_owned());
    labels.insert(keys::helm::NAMESPACE.to_owned(), namespace(release).to_owned());
    let mut chart = HelmChart::new(key.name(), wanted);
    chart.metadata.namespace = Some(key.namespace().to_owned());
    chart.metadata.labels = Some(labels);
    chart.metadata.annotations = Some(metadata.annotations).filter(|annotations| !annotations.is_empty());
    chart
}

/// Whether a HelmChart is as it is wanted. What others added stays.
pub fn is_as_wanted(known: &HelmChart, wanted: &HelmChart) -> bool {
    let holds = |known: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>| {
        wanted.iter().all(|(key, value)| known.get(key) == Some(value))
    };
    let (known_spec, wanted_spec) = (&known.spec, &wanted.spec);
    known.metadata.deletion_timestamp.is_none()
        && holds(known.labels(), wanted.labels())
        && holds(known.annotations(), wanted.annotations())
        && known_spec.version() == wanted_spec.version()
        && known_spec.reconcile_strategy() == wanted_spec.reconcile_strategy()
        && HelmChartSpec { version: None, reconcile_strategy: None, suspend: false, ..known_spec.clone() }
            == HelmChartSpec { version: None, reconcile_strategy: None, ..wanted_spec.clone() }
}

/// Makes and deletes HelmCharts.
pub struct HelmCharts {
    client: kube::Client,
    sources: Sources,
    events: Recorder,
    manager: &'static str,
}

impl HelmCharts {
    /// Writes as `manager`.
    pub fn new(client: kube::Client, sources: Sources, events: Recorder, manager: &'static str) -> Self {
        HelmCharts { client, sources, events, manager }
    }

    /// Makes the HelmChart what the template says. Nothing is sent when it is so already.
    ///
    /// # Errors
    /// The text for the object.
    pub async fn apply(
        &self,
        release: &Arc<HelmRelease>,
        template: &ChartTemplate,
        key: &Key,
    ) -> Result<(), String> {
        let wanted = desired(release, template, key);
        let failed = |error: &dyn std::fmt::Display| {
            let text = format!("failed to run server-side apply: {error}");
            self.trace(release, "HelmChartSyncErr", &text);
            text
        };
        let path = runtime::client::object_path::<HelmChart>(key);
        let known = match self.sources.helm_chart(key) {
            Some(known) => Some(known),
            None => {
                let found = runtime::client::get::<HelmChart>(&self.client, &path).await;
                found.map_err(|error| failed(&error))?.map(Arc::new)
            }
        };
        if known.as_ref().is_some_and(|known| is_as_wanted(known, &wanted)) {
            return Ok(());
        }
        let mut body = serde_json::to_value(&wanted).map_err(|error| failed(&error))?;
        if let Some(object) = body.as_object_mut() {
            object.remove("status");
        }
        let uri = format!("{path}?fieldManager={}&force=true", self.manager);
        let method = http::Method::PATCH;
        let sent = runtime::client::send(
            &self.client,
            "patch",
            method,
            &uri,
            Some(APPLY),
            body.to_string().into_bytes(),
        )
        .await;
        let text = sent.map_err(|error| failed(&error))?;
        let written: HelmChart = serde_json::from_str(&text).map_err(|error| failed(&error))?;
        let (reason, verb) = match &known {
            Some(known) if known.metadata.generation == written.metadata.generation => ("", ""),
            Some(_) => ("HelmChartConfigured", "Configured"),
            None => ("HelmChartCreated", "Created"),
        };
        if !reason.is_empty() {
            let source = &wanted.spec.source_ref;
            let kind = json!(source.kind);
            let text = format!(
                "{verb} HelmChart/{key} with SourceRef '{}/{}/{}'",
                kind.as_str().unwrap_or_default(),
                key.namespace(),
                source.name
            );
            tracing::info!("{text}");
            self.trace(release, reason, &text);
        }
        self.sources.wrote(written);
        Ok(())
    }

    /// Deletes a HelmChart that was made for the object.
    ///
    /// # Errors
    /// The text for the object.
    pub async fn delete(&self, release: &Arc<HelmRelease>, key: &Key) -> Result<(), String> {
        let path = runtime::client::object_path::<HelmChart>(key);
        let sent =
            runtime::client::send(&self.client, "delete", http::Method::DELETE, &path, None, Vec::new());
        match sent.await {
            Ok(_) => {
                self.trace(release, "HelmChartDeleted", &format!("deleted HelmChart '{key}'"));
                Ok(())
            }
            Err(error) if Error::is_not_found(&error) => Ok(()),
            Err(error) => Err(format!("failed to delete HelmChart '{key}': {error}")),
        }
    }

    fn trace(&self, release: &Arc<HelmRelease>, reason: &str, text: &str) {
        self.events.emit(&**release, Severity::Trace, reason, text, BTreeMap::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(template: serde_json::Value) -> HelmRelease {
        let value = json!({"metadata": {"name": "podinfo", "namespace": "apps"}, "spec": {"interval": "5m", "chart": template}});
        serde_json::from_value(value).unwrap()
    }

    fn made(template: serde_json::Value) -> HelmChart {
        let release = release(template);
        let key = super::super::names::helm_chart(&release).unwrap();
        desired(&release, release.spec.chart.as_ref().unwrap(), &key)
    }

    #[test]
    fn the_template_becomes_a_helm_chart() {
        let chart = made(json!({
            "metadata": {"labels": {"a": "b", "helm.toolkit.fluxcd.io/name": "other"}, "annotations": {"c": "d"}},
            "spec": {"chart": "podinfo", "version": "6.x", "interval": "1h", "valuesFiles": ["a.yaml"], "ignoreMissingValuesFiles": true,
                "reconcileStrategy": "Revision", "sourceRef": {"kind": "GitRepository", "name": "repo", "namespace": "flux"},
                "verify": {"provider": "cosign"}}
        }));
        let value = serde_json::to_value(&chart).unwrap();
        assert_eq!(
            value["metadata"],
            json!({"name": "apps-podinfo", "namespace": "flux", "annotations": {"c": "d"},
                "labels": {"a": "b", "helm.toolkit.fluxcd.io/name": "podinfo", "helm.toolkit.fluxcd.io/namespace": "apps"}})
        );
        assert_eq!(
            value["spec"],
            json!({"chart": "podinfo", "version": "6.x", "interval": "1h", "valuesFiles": ["a.yaml"], "ignoreMissingValuesFiles": true,
                "reconcileStrategy": "Revision", "sourceRef": {"kind": "GitRepository", "name": "repo"}, "verify": {"provider": "cosign"}})
        );
    }

    #[test]
    fn nothing_is_sent_when_nothing_changed() {
        let template = |version: &str| json!({"spec": {"chart": "podinfo", "version": version, "sourceRef": {"kind": "HelmRepository", "name": "repo"}}});
        let wanted = made(template("*"));
        assert_eq!(wanted.spec.interval.to_string(), "5m0s", "the release's own");
        let mut known = made(
            json!({"spec": {"chart": "podinfo", "sourceRef": {"kind": "HelmRepository", "name": "repo"}}}),
        );
        assert!(is_as_wanted(&known, &wanted), "a default that the API server filled in");
        known.metadata.labels.as_mut().unwrap().insert("more".into(), "x".into());
        known.spec.suspend = true;
        assert!(is_as_wanted(&known, &wanted), "what others added");
        assert!(!is_as_wanted(&known, &made(template("6.x"))));
        known.metadata.labels.as_mut().unwrap().remove(keys::helm::NAME);
        assert!(!is_as_wanted(&known, &wanted));
    }
}

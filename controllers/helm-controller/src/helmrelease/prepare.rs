//! Prepare: what has to be there before a release can be looked at: dependencies, chart, values, cluster.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use ::release::{Cluster, Storage};
use api::condition::{Reason, Type};
use api::helm::{
    ChartNameChangeStrategy, ChartReferenceKind, HelmRelease, HelmReleaseStatus, ValuesReference,
    ValuesReferenceKind,
};
use api::meta::{Artifact, go_duration, keys};
use api::object::Reconciled as _;
use cel::HealthChecks;
use chart::{Chart, Table};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use runtime::{Key, Outcome, Run, Secret, Severity};

use super::attempt::Attempt;
use super::dependencies::{Dependency, Unmet, unmet};
use super::ledger::{Ledger, WriteError};
use super::memory::Fingerprint;
use super::names::{
    helm_chart, namespace, release_name, release_namespace, shortened, source, storage_namespace,
};
use super::revision::{Tracking, versioned};
use super::sources::Source;
use super::values::{self, Contents};
use super::{End, HelmReleases, charts, decide, digest, requests, texts, wake};

/// A step that did not lead further.
type Stop = Result<End, WriteError>;

/// Where the chart comes from, and what is there.
struct Found {
    kind: ChartReferenceKind,
    artifact: Artifact,
}

impl HelmReleases {
    pub(super) async fn proceed(
        &self,
        object: &Arc<HelmRelease>,
        run: &Run,
        checks: Arc<HealthChecks>,
        ledger: &mut Ledger,
    ) -> Stop {
        if let Err(text) = self.make_helm_chart(object, ledger).await {
            return Ok(End::failed(text));
        }
        if object.spec.rollback.as_ref().is_some_and(|rollback| rollback.recreate) {
            tracing::info!("warning: the .spec.rollback.recreate field is deprecated and has no effect");
        }
        ledger.working(texts::PREREQUISITES);
        if let Some(end) = self.await_dependencies(object, ledger).await {
            return Ok(end);
        }
        let found = match self.find_chart(object, ledger).await {
            Ok(found) => found,
            Err(end) => return Ok(end),
        };
        let values = match self.compose_values(object, ledger).await {
            Ok(values) => values,
            Err(end) => return Ok(end),
        };
        let config_digest = digest::config(self.behaviour.algorithm, &values).to_string();
        let fingerprint = self.fingerprint(object, &found.artifact, &config_digest);
        if self.is_in_order(object, &run.key, fingerprint.as_ref()) {
            tracing::debug!("release in-sync with desired state: nothing changed since it was");
            ledger.status = object.status.clone().unwrap_or_default();
            return Ok(self.content(object));
        }
        let (chart, oci_digest) = match self.load_chart(&found, ledger).await {
            Ok(loaded) => loaded,
            Err(end) => return Ok(end),
        };
        let cluster = match self.identities.of(object).await {
            Ok(cluster) => cluster,
            Err(error) => {
                ledger.not_ready(Reason::RestClientError, &error.to_string());
                return Ok(End::failed(error));
            }
        };
        ledger.passed(&[Reason::RestClientError]);
        let attempt = Attempt {
            storage: Storage::new(&cluster, storage_namespace(object)),
            ..self.attempt(object, &cluster, run, chart, values, config_digest, oci_digest, checks)
        };
        if let Some(why) = target_changed(object, &mut ledger.status, attempt.chart.name()) {
            tracing::info!(
                "release target configuration changed ({why}): running uninstall for current release"
            );
            return Box::pin(self.leave_target(&attempt, &cluster, ledger)).await;
        }
        note_attempt(&attempt, &mut ledger.status);
        let end = Box::pin(self.drive(&attempt, ledger, &run.key, fingerprint)).await?;
        Ok(self.interrupted(&run.key, ledger, end))
    }

    /// A run that was interrupted and did not reach its goal gives way to the next one, and says so.
    fn interrupted(&self, key: &Key, ledger: &mut Ledger, end: End) -> End {
        let trigger = self.interrupts.as_ref().and_then(|all| all.trigger(key));
        let Some(trigger) = trigger.filter(|_| !end.is_content()) else { return end };
        let reason = Reason::HealthCheckCanceled;
        ledger.not_ready(reason, &runtime::interrupt::message(&trigger));
        tracing::info!(trigger, "New reconciliation triggered, canceling health checks");
        self.emit(ledger, Severity::Normal, reason, &runtime::interrupt::event(&trigger));
        End::not_yet(Outcome::After(std::time::Duration::ZERO))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one value")]
    pub(super) fn attempt(
        &self,
        object: &Arc<HelmRelease>,
        cluster: &Cluster,
        run: &Run,
        chart: Chart,
        values: Table,
        config_digest: String,
        oci_digest: String,
        checks: Arc<HealthChecks>,
    ) -> Attempt {
        Attempt {
            release: Arc::clone(object),
            chart,
            values,
            config_digest,
            oci_digest,
            cluster: cluster.clone(),
            storage: Storage::new(cluster, storage_namespace(object)),
            checks,
            cancel: run.cancel.clone(),
            interrupt: self.interrupts.as_ref().map(|all| all.token(&run.key)).unwrap_or_default(),
            algorithm: self.behaviour.algorithm,
            helm_3: self.behaviour.helm_3,
            dns: self.behaviour.dns,
            retry_by_default: self.behaviour.retry_by_default,
            override_managers: self.behaviour.override_managers.clone(),
            events: self.events.clone(),
        }
    }

    /// Makes the HelmChart of a template, and deletes one that is no longer wanted.
    async fn make_helm_chart(&self, object: &Arc<HelmRelease>, ledger: &mut Ledger) -> Result<(), String> {
        let wanted = helm_chart(object);
        let made = ledger.status.helm_chart.as_deref().and_then(|made| made.split_once('/'));
        let made = made.map(|(namespace, name)| Key::new(namespace, name));
        if let Some(made) = made.filter(|made| Some(made) != wanted.as_ref()) {
            self.helm_charts.delete(object, &made).await?;
            ledger.status.helm_chart = None;
        }
        if let (Some(template), Some(key)) = (&object.spec.chart, wanted) {
            self.helm_charts.apply(object, template, &key).await?;
            ledger.status.helm_chart = Some(key.to_string());
        }
        Ok(())
    }

    async fn await_dependencies(&self, object: &Arc<HelmRelease>, ledger: &mut Ledger) -> Option<End> {
        let own = Key::of(&**object);
        let mut found = Vec::with_capacity(object.spec.depends_on.len());
        for (reference, key) in object.spec.depends_on.iter().zip(wake::dependencies(object)) {
            found.push(Dependency {
                namespace: key.namespace().to_owned(),
                name: key.name().to_owned(),
                ready_expr: reference.ready_expr.clone(),
                object: self.dependency(&key).await,
                cycle: self.index().cycle(&own, &key),
            });
        }
        match unmet(object, &found, self.behaviour.additive_dependency_check) {
            None => {
                ledger.passed(&[Reason::DependencyNotReady]);
                None
            }
            Some(Unmet::Terminal(error)) => {
                Some(self.stall(ledger, Reason::InvalidCelExpression, &texts::terminal(&error)))
            }
            Some(Unmet::Wait(text)) => {
                let retry = self.behaviour.requeue_dependency;
                tracing::info!(
                    "dependencies do not meet ready condition ({text}): retrying in {}",
                    go_duration(retry)
                );
                ledger.not_ready(Reason::DependencyNotReady, &text);
                if ledger.has_news() {
                    self.emit(ledger, Severity::Normal, Reason::DependencyNotReady, &text);
                }
                Some(End::not_yet(Outcome::After(retry)))
            }
        }
    }

    /// From the watch; one that is not there may belong to another shard, so the API server has the last word.
    async fn dependency(&self, key: &Key) -> Result<Arc<HelmRelease>, String> {
        if let Some(known) = self.store.get(key) {
            return Ok(known);
        }
        let path = runtime::client::object_path::<HelmRelease>(key);
        match runtime::client::get::<HelmRelease>(&self.client, &path).await {
            Ok(Some(found)) => Ok(Arc::new(found)),
            Ok(None) => Err(format!("helmreleases.helm.toolkit.fluxcd.io \"{}\" not found", key.name())),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn find_chart(&self, object: &HelmRelease, ledger: &mut Ledger) -> Result<Found, End> {
        let made = helm_chart(object).map(|key| (ChartReferenceKind::HelmChart, key));
        let Some((kind, key)) = made.or_else(|| source(object)) else {
            return Err(End::terminal("invalid Chart reference"));
        };
        let artifact = match self.sources.get(kind, &key).await {
            Source::Unreadable(why) => {
                let text = format!("could not get Source object: {why}");
                ledger.not_ready(Reason::ArtifactFailed, &text);
                return Err(End::failed(why));
            }
            Source::NotReady(why) => {
                tracing::info!("{why}");
                ledger.passed(&[Reason::AccessDenied, Reason::ArtifactFailed]);
                ledger.not_ready(Reason::SourceNotReady, &why);
                return Err(End::not_yet(Outcome::Interval(self.behaviour.requeue_dependency)));
            }
            Source::Ready(artifact) => *artifact,
        };
        ledger.passed(&[Reason::AccessDenied, Reason::SourceNotReady]);
        Ok(Found { kind, artifact })
    }

    async fn compose_values(&self, object: &HelmRelease, ledger: &mut Ledger) -> Result<Table, End> {
        let namespace = namespace(object);
        let fail = |ledger: &mut Ledger, text: String| {
            ledger.not_ready(Reason::ValuesError, &text);
            if ledger.has_news() {
                self.emit(ledger, Severity::Warning, Reason::ValuesError, &text);
            }
            End::failed(text)
        };
        let contents = match read_contents(&self.client, namespace, &object.spec.values_from).await {
            Ok(contents) => contents,
            Err(error) => return Err(fail(ledger, error.to_string())),
        };
        let spec = &object.spec;
        match values::compose(namespace, spec.values.as_ref(), &spec.values_from, &contents) {
            Ok(composed) => {
                composed.forgiven.iter().for_each(|text| tracing::info!("{text}"));
                ledger.passed(&[Reason::ValuesError]);
                Ok(composed.values)
            }
            Err(error) => Err(fail(ledger, error.to_string())),
        }
    }

    async fn load_chart(&self, found: &Found, ledger: &mut Ledger) -> Result<(Chart, String), End> {
        let artifact = &found.artifact;
        let chart = match self.charts.get(artifact).await {
            Ok(chart) => chart,
            Err(charts::Error::NotFound(_)) => {
                let retry = self.behaviour.requeue_dependency;
                let text =
                    format!("Source not ready: artifact not found. Retrying in {}", go_duration(retry));
                tracing::info!("{text}");
                ledger.not_ready(Reason::ArtifactFailed, &text);
                return Err(End::not_yet(Outcome::After(retry)));
            }
            Err(error) => {
                ledger.not_ready(Reason::ArtifactFailed, &format!("Could not load chart: {error}"));
                if ledger.has_news() {
                    self.emit(ledger, Severity::Warning, Reason::ArtifactFailed, &error.to_string());
                }
                return Err(End::failed(error));
            }
        };
        ledger.passed(&[Reason::ArtifactFailed]);
        let tracking = if self.behaviour.track_digests { Tracking::On } else { Tracking::Off };
        let mut chart = Chart::clone(&chart);
        match versioned(found.kind, &artifact.revision, &chart.metadata.version, tracking) {
            Ok(found) => {
                ledger.passed(&[Reason::ChartMutateError]);
                chart.metadata.version = found.version;
                Ok((chart, found.oci_digest))
            }
            Err(error) => {
                ledger.not_ready(Reason::ChartMutateError, &error.to_string());
                Err(End::failed(error))
            }
        }
    }

    /// What a release in order depends on; `None` where a watch does not tell of its records.
    fn fingerprint(
        &self,
        object: &HelmRelease,
        artifact: &Artifact,
        config_digest: &str,
    ) -> Option<Fingerprint> {
        if object.spec.kube_config.is_some() {
            return None;
        }
        let name = shortened(&release_name(object));
        Some(Fingerprint {
            uid: object.metadata.uid.clone()?,
            generation: object.metadata.generation?,
            chart: (artifact.digest.clone(), artifact.revision.clone()),
            config: config_digest.to_owned(),
            identity: self.identities.account(object).unwrap_or_default().to_owned(),
            record: self.records.last(&Key::new(storage_namespace(object), &name)).unwrap_or_default(),
        })
    }

    /// Whether a release was in order, and nothing has changed since.
    fn is_in_order(&self, object: &HelmRelease, key: &Key, now: Option<&Fingerprint>) -> bool {
        let Some(status) = &object.status else { return false };
        let asked = |annotation: &str, handled: &Option<String>| {
            object.annotations().get(annotation).is_some_and(|value| Some(value) != handled.as_ref())
        };
        now.is_some()
            && self.memory().get(key).and_then(|memory| memory.in_order.as_ref()) == now
            && status.conditions.is_ready()
            && status.conditions.is_true(Type::Released)
            && object.metadata.generation == Some(object.observed_generation())
            && decide::drift_mode(object) == api::helm::DriftDetectionMode::Disabled
            && !asked(keys::FORCE_AT, &status.last_handled_force_at)
            && !asked(keys::RESET_AT, &status.last_handled_reset_at)
    }

    /// Ends a run after which the release is as it is wanted.
    pub(super) fn content(&self, object: &HelmRelease) -> End {
        End { content: true, ..End::fully(Outcome::Interval(object.spec.interval.to_std())) }
    }

    /// Uninstalls the release that was made elsewhere or under another name, and begins anew.
    async fn leave_target(&self, attempt: &Attempt, cluster: &Cluster, ledger: &mut Ledger) -> Stop {
        let namespace = ledger.status.storage_namespace.clone().unwrap_or_default();
        let storage = Storage::new(cluster, &namespace);
        if let Err(error) = crate::act::uninstall(attempt, &storage, ledger).await {
            return Ok(End::failed(error));
        }
        ledger.status.history.clear();
        requests::clear_failures(&mut ledger.status);
        ledger.status.storage_namespace = None;
        Ok(End::not_yet(Outcome::After(std::time::Duration::ZERO)))
    }
}

/// What the ConfigMaps and Secrets hold that values come from, each read once.
pub(super) async fn read_contents(
    client: &kube::Client,
    namespace: &str,
    references: &[ValuesReference],
) -> Result<Contents, runtime::Error> {
    let mut contents = Contents::new();
    for reference in references {
        if let Entry::Vacant(place) = contents.entry((reference.kind, reference.name.clone())) {
            let key = Key::new(namespace, &reference.name);
            place.insert(read_config(client, reference.kind, &key).await?);
        }
    }
    Ok(contents)
}

async fn read_config(
    client: &kube::Client,
    kind: ValuesReferenceKind,
    key: &Key,
) -> Result<values::Content, runtime::Error> {
    match kind {
        ValuesReferenceKind::Secret => match Secret::read(client, key.namespace(), key.name()).await {
            Ok(found) => Ok(Some(found.into_data())),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        },
        ValuesReferenceKind::ConfigMap => {
            let path = runtime::client::object_path::<ConfigMap>(key);
            let found = runtime::client::get::<ConfigMap>(client, &path).await?;
            Ok(found.map(|found| {
                let data = found.data.unwrap_or_default().into_iter();
                data.map(|(key, text)| (key, text.into_bytes())).collect::<BTreeMap<_, _>>()
            }))
        }
    }
}

/// Takes down what is about to be tried.
pub(super) fn note_attempt(attempt: &Attempt, status: &mut HelmReleaseStatus) {
    let object = &attempt.release;
    status.storage_namespace = Some(storage_namespace(object).to_owned());
    let version = &attempt.chart.metadata.version;
    if let Some(why) = requests::resets_failures(object, status, version, &attempt.values) {
        tracing::debug!("resetting failure count ({why})");
        requests::clear_failures(status);
    }
    status.last_attempted_generation = object.metadata.generation.unwrap_or_default();
    status.last_attempted_revision = Some(version.clone());
    status.last_attempted_revision_digest =
        Some(attempt.oci_digest.clone()).filter(|digest| !digest.is_empty());
    status.last_attempted_config_digest = Some(attempt.config_digest.clone());
    status.last_attempted_values_checksum = None;
    status.last_release_revision = 0;
}

/// Why the release that was made is not the one that is wanted now, but one elsewhere or under another name.
pub(super) fn target_changed(
    object: &HelmRelease,
    status: &mut HelmReleaseStatus,
    chart: &str,
) -> Option<&'static str> {
    super::history::sort(&mut status.history);
    let stored = status.storage_namespace.as_deref().filter(|namespace| !namespace.is_empty())?;
    let current = status.history.first()?;
    let renames = object.spec.upgrade.as_ref().and_then(|upgrade| upgrade.chart_name_change_strategy);
    if storage_namespace(object) != stored {
        Some("storage namespace")
    } else if release_namespace(object) != current.namespace {
        Some("release namespace")
    } else if shortened(&release_name(object)) != current.name {
        Some("release name")
    } else if chart != current.chart_name && renames != Some(ChartNameChangeStrategy::InPlaceUpdate) {
        Some("chart name")
    } else {
        None
    }
}

//! The reconciler of HelmReleases. A run reads as its steps: gate, chart, values, state, decide, act, status.
//!
//! # What a crash can lose
//!
//! Helm's records are the truth: one is written as pending before an action touches anything. After a crash the record is
//! pending or is not the one that the history knows, and either way the next run drives the release to its goal: a
//! pending record is unlocked, and a release that the history does not know is upgraded. Before an installation the status
//! says so, so that a deletion that follows a crash knows of the release.

mod attempt;
mod charts;
mod decide;
mod delete;
mod dependencies;
mod digest;
mod drive;
mod foresee;
mod gate;
pub mod history;
mod identity;
mod ledger;
mod memory;
mod names;
mod prepare;
mod requests;
mod revision;
mod sources;
pub mod state;
mod strategy;
mod summary;
mod template;
pub mod texts;
mod values;
mod wake;

pub use attempt::Attempt;
pub use charts::Charts;
pub use decide::Action;
pub use digest::Error as SnapshotError;
pub use foresee::{Ahead, Foreseen, Foresight, Turn, rollback_target};
pub use history::Maker;
pub use identity::Identities;
pub use ledger::{Ledger, WriteError};
pub use requests::clear_failures;
pub use sources::Sources;
pub use strategy::{Remediation, retry};

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::condition::{Reason, Type};
use api::helm::{HelmRelease, ReleaseAction};
use api::meta::Timestamp;
use api::object::Reconciled as _;
use artifact::{Algorithm, Fetcher};
use runtime::configs::ConfigKind;
use runtime::interrupt::Interrupts;
use runtime::status::Writer;
use runtime::watch::{Change, Scope, Store};
use runtime::{Handle, Key, Outcome, Priority, Reconciler, Recorder, Run, Severity};

use gate::Gate;
use ledger::Handled;
use memory::{Memory, Records};
use sources::News;
use template::HelmCharts;
use wake::{Index, Reference};

/// How long an action that makes a release, and each wait in it, may take.
pub fn timeout_of(release: &HelmRelease, action: ReleaseAction) -> Duration {
    match action {
        ReleaseAction::Install => Action::Install.timeout(release),
        ReleaseAction::Upgrade => Action::Upgrade.timeout(release),
    }
}

/// The field manager of everything that this controller writes.
pub const MANAGER: &str = "helm-controller";

/// How the controller behaves: flags and gates, read once.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// `--no-cross-namespace-refs`.
    pub no_cross_namespace_refs: bool,
    /// Gate `ExternalArtifact`.
    pub external_artifact: bool,
    /// Gate `AdditiveCELDependencyCheck`.
    pub additive_dependency_check: bool,
    /// `--requeue-dependency`.
    pub requeue_dependency: Duration,
    /// Off with gate `DisableChartDigestTracking`.
    pub track_digests: bool,
    /// Gate `DefaultToRetryOnFailure`.
    pub retry_by_default: bool,
    /// Gate `UseHelm3Defaults`.
    pub helm_3: bool,
    /// Gate `AllowDNSLookups`.
    pub dns: bool,
    /// `--snapshot-digest-algo`.
    pub algorithm: Algorithm,
    /// `--override-manager`.
    pub override_managers: Vec<String>,
}

/// Reconciles HelmReleases.
pub struct HelmReleases {
    behaviour: Behaviour,
    store: Store<HelmRelease>,
    client: kube::Client,
    sources: Sources,
    helm_charts: HelmCharts,
    charts: Charts,
    identities: Identities,
    index: Mutex<Index>,
    records: Records,
    writer: Writer<HelmRelease>,
    events: Recorder,
    wake: Handle,
    interrupts: Option<Interrupts>,
    memory: Mutex<HashMap<Key, Memory>>,
}

/// The parts that a reconciler is made of.
pub struct Parts {
    /// Flags and gates.
    pub behaviour: Behaviour,
    /// The HelmReleases.
    pub store: Store<HelmRelease>,
    /// The controller's own client.
    pub client: kube::Client,
    /// The sources.
    pub sources: Sources,
    /// Downloads charts.
    pub fetcher: Fetcher,
    /// Clusters and identities.
    pub identities: Identities,
    /// Writes statuses.
    pub writer: Writer<HelmRelease>,
    /// Where events go.
    pub events: Recorder,
    /// Wakes objects.
    pub wake: Handle,
    /// Gate `CancelHealthCheckOnNewRevision`.
    pub interrupts: Option<Interrupts>,
}

/// How a run ends.
#[derive(Debug)]
pub struct End {
    outcome: Outcome,
    handled: Handled,
    /// Nothing is left to be done.
    content: bool,
}

impl End {
    fn fully(outcome: Outcome) -> Self {
        End { outcome, handled: Handled::Fully, content: false }
    }

    fn not_yet(outcome: Outcome) -> Self {
        End { outcome, handled: Handled::NotYet, content: false }
    }

    fn failed(error: impl Into<runtime::BoxError>) -> Self {
        End::not_yet(Outcome::Failed(error.into()))
    }

    fn terminal(error: impl Into<runtime::BoxError>) -> Self {
        End::fully(Outcome::Terminal(error.into()))
    }
}

impl HelmReleases {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let helm_charts =
            HelmCharts::new(parts.client.clone(), parts.sources.clone(), parts.events.clone(), MANAGER);
        HelmReleases {
            behaviour: parts.behaviour,
            store: parts.store,
            client: parts.client,
            sources: parts.sources,
            helm_charts,
            charts: Charts::new(parts.fetcher),
            identities: parts.identities,
            index: Mutex::default(),
            records: Records::default(),
            writer: parts.writer,
            events: parts.events,
            wake: parts.wake,
            interrupts: parts.interrupts,
            memory: Mutex::default(),
        }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn memory(&self) -> MutexGuard<'_, HashMap<Key, Memory>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a change of a HelmRelease, and wakes those that wait for it.
    pub fn observe(&self, change: &Change<HelmRelease>) {
        if runtime::controller::matters(change) {
            self.interrupt(&change.key, "HelmRelease", &change.key);
        }
        let dependents = {
            let mut index = self.index();
            let news = match &change.after {
                Some(object) => index.apply(Arc::clone(object)),
                None => {
                    index.remove(&change.key);
                    false
                }
            };
            if news { index.referrers(&Reference::Dependency(change.key.clone())) } else { Vec::new() }
        };
        for key in dependents {
            // One that runs now may have looked at this object already, and not have said yet that it waits for it. In this
            // order: a run that ends in between has said so.
            if self.wake.is_running(&key) || self.waits(&key) {
                self.wake.enqueue(&key, Priority::High);
            }
        }
    }

    /// Whether an object says that it waits for a dependency.
    fn waits(&self, key: &Key) -> bool {
        self.store.get(key).is_some_and(|object| {
            object.conditions().is_some_and(|conditions| {
                conditions.reason(Type::Ready) == Reason::DependencyNotReady.as_str()
            })
        })
    }

    /// Wakes those that use a source.
    pub fn source_changed(&self, news: &News) {
        let keys = self.index().behind(news);
        for key in keys {
            self.interrupt(&key, news.kind.as_str(), &news.key);
            self.wake.enqueue(&key, Priority::High);
        }
    }

    /// Wakes those that use a ConfigMap or Secret.
    pub fn config_changed(&self, kind: ConfigKind, changed: &Key) {
        let keys = self.index().referrers(&Reference::Config(kind, changed.clone()));
        let kind = match kind {
            ConfigKind::ConfigMap => "ConfigMap",
            ConfigKind::Secret => "Secret",
        };
        for key in keys {
            self.interrupt(&key, kind, changed);
            self.wake.enqueue(&key, Priority::High);
        }
    }

    /// Ends the waits of a run in progress, for the sake of something new.
    fn interrupt(&self, key: &Key, kind: &str, news: &Key) {
        if let Some(interrupts) = &self.interrupts {
            interrupts.interrupt(key, || format!("{kind}/{news}"));
        }
    }

    /// Watches the metadata of release records until the future is dropped: a release whose record did not change since it
    /// was found in order is in order.
    pub async fn watch_records(&self, scope: &Scope) {
        self.records.watch(&self.client, scope).await;
    }

    async fn run(&self, object: Arc<HelmRelease>, run: &Run) -> Outcome {
        let _running = self.interrupts.as_ref().map(|interrupts| interrupts.begin(&run.key));
        if let Some(newer) = self.store.get(&run.key)
            && (newer.metadata.generation, newer.requested_at())
                != (object.metadata.generation, object.requested_at())
        {
            // It came before anybody could be interrupted.
            self.interrupt(&run.key, "HelmRelease", &run.key);
        }
        let mut ledger = Ledger::open(Arc::clone(&object), self.writer.clone(), self.behaviour.algorithm);
        // Boxed where the steps are deep: together they would not fit on the stack of a worker.
        match Box::pin(self.steps(&object, run, &mut ledger)).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(error.into()),
        }
    }

    async fn steps(
        &self,
        object: &Arc<HelmRelease>,
        run: &Run,
        ledger: &mut Ledger,
    ) -> Result<Outcome, WriteError> {
        let admitted = gate::admit(object, &self.behaviour, Timestamp::now());
        let end = match admitted {
            Gate::Delete => return Box::pin(self.delete(object, run, ledger)).await,
            Gate::AddFinalizer => {
                self.writer.add_finalizer(object).await?;
                return Ok(Outcome::After(Duration::ZERO));
            }
            Gate::Invalid => return Ok(Outcome::Terminal("invalid Chart reference".into())),
            gate => {
                let stamp = ledger.stamp();
                let conditions = &mut ledger.status.conditions;
                if let runtime::suspend::Gate::Resting(outcome) =
                    runtime::suspend::check(&**object, conditions, &self.events, stamp)
                {
                    ledger.write().await?;
                    return Ok(outcome);
                }
                match gate {
                    Gate::Proceed(checks) => {
                        Box::pin(self.proceed(object, run, Arc::new(checks), ledger)).await?
                    }
                    Gate::Stall { reason, message } => self.stall(ledger, reason, &message),
                    _ => return Ok(Outcome::Done),
                }
            }
        };
        ledger.close(end.handled).await?;
        Ok(end.outcome)
    }

    /// Ends a run that only a change of the configuration helps.
    fn stall(&self, ledger: &mut Ledger, reason: Reason, message: &str) -> End {
        ledger.not_ready(reason, message);
        ledger.stalled(reason, message);
        if ledger.has_news() {
            self.emit(ledger, Severity::Warning, reason, message);
        }
        End::terminal(message.to_owned())
    }

    /// Sends an event without metadata of a release.
    fn emit(&self, ledger: &Ledger, severity: Severity, reason: Reason, message: &str) {
        self.events.emit(&*ledger.object, severity, reason, message, BTreeMap::new());
    }
}

impl Reconciler for HelmReleases {
    type Object = HelmRelease;

    async fn reconcile(&self, object: Arc<HelmRelease>, run: Run) -> Outcome {
        self.run(object, &run).await
    }

    fn forget(&self, key: &Key) {
        self.memory().remove(key);
    }
}

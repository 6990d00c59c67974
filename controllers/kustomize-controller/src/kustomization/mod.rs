//! The reconciler of Kustomizations. A pass reads as its steps: observe, gate, build, apply, prune, health, status.
//!
//! # What a crash can lose
//!
//! The inventory in the status never holds less than what exists in the cluster: before objects are created that it does
//! not hold, they are written into it ([`ledger::Ledger::intend`]), and entries leave it only after their objects are
//! deleted or given up. An install therefore costs one more status patch than a pass that creates nothing. Searching for
//! orphans by label at start-up would be cheaper, but finds only kinds that somebody still mentions.

mod build;
mod delete;
mod deliver;
mod documents;
mod download;
mod files;
mod gate;
mod generate;
mod health;
mod identity;
mod ledger;
mod memory;
mod observe;
mod sources;
mod status;
mod variables;
mod wait;
mod wake;

pub use build::{Settings as BuildSettings, build, locate};
pub use files::Files;
pub use gate::{Rules, Source, source_namespace};
pub use identity::Identities;
pub use sources::Sources;
pub use variables::read as read_variables;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::condition::{Conditions, Reason, Type};
use api::kustomize::{Kustomization, KustomizationStatus};
use api::meta::{Artifact, go_duration};
use api::object::Reconciled as _;
use apply::What;
use envsubst::Unset;
use runtime::configs::ConfigKind;
use runtime::status::Writer;
use runtime::watch::{Change, Store};
use runtime::{Handle, Key, Outcome, Priority, Reconciler, Recorder, Run, Severity};

use crate::remotes::Remotes;

use download::Downloads;
use gate::{Gate, Retry, Wait};
use ledger::Ledger;
use memory::Memory;
use sources::News;
use wake::{Index, Reference};

/// The kustomization file for a directory, with a spec merged in: its path and its content.
///
/// # Errors
/// The text for the user.
pub fn generated(
    files: &dyn kustomize::FileSystem,
    root: &str,
    spec: &api::kustomize::KustomizationSpec,
) -> Result<(String, String), String> {
    let generated = generate::generate(files, root, spec).map_err(|error| error.to_string())?;
    Ok((generated.path, generated.content))
}

/// The first document of a YAML file.
///
/// # Errors
/// What is not YAML.
pub fn first_document(bytes: &[u8]) -> Result<serde_json::Value, String> {
    documents::first(bytes)
}

/// Key of the event metadata: the revision that is meant.
const REVISION: &str = "kustomize.toolkit.fluxcd.io/revision";
const ORIGIN_REVISION: &str = "kustomize.toolkit.fluxcd.io/originRevision";
const COMMIT_STATUS: &str = "kustomize.toolkit.fluxcd.io/commit_status";

/// How the controller behaves: flags and gates, read once.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// What the gate depends on.
    pub rules: Rules,
    /// Gate `StrictPostBuildSubstitutions`.
    pub unset: Unset,
    /// Off with gate `DisableFailFastBehavior`.
    pub fail_fast: bool,
    /// Gate `CancelHealthCheckOnNewRevision`.
    pub cancel_on_new_revision: bool,
    /// Gate `GroupChangeLog`.
    pub group_change_log: bool,
    /// Options of the build engine.
    pub options: kustomize::Options,
    /// Fetches remote bases and files; `None` with `--no-remote-bases`.
    pub remotes: Option<Remotes>,
}

/// Reconciles Kustomizations.
pub struct Kustomizations {
    behaviour: Behaviour,
    store: Store<Kustomization>,
    client: kube::Client,
    sources: Sources,
    index: Arc<Mutex<Index>>,
    downloads: Downloads,
    identities: Arc<Identities>,
    writer: Writer<Kustomization>,
    events: Recorder,
    wake: Handle,
    memory: Arc<Mutex<HashMap<Key, Memory>>>,
}

/// The parts that a reconciler is made of.
pub struct Parts {
    /// Flags and gates.
    pub behaviour: Behaviour,
    /// The Kustomizations.
    pub store: Store<Kustomization>,
    /// The controller's own client.
    pub client: kube::Client,
    /// The sources.
    pub sources: Sources,
    /// Downloads artifacts.
    pub fetcher: artifact::Fetcher,
    /// Clusters and identities.
    pub identities: Identities,
    /// Writes statuses.
    pub writer: Writer<Kustomization>,
    /// Where events go.
    pub events: Recorder,
    /// Wakes objects.
    pub wake: Handle,
}

impl Kustomizations {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let wake = parts.wake.clone();
        Kustomizations {
            behaviour: parts.behaviour,
            store: parts.store,
            client: parts.client,
            sources: parts.sources,
            index: Arc::default(),
            downloads: Downloads::new(parts.fetcher, move |key| wake.enqueue(key, Priority::High)),
            identities: Arc::new(parts.identities),
            writer: parts.writer,
            events: parts.events,
            wake: parts.wake,
            memory: Arc::default(),
        }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn memory(&self) -> MutexGuard<'_, HashMap<Key, Memory>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `change` on what is known of an object.
    fn remember<T>(&self, key: &Key, change: impl FnOnce(&mut Memory) -> T) -> T {
        change(self.memory().entry(key.clone()).or_default())
    }

    /// Takes in a change of a Kustomization, and wakes those that wait for it.
    pub fn observe(&self, change: &Change<Kustomization>) {
        let dependents = {
            let mut index = self.index();
            let news = match &change.after {
                Some(object) => index.apply(Arc::clone(object)),
                None => index.remove(&change.key).is_some(),
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
        let waiting = [Reason::DependencyNotReady.as_str(), Reason::DependencyCycle.as_str()];
        let reason = |conditions: &Conditions| waiting.contains(&conditions.reason(Type::Ready));
        // One without conditions is about to look for itself.
        self.store.get(key).is_some_and(|object| object.conditions().is_some_and(reason))
    }

    /// Wakes those that use a source.
    pub fn source_changed(&self, news: &News) {
        let keys = self.index().behind(news.kind, &news.key, &news.revision);
        for key in keys {
            self.wake.enqueue(&key, Priority::High);
        }
    }

    /// Wakes those that use a ConfigMap or Secret.
    pub fn config_changed(&self, kind: ConfigKind, key: &Key) {
        let keys = self.index().referrers(&Reference::Config(kind, key.clone()));
        for key in keys {
            self.wake.enqueue(&key, Priority::High);
        }
    }

    /// Takes in a change of an applied object.
    pub fn object_changed(&self, change: &apply::Change) {
        let key = Key::new(&change.owner.namespace, &change.owner.name);
        if self.store.get(&key).is_none() {
            return;
        }
        if change.what != What::Health {
            self.remember(&key, |memory| memory.drifted = true);
        }
        if change.delay.is_zero() {
            self.wake.enqueue(&key, Priority::High);
        } else {
            self.wake.enqueue_after(&key, change.delay);
        }
    }

    async fn pass(&self, object: Arc<Kustomization>, run: &Run) -> Outcome {
        let mut ledger = Ledger::open(Arc::clone(&object), self.writer.clone());
        let outcome = self.steps(&object, run, &mut ledger).await;
        match outcome {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(error.into()),
        }
    }

    async fn steps(
        &self,
        object: &Arc<Kustomization>,
        run: &Run,
        ledger: &mut Ledger,
    ) -> Result<Outcome, ledger::WriteError> {
        let key = &run.key;
        let admitted = gate::admit(object, &self.behaviour.rules, run.started);
        match &admitted {
            Err(Gate::Delete) => return self.delete(object, key, ledger).await,
            Err(Gate::AddFinalizer) => {
                self.writer.add_finalizer(object).await?;
                return Ok(Outcome::After(Duration::ZERO));
            }
            _ => {}
        }
        let stamp = ledger::stamp(object);
        let conditions = &mut ledger.draft.status.conditions;
        if let runtime::suspend::Gate::Resting(outcome) =
            runtime::suspend::check(&**object, conditions, &self.events, stamp)
        {
            self.remember(key, |memory| memory.parked = None);
            ledger.close().await?;
            return Ok(outcome);
        }
        let health_checks = match admitted {
            Ok(health_checks) => health_checks,
            Err(gate) => return self.held(gate, key, ledger).await,
        };
        let (source, dependencies) = self.look(object).await;
        match gate::pass(object, source, &dependencies, health_checks, &self.behaviour.rules) {
            Gate::Proceed(passage) => self.deliver(object, key, *passage, ledger).await,
            gate => self.held(gate, key, ledger).await,
        }
    }

    /// The gate did not open.
    async fn held(&self, gate: Gate, key: &Key, ledger: &mut Ledger) -> Result<Outcome, ledger::WriteError> {
        self.remember(key, |memory| memory.parked = None);
        match gate {
            Gate::Stall { reason, message } => {
                ledger.draft.stalled(reason, &message);
                let news = ledger.has_news();
                ledger.close().await?;
                tracing::error!(error = message, "reconciliation stalled");
                if news {
                    self.emit(ledger, Severity::Warning, &message, None);
                }
                Ok(Outcome::Done)
            }
            Gate::Wait(Wait { reason, message, retry, announce }) => {
                ledger.draft.not_ready(reason, message.clone());
                let news = ledger.has_news();
                ledger.close().await?;
                tracing::info!(reason = message, "{}", announce.as_deref().unwrap_or("Source is not ready"));
                if let Some(text) = announce.filter(|_| news) {
                    self.emit(ledger, Severity::Normal, &text, None);
                }
                Ok(match retry {
                    Retry::After(delay) => Outcome::After(delay),
                    Retry::Interval => Outcome::After(ledger.subject.spec.retry_interval()),
                    Retry::Backoff => Outcome::Failed(message.into()),
                })
            }
            _ => Ok(Outcome::Done),
        }
    }

    /// Ends a pass that failed: the object says why, and tries again after its retry interval.
    async fn failed(
        &self,
        ledger: &mut Ledger,
        reason: Reason,
        message: String,
        artifact: &Artifact,
    ) -> Result<Outcome, ledger::WriteError> {
        ledger.fail(reason, message.clone());
        ledger.close().await?;
        let next = ledger.subject.spec.retry_interval();
        tracing::error!(
            error = message,
            revision = artifact.revision,
            "Reconciliation failed after {}, next try in {}",
            go_duration(ledger.begun.elapsed()),
            go_duration(next)
        );
        self.emit(ledger, Severity::Warning, &message, Some(artifact));
        Ok(Outcome::After(next))
    }

    /// Sends an event. Its reason is that of the Ready condition.
    fn emit(&self, ledger: &Ledger, severity: Severity, message: &str, artifact: Option<&Artifact>) {
        let metadata = metadata(artifact, &ledger.draft.status);
        self.send(ledger, severity, message, metadata);
    }

    fn send(&self, ledger: &Ledger, severity: Severity, message: &str, metadata: BTreeMap<String, String>) {
        let ready = ledger.draft.status.conditions.reason(Type::Ready);
        let reason = match (ready, severity) {
            ("", Severity::Warning) => "error",
            ("", _) => "info",
            (reason, _) => reason,
        };
        self.events.emit(&*ledger.object, severity, reason, message, metadata);
    }
}

/// The metadata of an event: the artifact at work, else what was applied last.
fn metadata(artifact: Option<&Artifact>, status: &KustomizationStatus) -> BTreeMap<String, String> {
    let (revision, origin) = match artifact {
        Some(artifact) => {
            (Some(artifact.revision.clone()), status::origin_revision(artifact).map(str::to_owned))
        }
        None => (status.last_applied_revision.clone(), status.last_applied_origin_revision.clone()),
    };
    let revision = revision.map(|revision| (REVISION.to_owned(), revision));
    let origin = origin.map(|origin| (ORIGIN_REVISION.to_owned(), origin));
    revision.into_iter().chain(origin).collect()
}

impl Reconciler for Kustomizations {
    type Object = Kustomization;

    async fn reconcile(&self, object: Arc<Kustomization>, run: Run) -> Outcome {
        self.pass(object, &run).await
    }

    fn forget(&self, key: &Key) {
        self.memory().remove(key);
    }
}

//! The reconcile of every kind of source.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::condition::{self, Reason, Requeue, Resolution, Stamp, Type, finish_attempt};
use api::meta::{Artifact, FINALIZER};
use api::object::Reconciled as _;
use api::source::{Source, SourceStatus};
use artifact::Location;
use kube::{Resource as _, ResourceExt};
use runtime::events::Severity;
use runtime::suspend::{self, Gate};
use runtime::{Key, Outcome, Reconciler, Run};
use tokio::sync::watch;

use super::{Attempt, Class, Failure, Kind, Sources, StatusOf, Success, artifact_digest};

/// Work that takes longer than this, and has something to show, shows on the object before it is done.
const SLOW: Duration = Duration::from_secs(1);

/// Conditions whose negative answer decides over `Ready`, whatever else is wrong.
const BIPOLAR: &[Type] = &[Type::SourceVerified];

impl<K: Kind> Reconciler for Sources<K> {
    type Object = K::Object;

    async fn reconcile(&self, object: Arc<K::Object>, run: Run) -> Outcome {
        match self.step(object, &run).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(error.into()),
        }
    }

    fn forget(&self, key: &Key) {
        self.kind.forget(key);
    }
}

impl<K: Kind> Sources<K> {
    async fn step(&self, object: Arc<K::Object>, run: &Run) -> Result<Outcome, runtime::Error> {
        if object.meta().deletion_timestamp.is_some() {
            return self.delete(&object).await;
        }
        if K::is_static(&object) {
            return self.clear(&object, run).await;
        }
        let object = if has_finalizer(&*object) {
            object
        } else {
            match self.writer.add_finalizer(&object).await?.object() {
                Some(object) => object,
                None => return Ok(Outcome::Done),
            }
        };
        let stamp = Stamp { generation: object.meta().generation.unwrap_or_default(), now: run.started };
        let mut status = object.status().cloned().unwrap_or_default();
        match suspend::check(&*object, status.conditions_mut(), &self.events, stamp) {
            Gate::Resting(outcome) => self.rest(&object, status, stamp, outcome).await,
            Gate::Open => self.attempt(object, status, stamp).await,
        }
    }

    /// Removes what the object has in storage, then lets it go.
    async fn delete(&self, object: &Arc<K::Object>) -> Result<Outcome, runtime::Error> {
        if !has_finalizer(&**object) {
            return Ok(Outcome::Done);
        }
        if let Err(error) = self.remove_artifacts(object).await {
            let message = format!("garbage collection for deleted resource failed: {error}");
            self.emit(object, Severity::Warning, Reason::GarbageCollectionFailed, &message, None);
            return Ok(Outcome::Failed(message.into()));
        }
        let message = "garbage collected artifacts for deleted resource";
        self.emit(object, Severity::Trace, Reason::GarbageCollectionSucceeded, message, None);
        self.writer.remove_finalizer(object).await?;
        Ok(Outcome::Done)
    }

    /// Removes what an earlier version of an object that needs no reconciling left behind: artifacts, finalizer, status.
    async fn clear(&self, object: &Arc<K::Object>, run: &Run) -> Result<Outcome, runtime::Error> {
        let nothing = StatusOf::<K>::default();
        let is_clear = object.status().is_none_or(|status| *status == nothing) && !has_finalizer(&**object);
        if is_clear || object.suspend_state(run.started).is_suspended() {
            return Ok(Outcome::Done);
        }
        if let Err(error) = self.remove_artifacts(object).await {
            return Ok(Outcome::Failed(format!("cannot remove the artifacts: {error}").into()));
        }
        let Some(object) = self.writer.remove_finalizer(object).await?.object() else {
            return Ok(Outcome::Done);
        };
        self.writer.status(&object, object.status(), &nothing, &self.owned).await?;
        Ok(Outcome::Done)
    }

    async fn remove_artifacts(&self, object: &K::Object) -> Result<(), String> {
        // A name that cannot be a directory has never had one.
        let Ok(location) = location(object) else { return Ok(()) };
        let storage = self.storage.clone();
        let work = tokio::task::spawn_blocking(move || storage.remove_all(&location));
        work.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    /// A resting object keeps its artifact and its conditions; only the bookkeeping is written.
    async fn rest(
        &self,
        object: &Arc<K::Object>,
        mut status: StatusOf<K>,
        stamp: Stamp,
        outcome: Outcome,
    ) -> Result<Outcome, runtime::Error> {
        finish::<K>(object, &mut status, condition::Attempt::Done(Requeue::Never), stamp);
        self.writer.status(object, object.status(), &status, &self.owned).await?;
        Ok(outcome)
    }

    async fn attempt(
        &self,
        mut object: Arc<K::Object>,
        status: StatusOf<K>,
        stamp: Stamp,
    ) -> Result<Outcome, runtime::Error> {
        let observed = Arc::clone(&object);
        let Ok(location) = location(&*observed) else {
            return Ok(Outcome::Terminal("the object's name cannot be a directory".into()));
        };
        let mut attempt = Attempt::begin(&*observed, &self.storage, status, location, stamp);

        let outcome = match attempt.check_storage().await {
            Err(failure) => Err(failure),
            Ok(gone) => {
                if gone {
                    // Consumers must not go on using a URL that answers 404.
                    match self.progress(&object, &attempt.status).await? {
                        Some(newer) => object = newer,
                        None => return Ok(Outcome::Done),
                    }
                }
                let mut shown = attempt.shown.subscribe();
                if gone || !is_settled(&*observed) {
                    attempt.show();
                }
                let slow = tokio::time::Instant::now() + SLOW;
                let running = self.kind.attempt(&mut attempt);
                tokio::pin!(running);
                loop {
                    tokio::select! {
                        outcome = &mut running => break outcome,
                        status = next_shown(&mut shown, slow) => match self.progress(&object, &status).await? {
                            Some(newer) => object = newer,
                            None => return Ok(Outcome::Done),
                        },
                    }
                }
            }
        };
        let Attempt { mut status, notices, .. } = attempt;

        let ended = match &outcome {
            Ok(_) => condition::Attempt::Done(Requeue::AtInterval),
            Err(failure) => failure.record(status.conditions_mut(), self.requeue_dependency, stamp),
        };
        let resolution = finish::<K>(&object, &mut status, ended, stamp);
        let Some(written) = self.progress(&object, &status).await? else { return Ok(Outcome::Done) };

        for notice in notices {
            self.emit(&written, notice.severity, notice.reason, &notice.message, None);
        }
        match &outcome {
            Ok(success) => self.announce_success(&written, &observed, &status, success),
            Err(failure) => self.announce_failure(&written, failure),
        }
        Ok(match resolution {
            Resolution::Rest => Outcome::Done,
            Resolution::Now => Outcome::Requeue,
            Resolution::AtInterval => Outcome::Interval(object.interval()),
            Resolution::After(delay) => Outcome::After(delay),
            Resolution::Fail(message) => Outcome::Failed(message.into()),
        })
    }

    /// Writes how far the attempt is. `None` when the object is gone.
    async fn progress(
        &self,
        object: &Arc<K::Object>,
        status: &StatusOf<K>,
    ) -> Result<Option<Arc<K::Object>>, runtime::Error> {
        Ok(self.writer.status(object, object.status(), status, &self.owned).await?.object())
    }

    /// The event that people wait for: a new artifact, or a recovery.
    fn announce_success(
        &self,
        object: &K::Object,
        before: &K::Object,
        after: &StatusOf<K>,
        success: &Success,
    ) {
        let artifact = after.artifact();
        if artifact_digest(before) != artifact.map(|artifact| &*artifact.digest) {
            tracing::info!("{}", success.message);
            self.emit(object, Severity::Normal, success.stored, &success.message, artifact);
        } else if has_failed::<K>(before.status()) && !has_failed::<K>(Some(after)) {
            self.emit(object, Severity::Normal, success.recovered, &success.message, artifact);
        }
    }

    fn announce_failure(&self, object: &K::Object, failure: &Failure) {
        if failure.class == Class::Stall {
            // The run ends without an error, since a retry could not help: nobody else logs it.
            tracing::error!(error = failure.message, "reconciliation stalled");
        }
        let severity = match failure.class {
            Class::Retry | Class::Stall => Severity::Warning,
            Class::Wait | Class::Await => Severity::Trace,
        };
        self.emit(object, severity, failure.reason, &failure.message, None);
    }

    fn emit(
        &self,
        object: &K::Object,
        severity: Severity,
        reason: Reason,
        message: &str,
        artifact: Option<&Artifact>,
    ) {
        let mut metadata = BTreeMap::new();
        if let Some(artifact) = artifact {
            let group = K::Object::group(&());
            metadata.insert(format!("{group}/revision"), artifact.revision.clone());
            metadata.insert(format!("{group}/digest"), artifact.digest.clone());
        }
        self.events.emit(object, severity, reason, message, metadata);
    }
}

fn has_finalizer(object: &impl ResourceExt) -> bool {
    object.finalizers().iter().any(|name| name == FINALIZER)
}

fn has_failed<K: Kind>(status: Option<&StatusOf<K>>) -> bool {
    status.is_some_and(|status| K::FAILURES.iter().any(|type_| status.conditions().is_true(*type_)))
}

/// The next status worth showing before the attempt ends, once the attempt takes long.
async fn next_shown<S: Clone>(shown: &mut watch::Receiver<S>, slow: tokio::time::Instant) -> S {
    tokio::time::sleep_until(slow).await;
    if shown.changed().await.is_err() {
        // The attempt is over: its end is what is shown next.
        std::future::pending::<()>().await;
    }
    shown.borrow_and_update().clone()
}

/// Whether an attempt of this object may look around in silence, at its interval or because it was asked to: should it find
/// something, that is shown.
fn is_settled<O: Source>(object: &O) -> bool {
    let generation = object.meta().generation.unwrap_or_default();
    artifact_digest(object).is_some() && object.observed_generation() == generation
}

/// Ends an attempt, however it went: settles the conditions and records that the request of the annotation was handled.
fn finish<K: Kind>(
    object: &K::Object,
    status: &mut StatusOf<K>,
    ended: condition::Attempt,
    stamp: Stamp,
) -> Resolution {
    if let Some(requested) = object.requested_at() {
        status.set_last_handled_reconcile_at(requested);
    }
    let mut generation = *status.observed_generation_mut();
    let resolution =
        finish_attempt(status.conditions_mut(), &mut generation, &K::SCOPE, BIPOLAR, ended, stamp);
    *status.observed_generation_mut() = generation;
    keep_times(object.status(), status);
    resolution
}

/// Gives a condition that is as it was its old time back: that it was another during the attempt was never seen, and an
/// attempt that fails as the one before need not write anything.
fn keep_times<S: SourceStatus>(before: Option<&S>, status: &mut S) {
    let Some(before) = before else { return };
    for condition in &mut status.conditions_mut().0 {
        let old = before.conditions().0.iter().find(|old| {
            old.type_ == condition.type_
                && old.status == condition.status
                && old.reason == condition.reason
                && old.message == condition.message
        });
        if let Some(old) = old {
            condition.last_transition_time = old.last_transition_time.clone();
        }
    }
}

fn location<O: Source>(object: &O) -> Result<Location, artifact::Error> {
    let key = Key::of(object);
    Location::new(&O::kind(&()), key.namespace(), key.name())
}

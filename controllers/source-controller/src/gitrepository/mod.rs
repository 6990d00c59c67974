//! GitRepository: a commit of a Git repository becomes an artifact.
//!
//! observe ([`attempt`], storage) → gate (suspension, support) → fetch → archive → status. What is decided without IO is in
//! [`request`] and [`change`]; how failures show is in [`failure`].

mod archive;
mod attempt;
mod change;
mod failure;
mod request;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::condition::{self, Reason, Requeue, Resolution, Scope, Stamp, Type, finish_attempt};
use api::meta::{Artifact, FINALIZER};
use api::object::Reconciled as _;
use api::source::{GitRepository, GitRepositoryStatus};
use artifact::Location;
use kube::{Client, Resource as _, ResourceExt as _};
use runtime::Key;
use runtime::events::{Recorder, Severity};
use runtime::status::Writer;
use runtime::suspend::{self, Gate};
use runtime::watch::Store;
use runtime::{Outcome, Reconciler, Run};
use tokio::sync::watch;

use crate::storage::Storage;
use attempt::{Attempt, Success};
use failure::{Class, Failure};

/// Work that takes longer than this, and has something to show, shows on the object before it is done.
const SLOW: Duration = Duration::from_secs(1);

/// The condition types that this controller decides about.
const OWNED: &[Type] = &[
    Type::Ready,
    Type::Reconciling,
    Type::Stalled,
    Type::Suspended,
    Type::ArtifactInStorage,
    Type::SourceVerified,
    Type::FetchFailed,
    Type::IncludeUnavailable,
    Type::ArtifactOutdated,
    Type::StorageOperationFailed,
];

/// Conditions whose end is worth an event.
const FAILURES: [Type; 3] = [Type::FetchFailed, Type::IncludeUnavailable, Type::StorageOperationFailed];

/// What an attempt works with.
pub(crate) struct Services {
    /// Reads Secrets.
    pub client: Client,
    /// All GitRepositories, for includes.
    pub objects: Store<GitRepository>,
    /// The Git object stores.
    pub stores: git::Stores,
    /// The artifacts.
    pub storage: Storage,
    /// Whether the gate ObjectLevelWorkloadIdentity is on.
    pub object_identity: bool,
}

/// Reconciles GitRepositories.
pub(crate) struct GitRepositories {
    /// What attempts work with.
    pub services: Services,
    /// Writes statuses and finalizers.
    pub writer: Writer<GitRepository>,
    /// Takes events.
    pub events: Recorder,
    /// When an object that waits for another looks again.
    pub requeue_dependency: Duration,
}

impl Reconciler for GitRepositories {
    type Object = GitRepository;

    async fn reconcile(&self, object: Arc<GitRepository>, run: Run) -> Outcome {
        match self.step(object, &run).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(error.into()),
        }
    }
}

impl GitRepositories {
    async fn step(&self, object: Arc<GitRepository>, run: &Run) -> Result<Outcome, runtime::Error> {
        if object.meta().deletion_timestamp.is_some() {
            return self.delete(&object).await;
        }
        let object = if object.finalizers().iter().any(|name| name == FINALIZER) {
            object
        } else {
            match self.writer.add_finalizer(&object).await?.object() {
                Some(object) => object,
                None => return Ok(Outcome::Done),
            }
        };
        let stamp = Stamp { generation: object.meta().generation.unwrap_or_default(), now: run.started };
        let mut status = object.status.clone().unwrap_or_default();
        match suspend::check(&*object, &mut status.conditions, &self.events, stamp) {
            Gate::Resting(outcome) => self.rest(&object, status, stamp, outcome).await,
            Gate::Open => self.attempt(object, status, stamp).await,
        }
    }

    /// Removes what the object has in storage, then lets it go.
    async fn delete(&self, object: &Arc<GitRepository>) -> Result<Outcome, runtime::Error> {
        if !object.finalizers().iter().any(|name| name == FINALIZER) {
            return Ok(Outcome::Done);
        }
        let storage = self.services.storage.clone();
        let removed = match location(object) {
            Ok(location) => {
                let work = tokio::task::spawn_blocking(move || storage.remove_all(&location));
                work.await
                    .map_err(|error| error.to_string())
                    .and_then(|result| result.map_err(|error| error.to_string()))
            }
            // A name that cannot be a directory has never had one.
            Err(_) => Ok(()),
        };
        if let Err(error) = removed {
            let message = format!("garbage collection for deleted resource failed: {error}");
            self.emit(object, Severity::Warning, Reason::GarbageCollectionFailed, &message, None);
            return Ok(Outcome::Failed(message.into()));
        }
        let message = "garbage collected artifacts for deleted resource";
        self.emit(object, Severity::Trace, Reason::GarbageCollectionSucceeded, message, None);
        self.writer.remove_finalizer(object).await?;
        Ok(Outcome::Done)
    }

    /// A resting object keeps its artifact and its conditions; only the bookkeeping is written.
    async fn rest(
        &self,
        object: &Arc<GitRepository>,
        mut status: GitRepositoryStatus,
        stamp: Stamp,
        outcome: Outcome,
    ) -> Result<Outcome, runtime::Error> {
        finish(object, &mut status, condition::Attempt::Done(Requeue::Never), stamp);
        self.writer.status(object, object.status.as_ref(), &status, OWNED).await?;
        Ok(outcome)
    }

    async fn attempt(
        &self,
        mut object: Arc<GitRepository>,
        status: GitRepositoryStatus,
        stamp: Stamp,
    ) -> Result<Outcome, runtime::Error> {
        let observed = Arc::clone(&object);
        let Ok(location) = location(&observed) else {
            return Ok(Outcome::Terminal("the object's name cannot be a directory".into()));
        };
        let mut attempt = Attempt::begin(&self.services, &observed, status, location, stamp);

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
                if gone || !is_settled(&observed) {
                    attempt.show();
                }
                let slow = tokio::time::Instant::now() + SLOW;
                let running = attempt.run();
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
            Ok(Success::Unchanged) => condition::Attempt::Unchanged,
            Ok(Success::Stored(_)) => condition::Attempt::Done(Requeue::AtInterval),
            Err(failure) => failure.record(&mut status.conditions, self.requeue_dependency, stamp),
        };
        let resolution = finish(&object, &mut status, ended, stamp);
        let Some(written) =
            self.writer.status(&object, object.status.as_ref(), &status, OWNED).await?.object()
        else {
            return Ok(Outcome::Done);
        };

        for notice in notices {
            self.emit(&written, notice.severity, notice.reason, &notice.message, None);
        }
        self.announce(&written, observed.status.as_ref(), &status, &outcome);
        Ok(match resolution {
            Resolution::Rest => Outcome::Done,
            Resolution::Now => Outcome::Requeue,
            Resolution::AtInterval => Outcome::Interval(object.spec.interval.to_std()),
            Resolution::After(delay) => Outcome::After(delay),
            Resolution::Fail(message) => Outcome::Failed(message.into()),
        })
    }

    /// Writes how far the attempt is. `None` when the object is gone.
    async fn progress(
        &self,
        object: &Arc<GitRepository>,
        status: &GitRepositoryStatus,
    ) -> Result<Option<Arc<GitRepository>>, runtime::Error> {
        Ok(self.writer.status(object, object.status.as_ref(), status, OWNED).await?.object())
    }

    /// The event that people wait for: a new artifact, a recovery, or a failure.
    fn announce(
        &self,
        object: &GitRepository,
        before: Option<&GitRepositoryStatus>,
        after: &GitRepositoryStatus,
        outcome: &Result<Success, Failure>,
    ) {
        let failure = match outcome {
            Err(failure) => failure,
            Ok(success) => {
                let artifact = after.artifact.as_ref();
                let old =
                    before.and_then(|status| status.artifact.as_ref()).map(|artifact| &*artifact.digest);
                let new = artifact.map(|artifact| &*artifact.digest);
                let message = match success {
                    Success::Stored(message) => message.clone(),
                    Success::Unchanged => format!(
                        "stored artifact for commit '{}'",
                        artifact.map(|artifact| &*artifact.revision).unwrap_or_default()
                    ),
                };
                if old != new {
                    tracing::info!("{message}");
                    self.emit(object, Severity::Normal, Reason::NewArtifact, &message, artifact);
                } else if recovered(before, after) {
                    self.emit(object, Severity::Normal, Reason::Succeeded, &message, artifact);
                }
                return;
            }
        };
        if failure.class == Class::Stall {
            // The run ends without an error, since a retry could not help: nobody else logs it.
            tracing::error!(error = failure.message, "reconciliation stalled");
        }
        let severity = if failure.class == Class::Wait { Severity::Trace } else { Severity::Warning };
        self.emit(object, severity, failure.reason, &failure.message, None);
    }

    fn emit(
        &self,
        object: &GitRepository,
        severity: Severity,
        reason: Reason,
        message: &str,
        artifact: Option<&Artifact>,
    ) {
        let mut metadata = BTreeMap::new();
        if let Some(artifact) = artifact {
            let group = GitRepository::group(&());
            metadata.insert(format!("{group}/revision"), artifact.revision.clone());
            metadata.insert(format!("{group}/digest"), artifact.digest.clone());
        }
        self.events.emit(object, severity, reason, message, metadata);
    }
}

fn recovered(before: Option<&GitRepositoryStatus>, after: &GitRepositoryStatus) -> bool {
    let failed =
        |status: &GitRepositoryStatus| FAILURES.iter().any(|type_| status.conditions.is_true(*type_));
    before.is_some_and(failed) && !failed(after)
}

/// The next status worth showing before the attempt ends, once the attempt takes long.
async fn next_shown(
    shown: &mut watch::Receiver<GitRepositoryStatus>,
    slow: tokio::time::Instant,
) -> GitRepositoryStatus {
    tokio::time::sleep_until(slow).await;
    if shown.changed().await.is_err() {
        // The attempt is over: its end is what is shown next.
        std::future::pending::<()>().await;
    }
    shown.borrow_and_update().clone()
}

/// Whether an attempt of this object may look around in silence, at its interval or because it was asked to: should it find
/// something, that is shown.
fn is_settled(object: &GitRepository) -> bool {
    let generation = object.meta().generation.unwrap_or_default();
    let has_artifact = object.status.as_ref().is_some_and(|status| status.artifact.is_some());
    has_artifact && object.observed_generation() == generation
}

/// Ends an attempt, however it went: settles the conditions and records that the request of the annotation was handled.
fn finish(
    object: &GitRepository,
    status: &mut GitRepositoryStatus,
    ended: condition::Attempt,
    stamp: Stamp,
) -> Resolution {
    if let Some(requested) = object.requested_at() {
        status.last_handled_reconcile_at = Some(requested.to_owned());
    }
    let (scope, bipolar) = (&Scope::GIT_REPOSITORY, &[Type::SourceVerified]);
    let resolution =
        finish_attempt(&mut status.conditions, &mut status.observed_generation, scope, bipolar, ended, stamp);
    keep_times(object.status.as_ref(), status);
    resolution
}

/// Gives a condition that is as it was its old time back: that it was another during the attempt was never seen, and an
/// attempt that fails as the one before need not write anything.
fn keep_times(before: Option<&GitRepositoryStatus>, status: &mut GitRepositoryStatus) {
    let Some(before) = before else { return };
    for condition in &mut status.conditions.0 {
        let old = before.conditions.0.iter().find(|old| {
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

fn location(object: &GitRepository) -> Result<Location, artifact::Error> {
    let key = Key::of(object);
    Location::new(&GitRepository::kind(&()), key.namespace(), key.name())
}

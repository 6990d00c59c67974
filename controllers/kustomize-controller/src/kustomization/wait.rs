//! Wait: a pass that has applied its objects ends when they are healthy. Until then it is parked: no worker, no task, no
//! poll; the watch that brings the verdict wakes it, or its deadline does.

use std::sync::Arc;
use std::time::Duration;

use api::condition::{Reason, Type};
use api::kustomize::{Kustomization, KustomizationStatus};
use api::meta::{Artifact, go_duration};
use apply::{Action, CustomHealth, Entry, FailFast, HealthMember, HealthRequest, Manifest, Verdict};
use cel::{HealthChecks, HealthVerdict};
use kstatus::{Health, Status};
use object::InventoryEntry;
use runtime::{Key, Outcome, Severity};
use tokio::time::Instant;

use super::deliver::owner;
use super::identity::Identity;
use super::ledger::{Ledger, PATIENCE, WriteError};
use super::memory::Parked;
use super::status::Phase;
use super::{COMMIT_STATUS, Kustomizations, health, metadata};

/// What a pass has applied.
pub struct Applied {
    /// From which artifact.
    pub artifact: Artifact,
    /// Digest of the build.
    pub digest: String,
    /// Whether anything in the cluster changed.
    pub changed: bool,
    /// What the object owns now.
    pub inventory: Vec<InventoryEntry>,
    /// The objects and what was done with each.
    pub objects: Vec<Entry>,
    /// The manifests.
    pub manifests: Vec<Manifest>,
}

impl Kustomizations {
    /// Begins the wait for health, if there is anything to wait for.
    pub(super) async fn await_health(
        &self,
        object: &Arc<Kustomization>,
        key: &Key,
        identity: &Identity,
        applied: Applied,
        health_checks: Arc<HealthChecks>,
        ledger: &mut Ledger,
    ) -> Result<Outcome, WriteError> {
        let earlier = self.remember(key, |memory| {
            memory.drifted = false;
            memory.parked.take()
        });
        let not_skipped = applied.objects.iter().filter(|entry| entry.action != Action::Skipped);
        let present: Vec<_> = not_skipped.map(|entry| entry.object.clone()).collect();
        let subjects =
            if object.spec.checks_health() { health::subjects(object, &present) } else { Ok(Vec::new()) };
        let subjects = match subjects {
            Ok(subjects) => subjects,
            Err(text) => return self.unhealthy(text, &applied, Instant::now(), ledger).await,
        };
        if subjects.is_empty() {
            ledger.draft.forget_health();
            return self.succeed(key, &applied, ledger).await;
        }
        ledger.phase = Some(Phase::Checking);
        let request = HealthRequest {
            objects: subjects.into_iter().map(|object| member(object, &applied.manifests)).collect(),
            fail_fast: if self.behaviour.fail_fast { FailFast::On } else { FailFast::Off },
            custom: custom(health_checks),
        };
        let set = identity.target.watch_health(&owner(object), request).await;
        let generation = object.metadata.generation.unwrap_or_default();
        // Drift during a wait is repaired without giving the wait more time.
        let earlier = earlier.filter(|parked| {
            parked.generation == generation && parked.applied.artifact.digest == applied.artifact.digest
        });
        let now = Instant::now();
        let parked = Parked {
            uid: object.metadata.uid.clone().unwrap_or_default(),
            generation,
            since: earlier.as_ref().map_or(now, |parked| parked.since),
            begun: earlier.as_ref().map_or(ledger.begun, |parked| parked.begun),
            deadline: earlier.as_ref().map_or(now + object.spec.timeout(), |parked| parked.deadline),
            was_healthy: earlier
                .as_ref()
                .map_or_else(|| ledger.draft.was_healthy(), |parked| parked.was_healthy),
            applied: Arc::new(Applied {
                changed: applied.changed || earlier.as_ref().is_some_and(|parked| parked.applied.changed),
                ..applied
            }),
            set: Arc::new(set),
        };
        self.judge(key, parked, ledger).await
    }

    /// Goes on with a wait, if there is one. `None` when the pass has to begin anew.
    pub(super) async fn resume(
        &self,
        object: &Arc<Kustomization>,
        key: &Key,
        artifact: &Artifact,
        ledger: &mut Ledger,
    ) -> Result<Option<Outcome>, WriteError> {
        let (parked, drifted) = self.remember(key, |memory| (memory.parked.clone(), memory.drifted));
        let Some(parked) = parked else { return Ok(None) };
        if Some(&parked.uid) != object.metadata.uid.as_ref() {
            self.remember(key, |memory| memory.parked = None);
            return Ok(None);
        }
        let other_revision = artifact.revision != parked.applied.artifact.revision;
        let other_spec = object.metadata.generation != Some(parked.generation);
        if self.behaviour.cancel_on_new_revision && (other_revision || other_spec) {
            let trigger = if other_revision {
                let source = &object.spec.source_ref;
                format!("{}/{}/{}", source.kind, super::gate::source_namespace(object), source.name)
            } else {
                format!("Kustomization/{key}")
            };
            return self.cancel(key, &trigger, &parked, ledger).await.map(Some);
        }
        if drifted && !other_revision && !other_spec {
            return Ok(None);
        }
        ledger.begun = parked.begun;
        ledger.phase = Some(Phase::Checking);
        ledger.revision.clone_from(&parked.applied.artifact.revision);
        parked.set.refresh().await;
        let outcome = self.judge(key, parked, ledger).await?;
        let over = self.remember(key, |memory| memory.parked.is_none());
        // What came in between was not looked at: it is next.
        let next = over && (other_revision || other_spec);
        Ok(Some(if next { Outcome::After(Duration::ZERO) } else { outcome }))
    }

    /// Ends the wait, or parks it.
    async fn judge(&self, key: &Key, parked: Parked, ledger: &mut Ledger) -> Result<Outcome, WriteError> {
        let verdict = match parked.set.verdict() {
            Verdict::Waiting if parked.remaining().is_zero() => Verdict::Failed(parked.set.timeout_error()),
            verdict => verdict,
        };
        ledger.draft.own(&parked.applied.inventory);
        match verdict {
            Verdict::Healthy => {
                self.remember(key, |memory| memory.parked = None);
                if parked.applied.changed || !parked.was_healthy || ledger.wrote() || ledger.has_progress() {
                    ledger.draft.healthy(parked.since.elapsed());
                }
                let artifact = &parked.applied.artifact;
                let new = ledger.draft.status.last_applied_revision.as_deref() != Some(&artifact.revision);
                if !parked.was_healthy || (new && parked.applied.changed) {
                    let text = ledger.draft.status.conditions.message(Type::Healthy).to_owned();
                    self.emit(ledger, Severity::Normal, &text, Some(artifact));
                }
                self.succeed(key, &parked.applied, ledger).await
            }
            Verdict::Failed(text) => {
                self.remember(key, |memory| memory.parked = None);
                self.unhealthy(text, &parked.applied, parked.since, ledger).await
            }
            Verdict::Waiting => {
                let mut next = parked.remaining().min(parked.set.recheck_after().unwrap_or(Duration::MAX));
                if ledger.begun.elapsed() >= PATIENCE {
                    if !ledger.says(Phase::Checking) {
                        ledger.tell().await?;
                    }
                } else {
                    next = next.min(PATIENCE);
                }
                self.remember(key, |memory| memory.parked = Some(parked));
                Ok(Outcome::After(next))
            }
        }
    }

    async fn cancel(
        &self,
        key: &Key,
        trigger: &str,
        parked: &Parked,
        ledger: &mut Ledger,
    ) -> Result<Outcome, WriteError> {
        self.remember(key, |memory| memory.parked = None);
        let artifact = &parked.applied.artifact;
        ledger.phase = Some(Phase::Checking);
        ledger.revision.clone_from(&artifact.revision);
        ledger.draft.own(&parked.applied.inventory);
        let message = runtime::interrupt::message(trigger);
        ledger.draft.unhealthy(Reason::HealthCheckCanceled, message.clone());
        ledger.fail(Reason::HealthCheckCanceled, message);
        ledger.close().await?;
        let text = runtime::interrupt::event(trigger);
        tracing::info!(revision = artifact.revision, "{text}");
        self.emit(ledger, Severity::Normal, &text, Some(artifact));
        Ok(Outcome::After(Duration::ZERO))
    }

    async fn unhealthy(
        &self,
        text: String,
        applied: &Applied,
        since: Instant,
        ledger: &mut Ledger,
    ) -> Result<Outcome, WriteError> {
        ledger.phase = Some(Phase::Checking);
        ledger.draft.unhealthy(Reason::HealthCheckFailed, text.clone());
        let artifact = &applied.artifact;
        ledger.draft.record(&applied.digest, Reason::HealthCheckFailed, ledger.begun.elapsed(), artifact);
        let message = format!("health check failed after {}: {text}", go_duration(since.elapsed()));
        self.failed(ledger, Reason::HealthCheckFailed, message, artifact).await
    }

    /// Ends a pass that did all it had to do.
    pub(super) async fn succeed(
        &self,
        key: &Key,
        applied: &Applied,
        ledger: &mut Ledger,
    ) -> Result<Outcome, WriteError> {
        let interval = ledger.subject.spec.interval.to_std();
        ledger.draft.succeeded(&applied.artifact);
        let text = format!(
            "Reconciliation finished in {}, next run in {}",
            go_duration(ledger.begun.elapsed()),
            go_duration(interval)
        );
        tracing::info!(revision = applied.artifact.revision, "{text}");
        if !applied.changed && !ledger.wrote() && !ledger.has_news() {
            // Nothing happened that a watch has not told already: nothing is written and nobody is told.
            self.remember(key, |memory| memory.quiet += 1);
            return Ok(Outcome::Interval(interval));
        }
        let quiet = self.remember(key, |memory| std::mem::take(&mut memory.quiet));
        for _ in 0..=quiet {
            let took = ledger.begun.elapsed();
            ledger.draft.record(&applied.digest, Reason::ReconciliationSucceeded, took, &applied.artifact);
        }
        let worth = applied.changed || differs(ledger.subject.status.as_ref(), &ledger.draft.status);
        ledger.close().await?;
        if worth {
            let mut metadata = metadata(Some(&applied.artifact), &ledger.draft.status);
            metadata.insert(COMMIT_STATUS.to_owned(), "update".to_owned());
            self.send(ledger, Severity::Normal, &text, metadata);
        }
        Ok(Outcome::Interval(interval))
    }
}

/// Whether a success is more than the answer to a request: the object was not ready, or another revision or generation was.
fn differs(before: Option<&KustomizationStatus>, after: &KustomizationStatus) -> bool {
    before.is_none_or(|before| {
        !before.conditions.is_ready()
            || before.last_applied_revision != after.last_applied_revision
            || before.observed_generation != after.observed_generation
    })
}

fn member(object: object::ObjectRef, manifests: &[Manifest]) -> HealthMember {
    let job_with_ttl = manifests.iter().any(|m| m.job_with_ttl() && m.reference().same_object(&object));
    HealthMember { object, job_with_ttl }
}

/// The rules of `healthCheckExprs`.
fn custom(checks: Arc<HealthChecks>) -> Option<Arc<CustomHealth>> {
    if checks.is_empty() {
        return None;
    }
    let covering = Arc::clone(&checks);
    Some(Arc::new(CustomHealth {
        covers: Box::new(move |kind| covering.find(&kind.group, &kind.kind).is_some()),
        assess: Box::new(move |kind, object| {
            match checks.find(&kind.group, &kind.kind).map(|e| e.evaluate(object)) {
                Some(Ok(HealthVerdict::Current)) => Health::new(Status::Current, ""),
                Some(Ok(HealthVerdict::Failed)) => Health::new(Status::Failed, ""),
                Some(Ok(HealthVerdict::InProgress)) => Health::new(Status::InProgress, ""),
                Some(Err(error)) => Health::new(Status::Unknown, error.to_string()),
                None => Health::new(Status::Unknown, "no expression"),
            }
        }),
    }))
}

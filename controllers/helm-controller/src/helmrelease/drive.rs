//! Drive: the loop that brings a release to its goal. Each turn determines the state, decides, and acts; a run does each
//! kind of action at most once, and ends after a remedy.

use ::release::Last;
use ::release::drift::ObjectDrift;
use api::condition::{Reason, Status, Type};
use api::helm::{DriftDetectionMode, ReleaseSnapshot};
use chart::Release;
use runtime::{Key, Outcome};

use super::attempt::Attempt;
use super::decide::{
    Action, Class, Decision, Facts, Flow, GaveUp, Next, decide, done_already, drift_mode, remedied,
};
use super::history::{self, Verification};
use super::ledger::{Ledger, WriteError};
use super::memory::{Fingerprint, Record};
use super::state::{State, Wanted, determine};
use super::strategy::{Remediation, active_retry};
use super::summary::{settle_failure, settle_remedy};
use super::{End, HelmReleases, requests, texts};
use crate::act;

/// How a turn ends.
enum Turn {
    /// Another one follows; what is known of the last record by then.
    Next(Last),
    /// The run is over.
    Over(End),
}

impl HelmReleases {
    pub(super) async fn drive(
        &self,
        attempt: &Attempt,
        ledger: &mut Ledger,
        key: &Key,
        fingerprint: Option<Fingerprint>,
    ) -> Result<End, WriteError> {
        let mut done: Vec<Class> = Vec::new();
        let mut known = Last::Ask;
        loop {
            if attempt.cancel.is_cancelled() {
                return Ok(End::failed("atomic release canceled: context canceled"));
            }
            let last = match known {
                Last::Is(release) => Some(*release),
                Last::Absent => None,
                Last::Ask => match attempt.storage.last(&attempt.name()).await {
                    Ok(last) => last,
                    Err(error) => {
                        let text = format!("failed to retrieve last release from storage: {error}");
                        return Ok(unclear(ledger, &text));
                    }
                },
            };
            if let Some(last) = &last
                && let Err(error) = Box::pin(act::catch_up(attempt, ledger, last)).await
            {
                return Ok(unclear(ledger, &error.to_string()));
            }
            match Box::pin(self.turn(attempt, ledger, last, &mut done)).await? {
                Turn::Next(last) => known = last,
                Turn::Over(end) => {
                    if end.is_content() {
                        self.remember(key, attempt, ledger, fingerprint);
                    }
                    return Ok(end);
                }
            }
        }
    }

    async fn turn(
        &self,
        attempt: &Attempt,
        ledger: &mut Ledger,
        last: Option<Release>,
        done: &mut Vec<Class>,
    ) -> Result<Turn, WriteError> {
        let wanted = Wanted {
            release: &attempt.release,
            status: &ledger.status,
            chart_name: attempt.chart.name(),
            chart_version: &attempt.chart.metadata.version,
            values: &attempt.values,
            algorithm: attempt.algorithm,
        };
        let state = match determine(last.as_ref(), &wanted) {
            Ok(state) => state,
            Err(error) => return Ok(Turn::Over(unclear(ledger, &error.to_string()))),
        };
        let forced = requests::force(&attempt.release, &mut ledger.status);
        if let (State::InSync, Some(record)) = (&state, &last)
            && drift_mode(&attempt.release) != DriftDetectionMode::Disabled
        {
            match Box::pin(act::drift::look(attempt, record)).await {
                Err(error) => {
                    return Ok(Turn::Over(unclear(
                        ledger,
                        &format!("unable to determine cluster state: {error}"),
                    )));
                }
                Ok(drift) if drift.iter().any(ObjectDrift::is_drift) => {
                    return Ok(self.drifted(attempt, ledger, last, &drift, done).await);
                }
                Ok(_) if !forced => {
                    let text = texts::NO_DRIFT;
                    ledger.mark(Type::Drifted, Status::False, Reason::NoDriftDetected, text);
                }
                Ok(_) => {}
            }
        }
        tracing::info!("{}", described(&state));
        let facts = Facts {
            release: &attempt.release,
            status: &ledger.status,
            forced,
            retry_by_default: attempt.retry_by_default,
        };
        let decision = decide(&state, &facts);
        apply(&decision, &state, attempt, ledger);
        let action = match decision.next {
            Next::Rest => return Ok(Turn::Over(self.rest(attempt, ledger))),
            Next::GiveUp(gave_up) => return Ok(Turn::Over(exhausted(attempt, ledger, gave_up))),
            Next::Run(action) => action,
            Next::Adopt => {
                let Some(last) = last else { return Ok(Turn::Next(Last::Ask)) };
                return Ok(match Box::pin(act::adopt(attempt, ledger, &last)).await {
                    Ok(()) => Turn::Next(Last::Is(Box::new(last))),
                    Err(error) => Turn::Over(End::failed(error)),
                });
            }
            Next::RollBack => match rollback(attempt, ledger).await {
                Ok(action) => action,
                Err(end) => return Ok(Turn::Over(end)),
            },
        };
        if done.contains(&action.class()) {
            let flow = done_already(&facts_of(attempt, ledger));
            return Ok(Turn::Over(self.flow(flow, attempt, ledger)));
        }
        Box::pin(self.act(action, attempt, ledger, last, done)).await
    }

    /// The cluster is not what the release says.
    async fn drifted(
        &self,
        attempt: &Attempt,
        ledger: &mut Ledger,
        last: Option<Release>,
        drift: &[ObjectDrift],
        done: &mut Vec<Class>,
    ) -> Turn {
        act::drift::report(attempt, ledger, drift);
        if drift_mode(&attempt.release) != DriftDetectionMode::Enabled {
            return Turn::Over(self.rest(attempt, ledger));
        }
        let action = Action::CorrectDrift;
        if done.contains(&action.class()) {
            let flow = done_already(&facts_of(attempt, ledger));
            return Turn::Over(self.flow(flow, attempt, ledger));
        }
        ledger.working(&texts::running(action, action.timeout(&attempt.release)));
        tracing::info!("running '{}' action", action.name());
        Box::pin(act::drift::correct(attempt, ledger, drift)).await;
        done.push(action.class());
        Turn::Next(last.map_or(Last::Ask, |last| Last::Is(Box::new(last))))
    }

    async fn act(
        &self,
        action: Action,
        attempt: &Attempt,
        ledger: &mut Ledger,
        last: Option<Release>,
        done: &mut Vec<Class>,
    ) -> Result<Turn, WriteError> {
        let running = texts::running(action, action.timeout(&attempt.release));
        ledger.working(&running);
        if action.class() == Class::Release {
            ledger.unknown(&running);
        }
        if action == Action::Install {
            // A deletion that follows a crash has to know where the release is.
            ledger.write().await?;
        }
        tracing::info!("running '{}' action", action.name());
        let acted = match action {
            Action::Install => Box::pin(act::install(attempt, ledger, last)).await,
            Action::Upgrade => Box::pin(act::upgrade(attempt, ledger, last)).await,
            Action::Test => Box::pin(act::test(attempt, ledger)).await,
            Action::Rollback => Box::pin(act::rollback(attempt, ledger)).await,
            Action::UninstallRemediation => Box::pin(act::remove(attempt, ledger)).await,
            Action::Unlock => Box::pin(act::unlock(attempt, ledger, last)).await,
            Action::Uninstall => act::uninstall(attempt, &attempt.storage, ledger).await.map(|()| Last::Ask),
            // Found by a look at the cluster, not by a decision: see `drifted`.
            Action::CorrectDrift => Ok(Last::Ask),
        };
        let known = match acted {
            Ok(known) => known,
            Err(error) => {
                if let Some(retry) = active_retry(&attempt.release, &ledger.status, attempt.retry_by_default)
                {
                    tracing::error!(%error, "failed to run '{}' action", action.name());
                    return Ok(Turn::Over(self.flow(Flow::Retry(retry), attempt, ledger)));
                }
                if ledger.status.conditions.is_ready() {
                    ledger.not_ready(Reason::ReconcileError, &error.to_string());
                }
                return Ok(Turn::Over(End::failed(error)));
            }
        };
        if action.class() == Class::Remedy {
            let flow = remedied(&facts_of(attempt, ledger));
            return Ok(Turn::Over(self.flow(flow, attempt, ledger)));
        }
        done.push(action.class());
        Ok(Turn::Next(known))
    }

    /// The release is as it is wanted.
    fn rest(&self, attempt: &Attempt, ledger: &mut Ledger) -> End {
        if drift_mode(&attempt.release) == DriftDetectionMode::Disabled {
            ledger.status.conditions.delete(Type::Drifted);
        }
        ledger.status.conditions.delete(Type::Reconciling);
        ledger.summarise();
        self.content(&attempt.release)
    }

    fn flow(&self, flow: Flow, attempt: &Attempt, ledger: &mut Ledger) -> End {
        match flow {
            Flow::Retry(after) => {
                ledger.trying_again(&texts::retrying(after));
                End::fully(Outcome::Interval(after))
            }
            Flow::Requeue => {
                let message = ledger.status.conditions.message(Type::Ready).to_owned();
                ledger.trying_again(&message);
                End::not_yet(Outcome::Requeue)
            }
            Flow::Exhausted => exhausted(attempt, ledger, GaveUp::Remediate),
            Flow::Done => {
                ledger.status.conditions.delete(Type::Reconciling);
                self.content(&attempt.release)
            }
        }
    }

    /// Remembers that a release is in order.
    fn remember(&self, key: &Key, attempt: &Attempt, ledger: &Ledger, fingerprint: Option<Fingerprint>) {
        let newest = ledger.status.history.first().map(|snapshot| snapshot.version);
        let name = attempt.name();
        // What this run wrote itself is newer than what the watch has shown.
        let own = newest.and_then(|version| {
            attempt
                .storage
                .written(&name, version)
                .map(|resource_version| Record { version, resource_version })
        });
        let shown = || self.records.last(&Key::new(attempt.storage.namespace(), &name));
        let in_order = fingerprint
            .zip(own.or_else(shown).filter(|record| Some(record.version) == newest))
            .map(|(fingerprint, record)| Fingerprint { record, ..fingerprint });
        self.memory().entry(key.clone()).or_default().in_order = in_order;
    }
}

impl End {
    /// Whether the object is left alone until its interval is over.
    pub(super) fn is_content(&self) -> bool {
        self.content
    }
}

fn facts_of<'a>(attempt: &'a Attempt, ledger: &'a Ledger) -> Facts<'a> {
    Facts {
        release: &attempt.release,
        status: &ledger.status,
        forced: false,
        retry_by_default: attempt.retry_by_default,
    }
}

fn unclear(ledger: &mut Ledger, text: &str) -> End {
    ledger.not_ready(Reason::StateError, &format!("Could not determine release state: {text}"));
    End::failed(format!("cannot determine release state: {text}"))
}

fn exhausted(attempt: &Attempt, ledger: &mut Ledger, gave_up: GaveUp) -> End {
    let active = Remediation::active(&attempt.release, &ledger.status);
    let message = texts::exhausted(active, &ledger.status);
    ledger.stalled(Reason::RetriesExceeded, &message);
    End::terminal(gave_up)
}

/// What a decision does to history and conditions before any action.
fn apply(decision: &Decision, state: &State, attempt: &Attempt, ledger: &mut Ledger) {
    let stamp = ledger.stamp();
    let status = &mut ledger.status;
    if decision.forget_history {
        status.history.clear();
    }
    history::trim(&mut status.history, decision.trim);
    if decision.settle_remedy {
        settle_remedy(status);
        if *state == State::InSync {
            settle_failure(&attempt.release, status, attempt.algorithm, stamp);
        }
    }
}

/// Looks at the record of the release to return to: one that was changed is not returned to.
async fn rollback(attempt: &Attempt, ledger: &mut Ledger) -> Result<Action, End> {
    let active = Remediation::active(&attempt.release, &ledger.status);
    let ignore_tests = active.is_some_and(|active| active.ignore_test_failures);
    let Some(target) = history::previous(&ledger.status.history, ignore_tests) else {
        ledger.stalled(Reason::MissingRollbackTarget, &texts::no_rollback_target());
        return Err(End::terminal(texts::NO_TARGET));
    };
    match why_not_target(attempt, target).await {
        Err(text) => Err(End::failed(text)),
        Ok(None) => Ok(Action::Rollback),
        Ok(Some(why)) => {
            tracing::info!("unable to verify previous release in storage to roll back to: {why}");
            Ok(Action::Upgrade)
        }
    }
}

/// Why a revision cannot be returned to: its record is gone, or was changed.
pub(super) async fn why_not_target(
    attempt: &Attempt,
    target: &ReleaseSnapshot,
) -> Result<Option<&'static str>, String> {
    let failed =
        |error: &dyn std::fmt::Display| format!("cannot verify previous release to roll back to: {error}");
    let found = attempt.storage.get(&target.name, target.version).await.map_err(|error| failed(&error))?;
    let Some(record) = found else { return Ok(Some("release disappeared from storage")) };
    Ok(match history::verify(target, &record).map_err(|error| failed(&error))? {
        Verification::Same => None,
        foreign => Some(foreign.reason()),
    })
}

/// A state in the words of the log.
pub(super) fn described(state: &State) -> String {
    let with = |text: &str, reason: &str| match reason {
        "" => text.to_owned(),
        reason => format!("{text}: {reason}"),
    };
    match state {
        State::Absent(reason) => with("release not installed", reason),
        State::Locked(status) => format!("release locked: release with status '{}'", status.as_str()),
        State::Unmanaged(reason) => with("release not managed by controller", reason),
        State::Unrecorded => "release was made, but not recorded".to_owned(),
        State::OutOfSync(reason) => with("release out-of-sync with desired state", reason),
        State::Failed(reason) => with("release is in a failed state", reason),
        State::HalfRemoved => "release is half removed".to_owned(),
        State::Untested => "release has not been tested".to_owned(),
        State::InSync => "release in-sync with desired state".to_owned(),
    }
}

//! Decide: what is done about the state of a release. Pure: a function of the state, the object and the failures so far.

use std::time::Duration;

use api::helm::{DriftDetectionMode, HelmRelease, HelmReleaseStatus, ReleaseAction, RemediationStrategy};

use super::history::Trim;
use super::state::State;
use super::strategy::{Remediation, active_retry};

/// An action on a release; each has a file of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Makes the release.
    Install,
    /// Makes its next revision.
    Upgrade,
    /// Runs its tests.
    Test,
    /// Returns to the last good revision.
    Rollback,
    /// Removes a failed release.
    UninstallRemediation,
    /// Removes the release: it is no longer wanted.
    Uninstall,
    /// Ends an action that was cut off.
    Unlock,
    /// Makes the cluster what the release says.
    CorrectDrift,
}

/// Kinds of actions; a run does each at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A new revision, or none any more.
    Release,
    /// Tests.
    Test,
    /// A remedy; a run ends with it.
    Remedy,
    /// An unlock.
    Unlock,
    /// A correction of drift.
    Drift,
}

impl Action {
    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Action::Install => "install",
            Action::Upgrade => "upgrade",
            Action::Test => "test",
            Action::Rollback => "rollback",
            Action::UninstallRemediation | Action::Uninstall => "uninstall",
            Action::Unlock => "unlock",
            Action::CorrectDrift => "correct cluster drift",
        }
    }

    /// Its kind.
    pub fn class(self) -> Class {
        match self {
            Action::Install | Action::Upgrade | Action::Uninstall => Class::Release,
            Action::Test => Class::Test,
            Action::Rollback | Action::UninstallRemediation => Class::Remedy,
            Action::Unlock => Class::Unlock,
            Action::CorrectDrift => Class::Drift,
        }
    }

    /// How long it, and each wait in it, may take.
    pub fn timeout(self, release: &HelmRelease) -> Duration {
        let spec = &release.spec;
        let own = match self {
            Action::Install => spec.install.as_ref().and_then(|install| install.timeout.as_ref()),
            Action::Upgrade => spec.upgrade.as_ref().and_then(|upgrade| upgrade.timeout.as_ref()),
            Action::Test => spec.test.as_ref().and_then(|test| test.timeout.as_ref()),
            Action::Rollback => spec.rollback.as_ref().and_then(|rollback| rollback.timeout.as_ref()),
            Action::UninstallRemediation | Action::Uninstall => {
                spec.uninstall.as_ref().and_then(|uninstall| uninstall.timeout.as_ref())
            }
            Action::Unlock | Action::CorrectDrift => None,
        };
        own.map_or(spec.timeout(), api::meta::Duration::to_std)
    }
}

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// An action.
    Run(Action),
    /// The release is taken into the history.
    Adopt,
    /// A return to the last good revision, once its record was looked at.
    RollBack,
    /// Nothing: the release is as it is wanted.
    Rest,
    /// Nothing, since all tries are used up.
    GiveUp(GaveUp),
}

/// What all tries were used up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GaveUp {
    /// An installation.
    #[error("exceeded maximum retries: cannot install release")]
    Install,
    /// An upgrade.
    #[error("exceeded maximum retries: cannot upgrade release")]
    Upgrade,
    /// A remedy.
    #[error("exceeded maximum retries: cannot remediate failed release")]
    Remediate,
}

/// A decision, and what it does to the history before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// What is done next.
    pub next: Next,
    /// How the history is shortened.
    pub trim: Trim,
    /// Whether the history says nothing about this release.
    pub forget_history: bool,
    /// Whether the release that was returned to is what is wanted now, so that it counts as an upgrade.
    pub settle_remedy: bool,
}

/// What the decision depends on beside the state.
pub struct Facts<'a> {
    /// The object.
    pub release: &'a HelmRelease,
    /// Its status while the run works on it.
    pub status: &'a HelmReleaseStatus,
    /// Whether an action is asked for whatever the state is.
    pub forced: bool,
    /// Gate `DefaultToRetryOnFailure`.
    pub retry_by_default: bool,
}

/// Decides what is done about a state.
pub fn decide(state: &State, facts: &Facts<'_>) -> Decision {
    let plain = |next| Decision { next, trim: Trim::Keep, forget_history: false, settle_remedy: false };
    let run = |action| plain(Next::Run(action));
    let unless_exhausted = |action, tried: ReleaseAction, gave_up| {
        let exhausted = Remediation::of(facts.release, tried).exhausted(facts.status);
        if exhausted && !facts.forced { plain(Next::GiveUp(gave_up)) } else { run(action) }
    };
    match state {
        State::Locked(_) => run(Action::Unlock),
        State::Absent(_) => unless_exhausted(Action::Install, ReleaseAction::Install, GaveUp::Install),
        State::Unmanaged(_) => Decision { forget_history: true, ..run(Action::Upgrade) },
        State::OutOfSync(_) => unless_exhausted(Action::Upgrade, ReleaseAction::Upgrade, GaveUp::Upgrade),
        // It is taken into the history first.
        State::Unrecorded => plain(Next::Adopt),
        State::HalfRemoved => run(Action::UninstallRemediation),
        State::Untested => Decision { settle_remedy: true, ..run(Action::Test) },
        State::InSync => {
            let next = if facts.forced { Next::Run(Action::Upgrade) } else { Next::Rest };
            Decision { trim: in_sync_trim(facts), settle_remedy: !facts.forced, ..plain(next) }
        }
        State::Failed(_) => failed(facts),
    }
}

fn in_sync_trim(facts: &Facts<'_>) -> Trim {
    if active_retry(facts.release, facts.status, facts.retry_by_default).is_some() {
        return Trim::Newest;
    }
    let tests = facts.release.spec.test.as_ref().is_some_and(|test| test.ignore_failures);
    let active = Remediation::active(facts.release, facts.status);
    Trim::ToPrevious { ignore_tests: active.map_or(tests, |active| active.ignore_test_failures) }
}

fn failed(facts: &Facts<'_>) -> Decision {
    let upgrade = |trim| Decision {
        next: Next::Run(Action::Upgrade),
        trim,
        forget_history: false,
        settle_remedy: false,
    };
    if active_retry(facts.release, facts.status, facts.retry_by_default).is_some() {
        return upgrade(Trim::Newest);
    }
    let Some(active) = Remediation::active(facts.release, facts.status) else { return upgrade(Trim::Keep) };
    // Without failures on the count, what led to the failure has changed since.
    if active.count(facts.status) <= 0 || facts.forced {
        return upgrade(Trim::Keep);
    }
    if active.exhausted(facts.status) && !active.last_failure {
        return Decision { next: Next::GiveUp(GaveUp::Remediate), ..upgrade(Trim::Keep) };
    }
    let next = match active.strategy {
        RemediationStrategy::Rollback => Next::RollBack,
        RemediationStrategy::Uninstall => Next::Run(Action::UninstallRemediation),
    };
    Decision { next, ..upgrade(Trim::ToPrevious { ignore_tests: active.ignore_test_failures }) }
}

/// What is done about drift.
pub fn drift_mode(release: &HelmRelease) -> DriftDetectionMode {
    release.spec.drift_detection.as_ref().and_then(|drift| drift.mode).unwrap_or_default()
}

/// How a run of the loop goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The run is over, and the object tries again after this time.
    Retry(Duration),
    /// The run is over, and the object runs again as soon as its back-off allows.
    Requeue,
    /// The run is over, and no try is left.
    Exhausted,
    /// The run is over.
    Done,
}

/// How a run ends whose next action it has done already.
pub fn done_already(facts: &Facts<'_>) -> Flow {
    if let Some(retry) = active_retry(facts.release, facts.status, facts.retry_by_default) {
        return Flow::Retry(retry);
    }
    match Remediation::active(facts.release, facts.status) {
        Some(active) if active.exhausted(facts.status) => Flow::Done,
        _ => Flow::Requeue,
    }
}

/// How a run ends after a remedy.
pub fn remedied(facts: &Facts<'_>) -> Flow {
    if let Some(retry) = active_retry(facts.release, facts.status, facts.retry_by_default) {
        return Flow::Retry(retry);
    }
    match Remediation::active(facts.release, facts.status) {
        Some(active) if active.exhausted(facts.status) && !active.uninstalls_after_upgrade() => {
            Flow::Exhausted
        }
        _ => Flow::Requeue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn release(spec: &Json) -> HelmRelease {
        let mut value = json!({"metadata": {"name": "a", "namespace": "b"}, "spec": {"interval": "1m"}});
        value["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        serde_json::from_value(value).unwrap()
    }

    fn status(json: &Json) -> HelmReleaseStatus {
        let mut value = json!({"observedGeneration": 1});
        value.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
        serde_json::from_value(value).unwrap()
    }

    fn decision(state: &State, spec: &Json, stand: &Json, forced: bool) -> Decision {
        let (release, status) = (release(spec), status(stand));
        decide(state, &Facts { release: &release, status: &status, forced, retry_by_default: false })
    }

    #[test]
    fn every_state_has_its_action() {
        let run = Next::Run;
        let (absent, locked) = (State::Absent(""), State::Locked(chart::Status::PendingInstall));
        let (unmanaged, out) = (State::Unmanaged(""), State::OutOfSync(""));
        let failed = State::Failed("");
        let installed =
            |failures: i64| json!({"lastAttemptedReleaseAction": "install", "installFailures": failures});
        let upgraded =
            |failures: i64| json!({"lastAttemptedReleaseAction": "upgrade", "upgradeFailures": failures});
        let none = json!({});
        let retries = |n: i64| json!({"install": {"remediation": {"retries": n}}, "upgrade": {"remediation": {"retries": n}}});
        let last = json!({"install": {"remediation": {"remediateLastFailure": true}}});
        let uninstall = json!({"upgrade": {"remediation": {"retries": 1, "strategy": "uninstall"}}});
        let again = json!({"upgrade": {"strategy": {"name": "RetryOnFailure"}}});
        for (index, (state, spec, status, forced, expected)) in [
            (&locked, &none, none.clone(), false, run(Action::Unlock)),
            (&absent, &none, none.clone(), false, run(Action::Install)),
            (&absent, &none, installed(1), false, Next::GiveUp(GaveUp::Install)),
            (&absent, &none, installed(1), true, run(Action::Install)),
            (&absent, &retries(1), installed(1), false, run(Action::Install)),
            (&absent, &retries(-1), installed(9), false, run(Action::Install)),
            (&unmanaged, &none, upgraded(9), false, run(Action::Upgrade)),
            (&out, &none, none.clone(), false, run(Action::Upgrade)),
            (&out, &none, upgraded(1), false, Next::GiveUp(GaveUp::Upgrade)),
            (&out, &none, upgraded(1), true, run(Action::Upgrade)),
            (&State::Untested, &none, none.clone(), false, run(Action::Test)),
            (&State::InSync, &none, none.clone(), false, Next::Rest),
            (&State::Unrecorded, &none, none.clone(), false, Next::Adopt),
            (&State::InSync, &none, none.clone(), true, run(Action::Upgrade)),
            (&failed, &again, upgraded(9), false, run(Action::Upgrade)),
            (&failed, &none, none.clone(), false, run(Action::Upgrade)),
            (&failed, &none, installed(0), false, run(Action::Upgrade)),
            (&failed, &none, installed(1), true, run(Action::Upgrade)),
            (&failed, &none, installed(1), false, Next::GiveUp(GaveUp::Remediate)),
            (&failed, &last, installed(1), false, run(Action::UninstallRemediation)),
            (&failed, &retries(2), installed(2), false, run(Action::UninstallRemediation)),
            (&failed, &retries(2), installed(3), false, Next::GiveUp(GaveUp::Remediate)),
            (&failed, &retries(1), upgraded(1), false, Next::RollBack),
            (&failed, &retries(1), upgraded(2), false, Next::RollBack),
            (&failed, &none, upgraded(1), false, Next::GiveUp(GaveUp::Remediate)),
            (&failed, &uninstall, upgraded(1), false, run(Action::UninstallRemediation)),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(decision(state, spec, &status, forced).next, expected, "case {index}");
        }
    }

    #[test]
    fn histories_are_kept_as_long_as_they_are_of_use() {
        let trim = |state: &State, spec: Json, status: Json| decision(state, &spec, &status, false).trim;
        let upgraded = json!({"lastAttemptedReleaseAction": "upgrade", "upgradeFailures": 1});
        let again = json!({"upgrade": {"strategy": {"name": "RetryOnFailure"}}});
        let in_sync = |spec, status| trim(&State::InSync, spec, status);
        assert_eq!(in_sync(json!({}), json!({})), Trim::ToPrevious { ignore_tests: false });
        assert_eq!(
            in_sync(json!({"test": {"ignoreFailures": true}}), json!({})),
            Trim::ToPrevious { ignore_tests: true }
        );
        assert_eq!(in_sync(again.clone(), upgraded.clone()), Trim::Newest);
        assert_eq!(trim(&State::Failed(""), again, upgraded.clone()), Trim::Newest);
        let remedy = json!({"upgrade": {"remediation": {"retries": 1, "ignoreTestFailures": true}}});
        assert_eq!(
            trim(&State::Failed(""), remedy, upgraded.clone()),
            Trim::ToPrevious { ignore_tests: true }
        );
        assert_eq!(trim(&State::Failed(""), json!({}), upgraded), Trim::Keep);
        assert!(decision(&State::Unmanaged(""), &json!({}), &json!({}), false).forget_history);
    }

    #[test]
    fn what_follows() {
        let flows = |spec: Json, stand: Json, retry_by_default| {
            let (release, status) = (release(&spec), status(&stand));
            let facts = Facts { release: &release, status: &status, forced: false, retry_by_default };
            (done_already(&facts), remedied(&facts))
        };
        let upgraded =
            |failures: i64| json!({"lastAttemptedReleaseAction": "upgrade", "upgradeFailures": failures});
        let retries =
            |strategy: &str| json!({"upgrade": {"remediation": {"retries": 1, "strategy": strategy}}});
        let minutes = Flow::Retry(Duration::from_secs(300));
        assert_eq!(flows(json!({}), json!({}), false), (Flow::Requeue, Flow::Requeue));
        assert_eq!(flows(json!({}), upgraded(1), true), (minutes, minutes));
        assert_eq!(flows(retries("rollback"), upgraded(1), false), (Flow::Requeue, Flow::Requeue));
        assert_eq!(flows(retries("rollback"), upgraded(2), false), (Flow::Done, Flow::Exhausted));
        assert_eq!(flows(retries("uninstall"), upgraded(2), false), (Flow::Done, Flow::Requeue));
    }

    #[test]
    fn actions_have_their_own_time() {
        let seconds = |spec: Json, action: Action| action.timeout(&release(&spec)).as_secs();
        assert_eq!(seconds(json!({}), Action::Install), 300);
        assert_eq!(seconds(json!({"timeout": "1m"}), Action::Upgrade), 60);
        assert_eq!(seconds(json!({"timeout": "1m", "test": {"timeout": "5s"}}), Action::Test), 5);
        assert_eq!(
            seconds(json!({"timeout": "1m", "uninstall": {"timeout": "7s"}}), Action::UninstallRemediation),
            7
        );
        assert_eq!(seconds(json!({"timeout": "1m"}), Action::Unlock), 60);
    }
}

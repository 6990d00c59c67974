//! The summary of a release's conditions in `Ready`, and the few places where conditions follow from the state. Pure.

use api::condition::{Condition, Conditions, Reason, Stamp, Status, Type};
use api::helm::{HelmRelease, HelmReleaseStatus, ReleaseAction};
use artifact::Algorithm;

use super::{digest, history, texts};

/// Copies what counts most into Ready: remedies before tests before releases, those of a newer generation first. Also
/// takes down which post-renderers and metadata are in force.
pub fn summarise(release: &HelmRelease, status: &mut HelmReleaseStatus, algorithm: Algorithm, stamp: Stamp) {
    let test = release.spec.test.as_ref();
    let (enabled, ignored) = (test.is_some_and(|t| t.enable), test.is_some_and(|t| t.ignore_failures));
    if !enabled {
        status.conditions.delete(Type::TestSuccess);
    }
    if status.conditions.is_empty() {
        return;
    }
    let candidates: &[Type] = match enabled && !ignored {
        true => &[Type::Remediated, Type::TestSuccess, Type::Released],
        false => &[Type::Remediated, Type::Released],
    };
    if let Some(first) = first(&status.conditions, candidates).cloned() {
        let verdict = match first.type_ == Type::Remediated.as_str() {
            // A release that had to be remedied is not what is wanted.
            true => Status::False,
            false => first.status,
        };
        if verdict == Status::True {
            status.conditions.delete(Type::Stalled);
        }
        status.conditions.set(Type::Ready, verdict, first.reason, first.message, stamp);
    }
    status.observed_post_renderers_digest = digest::post_renderers(algorithm, release);
    status.observed_common_metadata_digest = digest::common_metadata(algorithm, release);
}

/// The condition that counts most. Flux sorts with an order that is none where a newer generation has the lower priority;
/// a stable sort of at most three then leaves them as they stand in the list, where newer generations come first.
fn first<'c>(conditions: &'c Conditions, candidates: &[Type]) -> Option<&'c Condition> {
    let priority =
        |condition: &Condition| candidates.iter().position(|type_| type_.as_str() == condition.type_);
    let mut found: Vec<(usize, &Condition)> =
        conditions.0.iter().filter_map(|condition| Some((priority(condition)?, condition))).collect();
    // Insertion sort, as Go's stable sort does it for so few.
    for end in 1..found.len() {
        let mut at = end;
        while at > 0 {
            let (Some(before), Some(this)) = (found.get(at - 1), found.get(at)) else { break };
            let precedes = this.1.observed_generation >= before.1.observed_generation && this.0 < before.0;
            if !precedes {
                break;
            }
            found.swap(at - 1, at);
            at -= 1;
        }
    }
    found.first().map(|(_, condition)| *condition)
}

/// A release that was returned to is what is wanted now: it counts as an upgrade, since the time of the return.
pub fn settle_remedy(status: &mut HelmReleaseStatus) {
    if !status.conditions.is_true(Type::Remediated) {
        return;
    }
    history::sort(&mut status.history);
    let (Some(release), Some(remedied)) = (status.history.first(), status.conditions.get(Type::Remediated))
    else {
        return;
    };
    let settled = Condition {
        type_: Type::Released.as_str().to_owned(),
        status: Status::True,
        reason: Reason::UpgradeSucceeded.as_str().to_owned(),
        message: texts::released(ReleaseAction::Upgrade, release),
        ..remedied.clone()
    };
    status.conditions.delete(Type::Released);
    status.conditions.delete(Type::Remediated);
    status.conditions.0.push(settled);
    status.conditions.sort();
}

/// A release that is what is wanted did not fail, whatever was said of it.
pub fn settle_failure(
    release: &HelmRelease,
    status: &mut HelmReleaseStatus,
    algorithm: Algorithm,
    stamp: Stamp,
) {
    if status.conditions.is_ready() && status.conditions.is_true(Type::Released) {
        return;
    }
    let reason = status.conditions.reason(Type::Released);
    let (action, reason) = if reason == Reason::InstallFailed.as_str() {
        (ReleaseAction::Install, Reason::InstallSucceeded)
    } else if reason == Reason::UpgradeFailed.as_str() {
        (ReleaseAction::Upgrade, Reason::UpgradeSucceeded)
    } else {
        return;
    };
    history::sort(&mut status.history);
    let Some(current) = status.history.first() else { return };
    let message = texts::released(action, current);
    status.conditions.mark_true(Type::Released, reason, message, stamp);
    summarise(release, status, algorithm, stamp);
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::helm::ReleaseSnapshot;
    use api::meta::Timestamp;
    use serde_json::json;

    const STAMP: Stamp = Stamp { generation: 3, now: Timestamp::UNIX_EPOCH };

    fn release(tests: serde_json::Value) -> HelmRelease {
        let value = json!({"metadata": {"name": "a", "namespace": "b", "generation": 3}, "spec": {"interval": "1m", "test": tests}});
        serde_json::from_value(value).unwrap()
    }

    fn at(generation: i64) -> Stamp {
        Stamp { generation, ..STAMP }
    }

    fn status(conditions: &[(Type, Status, Reason, i64)]) -> HelmReleaseStatus {
        let mut status = HelmReleaseStatus {
            history: vec![ReleaseSnapshot {
                name: "r".into(),
                namespace: "n".into(),
                version: 3,
                chart_name: "c".into(),
                chart_version: "1".into(),
                ..Default::default()
            }],
            ..Default::default()
        };
        for (type_, value, reason, generation) in conditions {
            status.conditions.set(*type_, *value, reason, format!("{reason:?}"), at(*generation));
        }
        status
    }

    fn ready(
        tests: serde_json::Value,
        conditions: &[(Type, Status, Reason, i64)],
    ) -> (Option<Status>, String) {
        let mut status = status(conditions);
        summarise(&release(tests), &mut status, Algorithm::Sha256, STAMP);
        let ready = status.conditions.get(Type::Ready);
        assert!(ready.is_none_or(|ready| ready.observed_generation == 3));
        (ready.map(|ready| ready.status), status.conditions.reason(Type::Ready).to_owned())
    }

    #[test]
    fn what_counts_most_is_ready() {
        use Reason::{InstallSucceeded, RollbackSucceeded, TestFailed, UpgradeFailed, UpgradeSucceeded};
        use Status::{False, True, Unknown};
        use Type::{Released, Remediated, TestSuccess};
        let (off, on, ignored) =
            (json!({}), json!({"enable": true}), json!({"enable": true, "ignoreFailures": true}));
        for (tests, conditions, expected) in [
            (&off, vec![], (None, "")),
            (&off, vec![(Released, True, InstallSucceeded, 3)], (Some(True), "InstallSucceeded")),
            (
                &off,
                vec![(Released, False, UpgradeFailed, 3), (Remediated, True, RollbackSucceeded, 3)],
                (Some(False), "RollbackSucceeded"),
            ),
            (
                &off,
                vec![(Released, True, UpgradeSucceeded, 3), (TestSuccess, False, TestFailed, 3)],
                (Some(True), "UpgradeSucceeded"),
            ),
            (
                &on,
                vec![(Released, True, UpgradeSucceeded, 3), (TestSuccess, False, TestFailed, 3)],
                (Some(False), "TestFailed"),
            ),
            (
                &ignored,
                vec![(Released, True, UpgradeSucceeded, 3), (TestSuccess, False, TestFailed, 3)],
                (Some(True), "UpgradeSucceeded"),
            ),
            (
                &on,
                vec![(Released, True, UpgradeSucceeded, 3), (TestSuccess, Unknown, Reason::AwaitingTests, 3)],
                (Some(Unknown), "AwaitingTests"),
            ),
            (
                &off,
                vec![(Released, True, UpgradeSucceeded, 3), (Remediated, True, RollbackSucceeded, 2)],
                (Some(True), "UpgradeSucceeded"),
            ),
            (&off, vec![(Type::Reconciling, True, Reason::Progressing, 3)], (None, "")),
        ] {
            let (status, reason) = ready(tests.clone(), &conditions);
            assert_eq!((status, reason.as_str()), expected, "{conditions:?}");
        }
    }

    #[test]
    fn success_ends_a_stall_and_tests_that_are_off_go() {
        let mut status = status(&[
            (Type::Released, Status::True, Reason::UpgradeSucceeded, 3),
            (Type::TestSuccess, Status::False, Reason::TestFailed, 3),
            (Type::Stalled, Status::True, Reason::RetriesExceeded, 3),
        ]);
        summarise(&release(json!({})), &mut status, Algorithm::Sha256, STAMP);
        assert!(!status.conditions.has(Type::Stalled) && !status.conditions.has(Type::TestSuccess));
    }

    #[test]
    fn a_release_in_sync_did_not_fail() {
        let mut status = status(&[
            (Type::Released, Status::False, Reason::UpgradeFailed, 3),
            (Type::Ready, Status::False, Reason::UpgradeFailed, 3),
        ]);
        settle_failure(&release(json!({})), &mut status, Algorithm::Sha256, STAMP);
        assert_eq!(
            status.conditions.message(Type::Ready),
            "Helm upgrade succeeded for release n/r.v3 with chart c@1"
        );
        assert!(status.conditions.is_ready());
    }

    #[test]
    fn a_remedy_that_is_wanted_is_an_upgrade() {
        let mut status = status(&[
            (Type::Released, Status::False, Reason::UpgradeFailed, 2),
            (Type::Remediated, Status::True, Reason::RollbackSucceeded, 2),
        ]);
        let since = status.conditions.get(Type::Remediated).unwrap().last_transition_time.clone();
        settle_remedy(&mut status);
        let released = status.conditions.get(Type::Released).unwrap();
        assert_eq!(
            (released.status, released.reason.as_str(), &released.last_transition_time),
            (Status::True, "UpgradeSucceeded", &since)
        );
        assert!(!status.conditions.has(Type::Remediated));
        settle_remedy(&mut status);
        assert!(status.conditions.is_true(Type::Released));
    }
}

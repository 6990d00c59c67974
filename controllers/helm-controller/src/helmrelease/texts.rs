//! Texts of conditions and events. People's alert rules depend on them: they are Flux's, word for word.

use std::time::Duration;

use api::helm::{HelmReleaseStatus, ReleaseAction, ReleaseSnapshot};
use api::meta::go_duration;

use super::decide::Action;
use super::history::{chart_name, full_name};
use super::strategy::Remediation;

/// Before the action.
pub const PREREQUISITES: &str = "Fulfilling prerequisites";
/// Instead of what stood in the way before.
pub const IN_PROGRESS: &str = "reconciliation in progress";
/// While drift is corrected.
pub const CORRECTING: &str = "correcting cluster drift";
/// Nothing drifted.
pub const NO_DRIFT: &str = "No drift detected against the cluster state";
/// Why there is no rollback.
pub const NO_TARGET: &str = "missing target release for rollback: cannot remediate failed release";

/// A release that failed before it became a revision: its name stands there in full length.
#[derive(Debug, Clone, Copy)]
pub struct Attempted<'a> {
    /// Namespace of the release.
    pub namespace: &'a str,
    /// Name of the release, unshortened.
    pub name: &'a str,
    /// Name of the chart.
    pub chart: &'a str,
    /// Version of the chart.
    pub version: &'a str,
}

/// An action runs.
pub fn running(action: Action, timeout: Duration) -> String {
    format!("Running '{}' action with timeout of {}", action.name(), go_duration(timeout))
}

/// An action is tried again later.
pub fn retrying(after: Duration) -> String {
    format!("retrying after {}", go_duration(after))
}

fn word(action: ReleaseAction) -> &'static str {
    match action {
        ReleaseAction::Install => "install",
        ReleaseAction::Upgrade => "upgrade",
    }
}

/// A release was made.
pub fn released(action: ReleaseAction, release: &ReleaseSnapshot) -> String {
    format!(
        "Helm {} succeeded for release {} with chart {}",
        word(action),
        full_name(release),
        chart_name(release)
    )
}

/// A release was not made.
pub fn not_released(action: ReleaseAction, tried: Attempted<'_>, error: &str) -> String {
    let Attempted { namespace, name, chart, version } = tried;
    format!(
        "Helm {} failed for release {namespace}/{name} with chart {chart}@{version}: {}",
        word(action),
        error.trim()
    )
}

/// Tests passed.
pub fn tested(release: &ReleaseSnapshot) -> String {
    let hooks = match release.test_hooks.as_ref().map_or(0, std::collections::BTreeMap::len) {
        0 => "no test hooks".to_owned(),
        1 => "1 test hook completed successfully".to_owned(),
        several => format!("{several} test hooks completed successfully"),
    };
    format!(
        "Helm test succeeded for release {} with chart {}: {hooks}",
        full_name(release),
        chart_name(release)
    )
}

/// A test failed.
pub fn test_failed(release: &ReleaseSnapshot, error: &str) -> String {
    format!(
        "Helm test failed for release {} with chart {}: {}",
        full_name(release),
        chart_name(release),
        error.trim()
    )
}

/// Tests are to be run.
pub fn awaiting_tests(release: &ReleaseSnapshot) -> String {
    format!("Helm release {} with chart {} is awaiting tests", full_name(release), chart_name(release))
}

/// A release was returned to.
pub fn rolled_back(target: &ReleaseSnapshot) -> String {
    let (release, chart) = (full_name(target), chart_name(target));
    format!("Helm rollback to previous release {release} with chart {chart} succeeded")
}

/// A release could not be returned to.
pub fn rollback_failed(target: &ReleaseSnapshot, error: &str) -> String {
    let (release, chart) = (full_name(target), chart_name(target));
    format!("Helm rollback to previous release {release} with chart {chart} failed: {}", error.trim())
}

/// A failed release was removed.
pub fn removed(release: &ReleaseSnapshot) -> String {
    let (release, chart) = (full_name(release), chart_name(release));
    format!("Helm uninstall remediation for release {release} with chart {chart} succeeded")
}

/// A failed release could not be removed.
pub fn removal_failed(release: &ReleaseSnapshot, error: &str) -> String {
    let (release, chart) = (full_name(release), chart_name(release));
    format!("Helm uninstall remediation for release {release} with chart {chart} failed: {}", error.trim())
}

/// A release was uninstalled.
pub fn uninstalled(release: &ReleaseSnapshot) -> String {
    format!("Helm uninstall succeeded for release {} with chart {}", full_name(release), chart_name(release))
}

/// A release could not be uninstalled.
pub fn uninstall_failed(release: &ReleaseSnapshot, error: &str) -> String {
    let (release, chart) = (full_name(release), chart_name(release));
    format!("Helm uninstall failed for release {release} with chart {chart}: {}", error.trim())
}

/// There was nothing to uninstall.
pub fn not_found(release: &ReleaseSnapshot) -> String {
    format!("Release {} was not found, assuming it is uninstalled", full_name(release))
}

/// Somebody uninstalled it before.
pub fn uninstalled_before(release: &ReleaseSnapshot) -> String {
    format!("Release {} was already uninstalled", full_name(release))
}

/// An action that was cut off was ended.
pub fn unlocked(release: &ReleaseSnapshot, status: &str) -> String {
    format!(
        "Unlocked Helm release {} with chart {} in {status} state",
        full_name(release),
        chart_name(release)
    )
}

/// An action that was cut off could not be ended.
pub fn unlock_failed(release: &ReleaseSnapshot, status: &str, error: &str) -> String {
    let (release, chart) = (full_name(release), chart_name(release));
    format!("Unlock of Helm release {release} with chart {chart} in {status} state failed: {}", error.trim())
}

/// All tries are used up.
pub fn exhausted(active: Option<Remediation>, status: &HelmReleaseStatus) -> String {
    let action = status.last_attempted_release_action.map_or("", word);
    format!("Failed to {action} after {} attempt(s)", active.map_or(0, |active| active.count(status)))
}

/// There is nothing to return to.
pub fn no_rollback_target() -> String {
    format!("Failed to perform remediation: {NO_TARGET}")
}

/// The cluster differs; one line an object.
pub fn drifted(release: &ReleaseSnapshot, lines: &str) -> String {
    format!("Cluster state of release {} has drifted from the desired state:\n{lines}", full_name(release))
}

/// The cluster was corrected; one line an object.
pub fn corrected(release: &ReleaseSnapshot, lines: &str) -> String {
    format!("Cluster state of release {} has been corrected:\n{lines}", full_name(release))
}

/// The cluster could not be corrected, or not all of it.
pub fn correction_failed(release: &ReleaseSnapshot, errors: &str, done: &str) -> String {
    let (partially, rest) = match done {
        "" => ("", String::new()),
        done => ("partially ", format!("\n\nSuccessful corrections:\n{done}")),
    };
    format!("Failed to {partially}correct cluster state of release {}:\n{errors}{rest}", full_name(release))
}

/// What an event about a failure says beyond the condition.
pub fn with_log(message: &str, log: &str) -> String {
    if log.is_empty() { message.to_owned() } else { format!("{message}\n\nLast Helm logs:\n\n{log}") }
}

/// An error that no retry can cure.
pub fn terminal(error: &str) -> String {
    format!("Reconciliation failed terminally due to configuration error: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_flux() {
        let release = ReleaseSnapshot {
            namespace: "default".into(),
            name: "podinfo".into(),
            version: 2,
            chart_name: "podinfo".into(),
            chart_version: "6.5.3".into(),
            ..Default::default()
        };
        let tried = Attempted { namespace: "default", name: "podinfo", chart: "podinfo", version: "6.5.3" };
        let with_tests = |count: usize| ReleaseSnapshot {
            test_hooks: Some((0..count).map(|index| (index.to_string(), Default::default())).collect()),
            ..release.clone()
        };
        let status = HelmReleaseStatus {
            last_attempted_release_action: Some(ReleaseAction::Upgrade),
            upgrade_failures: 2,
            ..Default::default()
        };
        let hr = serde_json::from_str(r#"{"metadata": {"name": "a"}, "spec": {"interval": "1m"}}"#).unwrap();
        let (r, c) = ("default/podinfo.v2", "podinfo@6.5.3");
        for (text, expected) in [
            (running(Action::CorrectDrift, Duration::from_secs(300)), "Running 'correct cluster drift' action with timeout of 5m0s".into()),
            (retrying(Duration::from_secs(90)), "retrying after 1m30s".into()),
            (released(ReleaseAction::Install, &release), format!("Helm install succeeded for release {r} with chart {c}")),
            (released(ReleaseAction::Upgrade, &release), format!("Helm upgrade succeeded for release {r} with chart {c}")),
            (not_released(ReleaseAction::Install, tried, " why \n"), format!("Helm install failed for release default/podinfo with chart {c}: why")),
            (tested(&with_tests(0)), format!("Helm test succeeded for release {r} with chart {c}: no test hooks")),
            (tested(&with_tests(1)), format!("Helm test succeeded for release {r} with chart {c}: 1 test hook completed successfully")),
            (tested(&with_tests(2)), format!("Helm test succeeded for release {r} with chart {c}: 2 test hooks completed successfully")),
            (test_failed(&release, "x"), format!("Helm test failed for release {r} with chart {c}: x")),
            (awaiting_tests(&release), format!("Helm release {r} with chart {c} is awaiting tests")),
            (rolled_back(&release), format!("Helm rollback to previous release {r} with chart {c} succeeded")),
            (rollback_failed(&release, "x"), format!("Helm rollback to previous release {r} with chart {c} failed: x")),
            (removed(&release), format!("Helm uninstall remediation for release {r} with chart {c} succeeded")),
            (removal_failed(&release, "x"), format!("Helm uninstall remediation for release {r} with chart {c} failed: x")),
            (uninstalled(&release), format!("Helm uninstall succeeded for release {r} with chart {c}")),
            (uninstall_failed(&release, "x"), format!("Helm uninstall failed for release {r} with chart {c}: x")),
            (not_found(&release), format!("Release {r} was not found, assuming it is uninstalled")),
            (uninstalled_before(&release), format!("Release {r} was already uninstalled")),
            (unlocked(&release, "pending-upgrade"), format!("Unlocked Helm release {r} with chart {c} in pending-upgrade state")),
            (unlock_failed(&release, "pending-install", "x"), format!("Unlock of Helm release {r} with chart {c} in pending-install state failed: x")),
            (exhausted(Some(Remediation::of(&hr, ReleaseAction::Upgrade)), &status), "Failed to upgrade after 2 attempt(s)".into()),
            (
                no_rollback_target(),
                "Failed to perform remediation: missing target release for rollback: cannot remediate failed release".into(),
            ),
            (drifted(&release, "a\nb"), format!("Cluster state of release {r} has drifted from the desired state:\na\nb")),
            (corrected(&release, "a"), format!("Cluster state of release {r} has been corrected:\na")),
            (correction_failed(&release, "e", ""), format!("Failed to correct cluster state of release {r}:\ne")),
            (
                correction_failed(&release, "e", "a"),
                format!("Failed to partially correct cluster state of release {r}:\ne\n\nSuccessful corrections:\na"),
            ),
            (with_log("m", ""), "m".into()),
            (with_log("m", "l"), "m\n\nLast Helm logs:\n\nl".into()),
        ] {
            assert_eq!(text, expected);
        }
    }
}

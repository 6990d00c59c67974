//! State: what is the matter with a release, by its last record, the history and what is wanted now. Pure.

use api::helm::{HelmRelease, HelmReleaseStatus, ReleaseSnapshot};
use api::meta::keys;
use artifact::Algorithm;
use chart::{Release, Status, Table};

use super::history::{self, Verification};
use super::strategy::Remediation;
use super::{digest, history::is_tested, names};

/// The state of a release. Reasons are for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// There is none, or it was uninstalled.
    Absent(&'static str),
    /// An action was cut off, or another one runs.
    Locked(Status),
    /// Somebody else made it.
    Unmanaged(&'static str),
    /// It is what is wanted, and was made for the object, but a crash kept it out of the history.
    Unrecorded,
    /// It is not what is wanted.
    OutOfSync(&'static str),
    /// Its last action failed.
    Failed(&'static str),
    /// A crash cut its removal off.
    HalfRemoved,
    /// Its tests have not run.
    Untested,
    /// It is what is wanted, as far as its record tells.
    InSync,
}

/// What a record is compared with.
pub struct Wanted<'a> {
    /// The object.
    pub release: &'a HelmRelease,
    /// Its status while the run works on it.
    pub status: &'a HelmReleaseStatus,
    /// Name of the chart.
    pub chart_name: &'a str,
    /// Version of the chart.
    pub chart_version: &'a str,
    /// The values.
    pub values: &'a Table,
    /// The algorithm of digests.
    pub algorithm: Algorithm,
}

/// A state that cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum Unclear {
    /// The record cannot be compared.
    #[error("failed to verify release object: {0}")]
    Digest(#[from] digest::Error),
    /// A status that no action of this controller leaves behind.
    #[error("unable to determine state for release with status '{0}'")]
    Status(&'static str),
}

/// Determines the state of a release from its last record.
///
/// # Errors
/// A record from which it cannot be told.
pub fn determine(last: Option<&Release>, wanted: &Wanted<'_>) -> Result<State, Unclear> {
    let Some(last) = last else { return Ok(State::Absent("no release in storage for object")) };
    let status = last.info.status;
    if status.is_pending() {
        return Ok(State::Locked(status));
    }
    if status == Status::Uninstalling && is_marked(last, wanted.release) {
        return Ok(State::HalfRemoved);
    }
    let uninstalled = State::Absent("found uninstalled release in storage");
    let Some(current) = newest(&wanted.status.history) else {
        return Ok(match status {
            Status::Uninstalled => uninstalled,
            _ if is_own_work(last, 1, wanted) => State::Unrecorded,
            _ => State::Unmanaged("found existing release in storage"),
        });
    };
    match history::verify(current, last)? {
        Verification::Same => {}
        _ if is_own_work(last, current.version + 1, wanted) => return Ok(State::Unrecorded),
        foreign => return Ok(State::Unmanaged(foreign.reason())),
    }
    match status {
        Status::Failed => Ok(State::Failed("")),
        Status::Uninstalled => Ok(uninstalled),
        Status::Deployed => Ok(deployed(last, current, wanted)),
        other => Err(Unclear::Status(other.as_str())),
    }
}

fn newest(history: &[ReleaseSnapshot]) -> Option<&ReleaseSnapshot> {
    // The first of several equals, as after a stable sort.
    history.iter().reduce(|newest, other| if other.version > newest.version { other } else { newest })
}

/// Whether a record is what the action that was cut off last would have left: the next revision, deployed, of the wanted
/// chart and values, whose objects are marked as the object's. What others do to a release leaves other traces.
fn is_own_work(last: &Release, version: i64, wanted: &Wanted<'_>) -> bool {
    let values = |values: &Table| digest::config(wanted.algorithm, values);
    last.version == version
        && last.info.status == Status::Deployed
        && matches!(last.info.description.as_str(), "Install complete" | "Upgrade complete")
        && is_wanted_chart(last, wanted)
        && values(&last.config) == values(wanted.values)
        && is_marked(last, wanted.release)
}

/// How Helm describes a revision that is an earlier one again; the number follows.
pub const RETURNED: &str = "Rollback to ";

/// Whether a record is that of a return to an earlier revision, which is over.
pub fn is_returned(last: &Release) -> bool {
    last.info.status == Status::Deployed && last.info.description.starts_with(RETURNED)
}

/// Whether a crash may have kept the last record out of a history: it is newer than all that is known, its objects are
/// marked as the object's, and it is cut off, has failed, is half removed or is a return to an earlier revision. One that was made to the
/// end is [`State::Unrecorded`].
pub fn is_missed(last: &Release, history: &[ReleaseSnapshot], release: &HelmRelease) -> bool {
    let status = last.info.status;
    newest(history).is_none_or(|known| last.version > known.version)
        && (status.is_pending()
            || [Status::Failed, Status::Uninstalling].contains(&status)
            || is_returned(last))
        && is_marked(last, release)
}

/// Whether the objects of a record carry the labels of an object.
pub fn is_marked(record: &Release, release: &HelmRelease) -> bool {
    let marked = |key: &str, value: &str| {
        let mut lines = record.manifest.lines().map(str::trim);
        lines.any(|line| {
            line.split_once(": ").is_some_and(|(k, v)| k == key && v.trim_matches(['"', '\'']) == value)
        })
    };
    marked(keys::helm::NAME, names::name(release)) && marked(keys::helm::NAMESPACE, names::namespace(release))
}

fn is_wanted_chart(last: &Release, wanted: &Wanted<'_>) -> bool {
    let metadata = last.chart.as_ref().and_then(|chart| chart.metadata.as_ref());
    metadata.is_some_and(|found| found.name == wanted.chart_name && found.version == wanted.chart_version)
}

fn deployed(last: &Release, current: &ReleaseSnapshot, wanted: &Wanted<'_>) -> State {
    if !is_wanted_chart(last, wanted) {
        return State::OutOfSync("release chart changed");
    }
    if !digest::is_of_config(&current.config_digest, wanted.values) {
        return State::OutOfSync("release config values changed");
    }
    let (release, status) = (wanted.release, wanted.status);
    if release.metadata.generation != Some(status.observed_generation) {
        if digest::post_renderers(wanted.algorithm, release) != status.observed_post_renderers_digest {
            return State::OutOfSync("postrenderers digest has changed");
        }
        if digest::common_metadata(wanted.algorithm, release) != status.observed_common_metadata_digest {
            return State::OutOfSync("common metadata digest has changed");
        }
    }
    if release.spec.test.as_ref().is_some_and(|test| test.enable) {
        if !is_tested(current) {
            return State::Untested;
        }
        let counts = Remediation::active(release, status).is_some_and(|active| !active.ignore_test_failures);
        if counts && history::has_failed_test(current) {
            return State::Failed("release has test in failed phase");
        }
    }
    State::InSync
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::helm::{ReleaseAction, TestHookStatus};
    use serde_json::{Value as Json, json};

    const SHA256: Algorithm = Algorithm::Sha256;

    fn record(status: &str) -> Release {
        serde_json::from_value(json!({
            "name": "r", "namespace": "n", "version": 1, "info": {"status": status},
            "chart": {"metadata": {"name": "c", "version": "1.0.0"}}, "config": {"a": 1},
        }))
        .unwrap()
    }

    struct Case {
        release: HelmRelease,
        status: HelmReleaseStatus,
        chart_version: &'static str,
        values: Json,
        last: Option<Release>,
    }

    /// A release that is in sync.
    fn case() -> Case {
        let last = record("deployed");
        let snapshot = history::snapshot(SHA256, &last, Some("install"), "").unwrap();
        Case {
            release: serde_json::from_value(json!({"metadata": {"name": "r", "namespace": "n", "generation": 3}, "spec": {"interval": "1m"}})).unwrap(),
            status: HelmReleaseStatus { history: vec![snapshot], observed_generation: 2, ..Default::default() },
            chart_version: "1.0.0",
            values: json!({"a": 1}),
            last: Some(last),
        }
    }

    impl Case {
        fn state(&self) -> Result<State, String> {
            let wanted = Wanted {
                release: &self.release,
                status: &self.status,
                chart_name: "c",
                chart_version: self.chart_version,
                values: self.values.as_object().unwrap(),
                algorithm: SHA256,
            };
            determine(self.last.as_ref(), &wanted).map_err(|error| error.to_string())
        }

        fn with(mut self, change: impl FnOnce(&mut Case)) -> Self {
            change(&mut self);
            self
        }

        /// The record and its snapshot have another status.
        fn recorded(mut self, status: &str) -> Self {
            let last = record(status);
            self.status.history = vec![history::snapshot(SHA256, &last, None, "").unwrap()];
            self.last = Some(last);
            self
        }

        fn tested(mut self, phase: Option<&str>, action: Option<ReleaseAction>, ignore: bool) -> Self {
            self.release.spec.test =
                Some(serde_json::from_value(json!({"enable": true, "ignoreFailures": ignore})).unwrap());
            self.status.last_attempted_release_action = action;
            let hook = |phase: &str| {
                [("t".to_owned(), TestHookStatus { phase: Some(phase.into()), ..Default::default() })]
            };
            self.status.history[0].test_hooks = phase.map(|phase| hook(phase).into());
            self
        }
    }

    #[test]
    fn what_a_crash_cut_off_is_missed() {
        let missed = |version: i64, status: &str, description: &str, marked: bool| {
            let mut last = record(status);
            last.version = version;
            last.info.description = description.to_owned();
            if marked {
                last.manifest =
                    "helm.toolkit.fluxcd.io/name: r\nhelm.toolkit.fluxcd.io/namespace: n\n".to_owned();
            }
            let case = case();
            is_missed(&last, &case.status.history, &case.release)
        };
        assert!(missed(2, "pending-upgrade", "Preparing upgrade", true));
        assert!(missed(3, "failed", "Release unlocked from stale 'pending-upgrade' state", true));
        assert!(missed(4, "deployed", "Rollback to 2", true));
        assert!(missed(2, "uninstalling", "Deletion in progress (or silently failed)", true));
        assert!(!missed(1, "pending-upgrade", "", true), "it is known");
        assert!(!missed(2, "pending-upgrade", "", false), "somebody else's");
        assert!(!missed(2, "deployed", "Upgrade complete", true), "it is judged by what it is");
        assert!(!missed(2, "uninstalled", "", true));
    }

    #[test]
    fn a_removal_that_was_cut_off_is_recognised() {
        let removed = |marked: bool| {
            let mut last = record("uninstalling");
            if marked {
                last.manifest =
                    "helm.toolkit.fluxcd.io/name: r\nhelm.toolkit.fluxcd.io/namespace: n\n".to_owned();
            }
            case().with(|c| c.last = Some(last)).state()
        };
        assert_eq!(removed(true), Ok(State::HalfRemoved));
        assert_ne!(removed(false), Ok(State::HalfRemoved));
    }

    #[test]
    fn states() {
        let install = Some(ReleaseAction::Install);
        let uninstalled = State::Absent("found uninstalled release in storage");
        let table = [
            (case(), State::InSync),
            (case().with(|c| c.last = None), State::Absent("no release in storage for object")),
            (case().recorded("pending-upgrade"), State::Locked(Status::PendingUpgrade)),
            (
                case().with(|c| c.last = Some(record("pending-install"))).with(|c| c.status.history.clear()),
                State::Locked(Status::PendingInstall),
            ),
            (
                case().with(|c| c.status.history.clear()),
                State::Unmanaged("found existing release in storage"),
            ),
            (case().recorded("uninstalled").with(|c| c.status.history.clear()), uninstalled.clone()),
            (
                case().with(|c| c.last = Some(record("failed"))),
                State::Unmanaged("release not observed to be made for object"),
            ),
            (
                case().with(|c| c.status.history[0].digest = "x".into()),
                State::Unmanaged("release digest verification error"),
            ),
            (case().recorded("failed"), State::Failed("")),
            (case().recorded("uninstalled"), uninstalled),
            (case().with(|c| c.chart_version = "1.0.1"), State::OutOfSync("release chart changed")),
            (case().with(|c| c.values = json!({"a": 2})), State::OutOfSync("release config values changed")),
            (
                case().with(|c| c.status.observed_post_renderers_digest = Some("sha256:x".into())),
                State::OutOfSync("postrenderers digest has changed"),
            ),
            (
                case().with(|c| c.status.observed_common_metadata_digest = Some("sha256:x".into())),
                State::OutOfSync("common metadata digest has changed"),
            ),
            (
                case().with(|c| {
                    c.status.observed_common_metadata_digest = Some("sha256:x".into());
                    c.status.observed_generation = 3;
                }),
                State::InSync,
            ),
            (case().tested(None, install, false), State::Untested),
            (case().tested(Some("Succeeded"), install, false), State::InSync),
            (
                case().tested(Some("Failed"), install, false),
                State::Failed("release has test in failed phase"),
            ),
            (case().tested(Some("Failed"), install, true), State::InSync),
            (case().tested(Some("Failed"), None, false), State::InSync),
        ];
        for (index, (case, expected)) in table.into_iter().enumerate() {
            assert_eq!(case.state().unwrap(), expected, "case {index}");
        }
    }

    #[test]
    fn what_a_crash_kept_out_of_the_history_is_recognised() {
        let made = |version: i64, description: &str, name: &str| {
            let mut record = record("deployed");
            record.version = version;
            record.info.description = description.into();
            record.manifest = format!(
                "metadata:\n  labels:\n    helm.toolkit.fluxcd.io/name: {name}\n    helm.toolkit.fluxcd.io/namespace: n\n"
            );
            record
        };
        let last = |record: Release| case().with(|c| c.last = Some(record));
        let foreign = State::Unmanaged("release not observed to be made for object");
        for (case, expected) in [
            (last(made(2, "Upgrade complete", "r")), State::Unrecorded),
            (last(made(2, "Upgrade complete", "other")), foreign.clone()),
            (last(made(2, "Rollback to 1", "r")), foreign.clone()),
            (last(made(3, "Upgrade complete", "r")), foreign.clone()),
            (last(made(2, "Upgrade complete", "r")).with(|c| c.values = json!({})), foreign),
            (last(made(1, "Install complete", "r")).with(|c| c.status.history.clear()), State::Unrecorded),
        ] {
            assert_eq!(case.state().unwrap(), expected);
        }
    }

    #[test]
    fn states_that_no_action_leaves_behind() {
        for status in ["superseded", "uninstalling", "unknown"] {
            let error = case().recorded(status).state().unwrap_err();
            assert_eq!(error, format!("unable to determine state for release with status '{status}'"));
        }
    }

    #[test]
    fn the_newest_snapshot_counts_in_any_order() {
        let unsorted = case().with(|c| {
            let older = ReleaseSnapshot {
                version: 0,
                digest: "x".into(),
                api_version: Some("v2".into()),
                ..Default::default()
            };
            c.status.history.insert(0, older);
        });
        assert_eq!(unsorted.state().unwrap(), State::InSync);
    }
}

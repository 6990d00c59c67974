//! History: snapshots of the releases that this object made, newest first. A release whose record has another digest than
//! its snapshot was changed by somebody else.

use std::collections::BTreeMap;

use api::helm::{ReleaseSnapshot, TestFilter, TestHookStatus};
use api::meta::{Time, Timestamp, stored_time};
use artifact::{Algorithm, Digest};
use chart::{Event, Release};

use super::digest;

/// Version of the rules by which digests are made.
const API_VERSION: &str = "v2";
/// How many snapshots are kept when none of them is one to return to.
const LONGEST: usize = 5;
/// Phase of a test that failed.
const FAILED: &str = "Failed";
/// Phase of a test that passed.
const SUCCEEDED: &str = "Succeeded";

/// What made a snapshot, in the words of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// An installation.
    Install,
    /// An upgrade.
    Upgrade,
    /// A return to an earlier release.
    Rollback,
    /// The end of the release.
    Uninstall,
    /// The end of a failed release.
    UninstallRemediation,
}

impl Maker {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Maker::Install => "install",
            Maker::Upgrade => "upgrade",
            Maker::Rollback => "rollback",
            Maker::Uninstall => "uninstall",
            Maker::UninstallRemediation => "uninstall-remediation",
        }
    }
}

/// How a record compares with its snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// It is the one that was made.
    Same,
    /// Somebody changed or made it.
    Foreign,
    /// The snapshot's digest is none.
    NoDigest,
}

impl Verification {
    /// Why a record is not the one that was made, in Flux's words.
    pub fn reason(self) -> &'static str {
        match self {
            Verification::Same => "",
            Verification::Foreign => "release not observed to be made for object",
            Verification::NoDigest => "release digest verification error",
        }
    }
}

/// Compares a record with a snapshot. The snapshot's own algorithm counts.
///
/// # Errors
/// A record that cannot be digested.
pub fn verify(snapshot: &ReleaseSnapshot, record: &Release) -> Result<Verification, digest::Error> {
    if snapshot.api_version.as_deref() != Some(API_VERSION) {
        // Older rules: the release is taken over as it is.
        return Ok(Verification::Same);
    }
    let Ok(expected) = snapshot.digest.parse::<Digest>() else { return Ok(Verification::NoDigest) };
    let found =
        digest::record(expected.algorithm(), record, snapshot.oci_digest.as_deref().unwrap_or_default())?;
    Ok(if found == expected { Verification::Same } else { Verification::Foreign })
}

/// A snapshot of a record.
///
/// # Errors
/// A record that cannot be digested.
pub fn snapshot(
    algorithm: Algorithm,
    record: &Release,
    action: Option<&str>,
    oci_digest: &str,
) -> Result<ReleaseSnapshot, digest::Error> {
    let metadata = record.chart.as_ref().and_then(|chart| chart.metadata.clone()).unwrap_or_default();
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let time = |time: Option<chart::Time>| time.map(|time| stored_time(time.timestamp()));
    // The API server wants the two times; a record without them was made at no known time.
    let required = |found: Option<chart::Time>| time(found).or(Some(Time(Timestamp::UNIX_EPOCH)));
    Ok(ReleaseSnapshot {
        api_version: Some(API_VERSION.to_owned()),
        digest: digest::record(algorithm, record, oci_digest)?.to_string(),
        name: record.name.clone(),
        namespace: record.namespace.clone(),
        version: record.version,
        status: record.info.status.as_str().to_owned(),
        action: action.map(str::to_owned),
        chart_name: metadata.name,
        chart_version: metadata.version,
        app_version: text(&metadata.app_version),
        config_digest: digest::config(algorithm, &record.config).to_string(),
        first_deployed: required(record.info.first_deployed),
        last_deployed: required(record.info.last_deployed),
        deleted: time(record.info.deleted),
        test_hooks: None,
        oci_digest: text(oci_digest),
    })
}

/// The tests of a record that the filters let through, and how they went.
pub fn tests(record: &Release, filters: &[TestFilter]) -> BTreeMap<String, TestHookStatus> {
    let hooks = record.hooks.iter().filter(|hook| hook.events.contains(&Event::Test));
    let time = |time: Option<chart::Time>| time.map(|time| stored_time(time.timestamp()));
    hooks
        .filter(|hook| is_selected(&hook.name, filters))
        .map(|hook| {
            let run = &hook.last_run;
            let status = TestHookStatus {
                last_started: time(run.started_at),
                last_completed: time(run.completed_at),
                phase: (!run.phase.is_empty()).then(|| run.phase.clone()),
            };
            (hook.name.clone(), status)
        })
        .collect()
}

fn is_selected(name: &str, filters: &[TestFilter]) -> bool {
    let excluded = filters.iter().any(|filter| filter.exclude && filter.name == name);
    let mut included = filters.iter().filter(|filter| !filter.exclude).peekable();
    !excluded && (included.peek().is_none() || included.any(|filter| filter.name == name))
}

/// What is known of one release: namespace and name with its revision, as messages name it.
pub fn full_name(snapshot: &ReleaseSnapshot) -> String {
    format!("{}/{}.v{}", snapshot.namespace, snapshot.name, snapshot.version)
}

/// Chart and version of a release, as messages name them.
pub fn chart_name(snapshot: &ReleaseSnapshot) -> String {
    format!("{}@{}", snapshot.chart_name, snapshot.chart_version)
}

/// Whether a snapshot is that of a record.
pub fn targets(snapshot: &ReleaseSnapshot, record: &Release) -> bool {
    snapshot.name == record.name
        && snapshot.namespace == record.namespace
        && snapshot.version == record.version
}

/// Whether the tests of a release have run, or there are none.
pub fn is_tested(snapshot: &ReleaseSnapshot) -> bool {
    let phase = |test: &TestHookStatus, phase: &str| test.phase.as_deref() == Some(phase);
    snapshot.test_hooks.as_ref().is_some_and(|tests| {
        tests.values().any(|test| phase(test, FAILED)) || tests.values().all(|test| phase(test, SUCCEEDED))
    })
}

/// Whether a test of a release failed.
pub fn has_failed_test(snapshot: &ReleaseSnapshot) -> bool {
    let mut tests = snapshot.test_hooks.iter().flat_map(BTreeMap::values);
    tests.any(|test| test.phase.as_deref() == Some(FAILED))
}

/// Puts the newest revision first, whatever order a history came in.
pub fn sort(history: &mut [ReleaseSnapshot]) {
    history.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.version));
}

/// Index of the newest release before the last one that is worth returning to.
fn good(history: &[ReleaseSnapshot], ignore_tests: bool) -> Option<usize> {
    let good = |snapshot: &ReleaseSnapshot| {
        matches!(snapshot.status.as_str(), "deployed" | "superseded")
            && (ignore_tests || !has_failed_test(snapshot))
    };
    history.iter().skip(1).position(good).map(|index| index + 1)
}

/// The newest release before the last one that is worth returning to.
pub fn previous(history: &[ReleaseSnapshot], ignore_tests: bool) -> Option<&ReleaseSnapshot> {
    history.get(good(history, ignore_tests)?)
}

/// How a history is shortened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trim {
    /// Not at all.
    Keep,
    /// To the newest few.
    Newest,
    /// To what a remedy needs: the last release, and back to the one that is worth returning to.
    ToPrevious {
        /// Whether a release with failed tests is one.
        ignore_tests: bool,
    },
}

/// Shortens a history.
pub fn trim(history: &mut Vec<ReleaseSnapshot>, how: Trim) {
    sort(history);
    let keep = match how {
        Trim::Keep => history.len(),
        Trim::Newest => LONGEST,
        Trim::ToPrevious { ignore_tests } => good(history, ignore_tests).map_or(LONGEST, |index| index + 1),
    };
    history.truncate(keep);
}

/// Replaces the snapshot of a record, if there is one, by what the record says now. The tests stay.
///
/// # Errors
/// A record that cannot be digested.
pub fn update(
    history: &mut [ReleaseSnapshot],
    algorithm: Algorithm,
    record: &Release,
    action: Option<&str>,
) -> Result<bool, digest::Error> {
    let Some(old) = history.iter_mut().find(|old| targets(old, record)) else { return Ok(false) };
    let oci_digest = old.oci_digest.clone().unwrap_or_default();
    let mut new = snapshot(algorithm, record, action, &oci_digest)?;
    new.test_hooks = old.test_hooks.take();
    *old = new;
    Ok(true)
}

#[cfg(test)]
mod checks {
    use super::*;
    use serde_json::json;

    fn entry(version: i64, status: &str, tests: Option<&[&str]>) -> ReleaseSnapshot {
        let tests = tests.map(|phases| {
            let tests = phases.iter().enumerate();
            tests
                .map(|(index, phase)| {
                    let phase = (!phase.is_empty()).then(|| (*phase).to_owned());
                    (format!("t{index}"), TestHookStatus { phase, ..Default::default() })
                })
                .collect()
        });
        ReleaseSnapshot { version, status: status.into(), test_hooks: tests, ..Default::default() }
    }

    fn versions(history: &[ReleaseSnapshot]) -> Vec<i64> {
        history.iter().map(|snapshot| snapshot.version).collect()
    }

    #[test]
    fn tests_count_as_run() {
        for (tests, tested, failed) in [
            (None, false, false),
            (Some(vec![]), true, false),
            (Some(vec!["Succeeded", "Succeeded"]), true, false),
            (Some(vec!["Succeeded", "Failed"]), true, true),
            (Some(vec!["", "Failed"]), true, true),
            (Some(vec!["", "Succeeded"]), false, false),
            (Some(vec!["Running"]), false, false),
        ] {
            let snapshot = entry(1, "deployed", tests.as_deref());
            assert_eq!((is_tested(&snapshot), has_failed_test(&snapshot)), (tested, failed), "{tests:?}");
        }
    }

    #[test]
    fn a_release_to_return_to() {
        let failed = Some(&["Failed"][..]);
        let history = [
            entry(4, "failed", None),
            entry(3, "superseded", failed),
            entry(2, "uninstalled", None),
            entry(1, "deployed", None),
        ];
        assert_eq!(previous(&history, false).map(|s| s.version), Some(1));
        assert_eq!(previous(&history, true).map(|s| s.version), Some(3));
        assert_eq!(previous(&history[..1], true), None);
        assert_eq!(previous(&[], true), None);
    }

    #[test]
    fn histories_are_trimmed() {
        let history = || {
            let mut history: Vec<_> = (1..=7).map(|version| entry(version, "failed", None)).collect();
            history[2].status = "superseded".into();
            history
        };
        let trimmed = |mut history: Vec<ReleaseSnapshot>, how| {
            trim(&mut history, how);
            versions(&history)
        };
        assert_eq!(trimmed(history(), Trim::Keep), [7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(trimmed(history(), Trim::Newest), [7, 6, 5, 4, 3]);
        let mut older = history();
        older[2].status = "failed".into();
        older[0].status = "deployed".into();
        assert_eq!(trimmed(older, Trim::ToPrevious { ignore_tests: false }), [7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(trimmed(history(), Trim::ToPrevious { ignore_tests: true }), [7, 6, 5, 4, 3]);
        let none: Vec<_> = (1..=7).map(|version| entry(version, "failed", None)).collect();
        assert_eq!(trimmed(none, Trim::ToPrevious { ignore_tests: true }), [7, 6, 5, 4, 3]);
    }

    fn record(version: i64, status: &str) -> Release {
        serde_json::from_value(json!({
            "name": "r", "namespace": "n", "version": version,
            "info": {"status": status, "first_deployed": "2026-01-02T03:04:05.678Z"},
            "chart": {"metadata": {"name": "c", "version": "1.0.0", "appVersion": "2"}},
            "hooks": [
                {"name": "one", "events": ["test"], "last_run": {"phase": "Succeeded", "started_at": "2026-01-02T03:04:05.9Z"}},
                {"name": "two", "events": ["test"], "last_run": {"phase": ""}},
                {"name": "other", "events": ["pre-install"]},
            ],
        }))
        .unwrap()
    }

    #[test]
    fn snapshots_recognise_their_record() {
        let made = snapshot(Algorithm::Sha256, &record(1, "deployed"), Some("install"), "sha256:x").unwrap();
        assert_eq!(verify(&made, &record(1, "deployed")).unwrap(), Verification::Same);
        assert_eq!(verify(&made, &record(1, "failed")).unwrap(), Verification::Foreign);
        assert_eq!((full_name(&made), chart_name(&made)), ("n/r.v1".to_owned(), "c@1.0.0".to_owned()));
        let written = serde_json::to_value(&made).unwrap();
        assert_eq!(written["firstDeployed"], "2026-01-02T03:04:05Z");
        assert_eq!(written["lastDeployed"], "1970-01-01T00:00:00Z", "required, though nobody knows");
        assert_eq!(written["ociDigest"], "sha256:x");
        assert!(written.get("deleted").is_none() && written.get("testHooks").is_none());
        let spoilt = ReleaseSnapshot { digest: "nonsense".into(), ..made.clone() };
        assert_eq!(verify(&spoilt, &record(1, "deployed")).unwrap(), Verification::NoDigest);
        let old = ReleaseSnapshot { api_version: None, ..spoilt };
        assert_eq!(verify(&old, &record(1, "failed")).unwrap(), Verification::Same);
    }

    #[test]
    fn tests_are_listed_as_the_filters_say() {
        let names = |filters: serde_json::Value| -> Vec<String> {
            let filters: Vec<TestFilter> = serde_json::from_value(filters).unwrap();
            tests(&record(1, "deployed"), &filters).into_keys().collect()
        };
        assert_eq!(names(json!([])), ["one", "two"]);
        assert_eq!(names(json!([{"name": "one"}])), ["one"]);
        assert_eq!(names(json!([{"name": "one", "exclude": true}])), ["two"]);
        assert_eq!(names(json!([{"name": "two"}, {"name": "two", "exclude": true}])), Vec::<String>::new());
    }

    #[test]
    fn a_record_that_is_written_again_updates_its_snapshot() {
        let mut history = vec![
            entry(2, "deployed", None),
            snapshot(Algorithm::Sha256, &record(1, "deployed"), Some("install"), "sha256:x").unwrap(),
        ];
        history[1].test_hooks = Some(BTreeMap::new());
        assert!(update(&mut history, Algorithm::Sha256, &record(1, "superseded"), None).unwrap());
        let updated = &history[1];
        assert_eq!((updated.status.as_str(), updated.action.as_deref()), ("superseded", None));
        assert!(updated.test_hooks.is_some() && updated.oci_digest.is_some());
        assert!(!update(&mut history, Algorithm::Sha256, &record(9, "failed"), None).unwrap());
    }
}

//! The rules of kstatus, one object a branch: `tests/cases/*.yaml`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
use std::path::Path;

use jiff::Timestamp;
use kstatus::{Deleting, Health, PodCensus, Status, Tally, assess, tally, with_pods};
use serde_json::{Value, json};

fn now() -> Timestamp {
    "2026-01-01T00:01:00Z".parse().unwrap()
}

#[test]
fn every_case_of_the_tables() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut seen = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let table: Value = serde_saphyr::from_str(&text).unwrap();
        let base = &table["base"];
        for case in table["cases"].as_array().unwrap() {
            let name = case["name"].as_str().unwrap();
            let mut object = base.clone();
            overlay(&mut object, &case["object"]);
            let health = assess(&object, now());
            let expected = case["status"].as_str().unwrap();
            seen += 1;
            if health.status.to_string() != expected {
                wrong.push(format!("{}: {name}: expected {expected}, got {health:?}", path.display()));
            }
            if let Some(message) = case["message"].as_str()
                && health.message != message
            {
                wrong.push(format!(
                    "{}: {name}: expected message {message:?}, got {:?}",
                    path.display(),
                    health.message
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 80, "only {seen} cases were read");
}

/// A null removes, mappings merge, everything else replaces.
fn overlay(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                if value.is_null() {
                    base.remove(key);
                } else {
                    overlay(base.entry(key).or_insert(json!({})), value);
                }
            }
        }
        (base, over) => *base = over.clone(),
    }
}

#[test]
fn unschedulable_turns_into_failure_by_time() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "creationTimestamp": "2026-01-01T00:00:50Z"},
        "status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no nodes"}]}});
    let early = assess(&pod, now());
    assert_eq!(early.status, Status::InProgress);
    let later = assess(&pod, early.changes_at.unwrap());
    assert_eq!(later.status, Status::Failed);
    assert_eq!(later.message, "Pod is unschedulable: no nodes");
}

#[test]
fn failed_pods_fail_their_owner_while_it_is_in_progress() {
    let crashing = Health::new(Status::Failed, "containers crash in a loop: app");
    let open = Health::new(Status::InProgress, "0 of 1 replicas ready");

    let mut census = PodCensus::default();
    census.add("gone", Deleting::Yes, &crashing);
    let mut queued = crashing.clone();
    queued.unschedulable = true;
    census.add("queued", Deleting::No, &queued);
    assert_eq!(with_pods(open.clone(), &census), open);

    census.add("web-0", Deleting::No, &crashing);
    let failed = with_pods(open, &census);
    assert_eq!(failed.status, Status::Failed);
    assert_eq!(failed.message, "1 pods have failed (web-0: containers crash in a loop: app)");
    let current = Health::new(Status::Current, "");
    assert_eq!(with_pods(current.clone(), &census), current);
}

#[test]
fn sets() {
    let of = |list: &[Status]| {
        let healths: Vec<Health> = list.iter().map(|s| Health::new(*s, "")).collect();
        tally(&healths)
    };
    use Status::{Current, Failed, InProgress, NotFound, Terminating, Unknown};
    assert_eq!(of(&[]), Tally::AllCurrent);
    assert_eq!(of(&[Current, Current]), Tally::AllCurrent);
    for open in [InProgress, Unknown, NotFound, Terminating] {
        assert_eq!(of(&[Current, open]), Tally::Waiting);
        assert_eq!(of(&[Failed, open]), Tally::SomeFailed);
    }
    assert_eq!(of(&[Current, Failed]), Tally::Settled);
}

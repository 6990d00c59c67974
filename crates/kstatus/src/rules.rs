use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::generic::{at, conditions, int, text};
use crate::{Health, Status};

/// How long a Pod may be unschedulable before that counts as a failure (a node may be on its way).
const SCHEDULING_WINDOW: SignedDuration = SignedDuration::from_secs(15);

/// The rule of a built-in kind; `None` for kinds without one. Its result is final: `Ready` is not asked afterwards.
pub(crate) fn of_kind(object: &Value, group: &str, kind: &str, now: Timestamp) -> Option<Health> {
    Some(match (group, kind) {
        ("", "Service") => service(object),
        ("", "Secret" | "ConfigMap") | ("batch", "CronJob") | ("policy", "PodDisruptionBudget") => {
            Health::current()
        }
        ("", "PersistentVolumeClaim") => volume_claim(object),
        ("", "Pod") => pod(object, now),
        ("apps" | "extensions", "Deployment") => deployment(object),
        ("apps", "StatefulSet") => stateful_set(object),
        ("apps" | "extensions", "DaemonSet") => daemon_set(object),
        ("apps" | "extensions", "ReplicaSet") => replica_set(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(object),
        _ => return None,
    })
}

pub(crate) fn job(object: &Value) -> Health {
    if at(object, &["spec", "suspend"]) == Some(&Value::Bool(true)) {
        return Health::new(Status::Current, "Job is suspended");
    }
    conditions(object)
        .find_map(|c| match (c.kind, c.status) {
            ("Complete", "True") => Some(Health::new(Status::Current, "Job is complete")),
            ("Failed", "True") => Some(Health::failed(c.explain())),
            _ => None,
        })
        .unwrap_or_else(|| Health::in_progress("Job is not complete"))
}

fn service(object: &Value) -> Health {
    let waits =
        text(object, &["spec", "type"]) == "LoadBalancer" && text(object, &["spec", "clusterIP"]).is_empty();
    if waits { Health::in_progress("no clusterIP assigned") } else { Health::current() }
}

fn volume_claim(object: &Value) -> Health {
    match text(object, &["status", "phase"]) {
        "Bound" => Health::current(),
        "" => Health::in_progress("claim is not bound"),
        phase => Health::in_progress(format!("claim is not bound: phase {phase}")),
    }
}

fn pod(object: &Value, now: Timestamp) -> Health {
    match text(object, &["status", "phase"]) {
        "Succeeded" => Health::new(Status::Current, "Pod has succeeded"),
        "Failed" => Health::new(Status::Current, "Pod has ended with a failure"),
        "Running" => running_pod(object),
        "Pending" => pending_pod(object, now),
        "" => Health::in_progress("Pod has no phase yet"),
        other => Health::new(Status::Unknown, format!("Pod has an unknown phase: {other}")),
    }
}

fn running_pod(object: &Value) -> Health {
    if conditions(object).any(|c| c.is("Ready") && c.status == "True") {
        return Health::current();
    }
    let crashing: Vec<&str> = containers_waiting(object)
        .filter(|(_, reason)| *reason == "CrashLoopBackOff")
        .map(|(name, _)| name)
        .collect();
    if !crashing.is_empty() {
        return Health::failed(format!("containers crash in a loop: {}", crashing.join(", ")));
    }
    Health::in_progress(waiting_text(object).unwrap_or_else(|| "Pod is not ready".to_owned()))
}

fn pending_pod(object: &Value, now: Timestamp) -> Health {
    let unschedulable = conditions(object)
        .find(|c| c.is("PodScheduled") && c.status == "False" && c.reason == "Unschedulable");
    let Some(condition) = unschedulable else {
        return Health::in_progress(waiting_text(object).unwrap_or_else(|| "Pod is pending".to_owned()));
    };
    let message = format!("Pod is unschedulable: {}", condition.message);
    let created = text(object, &["metadata", "creationTimestamp"]).parse::<Timestamp>();
    match created.and_then(|c| c.checked_add(SCHEDULING_WINDOW)) {
        Ok(deadline) if now < deadline => {
            Health { status: Status::InProgress, message, changes_at: Some(deadline), unschedulable: true }
        }
        _ => Health { unschedulable: true, ..Health::failed(message) },
    }
}

fn containers_waiting(object: &Value) -> impl Iterator<Item = (&str, &str)> {
    at(object, &["status", "containerStatuses"])
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|c| (text(c, &["name"]), text(c, &["state", "waiting", "reason"])))
        .filter(|(_, reason)| !reason.is_empty())
}

fn waiting_text(object: &Value) -> Option<String> {
    let waiting: Vec<String> = containers_waiting(object)
        .map(|(name, reason)| format!("container {name} waits: {reason}"))
        .collect();
    (!waiting.is_empty()).then(|| waiting.join(", "))
}

fn deployment(object: &Value) -> Health {
    let deadline = int(object, &["spec", "progressDeadlineSeconds"]);
    // Without a deadline the controller reports no progress, so the counts alone decide.
    let mut progressing = matches!(deadline, None | Some(2_147_483_647));
    let mut available = false;
    for c in conditions(object) {
        match c.kind {
            "Progressing" if c.reason == "ProgressDeadlineExceeded" => {
                return Health::failed(c.explain());
            }
            "Progressing" if c.status == "True" && c.reason == "NewReplicaSetAvailable" => {
                progressing = true;
            }
            "Available" if c.status == "True" => available = true,
            _ => {}
        }
    }
    let want = int(object, &["spec", "replicas"]).unwrap_or(1);
    let count = |field| int(object, &["status", field]).unwrap_or(0);
    let (replicas, updated) = (count("replicas"), count("updatedReplicas"));
    let (ready, up) = (count("readyReplicas"), count("availableReplicas"));
    if want > replicas {
        return Health::in_progress(format!("{replicas} of {want} replicas created"));
    }
    if want > updated {
        return Health::in_progress(format!("{updated} of {want} replicas updated"));
    }
    if replicas > want {
        return Health::in_progress(format!("{} old replicas to go", replicas - want));
    }
    if updated > up {
        return Health::in_progress(format!("{up} of {updated} replicas available"));
    }
    if want > ready {
        return Health::in_progress(format!("{ready} of {want} replicas ready"));
    }
    if !progressing {
        return Health::in_progress("new ReplicaSet is not available");
    }
    if !available {
        return Health::in_progress("Deployment is not available");
    }
    Health::new(Status::Current, format!("{replicas} replicas available"))
}

fn stateful_set(object: &Value) -> Health {
    if text(object, &["spec", "updateStrategy", "type"]) == "OnDelete" {
        return Health::new(Status::Current, "update strategy is OnDelete");
    }
    let want = int(object, &["spec", "replicas"]).unwrap_or(1);
    let count = |field| int(object, &["status", field]).unwrap_or(0);
    let (replicas, ready) = (count("replicas"), count("readyReplicas"));
    if want > replicas {
        return Health::in_progress(format!("{replicas} of {want} replicas created"));
    }
    if want > ready {
        return Health::in_progress(format!("{ready} of {want} replicas ready"));
    }
    if replicas > want {
        return Health::in_progress(format!("{} replicas to go", replicas - want));
    }
    let partition = int(object, &["spec", "updateStrategy", "rollingUpdate", "partition"]);
    if let Some(partition) = partition {
        let (updated, wanted) = (count("updatedReplicas"), want - partition);
        return if updated < wanted {
            Health::in_progress(format!("{updated} of {wanted} replicas updated above the partition"))
        } else {
            Health::new(Status::Current, "partitioned rollout is complete")
        };
    }
    let current = count("currentReplicas");
    if want > current {
        return Health::in_progress(format!("{current} of {want} replicas current"));
    }
    let revision = |field| text(object, &["status", field]);
    if revision("currentRevision") != revision("updateRevision") {
        return Health::in_progress("waiting for the update revision to become the current one");
    }
    Health::new(Status::Current, format!("{replicas} replicas ready"))
}

fn daemon_set(object: &Value) -> Health {
    if int(object, &["metadata", "generation"]).is_none()
        || int(object, &["status", "observedGeneration"]).is_none()
    {
        return Health::in_progress("DaemonSet generation is not observed yet");
    }
    let Some(want) = int(object, &["status", "desiredNumberScheduled"]) else {
        return Health::in_progress("DaemonSet does not know how many Pods it wants");
    };
    let counts = [
        ("currentNumberScheduled", "scheduled"),
        ("updatedNumberScheduled", "updated"),
        ("numberAvailable", "available"),
        ("numberReady", "ready"),
    ];
    for (field, word) in counts {
        let have = int(object, &["status", field]).unwrap_or(0);
        if want > have {
            return Health::in_progress(format!("{have} of {want} Pods {word}"));
        }
    }
    Health::new(Status::Current, format!("{want} Pods available"))
}

fn replica_set(object: &Value) -> Health {
    if let Some(c) = conditions(object).find(|c| c.is("ReplicaFailure") && c.status == "True") {
        return Health::in_progress(c.explain());
    }
    let want = int(object, &["spec", "replicas"]).unwrap_or(1);
    let count = |field| int(object, &["status", field]).unwrap_or(0);
    let counts = [
        ("fullyLabeledReplicas", "labelled"),
        ("availableReplicas", "available"),
        ("readyReplicas", "ready"),
    ];
    for (field, word) in counts {
        let have = count(field);
        if want > have {
            return Health::in_progress(format!("{have} of {want} replicas {word}"));
        }
    }
    let replicas = count("replicas");
    if replicas > want {
        return Health::in_progress(format!("{} replicas to go", replicas - want));
    }
    Health::new(Status::Current, format!("{replicas} replicas available"))
}

fn definition(object: &Value) -> Health {
    conditions(object)
        .find_map(|c| match (c.kind, c.status) {
            ("NamesAccepted", "False") => Some(Health::failed(c.explain())),
            ("Established", "False") if c.reason != "Installing" => Some(Health::failed(c.explain())),
            ("Established", "True") => Some(Health::new(Status::Current, "CRD is established")),
            _ => None,
        })
        .unwrap_or_else(|| Health::in_progress("definition is being installed"))
}

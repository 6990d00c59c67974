//! Comparing what releases leave in a cluster, without what differs from run to run.

use serde_json::Value;

/// Fails with the places where two values differ.
#[allow(dead_code, reason = "not every test that includes this file calls it")]
pub fn same(what: &str, ours: &Value, theirs: &Value) {
    let found = differ(ours, theirs);
    assert!(found.is_empty(), "{what} differ (ours, theirs):\n{}", found.join("\n"));
}

/// The places where two values differ, with what is there.
pub fn differ(ours: &Value, theirs: &Value) -> Vec<String> {
    let mut found = Vec::new();
    differences("", ours, theirs, &mut found);
    found
}

fn differences(path: &str, a: &Value, b: &Value, found: &mut Vec<String>) {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let null = Value::Null;
                let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(null.clone());
                differences(&format!("{path}/{key}"), &of(a), &of(b), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}/{i}"), a, b, found);
            }
        }
        _ if a == b => {}
        (Value::Array(a), Value::Array(b)) => {
            let name = |item: &Value| match item.pointer("/metadata/name").or_else(|| item.get("name")) {
                Some(name) => format!("{}/{name}", item["kind"]),
                None => item.to_string(),
            };
            let missing = |from: &[Value], of: &[Value]| -> Vec<String> {
                let of: Vec<String> = of.iter().map(name).collect();
                from.iter().map(name).filter(|one| !of.contains(one)).collect()
            };
            found.push(format!("{path}: only here {:?} | only there {:?}", missing(a, b), missing(b, a)));
        }
        _ => found.push(format!("{path}: {a} | {b}")),
    }
}

/// Takes out what the API server and controllers add.
pub fn plain(object: &mut Value) {
    object.as_object_mut().unwrap().remove("status");
    let metadata = object["metadata"].as_object_mut().unwrap();
    for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "selfLink"] {
        metadata.remove(field);
    }
    if let Some(entries) = metadata.get_mut("managedFields").and_then(Value::as_array_mut) {
        entries.retain(|entry| entry["manager"] == "helm");
        entries.iter_mut().for_each(|entry| {
            entry.as_object_mut().unwrap().remove("time");
        });
        entries.sort_by_key(|entry| entry["operation"].to_string());
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove("deployment.kubernetes.io/revision");
        annotations.remove("deprecated.daemonset.template.generation");
    }
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        for field in ["clusterIP", "clusterIPs", "healthCheckNodePort"] {
            spec.remove(field);
        }
        for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
            port.as_object_mut().unwrap().remove("nodePort");
        }
    }
    // Labels of Pods that name their Job's uid.
    if object["kind"] == "Job" {
        object["metadata"]["labels"] = Value::Null;
        object["spec"]["selector"] = Value::Null;
        object["spec"]["template"]["metadata"]["labels"] = Value::Null;
    }
}

/// A record without the times in it.
pub fn timeless(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                let is_time = [
                    "first_deployed",
                    "last_deployed",
                    "deleted",
                    "started_at",
                    "completed_at",
                    "modtime",
                    "schemamodtime",
                ]
                .contains(&key.as_str());
                *inner = if is_time { "TIME".into() } else { timeless(inner.take()) };
            }
            // Files on disk have times, those in memory have none.
            // Helm 4.3 notes in `rollback_revision` which revision came back, the one in helm-controller does not.
            map.retain(|key, _| !["modtime", "schemamodtime", "rollback_revision"].contains(&key.as_str()));
            // The API server quotes live objects, with their times.
            if let Some(Value::String(text)) = map.get_mut("description") {
                text.truncate(text.find("Invalid value: ").unwrap_or(text.len()));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = timeless(item.take())),
        _ => {}
    }
    value
}

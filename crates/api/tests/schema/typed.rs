//! The Rust types hold what the API server accepts.

use api::{
    helm::HelmRelease,
    kustomize::Kustomization,
    notification::{Alert, Provider, Receiver},
    source::{Bucket, ExternalArtifact, GitRepository, HelmChart, HelmRepository, OCIRepository},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::cases::{Expected, all, merge};

#[test]
fn accepted_objects_survive_a_trip_through_the_types() {
    let mut failures = Vec::new();
    let mut count = 0;
    for case in all().into_iter().filter(|case| matches!(case.expected, Expected::Accepted(_))) {
        count += 1;
        let mut object = case.object.clone();
        // The API server fills in defaults before a controller reads the object.
        if let Expected::Accepted(Some(read)) = &case.expected {
            merge(&mut object, read);
        }
        object["metadata"] = serde_json::json!({"name": "x"});
        let expected = without_empty(object.clone());
        match through(&case.kind, object) {
            Ok(mut back) => {
                let fields = back.as_object_mut().unwrap();
                fields.remove("apiVersion");
                fields.remove("kind");
                let back = without_empty(back);
                if back != expected {
                    failures.push(format!("{} {}:\n  sent {expected}\n  kept {back}", case.kind, case.title));
                }
            }
            Err(error) => failures.push(format!("{} {}: {error}", case.kind, case.title)),
        }
    }
    assert!(failures.is_empty(), "{} of {count} failed:\n{}", failures.len(), failures.join("\n"));
    assert!(count > 400, "only {count} cases");
}

fn through(kind: &str, object: Value) -> serde_json::Result<Value> {
    match kind {
        "GitRepository" => trip::<GitRepository>(object),
        "OCIRepository" => trip::<OCIRepository>(object),
        "Bucket" => trip::<Bucket>(object),
        "HelmRepository" => trip::<HelmRepository>(object),
        "HelmChart" => trip::<HelmChart>(object),
        "ExternalArtifact" => trip::<ExternalArtifact>(object),
        "Kustomization" => trip::<Kustomization>(object),
        "HelmRelease" => trip::<HelmRelease>(object),
        "Receiver" => trip::<Receiver>(object),
        "Provider" => trip::<Provider>(object),
        "Alert" => trip::<Alert>(object),
        other => panic!("no type for kind {other}"),
    }
}

fn trip<T: DeserializeOwned + Serialize>(object: Value) -> serde_json::Result<Value> {
    serde_json::to_value(serde_json::from_value::<T>(object)?)
}

/// Leaves out fields that say no more than their absence does.
fn without_empty(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(key, value)| (key, without_empty(value)))
                .filter(|(_, value)| !is_empty(value))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_empty).collect()),
        other => other,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

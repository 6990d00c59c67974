//! Taking over the fields of other managers: what `kubectl` and older Flux versions left on an object becomes ours, so
//! that it goes away when the manifest does not have it.

use serde_json::{Map, Value, json};

use crate::policy::Policy;

const ANNOTATIONS: [&str; 3] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "kustomize.toolkit.fluxcd.io/checksum",
    "fluxcd.io/sync-checksum",
];
const LABELS: [&str; 1] = ["fluxcd.io/sync-gc-mark"];

/// An annotation that an apply removes.
pub(crate) fn stale_annotation(key: &str) -> bool {
    ANNOTATIONS.contains(&key)
}

/// A label that an apply removes.
pub(crate) fn stale_label(key: &str) -> bool {
    LABELS.contains(&key)
}

/// Whether the fields of a manager are taken over. Manager names match by prefix: kubectl adds the command to its own.
pub(crate) fn takes(policy: &Policy, manager: &str, operation: &str, subresource: &str) -> bool {
    if !subresource.is_empty() {
        return false;
    }
    let (apply, update) = (operation == "Apply", operation == "Update");
    (manager.starts_with("kubectl") && (apply || update))
        || (manager.starts_with("before-first-apply") && update)
        || (manager.starts_with(&policy.field_manager) && update)
        || ((apply || update) && policy.override_managers.iter().any(|m| manager.starts_with(m.as_str())))
}

/// The JSON patch that cleans a live object up; empty when it is clean.
pub(crate) fn patch(live: &Value, policy: &Policy) -> Vec<Value> {
    let mut operations = Vec::new();
    for field in ["annotations", "labels"] {
        let stale = |key: &str| if field == "labels" { stale_label(key) } else { stale_annotation(key) };
        let present = live.get("metadata").and_then(|m| m.get(field)).and_then(Value::as_object);
        for key in present.into_iter().flat_map(Map::keys).filter(|k| stale(k)) {
            let escaped = key.replace('~', "~0").replace('/', "~1");
            operations.push(json!({"op": "remove", "path": format!("/metadata/{field}/{escaped}")}));
        }
    }
    if let Some(entries) = folded(live, policy) {
        operations.push(json!({"op": "replace", "path": "/metadata/managedFields", "value": entries}));
    }
    operations
}

/// The JSON patch that gives every managed-fields entry the desired API version; empty when all have it.
pub(crate) fn migration_patch(live: &Value, api_version: &str) -> Vec<Value> {
    managed_fields(live)
        .iter()
        .enumerate()
        .filter(|(_, e)| e.get("apiVersion").and_then(Value::as_str) != Some(api_version))
        .map(|(i, _)| json!({"op": "replace", "path": format!("/metadata/managedFields/{i}/apiVersion"), "value": api_version}))
        .collect()
}

fn managed_fields(live: &Value) -> &[Value] {
    live.pointer("/metadata/managedFields").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(entry: &'a Value, key: &str) -> &'a str {
    entry.get(key).and_then(Value::as_str).unwrap_or("")
}

/// The managed-fields list with the entries of taken-over managers folded into ours, or `None` when there are none.
fn folded(live: &Value, policy: &Policy) -> Option<Vec<Value>> {
    let taken = |e: &Value| takes(policy, text(e, "manager"), text(e, "operation"), text(e, "subresource"));
    let ours = |e: &Value| {
        text(e, "manager") == policy.field_manager
            && text(e, "operation") == "Apply"
            && text(e, "subresource").is_empty()
    };
    let entries = managed_fields(live);
    let first_taken = entries.iter().find(|e| taken(e))?;
    // Without an entry of our own the first one that matches becomes ours, with its API version and time.
    let mut own = entries.iter().find(|e| ours(e)).unwrap_or(first_taken).clone();
    if let Some(own) = own.as_object_mut() {
        own.insert("manager".to_owned(), policy.field_manager.clone().into());
        own.insert("operation".to_owned(), "Apply".into());
    }
    let mut fields = own.get("fieldsV1").cloned().unwrap_or_else(|| json!({}));
    for entry in entries.iter().filter(|e| taken(e)) {
        if let Some(theirs) = entry.get("fieldsV1") {
            unite(&mut fields, theirs);
        }
    }
    if let Some(own) = own.as_object_mut() {
        own.insert("fieldsV1".to_owned(), fields);
    }
    let mut result = vec![own];
    result.extend(entries.iter().filter(|e| !taken(e) && !ours(e)).cloned());
    Some(result)
}

/// The union of two field sets: keys of both, united where both have them.
fn unite(into: &mut Value, from: &Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        for (key, value) in from {
            match into.get_mut(key) {
                Some(present) => unite(present, value),
                None => {
                    into.insert(key.clone(), value.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        let mut policy = Policy::new("kustomize-controller", "kustomize.toolkit.fluxcd.io");
        policy.override_managers = vec!["mine".into()];
        policy
    }

    fn entry(manager: &str, operation: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    #[test]
    fn which_managers() {
        let policy = policy();
        let table = [
            ("kubectl", "Apply", "", true),
            ("kubectl-edit", "Update", "", true),
            ("kubectl", "Update", "scale", false),
            ("before-first-apply", "Update", "", true),
            ("before-first-apply", "Apply", "", false),
            ("kustomize-controller", "Update", "", true),
            ("kustomize-controller", "Apply", "", false),
            ("mine-v2", "Apply", "", true),
            ("helm-controller", "Apply", "", false),
        ];
        for (manager, operation, subresource, expected) in table {
            assert_eq!(
                takes(&policy, manager, operation, subresource),
                expected,
                "{manager} {operation} {subresource}"
            );
        }
    }

    #[test]
    fn folds_into_our_entry_and_keeps_the_others() {
        let live = json!({"metadata": {"managedFields": [
            entry("hpa", "Update", json!({"f:spec": {"f:replicas": {}}})),
            entry("kustomize-controller", "Apply", json!({"f:data": {"f:a": {}}})),
            entry("kubectl-edit", "Update", json!({"f:data": {"f:b": {}, ".": {}}})),
        ]}});
        let operations = patch(&live, &policy());
        assert_eq!(operations.len(), 1);
        let entries = operations[0]["value"].as_array().unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0]["manager"], "kustomize-controller");
        assert_eq!(entries[0]["fieldsV1"], json!({"f:data": {"f:a": {}, "f:b": {}, ".": {}}}));
        assert_eq!(entries[1]["manager"], "hpa");
    }

    #[test]
    fn the_first_match_becomes_ours() {
        let live = json!({"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "keep": "x"},
            "managedFields": [entry("kubectl-client-side-apply", "Update", json!({"f:data": {}}))]}});
        let operations = patch(&live, &policy());
        assert_eq!(
            operations[0]["path"],
            "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration"
        );
        assert_eq!(operations[1]["value"][0]["manager"], "kustomize-controller");
        assert_eq!(operations[1]["value"][0]["operation"], "Apply");
        assert!(operations.get(2).is_none());
    }

    #[test]
    fn clean_objects_need_nothing() {
        let live =
            json!({"metadata": {"managedFields": [entry("kustomize-controller", "Apply", json!({}))]}});
        assert!(patch(&live, &policy()).is_empty());
    }

    #[test]
    fn migration() {
        let live = json!({"metadata": {"managedFields": [entry("a", "Apply", json!({})), {"manager": "b", "apiVersion": "v2"}]}});
        assert_eq!(
            migration_patch(&live, "v2"),
            [json!({"op": "replace", "path": "/metadata/managedFields/0/apiVersion", "value": "v2"})]
        );
        assert!(migration_patch(&live["metadata"], "v2").is_empty());
    }
}

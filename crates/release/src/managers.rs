//! Field managers: what one wrote without server-side apply becomes part of what it applies.

use serde_json::{Map, Value, json};

/// The JSON patch that folds the `Update` entries of a manager into its `Apply` entry; `None` when there is nothing to
/// do. It fails when the object has changed meanwhile.
pub(crate) fn migration(object: &Value, manager: &str) -> Option<Value> {
    let entries = object.pointer("/metadata/managedFields")?.as_array()?;
    let of = |entry: &Value, operation: &str| {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        text("manager") == manager && text("operation") == operation && text("subresource").is_empty()
    };
    let first = entries.iter().position(|entry| of(entry, "Update"))?;
    let mut kept = entries.clone();
    let place = match entries.iter().position(|entry| of(entry, "Apply")) {
        Some(place) => place,
        None => {
            // What it wrote becomes what it applied.
            if let Some(entry) = kept.get_mut(first).and_then(Value::as_object_mut) {
                entry.insert("operation".to_owned(), "Apply".into());
            }
            first
        }
    };
    let version = entries.get(place)?.get("apiVersion").cloned();
    let candidate =
        entries.iter().find(|entry| of(entry, "Update") && entry.get("apiVersion") == version.as_ref());
    let fields = candidate.and_then(|entry| entry.get("fieldsV1"));
    if let (Some(more), Some(entry)) = (fields, kept.get_mut(place).and_then(Value::as_object_mut)) {
        let own = entry.entry("fieldsV1").or_insert_with(|| Value::Object(Map::new()));
        unite(own, more);
    }
    kept.retain(|entry| !of(entry, "Update"));
    let version = object.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
    Some(json!([
        {"op": "replace", "path": "/metadata/managedFields", "value": kept},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
    ]))
}

fn unite(own: &mut Value, more: &Value) {
    if let (Some(own), Some(more)) = (own.as_object_mut(), more.as_object()) {
        for (key, value) in more {
            match own.get_mut(key) {
                Some(place) => unite(place, value),
                None => _ = own.insert(key.clone(), value.clone()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(entries: Value) -> Value {
        json!({"metadata": {"resourceVersion": "7", "managedFields": entries}})
    }

    #[test]
    fn updates_are_folded_into_what_is_applied() {
        let found = migration(
            &object(json!([
                {"manager": "helm", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:a": {}}}},
                {"manager": "helm", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:data": {".": {}, "f:b": {}}}},
                {"manager": "helm", "operation": "Update", "apiVersion": "v1", "subresource": "status", "fieldsV1": {}},
                {"manager": "other", "operation": "Update", "apiVersion": "v1", "fieldsV1": {}},
            ])),
            "helm",
        )
        .unwrap();
        let kept = found[0]["value"].as_array().unwrap();
        assert_eq!(kept.len(), 3);
        assert_eq!(kept[0]["fieldsV1"], json!({"f:data": {"f:a": {}, ".": {}, "f:b": {}}}));
        assert_eq!(found[1]["value"], "7");
    }

    #[test]
    fn without_updates_there_is_nothing_to_do() {
        let entries = json!([{"manager": "helm", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {}}]);
        assert_eq!(migration(&object(entries), "helm"), None);
        let entries =
            json!([{"manager": "helm", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:x": {}}}]);
        let found = migration(&object(entries), "helm").unwrap();
        assert_eq!(found[0]["value"][0]["operation"], "Apply");
        assert_eq!(found[0]["value"].as_array().unwrap().len(), 1);
    }
}

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

/// The JSON patch that makes the fields of some managers part of what ours applies; `None` when there is nothing to do.
pub(crate) fn takeover(object: &Value, manager: &str, others: &[String]) -> Option<Value> {
    let entries = object.pointer("/metadata/managedFields")?.as_array()?;
    let text =
        |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let theirs = |entry: &Value| {
        let name = text(entry, "manager");
        text(entry, "subresource").is_empty() && name != manager && others.contains(&name)
    };
    if !entries.iter().any(theirs) {
        return None;
    }
    let mut kept: Vec<Value> = entries.iter().filter(|entry| !theirs(entry)).cloned().collect();
    let ours = |entry: &Value| {
        text(entry, "manager") == manager
            && text(entry, "operation") == "Apply"
            && text(entry, "subresource").is_empty()
    };
    if !kept.iter().any(ours) {
        let mut entry = entries.iter().find(|entry| theirs(entry))?.clone();
        let fields = entry.as_object_mut()?;
        fields.insert("manager".to_owned(), manager.into());
        fields.insert("operation".to_owned(), "Apply".into());
        kept.push(entry);
    }
    let own = kept.iter_mut().find(|entry| ours(entry))?.as_object_mut()?;
    let own = own.entry("fieldsV1").or_insert_with(|| Value::Object(Map::new()));
    for more in entries.iter().filter(|entry| theirs(entry)).filter_map(|entry| entry.get("fieldsV1")) {
        unite(own, more);
    }
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
    fn fields_of_others_are_taken_over() {
        let found = takeover(
            &object(json!([
                {"manager": "ours", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:a": {}}}},
                {"manager": "kubectl", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:b": {}}}},
                {"manager": "other", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:c": {}}}},
            ])),
            "ours",
            &["kubectl".to_owned()],
        )
        .unwrap();
        let kept = found[0]["value"].as_array().unwrap();
        assert_eq!(kept.len(), 2);
        assert_eq!(kept[0]["fieldsV1"], json!({"f:data": {"f:a": {}, "f:b": {}}}));
        assert_eq!(takeover(&object(json!([])), "ours", &["kubectl".to_owned()]), None);
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

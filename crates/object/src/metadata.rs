use serde_json::{Map, Value};

/// The Flux object that owns applied objects, by the two ownership labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// Namespace of the owner.
    pub namespace: String,
    /// Name of the owner.
    pub name: String,
}

/// The keys of the ownership labels: `<group>/name` and `<group>/namespace`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerLabels {
    /// Such as `kustomize.toolkit.fluxcd.io/name`.
    pub name: String,
    /// Such as `kustomize.toolkit.fluxcd.io/namespace`.
    pub namespace: String,
}

impl OwnerLabels {
    /// For an API group such as `kustomize.toolkit.fluxcd.io`.
    pub fn of_group(group: &str) -> Self {
        Self { name: format!("{group}/name"), namespace: format!("{group}/namespace") }
    }
}

/// A string found by walking mapping keys.
pub fn string_at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(value, |at, key| at.get(key)).and_then(Value::as_str)
}

/// A label's value.
pub fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    string_at(object, &["metadata", "labels", key])
}

/// An annotation's value.
pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    string_at(object, &["metadata", "annotations", key])
}

/// Sets labels and annotations on an object; given values win over present ones.
pub fn set_common_metadata<'a>(
    object: &mut Value,
    labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    annotations: impl IntoIterator<Item = (&'a str, &'a str)>,
) {
    set_all(object, "labels", labels);
    set_all(object, "annotations", annotations);
}

/// Marks an object as owned.
pub fn set_owner_labels(object: &mut Value, keys: &OwnerLabels, owner: &Owner) {
    let labels =
        [(keys.name.as_str(), owner.name.as_str()), (keys.namespace.as_str(), owner.namespace.as_str())];
    set_all(object, "labels", labels);
}

fn set_all<'a>(object: &mut Value, field: &str, values: impl IntoIterator<Item = (&'a str, &'a str)>) {
    let mut values = values.into_iter().peekable();
    if values.peek().is_none() {
        return;
    }
    let Some(metadata) = entry_map(object, "metadata") else {
        return;
    };
    let Some(target) = child_map(metadata, field) else {
        return;
    };
    for (key, value) in values {
        target.insert(key.to_owned(), Value::String(value.to_owned()));
    }
}

fn entry_map<'a>(object: &'a mut Value, key: &str) -> Option<&'a mut Map<String, Value>> {
    child_map(object.as_object_mut()?, key)
}

/// The mapping under a key; made when absent, and when null (a key left empty in YAML).
fn child_map<'a>(map: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    let child = map.entry(key).or_insert(Value::Null);
    if child.is_null() {
        *child = Value::Object(Map::new());
    }
    child.as_object_mut()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn common_metadata_overrides_and_creates() {
        let mut object = json!({"metadata": {"labels": {"a": "1", "b": "2"}, "annotations": null}});
        set_common_metadata(&mut object, [("a", "x")], [("note", "y")]);
        assert_eq!(
            object,
            json!({"metadata": {"labels": {"a": "x", "b": "2"}, "annotations": {"note": "y"}}})
        );
    }

    #[test]
    fn nothing_given_changes_nothing() {
        let mut object = json!({"metadata": {"name": "x"}});
        set_common_metadata(&mut object, [], []);
        assert_eq!(object, json!({"metadata": {"name": "x"}}));
    }

    #[test]
    fn owner_labels() {
        let mut object = json!({"kind": "X"});
        let keys = OwnerLabels::of_group("kustomize.toolkit.fluxcd.io");
        let owner = Owner { namespace: "flux-system".into(), name: "apps".into() };
        set_owner_labels(&mut object, &keys, &owner);
        assert_eq!(label(&object, "kustomize.toolkit.fluxcd.io/name"), Some("apps"));
        assert_eq!(label(&object, "kustomize.toolkit.fluxcd.io/namespace"), Some("flux-system"));
    }
}

//! Whose an object is: Helm's label and annotations.

use serde_json::{Map, Value};

use crate::error::Error;
use crate::objects::{Built, metadata};

const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const HELM: &str = "Helm";
const RELEASE_NAME: &str = "meta.helm.sh/release-name";
const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";

/// Marks an object as part of a release.
pub(crate) fn mark(object: &mut Value, release: &str, namespace: &str) {
    let Some(metadata) = metadata(object) else { return };
    set(metadata, "labels", &[(MANAGED_BY, HELM)]);
    set(metadata, "annotations", &[(RELEASE_NAME, release), (RELEASE_NAMESPACE, namespace)]);
}

pub(crate) fn set(metadata: &mut Map<String, Value>, field: &str, pairs: &[(&str, &str)]) {
    let place = metadata.entry(field).or_insert_with(|| Value::Object(Map::new()));
    if !place.is_object() {
        *place = Value::Object(Map::new());
    }
    if let Some(map) = place.as_object_mut() {
        for (key, value) in pairs {
            map.insert((*key).to_owned(), (*value).into());
        }
    }
}

/// Checks that a live object is part of a release.
///
/// # Errors
/// What is missing or different, in Helm's words.
pub(crate) fn check(live: &Value, release: &str, namespace: &str) -> Result<(), String> {
    let mut problems = Vec::new();
    let marks = [
        ("labels", "label", MANAGED_BY, HELM),
        ("annotations", "annotation", RELEASE_NAME, release),
        ("annotations", "annotation", RELEASE_NAMESPACE, namespace),
    ];
    for (field, word, key, wanted) in marks {
        let found =
            live.get("metadata").and_then(|m| m.get(field)).and_then(|m| m.get(key)).and_then(Value::as_str);
        match found {
            Some(found) if found == wanted => {}
            Some(found) => problems.push(format!(
                "{word} validation error: key \"{key}\" must equal \"{wanted}\": current value is \"{found}\""
            )),
            None => problems
                .push(format!("{word} validation error: missing key \"{key}\": must be set to \"{wanted}\"")),
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!("invalid ownership metadata; {}", problems.join("; ")))
}

/// Whether the name of an object is to be generated.
///
/// # Errors
/// When it has both names.
pub(crate) fn generates_name(object: &Built) -> Result<bool, Error> {
    let generated =
        object.value.pointer("/metadata/generateName").and_then(Value::as_str).unwrap_or_default();
    match (object.is_nameless(), generated.is_empty()) {
        (true, false) => Ok(true),
        (false, false) => {
            Err(Error::Ownership("metadata.name and metadata.generateName cannot both be set".to_owned()))
        }
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn marks_are_set_and_checked() {
        let mut object = json!({"metadata": {"labels": {"a": "b"}, "annotations": null}});
        let problem = check(&object, "shop", "prod").unwrap_err();
        assert_eq!(
            problem,
            "invalid ownership metadata; label validation error: missing key \"app.kubernetes.io/managed-by\": must be set to \"Helm\"; \
             annotation validation error: missing key \"meta.helm.sh/release-name\": must be set to \"shop\"; \
             annotation validation error: missing key \"meta.helm.sh/release-namespace\": must be set to \"prod\""
        );
        mark(&mut object, "shop", "prod");
        assert_eq!(check(&object, "shop", "prod"), Ok(()));
        assert_eq!(object["metadata"]["labels"]["a"], "b");
        assert_eq!(
            check(&object, "other", "prod").unwrap_err(),
            "invalid ownership metadata; annotation validation error: key \"meta.helm.sh/release-name\" must equal \"other\": current value is \"shop\""
        );
    }
}

//! Documents: YAML from artifacts, as JSON values.

use serde_json::Value;
use yaml::{Profile, ReadLimits};

/// The first document of a kustomization file; null when there is none.
///
/// # Errors
/// What is not YAML, with its line.
pub fn first(bytes: &[u8]) -> Result<Value, String> {
    match yaml::read_first(bytes, Profile::V2, &ReadLimits::default()).map_err(|error| error.to_string())? {
        Some(value) => value.to_json().map_err(|error| error.to_string()),
        None => Ok(Value::Null),
    }
}

/// The documents of a text after substitution, by the rules of YAML 1.1: an unquoted `yes` is a boolean, `017` is 15.
///
/// # Errors
/// What is not YAML, with its line in the text; or what JSON does not have, such as `.nan`.
pub fn substituted(text: &str) -> Result<Vec<Value>, String> {
    let documents = yaml::read_all(text.as_bytes(), Profile::V2, &ReadLimits::default())
        .map_err(|error| error.to_string())?;
    documents.iter().map(|document| document.to_json().map_err(|error| error.to_string())).collect()
}

/// Why a file does not hold Kubernetes objects, if it does not.
pub fn why_not_kubernetes(bytes: &[u8]) -> Option<String> {
    let documents = match yaml::read_documents(bytes, &ReadLimits::default()) {
        Ok(documents) => documents,
        Err(error) => return Some(error.to_string()),
    };
    documents.iter().find_map(|document| {
        let line = document.line().max(1);
        let text =
            |path: &[&str]| document.at(path).and_then(yaml::Value::as_str).filter(|text| !text.is_empty());
        if document.as_map().is_none() {
            return Some(format!("line {line}: not a mapping"));
        }
        let Some(kind) = text(&["kind"]) else { return Some(format!("line {line}: missing kind")) };
        if kind.ends_with("List") && document.get("items").is_some() {
            return None;
        }
        if document.get("metadata").is_none() {
            return Some(format!("line {line}: missing Resource metadata of {kind}"));
        }
        text(&["metadata", "name"]).is_none().then(|| format!("line {line}: missing metadata.name of {kind}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The table of `kustomize-controller.md`, 10.2.
    #[test]
    fn substituted_scalars_change_their_type() {
        for (text, expected) in [
            ("yes", json!(true)),
            ("y", json!(true)),
            ("On", json!(true)),
            ("off", json!(false)),
            ("n", json!(false)),
            ("true", json!(true)),
            ("004", json!(4)),
            ("017", json!(15)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("0b11", json!(3)),
            ("1_000", json!(1000)),
            ("1e3", json!(1000)),
            ("1.0", json!(1)),
            ("~", json!(null)),
            ("null", json!(null)),
            ("", json!(null)),
            ("2001-01-01", json!("2001-01-01")),
            ("1:20:30", json!("1:20:30")),
            ("\"017\"", json!("017")),
            ("!!str 017", json!("017")),
        ] {
            assert_eq!(substituted(&format!("a: {text}\n")), Ok(vec![json!({"a": expected})]), "{text}");
        }
        for text in [".inf", ".nan", "b: c", "@x", "*x", "`x"] {
            assert!(substituted(&format!("a: {text}\n")).is_err(), "{text}");
        }
    }
}

//! The hash that kustomize adds to names: of JSON with sorted keys, in an alphabet without look-alikes and vowels.

use sha2::{Digest, Sha256};
use yaml::{Kind, Map, ScalarError, Value};

/// The hash of a ConfigMap, a Secret, or anything else.
///
/// # Errors
/// If the object cannot be written as JSON.
pub(super) fn of(object: &Value) -> Result<String, ScalarError> {
    let kind = object.get("kind").and_then(Value::text).unwrap_or_default();
    let text = match kind {
        "ConfigMap" | "Secret" => {
            let mut content = Map::new();
            content.insert("kind", kind);
            // Kustomize looks for a field that is called `metadata/name`, and finds none.
            content.insert("name", "");
            content.insert("data", field(object, "data"));
            let optional = if kind == "Secret" { "stringData" } else { "binaryData" };
            if object.get(optional).is_some_and(|value| value.kind() == Kind::Map) {
                content.insert(optional, field(object, optional));
            }
            if kind == "Secret" {
                content.insert("type", field(object, "type"));
            }
            yaml::to_go_json(&Value::Map(content))?
        }
        _ => yaml::to_go_json(object)?,
    };
    Ok(encode(&Sha256::digest(text.as_bytes())))
}

/// A field as it enters the hash: scalars by their text, absent ones as the empty string.
fn field(object: &Value, name: &str) -> Value {
    match object.get(name) {
        None => Value::str(""),
        Some(Value::Scalar(scalar)) => Value::str(scalar.shared_text()),
        Some(other) => other.clone(),
    }
}

fn encode(digest: &[u8]) -> String {
    let hex = digest.iter().take(5).flat_map(|byte| [byte >> 4, byte & 15]);
    hex.map(|nibble| match nibble {
        0 => 'g',
        1 => 'h',
        3 => 'k',
        10 => 'm',
        14 => 't',
        nibble => char::from_digit(u32::from(nibble), 16).unwrap_or('0'),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn hashes_like_kustomize() {
        // From kustomize's own documentation of its hashes.
        let empty = Value::from(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ""}, "data": {}}),
        );
        assert_eq!(of(&empty).unwrap().len(), 10);
        let literal = Value::from(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}}),
        );
        assert_eq!(of(&literal).unwrap(), "4h2mbtbbt6");
    }
}

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

const MASK: &str = "***";
const BEFORE: &str = "*** (before)";
const AFTER: &str = "*** (after)";

/// Shorter values are masked only where they stand in quotes: a one-letter value would blacken the whole message.
const BARE_MASK_MIN: usize = 4;

fn is_secret(object: &Value) -> bool {
    object.get("kind").and_then(Value::as_str) == Some("Secret")
        && object.get("apiVersion").and_then(Value::as_str) == Some("v1")
}

/// The object with the values of a Secret's `data` and `stringData` replaced by a mask. Other kinds come back as is.
pub fn masked(object: &Value) -> Value {
    let mut copy = object.clone();
    if is_secret(object) {
        for field in ["data", "stringData"] {
            if let Some(values) = copy.get_mut(field).and_then(Value::as_object_mut) {
                for value in values.values_mut() {
                    *value = Value::String(MASK.into());
                }
            }
        }
    }
    copy
}

/// Masks both sides of a comparison so that a reader still sees which keys differ.
pub fn mask_secret_pair(before: &mut Value, after: &mut Value) {
    if !is_secret(before) && !is_secret(after) {
        return;
    }
    for field in ["data", "stringData"] {
        let taken =
            |object: &Value| -> Option<Map<String, Value>> { object.get(field)?.as_object().cloned() };
        let (old, new) = (taken(before), taken(after));
        let mask = |target: &mut Value, other: &Option<Map<String, Value>>, changed: &str| {
            let Some(values) = target.get_mut(field).and_then(Value::as_object_mut) else {
                return;
            };
            for (key, value) in values.iter_mut() {
                let theirs = other.as_ref().and_then(|o| o.get(key));
                let text = if theirs.is_some_and(|v| v != value) { changed } else { MASK };
                *value = Value::String(text.to_owned());
            }
        };
        mask(before, &new, BEFORE);
        mask(after, &old, AFTER);
    }
}

/// An API server's error text about a Secret with every value of the Secret blackened: as written, base64 decoded, and
/// as it looks inside a quoted Go string. Texts about other kinds come back unchanged.
pub fn mask_text(text: &str, object: &Value) -> String {
    if !is_secret(object) {
        return text.to_owned();
    }
    let mut values: Vec<String> = Vec::new();
    for field in ["data", "stringData"] {
        let entries = object.get(field).and_then(Value::as_object);
        for value in entries.into_iter().flat_map(Map::values) {
            let plain = match value {
                Value::String(s) => s.clone(),
                Value::Null => continue,
                other => other.to_string(),
            };
            if let Ok(decoded) = STANDARD.decode(plain.trim())
                && let Ok(decoded) = String::from_utf8(decoded)
            {
                values.push(decoded);
            }
            values.push(plain);
        }
    }
    // A multi-line value may be echoed line by line.
    let lines: Vec<String> =
        values.iter().filter(|v| v.contains('\n')).flat_map(|v| v.lines().map(str::to_owned)).collect();
    values.extend(lines);
    values.retain(|v| !v.trim().is_empty());
    // Longest first, so that a value that contains another is masked whole.
    values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    values.dedup();
    let mut result = text.to_owned();
    for value in &values {
        let quoted = serde_json::to_string(value).unwrap_or_default();
        result = result.replace(&quoted, &format!("\"{MASK}\""));
        if value.len() >= BARE_MASK_MIN {
            let inner = quoted.trim_matches('"');
            result = result.replace(inner, MASK).replace(value, MASK);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secret(data: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data})
    }

    #[test]
    fn text_is_masked_in_every_form() {
        let object =
            secret(json!({"token": "c3VwZXJzZWNyZXQ=", "pin": "12", "key": "line1secret\nline2secret"}));
        let text = r#"Invalid value: "c3VwZXJzZWNyZXQ=": supersecret, pin "12" of 1234, line1secret\nline2secret line2secret"#;
        let masked = mask_text(text, &object);
        assert_eq!(masked, r#"Invalid value: "***": ***, pin "***" of 1234, *** ***"#);
    }

    #[test]
    fn other_kinds_are_shown() {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "visible"}});
        assert_eq!(mask_text("visible", &object), "visible");
        assert_eq!(masked(&object), object);
    }

    #[test]
    fn pairs_show_which_keys_differ() {
        let mut before = secret(json!({"same": "YQ==", "changed": "YQ==", "removed": "YQ=="}));
        let mut after = secret(json!({"same": "YQ==", "changed": "Yg==", "added": "YQ=="}));
        mask_secret_pair(&mut before, &mut after);
        assert_eq!(before["data"], json!({"same": "***", "changed": "*** (before)", "removed": "***"}));
        assert_eq!(after["data"], json!({"same": "***", "changed": "*** (after)", "added": "***"}));
    }

    #[test]
    fn objects_are_masked_whole() {
        assert_eq!(masked(&secret(json!({"a": "YQ=="})))["data"], json!({"a": "***"}));
    }
}

//! YAML or JSON inside a string, as in the data of a ConfigMap.

use serde_json::Value as Json;
use yaml::{Profile, ReadLimits, Value};

/// Reads the text of a scalar as a document; `None` if it is not YAML or empty.
pub(crate) fn parse(text: &str) -> Option<Value> {
    yaml::read_first(text.as_bytes(), Profile::V3, &ReadLimits::default()).ok().flatten()
}

/// Writes a changed document in the manner of the text that it was read from.
pub(crate) fn write(document: &Value, original: &str) -> Option<String> {
    match original.trim_start().as_bytes().first() {
        Some(b'{' | b'[') => {
            let json = sorted(document.to_json().ok()?);
            let pretty = original.contains('\n') && original.contains("  ");
            Some(escape_html(
                &if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) }
                    .ok()?,
            ))
        }
        _ => Some(yaml::to_yaml(document).ok()?.trim().to_owned()),
    }
}

/// Keys in the order in which Go's JSON writes them.
pub(crate) fn sorted(json: Json) -> Json {
    match json {
        Json::Object(map) => {
            let mut entries: Vec<(String, Json)> = map.into_iter().collect();
            entries.sort_by(|left, right| left.0.cmp(&right.0));
            Json::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Json::Array(items) => Json::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// Go's JSON escapes what could end a script in HTML. Outside of strings these characters do not occur.
pub(crate) fn escape_html(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_in_the_manner_of_the_original() {
        let original = "{\"b\": 1, \"a\": \"<x>\"}";
        assert_eq!(
            write(&parse(original).unwrap(), original).unwrap(),
            "{\"a\":\"\\u003cx\\u003e\",\"b\":1}"
        );
        let pretty = "{\n  \"b\": 1\n}";
        assert_eq!(write(&parse(pretty).unwrap(), pretty).unwrap(), pretty);
        assert!(parse("").is_none());
    }
}

//! YAML as JSON, the way sigs.k8s.io/yaml turns it.

use patch::JsonPatch;
use serde_json::{Map, Value as Json};
use yaml::{Profile, ReadLimits, Resolved, Scalar, Value};

use super::Session;

/// A tree as JSON; keys that are numbers or booleans become text.
///
/// # Errors
/// What JSON cannot carry, with its line.
pub(crate) fn to_json(value: &Value) -> Result<Json, String> {
    Ok(match value {
        Value::Scalar(_) => value.to_json().map_err(|error| error.to_string())?,
        Value::Seq(items) => Json::Array(items.iter().map(to_json).collect::<Result<_, _>>()?),
        Value::Map(map) => {
            let mut object = Map::with_capacity(map.len());
            for entry in map.entries() {
                object.insert(key_text(&entry.key)?, to_json(&entry.value)?);
            }
            Json::Object(object)
        }
    })
}

/// OpenAPI definitions: what begins as JSON must be JSON, anything else is YAML.
///
/// # Errors
/// What is malformed, or exceeds the limits.
pub(crate) fn definitions(session: &Session<'_>, content: &[u8]) -> Result<Json, String> {
    if content.starts_with(b"{") {
        return serde_json::from_slice(content).map_err(|error| error.to_string());
    }
    to_json(&session.document(content)?)
}

fn key_text(key: &Scalar) -> Result<String, String> {
    let resolved = yaml_1_1(key);
    Ok(match resolved {
        Some(Resolved::Bool(value)) => value.to_string(),
        _ => match key.resolve().map_err(|error| error.to_string())? {
            Resolved::Null => return Err(format!("line {}: null cannot be a key", key.line())),
            Resolved::Bool(value) => value.to_string(),
            Resolved::Int(value) => value.to_string(),
            Resolved::UInt(value) => value.to_string(),
            Resolved::Float(value) => gofloat::general(value),
            Resolved::Str(text) => text.into_owned(),
        },
    })
}

/// Booleans like `yes`, which a reader in the old dialect has tagged.
fn yaml_1_1(scalar: &Scalar) -> Option<Resolved<'static>> {
    match (scalar.tag(), yaml::resolve_plain(scalar.text(), Profile::V2)) {
        (yaml::Tag::Bool, yaml::Plain::Bool(value)) => Some(Resolved::Bool(value)),
        _ => None,
    }
}

/// Reads a JSON patch, written in JSON or YAML.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn json_patch(text: &str, limits: &ReadLimits) -> Result<JsonPatch, String> {
    let json = if text.starts_with('[') {
        serde_json::from_str(text).map_err(|error| format!("the patch is not JSON: {error}"))?
    } else {
        let document =
            yaml::read_first(text.as_bytes(), Profile::V2, limits).map_err(|error| error.to_string())?;
        to_json(&document.unwrap_or_default())?
    };
    JsonPatch::parse(&json).map_err(|error| error.to_string())
}

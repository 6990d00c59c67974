//! The answers of this crate to the questions of `hack/tools/cmd/yamltruth`.

use serde_json::{Value as Json, json};
use yaml::{Profile, ReadLimits, Scalar, Style, Value};

/// What a mode makes of a text: its error, or `build`: as `kustomize build` prints it; `documents`: what it holds, with style
/// and place; `json`: as JSON.
pub fn answer(mode: &str, text: &str) -> Result<Json, String> {
    match mode {
        "build" => build(text).map(Json::String),
        "documents" => documents(text),
        "json" => json_of(text).map(Json::String),
        other => Err(format!("unknown mode {other:?}")),
    }
}

fn build(text: &str) -> Result<String, String> {
    let documents =
        yaml::read_documents(text.as_bytes(), &ReadLimits::default()).map_err(|e| e.to_string())?;
    if documents.iter().any(|document| document.as_scalar().is_some()) {
        return Err("not an object".to_owned());
    }
    let printed: Result<Vec<String>, _> = documents.iter().map(yaml::to_yaml).collect();
    Ok(printed.map_err(|e| e.to_string())?.join("---\n"))
}

fn documents(text: &str) -> Result<Json, String> {
    let all =
        yaml::read_all(text.as_bytes(), Profile::V3, &ReadLimits::default()).map_err(|e| e.to_string())?;
    Ok(Json::Array(all.iter().map(dump).collect()))
}

fn json_of(text: &str) -> Result<String, String> {
    let value =
        yaml::read_first(text.as_bytes(), Profile::V2, &ReadLimits::default()).map_err(|e| e.to_string())?;
    yaml::to_go_json(&value.unwrap_or_default()).map_err(|e| e.to_string())
}

fn dump(value: &Value) -> Json {
    match value {
        Value::Scalar(scalar) => dump_scalar(scalar),
        Value::Seq(items) => json!({ "seq": items.iter().map(dump).collect::<Vec<_>>() }),
        Value::Map(map) => {
            let items = map.entries().iter().flat_map(|entry| [dump_scalar(&entry.key), dump(&entry.value)]);
            json!({ "map": items.collect::<Vec<_>>() })
        }
    }
}

fn dump_scalar(scalar: &Scalar) -> Json {
    let style = match scalar.style() {
        Style::Plain => 0,
        Style::DoubleQuoted => 2,
        Style::SingleQuoted => 4,
        Style::Literal => 8,
        Style::Folded => 16,
    };
    json!([scalar.tag().name(), scalar.text(), style, scalar.line(), scalar.column()])
}

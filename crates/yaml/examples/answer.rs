//! Answers the questions of `hack/tools/cmd/yamltruth` with this crate: one JSON string a line in, one answer a line
//! out, so that the two can be compared on any corpus.

use std::io::{BufRead as _, Write as _};

use serde_json::{Value as Json, json};
use yaml::{Profile, ReadLimits, Scalar, Style, Value};

fn main() {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Ok(text) = serde_json::from_str::<String>(&line) else { continue };
        let answer = match mode.as_str() {
            "build" => build(&text).map(Json::String),
            "documents" => documents(&text),
            "json" => json(&text).map(Json::String),
            other => Err(format!("unknown mode {other:?}")),
        };
        let answer = match answer {
            Ok(value) => json!({ "ok": value }),
            Err(error) => json!({ "error": error }),
        };
        let _ = writeln!(out, "{answer}");
    }
}

fn build(text: &str) -> Result<String, String> {
    let documents =
        yaml::read_documents(text.as_bytes(), &ReadLimits::default()).map_err(|e| e.to_string())?;
    let printed: Result<Vec<String>, _> = documents.iter().map(yaml::to_yaml).collect();
    Ok(printed.map_err(|e| e.to_string())?.join("---\n"))
}

fn documents(text: &str) -> Result<Json, String> {
    let all =
        yaml::read_all(text.as_bytes(), Profile::V3, &ReadLimits::default()).map_err(|e| e.to_string())?;
    Ok(Json::Array(all.iter().map(dump).collect()))
}

fn json(text: &str) -> Result<String, String> {
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

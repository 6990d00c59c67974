//! What Go's YAML libraries answer: `yamltruth table 1 1000 > crates/yaml/tests/data/truth.jsonl`, in `hack/tools`.

use serde_json::{Value as Json, json};
use yaml::{Profile, ReadLimits, Scalar, Style, Value};

#[test]
fn answers_are_those_of_go() {
    let table = include_str!("data/truth.jsonl");
    let mut differences = Vec::new();
    for line in table.lines() {
        let question: Json = serde_json::from_str(line).unwrap();
        let text = question["text"].as_str().unwrap();
        let ours = match question["mode"].as_str().unwrap() {
            "build" => build(text).map(Json::String),
            "documents" => documents(text),
            "json" => json_of(text).map(Json::String),
            other => panic!("unknown mode {other}"),
        };
        let same = match (&ours, question.get("error")) {
            (Err(_), Some(_)) => true,
            (Ok(ours), None) => *ours == comparable(question["ok"].clone()),
            _ => false,
        };
        if !same {
            let ours = ours.map_or_else(|error| error, |value| value.to_string());
            differences.push(format!("{line}\n  ours: {ours}"));
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    assert!(table.lines().count() >= 1000);
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
    comparable(json!([scalar.tag().name(), scalar.text(), style, scalar.line(), scalar.column()]))
}

/// Without what this crate does not keep: names of foreign tags, and the place and style of a null without text.
fn comparable(mut value: Json) -> Json {
    match &mut value {
        Json::Array(items) => {
            if matches!(items.as_slice(), [tag, text, ..] if tag == "!!null" && text == "") {
                items.truncate(2);
            } else if let [Json::String(tag), Json::String(_), Json::Number(_), ..] = items.as_mut_slice()
                && !tag.starts_with("!!")
            {
                *tag = "!".to_owned();
            }
            items.iter_mut().for_each(|item| *item = comparable(item.take()));
        }
        Json::Object(fields) => fields.values_mut().for_each(|field| *field = comparable(field.take())),
        _ => {}
    }
    value
}

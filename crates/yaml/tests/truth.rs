//! What Go's YAML libraries answer: `yamltruth table 1 1000 > crates/yaml/tests/data/truth.jsonl`, in `hack/tools`.

mod answers;

use serde_json::Value as Json;

#[test]
fn answers_are_those_of_go() {
    let table = include_str!("data/truth.jsonl");
    let mut differences = Vec::new();
    for line in table.lines() {
        let question: Json = serde_json::from_str(line).unwrap();
        let text = question["text"].as_str().unwrap();
        let ours = answers::answer(question["mode"].as_str().unwrap(), text).map(comparable);
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

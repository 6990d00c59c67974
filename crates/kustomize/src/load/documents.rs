//! Objects in a file: its documents, checked, with the items of lists taken out.

use std::collections::VecDeque;

use serde_json::Value as Json;
use yaml::{ReadLimits, Style, Tag, Value};

/// The objects of a file of resources or patches, in kustomize's order: items of lists come after everything else.
///
/// # Errors
/// What is malformed, with its line; or which object has no kind or name.
pub(crate) fn objects(bytes: &[u8], limits: &ReadLimits) -> Result<Vec<Value>, String> {
    let documents = yaml::read_documents(bytes, limits).map_err(|error| error.to_string())?;
    let mut queue: VecDeque<Value> = VecDeque::new();
    match <[Value; 1]>::try_from(documents) {
        // A single List is only a wrapping.
        Ok([Value::Map(mut list)]) if is_list_of_anything(&list) && !yaml::has_separator(bytes) => {
            match list.remove("items") {
                Some(Value::Seq(items)) => add_checked(&mut queue, items)?,
                Some(Value::Map(items)) if !items.is_empty() => {
                    return Err("items of a List must be a list, not a mapping".to_owned());
                }
                _ => {}
            }
        }
        Ok([single]) => add_checked(&mut queue, vec![single])?,
        Err(documents) => add_checked(&mut queue, documents)?,
    }
    let mut out = Vec::with_capacity(queue.len());
    while let Some(mut object) = queue.pop_front() {
        let kind = object.get("kind").and_then(Value::text).unwrap_or_default();
        if !kind.ends_with("List") || object.get("items").is_none() {
            out.push(object);
            continue;
        }
        let kind = kind.to_owned();
        if let Some((key, line)) = object.as_map().and_then(yaml::Map::duplicate) {
            return Err(format!("line {line}: {kind}: mapping key {key:?} already defined"));
        }
        match object.as_map_mut().and_then(|map| map.remove("items")) {
            Some(Value::Seq(items)) => {
                let items = items
                    .into_iter()
                    .map(with_plain_nulls)
                    .map(|item| item.to_json().map(from_go_json).map(quoted))
                    .collect::<Result<_, _>>();
                add_checked(&mut queue, items.map_err(|error| error.to_string())?)?;
            }
            Some(other) if other.is_null() => {}
            _ => return Err(format!("{kind}: items must be a list")),
        }
    }
    Ok(out)
}

/// Nulls without text in flow collections, which elsewhere become empty strings, as true nulls.
fn with_plain_nulls(value: Value) -> Value {
    match value {
        Value::Scalar(scalar) if scalar.is_null() => Value::null(),
        Value::Scalar(scalar) => Value::Scalar(scalar),
        Value::Seq(items) => Value::Seq(items.into_iter().map(with_plain_nulls).collect()),
        Value::Map(mut map) => {
            for value in map.values_mut() {
                *value = with_plain_nulls(std::mem::take(value));
            }
            Value::Map(map)
        }
    }
}

/// What Go reads from JSON that it has written: numbers are the text that stands there.
fn from_go_json(json: Json) -> Value {
    match json {
        Json::Number(number) if number.is_f64() => {
            let value = number.as_f64().unwrap_or_default();
            Value::plain(gofloat::json(value))
        }
        Json::Array(items) => Value::Seq(items.into_iter().map(from_go_json).collect()),
        Json::Object(object) => {
            Value::Map(object.into_iter().map(|(key, value)| (key, from_go_json(value))).collect())
        }
        other => Value::from(other),
    }
}

/// Strings of JSON, which are in quotes.
fn quoted(mut value: Value) -> Value {
    match &mut value {
        Value::Scalar(scalar) if scalar.tag() == Tag::Str => scalar.set_style(Style::DoubleQuoted),
        Value::Scalar(_) => {}
        Value::Seq(items) => items.iter_mut().for_each(|item| *item = quoted(std::mem::take(item))),
        Value::Map(map) => map.values_mut().for_each(|value| *value = quoted(std::mem::take(value))),
    }
    value
}

fn is_list_of_anything(map: &yaml::Map) -> bool {
    matches!(map.get("kind").and_then(Value::text), Some("List" | "ResourceList"))
        && map.contains_key("items")
}

/// Adds objects that are not empty, if they have a kind and a name.
fn add_checked(queue: &mut VecDeque<Value>, documents: Vec<Value>) -> Result<(), String> {
    for document in documents {
        if document.is_null_or_empty() {
            continue;
        }
        check(&document)?;
        queue.push_back(document);
    }
    Ok(())
}

fn check(object: &Value) -> Result<(), String> {
    let at = |what: String| match object.line() {
        0 => what,
        line => format!("line {line}: {what}"),
    };
    if object.as_map().is_none() {
        return Err(at("not a Kubernetes object: expected a mapping with kind and metadata".to_owned()));
    }
    let field = |value: Option<&Value>| {
        let value = value.filter(|value| !value.is_null_or_empty());
        value.and_then(Value::text).unwrap_or_default().to_owned()
    };
    let kind = field(object.get("kind"));
    if kind.is_empty() {
        return Err(at("the object has no kind".to_owned()));
    }
    if !kind.ends_with("List") && field(object.at(&["metadata", "name"])).is_empty() {
        return Err(at(format!("the {kind} has no metadata.name")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Result<Vec<String>, String> {
        let objects = objects(text.as_bytes(), &ReadLimits::default())?;
        Ok(objects
            .iter()
            .map(|value| value.at(&["metadata", "name"]).unwrap().text().unwrap().to_owned())
            .collect())
    }

    #[test]
    fn takes_lists_apart() {
        let single = "kind: List\nitems:\n- {kind: A, metadata: {name: a}}\n- null\n- {kind: B, metadata: {name: b}}\n";
        assert_eq!(names(single).unwrap(), ["a", "b"]);
        let mixed =
            "kind: AList\nitems:\n- {kind: A, metadata: {name: a}}\n---\nkind: B\nmetadata: {name: b}\n";
        assert_eq!(names(mixed).unwrap(), ["b", "a"]);
    }

    #[test]
    fn numbers_of_lists_are_text_of_json() {
        let text = "kind: AList\nitems:\n- {kind: A, metadata: {name: a}, d: [1e-7, 12345678.9, 1e21, 0.00001, 1.0]}\n";
        let objects = objects(text.as_bytes(), &ReadLimits::default()).unwrap();
        let numbers = objects[0].get("d").unwrap().as_seq().unwrap();
        let numbers: Vec<&str> = numbers.iter().map(|number| number.text().unwrap()).collect();
        assert_eq!(numbers, ["1e-7", "12345678.9", "1e+21", "0.00001", "1"]);
    }

    #[test]
    fn refuses_what_is_no_object() {
        for text in ["- a\n", "just text\n", "kind: A\n", "metadata: {name: a}\n", "kind: AList\nitems: 3\n"]
        {
            assert!(names(text).is_err(), "{text}");
        }
        assert!(names("# nothing\n---\n{}\n").unwrap().is_empty());
    }
}

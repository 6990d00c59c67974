//! The data of ConfigMaps and Secrets.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use yaml::{Entry, Map, Scalar, Value};

use super::{Kind, Pair};
use crate::resource::{Resource, string};

/// Length of the lines into which base64 is cut.
const LINE: usize = 70;

/// Adds the pairs to a ConfigMap (text to `data`, anything else to `binaryData`) or Secret.
pub(super) fn put(object: &mut Map, kind: Kind, name: &str, pairs: Vec<Pair>) -> Result<(), String> {
    let mut sorted: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for pair in pairs {
        if sorted.insert(pair.key.clone(), pair.value).is_some() {
            return Err(format!("the key {} of {name} is given twice", pair.key));
        }
    }
    if kind == Kind::Secret {
        object.insert("data", Map::new());
    }
    for (key, value) in sorted {
        let (field, text) = match (kind, String::from_utf8(value)) {
            (Kind::ConfigMap, Ok(text)) => ("data", text),
            (Kind::ConfigMap, Err(error)) => ("binaryData", encode(error.as_bytes())),
            (Kind::Secret, Ok(text)) => ("data", encode(text.as_bytes())),
            (Kind::Secret, Err(error)) => ("data", encode(error.as_bytes())),
        };
        add(object, field, &key, string(text));
    }
    Ok(())
}

fn add(object: &mut Map, field: &str, key: &str, value: Value) {
    if let Value::Map(map) = object.get_or_insert_with(field, || Value::Map(Map::new())) {
        map.insert_entry(Entry { key: Scalar::plain(key), value });
    }
}

/// Base64, in lines if it is longer than one.
fn encode(bytes: &[u8]) -> String {
    let encoded = STANDARD.encode(bytes);
    if encoded.len() < LINE {
        return encoded;
    }
    let mut out = String::with_capacity(encoded.len() + encoded.len() / LINE + 1);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(LINE));
        out.push_str(line);
        out.push('\n');
        rest = tail;
    }
    out
}

/// Turns a generated object into what replaces `old`: with its metadata, and for a merge its data under the new.
///
/// # Errors
/// If `stringData` of a Secret is no mapping of scalars.
pub(crate) fn merge_generated(new: &mut Resource, old: &Resource, with_data: bool) -> Result<(), String> {
    let id = old.id().clone();
    for field in ["labels", "annotations"] {
        let texts = merged(&[
            own_texts(old.value(), &["metadata", field]),
            own_texts(new.value(), &["metadata", field]),
        ]);
        let Some(metadata) = new.value_mut().ensure_map(&["metadata"]) else { continue };
        metadata.remove(field);
        set_texts(metadata, field, texts);
    }
    if let Some(metadata) = new.value_mut().ensure_map(&["metadata"]) {
        patch::set_field_text(metadata, "name", &id.name);
        if id.namespace.is_empty() {
            metadata.remove("namespace");
        } else {
            patch::set_field_text(metadata, "namespace", &id.namespace);
        }
    }
    if with_data {
        for field in ["data", "binaryData"] {
            let mut before = texts(old.value(), &[field]);
            if field == "data" && id.gvk.kind == "Secret" {
                before.extend(encoded_string_data(old)?);
            }
            let texts = merged(&[before, texts(new.value(), &[field])]);
            if let Value::Map(object) = new.value_mut() {
                object.remove(field);
                set_texts(object, field, texts);
            }
        }
    }
    new.transformations.clone_from(&old.transformations);
    new.generated = old.generated;
    new.needs_hash &= old.needs_hash;
    new.behavior = old.behavior;
    new.previous.clone_from(&old.previous);
    new.prefixes.clone_from(&old.prefixes);
    new.suffixes.clone_from(&old.suffixes);
    new.var_names.clone_from(&old.var_names);
    Ok(())
}

/// The `stringData` of a Secret as its `data`.
fn encoded_string_data(secret: &Resource) -> Result<Texts, String> {
    let mut encoded = Texts::new();
    match secret.value().get("stringData") {
        None => {}
        Some(value) if value.is_null() => {}
        Some(Value::Map(map)) => {
            for (name, value) in map.iter() {
                let Value::Scalar(scalar) = value else {
                    return Err(format!("{}: stringData.{name} must be a scalar", secret.id()));
                };
                let text = if scalar.is_null() { "" } else { scalar.text() };
                encoded.insert(name.to_owned(), encode(text.as_bytes()));
            }
        }
        Some(_) => return Err(format!("{}: stringData must be a mapping", secret.id())),
    }
    Ok(encoded)
}

type Texts = BTreeMap<String, String>;

/// Labels or annotations: the text of each, of nulls, too.
fn own_texts(value: &Value, path: &[&str]) -> Texts {
    let Some(Value::Map(map)) = value.at(path) else { return Texts::new() };
    map.iter().map(|(name, value)| (name.to_owned(), value.text().unwrap_or_default().to_owned())).collect()
}

/// Data: nulls are empty.
fn texts(value: &Value, path: &[&str]) -> Texts {
    let Some(Value::Map(map)) = value.at(path) else { return Texts::new() };
    (map.iter())
        .map(|(name, value)| {
            let text = value.text().filter(|_| !value.is_null()).unwrap_or_default();
            (name.to_owned(), text.to_owned())
        })
        .collect()
}

fn merged(maps: &[Texts; 2]) -> Texts {
    let [old, new] = maps;
    let mut merged = old.clone();
    merged.extend(new.clone());
    merged
}

fn set_texts(object: &mut Map, field: &str, texts: Texts) {
    if texts.is_empty() {
        return;
    }
    let mut map = Map::with_capacity(texts.len());
    for (name, text) in texts {
        map.insert_entry(Entry { key: Scalar::plain(name), value: string(text) });
    }
    object.insert(field, map);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_long_base64() {
        assert_eq!(encode(b"abc"), "YWJj");
        let long = encode(&[0; 60]);
        assert_eq!(long.lines().map(str::len).collect::<Vec<_>>(), [70, 10]);
        assert!(long.ends_with('\n'));
    }
}

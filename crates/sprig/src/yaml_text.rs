//! `toYaml`, `fromYaml` and their kin.

use std::collections::BTreeMap;

use gotemplate::Ty::{Any, Str as Text};
use gotemplate::{Fault, Function, Str, Value};
use yaml::{Profile, ReadLimits, Resolved, Scalar, Tag};

use crate::args::{Args, Outcome};
use crate::json;
use crate::json_read::{error_dict, kind};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("toYaml", &[Any], |_, a| Ok(to_yaml(a.any(0)).unwrap_or_default().into())),
    Function::new("mustToYaml", &[Any], |_, a| -> Outcome { Ok(to_yaml(a.any(0))?.into()) }),
    Function::new("toYamlPretty", &[Any], |_, a| {
        match crate::yaml_pretty::to_yaml(a.any(0)) {
            // What Go panics about.
            Err(fault) if fault.text().starts_with("cannot marshal type") => Err(fault),
            text => Ok(text.unwrap_or_default().into()),
        }
    }),
    Function::new("fromYaml", &[Text], |_, a| Ok(from_yaml(a.bytes(0)))),
    Function::new("fromYamlArray", &[Text], |_, a| Ok(from_yaml_array(a.bytes(0)))),
];

/// A value as Helm writes it, without the last line break.
///
/// # Errors
/// For infinities and what is no number, and for control characters that YAML cannot carry.
pub fn to_yaml(value: &Value) -> Result<String, Fault> {
    let mut odd = false;
    // What JSON says of it, which names what contains itself.
    let told = |fault| json::encode(value, json::Style::COMPACT).err().unwrap_or(fault);
    let tree = tree(value, 0, &mut odd).map_err(|fault| match told(fault) {
        Fault::Text(problem) if problem.starts_with("json: ") => {
            Fault::Text(format!("error marshaling into JSON: {problem}"))
        }
        fault => fault,
    })?;
    if odd {
        check(value)?;
    }
    let mut text = yaml::to_yaml(&tree).map_err(|error| Fault::Text(error.to_string()))?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

/// Most characters of a key, with its quotes, that go-yaml finds behind it; an escape has six.
const LONGEST_KEY: usize = (1024 - 2) / 6;

/// Whether a text may look otherwise when the JSON that it stands in is read as YAML: there U+0085 breaks a line.
fn is_odd(text: &[u8]) -> bool {
    memchr::memmem::find(text, "\u{85}".as_bytes()).is_some()
}

/// Helm makes JSON first, and reads that as YAML.
///
/// # Errors
/// Go's, of YAML.
fn check(value: &Value) -> Result<(), Fault> {
    let json = json::encode(value, json::Style::COMPACT)?;
    match yaml::read_first(&json, Profile::V2, &ReadLimits::default()) {
        Ok(_) => Ok(()),
        Err(error) => Err(error_text(&error).into()),
    }
}

/// The value as JSON would carry it; `odd` is set if something in it has to be checked.
fn tree(value: &Value, depth: usize, odd: &mut bool) -> Result<yaml::Value, Fault> {
    if depth > crate::json::DEEPEST {
        return Err(crate::json::cycle(value));
    }
    Ok(match value {
        Value::Nil => yaml::Value::null(),
        Value::Bool(value) => (*value).into(),
        Value::Int(kind, bits) if kind.unsigned() => {
            Scalar::new(bits.cast_unsigned().to_string(), Tag::Int).into()
        }
        Value::Int(_, bits) => (*bits).into(),
        Value::Float(value) => yaml::Value::plain(json::number(*value)?),
        Value::Complex(..) => return Err("json: unsupported type: complex128".into()),
        Value::Str(text) => {
            *odd |= is_odd(text);
            let scalar = Scalar::str(&*text.text());
            // Quoted, since a text that begins with a tab is one that YAML could not have read otherwise.
            if text.starts_with(b"\t") {
                scalar.with_style(yaml::Style::DoubleQuoted).into()
            } else {
                scalar.into()
            }
        }
        Value::Bytes(bytes) => crate::encode::base64(bytes).into(),
        Value::List(list) if list.ty.nil() => yaml::Value::null(),
        Value::List(list) => {
            let items: Result<Vec<_>, _> =
                list.items().iter().map(|item| tree(item, depth + 1, odd)).collect();
            items?.into()
        }
        Value::Dict(dict) if dict.nil() => yaml::Value::null(),
        Value::Dict(dict) => {
            let mut map = yaml::Map::with_capacity(dict.len());
            for (key, item) in dict.map.borrow().iter() {
                *odd |= key.len() > LONGEST_KEY || is_odd(key);
                map.insert(&*key.text(), tree(item, depth + 1, odd)?);
            }
            map.into()
        }
        Value::Object(object) => tree(&object.encoded(), depth + 1, odd)?,
    })
}

/// Reads the first document of a text as Helm reads values: every number a float, every key a string.
///
/// # Errors
/// Go's text.
pub fn read(text: &[u8]) -> Result<Value, String> {
    let found = yaml::read_first(text, Profile::V2, &ReadLimits::default());
    match found.map_err(|error| converting(&error_text(&error)))? {
        None => Ok(Value::Nil),
        Some(tree) => value(&tree),
    }
}

/// An error in go-yaml v2's way: its parser's lines are one too low, and the first line is never named.
#[must_use]
pub fn error_text(error: &yaml::ReadError) -> String {
    const PARSER: [&str; 8] = [
        "did not find expected <",
        "did not find expected node content",
        "did not find expected key",
        "did not find expected '-'",
        "did not find expected ','",
        "found undefined tag",
        "found duplicate %",
        "found incompatible",
    ];
    // What is wrong with the bytes, or with what the text means, has no line.
    const NOWHERE: [&str; 12] = [
        "control characters",
        "invalid leading UTF-8",
        "invalid trailing UTF-8",
        "invalid length of a UTF-8",
        "invalid Unicode",
        "incomplete UTF-",
        "invalid UTF-16",
        "unknown anchor",
        "anchor '",
        "document contains",
        "map merge",
        "invalid map",
    ];
    let starts = |words: &[&str]| words.iter().any(|start| error.message.starts_with(start));
    // Found when YAML has already been read.
    if error.message.starts_with("unsupported map key") {
        return error.message.clone();
    }
    if starts(&NOWHERE) {
        return format!("yaml: {}", error.message);
    }
    let parser = starts(&PARSER);
    let shown = if parser { error.line.saturating_sub(1) } else { error.line };
    if error.line <= 1 || shown == 0 {
        return format!("yaml: {}", error.message);
    }
    format!("yaml: line {shown}: {}", error.message)
}

/// Reads a mapping; no document and `null` are an empty one.
///
/// # Errors
/// Go's text.
pub fn read_dict(text: &[u8]) -> Result<Value, String> {
    match read(text)? {
        value @ Value::Dict(_) => Ok(value),
        Value::Nil => Ok(Value::dict(BTreeMap::new())),
        other => Err(unmarshal(&other, "map[string]interface {}")),
    }
}

fn unmarshal(found: &Value, wanted: &str) -> String {
    let kind = kind(found);
    format!(
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into Go value of type {wanted}"
    )
}

fn from_yaml(text: &[u8]) -> Value {
    read_dict(text).unwrap_or_else(error_dict)
}

fn from_yaml_array(text: &[u8]) -> Value {
    match read(text) {
        Ok(value @ Value::List(_)) => value,
        Ok(Value::Nil) => Value::list(Vec::new()),
        Ok(other) => Value::list(vec![unmarshal(&other, "[]interface {}").into()]),
        Err(problem) => Value::list(vec![problem.into()]),
    }
}

/// A tree as Helm sees it after YAML became JSON.
///
/// # Errors
/// What JSON cannot carry.
pub fn value(tree: &yaml::Value) -> Result<Value, String> {
    built(tree).map_err(|error| problem(tree).unwrap_or(error))
}

/// The value, or anything that is wrong with it.
fn built(tree: &yaml::Value) -> Result<Value, String> {
    Ok(match tree {
        yaml::Value::Scalar(scalar) => scalar_value(scalar)?,
        yaml::Value::Seq(items) => Value::list(items.iter().map(built).collect::<Result<_, _>>()?),
        yaml::Value::Map(map) => {
            let read = |entry: &yaml::Entry| Ok((key(&entry.key)?, built(&entry.value)?));
            let dict: Result<BTreeMap<_, _>, String> = map.entries().iter().map(read).collect();
            Value::dict(dict?)
        }
    })
}

/// The first thing that is wrong with a value, by the order in which JSON writes it.
fn problem(tree: &yaml::Value) -> Option<String> {
    match tree {
        yaml::Value::Scalar(scalar) => scalar_value(scalar).err(),
        yaml::Value::Seq(items) => items.iter().find_map(problem),
        yaml::Value::Map(map) => {
            let mut entries: Vec<_> = map.entries().iter().collect();
            entries.sort_by_key(|entry| entry.key.text());
            let in_values = entries.into_iter().find_map(|entry| problem(&entry.value));
            in_values.or_else(|| map.entries().iter().find_map(|entry| key(&entry.key).err()))
        }
    }
}

fn scalar_value(scalar: &Scalar) -> Result<Value, String> {
    Ok(match scalar.resolve().map_err(|error| converting(&error.to_string()))? {
        Resolved::Null => Value::Nil,
        Resolved::Bool(value) => Value::Bool(value),
        Resolved::Int(value) => Value::Float(value as f64),
        Resolved::UInt(value) => Value::Float(value as f64),
        Resolved::Float(value) if value.is_finite() => Value::Float(value),
        Resolved::Float(value) => {
            let name = if value.is_nan() {
                "NaN"
            } else if value > 0.0 {
                "+Inf"
            } else {
                "-Inf"
            };
            return Err(converting(&format!("json: unsupported value: {name}")));
        }
        Resolved::Str(text) => Value::from(&*text),
    })
}

fn converting(problem: &str) -> String {
    format!("error converting YAML to JSON: {problem}")
}

/// The key of a mapping as Helm sees it after YAML became JSON.
///
/// # Errors
/// For `null`.
pub fn key(scalar: &Scalar) -> Result<Str, String> {
    Ok(match scalar.resolve().map_err(|error| converting(&error.to_string()))? {
        Resolved::Str(text) => (&*text).into(),
        Resolved::Bool(value) => value.to_string().into(),
        Resolved::Int(value) => value.to_string().into(),
        Resolved::UInt(value) => value.to_string().into(),
        Resolved::Float(value) => {
            use gotemplate::fmt::{Layout, format_float};
            match value {
                f64::INFINITY => ".inf".into(),
                f64::NEG_INFINITY => "-.inf".into(),
                value if value.is_nan() => ".nan".into(),
                value => format_float(value, Layout::General { large: 21 }, None).into(),
            }
        }
        Resolved::Null => {
            return Err(converting("unsupported map key of type: %!s(<nil>), key: <nil>, value: <nil>"));
        }
    })
}

//! Between JSON, which is kept and sent between threads, and the shared values that templates work on.

use std::collections::BTreeMap;
use std::rc::Rc;

use gotemplate::{Dict, Value};
use serde_json::{Number, Value as Json};

use super::Table;

/// JSON as a value of templates: a deep copy. Integers are `int64`, other numbers `float64`.
#[must_use]
pub fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(value) => Value::int64(value),
            None => Value::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => Value::list(items.iter().map(to_value).collect()),
        Json::Object(table) => to_table(table),
    }
}

pub(crate) fn to_table(table: &Table) -> Value {
    Value::dict(table.iter().map(|(key, value)| (key.as_str().into(), to_value(value))).collect())
}

/// A value of templates as JSON: a deep copy. What is no plain value becomes what Helm's encoder makes of it.
#[must_use]
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Nil | Value::Complex(..) => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(kind, bits) if kind.unsigned() => Json::from(bits.cast_unsigned()),
        Value::Int(_, bits) => Json::from(*bits),
        Value::Float(value) => Number::from_f64(*value).map_or(Json::Null, Json::Number),
        Value::Str(text) | Value::Bytes(text) => Json::String(text.text().into_owned()),
        Value::List(list) => Json::Array(list.items.iter().map(to_json).collect()),
        Value::Dict(dict) => {
            let map = dict.map.borrow();
            Json::Object(map.iter().map(|(key, value)| (key.text().into_owned(), to_json(value))).collect())
        }
        Value::Object(object) => to_json(&object.encoded()),
    }
}

/// The table of a value, empty when it is none.
pub(crate) fn table_of(value: &Value) -> Table {
    match to_json(value) {
        Json::Object(table) => table,
        _ => Table::new(),
    }
}

/// JSON with every number a float, which is how Helm has the values of JSON documents such as a HelmRelease.
#[must_use]
pub fn floats(json: Json) -> Json {
    match json {
        Json::Number(number) => number.as_f64().and_then(Number::from_f64).map_or(Json::Null, Json::Number),
        Json::Array(items) => Json::Array(items.into_iter().map(floats).collect()),
        Json::Object(table) => Json::Object(table.into_iter().map(|(k, v)| (k, floats(v))).collect()),
        other => other,
    }
}

/// A copy that shares nothing with the original but texts.
pub(crate) fn deep_copy(value: &Value) -> Value {
    match value {
        Value::Dict(dict) => {
            let map = dict.map.borrow();
            let copied: BTreeMap<_, _> =
                map.iter().map(|(key, value)| (key.clone(), deep_copy(value))).collect();
            Value::typed_dict(dict.ty, copied)
        }
        Value::List(list) => Value::typed_list(list.ty, list.items.iter().map(deep_copy).collect()),
        other => other.clone(),
    }
}

/// The plain map that a value is, if it is one.
pub(super) fn as_table(value: &Value) -> Option<&Rc<Dict>> {
    match value {
        Value::Dict(dict) => Some(dict),
        _ => None,
    }
}

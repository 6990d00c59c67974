//! Between JSON and the values that templates work on.

use gotemplate::Value;
use serde_json::{Number, Value as Json};

use super::plain::Plain;

/// JSON as a value of templates: a deep copy. Integers are `int64`, other numbers `float64`.
#[must_use]
pub fn to_value(json: &Json) -> Value {
    Plain::from(json).value()
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
        Value::List(list) => Json::Array(list.items().iter().map(to_json).collect()),
        Value::Dict(dict) => {
            let map = dict.map.borrow();
            Json::Object(map.iter().map(|(key, value)| (key.text().into_owned(), to_json(value))).collect())
        }
        Value::Object(object) => to_json(&object.encoded()),
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

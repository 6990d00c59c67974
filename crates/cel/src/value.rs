//! JSON values as CEL values.

use std::collections::HashMap;
use std::sync::Arc;

use kube_cel::cel::Value;
use kube_cel::cel::objects::{Key, Map};

/// Whole numbers become `int`: taken through serde they would become `uint`, and `o.n == 3` would be false.
pub(crate) fn from_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, Some(float)) => Value::Float(float),
            (None, None) => Value::Null,
        },
        serde_json::Value::String(text) => Value::String(Arc::new(text.clone())),
        serde_json::Value::Array(items) => Value::List(Arc::new(items.iter().map(from_json).collect())),
        serde_json::Value::Object(fields) => {
            let map: HashMap<Key, Value> = fields
                .iter()
                .map(|(name, value)| (Key::String(Arc::new(name.clone())), from_json(value)))
                .collect();
            Value::Map(Map { map: Arc::new(map) })
        }
    }
}

/// The value as JSON: what JSON cannot hold becomes text where it has one, else null.
pub(crate) fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::UInt(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::String(text) => text.as_str().into(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into(),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(map) => map.map.iter().map(|(key, value)| (key_text(key), to_json(value))).collect(),
        _ => serde_json::Value::Null,
    }
}

fn key_text(key: &Key) -> String {
    match key {
        Key::String(text) => text.to_string(),
        Key::Int(value) => value.to_string(),
        Key::Uint(value) => value.to_string(),
        Key::Bool(value) => value.to_string(),
    }
}

//! The tree.

use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::error::ScalarError;
use crate::{Map, Resolved, Scalar, Tag};

/// A string of 16 bytes that is cheap to clone; up to 15 bytes lie inline, longer ones are shared.
pub type Text = ecow::EcoString;

/// A YAML node: scalar, sequence or mapping, without comments, anchors and aliases.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Null, boolean, number, string …: see [`Scalar::tag`].
    Scalar(Scalar),
    /// A sequence.
    Seq(Vec<Value>),
    /// A mapping.
    Map(Map),
}

/// The shape of a [`Value`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A scalar.
    Scalar,
    /// A sequence.
    Seq,
    /// A mapping.
    Map,
}

impl Default for Value {
    fn default() -> Self {
        Value::null()
    }
}

impl Value {
    /// `null`
    #[must_use]
    pub fn null() -> Value {
        Value::Scalar(Scalar::new("null", Tag::Null))
    }

    /// A string.
    #[must_use]
    pub fn str(text: impl Into<Text>) -> Value {
        Value::Scalar(Scalar::str(text))
    }

    /// A scalar as if `text` stood unquoted in YAML.
    #[must_use]
    pub fn plain(text: impl Into<Text>) -> Value {
        Value::Scalar(Scalar::plain(text))
    }

    /// The shape.
    #[inline]
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Value::Scalar(_) => Kind::Scalar,
            Value::Seq(_) => Kind::Seq,
            Value::Map(_) => Kind::Map,
        }
    }

    /// True for `!!null`.
    #[inline]
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Scalar(scalar) if scalar.is_null())
    }

    /// True for null, `{}` and `[]`.
    #[must_use]
    pub fn is_null_or_empty(&self) -> bool {
        match self {
            Value::Scalar(scalar) => scalar.is_null(),
            Value::Seq(items) => items.is_empty(),
            Value::Map(map) => map.is_empty(),
        }
    }

    /// The scalar.
    #[inline]
    #[must_use]
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match self {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The scalar, to change.
    pub fn as_scalar_mut(&mut self) -> Option<&mut Scalar> {
        match self {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The text of a scalar of any tag (`node.Value` in Go).
    #[inline]
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.as_scalar().map(Scalar::text)
    }

    /// The string, if this is a scalar tagged `!!str`.
    #[inline]
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.as_scalar().and_then(Scalar::as_str)
    }

    /// The boolean, if this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.as_scalar()?.resolve() {
            Ok(Resolved::Bool(value)) => Some(value),
            _ => None,
        }
    }

    /// The integer, if this is one.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self.as_scalar()?.resolve() {
            Ok(Resolved::Int(value)) => Some(value),
            _ => None,
        }
    }

    /// The sequence.
    #[inline]
    #[must_use]
    pub fn as_seq(&self) -> Option<&[Value]> {
        match self {
            Value::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The sequence, to change.
    pub fn as_seq_mut(&mut self) -> Option<&mut Vec<Value>> {
        match self {
            Value::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The mapping.
    #[inline]
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The mapping, to change.
    #[inline]
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The value of a key, if this is a mapping that has it.
    #[inline]
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(key)
    }

    /// The value of a key, to change.
    #[inline]
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.as_map_mut()?.get_mut(key)
    }

    /// The value at the end of a path of mapping keys.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(self, |value, key| value.get(key))
    }

    /// The value at the end of a path of mapping keys, to change.
    pub fn at_mut(&mut self, path: &[&str]) -> Option<&mut Value> {
        path.iter().try_fold(self, |value, key| value.get_mut(key))
    }

    /// The mapping at the end of a path of keys; absent and null steps become empty mappings. `None` when a step is a
    /// sequence or another scalar.
    pub fn ensure_map(&mut self, path: &[&str]) -> Option<&mut Map> {
        let mut value = self;
        for key in path {
            if value.is_null() {
                *value = Value::Map(Map::new());
            }
            value = value.as_map_mut()?.get_or_insert_with(key, || Value::Map(Map::new()));
        }
        if value.is_null() {
            *value = Value::Map(Map::new());
        }
        value.as_map_mut()
    }

    /// Line in the source, counted from 1; 0 when unknown. A sequence answers with its first item's.
    #[inline]
    #[must_use]
    pub fn line(&self) -> u32 {
        match self {
            Value::Scalar(scalar) => scalar.line(),
            Value::Seq(items) => items.first().map_or(0, Value::line),
            Value::Map(map) => map.line(),
        }
    }

    /// The value as JSON data, keys in the order they have here.
    ///
    /// # Errors
    /// When a scalar's text does not fit its tag, a number is not finite, or a key below the top is not a string.
    pub fn to_json(&self) -> Result<serde_json::Value, ScalarError> {
        json(self, true)
    }
}

fn json(value: &Value, top: bool) -> Result<serde_json::Value, ScalarError> {
    use serde_json::Value as Json;
    Ok(match value {
        Value::Scalar(scalar) => match scalar.resolve()? {
            Resolved::Null => Json::Null,
            Resolved::Bool(value) => Json::Bool(value),
            Resolved::Int(value) => Json::from(value),
            Resolved::UInt(value) => Json::from(value),
            Resolved::Float(value) => {
                crate::number::check_finite(value, scalar.line())?;
                float_json(value)
            }
            Resolved::Str(text) => Json::String(text.into_owned()),
        },
        Value::Seq(items) => {
            Json::Array(items.iter().map(|item| json(item, false)).collect::<Result<_, _>>()?)
        }
        Value::Map(map) => {
            check_duplicate(map)?;
            let mut object = serde_json::Map::with_capacity(map.len());
            for entry in map.entries() {
                check_key(&entry.key, top)?;
                object.insert(entry.key.text().to_owned(), json(&entry.value, false)?);
            }
            Json::Object(object)
        }
    })
}

/// Go decodes the top of an object into `map[string]any`, which takes any scalar key, and mappings below into maps
/// of the keys' own types, which its JSON refuses unless all are strings.
pub(crate) fn check_key(key: &Scalar, top: bool) -> Result<(), ScalarError> {
    // go-yaml writes quotes for a key without text, which makes it a string.
    let no_text = key.is_null() && key.text().is_empty();
    if matches!(key.tag(), Tag::Str | Tag::Custom) || (top && !key.is_null()) || no_text {
        Ok(())
    } else {
        Err(ScalarError::Key { line: key.line(), key: key.text().to_owned() })
    }
}

/// Go reads its own output once more, and refuses a key that stands there twice.
pub(crate) fn check_duplicate(map: &Map) -> Result<(), ScalarError> {
    match map.duplicate() {
        None => Ok(()),
        Some((key, line)) => Err(ScalarError::DuplicateKey { line, key: key.to_owned() }),
    }
}

/// Go's JSON writes a whole float without a fraction, and reading that gives an integer.
fn float_json(value: f64) -> serde_json::Value {
    if value.fract() == 0.0 && value.abs() < 9.2e18 {
        return serde_json::Value::from(value as i64);
    }
    serde_json::Value::from(value)
}

impl From<Scalar> for Value {
    fn from(scalar: Scalar) -> Value {
        Value::Scalar(scalar)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Value {
        Value::Map(map)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Value {
        Value::Seq(items)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::str(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::str(text)
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Value {
        Value::str(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Scalar(Scalar::new(if value { "true" } else { "false" }, Tag::Bool))
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Scalar(Scalar::new(value.to_string(), Tag::Int))
    }
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Value {
        use serde_json::Value as Json;
        match json {
            Json::Null => Value::null(),
            Json::Bool(value) => value.into(),
            Json::Number(number) => Value::plain(number.to_string()),
            Json::String(text) => text.into(),
            Json::Array(items) => Value::Seq(items.into_iter().map(Value::from).collect()),
            Json::Object(object) => Value::Map(object.into_iter().collect()),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Scalar(scalar) => match scalar.resolve().map_err(S::Error::custom)? {
                Resolved::Null => serializer.serialize_unit(),
                Resolved::Bool(value) => serializer.serialize_bool(value),
                Resolved::Int(value) => serializer.serialize_i64(value),
                Resolved::UInt(value) => serializer.serialize_u64(value),
                Resolved::Float(value) if value.fract() == 0.0 && value.abs() < 9.2e18 => {
                    serializer.serialize_i64(value as i64)
                }
                Resolved::Float(value) => serializer.serialize_f64(value),
                Resolved::Str(text) => serializer.serialize_str(&text),
            },
            Value::Seq(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(item)?;
                }
                seq.end()
            }
            Value::Map(map) => {
                let mut object = serializer.serialize_map(Some(map.len()))?;
                for (key, value) in map.iter() {
                    object.serialize_entry(key, value)?;
                }
                object.end()
            }
        }
    }
}

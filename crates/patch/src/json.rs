//! JSON patch (RFC 6902) and JSON merge patch (RFC 7386) on YAML trees.

use std::borrow::Cow;

use yaml::{Kind, Map, Resolved, Scalar, ScalarError, Style, Value};

/// A JSON patch: a list of operations that apply together or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonPatch(Vec<Operation>);

#[derive(Debug, Clone, PartialEq)]
struct Operation {
    verb: Verb,
    path: String,
    from: String,
    value: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Verb {
    Add,
    Remove,
    Replace,
    Move,
    Copy,
    Test,
    /// None of RFC 6902: an error once there is a target, as in kustomize.
    Unknown(String),
}

/// A JSON patch that is malformed or does not fit its target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonPatchError {
    /// The patch is not a list of operations.
    #[error("a JSON patch is a list of operations with `op` and `path`")]
    Shape,
    /// An operation that RFC 6902 does not have.
    #[error("operation {index}: unknown op {op:?}; use add, remove, replace, move, copy or test")]
    Op {
        /// Place of the operation, from 0.
        index: usize,
        /// What was written.
        op: String,
    },
    /// The path of an operation leads nowhere.
    #[error("operation {index}: {op} {path:?}: nothing is there")]
    Missing {
        /// Place of the operation, from 0.
        index: usize,
        /// The verb.
        op: &'static str,
        /// The path.
        path: String,
    },
    /// An index that the list does not have.
    #[error("operation {index}: {op} {path:?}: the list has no such place")]
    Index {
        /// Place of the operation, from 0.
        index: usize,
        /// The verb.
        op: &'static str,
        /// The path.
        path: String,
    },
    /// A failed `test`.
    #[error("operation {index}: test {path:?} failed: the value differs")]
    Test {
        /// Place of the operation, from 0.
        index: usize,
        /// The path.
        path: String,
    },
    /// The copies of a patch are too large: each may double what is there.
    #[error("operation {index}: the patch copies more than {COPIED_NODES} values")]
    Copies {
        /// Place of the operation, from 0.
        index: usize,
    },
    /// The target cannot be written as JSON.
    #[error(transparent)]
    Scalar(#[from] ScalarError),
}

/// How many nodes the `copy` operations of one patch may copy into one object.
const COPIED_NODES: usize = 100_000;

fn nodes(value: &Value) -> usize {
    match value {
        Value::Scalar(_) => 1,
        Value::Seq(items) => 1 + items.iter().map(nodes).sum::<usize>(),
        Value::Map(map) => 1 + map.values().map(|value| 1 + nodes(value)).sum::<usize>(),
    }
}

impl Verb {
    fn name(&self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Replace => "replace",
            Self::Move => "move",
            Self::Copy => "copy",
            Self::Test => "test",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl JsonPatch {
    /// Reads the operations of a patch.
    ///
    /// # Errors
    /// If it is not a list of mappings.
    pub fn parse(patch: &serde_json::Value) -> Result<Self, JsonPatchError> {
        let items = match patch {
            serde_json::Value::Array(items) => items.as_slice(),
            serde_json::Value::Null => &[],
            _ => return Err(JsonPatchError::Shape),
        };
        let mut operations = Vec::with_capacity(items.len());
        for item in items {
            let fields = item.as_object().ok_or(JsonPatchError::Shape)?;
            let text = |name| fields.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
            let verb = match text("op") {
                "add" => Verb::Add,
                "remove" => Verb::Remove,
                "replace" => Verb::Replace,
                "move" => Verb::Move,
                "copy" => Verb::Copy,
                "test" => Verb::Test,
                op => Verb::Unknown(op.to_owned()),
            };
            operations.push(Operation {
                verb,
                path: text("path").to_owned(),
                from: text("from").to_owned(),
                value: fields.get("value").map(from_json),
            });
        }
        Ok(Self(operations))
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values that the patch brings.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().filter_map(|operation| operation.value.as_ref())
    }

    /// Applies the patch. The target goes through JSON on the way, as kustomize's does: styles are lost, and numbers
    /// are 64-bit floats.
    ///
    /// # Errors
    /// [`JsonPatchError`]; the target is lost then.
    pub fn apply(&self, target: Value) -> Result<Value, JsonPatchError> {
        let mut document = through_json(target)?;
        let mut copied = 0;
        for (index, operation) in self.0.iter().enumerate() {
            operation.apply(index, &mut document, &mut copied)?;
        }
        Ok(document)
    }
}

impl Operation {
    fn missing(&self, index: usize, path: &str) -> JsonPatchError {
        JsonPatchError::Missing { index, op: self.verb.name(), path: path.to_owned() }
    }

    /// Applies one operation; `copied` counts the nodes that the patch has copied so far.
    fn apply(&self, index: usize, document: &mut Value, copied: &mut usize) -> Result<(), JsonPatchError> {
        let value = || self.value.clone().unwrap_or_default();
        match &self.verb {
            Verb::Unknown(op) => Err(JsonPatchError::Op { index, op: op.clone() }),
            Verb::Add => self.add(index, document, value()),
            Verb::Remove => self.remove(index, document, &self.path).map(drop),
            Verb::Replace => {
                // Kustomize makes a field that is not there, and only misses items of lists.
                let (container, key) = self.container(index, document, &self.path)?;
                match container {
                    Value::Map(map) => drop(map.insert(key, value())),
                    list => *child(list, &key).ok_or_else(|| self.missing(index, &self.path))? = value(),
                }
                Ok(())
            }
            Verb::Move => {
                let value = self.remove(index, document, &self.from)?;
                self.add(index, document, value)
            }
            Verb::Copy => {
                // A field that is not there is copied as null.
                let (container, key) = self.container(index, document, &self.from)?;
                let is_map = container.kind() == Kind::Map;
                let value = match child(container, &key) {
                    Some(value) => value.clone(),
                    None if is_map => Value::null(),
                    None => return Err(self.missing(index, &self.from)),
                };
                *copied += nodes(&value);
                if *copied > COPIED_NODES {
                    return Err(JsonPatchError::Copies { index });
                }
                self.add(index, document, value)
            }
            Verb::Test => {
                let found = self.find(index, document, &self.path).ok().map(|found| &*found);
                let same = match (found, &self.value) {
                    (None, None) => true,
                    (None, Some(wanted)) => wanted.is_null(),
                    (Some(found), wanted) => same(found, wanted.as_ref().unwrap_or(&Value::null())),
                };
                if same { Ok(()) } else { Err(JsonPatchError::Test { index, path: self.path.clone() }) }
            }
        }
    }

    /// The container of the last step, and that step.
    fn container<'v>(
        &self,
        index: usize,
        document: &'v mut Value,
        path: &str,
    ) -> Result<(&'v mut Value, String), JsonPatchError> {
        let steps: Vec<String> = path.split('/').map(decode).collect();
        let (last, between) = match steps.split_last() {
            Some((last, [_, between @ ..])) => (last, between),
            _ => return Err(self.missing(index, path)),
        };
        let mut value = document;
        for step in between {
            value = child(value, step).ok_or_else(|| self.missing(index, path))?;
        }
        if value.kind() == Kind::Scalar {
            return Err(self.missing(index, path));
        }
        Ok((value, last.clone()))
    }

    fn find<'v>(
        &self,
        index: usize,
        document: &'v mut Value,
        path: &str,
    ) -> Result<&'v mut Value, JsonPatchError> {
        let (container, key) = self.container(index, document, path)?;
        child(container, &key).ok_or_else(|| self.missing(index, path))
    }

    fn add(&self, index: usize, document: &mut Value, value: Value) -> Result<(), JsonPatchError> {
        let (container, key) = self.container(index, document, &self.path)?;
        match container {
            Value::Map(map) => {
                map.insert(key, value);
            }
            Value::Seq(items) => {
                let wrong = || JsonPatchError::Index { index, op: self.verb.name(), path: self.path.clone() };
                let place = match key.as_str() {
                    "-" => items.len(),
                    _ => place(&key, items.len() + 1).ok_or_else(wrong)?,
                };
                items.insert(place, value);
            }
            Value::Scalar(_) => return Err(self.missing(index, &self.path)),
        }
        Ok(())
    }

    fn remove(&self, index: usize, document: &mut Value, path: &str) -> Result<Value, JsonPatchError> {
        let missing = self.missing(index, path);
        let (container, key) = self.container(index, document, path)?;
        match container {
            Value::Map(map) => map.remove(&key).ok_or(missing),
            Value::Seq(items) => match place(&key, items.len()) {
                Some(place) => Ok(items.remove(place)),
                None => Err(missing),
            },
            Value::Scalar(_) => Err(missing),
        }
    }
}

fn decode(step: &str) -> String {
    if step.contains('~') { step.replace("~1", "/").replace("~0", "~") } else { step.to_owned() }
}

fn child<'v>(value: &'v mut Value, step: &str) -> Option<&'v mut Value> {
    match value {
        Value::Map(map) => map.get_mut(step),
        Value::Seq(items) => {
            let place = place(step, items.len())?;
            items.get_mut(place)
        }
        Value::Scalar(_) => None,
    }
}

/// An index below `len`; a negative one counts from the end.
fn place(step: &str, len: usize) -> Option<usize> {
    let number: i64 = step.parse().ok()?;
    let len = i64::try_from(len).ok()?;
    let number = if number < 0 { number + len } else { number };
    if (0..len).contains(&number) { usize::try_from(number).ok() } else { None }
}

/// Equality as JSON sees it: numbers by value, strings by text.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Scalar(left), Value::Scalar(right)) => match (left.resolve(), right.resolve()) {
            (Ok(left), Ok(right)) => number(&left).zip(number(&right)).map_or(left == right, |(a, b)| a == b),
            _ => false,
        },
        (Value::Seq(left), Value::Seq(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Map(left), Value::Map(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
        }
        _ => false,
    }
}

fn number(value: &Resolved<'_>) -> Option<f64> {
    match *value {
        Resolved::Int(value) => Some(value as f64),
        Resolved::UInt(value) => Some(value as f64),
        Resolved::Float(value) => Some(value),
        _ => None,
    }
}

/// A JSON value as a tree, numbers as Go's 64-bit floats.
#[must_use]
pub fn from_json(value: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match value {
        Json::Null => Value::null(),
        Json::Bool(value) => (*value).into(),
        Json::Number(value) => Value::Scalar(float(value.as_f64().unwrap_or_default())),
        Json::String(text) => Value::Scalar(string(text)),
        Json::Array(items) => Value::Seq(items.iter().map(from_json).collect()),
        Json::Object(fields) => {
            fields.iter().map(|(key, value)| (key.as_str(), from_json(value))).collect::<Map>().into()
        }
    }
}

/// A tree written as JSON and read again, as Go does: timestamps become strings, styles are lost, numbers are 64-bit
/// floats, and folded texts are as kustomize reads them back from the YAML that it makes on the way.
///
/// # Errors
/// If a scalar does not fit its tag, is not finite, or a key below the top is no string.
pub fn through_json(mut value: Value) -> Result<Value, ScalarError> {
    unfold(&mut value);
    Ok(from_json(&value.to_json()?))
}

fn unfold(value: &mut Value) {
    match value {
        Value::Scalar(scalar) if scalar.style() == Style::Folded => {
            if let Cow::Owned(text) = yaml::through_folding(Cow::Borrowed(scalar.text())) {
                scalar.set_text(text);
            }
        }
        Value::Scalar(_) => {}
        Value::Seq(items) => items.iter_mut().for_each(unfold),
        Value::Map(map) => map.values_mut().for_each(unfold),
    }
}

/// The shape that Go gives a number that was read from JSON: an exponent from a million on.
fn float(value: f64) -> Scalar {
    Scalar::plain(gofloat::general(value))
}

/// A string in the style in which Go's YAML writes it.
fn string(text: &str) -> Scalar {
    if text == "<<" {
        // Go's YAML writes it without quotes, which then is something else.
        return Scalar::plain(text);
    }
    let style = if text.contains('\n') { Style::Literal } else { yaml::style_of(text) };
    Scalar::str(text).with_style(style)
}

/// Applies a JSON merge patch: mappings merge, `null` deletes, anything else replaces.
pub fn merge_patch(target: &mut Value, patch: Value) {
    let patch = match patch {
        Value::Map(patch) => patch,
        other => {
            *target = other;
            return;
        }
    };
    if target.as_map().is_none() {
        *target = Value::Map(Map::new());
    }
    let Some(map) = target.as_map_mut() else { return };
    for entry in patch {
        if entry.value.is_null() {
            map.remove(entry.key.text());
        } else {
            merge_patch(map.get_or_insert_with(entry.key.text(), Value::null), entry.value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn apply(
        document: serde_json::Value,
        patch: serde_json::Value,
    ) -> Result<serde_json::Value, JsonPatchError> {
        Ok(JsonPatch::parse(&patch)?.apply(Value::from(document))?.to_json()?)
    }

    #[test]
    fn applies_operations() {
        let document = json!({"a": {"b": [1, 2, 3]}, "c/d": "x"});
        for (patch, expected) in [
            (
                json!([{"op": "add", "path": "/a/b/-", "value": 4}]),
                json!({"a": {"b": [1, 2, 3, 4]}, "c/d": "x"}),
            ),
            (
                json!([{"op": "add", "path": "/a/b/0", "value": 0}]),
                json!({"a": {"b": [0, 1, 2, 3]}, "c/d": "x"}),
            ),
            (json!([{"op": "remove", "path": "/a/b/-1"}]), json!({"a": {"b": [1, 2]}, "c/d": "x"})),
            (
                json!([{"op": "replace", "path": "/c~1d", "value": "y"}]),
                json!({"a": {"b": [1, 2, 3]}, "c/d": "y"}),
            ),
            (
                json!([{"op": "move", "from": "/a/b", "path": "/z"}]),
                json!({"a": {}, "c/d": "x", "z": [1, 2, 3]}),
            ),
            (
                json!([{"op": "copy", "from": "/a/b/1", "path": "/e"}, {"op": "remove", "path": "/a"}]),
                json!({"c/d": "x", "e": 2}),
            ),
            (
                json!([{"op": "test", "path": "/a/b/0", "value": 1.0}]),
                json!({"a": {"b": [1, 2, 3]}, "c/d": "x"}),
            ),
            (
                json!([{"op": "replace", "path": "/new", "value": 1}, {"op": "copy", "from": "/gone", "path": "/z"}]),
                json!({"a": {"b": [1, 2, 3]}, "c/d": "x", "new": 1, "z": null}),
            ),
            (
                json!([{"op": "test", "path": "/none", "value": null}]),
                json!({"a": {"b": [1, 2, 3]}, "c/d": "x"}),
            ),
        ] {
            assert_eq!(apply(document.clone(), patch.clone()).unwrap(), expected, "{patch}");
        }
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let document = json!({"a": [1]});
        for patch in [
            json!([{"op": "remove", "path": "/b"}]),
            json!([{"op": "replace", "path": "/a/1", "value": 1}]),
            json!([{"op": "copy", "from": "/a/1", "path": "/b"}]),
            json!([{"op": "add", "path": "/b/c", "value": 1}]),
            json!([{"op": "add", "path": "/a/3", "value": 1}]),
            json!([{"op": "add", "path": "", "value": 1}]),
            json!([{"op": "test", "path": "/a/0", "value": 2}]),
            json!([{"op": "frob", "path": "/a"}]),
            json!({"op": "add"}),
        ] {
            assert!(apply(document.clone(), patch.clone()).is_err(), "{patch}");
        }
    }

    #[test]
    fn merges_json() {
        let mut target = Value::from(json!({"a": {"b": 1, "c": 2}, "d": [1]}));
        merge_patch(&mut target, Value::from(json!({"a": {"b": null, "e": {"f": null, "g": 1}}, "d": [2]})));
        assert_eq!(target.to_json().unwrap(), json!({"a": {"c": 2, "e": {"g": 1}}, "d": [2]}));
    }

    #[test]
    fn writes_floats_like_go() {
        for (value, text) in [
            (1.0, "1"),
            (999_999.0, "999999"),
            (1_000_000.0, "1e+06"),
            (12_345_678.9, "1.23456789e+07"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5, "1.5"),
            (-2e21, "-2e+21"),
        ] {
            assert_eq!(gofloat::general(value), text);
        }
    }
}

//! JSON patches between two values, as small as the tools of Flux make them: where many changes below a place take more
//! bytes than the place itself, it is replaced as a whole.

use serde_json::{Map, Value, json};

/// One operation of a JSON patch (RFC 6902).
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What is done.
    pub action: Action,
    /// Where: a JSON pointer.
    pub path: String,
    /// The new value; none for a removal.
    pub value: Option<Value>,
    /// The old one; none for an addition.
    pub old: Option<Value>,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A value where there was none.
    Add,
    /// Another value.
    Replace,
    /// No value any more.
    Remove,
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Action::Add => "add",
            Action::Replace => "replace",
            Action::Remove => "remove",
        }
    }
}

impl Operation {
    /// As the API server takes it.
    pub fn to_json(&self) -> Value {
        match &self.value {
            Some(value) => json!({"op": self.action.word(), "path": self.path, "value": value}),
            None => json!({"op": self.action.word(), "path": self.path}),
        }
    }
}

/// The operations from one value to another.
pub(crate) fn difference(from: &Value, to: &Value) -> Vec<Operation> {
    let mut found = Vec::new();
    compare(String::new(), from, to, &mut Collector(&mut found));
    found
}

struct Collector<'o>(&'o mut Vec<Operation>);

impl Collector<'_> {
    fn add(&mut self, path: String, value: &Value) {
        self.0.push(Operation { action: Action::Add, path, value: Some(value.clone()), old: None });
    }

    fn remove(&mut self, path: String, old: &Value) {
        self.0.push(Operation { action: Action::Remove, path, value: None, old: Some(old.clone()) });
    }

    fn replace(&mut self, path: String, old: &Value, value: &Value) {
        self.0.push(Operation {
            action: Action::Replace,
            path,
            value: Some(value.clone()),
            old: Some(old.clone()),
        });
    }
}

fn compare(path: String, from: &Value, to: &Value, out: &mut Collector<'_>) {
    if equal(from, to) {
        return;
    }
    let before = out.0.len();
    match (from, to) {
        (Value::Object(old), Value::Object(new)) => compare_maps(&path, old, new, out),
        (Value::Array(old), Value::Array(new)) => compare_lists(&path, old, new, out),
        _ => {
            out.replace(path, from, to);
            return;
        }
    }
    let many: usize = out.0.iter().skip(before).map(|operation| size(operation) + 1).sum();
    let whole = BASE + Action::Replace.word().len() + path.len() + VALUE + to.to_string().len();
    if many.saturating_sub(1) > whole {
        out.0.truncate(before);
        out.replace(path, from, to);
    }
}

/// `{"op":"","path":""}`
const BASE: usize = 19;
/// `,"value":`
const VALUE: usize = 9;

/// How much an operation weighs. The value of an addition weighs nothing, as in the tool that Flux uses.
fn size(operation: &Operation) -> usize {
    let value = match (operation.action, &operation.value) {
        (Action::Replace, Some(value)) => VALUE + value.to_string().len(),
        (Action::Add, _) => VALUE,
        _ => 0,
    };
    BASE + operation.action.word().len() + operation.path.len() + value
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

fn compare_maps(path: &str, old: &Map<String, Value>, new: &Map<String, Value>, out: &mut Collector<'_>) {
    let mut keys: Vec<&String> = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))).collect();
    keys.sort();
    for key in keys {
        let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
        match (old.get(key), new.get(key)) {
            (Some(old), Some(new)) => compare(path, old, new, out),
            (Some(old), None) => out.remove(path, old),
            (None, Some(new)) => out.add(path, new),
            (None, None) => {}
        }
    }
}

fn compare_lists(path: &str, old: &[Value], new: &[Value], out: &mut Collector<'_>) {
    for gone in old.iter().skip(new.len()) {
        out.remove(format!("{path}/{}", new.len()), gone);
    }
    for (i, (old, new)) in old.iter().zip(new).enumerate() {
        compare(format!("{path}/{i}"), old, new, out);
    }
    for added in new.iter().skip(old.len()) {
        out.add(format!("{path}/-"), added);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(from: Value, to: Value) -> Vec<String> {
        difference(&from, &to).iter().map(|operation| operation.to_json().to_string()).collect()
    }

    #[test]
    fn small_changes_stay_small() {
        let long = "0123456789".repeat(40);
        assert_eq!(
            texts(
                json!({"spec": {"replicas": 1, "old": true, "list": [1, 2], "long": long}}),
                json!({"spec": {"replicas": 2, "a/b": 1, "list": [1, 2, 3], "long": long}}),
            ),
            [
                r#"{"op":"add","path":"/spec/a~1b","value":1}"#,
                r#"{"op":"add","path":"/spec/list/-","value":3}"#,
                r#"{"op":"remove","path":"/spec/old"}"#,
                r#"{"op":"replace","path":"/spec/replicas","value":2}"#,
            ]
        );
        assert_eq!(texts(json!({"a": 1}), json!({"a": 1.0})), [""; 0]);
    }

    #[test]
    fn many_changes_become_one() {
        assert_eq!(
            texts(json!({"spec": {"a": 1, "b": 1, "c": 1}}), json!({"spec": {"d": 2}})),
            [r#"{"op":"replace","path":"/spec","value":{"d":2}}"#]
        );
        assert_eq!(
            texts(json!({"spec": {"list": [1, 2, 3, 4]}}), json!({"spec": {"list": [9]}})),
            [r#"{"op":"replace","path":"/spec/list","value":[9]}"#]
        );
    }
}

//! Tables of objects that are to be accepted or refused.

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// One table: the cases of one kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    kind: String,
    /// A spec that is accepted.
    base: Value,
    accept: Vec<Rule>,
    refuse: Vec<Rule>,
    #[serde(default)]
    status: StatusRules,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusRules {
    accept: Vec<Rule>,
    refuse: Vec<Rule>,
}

/// A change of the base, or one change for each of several values.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// Merge patch of the spec or status.
    #[serde(default = "nothing")]
    set: Value,
    /// Path of the object, with dots, that gets each of the values.
    at: Option<String>,
    #[serde(default)]
    values: Vec<Value>,
    /// Values made of so many characters.
    #[serde(default)]
    lengths: Vec<usize>,
    /// Removes the field at the path.
    #[serde(default)]
    remove: bool,
    /// A part of the message of refusal.
    error: Option<String>,
    /// Several parts of the message of refusal.
    #[serde(default)]
    errors: Vec<String>,
    /// What the answer has to contain.
    read: Option<Value>,
}

fn nothing() -> Value {
    json!({})
}

impl Rule {
    fn is_refusal(&self) -> bool {
        self.error.is_some() || !self.errors.is_empty()
    }
}

/// One object and what becomes of it.
pub struct Case {
    pub kind: String,
    /// Whether the object is sent whole, or its status alone.
    pub part: Part,
    pub object: Value,
    pub expected: Expected,
    /// Words to find the case by.
    pub title: String,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Part {
    Object,
    Status,
}

pub enum Expected {
    /// Accepted, with at least these fields in the answer.
    Accepted(Option<Value>),
    /// Refused, with each of these texts in the message.
    Refused(Vec<String>),
}

/// All cases of all kinds.
pub fn all() -> Vec<Case> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|path| read(path)).collect()
}

fn read(path: &std::path::Path) -> Vec<Case> {
    let text = std::fs::read_to_string(path).unwrap();
    let table: Table =
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut cases = Vec::new();
    let lists = [
        (Part::Object, table.accept, table.refuse),
        (Part::Status, table.status.accept, table.status.refuse),
    ];
    for (part, accept, refuse) in lists {
        for rule in accept {
            assert!(!rule.is_refusal(), "{}: an accepted case has an error", path.display());
            expand(&table.kind, part, &table.base, rule, &mut cases);
        }
        for rule in refuse {
            assert!(rule.is_refusal(), "{}: a refused case has no error", path.display());
            expand(&table.kind, part, &table.base, rule, &mut cases);
        }
    }
    cases
}

fn expand(kind: &str, part: Part, base: &Value, rule: Rule, cases: &mut Vec<Case>) {
    let mut object = json!({"spec": base});
    let field = match part {
        Part::Object => "spec",
        Part::Status => "status",
    };
    merge(&mut object, &json!({field: rule.set}));
    let values = rule.values.iter().cloned().map(Some);
    let texts = rule.lengths.iter().map(|length| Some(Value::String("x".repeat(*length))));
    let removal = rule.remove.then_some(None);
    for value in values.chain(texts).chain(removal) {
        let mut object = object.clone();
        let path = rule.at.as_ref().expect("values need a path");
        let shown = value.as_ref().map_or("absent".to_owned(), |value| value.to_string());
        put(&mut object, path, value);
        let title = format!("{path} = {shown:.80}, set {:.120}", rule.set.to_string());
        cases.push(case(kind, part, object, &rule, title));
    }
    if rule.at.is_none() {
        let title = format!("set {:.200}", rule.set.to_string());
        cases.push(case(kind, part, object, &rule, title));
    }
}

fn case(kind: &str, part: Part, object: Value, rule: &Rule, title: String) -> Case {
    let expected = if rule.is_refusal() {
        Expected::Refused(rule.error.iter().chain(&rule.errors).cloned().collect())
    } else {
        Expected::Accepted(rule.read.clone())
    };
    Case { kind: kind.to_owned(), part, object, expected, title }
}

/// Sets or removes the value at a path, making the objects on the way.
fn put(object: &mut Value, path: &str, value: Option<Value>) {
    let (parents, last) = path.rsplit_once('.').unwrap();
    let mut current = object;
    for key in parents.split('.') {
        current = match key.parse::<usize>() {
            Ok(index) => &mut current[index],
            Err(_) => {
                if current.is_null() {
                    *current = json!({});
                }
                &mut current[key]
            }
        };
    }
    if current.is_null() {
        *current = json!({});
    }
    let map: &mut Map<String, Value> = current.as_object_mut().unwrap();
    match value {
        Some(value) => map.insert(last.to_owned(), value),
        None => map.remove(last),
    };
}

/// JSON merge patch (RFC 7386).
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut target[key], value);
        }
    }
}

/// Whether `whole` has everything that `part` has. Lists compare item by item.
pub fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|whole| contains(whole, value)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| contains(whole, part))
        }
        (whole, part) => whole == part,
    }
}

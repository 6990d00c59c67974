//! Values: those of the spec together with those of ConfigMaps and Secrets, in Flux's order.
//!
//! Values set at a path are set into what was merged so far, and `spec.values` is merged over it once more at the end. So
//! they win over `spec.values` only where the tables are physically the same ones: merging shares what exists on one side
//! only, and copies where both sides have a table. The nodes here are shared and changed in place for that reason.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use api::helm::{ValuesReference, ValuesReferenceKind};
use chart::{Set, Table, floats, read_first_values, set};
use serde_json::{Number, Value as Json};

/// What a referenced object holds; `None` when there is no such object.
pub type Content = Option<BTreeMap<String, Vec<u8>>>;

/// The referenced objects by kind and name: each is read once.
pub type Contents = HashMap<(ValuesReferenceKind, String), Content>;

/// Why values could not be composed: which reference, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

impl Error {
    fn new(namespace: &str, reference: &ValuesReference, why: &str) -> Self {
        let ValuesReference { name, optional, .. } = reference;
        let (optional, kind, key) =
            (if *optional { " optional" } else { "" }, kind(reference.kind), reference.values_key());
        Error(format!(
            "could not resolve{optional} {kind} chart values reference '{namespace}/{name}' with key '{key}': {why}"
        ))
    }
}

/// Kind of a referenced object.
fn kind(kind: ValuesReferenceKind) -> &'static str {
    match kind {
        ValuesReferenceKind::Secret => "Secret",
        ValuesReferenceKind::ConfigMap => "ConfigMap",
    }
}

/// Values, and what was forgiven on the way.
#[derive(Debug, Default, PartialEq)]
pub struct Composed {
    /// The values.
    pub values: Table,
    /// Optional references that lead nowhere; for the log.
    pub forgiven: Vec<String>,
}

/// Composes the values of an object in a namespace.
///
/// # Errors
/// The first reference that leads nowhere or whose content cannot be used.
pub fn compose(
    namespace: &str,
    spec: Option<&Json>,
    references: &[ValuesReference],
    contents: &Contents,
) -> Result<Composed, Error> {
    // Every number in a JSON document is a float to Helm.
    let own = match spec.cloned().map(floats) {
        Some(Json::Object(values)) => Node::table(values),
        _ => Shared::default(),
    };
    let mut composed = Composed::default();
    let mut result = Shared::default();
    for reference in references {
        let content = match find(namespace, reference, contents) {
            Ok(content) => content,
            Err(error) if reference.optional => {
                composed.forgiven.push(error.to_string());
                continue;
            }
            Err(error) => return Err(error),
        };
        let failed = |error: chart::Error| Error::new(namespace, reference, &error.to_string());
        match reference.target_path.as_deref().filter(|path| !path.is_empty()) {
            Some(path) => {
                result = merge(&result, &own);
                let text = String::from_utf8_lossy(content);
                set_at(&result, path, &text, reference.literal).map_err(failed)?;
            }
            None => {
                let values = read_first_values(content).map_err(failed)?;
                result = merge(&result, &Node::table(values));
            }
        }
    }
    composed.values = to_table(&merge(&result, &own));
    Ok(composed)
}

fn find<'c>(namespace: &str, reference: &ValuesReference, contents: &'c Contents) -> Result<&'c [u8], Error> {
    let problem = |why: &str| Error::new(namespace, reference, why);
    let plural = match reference.kind {
        ValuesReferenceKind::Secret => "secrets",
        ValuesReferenceKind::ConfigMap => "configmaps",
    };
    match contents.get(&(reference.kind, reference.name.clone())) {
        Some(Some(data)) => {
            data.get(reference.values_key()).map(Vec::as_slice).ok_or_else(|| problem("key not found"))
        }
        _ => Err(problem(&format!("{plural} \"{}\" not found", reference.name))),
    }
}

/// Sets a value at a path, as `helm --set` would.
fn set_at(values: &Shared, path: &str, value: &str, literal: bool) -> Result<(), chart::Error> {
    let before = to_table(values);
    let mut after = before.clone();
    let enclosed = |quote: char| value.starts_with(quote) && value.ends_with(quote);
    let result = if literal {
        let mut escaped = String::with_capacity(value.len());
        for c in value.chars() {
            if matches!(c, '\\' | ',' | '[' | ']' | '{' | '}') {
                escaped.push('\\');
            }
            escaped.push(c);
        }
        set(&mut after, &format!("{path}={escaped}"), Set::Text)
    } else if enclosed('\'') || enclosed('"') {
        set(&mut after, &format!("{path}={}", value.trim_matches(['\'', '"'])), Set::Text)
    } else {
        set(&mut after, &format!("{path}={value}"), Set::Typed)
    };
    result?;
    update_table(values, &before, after);
    Ok(())
}

/// A table that several others may hold.
type Shared = Rc<RefCell<BTreeMap<String, Node>>>;

#[derive(Clone)]
enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(Rc<str>),
    List(Rc<RefCell<Vec<Node>>>),
    Table(Shared),
}

impl Node {
    fn table(values: Table) -> Shared {
        let entries = values.into_iter().map(|(key, value)| (key, Node::of(value)));
        Rc::new(RefCell::new(entries.collect()))
    }

    fn of(value: Json) -> Node {
        match value {
            Json::Null => Node::Null,
            Json::Bool(value) => Node::Bool(value),
            Json::Number(number) => Node::Number(number),
            Json::String(text) => Node::Text(text.into()),
            Json::Array(items) => {
                Node::List(Rc::new(RefCell::new(items.into_iter().map(Node::of).collect())))
            }
            Json::Object(values) => Node::Table(Node::table(values)),
        }
    }

    fn json(&self) -> Json {
        match self {
            Node::Null => Json::Null,
            Node::Bool(value) => Json::Bool(*value),
            Node::Number(number) => Json::Number(number.clone()),
            Node::Text(text) => Json::String(text.to_string()),
            Node::List(items) => Json::Array(items.borrow().iter().map(Node::json).collect()),
            Node::Table(values) => Json::Object(to_table(values)),
        }
    }
}

fn to_table(values: &Shared) -> Table {
    values.borrow().iter().map(|(key, value)| (key.clone(), value.json())).collect()
}

/// One table over another. The result is a new table; what is in only one of the two is shared with it.
fn merge(below: &Shared, above: &Shared) -> Shared {
    let mut merged = below.borrow().clone();
    for (key, value) in above.borrow().iter() {
        let value = match (merged.get(key), value) {
            (Some(Node::Table(old)), Node::Table(new)) => Node::Table(merge(old, new)),
            _ => value.clone(),
        };
        merged.insert(key.clone(), value);
    }
    Rc::new(RefCell::new(merged))
}

/// Makes the changes between two states of a table to the table itself, in place, so that all who share it see them.
fn update_table(table: &Shared, before: &Table, after: Table) {
    for (key, value) in after {
        let node = table.borrow().get(&key).cloned();
        if let Some(node) = update(node, before.get(&key), value) {
            table.borrow_mut().insert(key, node);
        }
    }
}

/// Changes a node in place where that can be done; else returns the new one.
fn update(node: Option<Node>, before: Option<&Json>, after: Json) -> Option<Node> {
    if before == Some(&after) && node.is_some() {
        return None;
    }
    match (node, before, after) {
        (Some(Node::Table(table)), Some(Json::Object(before)), Json::Object(after)) => {
            update_table(&table, before, after);
            None
        }
        (Some(Node::List(list)), Some(Json::Array(before)), Json::Array(after)) => {
            update_list(&list, before, after)
        }
        (_, _, after) => Some(Node::of(after)),
    }
}

/// A list that grows is a new one, which holds what the old one held.
fn update_list(list: &Rc<RefCell<Vec<Node>>>, before: &[Json], after: Vec<Json>) -> Option<Node> {
    let grows = after.len() != before.len();
    let mut items = Vec::with_capacity(after.len());
    for (index, value) in after.into_iter().enumerate() {
        let node = list.borrow().get(index).cloned();
        let changed = update(node.clone(), before.get(index), value);
        items.extend(changed.or(node));
    }
    if grows {
        return Some(Node::List(Rc::new(RefCell::new(items))));
    }
    *list.borrow_mut() = items;
    None
}

#[cfg(test)]
mod tests;

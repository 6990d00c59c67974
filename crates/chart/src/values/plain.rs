//! Values that never change: shared between charts, threads and steps instead of copied.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotemplate::{Str, Value};
use serde_json::{Number, Value as Json};

use super::Table;

/// A value as it is written somewhere.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Plain {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Str),
    List(Arc<[Plain]>),
    Table(PlainTable),
}

/// Values by name that never change, for example the default values of a chart. Copies share them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlainTable(Arc<Entries>);

#[derive(Debug, Default, PartialEq)]
struct Entries {
    /// In the order of their keys' bytes, each key once.
    sorted: Vec<(Str, Plain)>,
    /// Whether there is a null among them, or in a table below.
    has_nil: bool,
    /// How many values there are, with those of tables and lists below.
    weight: usize,
}

impl PlainTable {
    /// A table of entries in any order; of several with the same key the last counts.
    pub(crate) fn new(mut entries: Vec<(Str, Plain)>) -> PlainTable {
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        entries.dedup_by(|later, kept| {
            let is_same = later.0 == kept.0;
            if is_same {
                std::mem::swap(later, kept);
            }
            is_same
        });
        let has_nil = entries.iter().any(|(_, value)| match value {
            Plain::Nil => true,
            Plain::Table(table) => table.has_nil(),
            _ => false,
        });
        let weight = entries.iter().map(|(_, value)| value.weight()).sum();
        PlainTable(Arc::new(Entries { sorted: entries, has_nil, weight }))
    }

    /// True without entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.sorted.is_empty()
    }

    pub(crate) fn has_nil(&self) -> bool {
        self.0.has_nil
    }

    pub(crate) fn weight(&self) -> usize {
        self.0.weight
    }

    pub(crate) fn entries(&self) -> &[(Str, Plain)] {
        &self.0.sorted
    }

    /// The same as JSON.
    #[must_use]
    pub fn table(&self) -> Table {
        self.entries().iter().map(|(key, value)| (key.text().into_owned(), value.json())).collect()
    }

    /// The same as templates have it; nothing is shared but texts.
    #[must_use]
    pub fn value(&self) -> Value {
        let map: BTreeMap<Str, Value> =
            self.entries().iter().map(|(key, value)| (key.clone(), value.value())).collect();
        Value::dict(map)
    }
}

impl From<&Table> for PlainTable {
    fn from(table: &Table) -> PlainTable {
        PlainTable::new(table.iter().map(|(key, value)| (key.as_str().into(), value.into())).collect())
    }
}

impl From<&Json> for Plain {
    fn from(json: &Json) -> Plain {
        match json {
            Json::Null => Plain::Nil,
            Json::Bool(value) => Plain::Bool(*value),
            Json::Number(number) => match number.as_i64() {
                Some(value) => Plain::Int(value),
                None => Plain::Float(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => Plain::Text(text.as_str().into()),
            Json::Array(items) => Plain::List(items.iter().map(Plain::from).collect()),
            Json::Object(table) => Plain::Table(table.into()),
        }
    }
}

impl Plain {
    /// How many values it is.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Plain::List(items) => 1 + items.iter().map(Plain::weight).sum::<usize>(),
            Plain::Table(table) => 1 + table.weight(),
            _ => 1,
        }
    }

    pub(crate) fn json(&self) -> Json {
        match self {
            Plain::Nil => Json::Null,
            Plain::Bool(value) => Json::Bool(*value),
            Plain::Int(value) => Json::from(*value),
            Plain::Float(value) => Number::from_f64(*value).map_or(Json::Null, Json::Number),
            Plain::Text(text) => Json::String(text.text().into_owned()),
            Plain::List(items) => Json::Array(items.iter().map(Plain::json).collect()),
            Plain::Table(table) => Json::Object(table.table()),
        }
    }

    pub(crate) fn value(&self) -> Value {
        match self {
            Plain::Nil => Value::Nil,
            Plain::Bool(value) => Value::Bool(*value),
            Plain::Int(value) => Value::int64(*value),
            Plain::Float(value) => Value::Float(*value),
            Plain::Text(text) => Value::Str(text.clone()),
            Plain::List(items) => Value::list(items.iter().map(Plain::value).collect()),
            Plain::Table(table) => table.value(),
        }
    }
}

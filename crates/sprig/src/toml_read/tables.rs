//! What the keys of a document define, and which of them may be defined again.

use std::collections::{BTreeMap, HashSet};

use gotemplate::{ListType, Str, Value};

use super::DEEPEST;

/// The longest path of a table that arrays of tables and dotted keys may lead to.
const LONGEST: usize = 2 * DEEPEST;

#[derive(Clone)]
enum Node {
    Leaf(Value),
    /// The number of a table.
    Table(usize),
    /// The numbers of the tables of an array that headers made.
    Tables(Vec<usize>),
}

/// The tables of a document as they are while it is read.
pub(super) struct Tables {
    all: Vec<BTreeMap<Str, Node>>,
    /// Tables that only stand in the path of something: those may still be defined.
    implicit: HashSet<Vec<Str>>,
    /// Keys that hold arrays.
    arrays: HashSet<Vec<Str>>,
    /// The table whose keys are read.
    pub(super) context: Vec<Str>,
    /// The key whose value is read.
    pub(super) current: Str,
}

/// A path as TOML has it.
fn shown(path: &[Str]) -> Vec<u8> {
    let mut out = Vec::new();
    for (i, part) in path.iter().enumerate() {
        if i > 0 {
            out.push(b'.');
        }
        crate::toml_text::key(part, &mut out);
    }
    out
}

fn text(path: &[Str]) -> String {
    gotemplate::lossy(&shown(path)).into_owned()
}

fn defined(path: &[Str]) -> String {
    format!("Key '{}' has already been defined.", text(path))
}

impl Tables {
    pub(super) fn new() -> Tables {
        Tables {
            all: vec![BTreeMap::new()],
            implicit: HashSet::new(),
            arrays: HashSet::new(),
            context: Vec::new(),
            current: "".into(),
        }
    }

    /// The path that errors name.
    pub(super) fn last_key(&self) -> Vec<u8> {
        let mut out = shown(&self.context);
        if !self.current.is_empty() {
            if !out.is_empty() {
                out.push(b'.');
            }
            out.extend_from_slice(&self.current);
        }
        out
    }

    /// What was read.
    pub(super) fn value(&self) -> Value {
        self.table(0)
    }

    fn table(&self, number: usize) -> Value {
        let table = self.all.get(number).into_iter().flatten();
        let entry = |(key, node): (&Str, &Node)| {
            let value = match node {
                Node::Leaf(value) => value.clone(),
                Node::Table(number) => self.table(*number),
                Node::Tables(numbers) => {
                    let tables = numbers.iter().map(|number| self.table(*number)).collect();
                    Value::typed_list(ListType::Dicts, tables)
                }
            };
            (key.clone(), value)
        };
        Value::dict(table.map(entry).collect())
    }

    fn node(&mut self, table: usize, key: &Str) -> Option<&mut Node> {
        self.all.get_mut(table)?.get_mut(key)
    }

    fn insert(&mut self, table: usize, key: &Str, node: Node) {
        if let Some(table) = self.all.get_mut(table) {
            table.insert(key.clone(), node);
        }
    }

    fn new_table(&mut self) -> usize {
        self.all.push(BTreeMap::new());
        self.all.len() - 1
    }

    /// The path of a key of the table that is read.
    fn path(&self, key: &Str) -> Vec<Str> {
        let mut path = self.context.clone();
        path.push(key.clone());
        path
    }

    /// Opens the table of a header.
    pub(super) fn open(&mut self, path: &[Str], array: bool) -> Result<(), String> {
        self.enter(path, array)?;
        self.has_type(&"".into(), false);
        Ok(())
    }

    /// The table that the current key holds becomes the one that is read; in an array it is one more of that.
    pub(super) fn open_inline(&mut self, in_array: bool) -> Result<(), String> {
        let current = std::mem::replace(&mut self.current, "".into());
        let path = self.path(&current);
        self.context.clone_from(&path);
        self.implicit.insert(path.clone());
        self.enter(&path, in_array)
    }

    /// Goes on with what was read before.
    pub(super) fn leave(&mut self, context: Vec<Str>, current: Str) {
        self.context = context;
        self.current = current;
    }

    /// The value of a key follows: the tables in its path are there then, and the last of them is the one that is read.
    pub(super) fn begin(&mut self, path: &[Str]) -> Result<(), String> {
        let Some((last, parents)) = path.split_last() else { return Ok(()) };
        self.current = last.clone();
        for part in parents {
            let path = self.path(part);
            self.implicit.insert(path.clone());
            self.enter(&path, false)?;
        }
        Ok(())
    }

    /// The current key holds an array.
    pub(super) fn begin_array(&mut self) {
        self.has_type(&self.current.clone(), true);
    }

    /// The value of the current key.
    pub(super) fn set(&mut self, value: &Value) -> Result<(), String> {
        let current = self.current.clone();
        self.define(&current, Node::Leaf(value.clone()))?;
        self.has_type(&current, matches!(value, Value::List(_)));
        Ok(())
    }

    /// Keeps in mind whether a key holds an array. An empty key stands for its table, and at the top for itself.
    fn has_type(&mut self, key: &Str, array: bool) {
        let mut path = self.context.clone();
        if !key.is_empty() || path.is_empty() {
            path.push(key.clone());
        }
        if array {
            self.arrays.insert(path);
        } else {
            self.arrays.remove(&path);
        }
    }

    /// Makes the table of a path the one that is read.
    fn enter(&mut self, path: &[Str], array: bool) -> Result<(), String> {
        let Some((last, parents)) = path.split_last() else { return Ok(()) };
        if path.len() > LONGEST {
            return Err("nested too deeply".to_owned());
        }
        let mut table = 0;
        for (i, part) in parents.iter().enumerate() {
            let prefix = || parents.get(..=i).unwrap_or_default();
            if self.node(table, part).is_none() {
                self.implicit.insert(prefix().to_vec());
                let new = self.new_table();
                self.insert(table, part, Node::Table(new));
            }
            table = match self.node(table, part) {
                Some(Node::Tables(tables)) => tables.last().copied().unwrap_or_default(),
                Some(Node::Table(table)) => *table,
                _ => return Err(format!("Key '{}' was already created as a hash.", text(prefix()))),
            };
        }
        self.context = parents.to_vec();
        let new = self.new_table();
        if array {
            match self.node(table, last) {
                None => self.insert(table, last, Node::Tables(vec![new])),
                Some(Node::Tables(tables)) => tables.push(new),
                Some(_) => {
                    let path = text(path);
                    return Err(format!("Key '{path}' was already created and cannot be used as an array."));
                }
            }
        } else {
            self.define(last, Node::Table(new))?;
        }
        self.context.push(last.clone());
        Ok(())
    }

    /// Gives a key of the table that is read its value, unless it has one.
    fn define(&mut self, key: &Str, node: Node) -> Result<(), String> {
        let mut table = 0;
        for (i, part) in self.context.clone().iter().enumerate() {
            table = match self.node(table, part) {
                Some(Node::Tables(tables)) => tables.last().copied().unwrap_or_default(),
                Some(Node::Table(table)) => *table,
                _ => return Err(defined(self.context.get(..=i).unwrap_or_default())),
            };
        }
        if self.node(table, key).is_none() {
            self.insert(table, key, node);
            return Ok(());
        }
        let path = self.path(key);
        if !self.implicit.remove(&path) {
            return Err(defined(&path));
        }
        // What is a table already is kept; an array takes the place of those that were made while it was read.
        if self.arrays.contains(&path) {
            self.insert(table, key, node);
        }
        Ok(())
    }
}

//! Tables while they are combined: they change in place and are shared, as Go's maps are, but only what is touched is
//! copied from the [`PlainTable`]s that they begin as.

use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use gotemplate::{Str, Value};

use super::plain::{Plain, PlainTable};

/// A value in a table that is combined.
#[derive(Clone)]
pub(crate) enum Node {
    /// Anything but a table.
    Leaf(Plain),
    Table(Rc<Draft>),
}

/// A table that may change; whoever holds it sees that.
#[derive(Default)]
pub(crate) struct Draft {
    /// What it is as long as nobody looked into it.
    untouched: RefCell<Option<PlainTable>>,
    entries: RefCell<BTreeMap<Str, Node>>,
}

impl From<&Plain> for Node {
    fn from(plain: &Plain) -> Node {
        match plain {
            Plain::Table(table) => Node::Table(Draft::new(table)),
            leaf => Node::Leaf(leaf.clone()),
        }
    }
}

impl Node {
    pub(crate) fn table(&self) -> Option<&Rc<Draft>> {
        match self {
            Node::Table(table) => Some(table),
            Node::Leaf(_) => None,
        }
    }

    pub(crate) fn is_nil(&self) -> bool {
        matches!(self, Node::Leaf(Plain::Nil))
    }

    /// As templates have it.
    pub(crate) fn value(&self) -> Value {
        self.value_once(&mut HashMap::new())
    }

    /// Tables that are shared are the same for templates, too: one may change what another sees.
    fn value_once(&self, known: &mut HashMap<*const Draft, Value>) -> Value {
        match self {
            Node::Leaf(plain) => plain.value(),
            Node::Table(table) => {
                if let Some(known) = known.get(&Rc::as_ptr(table)) {
                    return known.clone();
                }
                let value = match &*table.untouched.borrow() {
                    Some(plain) => plain.value(),
                    None => {
                        let entries = table.entries.borrow();
                        let entries = entries.iter().map(|(key, node)| (key.clone(), node.value_once(known)));
                        Value::dict(entries.collect())
                    }
                };
                if Rc::strong_count(table) > 1 {
                    known.insert(Rc::as_ptr(table), value.clone());
                }
                value
            }
        }
    }
}

impl Draft {
    pub(crate) fn new(plain: &PlainTable) -> Rc<Draft> {
        Rc::new(Draft { untouched: RefCell::new(Some(plain.clone())), entries: RefCell::default() })
    }

    pub(crate) fn of(entries: impl IntoIterator<Item = (Str, Node)>) -> Rc<Draft> {
        Rc::new(Draft { untouched: RefCell::new(None), entries: RefCell::new(entries.into_iter().collect()) })
    }

    /// Its own entries, from now on.
    fn touch(&self) -> RefMut<'_, BTreeMap<Str, Node>> {
        let mut entries = self.entries.borrow_mut();
        if let Some(plain) = self.untouched.take() {
            *entries = plain.entries().iter().map(|(key, value)| (key.clone(), value.into())).collect();
        }
        entries
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<Node> {
        self.touch().get(key).cloned()
    }

    pub(crate) fn set(&self, key: Str, node: Node) {
        self.touch().insert(key, node);
    }

    pub(crate) fn remove(&self, key: &[u8]) {
        self.touch().remove(key);
    }

    /// The entries as they are now.
    pub(crate) fn entries(&self) -> Vec<(Str, Node)> {
        self.touch().iter().map(|(key, node)| (key.clone(), node.clone())).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        match &*self.untouched.borrow() {
            Some(plain) => plain.is_empty(),
            None => self.entries.borrow().is_empty(),
        }
    }

    /// Removes nulls, in tables below it as well.
    pub(crate) fn drop_nils(&self) {
        if self.untouched.borrow().as_ref().is_some_and(|plain| !plain.has_nil()) {
            return;
        }
        self.touch().retain(|_, node| !node.is_nil());
        for (_, node) in self.entries() {
            if let Some(table) = node.table() {
                table.drop_nils();
            }
        }
    }

    /// What stands at the end of a dotted path of tables.
    pub(crate) fn lookup(self: &Rc<Draft>, path: &str) -> Option<Node> {
        let mut at = Node::Table(Rc::clone(self));
        for key in path.split('.') {
            let next = at.table()?.get(key.as_bytes())?;
            at = next;
        }
        Some(at)
    }

    /// How many values there are in it and in what is below it, each counted wherever it is found; none when the table
    /// itself is found there.
    pub(crate) fn weight(&self) -> Option<usize> {
        self.weight_once(&mut HashMap::new())
    }

    fn weight_once(&self, known: &mut HashMap<*const Draft, usize>) -> Option<usize> {
        if let Some(plain) = &*self.untouched.borrow() {
            return Some(plain.weight());
        }
        // A table stays borrowed while those below it are looked at.
        let entries = self.entries.try_borrow_mut().ok()?;
        if let Some(known) = known.get(&std::ptr::from_ref(self)) {
            return Some(*known);
        }
        let mut weight = 0usize;
        for node in entries.values() {
            let of = match node {
                Node::Leaf(plain) => plain.weight(),
                Node::Table(table) => 1 + table.weight_once(known)?,
            };
            weight = weight.saturating_add(of);
        }
        known.insert(std::ptr::from_ref(self), weight);
        Some(weight)
    }

    /// As it is now, for good.
    pub(crate) fn plain(&self) -> PlainTable {
        if let Some(plain) = &*self.untouched.borrow() {
            return plain.clone();
        }
        let entries = self.entries.borrow();
        let entries = entries.iter().map(|(key, node)| {
            let value = match node {
                Node::Leaf(plain) => plain.clone(),
                Node::Table(table) => Plain::Table(table.plain()),
            };
            (key.clone(), value)
        });
        PlainTable::new(entries.collect())
    }
}

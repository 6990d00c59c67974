//! Mappings that keep the order of their keys.

use foldhash::{HashMap, HashMapExt as _};

use crate::{Scalar, Text, Value};

/// From this many entries on, lookups use a hash index; below, a scan is faster.
const INDEXED_FROM: usize = 16;

/// One key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key: nearly always a string, but `1: x` has an integer key, and output refuses it.
    pub key: Scalar,
    /// The value.
    pub value: Value,
}

/// A mapping in insertion order. Keys are compared by their text; a text occurs once.
///
/// Equality ignores the order of keys.
#[derive(Debug, Clone, Default)]
pub struct Map {
    entries: Vec<Entry>,
    /// What few mappings have.
    extra: Option<Box<Extra>>,
}

#[derive(Debug, Clone, Default)]
struct Extra {
    /// Text of each key → its place; empty in small mappings.
    index: HashMap<Text, usize>,
    /// A key that the source had a second time, and what stood there.
    duplicate: Option<Entry>,
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .entries
                .iter()
                .all(|entry| other.get(entry.key.text()).is_some_and(|value| *value == entry.value))
    }
}

impl Map {
    /// An empty mapping.
    #[must_use]
    pub fn new() -> Map {
        Map::default()
    }

    /// An empty mapping with room for `capacity` entries.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Map {
        Map { entries: Vec::with_capacity(capacity), ..Map::default() }
    }

    /// Number of entries.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without entries.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Line of the first key in the source, counted from 1; 0 when it was not read from a source.
    #[inline]
    #[must_use]
    pub fn line(&self) -> u32 {
        self.entries.first().map_or(0, |entry| entry.key.line())
    }

    /// Place of a key.
    #[inline]
    #[must_use]
    pub fn position(&self, key: &str) -> Option<usize> {
        match &self.extra {
            Some(extra) if !extra.index.is_empty() => extra.index.get(key).copied(),
            _ => self.entries.iter().position(|entry| entry.key.text() == key),
        }
    }

    /// True if the key is there.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// The value of a key.
    #[inline]
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The key as it was written, and the value.
    #[inline]
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(self.position(key)?)
    }

    /// The value of a key, to change.
    #[inline]
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        let position = self.position(key)?;
        self.entries.get_mut(position).map(|entry| &mut entry.value)
    }

    /// The value of a key, added as `make` says at the end if it is absent.
    pub fn get_or_insert_with(&mut self, key: &str, make: impl FnOnce() -> Value) -> &mut Value {
        let position = match self.position(key) {
            Some(position) => position,
            None => self.push(Entry { key: Scalar::str(key), value: make() }),
        };
        #[expect(clippy::indexing_slicing, reason = "position and push return places inside the vector")]
        &mut self.entries[position].value
    }

    /// Sets a string key: in place if it is there, else at the end. Returns the value before.
    pub fn insert(&mut self, key: impl Into<Text>, value: impl Into<Value>) -> Option<Value> {
        self.insert_entry(Entry { key: Scalar::str(key), value: value.into() })
    }

    /// Sets an entry: in place if its key is there (which keeps the key as written before), else at the end.
    pub fn insert_entry(&mut self, entry: Entry) -> Option<Value> {
        match self.get_mut(entry.key.text()) {
            Some(value) => Some(std::mem::replace(value, entry.value)),
            None => {
                self.push(entry);
                None
            }
        }
    }

    /// Sets an entry at the front, where a new key is added before all others.
    pub fn insert_front(&mut self, entry: Entry) -> Option<Value> {
        let before = self.remove(entry.key.text());
        self.entries.insert(0, entry);
        self.reindex();
        before
    }

    /// Adds an entry whose key is known to be absent; returns its place.
    pub(crate) fn push(&mut self, entry: Entry) -> usize {
        let position = self.entries.len();
        let indexed = self.index().map(|index| index.insert(entry.key.shared_text(), position)).is_some();
        self.entries.push(entry);
        if !indexed && self.entries.len() >= INDEXED_FROM {
            self.reindex();
        }
        position
    }

    /// Removes a key and keeps the order of the others.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.remove_entry(key).map(|entry| entry.value)
    }

    /// Removes a key and keeps the order of the others.
    pub fn remove_entry(&mut self, key: &str) -> Option<Entry> {
        let position = self.position(key)?;
        if let Some(index) = self.index() {
            index.remove(key);
            index.values_mut().filter(|place| **place > position).for_each(|place| *place -= 1);
        }
        let removed = self.entries.remove(position);
        // Of a key that occurs twice, the second one stays.
        if let Some(second) =
            self.extra.as_mut().and_then(|extra| extra.duplicate.take_if(|second| second.key.text() == key))
        {
            self.push(second);
        }
        Some(removed)
    }

    /// Keeps the entries for which `keep` answers true.
    pub fn retain(&mut self, mut keep: impl FnMut(&Scalar, &mut Value) -> bool) {
        self.entries.retain_mut(|entry| keep(&entry.key, &mut entry.value));
        self.reindex();
    }

    /// Gives back memory; most mappings have one or two keys.
    pub(crate) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
    }

    fn index(&mut self) -> Option<&mut HashMap<Text, usize>> {
        self.extra.as_mut().map(|extra| &mut extra.index).filter(|index| !index.is_empty())
    }

    fn reindex(&mut self) {
        if self.entries.len() >= INDEXED_FROM {
            let places = self.entries.iter().enumerate();
            let index = places.map(|(place, entry)| (entry.key.shared_text(), place)).collect();
            self.extra.get_or_insert_default().index = index;
        } else if let Some(extra) = &mut self.extra {
            extra.index = HashMap::new();
        }
    }

    /// The key that the source gave a second time, and where. The first one counts, as for Kustomize's patches; a
    /// mapping that still has the mark cannot be written.
    #[must_use]
    pub fn duplicate(&self) -> Option<(&str, u32)> {
        let second = self.extra.as_ref()?.duplicate.as_ref()?;
        Some((second.key.text(), second.key.line()))
    }

    pub(crate) fn mark_duplicate(&mut self, second: Entry) {
        self.extra.get_or_insert_default().duplicate.get_or_insert(second);
    }

    /// Keys and values in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &Value)> + ExactSizeIterator {
        self.entries.iter().map(|entry| (entry.key.text(), &entry.value))
    }

    /// Keys and values in order, the values to change.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (&str, &mut Value)> + ExactSizeIterator {
        self.entries.iter_mut().map(|entry| (entry.key.text(), &mut entry.value))
    }

    /// Entries in order.
    #[inline]
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Keys in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator {
        self.entries.iter().map(|entry| entry.key.text())
    }

    /// Values in order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Value> + ExactSizeIterator {
        self.entries.iter().map(|entry| &entry.value)
    }

    /// Values in order, to change.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Value> + ExactSizeIterator {
        self.entries.iter_mut().map(|entry| &mut entry.value)
    }
}

impl IntoIterator for Map {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<K: Into<Text>, V: Into<Value>> FromIterator<(K, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Map {
        let mut map = Map::new();
        for (key, value) in pairs {
            map.insert(key, value);
        }
        map
    }
}

impl Extend<Entry> for Map {
    fn extend<I: IntoIterator<Item = Entry>>(&mut self, entries: I) {
        for entry in entries {
            self.insert_entry(entry);
        }
    }
}

//! Lists whose items merge by keys.
//!
//! kustomize gathers the key values of all items, the patch's first, merges the items that each names, and then folds
//! the object's own items in again. With one key, merged items come in the patch's order before the others; with
//! several, the object's items keep their order behind what is new. Items without the keys fall under odd rules,
//! which are kept: see [`fold`].

use std::collections::HashSet;

use schema::Node;
use yaml::{Scalar, Value};

use crate::strategic::{Directive, Merge, MergeError, Patch, kind_name};

/// Both sides of a list merge. Items are held once and named by their place, as kustomize shares them.
pub(crate) struct List {
    items: Vec<Value>,
    target: Vec<usize>,
    patch: Option<Vec<usize>>,
}

/// The values of the merge keys of one item; absent ones are empty.
type Values = Vec<String>;

impl List {
    pub(crate) fn new(target: Vec<Value>, patch: Option<Vec<Value>>) -> Self {
        let count = target.len();
        let mut items = target;
        let patch = patch.map(|patch| {
            items.extend(patch);
            (count..items.len()).collect()
        });
        Self { items, target: (0..count).collect(), patch }
    }

    /// A list that came from the patch: both sides are the same.
    pub(crate) fn own(items: Vec<Value>) -> Self {
        let all: Vec<usize> = (0..items.len()).collect();
        Self { items, target: all.clone(), patch: Some(all) }
    }

    fn item(&self, place: usize) -> &Value {
        const NULL: &Value = &Value::Seq(Vec::new());
        self.items.get(place).unwrap_or(NULL)
    }

    pub(crate) fn merge<'s>(
        mut self,
        merge: &mut Merge<'s>,
        keys: &[String],
        node: Option<Node<'s>>,
    ) -> Result<Value, MergeError> {
        if self.patch.is_none() && self.is_plain(keys) {
            return self.untouched(merge, node);
        }
        let odd = |item: &&Value| item.as_map().is_none() && !item.is_null();
        if let Some(item) = self.items.iter().find(odd).filter(|_| !keys.is_empty()) {
            return Err(MergeError::Item { path: merge.error_path(), found: kind_name(item.kind()) });
        }
        // A list of scalars merges by the scalars themselves.
        let primitive = [String::new()];
        let keys = if keys.is_empty() { &primitive } else { keys };
        let mut all = self.all_values(keys);
        if keys.len() > 1 {
            complete(&mut all);
        }
        if all.is_empty() {
            let target = std::mem::take(&mut self.target);
            return Ok(self.collect(&target));
        }
        let used: Vec<bool> = used_keys(&all, keys.len());
        let pick = |list: &[String]| -> Vec<String> {
            list.iter().zip(&used).filter(|(_, used)| **used).map(|(text, _)| text.clone()).collect()
        };
        let keys = pick(keys);
        let mut merged: Vec<usize> = Vec::with_capacity(all.len());
        for values in &all {
            let values = pick(values);
            match self.merge_item(merge, &keys, &values, node)? {
                Some(place) => {
                    for (key, value) in keys.iter().zip(&values) {
                        self.set_missing_key(place, key, value);
                    }
                    self.place(&mut merged, place, &keys, &values);
                }
                None => {
                    let items = &self.items;
                    self.target.retain(|place| keep(items.get(*place), &keys, &values));
                }
            }
        }
        self.fold(&mut merged, &keys);
        Ok(self.collect(&merged))
    }

    /// Whether every item has a single key of its own, so that a merge with nothing changes nothing here.
    fn is_plain(&self, keys: &[String]) -> bool {
        let [key] = keys else { return false };
        let mut seen = HashSet::with_capacity(self.items.len());
        self.items.iter().all(|item| {
            let value = item.get(key).filter(|value| !value.is_null()).and_then(Value::text);
            value.is_some_and(|value| !value.is_empty() && seen.insert(value))
        })
    }

    fn untouched<'s>(self, merge: &mut Merge<'s>, node: Option<Node<'s>>) -> Result<Value, MergeError> {
        let mut out = Vec::with_capacity(self.items.len());
        for item in self.items {
            out.extend(merge.node(Some(item), Patch::Absent, node)?);
        }
        Ok(Value::Seq(out))
    }

    /// The distinct key values of the patch's items, then of the target's.
    fn all_values(&self, keys: &[String]) -> Vec<Values> {
        let primitive = keys.first().is_some_and(String::is_empty);
        let mut seen = HashSet::new();
        let mut out = Vec::new();
        for place in self.patch.iter().flatten().chain(&self.target) {
            let item = self.item(*place);
            let values: Values = if primitive {
                vec![item.text().unwrap_or_default().to_owned()]
            } else {
                keys.iter().map(|key| key_text(item, key).to_owned()).collect()
            };
            if seen.insert(values.clone()) {
                out.push(values);
            }
        }
        out
    }

    /// The first item of one side that has all of the non-empty values.
    fn find(&self, side: &[usize], keys: &[String], values: &[String]) -> Option<usize> {
        let any = values.iter().any(|value| !value.is_empty());
        side.iter().copied().find(|place| {
            let item = self.item(*place);
            keys.iter().zip(values).all(|(key, value)| {
                if any && value.is_empty() {
                    return true;
                }
                if key.is_empty() {
                    return item.text().unwrap_or_default() == value;
                }
                item.as_map()
                    .and_then(|map| map.get(key))
                    .is_some_and(|own| own.text().unwrap_or_default() == value)
            })
        })
    }

    fn merge_item<'s>(
        &mut self,
        merge: &mut Merge<'s>,
        keys: &[String],
        values: &[String],
        node: Option<Node<'s>>,
    ) -> Result<Option<usize>, MergeError> {
        let target = self.find(&self.target, keys, values);
        let patch = self.patch.as_ref().and_then(|patch| self.find(patch, keys, values));
        match (target, patch) {
            (None, None) => Ok(None),
            (Some(place), None) => {
                let item = self.take(place);
                self.put(place, merge.node(item, Patch::Absent, node)?)
            }
            (None, Some(place)) => {
                let item = self.take(place);
                self.put(place, merge.node(item, Patch::Same, node)?)
            }
            (Some(place), Some(other)) if place == other => {
                let item = self.take(place);
                self.put(place, merge.node(item, Patch::Same, node)?)
            }
            (Some(place), Some(other)) => {
                let patch = self.item(other).clone();
                match &patch {
                    Value::Map(map) if self.item(place).as_map().is_some() => {
                        let directive = map.get("$patch").and_then(Value::text).unwrap_or("merge");
                        if merge.directive(directive)? == Directive::Replace {
                            return self.put(other, merge.node(Some(patch), Patch::Same, node)?);
                        }
                    }
                    Value::Scalar(_) => return Ok(Some(other)),
                    _ => {}
                }
                // With a key missing, kustomize does not find again what it is about to remove.
                let stays = values.iter().any(String::is_empty).then(|| self.item(place).clone());
                let item = self.take(place);
                let left = self.put(place, merge.node(item, Patch::Other(patch), node)?)?;
                if let (None, Some(item), Some(slot)) = (left, stays, self.items.get_mut(place)) {
                    *slot = item;
                }
                Ok(left)
            }
        }
    }

    fn take(&mut self, place: usize) -> Option<Value> {
        self.items.get_mut(place).map(std::mem::take)
    }

    /// Stores what a merge left; an empty mapping counts as nothing.
    fn put(&mut self, place: usize, value: Option<Value>) -> Result<Option<usize>, MergeError> {
        let value = value.unwrap_or_default();
        let gone = value.is_null() || value.as_map().is_some_and(yaml::Map::is_empty);
        if let (Some(slot), false) = (self.items.get_mut(place), gone) {
            *slot = value;
        }
        Ok((!gone).then_some(place))
    }

    /// A merged item takes a key that only its counterpart had.
    fn set_missing_key(&mut self, place: usize, key: &str, value: &str) {
        if value.is_empty() || key.is_empty() {
            return;
        }
        if let Some(map) = self.items.get_mut(place).and_then(Value::as_map_mut)
            && !map.contains_key(key)
        {
            map.insert(key, Value::Scalar(Scalar::str(value)));
        }
    }

    /// Adds an item, or lets it take the place of those with the same keys.
    fn place(&self, list: &mut Vec<usize>, item: usize, keys: &[String], values: &[String]) {
        let mut found = false;
        list.retain_mut(|place| {
            if is_empty(self.item(*place)) {
                return false;
            }
            if matches(self.item(*place), keys, values) {
                *place = item;
                found = true;
            } else if values.is_empty() {
                return false;
            }
            true
        });
        if !found {
            list.push(item);
        }
    }

    /// Folds the target's own items into the merged ones. An item that lacks the keys pushes out all before it.
    fn fold(&self, merged: &mut Vec<usize>, keys: &[String]) {
        for place in &self.target {
            let item = self.item(*place);
            if keys.first().is_some_and(String::is_empty) {
                let value = [item.text().unwrap_or_default().to_owned()];
                self.place(merged, *place, keys, &value);
                continue;
            }
            let mut values = Vec::with_capacity(keys.len());
            for key in keys {
                match item.get(key) {
                    Some(value) => values.push(value.text().unwrap_or_default().to_owned()),
                    None => merged.push(*place),
                }
            }
            if keys.len() > 1 {
                merged.retain(|place| keep(self.items.get(*place), keys, &values));
            }
            self.place(merged, *place, keys, &values);
        }
    }

    fn collect(mut self, places: &[usize]) -> Value {
        let mut out = Vec::with_capacity(places.len());
        for (index, place) in places.iter().enumerate() {
            let again = places.get(index + 1..).is_some_and(|rest| rest.contains(place));
            out.extend(if again { Some(self.item(*place).clone()) } else { self.take(*place) });
        }
        Value::Seq(out)
    }
}

fn key_text<'a>(item: &'a Value, key: &str) -> &'a str {
    item.get(key).filter(|value| !value.is_null()).and_then(Value::text).unwrap_or_default()
}

fn is_empty(item: &Value) -> bool {
    item.is_null() || item.as_map().is_some_and(yaml::Map::is_empty)
}

/// Whether an item has every key with its value; a missing value is met by any.
fn matches(item: &Value, keys: &[String], values: &[String]) -> bool {
    if keys.first().is_some_and(String::is_empty) {
        return item.text().is_some_and(|text| values.first().is_some_and(|value| value == text));
    }
    let mut found = false;
    for (index, key) in keys.iter().enumerate() {
        if let Some(value) = values.get(index) {
            let own = item.as_map().and_then(|map| map.get(key));
            found = own.is_some_and(|own| value.is_empty() || own.text().unwrap_or_default() == value);
        }
        if !found {
            return false;
        }
    }
    true
}

/// Whether an item survives the removal of those with the given keys.
fn keep(item: Option<&Value>, keys: &[String], values: &[String]) -> bool {
    let Some(item) = item else { return false };
    if is_empty(item) {
        return false;
    }
    let by_value = values.first().is_some_and(|value| !value.is_empty())
        && keys.first().is_some_and(|key| !key.is_empty());
    if item.as_map().is_none() && by_value {
        return true;
    }
    !matches(item, keys, values) && !values.is_empty()
}

/// Removes the items that have the given keys, and empty ones with them.
pub(crate) fn remove_matching(items: &mut Vec<Value>, keys: &[String], values: &[String]) {
    items.retain(|item| keep(Some(item), keys, values));
}

/// Which keys any item has; all, if none has any.
fn used_keys(all: &[Values], count: usize) -> Vec<bool> {
    let mut used = vec![false; count];
    for values in all {
        for (used, value) in used.iter_mut().zip(values) {
            *used |= !value.is_empty();
        }
    }
    if used.contains(&true) { used } else { vec![true; count] }
}

/// Fills the gaps of values that agree with others in what both have.
fn complete(all: &mut [Values]) {
    for left in 0..all.len() {
        for right in 0..all.len() {
            let joined = match (all.get(left), all.get(right)) {
                (Some(one), Some(other)) => join(one, other),
                _ => None,
            };
            if let Some(joined) = joined {
                for place in [left, right] {
                    if let Some(values) = all.get_mut(place) {
                        values.clone_from(&joined);
                    }
                }
            }
        }
    }
}

fn join(one: &[String], other: &[String]) -> Option<Values> {
    let mut common = false;
    let mut out = Vec::with_capacity(one.len());
    for (one, other) in one.iter().zip(other) {
        match (one.as_str(), other.as_str()) {
            (one, other) if one == other => {
                common = true;
                out.push(one.to_owned());
            }
            ("", value) | (value, "") => out.push(value.to_owned()),
            _ => return None,
        }
    }
    common.then_some(out)
}

//! All objects of a build, in order, found by identity without scanning.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, RandomState};

use super::{Resource, ResourceId};

/// Objects in accumulation order. No two have the same current identity, unless a transformer made them so.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResourceMap {
    list: Vec<Resource>,
    hasher: RandomState,
    /// By current identity.
    current: Option<Places>,
    /// By any identity, current and previous.
    any: Option<Places>,
    /// By kind and name.
    chosen: Option<Chosen>,
    /// Whether identities have changed since they were last compared.
    unchecked: bool,
}

/// Places by hash; every hit is compared again.
#[derive(Debug, Clone, Default)]
struct Places(HashMap<u64, Few>);

/// Mostly one place.
#[derive(Debug, Clone)]
enum Few {
    One(u32),
    Many(Vec<u32>),
}

/// Places by kind and name, current and original.
#[derive(Debug, Clone, Default)]
struct Chosen {
    kind_and_name: Places,
    name: Places,
    kind: HashMap<String, Vec<u32>>,
}

fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl Places {
    fn add(&mut self, key: u64, at: u32) {
        match self.0.entry(key) {
            Entry::Vacant(slot) => {
                slot.insert(Few::One(at));
            }
            Entry::Occupied(mut slot) => match slot.get_mut() {
                Few::One(first) if *first == at => {}
                Few::One(first) => {
                    let both = vec![*first, at];
                    slot.insert(Few::Many(both));
                }
                Few::Many(places) if places.last() == Some(&at) => {}
                Few::Many(places) => places.push(at),
            },
        }
    }

    fn get(&self, key: u64) -> &[u32] {
        match self.0.get(&key) {
            None => &[],
            Some(Few::One(place)) => std::slice::from_ref(place),
            Some(Few::Many(places)) => places,
        }
    }

    fn add_any(&mut self, hasher: &RandomState, at: u32, resource: &Resource) {
        if resource.previous.is_empty() {
            self.add(resource.id().key(hasher), at);
        } else {
            for id in resource.all_ids() {
                self.add(id.key(hasher), at);
            }
        }
    }
}

impl Chosen {
    fn add(&mut self, hasher: &RandomState, at: u32, resource: &Resource) {
        let id = resource.id();
        let (_, original_name, _) = resource.original();
        for name in [id.name.as_str(), original_name] {
            self.name.add(hasher.hash_one(name), at);
            self.kind_and_name.add(hasher.hash_one((id.gvk.kind.as_str(), name)), at);
        }
        match self.kind.get_mut(&id.gvk.kind) {
            Some(places) => places.push(at),
            None => {
                self.kind.insert(id.gvk.kind.clone(), vec![at]);
            }
        }
    }
}

impl ResourceMap {
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Resource> {
        self.list.iter()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Resource> {
        self.list.get(index)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Resource> {
        self.list.get_mut(index)
    }

    /// All objects, to change their content. If any identity may change, call [`ResourceMap::ids_changed`] after.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Resource> {
        self.list.iter_mut()
    }

    /// Forgets what was known about identities.
    pub(crate) fn ids_changed(&mut self) {
        (self.current, self.any, self.chosen) = (None, None, None);
        self.unchecked = true;
    }

    /// Takes all objects out.
    pub(crate) fn into_list(self) -> Vec<Resource> {
        self.list
    }

    pub(crate) fn retain(&mut self, keep: impl FnMut(&Resource) -> bool) {
        let before = self.list.len();
        self.list.retain(keep);
        if self.list.len() != before {
            self.ids_changed();
        }
    }

    /// Sorts by a key that is made once an object.
    pub(crate) fn sort_by_cached_key<K: Ord>(&mut self, key: impl FnMut(&Resource) -> K) {
        self.list.sort_by_cached_key(key);
        self.ids_changed();
    }

    /// Adds an object at the end.
    ///
    /// # Errors
    /// The object, if one with the same current identity is there.
    pub(crate) fn append(&mut self, resource: Resource) -> Result<(), Box<Resource>> {
        if !self.current(resource.id()).is_empty() {
            return Err(Box::new(resource));
        }
        let (at, hasher) = (place(self.list.len()), &self.hasher);
        if let Some(current) = &mut self.current {
            current.add(resource.id().key(hasher), at);
        }
        if let Some(any) = &mut self.any {
            any.add_any(hasher, at, &resource);
        }
        if let Some(chosen) = &mut self.chosen {
            chosen.add(hasher, at, &resource);
        }
        self.list.push(resource);
        Ok(())
    }

    /// Adds an object whose identity is known to be free.
    pub(crate) fn replace(&mut self, at: usize, resource: Resource) {
        if let Some(slot) = self.list.get_mut(at) {
            *slot = resource;
            self.ids_changed();
        }
    }

    /// Places of the objects that have this identity now.
    pub(crate) fn current(&mut self, id: &ResourceId) -> Vec<usize> {
        let (list, hasher) = (&self.list, &self.hasher);
        let index = self.current.get_or_insert_with(|| {
            let mut index = Places::default();
            for (at, resource) in list.iter().enumerate() {
                index.add(resource.id().key(hasher), place(at));
            }
            index
        });
        let places = index.get(id.key(hasher));
        filtered(list, places, |resource| resource.id().same(id))
    }

    /// Places of the objects that have or had this identity.
    pub(crate) fn by_any_id(&mut self, id: &ResourceId) -> Vec<usize> {
        let (list, hasher) = (&self.list, &self.hasher);
        let index = self.any.get_or_insert_with(|| {
            let mut index = Places::default();
            for (at, resource) in list.iter().enumerate() {
                index.add_any(hasher, place(at), resource);
            }
            index
        });
        let places = index.get(id.key(hasher));
        filtered(list, places, |resource| resource.was(id))
    }

    /// Places of all objects that could have this kind and this name, now or originally; `None` asks for all.
    pub(crate) fn candidates(&mut self, kind: Option<&str>, name: Option<&str>) -> Vec<usize> {
        let (list, hasher) = (&self.list, &self.hasher);
        if kind.is_none() && name.is_none() {
            return (0..list.len()).collect();
        }
        let index = self.chosen.get_or_insert_with(|| {
            let mut index = Chosen::default();
            for (at, resource) in list.iter().enumerate() {
                index.add(hasher, place(at), resource);
            }
            index
        });
        let places = match (kind, name) {
            (Some(kind), Some(name)) => index.kind_and_name.get(hasher.hash_one((kind, name))),
            (None, Some(name)) => index.name.get(hasher.hash_one(name)),
            (Some(kind), None) => index.kind.get(kind).map_or(&[][..], Vec::as_slice),
            (None, None) => &[],
        };
        places.iter().map(|place| *place as usize).collect()
    }

    /// As [`ResourceMap::first_conflict`], if there can be one since this was last asked.
    pub(crate) fn new_conflict(&mut self) -> Option<&ResourceId> {
        if !self.unchecked {
            return None;
        }
        self.unchecked = self.first_conflict().is_some();
        if self.unchecked { self.first_conflict() } else { None }
    }

    /// The first identity that more than one object has.
    pub(crate) fn first_conflict(&self) -> Option<&ResourceId> {
        self.first_conflict_among(|_| true)
    }

    /// The first identity that more than one of the chosen objects has.
    pub(crate) fn first_conflict_among(&self, chosen: impl Fn(&Resource) -> bool) -> Option<&ResourceId> {
        let mut seen = Places::default();
        for (at, resource) in self.list.iter().enumerate().filter(|(_, resource)| chosen(resource)) {
            let key = resource.id().key(&self.hasher);
            let same = |place: &u32| {
                self.list.get(*place as usize).is_some_and(|other| other.id().same(resource.id()))
            };
            if seen.get(key).iter().any(same) {
                return Some(resource.id());
            }
            seen.add(key, place(at));
        }
        None
    }
}

fn filtered(list: &[Resource], places: &[u32], keep: impl Fn(&Resource) -> bool) -> Vec<usize> {
    (places.iter().map(|place| *place as usize)).filter(|place| list.get(*place).is_some_and(&keep)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use yaml::Value;

    fn resource(kind: &str, name: &str) -> Resource {
        let value = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
        Resource::new(Value::from(value), |gvk| gvk.kind == "Namespace")
    }

    #[test]
    fn finds_by_identity_after_renames() {
        let mut map = ResourceMap::default();
        map.append(resource("ConfigMap", "a")).unwrap();
        map.append(resource("ConfigMap", "b")).unwrap();
        assert!(map.append(resource("ConfigMap", "a")).is_err());
        let old = map.get(0).unwrap().id().clone();
        let first = map.get_mut(0).unwrap();
        first.store_previous();
        *first.value_mut().at_mut(&["metadata", "name"]).unwrap() = Value::str("x-a");
        assert!(first.refresh_id(|_| false));
        map.ids_changed();
        assert!(map.current(&old).is_empty());
        assert_eq!(map.by_any_id(&old), [0]);
        assert_eq!(map.candidates(Some("ConfigMap"), Some("a")), [0]);
        assert_eq!(map.candidates(None, Some("x-a")), [0]);
        assert_eq!(map.candidates(Some("ConfigMap"), None), [0, 1]);
        assert!(map.append(resource("ConfigMap", "a")).is_ok());
        assert!(map.first_conflict().is_none());
    }
}

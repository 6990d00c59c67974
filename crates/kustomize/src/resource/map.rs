//! All objects of a build, in order, found by identity without scanning.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::{Resource, ResourceId};

/// Objects in accumulation order. No two have the same current identity, unless a transformer made them so.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResourceMap {
    list: Vec<Resource>,
    hasher: RandomState,
    index: Option<Index>,
}

/// Places by hash; every hit is compared again.
#[derive(Debug, Clone, Default)]
struct Index {
    current: HashMap<u64, Vec<u32>>,
    /// By any identity, current and previous.
    any: HashMap<u64, Vec<u32>>,
    /// By kind and name, current and original.
    kind_name: HashMap<u64, Vec<u32>>,
    kind: HashMap<String, Vec<u32>>,
    name: HashMap<u64, Vec<u32>>,
}

fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl Index {
    fn add(&mut self, hasher: &RandomState, index: usize, resource: &Resource) {
        let at = place(index);
        let id = resource.id();
        let put = |map: &mut HashMap<u64, Vec<u32>>, key: u64| {
            let places = map.entry(key).or_default();
            if places.last() != Some(&at) {
                places.push(at);
            }
        };
        put(&mut self.current, id.key(hasher));
        if resource.previous.is_empty() {
            put(&mut self.any, id.key(hasher));
        } else {
            for id in resource.all_ids() {
                put(&mut self.any, id.key(hasher));
            }
        }
        let (_, original_name, _) = resource.original();
        put(&mut self.name, hasher.hash_one(&*id.name));
        if original_name != id.name {
            put(&mut self.name, hasher.hash_one(original_name));
        }
        for name in [id.name.as_str(), original_name] {
            put(&mut self.kind_name, hasher.hash_one((id.gvk.kind.as_str(), name)));
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
        self.index = None;
    }

    /// Takes all objects out.
    pub(crate) fn into_list(self) -> Vec<Resource> {
        self.list
    }

    pub(crate) fn retain(&mut self, keep: impl FnMut(&Resource) -> bool) {
        let before = self.list.len();
        self.list.retain(keep);
        if self.list.len() != before {
            self.index = None;
        }
    }

    /// Sorts by a key that is made once an object.
    pub(crate) fn sort_by_cached_key<K: Ord>(&mut self, key: impl FnMut(&Resource) -> K) {
        self.list.sort_by_cached_key(key);
        self.index = None;
    }

    fn index(&mut self) -> &Index {
        let (list, hasher) = (&self.list, &self.hasher);
        self.index.get_or_insert_with(|| {
            let mut index = Index::default();
            for (at, resource) in list.iter().enumerate() {
                index.add(hasher, at, resource);
            }
            index
        })
    }

    /// Adds an object at the end.
    ///
    /// # Errors
    /// The object, if one with the same current identity is there.
    pub(crate) fn append(&mut self, resource: Resource) -> Result<(), Box<Resource>> {
        if !self.current(resource.id()).is_empty() {
            return Err(Box::new(resource));
        }
        let at = self.list.len();
        if let Some(index) = &mut self.index {
            index.add(&self.hasher, at, &resource);
        }
        self.list.push(resource);
        Ok(())
    }

    /// Adds an object whose identity is known to be free.
    pub(crate) fn replace(&mut self, at: usize, resource: Resource) {
        if let Some(slot) = self.list.get_mut(at) {
            *slot = resource;
            self.index = None;
        }
    }

    /// Places of the objects that have this identity now.
    pub(crate) fn current(&mut self, id: &ResourceId) -> Vec<usize> {
        let key = id.key(&self.hasher);
        let places = self.index().current.get(&key).cloned().unwrap_or_default();
        self.filtered(&places, |resource| resource.id().same(id))
    }

    /// Places of the objects that have or had this identity.
    pub(crate) fn by_any_id(&mut self, id: &ResourceId) -> Vec<usize> {
        let key = id.key(&self.hasher);
        let places = self.index().any.get(&key).cloned().unwrap_or_default();
        self.filtered(&places, |resource| resource.was(id))
    }

    /// Places of all objects that could have this kind and this name, now or originally; `None` asks for all.
    pub(crate) fn candidates(&mut self, kind: Option<&str>, name: Option<&str>) -> Vec<usize> {
        let by_kind_and_name = |kind: &str, name: &str| self.hasher.hash_one((kind, name));
        let hash = match (kind, name) {
            (Some(kind), Some(name)) => by_kind_and_name(kind, name),
            (None, Some(name)) => self.hasher.hash_one(name),
            (_, None) => 0,
        };
        let count = self.list.len();
        let index = self.index();
        let places = match (kind, name) {
            (Some(_), Some(_)) => index.kind_name.get(&hash),
            (None, Some(_)) => index.name.get(&hash),
            (Some(kind), None) => index.kind.get(kind),
            (None, None) => return (0..count).collect(),
        };
        places.into_iter().flatten().map(|place| *place as usize).collect()
    }

    fn filtered(&self, places: &[u32], keep: impl Fn(&Resource) -> bool) -> Vec<usize> {
        (places.iter().map(|place| *place as usize))
            .filter(|place| self.list.get(*place).is_some_and(&keep))
            .collect()
    }

    /// The first identity that more than one object has.
    pub(crate) fn first_conflict(&mut self) -> Option<&ResourceId> {
        let mut seen: HashMap<u64, Vec<u32>> = HashMap::with_capacity(self.list.len());
        for (at, resource) in self.list.iter().enumerate() {
            let places = seen.entry(resource.id().key(&self.hasher)).or_default();
            let same = |place: &u32| {
                self.list.get(*place as usize).is_some_and(|other| other.id().same(resource.id()))
            };
            if places.iter().any(same) {
                return Some(resource.id());
            }
            places.push(place(at));
        }
        None
    }
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

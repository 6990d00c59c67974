//! Waking objects by what they refer to.

use std::collections::HashMap;

use crate::Key;

/// Which objects refer to what: wakes the right ones when something else changes. Fed from a controller's changes.
#[derive(Debug)]
pub struct References<T> {
    by_target: HashMap<T, Vec<Key>>,
    by_object: HashMap<Key, Vec<T>>,
}

impl<T> Default for References<T> {
    fn default() -> Self {
        Self { by_target: HashMap::new(), by_object: HashMap::new() }
    }
}

impl<T: Clone + Eq + std::hash::Hash> References<T> {
    /// Replaces what an object refers to. An empty list forgets the object.
    pub fn set(&mut self, object: &Key, targets: Vec<T>) {
        for target in self.by_object.remove(object).unwrap_or_default() {
            if let Some(objects) = self.by_target.get_mut(&target) {
                objects.retain(|other| other != object);
                if objects.is_empty() {
                    self.by_target.remove(&target);
                }
            }
        }
        for target in &targets {
            let objects = self.by_target.entry(target.clone()).or_default();
            if !objects.contains(object) {
                objects.push(object.clone());
            }
        }
        if !targets.is_empty() {
            self.by_object.insert(object.clone(), targets);
        }
    }

    /// The objects that refer to a target.
    #[must_use]
    pub fn to(&self, target: &T) -> &[Key] {
        self.by_target.get(target).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_and_forgotten() {
        let mut references = References::default();
        let (a, b) = (Key::new("n", "a"), Key::new("n", "b"));
        references.set(&a, vec!["git"]);
        references.set(&b, vec!["git", "oci", "git"]);
        assert_eq!(references.to(&"git"), [a.clone(), b.clone()]);
        references.set(&b, vec!["oci"]);
        assert_eq!(references.to(&"git"), std::slice::from_ref(&a));
        references.set(&a, vec![]);
        references.set(&b, vec![]);
        assert!(references.by_target.is_empty() && references.by_object.is_empty());
    }
}

//! The order of the output.

use std::cmp::Ordering;

use crate::kustomization::SortOptions;
use crate::resource::{FIRST, LAST, Resource, ResourceMap, place, sort_key};

/// Sorts as `sortOptions` asks.
///
/// # Errors
/// If the options contradict each other or name an unknown order, or two objects have the same identity.
pub(crate) fn sort(options: &SortOptions, map: &mut ResourceMap) -> Result<(), String> {
    match (options.order.as_str(), &options.legacy) {
        ("fifo", None) => Ok(()),
        ("fifo", Some(_)) => Err("legacySortOptions need order: legacy".to_owned()),
        ("legacy", None) => legacy(map, |kind| place(kind, FIRST, LAST)),
        ("legacy", Some(legacy_options)) => {
            legacy(map, |kind| place(kind, &legacy_options.first, &legacy_options.last))
        }
        (other, _) => Err(format!("order must be fifo or legacy, not {other:?}")),
    }
}

/// Sorts by the place of the kind, then group, version, kind, namespace and name.
fn legacy(map: &mut ResourceMap, place: impl Fn(&str) -> isize) -> Result<(), String> {
    map.sort_by_cached_key(|resource| Key::of(resource, place(&resource.id().gvk.kind)));
    // Kustomize adds all objects anew. Until here an object for local use may share its identity with another.
    match map.first_conflict() {
        Some(id) => Err(format!("two objects have the same identity: {id}")),
        None => Ok(()),
    }
}

struct Key {
    place: isize,
    /// For a Namespace, whether its group is the core group.
    core_namespace: Option<bool>,
    gvk: String,
    name: String,
}

impl Key {
    fn of(resource: &Resource, place: isize) -> Self {
        let id = resource.id();
        let (gvk, name) = sort_key(id);
        let core_namespace = (id.gvk.kind == "Namespace").then_some(id.gvk.group.is_empty());
        Self { place, core_namespace, gvk, name }
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place
            .cmp(&other.place)
            // With Namespaces of the core group it is the other way round.
            .then_with(|| match (self.core_namespace, other.core_namespace) {
                (Some(true), Some(_)) | (Some(_), Some(true)) => other.gvk.cmp(&self.gvk),
                _ => self.gvk.cmp(&other.gvk),
            })
            .then_with(|| self.name.cmp(&other.name))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key {}

//! `ValueAddTransformer`: a value set in fields, or inserted as a part of a path.

use patch::{Create, FieldError, FieldPath, set_text};
use yaml::{Tag, Value};

use super::{Namespace, SubjectMode, World, at_field, outcome};
use crate::resource::ResourceMap;
use crate::select::Selector;

/// Sets a value in the targets.
#[derive(Debug, Clone)]
pub(crate) struct ValueAdd {
    pub(crate) value: String,
    pub(crate) targets: Vec<ValueTarget>,
}

/// Where the value goes.
#[derive(Debug, Clone)]
pub(crate) struct ValueTarget {
    /// Which objects; without one, all.
    pub(crate) selector: Option<Selector>,
    pub(crate) field: FieldPath,
    /// Place of the path segment before which the value is inserted, from 1; 0 replaces the whole text.
    pub(crate) position: usize,
}

impl ValueAdd {
    pub(super) fn run(&self, world: &World<'_>, map: &mut ResourceMap) -> Result<(), Vec<String>> {
        let mut errors = Vec::new();
        for target in &self.targets {
            let places = match &target.selector {
                Some(selector) => selector.select(map),
                None => (0..map.len()).collect(),
            };
            for place in places {
                let Some(resource) = map.get_mut(place) else { continue };
                let done = if target.field.text() == "metadata/namespace" {
                    let namespace = Namespace {
                        namespace: self.value.clone(),
                        specs: Vec::new(),
                        unset_only: false,
                        subjects: SubjectMode::DefaultOnly,
                    };
                    namespace.set_on(resource)
                } else {
                    let create = Create::Scalar(Tag::Str);
                    let set = &mut |node: &mut Value| set_text(node, &target.insert(node, &self.value));
                    target
                        .field
                        .each::<FieldError>(resource.value_mut(), create, set)
                        .map_err(|error| at_field(resource, target.field.text(), error))
                };
                errors.extend(done.err());
                resource.refresh_id(|gvk| world.is_cluster_scoped(gvk));
            }
        }
        map.ids_changed();
        outcome(errors)
    }
}

impl ValueTarget {
    fn insert(&self, node: &Value, value: &str) -> String {
        let Some(index) = self.position.checked_sub(1) else { return value.to_owned() };
        let path = node.text().unwrap_or_default();
        let rooted = path.starts_with('/');
        let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        parts.insert(index.min(parts.len()), value);
        let joined = parts.join("/");
        if rooted { format!("/{joined}") } else { joined }
    }
}

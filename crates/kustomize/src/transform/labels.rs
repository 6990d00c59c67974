//! Labels and annotations.

use std::collections::BTreeMap;

use patch::{Create, FieldError, set_string};
use yaml::Scalar;

use super::{applicable, at_field, outcome};
use crate::config::FieldSpec;
use crate::resource::{Resource, ResourceMap};

/// Sets labels in the fields of `specs`.
#[derive(Debug, Clone)]
pub(crate) struct Labels {
    pub(crate) pairs: BTreeMap<String, String>,
    pub(crate) specs: Vec<FieldSpec>,
}

/// Sets annotations in the fields of `specs`.
#[derive(Debug, Clone)]
pub(crate) struct Annotations {
    pub(crate) pairs: BTreeMap<String, String>,
    pub(crate) specs: Vec<FieldSpec>,
}

impl Labels {
    pub(super) fn run(&self, map: &mut ResourceMap) -> Result<(), Vec<String>> {
        set_pairs(&self.pairs, &self.specs, map)
    }
}

impl Annotations {
    pub(super) fn run(&self, map: &mut ResourceMap) -> Result<(), Vec<String>> {
        // What kustomize keeps in annotations counts as annotations being there.
        let marks = self.specs.iter().any(|spec| !spec.create && spec.path.text() == "metadata/annotations");
        if !marks {
            return set_pairs(&self.pairs, &self.specs, map);
        }
        let marked: Vec<bool> = map.iter_mut().map(Resource::mark_state).collect();
        let done = set_pairs(&self.pairs, &self.specs, map);
        for (resource, _) in map.iter_mut().zip(marked).filter(|(_, marked)| *marked) {
            resource.unmark_state();
        }
        done
    }
}

fn set_pairs(
    pairs: &BTreeMap<String, String>,
    specs: &[FieldSpec],
    map: &mut ResourceMap,
) -> Result<(), Vec<String>> {
    if pairs.is_empty() {
        return Ok(());
    }
    let mut errors = Vec::new();
    for resource in map.iter_mut() {
        for (name, text) in pairs {
            let number = resource.new_share();
            for spec in applicable(specs, resource) {
                let create = if spec.create { Create::Map } else { Create::No };
                let mut known = None;
                let done = spec.path.each::<FieldError>(resource.value_mut(), create, &mut |node| {
                    known = set_string(node, name, text, number)?.or(known);
                    Ok(())
                });
                if let Some(known) = known.filter(|known| *known != number) {
                    resource.set_share(known, &Scalar::str(text));
                }
                if let Err(error) = done {
                    errors.push(at_field(resource, spec.path.text(), error));
                }
            }
        }
    }
    outcome(errors)
}

//! Labels and annotations.

use std::collections::BTreeMap;

use patch::{Create, FieldError, set_string};

use super::{applicable, at_field, outcome};
use crate::config::FieldSpec;
use crate::resource::ResourceMap;

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
        set_pairs(&self.pairs, &self.specs, map)
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
        for spec in applicable(specs, resource) {
            let create = if spec.create { Create::Map } else { Create::No };
            let done = spec.path.each::<FieldError>(resource.value_mut(), create, &mut |node| {
                pairs.iter().try_for_each(|(name, text)| set_string(node, name, text))
            });
            if let Err(error) = done {
                errors.push(at_field(resource, spec.path.text(), error));
            }
        }
    }
    outcome(errors)
}

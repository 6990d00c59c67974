//! Replica counts.

use patch::{Create, FieldError, set_scalar};
use yaml::Tag;

use super::{at_field, outcome};
use crate::config::FieldSpec;
use crate::kustomization::Replica;
use crate::resource::ResourceMap;

/// Sets the replicas of the objects with a name, which may be one that they had before.
#[derive(Debug, Clone)]
pub(crate) struct Replicas {
    pub(crate) replica: Replica,
    pub(crate) specs: Vec<FieldSpec>,
}

impl Replicas {
    pub(super) fn run(&self, map: &mut ResourceMap) -> Result<(), Vec<String>> {
        let count = self.replica.count.to_string();
        let mut errors = Vec::new();
        let mut found = false;
        for resource in map.iter_mut() {
            for spec in &self.specs {
                let own = |id: crate::resource::ResourceId| {
                    id.name == self.replica.name && id.gvk.is_selected_by(&spec.gvk)
                };
                if !resource.all_ids().any(own) {
                    continue;
                }
                found = true;
                if !resource.id().gvk.is_selected_by(&spec.gvk) {
                    continue;
                }
                let create = if spec.create { Create::Scalar(Tag::Int) } else { Create::No };
                let set = &mut |node: &mut yaml::Value| set_scalar(node, &count, Tag::Int);
                if let Err(error) = spec.path.each::<FieldError>(resource.value_mut(), create, set) {
                    errors.push(at_field(resource, spec.path.text(), error));
                }
            }
        }
        if !found {
            let kinds: Vec<&str> = self.specs.iter().map(|spec| spec.gvk.kind.as_str()).collect();
            errors.push(format!(
                "no object is named {}; its replicas can be set on these kinds: {}",
                self.replica.name,
                kinds.join(", ")
            ));
        }
        outcome(errors)
    }
}

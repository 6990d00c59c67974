//! Name prefixes and suffixes.

use patch::{Create, FieldError, set_text};
use yaml::{Tag, Value};

use super::{World, applicable, at_field, outcome};
use crate::config::FieldSpec;
use crate::resource::{Gvk, ResourceMap};

/// Adds text to names.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) affix: Affix,
    pub(crate) text: String,
    pub(crate) specs: Vec<FieldSpec>,
}

/// On which side text is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Affix {
    Prefix,
    Suffix,
}

/// Kinds whose names mean something outside of the build.
fn is_exempt(group: &str, kind: &str) -> bool {
    matches!(
        (group, kind),
        (_, "CustomResourceDefinition" | "Namespace") | ("apiregistration.k8s.io", "APIService")
    )
}

impl Names {
    pub(super) fn run(&self, world: &World<'_>, map: &mut ResourceMap) -> Result<(), Vec<String>> {
        let mut errors = Vec::new();
        for resource in map.iter_mut() {
            let original = resource.original_gvk();
            if is_exempt(&original.group, &original.kind) {
                continue;
            }
            let selected = |spec: &&FieldSpec| original.is_selected_by(&spec.gvk);
            let current: Vec<&FieldSpec> = applicable(&self.specs, resource).collect();
            for spec in self.specs.iter().filter(selected) {
                if spec.path.text() == "metadata/name" && !self.text.is_empty() {
                    let affixes = match self.affix {
                        Affix::Prefix => &mut resource.prefixes,
                        Affix::Suffix => &mut resource.suffixes,
                    };
                    affixes.push(self.text.clone());
                    resource.store_previous();
                }
                if !current.iter().any(|applicable| std::ptr::eq(*applicable, spec)) {
                    continue;
                }
                let create = if spec.create { Create::Scalar(Tag::Str) } else { Create::No };
                let set = &mut |node: &mut Value| {
                    let before = node.text().unwrap_or_default();
                    let after = match self.affix {
                        Affix::Prefix => format!("{}{before}", self.text),
                        Affix::Suffix => format!("{before}{}", self.text),
                    };
                    set_text(node, &after)
                };
                if let Err(error) = spec.path.each::<FieldError>(resource.value_mut(), create, set) {
                    errors.push(at_field(resource, spec.path.text(), error));
                }
            }
            resource.refresh_id(|gvk: &Gvk| world.is_cluster_scoped(gvk));
        }
        map.ids_changed();
        outcome(errors)
    }
}

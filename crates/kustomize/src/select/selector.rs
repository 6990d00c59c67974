//! Selectors of patches and replacements, compiled once.

use super::labels::LabelSelector;
use super::pattern::Pattern;
use crate::kustomization::SelectorEntry;
use crate::resource::{Gvk, Resource, ResourceMap, effective_namespace};

/// A compiled selector. All its patterns must match.
#[derive(Debug, Clone)]
pub(crate) struct Selector {
    group: Pattern,
    version: Pattern,
    kind: Pattern,
    name: Pattern,
    namespace: Pattern,
    annotations: LabelSelector,
    labels: LabelSelector,
}

impl Selector {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// What is wrong with the first malformed one, and in which field.
    pub(crate) fn compile(entry: &SelectorEntry) -> Result<Self, String> {
        let pattern =
            |field: &str, text: &str| Pattern::anchored(text).map_err(|error| format!("{field}: {error}"));
        let labels =
            |field: &str, text: &str| LabelSelector::parse(text).map_err(|error| format!("{field}: {error}"));
        Ok(Self {
            group: pattern("group", &entry.gvk.group)?,
            version: pattern("version", &entry.gvk.version)?,
            kind: pattern("kind", &entry.gvk.kind)?,
            name: pattern("name", &entry.name)?,
            namespace: pattern("namespace", &entry.namespace)?,
            annotations: labels("annotationSelector", &entry.annotation_selector)?,
            labels: labels("labelSelector", &entry.label_selector)?,
        })
    }

    fn matches_gvk(&self, gvk: &Gvk, kind: &str) -> bool {
        self.group.matches(&gvk.group) && self.version.matches(&gvk.version) && self.kind.matches(kind)
    }

    pub(crate) fn matches_labels_and_annotations(&self, resource: &Resource) -> bool {
        self.labels.matches(|name| resource.label(name))
            && self.annotations.matches(|name| resource.annotation(name))
    }

    /// Places of the objects that a patch with this target applies to: by current type, and by current or original
    /// name and namespace.
    pub(crate) fn select(&self, map: &mut ResourceMap) -> Vec<usize> {
        let mut places = map.candidates(self.kind.literal(), self.name.literal());
        places.retain(|place| {
            map.get(*place).is_some_and(|resource| {
                let id = resource.id();
                let (_, name, namespace) = resource.original();
                (self.namespace.matches(effective_namespace(namespace, false))
                    || self.namespace.matches(id.effective_namespace()))
                    && (self.name.matches(name) || self.name.matches(&id.name))
                    && self.matches_gvk(&id.gvk, &id.gvk.kind)
                    && self.matches_labels_and_annotations(resource)
            })
        });
        places
    }

    /// Whether any identity of the object, current or previous, is selected by its type, name and namespace.
    pub(crate) fn matches_any_id(&self, resource: &Resource) -> bool {
        let id = resource.id();
        self.matches_gvk(&id.gvk, &id.gvk.kind)
            && self.name.matches(&id.name)
            && self.namespace.matches(&id.namespace)
            || resource.previous.iter().any(|previous| {
                self.matches_gvk(&id.gvk, &previous.kind)
                    && self.name.matches(&previous.name)
                    && self.namespace.matches(&previous.namespace)
            })
    }

    pub(crate) fn selects_by_labels(&self) -> bool {
        !self.labels.is_empty() || !self.annotations.is_empty()
    }
}

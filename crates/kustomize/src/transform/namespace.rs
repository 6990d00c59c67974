//! The namespace of all objects.

use patch::{Create, FieldError, FieldPath, set_scalar};
use yaml::{Tag, Value};

use super::{World, applicable, at_field, outcome};
use crate::config::FieldSpec;
use crate::resource::{Resource, ResourceMap};

/// Sets the namespace.
#[derive(Debug, Clone)]
pub(crate) struct Namespace {
    pub(crate) namespace: String,
    pub(crate) specs: Vec<FieldSpec>,
    /// Whether namespaces that are there stay.
    pub(crate) unset_only: bool,
    pub(crate) subjects: SubjectMode,
}

/// Which subjects of role bindings get the namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum SubjectMode {
    /// Those named `default`.
    #[default]
    DefaultOnly,
    /// All service accounts.
    AllServiceAccounts,
    None,
}

impl Namespace {
    pub(super) fn run(&self, world: &World<'_>, map: &mut ResourceMap) -> Result<(), Vec<String>> {
        if self.namespace.is_empty() {
            return Ok(());
        }
        let own = FieldPath::parse("metadata/namespace");
        let mut errors = Vec::new();
        for resource in map.iter_mut().filter(|resource| !resource.from_chart) {
            resource.store_previous();
            self.transform(&own, resource, &mut errors);
            resource.refresh_id(|gvk| world.is_cluster_scoped(gvk));
        }
        map.ids_changed();
        if errors.is_empty()
            && let Some(id) = map.first_conflict()
        {
            errors
                .push(format!("the namespace {} gives two objects the same identity: {id}", self.namespace));
        }
        outcome(errors)
    }

    /// Sets the namespace of one object that a `ValueAddTransformer` selected.
    pub(super) fn set_on(&self, resource: &mut Resource) -> Result<(), String> {
        let mut errors = Vec::new();
        self.transform(&FieldPath::parse("metadata/namespace"), resource, &mut errors);
        errors.into_iter().next().map_or(Ok(()), Err)
    }

    fn transform(&self, own: &FieldPath, resource: &mut Resource, errors: &mut Vec<String>) {
        if !resource.id().cluster_scoped {
            let set = &mut |node: &mut Value| self.set(node);
            if let Err(error) = own.each(resource.value_mut(), Create::Scalar(Tag::Str), set) {
                errors.push(at_field(resource, own.text(), error));
            }
        }
        let core = resource.id().gvk.group.is_empty() && resource.id().gvk.version == "v1";
        let binding = matches!(resource.id().gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding");
        if binding && let Err(error) = self.set_subjects(resource) {
            errors.push(at_field(resource, "subjects", error));
        }
        for spec in applicable(&self.specs, resource) {
            let path = spec.path.text();
            let binding_spec = matches!(spec.gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding");
            if path == "metadata/namespace"
                || path == "metadata/name" && !core
                || path == "subjects/namespace" && binding && binding_spec
            {
                continue;
            }
            let create = if spec.create { Create::Scalar(Tag::Str) } else { Create::No };
            let set = &mut |node: &mut Value| self.set(node);
            if let Err(error) = spec.path.each(resource.value_mut(), create, set) {
                errors.push(at_field(resource, path, error));
            }
        }
    }

    fn set(&self, node: &mut Value) -> Result<(), FieldError> {
        if self.unset_only && !node.is_null() && node.text().is_some_and(|text| !text.is_empty()) {
            return Ok(());
        }
        set_scalar(node, &self.namespace, Tag::Str)
    }

    fn set_subjects(&self, resource: &mut Resource) -> Result<(), FieldError> {
        let (field, wanted) = match self.subjects {
            SubjectMode::None => return Ok(()),
            SubjectMode::DefaultOnly => ("name", "default"),
            SubjectMode::AllServiceAccounts => ("kind", "ServiceAccount"),
        };
        let Some(subjects) = resource.value_mut().get_mut("subjects").filter(|value| !value.is_null()) else {
            return Ok(());
        };
        let Value::Seq(subjects) = subjects else {
            return Err(FieldError::Scalar { field: "subjects".to_owned() });
        };
        for subject in subjects {
            if subject.get(field).and_then(Value::text) != Some(wanted) {
                continue;
            }
            FieldPath::parse("namespace")
                .each(subject, Create::Scalar(Tag::Str), &mut |node| self.set(node))?;
        }
        Ok(())
    }
}

//! The transformers, each compiled from its configuration and then run over all objects.

mod image;
mod labels;
mod names;
mod namespace;
mod order;
mod patches;
mod replacements;
mod replicas;
mod value_add;

use schema::Schema;

pub(crate) use image::Images;
pub(crate) use labels::{Annotations, Labels};
pub(crate) use names::{Affix, Names};
pub(crate) use namespace::{Namespace, SubjectMode};
pub(crate) use order::sort;
pub(crate) use patches::{Json6902, StrategicMerge, stringify};
pub(crate) use replacements::{CompiledReplacement, Replacements};
pub(crate) use replicas::Replicas;
pub(crate) use value_add::{ValueAdd, ValueTarget};

use crate::config::FieldSpec;
use crate::growth::Growth;
use crate::resource::{Gvk, Resource, ResourceMap};

/// A compiled transformer.
#[derive(Debug, Clone)]
pub(crate) enum Transformer {
    Annotations(Annotations),
    Hash,
    Images(Images),
    Json6902(Json6902),
    Labels(Labels),
    Names(Names),
    Namespace(Namespace),
    Replacements(Replacements),
    Replicas(Replicas),
    StrategicMerge(StrategicMerge),
    ValueAdd(ValueAdd),
}

/// What a transformer may use besides the objects.
pub(crate) struct World<'s> {
    pub(crate) schema: &'s Schema,
    /// What may still be added by copying.
    pub(crate) growth: &'s Growth,
}

impl World<'_> {
    /// Whether a type is known to have no namespace.
    pub(crate) fn is_cluster_scoped(&self, gvk: &Gvk) -> bool {
        self.schema.is_namespaced(&gvk.group, &gvk.version, &gvk.kind) == Some(false)
    }

    /// Whether the scope of a type is known.
    pub(crate) fn is_known(&self, gvk: &Gvk) -> bool {
        self.schema.is_namespaced(&gvk.group, &gvk.version, &gvk.kind).is_some()
    }
}

impl Transformer {
    /// Runs the transformer.
    ///
    /// # Errors
    /// Every independent failure.
    pub(crate) fn run(&self, world: &World<'_>, map: &mut ResourceMap) -> Result<(), Vec<String>> {
        match self {
            Self::Annotations(annotations) => annotations.run(map),
            Self::Hash => crate::generate::add_hashes(world, map),
            Self::Images(images) => images.run(map),
            Self::Json6902(patch) => patch.run(world, map),
            Self::Labels(labels) => labels.run(map),
            Self::Names(names) => names.run(world, map),
            Self::Namespace(namespace) => namespace.run(world, map),
            Self::Replacements(replacements) => replacements.run(world, map),
            Self::Replicas(replicas) => replicas.run(map),
            Self::StrategicMerge(patch) => patch.run(world, map),
            Self::ValueAdd(value_add) => value_add.run(world, map),
        }
    }
}

/// The specifications that apply to an object of this type.
fn applicable<'a>(
    specs: &'a [FieldSpec],
    resource: &Resource,
) -> impl Iterator<Item = &'a FieldSpec> + use<'a> {
    let gvk = resource.id().gvk.clone();
    specs.iter().filter(move |spec| gvk.is_selected_by(&spec.gvk))
}

/// The message of a failure at a field of an object.
fn at_field(resource: &Resource, path: &str, error: impl std::fmt::Display) -> String {
    format!("{}: field {path}: {error}", resource.id())
}

/// `Ok` if nothing failed.
fn outcome(errors: Vec<String>) -> Result<(), Vec<String>> {
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

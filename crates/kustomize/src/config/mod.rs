//! Which fields the transformers work on: kustomize's defaults, and what `configurations` and `crds` add to them.

mod crds;
mod defaults;
mod merge;
mod parse;

use std::sync::{Arc, LazyLock};

use patch::FieldPath;

use crate::resource::Gvk;

pub(crate) use crds::from_crds;
pub(crate) use merge::merge_specs;
pub(crate) use parse::{field_specs, from_file};

/// A field of some kinds of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldSpec {
    /// The kinds that have the field; empty parts match all.
    pub(crate) gvk: Gvk,
    /// Where it is.
    pub(crate) path: FieldPath,
    /// Whether it is made where it is absent.
    pub(crate) create: bool,
}

impl FieldSpec {
    pub(crate) fn everywhere(path: &str, create: bool) -> Self {
        Self { gvk: Gvk::default(), path: FieldPath::parse(path), create }
    }
}

/// The fields by which objects refer to one kind of object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BackReference {
    /// The kind referred to.
    pub(crate) target: Gvk,
    /// The fields that hold its name.
    pub(crate) referrers: Vec<FieldSpec>,
}

/// The fields of every built-in transformer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) name_prefix: Vec<FieldSpec>,
    pub(crate) name_suffix: Vec<FieldSpec>,
    pub(crate) namespace: Vec<FieldSpec>,
    pub(crate) common_labels: Vec<FieldSpec>,
    pub(crate) labels: Vec<FieldSpec>,
    pub(crate) template_labels: Vec<FieldSpec>,
    pub(crate) volume_claim_template_labels: Vec<FieldSpec>,
    pub(crate) common_annotations: Vec<FieldSpec>,
    pub(crate) name_reference: Vec<BackReference>,
    pub(crate) var_reference: Vec<FieldSpec>,
    pub(crate) images: Vec<FieldSpec>,
    pub(crate) replicas: Vec<FieldSpec>,
}

/// kustomize's default configuration; shared, as most builds use nothing else.
pub(crate) fn default_config() -> Arc<Config> {
    static DEFAULT: LazyLock<Arc<Config>> = LazyLock::new(|| Arc::new(defaults::config()));
    Arc::clone(&DEFAULT)
}

//! The CustomResourceDefinitions of all kinds.
//!
//! The schema comes from the Rust types. What the derive cannot say, or says in another way than Flux's definitions do, is
//! settled here, so that the result accepts and refuses exactly what Flux's own definitions do. Known differences from
//! Flux 2.9:
//!
//! - Descriptions are ours.
//! - The source kinds carry the annotation that keeps post-build substitution away from their definition; in Flux the
//!   install manifests add it.
//! - `Provider.spec.type` also allows `zoom` and `incident.io`, which Flux has on its main branch.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use crate::{
    helm::HelmRelease,
    kustomize::Kustomization,
    meta::keys,
    notification::{Alert, Provider, Receiver},
    source::{Bucket, ExternalArtifact, GitRepository, HelmChart, HelmRepository, OCIRepository},
};

/// A kind's definition.
#[derive(Clone, Debug)]
pub struct Definition {
    /// `<group>_<plural>.yaml`.
    pub file_name: String,
    /// The CustomResourceDefinition as JSON.
    pub object: Value,
}

/// Whether objects report what they observed, so that a new one has to say "nothing yet".
#[derive(Clone, Copy, PartialEq)]
enum StatusDefault {
    /// `{observedGeneration: -1}`.
    NothingObserved,
    /// None.
    Absent,
}

/// The definitions of all kinds, sorted by file name.
pub fn definitions() -> Result<Vec<Definition>, serde_json::Error> {
    use StatusDefault::{Absent, NothingObserved};
    let mut all = [
        (GitRepository::crd(), NothingObserved),
        (OCIRepository::crd(), NothingObserved),
        (Bucket::crd(), NothingObserved),
        (HelmRepository::crd(), NothingObserved),
        (HelmChart::crd(), NothingObserved),
        (ExternalArtifact::crd(), Absent),
        (Kustomization::crd(), NothingObserved),
        (HelmRelease::crd(), NothingObserved),
        (Receiver::crd(), NothingObserved),
        (Provider::crd(), Absent),
        (Alert::crd(), Absent),
    ]
    .map(|(crd, status_default)| definition(crd, status_default))
    .into_iter()
    .collect::<Result<Vec<_>, _>>()?;
    all.sort_by(|a, b| a.file_name.cmp(&b.file_name));
    Ok(all)
}

fn definition(
    mut crd: CustomResourceDefinition,
    status_default: StatusDefault,
) -> Result<Definition, serde_json::Error> {
    let file_name = format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural);
    // Not by the derive: it would annotate each object made with `new` as well.
    crd.metadata
        .annotations
        .get_or_insert_default()
        .insert(keys::kustomize::SUBSTITUTE.to_owned(), keys::DISABLED.to_owned());
    crd.spec.names.list_kind = Some(format!("{}List", crd.spec.names.kind));

    let mut object = serde_json::to_value(crd)?;
    if let Some(schema) =
        object.pointer_mut("/spec/versions/0/schema/openAPIV3Schema").and_then(Value::as_object_mut)
    {
        settle(schema);
        settle_root(schema, status_default);
    }
    Ok(Definition { file_name, object })
}

/// Removes what the derive adds for Rust's sake: an optional field may be absent, which is not the same as null.
fn settle(schema: &mut Map<String, Value>) {
    schema.remove("nullable");
    schema.remove("title");
    for (key, value) in schema.iter_mut() {
        match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                properties.values_mut().filter_map(Value::as_object_mut).for_each(settle);
            }
            ("items" | "additionalProperties", Value::Object(inner)) => settle(inner),
            _ => {}
        }
    }
}

fn settle_root(schema: &mut Map<String, Value>, status_default: StatusDefault) {
    // Flux lets an object be stored without a spec.
    schema.remove("required");
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    properties.insert("apiVersion".to_owned(), json!({"type": "string"}));
    properties.insert("kind".to_owned(), json!({"type": "string"}));
    properties.insert("metadata".to_owned(), json!({"type": "object"}));
    properties.sort_keys();
    if status_default == StatusDefault::NothingObserved
        && let Some(status) = properties.get_mut("status").and_then(Value::as_object_mut)
    {
        status.insert("default".to_owned(), json!({"observedGeneration": -1}));
    }
}

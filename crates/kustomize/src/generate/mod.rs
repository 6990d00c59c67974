//! ConfigMaps and Secrets made of files, env files and literals, and the hashes in their names; charts.

mod charts;
mod data;
mod hash;
mod pairs;

use yaml::{Entry, Map, Scalar, Value};

pub(crate) use charts::inflate;
pub use charts::{ChartInflation, Inflate};
pub(crate) use data::merge_generated;
pub(crate) use pairs::{Pair, read_pairs};

use crate::kustomization::{Generator, GeneratorOptions};
use crate::resource::{Behavior, Resource, ResourceMap};
use crate::transform::World;

/// Which kind a generator makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    ConfigMap,
    Secret,
}

/// Makes the object of a generator.
///
/// # Errors
/// If it has no name, or a key occurs twice.
pub(crate) fn make(
    world: &World<'_>,
    kind: Kind,
    generator: &Generator,
    options: &GeneratorOptions,
    pairs: Vec<Pair>,
) -> Result<Resource, String> {
    if generator.name.is_empty() {
        return Err("a generated object needs a name".to_owned());
    }
    let mut object = Map::new();
    object.insert("apiVersion", Value::str("v1"));
    object.insert("kind", Value::str(if kind == Kind::Secret { "Secret" } else { "ConfigMap" }));
    let mut metadata = Map::new();
    metadata.insert("name", Value::str(generator.name.as_str()));
    if !generator.namespace.is_empty() {
        metadata.insert("namespace", Value::str(generator.namespace.as_str()));
    }
    for (field, texts) in [("labels", &options.labels), ("annotations", &options.annotations)] {
        if texts.is_empty() {
            continue;
        }
        let mut map = Map::with_capacity(texts.len());
        for (name, text) in texts {
            let entry =
                Entry { key: Scalar::plain(name.as_str()), value: crate::resource::string(text.as_str()) };
            map.insert_entry(entry);
        }
        metadata.insert(field, map);
    }
    object.insert("metadata", metadata);
    if kind == Kind::Secret {
        let secret_type = if generator.secret_type.is_empty() { "Opaque" } else { &generator.secret_type };
        object.insert("type", Value::str(secret_type));
    }
    data::put(&mut object, kind, &generator.name, pairs)?;
    if options.immutable {
        object.insert("immutable", true);
    }
    let mut resource = Resource::new(Value::Map(object), |gvk| world.is_cluster_scoped(gvk));
    resource.generated = true;
    resource.needs_hash = !options.disable_name_suffix_hash;
    resource.behavior = match generator.behavior.as_str() {
        "merge" => Behavior::Merge,
        "replace" => Behavior::Replace,
        _ => Behavior::Create,
    };
    Ok(resource)
}

/// The options of a generator over those of the kustomization.
pub(crate) fn merged_options(
    own: Option<&GeneratorOptions>,
    global: Option<&GeneratorOptions>,
) -> GeneratorOptions {
    let mut merged = own.cloned().unwrap_or_default();
    let Some(global) = global else { return merged };
    for (own, global) in
        [(&mut merged.labels, &global.labels), (&mut merged.annotations, &global.annotations)]
    {
        for (name, text) in global {
            own.entry(name.clone()).or_insert_with(|| text.clone());
        }
    }
    merged.disable_name_suffix_hash |= global.disable_name_suffix_hash;
    merged.immutable |= global.immutable;
    merged
}

/// Adds the hash of its content to the name of every object that asked for one.
pub(crate) fn add_hashes(world: &World<'_>, map: &mut ResourceMap) -> Result<(), Vec<String>> {
    let mut errors = Vec::new();
    let mut changed = false;
    for resource in map.iter_mut().filter(|resource| resource.needs_hash) {
        match hash::of(resource.value()) {
            Ok(hash) => {
                resource.store_previous();
                let name = format!("{}-{hash}", resource.id().name);
                if let Some(metadata) = resource.value_mut().ensure_map(&["metadata"]) {
                    patch::set_field_text(metadata, "name", &name);
                }
                resource.refresh_id(|gvk| world.is_cluster_scoped(gvk));
                changed = true;
            }
            Err(error) => errors.push(format!("{}: no hash of its content: {error}", resource.id())),
        }
    }
    if changed {
        map.ids_changed();
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

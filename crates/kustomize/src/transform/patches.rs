//! Patches: strategic merge, by target selector or by the identity that the patch names, and JSON 6902.

use std::collections::HashSet;

use patch::{JsonPatch, strategic_merge};
use yaml::{Map, Scalar, Style, Tag, Value};

use super::{World, outcome};
use crate::resource::{Resource, ResourceId, ResourceMap, string};
use crate::select::Selector;

/// Strategic merge patches of one entry.
#[derive(Debug, Clone)]
pub(crate) struct StrategicMerge {
    pub(crate) patches: Vec<Resource>,
    /// The objects to patch; without one, each patch finds its own.
    pub(crate) target: Option<Selector>,
    pub(crate) allow_name_change: bool,
    pub(crate) allow_kind_change: bool,
    /// Whether labels and annotations of the patch become strings first, as they do in kustomize when a patch is
    /// copied for its targets.
    pub(crate) copies_metadata: bool,
}

/// A JSON patch and its target.
#[derive(Debug, Clone)]
pub(crate) struct Json6902 {
    pub(crate) patch: JsonPatch,
    pub(crate) target: Selector,
    /// Whether the identity before the patch can still be referred to, as in `patches` but not `patchesJson6902`.
    pub(crate) keeps_identity: bool,
}

/// Why no single object can be patched.
fn no_single_object(id: &ResourceId, found: usize) -> String {
    if found == 0 {
        format!("no object matches the patch for {id}; check its kind, apiVersion, name and namespace")
    } else {
        format!("{found} objects match the patch for {id}; give it a target that selects one")
    }
}

impl StrategicMerge {
    pub(super) fn run(&self, world: &World<'_>, map: &mut ResourceMap) -> Result<(), Vec<String>> {
        let mut errors = Vec::new();
        let mut emptied = false;
        let conflicts = self.copies_metadata && map.new_conflict().is_some();
        for patch in &self.patches {
            let places = match &self.target {
                // Where patches before have given two objects the same identity, kustomize patches both.
                Some(target) if conflicts => {
                    let places = target.select(map);
                    with_same_identity(map, &places)
                }
                Some(target) => target.select(map),
                None => {
                    let places = map.by_any_id(patch.id());
                    let alive = |place: &usize| {
                        map.get(*place).is_some_and(|resource| !resource.value().is_null_or_empty())
                    };
                    let places: Vec<usize> = places.into_iter().filter(alive).collect();
                    if places.len() != 1 {
                        errors.push(no_single_object(patch.id(), places.len()));
                        continue;
                    }
                    places
                }
            };
            if let Err(error) = world.growth.copies(patch.value(), places.len()) {
                errors.push(error);
                break;
            }
            for place in places {
                match self.apply(world, map, place, patch) {
                    Ok(gone) => emptied |= gone,
                    Err(error) => errors.push(error),
                }
            }
        }
        if emptied {
            map.retain(|resource| !resource.value().is_null_or_empty());
        }
        // Kustomize adds all objects anew, which tells what patches before have done, too.
        if self.copies_metadata
            && let Some(id) = map.new_conflict()
        {
            errors.push(format!("patches give two objects the same identity: {id}"));
        }
        outcome(errors)
    }

    /// Patches one object. Returns whether it is gone.
    fn apply(
        &self,
        world: &World<'_>,
        map: &mut ResourceMap,
        place: usize,
        patch: &Resource,
    ) -> Result<bool, String> {
        let Some(resource) = map.get_mut(place) else { return Ok(false) };
        let before = resource.id().clone();
        let mut changed = false;
        if self.allow_name_change || self.allow_kind_change {
            resource.store_previous();
            changed = true;
        }
        let mut patch_value = patch.value().clone();
        if self.copies_metadata {
            stringify(&mut patch_value, "labels");
            stringify(&mut patch_value, "annotations");
            set_identity(&mut patch_value, &before, patch.id());
        } else if changed {
            // Kustomize keeps the options in annotations of the patch.
            stringify(&mut patch_value, "annotations");
        }
        let marked = may_drop_annotations(&patch_value) && resource.mark_state();
        let shared = resource.shared();
        let version_style = (resource.value().get("apiVersion").and_then(Value::as_scalar))
            .map_or(Style::Plain, Scalar::style);
        let target = std::mem::take(resource.value_mut());
        let merged = strategic_merge(world.schema, target, patch_value)
            .map_err(|error| format!("cannot patch {before}: {error}"))?;
        let Some(merged) = merged.filter(|merged| !merged.is_null_or_empty()) else {
            map.ids_changed();
            return Ok(true);
        };
        *resource.value_mut() = merged;
        resource.settle_shared(&shared);
        if marked && !resource.unmark_state() {
            resource.forget_state();
        }
        if self.copies_metadata
            && before.gvk.version.is_empty()
            && let Value::Map(object) = resource.value_mut()
        {
            // In the style of what was there: in quotes it is an empty string.
            let empty = match version_style {
                Style::Plain => Scalar::new("", Tag::Null),
                style => Scalar::str("").with_style(style),
            };
            object.insert("apiVersion", Value::Scalar(empty));
        }
        if !self.allow_kind_change {
            restore(resource.value_mut(), &["kind"], &before.gvk.kind);
        }
        if !self.allow_name_change {
            // Kustomize writes the name again, without a tag.
            if let Some(metadata) = resource.value_mut().ensure_map(&["metadata"]) {
                patch::set_field_text(metadata, "name", &before.name);
            }
        }
        if before.namespace.is_empty() {
            if let Some(Value::Map(metadata)) = resource.value_mut().get_mut("metadata") {
                metadata.remove("namespace");
            }
        } else if let Some(metadata) = resource.value_mut().ensure_map(&["metadata"]) {
            patch::set_field_text(metadata, "namespace", &before.namespace);
        }
        changed |= resource.refresh_id(|gvk| world.is_cluster_scoped(gvk));
        if changed {
            map.ids_changed();
        }
        Ok(false)
    }
}

/// The places of all objects that have an identity in common with those at `places`.
fn with_same_identity(map: &ResourceMap, places: &[usize]) -> Vec<usize> {
    let chosen: HashSet<&ResourceId> =
        places.iter().filter_map(|place| map.get(*place)).map(Resource::id).collect();
    let all = map.iter().enumerate().filter(|(_, resource)| chosen.contains(resource.id()));
    all.map(|(place, _)| place).collect()
}

/// Gives a targeted patch the type of its target, except for the kind, which may be what the patch changes.
fn set_identity(patch: &mut Value, target: &ResourceId, own: &ResourceId) {
    restore(patch, &["apiVersion"], &target.gvk.api_version());
    restore(patch, &["kind"], &own.gvk.kind);
}

/// Whether a patch could remove annotations that it does not name.
fn may_drop_annotations(patch: &Value) -> bool {
    let drops = |value: &Value| value.as_map().is_none_or(|map| map.contains_key("$patch"));
    drops(patch)
        || patch.get("metadata").is_some_and(drops)
        || patch.at(&["metadata", "annotations"]).is_some_and(drops)
}

/// Sets a text field unless it has that text.
fn restore(value: &mut Value, path: &[&str], text: &str) {
    let Some((last, parents)) = path.split_last() else { return };
    if value.at(path).and_then(Value::text) == Some(text) {
        return;
    }
    if let Some(map) = value.ensure_map(parents) {
        patch::set_field_text(map, last, text);
    }
}

impl Json6902 {
    pub(super) fn run(&self, world: &World<'_>, map: &mut ResourceMap) -> Result<(), Vec<String>> {
        let mut errors = Vec::new();
        let mut emptied = false;
        let places = self.target.select(map);
        if let Err(error) = self.patch.values().try_for_each(|value| world.growth.copies(value, places.len()))
        {
            return Err(vec![error]);
        }
        for place in places {
            let Some(resource) = map.get_mut(place) else { continue };
            if self.keeps_identity {
                resource.store_previous();
            }
            let marked = resource.mark_state();
            let target = std::mem::take(resource.value_mut());
            match self.patch.apply(target) {
                Ok(patched) => {
                    emptied |= patched.is_null_or_empty();
                    *resource.value_mut() = patched;
                    resource.unshare();
                    if marked && !resource.unmark_state() {
                        resource.forget_origin();
                    }
                    stringify(resource.value_mut(), "annotations");
                    resource.refresh_id(|gvk| world.is_cluster_scoped(gvk));
                }
                Err(error) => errors.push(format!("cannot patch {}: {error}", resource.id())),
            }
        }
        if emptied {
            map.retain(|resource| !resource.value().is_null_or_empty());
        }
        map.ids_changed();
        outcome(errors)
    }
}

/// Rewrites labels or annotations as strings; gone if there are none.
pub(crate) fn stringify(value: &mut Value, field: &str) {
    let Some(Value::Map(metadata)) = value.get_mut("metadata") else { return };
    let Some(texts) = metadata.get_mut(field) else { return };
    let Value::Map(before) = std::mem::take(texts) else {
        metadata.remove(field);
        return;
    };
    let mut after = Map::with_capacity(before.len());
    for entry in before {
        let text = entry.value.as_scalar().map(Scalar::shared_text).unwrap_or_default();
        let key = Scalar::plain(entry.key.text());
        after.insert_entry(yaml::Entry { key, value: string(text) });
    }
    if after.is_empty() {
        metadata.remove(field);
    } else {
        *texts = Value::Map(after);
    }
}

//! `validators`.

use super::{Accumulator, configure};
use crate::load::Session;
use crate::transform::World;

/// Validators are transformers that must change nothing but the label `validated-by`.
pub(super) fn validate(session: &mut Session<'_>, acc: &mut Accumulator, validators: Vec<configure::Step>) {
    let (schema, growth) = (session.schema.clone(), session.growth.clone());
    let world = World { schema: &schema, growth: &growth };
    for step in validators {
        let before = acc.resources.clone();
        if let Err(errors) = step.transformer.run(&world, &mut acc.resources) {
            for error in errors {
                session.fail(&step.place, error);
            }
            continue;
        }
        // Kustomize compares by identity.
        if let Some(id) = acc.resources.first_conflict() {
            session.fail(&step.place, format!("two objects have the same identity: {id}"));
            continue;
        }
        let changed = before.len() != acc.resources.len()
            || (before.iter().zip(acc.resources.iter()))
                .any(|(old, new)| is_changed(old.value(), new.value(), session.tracks_origin));
        if changed {
            session.fail(&step.place, "a validator must not change any object");
        }
    }
}

/// Whether an object differs by more than the label that a validator may set.
///
/// Kustomize removes that label again, which writes the others anew, and then compares nodes with all that belongs to them.
/// So other labels are a difference, unless a transformer made them and left no notes about that.
fn is_changed(before: &yaml::Value, after: &yaml::Value, tracked: bool) -> bool {
    let labels = |value: &yaml::Value| value.at(&["metadata", "labels"]).cloned();
    let Some(yaml::Value::Map(mut rest)) = labels(after) else { return before != after };
    if rest.remove("validated-by").is_none() {
        return before != after;
    }
    let mut after = after.clone();
    if let Some(metadata) = after.get_mut("metadata").and_then(yaml::Value::as_map_mut) {
        metadata.remove("labels");
        // What the old dialect takes for something else than a string is put in quotes by that.
        let made = |label: &yaml::Value| {
            label.as_scalar().is_some_and(|label| {
                let plain = yaml::resolve_plain(label.text(), yaml::Profile::V2).tag() == yaml::Tag::Str;
                label.share().is_some() && plain && !tracked
            })
        };
        if !rest.values().all(made) || !rest.keys().is_sorted() {
            return true;
        }
        if !rest.is_empty() {
            metadata.insert("labels", rest);
        }
    }
    *before != after
}

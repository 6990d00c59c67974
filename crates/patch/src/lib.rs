//! Changing one YAML tree by another: field paths, JSON patch, JSON merge patch, strategic merge.

mod json;
mod path;

pub use json::{JsonPatch, JsonPatchError, from_json, go_float, merge_patch, through_json};
pub use path::{FieldPath, Segment, split_bracketed, split_escaped};

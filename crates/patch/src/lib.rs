//! Changing one YAML tree by another: field paths, JSON patch, JSON merge patch, strategic merge.

mod field;
mod json;
mod list;
mod path;
mod select;
mod strategic;

pub use field::{Create, FieldError, set_field_text, set_scalar, set_string, set_text};
pub use json::{JsonPatch, JsonPatchError, from_json, merge_patch, through_json};
pub use path::{FieldPath, Segment, split_bracketed, split_escaped};
pub use select::{Compile, PathError, Shape, lookup, select};
pub use strategic::{MergeError, strategic_merge};

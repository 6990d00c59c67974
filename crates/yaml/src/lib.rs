//! YAML read and written as Go's YAML does, for the Kustomize engine.
//!
//! A [`Value`] is a document as go-yaml's node tree holds it: scalars keep their source text, tag, style and position,
//! because Kustomize's transformers work on that text; comments are dropped, aliases and merge keys are expanded.
//!
//! Pure: no IO, no clock. No input makes it panic; depth, size and alias expansion are limited.

mod emit;
mod error;
mod json;
mod map;
mod number;
mod read;
mod resolve;
mod scalar;
mod timestamp;
mod value;

pub use emit::order::sorted_pretty;
pub use emit::{
    double_quoted, is_break, style_of, through_folding, to_yaml, to_yaml_in_order, to_yaml_unfolded,
    write_yaml,
};
pub use error::{ReadError, ScalarError};
pub use json::{to_go_json, write_go_json_string};
pub use map::{Entry, Map};
pub use read::{ReadLimits, has_separator, read_all, read_documents, read_first, read_first_keys};
pub use resolve::{Plain, Profile, reads_as_string, resolve_plain};
pub use scalar::{Resolved, Scalar, Style, Tag};
pub use value::{Kind, Text, Value};

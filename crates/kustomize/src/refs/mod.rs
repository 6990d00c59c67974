//! What objects say about each other: names that follow renames, and `$(VAR)`s.

mod names;
mod vars;

pub(crate) use names::update_names;
pub(crate) use vars::{mark_var_sources, resolve_vars};

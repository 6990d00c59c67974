//! Choosing objects: patterns, label selectors, and selectors made of both.

mod labels;
mod pattern;
mod selector;

pub(crate) use pattern::go_regex;
pub(crate) use selector::Selector;

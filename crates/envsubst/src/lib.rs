//! Post-build variable substitution: the bash-like subset that Flux's `postBuild` understands.
//!
//! [`substitute`] works on text. What the text means afterwards (YAML 1.1 types, see `kustomize-controller.md` 10.2) is
//! the caller's business. Offsets and lengths count bytes.
//!
//! `tests/table.json` holds what Flux's own engine answers, and says where this one differs on purpose: a result is
//! always UTF-8, where upstream can cut a character in two.

mod error;
mod expand;
mod glob;
mod parse;
mod variables;

pub use error::Error;
pub use variables::Variables;

/// What happens to a variable that is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unset {
    /// It is an error, except with a default operator (`${v:=d}` and its kin). Flux's default.
    Refused,
    /// It is empty. Behaviour without the gate `StrictPostBuildSubstitutions`.
    Empty,
}

/// Expansions inside expansions, at most.
pub(crate) const MAX_DEPTH: usize = 64;
/// Bytes of a result, intermediate ones included, at most.
pub(crate) const MAX_BYTES: usize = 256 << 20;

/// Replaces each `${…}` in `text`.
///
/// A NUL character ends the text, `$$` is one `$`, and a `$` without a brace is left alone.
///
/// # Errors
/// A malformed expansion anywhere is found before anything is looked up; then the first variable that is missing.
pub fn substitute(text: &str, variables: &Variables, unset: Unset) -> Result<String, Error> {
    if !text.contains(['$', '\0']) {
        return Ok(text.to_owned());
    }
    let nodes = parse::parse(text)?;
    let expander = expand::Expander { variables, unset };
    let mut out = Vec::with_capacity(text.len());
    for node in &nodes {
        expander.expand(node, &mut out)?;
    }
    String::from_utf8(out).map_err(|_| Error::NotText)
}

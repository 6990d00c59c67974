use std::fmt;

use object::{ObjectRef, mask_text};
use thiserror::Error as ThisError;

use crate::failure::Failure;
use crate::manifest::Manifest;

/// How many refusals one message lists.
const LISTED: usize = 20;

/// Why an apply or a deletion did not end well. The text is fit for a condition: it names objects and reasons, and holds
/// no secret values.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The API server refused objects; nothing of their stage was applied.
    #[error("{}", Refusals(.0))]
    Refused(Vec<Refusal>),
    /// A write failed after its dry-run had passed.
    #[error("{0}")]
    Apply(Refusal),
    /// Members of a stage did not become ready.
    #[error("{0}")]
    StageWait(String),
    /// The intent to create objects could not be recorded, so nothing was created.
    #[error("cannot record the objects to be created: {0}")]
    Intent(String),
    /// Deletions failed.
    #[error("delete failed, errors: {}", .0.iter().map(|e| format!("{e};")).collect::<String>())]
    Delete(Vec<String>),
}

/// One object that the API server did not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The object.
    pub object: ObjectRef,
    /// The whole line: object, what failed, reason, the API server's message.
    pub text: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Refusal {
    pub(crate) fn new(object: &ObjectRef, text: String) -> Self {
        Self { object: object.clone(), text }
    }

    /// A refused dry-run, worded as Flux does.
    pub(crate) fn dry_run(manifest: &Manifest, failure: &Failure) -> Self {
        let object = manifest.reference();
        let message = masked(manifest, failure);
        let text = if failure.is_not_found() && object.namespace.is_empty() {
            format!("{object} namespace not specified: {message}")
        } else if failure.is_not_found() {
            format!("{object} not found: {message}")
        } else if failure.reason_word().is_empty() {
            format!("{object} dry-run failed: {message}")
        } else {
            format!("{object} dry-run failed ({}): {message}", failure.reason_word())
        };
        Self::new(object, text)
    }

    /// A step about the object that failed, such as `apply failed`.
    pub(crate) fn step(manifest: &Manifest, step: &str, failure: &Failure) -> Self {
        let object = manifest.reference();
        Self::new(object, format!("{object} {step}: {}", masked(manifest, failure)))
    }
}

fn masked(manifest: &Manifest, failure: &Failure) -> String {
    if manifest.reference().gvk.is("", "Secret") {
        mask_text(&failure.message, &manifest.value())
    } else {
        failure.message.clone()
    }
}

struct Refusals<'a>(&'a [Refusal]);

impl fmt::Display for Refusals<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<&str> = self.0.iter().map(|r| r.text.as_str()).collect();
        lines.sort_unstable();
        let left_out = lines.len().saturating_sub(LISTED);
        lines.truncate(LISTED);
        f.write_str(&lines.join("\n"))?;
        if left_out > 0 {
            write!(f, "\nand {left_out} more objects were refused")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::Gvk;

    #[test]
    fn refusals_are_sorted_and_capped() {
        let refusal = |i: usize| {
            let object =
                ObjectRef { gvk: Gvk::new("v1", "X"), namespace: String::new(), name: format!("n{i:02}") };
            Refusal::new(&object, format!("{object} dry-run failed (Invalid): no"))
        };
        let error = Error::Refused((0..25).rev().map(refusal).collect());
        let text = error.to_string();
        assert!(text.starts_with("X/n00 dry-run failed (Invalid): no\nX/n01"));
        assert!(text.ends_with("and 5 more objects were refused"));
    }
}

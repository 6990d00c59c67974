//! What can go wrong in a build. A build reports every independent error, not just the first.

use std::fmt;

/// All errors of a build: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildErrors(Vec<BuildError>);

impl BuildErrors {
    /// All errors, if there are any.
    pub(crate) fn new(errors: Vec<BuildError>) -> Option<Self> {
        (!errors.is_empty()).then_some(Self(errors))
    }

    /// The errors, in the order in which the build met them.
    #[must_use]
    pub fn errors(&self) -> &[BuildError] {
        &self.0
    }
}

impl fmt::Display for BuildErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for BuildErrors {}

/// One error, with the place in the inputs that has to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildError {
    /// Path of the kustomization file (or of the file that it names), relative to the root; empty if unknown.
    pub file: String,
    /// Line in that file, from 1, where known.
    pub line: Option<u32>,
    /// The field of the kustomization that asked for what failed, e.g. `patches[2]`; empty if none.
    pub field: String,
    /// What failed and why.
    pub message: String,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            f.write_str(&self.file)?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
            f.write_str(": ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for BuildError {}

//! What can be wrong with a value.

use thiserror::Error;

/// A scalar whose text does not fit its tag, or that JSON cannot carry. The text itself may be secret and is not shown.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScalarError {
    /// The text resolves to another type than the tag says, for example `!!int abc`.
    #[error("{line}cannot decode {found} as a {wanted}", line = at(*.line))]
    Tag {
        /// Line in the source, counted from 1; 0 where the scalar has no source.
        line: u32,
        /// Tag that the text resolves to.
        found: &'static str,
        /// Tag that was written.
        wanted: &'static str,
    },
    /// `!!binary` whose text is not base64.
    #[error("{line}!!binary value contains invalid base64 data", line = at(*.line))]
    Base64 {
        /// Line in the source, counted from 1; 0 where the scalar has no source.
        line: u32,
    },
    /// `.nan` or `.inf`, which JSON does not have.
    #[error("{line}json: unsupported value: {value}", line = at(*.line))]
    NotFinite {
        /// Line in the source, counted from 1; 0 where the scalar has no source.
        line: u32,
        /// Go's name of the value: `NaN`, `+Inf` or `-Inf`.
        value: &'static str,
    },
    /// A mapping key below the top level that is not a string.
    #[error("{line}json: unsupported type: map[interface {{}}]interface {{}} (mapping key {key:?} is not a string; quote it)", line = at(*.line))]
    Key {
        /// Line in the source, counted from 1; 0 where the key has no source.
        line: u32,
        /// The key's text.
        key: String,
    },
    /// The same key twice in a mapping.
    #[error("{line}mapping key {key:?} already defined", line = at(*.line))]
    DuplicateKey {
        /// Line of the second one, counted from 1; 0 where it has no source.
        line: u32,
        /// The key's text.
        key: String,
    },
    /// A time that RFC 3339 cannot write, for example a zone 24 hours away.
    #[error("{line}timestamp outside of RFC 3339", line = at(*.line))]
    Timestamp {
        /// Line in the source, counted from 1; 0 where the scalar has no source.
        line: u32,
    },
    /// A string of several lines that begins with a tab, and is not quoted in the source: Go's YAML writes it in a form
    /// that it cannot read.
    #[error("{line}found a tab character where an indentation space is expected: a block of text cannot begin with a tab; quote it", line = at(*.line))]
    LeadingTab {
        /// Line in the source, counted from 1; 0 where the scalar has no source.
        line: u32,
    },
    /// A string that Go's YAML cannot carry (control characters, lone non-characters).
    #[error("{line}yaml: control characters are not allowed", line = at(*.line))]
    ControlCharacter {
        /// Line in the source, counted from 1; 0 where the scalar has no source.
        line: u32,
    },
}

impl ScalarError {
    /// The error without its place in the source.
    pub(crate) fn without_line(mut self) -> ScalarError {
        match &mut self {
            ScalarError::Tag { line, .. }
            | ScalarError::Base64 { line }
            | ScalarError::NotFinite { line, .. }
            | ScalarError::Key { line, .. }
            | ScalarError::DuplicateKey { line, .. }
            | ScalarError::ControlCharacter { line }
            | ScalarError::Timestamp { line }
            | ScalarError::LeadingTab { line } => *line = 0,
        }
        self
    }
}

fn at(line: u32) -> String {
    if line == 0 { String::new() } else { format!("line {line}: ") }
}

/// A text that is not YAML, or beyond the limits.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("yaml: {where_}{message}", where_ = at(*.line))]
pub struct ReadError {
    /// Line, counted from 1; 0 when the problem is the whole text.
    pub line: u32,
    /// Column in characters, counted from 1; 0 when unknown.
    pub column: u32,
    /// What is wrong, in go-yaml's words where it has them.
    pub message: String,
}

impl ReadError {
    pub(crate) fn at(line: u32, column: u32, message: impl Into<String>) -> ReadError {
        ReadError { line, column, message: message.into() }
    }
}

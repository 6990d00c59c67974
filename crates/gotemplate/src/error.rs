//! What can go wrong.

use thiserror::Error;

/// A template that does not parse, or whose execution failed. The text is Go's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct Error {
    /// The whole text, with template name, line, column and node.
    pub text: String,
    /// What it wraps, when a function failed: the function's own error.
    #[source]
    pub cause: Option<Box<Error>>,
}

impl Error {
    /// An error that wraps none.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Error {
        Error { text: text.into(), cause: None }
    }
}

/// How a function fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// With an error of its own, or a panic: `error calling NAME: TEXT`.
    Text(String),
    /// With an error that carries others.
    Error(Box<Error>),
}

impl From<String> for Fault {
    fn from(text: String) -> Fault {
        Fault::Text(text)
    }
}

impl From<&str> for Fault {
    fn from(text: &str) -> Fault {
        Fault::Text(text.to_owned())
    }
}

impl From<Box<Error>> for Fault {
    fn from(error: Box<Error>) -> Fault {
        Fault::Error(error)
    }
}

impl Fault {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Fault::Text(text) => text,
            Fault::Error(error) => &error.text,
        }
    }
}

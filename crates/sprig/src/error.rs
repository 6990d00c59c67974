//! How rendering fails.

use crate::helm::{exec_error, is_notice, parse_error};

/// Templates that do not compile, or whose rendering fails. The texts are Helm's.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A text that does not parse: `parse error at (FILE:LINE): …`.
    #[error("{0}")]
    Parse(String),
    /// A template said so, with `fail` or `required`: `execution error at (FILE:LINE:COLUMN): MESSAGE`.
    #[error("{0}")]
    Fail(String),
    /// Anything else that goes wrong in a template.
    #[error("{0}")]
    Exec(String),
    /// A template takes more steps, writes more or nests deeper than it may.
    #[error("{0}")]
    Limit(String),
    /// What another thread did for the rendering panicked.
    #[error("cannot render: a thread that helps panicked")]
    Thread,
}

impl Error {
    pub(crate) fn parse(path: &str, error: &gotemplate::Error) -> Error {
        Error::Parse(parse_error(path, error))
    }

    pub(crate) fn exec(path: &str, error: &gotemplate::Error, exhausted: bool) -> Error {
        let text = exec_error(path, error);
        if exhausted {
            Error::Limit(text)
        } else if is_notice(error) {
            Error::Fail(text)
        } else {
            Error::Exec(text)
        }
    }
}

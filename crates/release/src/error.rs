//! What can go wrong.

use apply::Failure;

/// Why an action, or a step of it, did not end well. The texts are Helm's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The API server does not answer.
    #[error("kubernetes cluster unreachable: {0}")]
    Unreachable(String),
    /// The chart or its values cannot be used, or a release has no good name.
    #[error("{0}")]
    Chart(#[from] chart::Error),
    /// A release of this name exists.
    #[error("release name check failed: {0}")]
    Name(String),
    /// There is no such release.
    #[error("release: not found")]
    NotFound,
    /// There is a record of this name and revision: somebody else works on the release.
    #[error("release: already exists")]
    Exists,
    /// Nothing to upgrade from.
    #[error("\"{0}\" has no deployed releases")]
    NoDeployedReleases(String),
    /// The last revision is pending.
    #[error("another operation (install/upgrade/rollback) is in progress")]
    Pending,
    /// There is no such revision.
    #[error("release has no {0} version")]
    NoVersion(i64),
    /// It was uninstalled, and its history was kept.
    #[error("the release named \"{0}\" is already deleted")]
    AlreadyDeleted(String),
    /// A record could not be read or written.
    #[error("{0}")]
    Storage(String),
    /// A manifest could not be turned into objects: its text, or a kind that the cluster does not serve.
    #[error("{0}")]
    Build(String),
    /// An object belongs to somebody else.
    #[error("{0}")]
    Ownership(String),
    /// The API server refused an object.
    #[error("{0}")]
    Write(String),
    /// Objects did not become ready, or did not go away.
    #[error("{0}")]
    Wait(String),
    /// The caller ended the action.
    #[error("context canceled")]
    Cancelled,
    /// A step failed.
    #[error("{during}: {source}")]
    During {
        /// The step.
        during: String,
        /// Why.
        source: Box<Error>,
    },
    /// Several things failed.
    #[error("{}", .errors.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator))]
    Several {
        /// All of them.
        errors: Vec<Error>,
        /// What stands between their texts.
        separator: &'static str,
    },
    /// The objects of a release could not be deleted.
    #[error("failed to delete release: {0}")]
    Delete(String),
    /// A release was uninstalled, but not everything went well.
    #[error("uninstallation completed with {} error(s): {}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Uninstalled(Vec<Error>),
}

impl Error {
    /// The error within its steps.
    pub fn root(&self) -> &Error {
        match self {
            Error::During { source, .. } => source.root(),
            other => other,
        }
    }

    /// As part of a step.
    #[must_use]
    pub(crate) fn during(self, step: impl Into<String>) -> Error {
        Error::During { during: step.into(), source: Box::new(self) }
    }

    /// One error, or several joined by a text; `None` when there is none.
    pub(crate) fn joined(mut errors: Vec<Error>, separator: &'static str) -> Option<Error> {
        match errors.len() {
            0 | 1 => errors.pop(),
            _ => Some(Error::Several { errors, separator }),
        }
    }

    /// A request that failed: no answer means no cluster.
    pub(crate) fn of(failure: &Failure, wrap: impl FnOnce(String) -> Error) -> Error {
        if failure.code == 0 {
            Error::Unreachable(failure.message.clone())
        } else {
            wrap(failure.message.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_lists_read_as_helms() {
        let error = Error::Pending.during("b").during("a");
        assert_eq!(error.to_string(), "a: b: another operation (install/upgrade/rollback) is in progress");
        assert_eq!(error.root(), &Error::Pending);
        let several = Error::joined(vec![Error::NotFound, Error::Exists], " && ");
        assert_eq!(several.unwrap().to_string(), "release: not found && release: already exists");
        assert_eq!(Error::joined(vec![Error::NotFound], " && "), Some(Error::NotFound));
        let bad = Error::Uninstalled(vec![Error::NotFound, Error::Exists]);
        assert_eq!(
            bad.to_string(),
            "uninstallation completed with 2 error(s): release: not found; release: already exists"
        );
    }
}

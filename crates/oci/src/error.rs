//! What can go wrong between a registry and a layer.

/// Why a registry could not be read. No text holds a credential.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry, or who gives tokens for it, refuses the credentials, or wants some.
    #[error("{method} {url}: {why}")]
    Unauthorized {
        /// The method.
        method: String,
        /// The address, without query.
        url: String,
        /// What the registry says.
        why: String,
    },
    /// The registry answers with an error.
    #[error("{method} {url}: {why}")]
    Refused {
        /// The method.
        method: String,
        /// The address, without query.
        url: String,
        /// The status.
        status: http::StatusCode,
        /// What the registry says.
        why: String,
    },
    /// An answer makes no sense.
    #[error("{url}: {why}")]
    Malformed {
        /// The address, without query.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// A docker configuration cannot be read.
    #[error("{0}")]
    Keychain(String),
    /// No answer at all.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// What was read could not be written down.
    #[error("writing what was read: {0}")]
    Write(#[from] std::io::Error),
}

impl Error {
    /// Whether there is no such thing in the registry.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == http::StatusCode::NOT_FOUND)
    }

    /// Whether other credentials would help.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Unauthorized { .. })
    }
}

//! What can go wrong with an artifact, on either side.

use std::path::PathBuf;

/// Every failure of this crate. Messages carry names, paths and URLs, never file contents.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A digest algorithm that no part of Flux knows.
    #[error("digest algorithm '{0}' is not known: use sha1, sha256, sha384, sha512 or blake3")]
    UnknownAlgorithm(String),
    /// A digest that is not `<algorithm>:<hex>` of the right length.
    #[error("'{0}' is not a digest: expected <algorithm>:<hex>")]
    MalformedDigest(String),
    /// The content is not what its digest says.
    #[error("artifact from {url} does not match its digest: expected {expected}, computed {computed}")]
    DigestMismatch {
        /// Where the bytes came from.
        url: String,
        /// What the source's status promises.
        expected: String,
        /// What arrived.
        computed: String,
    },
    /// A name that could leave the archive's root, or that no file can have.
    #[error("archive entry '{name}' is refused: {reason}")]
    EntryRefused {
        /// The name as it stands in the archive.
        name: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// The writer was given entries in an order that would make the bytes depend on the caller.
    #[error("archive entry '{name}' comes after '{previous}': entries must be in byte order, each once")]
    OutOfOrder {
        /// The entry before.
        previous: String,
        /// The entry that is out of order.
        name: String,
    },
    /// A limit of the reader was reached.
    #[error("archive exceeds the limit of {limit} {what}")]
    LimitExceeded {
        /// What is limited: `bytes`, `entries`, `path components`.
        what: &'static str,
        /// The limit itself.
        limit: u64,
    },
    /// The bytes are no gzip-compressed tar.
    #[error("artifact is not a readable gzip-compressed tar archive: {0}")]
    Malformed(#[source] std::io::Error),
    /// There is no such file in the tree.
    #[error("'{0}' is not in the artifact")]
    NoSuchFile(String),
    /// A file was asked for and the name is a directory, or the reverse.
    #[error("'{path}' is not a {expected}")]
    WrongKind {
        /// The path asked for.
        path: String,
        /// `file` or `directory`.
        expected: &'static str,
    },
    /// The server has no such artifact (yet): the source will publish another.
    #[error("artifact not found at {url}")]
    NotFound {
        /// What was asked for.
        url: String,
    },
    /// The server answered with an error.
    #[error("failed to download artifact from {url}, status: {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// Code and text, as in `500 Internal Server Error`.
        status: http::StatusCode,
    },
    /// The server could not be reached, or the connection broke.
    #[error("failed to download artifact from {url}: {reason}")]
    Transport {
        /// What was asked for.
        url: String,
        /// The chain of causes, without the URL.
        reason: String,
    },
    /// The source's status has an URL that cannot be used.
    #[error("artifact URL '{url}' is invalid: {reason}")]
    InvalidUrl {
        /// The URL as it stands.
        url: String,
        /// Why.
        reason: String,
    },
    /// A name that is no single path component.
    #[error("'{0}' cannot be used as a name in the artifact store")]
    InvalidName(String),
    /// The lock of an artifact could not be taken.
    #[error("failed to acquire lock for artifact: {0}")]
    Lock(#[source] std::io::Error),
    /// The storage path is missing or no directory.
    #[error("storage path '{}' is not a directory: create it or set --storage-path", .0.display())]
    NoStorage(PathBuf),
    /// A file operation failed.
    #[error("failed to {action} '{}': {source}", .path.display())]
    Io {
        /// What was tried: `create`, `read`, `rename` …
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// An error of a fetch that several callers waited for.
    #[error(transparent)]
    Shared(#[from] std::sync::Arc<Error>),
}

impl Error {
    /// An [`Error::Io`] builder for `map_err`.
    pub(crate) fn io(
        action: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(std::io::Error) -> Error + use<> {
        let path = path.to_owned();
        move |source| Error::Io { action, path, source }
    }

    /// Whether the server said that the artifact does not exist, so that a later one has to be waited for.
    pub fn is_not_found(&self) -> bool {
        match self {
            Error::NotFound { .. } => true,
            Error::Shared(inner) => inner.is_not_found(),
            _ => false,
        }
    }

    /// Whether asking again can help: broken connections, 429 and 5xx.
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Transport { .. } => true,
            Error::Status { status, .. } => {
                *status == http::StatusCode::TOO_MANY_REQUESTS
                    || (status.is_server_error() && status.as_u16() != 501)
            }
            Error::Shared(inner) => inner.is_transient(),
            _ => false,
        }
    }
}

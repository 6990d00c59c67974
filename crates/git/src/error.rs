//! What can go wrong between a reference and its tree.

/// An error of this crate. Messages name references, paths and hosts, never credentials.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The reference cannot be right. The text is the message.
    #[error("{0}")]
    InvalidReference(String),
    /// The remote has no references at all.
    #[error("git repository is empty")]
    EmptyRepository,
    /// A branch or tag is not there.
    #[error("unable to clone '{url}': couldn't find remote ref \"{reference}\"")]
    ReferenceNotFound {
        /// The remote.
        url: String,
        /// The full reference name.
        reference: String,
    },
    /// A reference given by its full name is not there.
    #[error("unable to resolve ref '{0}' to a specific commit")]
    NameNotFound(String),
    /// No tag satisfies the version range.
    #[error("no match found for semver: {0}")]
    NoMatchingVersion(String),
    /// The version range cannot be read.
    #[error("semver parse error: {0}")]
    VersionRange(String),
    /// The commit is not there, or the server does not hand it out.
    #[error("unable to resolve commit object for '{sha}': {reason}")]
    CommitNotFound {
        /// The id asked for.
        sha: String,
        /// What the server said.
        reason: String,
    },
    /// Listing references failed.
    #[error("unable to list remote for '{url}': {source}")]
    List {
        /// The remote.
        url: String,
        /// What failed.
        source: Box<Error>,
    },
    /// Fetching objects failed.
    #[error("unable to clone '{url}': {source}")]
    Clone {
        /// The remote.
        url: String,
        /// What failed.
        source: Box<Error>,
    },
    /// The server wants credentials, or other ones.
    #[error("authentication required{}", if *.given { ": the server did not accept the credentials" } else { "" })]
    AuthenticationRequired {
        /// Whether credentials were sent.
        given: bool,
    },
    /// The server knows who asks and refuses.
    #[error("authorization failed: the credentials do not give access to the repository")]
    AuthorizationFailed,
    /// There is no repository at this URL, or it is not shown to us.
    #[error("repository not found")]
    RepositoryNotFound,
    /// Another HTTP status than 200.
    #[error("unexpected status '{status}' from {url}")]
    Status {
        /// The status code and its reason phrase.
        status: String,
        /// The URL asked, without credentials.
        url: String,
    },
    /// The operation did not end within the time allowed.
    #[error("timed out: the server did not answer completely within the timeout of the object")]
    Timeout,
    /// The HTTP client failed.
    #[error(transparent)]
    Http(#[from] net::Error),
    /// TLS cannot work with the certificates given. The text is the message.
    #[error("{0}")]
    Tls(String),
    /// SSH failed: connection, host key or login.
    #[error("ssh: {0}")]
    Ssh(String),
    /// The host key is not among the trusted ones.
    #[error("ssh: handshake failed: knownhosts: {0}")]
    HostKey(String),
    /// The server does not speak the Git protocol as it should.
    #[error("unexpected answer from the git server: {0}")]
    Protocol(String),
    /// The server said that it failed.
    #[error("remote: {0}")]
    Remote(String),
    /// The server closed the connection too early.
    #[error("the git server closed the connection before its answer was complete")]
    Disconnected,
    /// More data than the limit allows.
    #[error("the repository is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit in bytes of one transfer.
        limit: u64,
    },
    /// The URL scheme is none that can be fetched from, or does not fit the credentials.
    #[error("unsupported git URL '{url}': {reason}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The object store on disk failed.
    #[error("git object store: {action}: {reason}")]
    Store {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        reason: String,
    },
    /// An object is missing or damaged.
    #[error("git object {id}: {reason}")]
    Object {
        /// The object id.
        id: String,
        /// Why it cannot be used.
        reason: String,
    },
    /// A tree holds a name that no file may have.
    #[error("invalid path '{path}' in the tree of the commit")]
    UnsafePath {
        /// The path.
        path: String,
    },
    /// A submodule could not be fetched.
    #[error("submodule '{path}': {source}")]
    Submodule {
        /// Its path in the parent repository.
        path: String,
        /// What failed.
        source: Box<Error>,
    },
}

impl Error {
    pub(crate) fn store(action: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |error| Self::Store { action, reason: error.to_string() }
    }

    pub(crate) fn protocol(what: impl Into<String>) -> Self {
        Self::Protocol(what.into())
    }

    pub(crate) fn object(id: impl std::fmt::Display, reason: impl std::fmt::Display) -> Self {
        Self::Object { id: id.to_string(), reason: reason.to_string() }
    }

    /// True when the objects on disk are to blame, so that fetching anew may help.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self, Self::Object { .. } | Self::Store { .. })
    }
}

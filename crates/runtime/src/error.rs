//! What can go wrong outside a reconcile.

/// A failure of the machinery around a reconcile. Messages carry no times, durations or secret values.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A flag has a value that cannot work.
    #[error("{flag}: {problem}")]
    Flag {
        /// The flag with its dashes.
        flag: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// `--feature-gates` names a gate this controller does not have.
    #[error("feature-gate '{0}' not supported")]
    UnknownGate(String),
    /// Neither a cluster nor a kubeconfig was found, or it cannot be used.
    #[error("cannot configure the Kubernetes client: {0}")]
    ClientConfig(String),
    /// A kubeconfig held in a Secret or ConfigMap cannot be used.
    #[error("{0}")]
    Kubeconfig(String),
    /// The API server refused a request or could not be reached.
    #[error("{verb} {path}: {source}")]
    Api {
        /// The verb, lower case.
        verb: &'static str,
        /// The request's path.
        path: String,
        /// What the client reports.
        source: Box<kube::Error>,
    },
    /// An object from the API server does not have the expected shape.
    #[error("{what}: {source}")]
    Decode {
        /// Which object.
        what: String,
        /// The decoder's reason.
        source: serde_json::Error,
    },
    /// A Secret that an object refers to does not exist.
    #[error("secret '{namespace}/{name}' not found")]
    SecretNotFound {
        /// The Secret's namespace.
        namespace: String,
        /// The Secret's name.
        name: String,
    },
    /// A listener could not be opened.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address of the flag.
        address: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Another process holds the lease now.
    #[error("leader election lost")]
    LeaseLost,
    /// The async runtime could not start.
    #[error("cannot start the runtime: {0}")]
    Runtime(#[source] std::io::Error),
    /// A controller stopped although nobody asked it to.
    #[error("{0} stopped unexpectedly")]
    Stopped(String),
}

impl Error {
    /// The HTTP status the API server answered with, when it did.
    #[must_use]
    pub fn status_code(&self) -> Option<u16> {
        match self {
            Self::Api { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the object does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status_code() == Some(404) || matches!(self, Self::SecretNotFound { .. })
    }

    /// Whether somebody else changed the object in between.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.status_code() == Some(409)
    }
}

//! What can go wrong between settings and a response body.

use std::fmt::Write as _;

/// An error of this crate. Messages name keys, hosts and objects, never values of Secrets.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data of a Secret does not make a credential. The text is the message the user sees.
    #[error("{0}")]
    Credential(String),
    /// The CA bundle holds no usable certificate.
    #[error("failed to parse CA certificate")]
    CaCertificate,
    /// Client certificate and key do not make an identity.
    #[error("failed to parse TLS certificate and key: {0}")]
    ClientCertificate(String),
    /// A URL cannot be used.
    #[error("invalid URL '{url}': {reason}")]
    Url {
        /// The URL without its user part.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The address guard refused the host.
    #[error("address of host '{host}' is not allowed: {reason}")]
    Address {
        /// The host as written in the URL.
        host: String,
        /// The rule that refused it.
        reason: String,
    },
    /// The client could not be made.
    #[error("failed to set up the HTTP client: {0}")]
    Setup(String),
    /// The request got no response.
    #[error("{method} {url}: {reason}")]
    Request {
        /// The request method.
        method: String,
        /// The URL without its user part and query.
        url: String,
        /// The whole chain of causes.
        reason: String,
        /// The transport error.
        #[source]
        source: reqwest::Error,
    },
    /// The response has a status that the caller did not ask for.
    #[error("{method} {url}: unexpected status {status}")]
    Status {
        /// The request method.
        method: String,
        /// The URL without its user part and query.
        url: String,
        /// The status code and its reason phrase.
        status: http::StatusCode,
    },
    /// The response body is larger than the caller allows.
    #[error("{url}: response body exceeds the limit of {limit} bytes")]
    TooLarge {
        /// The URL without its user part and query.
        url: String,
        /// The limit in bytes.
        limit: u64,
    },
}

impl Error {
    /// Wraps a transport error with the request it belongs to.
    pub fn request(method: &str, url: &url::Url, source: reqwest::Error) -> Self {
        let source = source.without_url();
        Self::Request { method: method.to_owned(), url: display_url(url), reason: chain(&source), source }
    }
}

/// `url` without user, password, query and fragment: what may stand in a message or log.
pub fn display_url(url: &url::Url) -> String {
    let mut shown = url.clone();
    // Both fail only for URLs that cannot carry credentials at all.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown.to_string()
}

/// The messages of `error` and of its causes, joined by `: `, a repeated one left out.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let message = cause.to_string();
        if !text.contains(&message) {
            let _ = write!(text, ": {message}");
        }
        next = cause.source();
    }
    // The words that people search for, and the way out.
    text.replace(
        "invalid peer certificate: UnknownIssuer",
        "x509: certificate signed by unknown authority (UnknownIssuer): add the CA as 'ca.crt' to the Secret",
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn addresses_are_shown_without_secrets() {
        let url =
            url::Url::parse("https://user:secret@h:8443/index.yaml?token=secret#secret").expect("a URL");
        assert_eq!(super::display_url(&url), "https://h:8443/index.yaml");
    }
}

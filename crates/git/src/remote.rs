//! What to fetch, and from where.

use std::fmt;
use std::time::Duration;

use net::auth::{HttpAuth, SshAuth};
use sha2::{Digest, Sha256};
use url::Url;

use crate::Error;

/// How a remote is logged in to.
#[derive(Clone)]
pub enum Auth {
    /// For `http://` and `https://`.
    Http(HttpAuth),
    /// For `ssh://`.
    Ssh(SshAuth),
}

/// A remote repository and everything needed to reach it.
#[derive(Clone)]
pub struct Remote {
    /// `http`, `https` or `ssh`. A user part is for display only: what counts is `auth`.
    pub url: Url,
    /// The credentials.
    pub auth: Auth,
    /// TLS settings of `https`.
    pub tls: net::Tls,
    /// The proxy; `None` leaves it to the environment (HTTP only).
    pub proxy: Option<net::Proxy>,
    /// How long one operation may take in all. `resolve` and `fetch` are one operation each, submodules included.
    pub timeout: Duration,
}

impl Remote {
    /// The directory name of this remote's store. Remotes that differ in URL or credentials never share objects: a store
    /// must not hand out what its user could not have fetched.
    pub(crate) fn store_key(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(self.url.as_str().as_bytes());
        match &self.auth {
            Auth::Http(HttpAuth::None) => part(b"none"),
            Auth::Http(HttpAuth::Basic { username, password }) => {
                part(b"basic");
                part(username.as_bytes());
                part(&password.fingerprint());
            }
            Auth::Http(HttpAuth::Bearer(token)) => {
                part(b"bearer");
                part(&token.fingerprint());
            }
            Auth::Ssh(ssh) => {
                part(b"ssh");
                part(ssh.username.as_bytes());
                part(&ssh.identity.fingerprint());
            }
        }
        if let Some(identity) = &self.tls.identity {
            part(identity.certificate.expose());
        }
        hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The URL as it may be shown: without password.
    pub fn display_url(&self) -> String {
        let mut url = self.url.clone();
        // Fails only for URLs that cannot carry a password.
        let _ = url.set_password(None);
        url.to_string()
    }
}

/// What of a repository is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The head of a branch, by its short name.
    Branch(String),
    /// A tag, by its short name.
    Tag(String),
    /// The highest tag that a Masterminds version range allows.
    Semver(String),
    /// Exactly this reference, by its full name; `refs/tags/x^{}` is accepted.
    Name(String),
    /// A commit by its full id.
    Commit {
        /// 40 (SHA-1) or 64 (SHA-256) hexadecimal digits.
        sha: String,
        /// The branch it should be found on, which becomes part of the revision.
        branch: Option<String>,
    },
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Branch(name) => write!(formatter, "branch '{name}'"),
            Self::Tag(name) => write!(formatter, "tag '{name}'"),
            Self::Semver(range) => write!(formatter, "semver '{range}'"),
            Self::Name(name) => write!(formatter, "ref '{name}'"),
            Self::Commit { sha, .. } => write!(formatter, "commit '{sha}'"),
        }
    }
}

impl Reference {
    /// Rejects what can be seen to be wrong without asking the remote.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Name(name) if name.starts_with('/') || name.ends_with('/') => Err(Error::InvalidReference(
                format!("ref {name} is invalid; Git refs cannot begin or end with a slash '/'"),
            )),
            Self::Commit { sha, .. } if !is_object_id(sha) => Err(Error::InvalidReference(format!(
                "unable to resolve commit object for '{sha}': a commit is given by its full id of 40 or 64 hexadecimal digits"
            ))),
            _ => Ok(()),
        }
    }
}

/// True for a full hexadecimal object id.
pub(crate) fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A reference that the remote has resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The revision as Flux writes it: `main@sha1:…`, `v1.0.0@sha1:…`, `refs/pull/1/head@sha1:…`, `sha1:…`.
    pub revision: String,
    /// The full reference name, empty for a commit without branch.
    pub reference: String,
    /// The commit id in hexadecimal, never that of a tag object.
    pub commit: String,
    /// The id of the annotated tag object that led to the commit.
    pub tag: Option<String>,
    /// Whether the commit was asked for by its id, so that the server may have to be persuaded.
    pub(crate) pinned: bool,
}

impl Resolved {
    /// Puts a revision together. `label` is what stands before the `@`; empty for a lone commit.
    pub(crate) fn new(label: &str, reference: &str, commit: String, tag: Option<String>) -> Self {
        let algorithm = if commit.len() == 64 { "sha256" } else { "sha1" };
        let revision = match label {
            "" => format!("{algorithm}:{commit}"),
            label => format!("{label}@{algorithm}:{commit}"),
        };
        Self { revision, reference: reference.to_owned(), commit, tag, pinned: false }
    }

    /// A commit given by its id, on `branch` unless that is empty.
    pub(crate) fn pinned(commit: String, branch: &str) -> Self {
        let reference = if branch.is_empty() { String::new() } else { format!("refs/heads/{branch}") };
        Self { pinned: true, ..Self::new(branch, &reference, commit, None) }
    }
}

/// Whether submodules are part of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submodules {
    /// A submodule is an empty directory.
    Skip,
    /// Submodules are fetched recursively, 10 levels deep at most, with the credentials of the parent.
    Recurse,
}

//! Where an artifact is: registry, name, tag or digest.

use std::fmt;

/// The registry that a name without one means.
const DOCKER_HUB: &str = "index.docker.io";
/// The host that serves Docker Hub.
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";

/// A repository in a registry: `host[:port]/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    registry: String,
    name: String,
}

/// Why a URL is not that of a repository. The texts are Flux's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RepositoryError {
    /// Not an `oci://` URL.
    #[error("URL must be in format 'oci://<domain>/<org>/<repo>'")]
    Format,
    /// With a tag, which has a field of its own.
    #[error("URL must not contain a tag; remove ':{0}'")]
    Tag(String),
    /// With a digest, which has a field of its own.
    #[error("URL must not contain a digest; remove '@{0}'")]
    Digest(String),
    /// A part that registries do not take.
    #[error("could not parse reference: {0}")]
    Name(String),
}

impl Repository {
    /// Reads `oci://host[:port]/name`.
    ///
    /// # Errors
    /// Another scheme, a tag or digest, characters that no repository may have.
    pub fn from_url(url: &str) -> Result<Self, RepositoryError> {
        Self::parse(url.strip_prefix("oci://").ok_or(RepositoryError::Format)?)
    }

    /// Reads `host[:port]/name`. Without a host it is a name of Docker Hub.
    ///
    /// # Errors
    /// As [`Repository::from_url`].
    pub fn parse(text: &str) -> Result<Self, RepositoryError> {
        let (registry, name) = match text.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
            _ => (DOCKER_HUB, text),
        };
        if let Some((_, digest)) = name.split_once('@') {
            return Err(RepositoryError::Digest(digest.to_owned()));
        }
        if let Some((_, tag)) = name.rsplit_once(':') {
            return Err(RepositoryError::Tag(tag.to_owned()));
        }
        let part = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.' | b'/')
        };
        let well_formed = !name.is_empty()
            && name.len() <= 255
            && name.bytes().all(part)
            && name.split('/').all(|part| !part.is_empty());
        if !well_formed {
            return Err(RepositoryError::Name(format!(
                "repository can only contain the characters `abcdefghijklmnopqrstuvwxyz0123456789_-./`: {name}"
            )));
        }
        let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
        if host.is_empty() || url::Url::parse(&format!("https://{registry}/")).is_err() {
            return Err(RepositoryError::Name(format!(
                "registries must be valid RFC 3986 URI authorities: {registry}"
            )));
        }
        let official = registry == DOCKER_HUB && !name.contains('/');
        let name = if official { format!("library/{name}") } else { name.to_owned() };
        Ok(Self { registry: registry.to_owned(), name })
    }

    /// The registry as it is written, with its port; the key of credentials.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The name in the registry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the registry answers.
    pub(crate) fn host(&self) -> &str {
        if self.registry == DOCKER_HUB { DOCKER_HUB_HOST } else { &self.registry }
    }

    /// Whether plain HTTP is usual for such a registry: this machine, or a private network.
    pub(crate) fn is_local(&self) -> bool {
        let host = self.registry.rsplit_once(':').map_or(&*self.registry, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || host.ends_with(".localhost")
            || host.ends_with(".local")
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| match address {
                std::net::IpAddr::V4(address) => address.is_loopback() || address.is_private(),
                std::net::IpAddr::V6(address) => address.is_loopback(),
            })
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.name)
    }
}

/// What of a repository is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A tag.
    Tag(String),
    /// A digest, `<algorithm>:<hex>`.
    Digest(String),
}

impl Reference {
    /// The text that stands for it in the addresses of a registry.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tag(text) | Self::Digest(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_repositories() {
        for (url, registry, name) in [
            ("oci://ghcr.io/stefanprodan/manifests/podinfo", "ghcr.io", "stefanprodan/manifests/podinfo"),
            ("oci://localhost:5000/a", "localhost:5000", "a"),
            ("oci://localhost/a", "localhost", "a"),
            ("oci://127.0.0.1:5000/a_b/c-d", "127.0.0.1:5000", "a_b/c-d"),
            ("oci://alpine", "index.docker.io", "library/alpine"),
            ("oci://org/app", "index.docker.io", "org/app"),
        ] {
            let found = Repository::from_url(url).unwrap();
            assert_eq!((found.registry(), found.name()), (registry, name), "{url}");
        }
    }

    #[test]
    fn what_does_not_belong_there_is_named() {
        use RepositoryError::{Digest, Format, Name, Tag};
        for (url, expected) in [
            ("https://ghcr.io/a", Format),
            ("oci://ghcr.io/a:6.1.0", Tag("6.1.0".to_owned())),
            ("oci://ghcr.io/a@sha256:00", Digest("sha256:00".to_owned())),
        ] {
            assert_eq!(Repository::from_url(url), Err(expected), "{url}");
        }
        for url in [
            "oci://ghcr.io/",
            "oci://ghcr.io/A",
            "oci://ghcr.io/a//b",
            "oci://",
            "oci://ghcr.io/a b",
            "oci://:5000/a",
            "oci://a.b:x/c",
        ] {
            assert!(matches!(Repository::from_url(url), Err(Name(_))), "{url}");
        }
    }

    #[test]
    fn plain_http_is_for_local_registries() {
        for (registry, local) in [
            ("localhost:5000", true),
            ("registry.local", true),
            ("127.0.0.1:5000", true),
            ("10.1.2.3", true),
            ("[::1]:5000", true),
            ("ghcr.io", false),
            ("8.8.8.8", false),
        ] {
            assert_eq!(Repository::parse(&format!("{registry}/a")).unwrap().is_local(), local, "{registry}");
        }
    }
}

//! Addresses of repositories, in the forms that Git takes.

use url::Url;

use super::step::{Error, setup};

const SCHEMES: [&str; 9] = ["ssh", "git", "git+ssh", "http", "https", "ftp", "ftps", "rsync", "file"];

/// Where a repository is.
#[derive(Debug, PartialEq, Eq)]
pub struct Repository {
    /// `scheme://host[:port]`; `ssh` has become `https`.
    pub host: String,
    /// The path without slashes before it and without `.git`.
    pub id: String,
}

impl Repository {
    /// Reads an address: a URL, or `[user@]host:path`.
    pub fn parse(address: &str) -> Result<Self, Error> {
        let address = address.trim();
        let id = |path: &str| {
            let path = path.trim_start_matches('/');
            path.strip_suffix(".git").unwrap_or(path).to_owned()
        };
        if let Ok(url) = Url::parse(address)
            && SCHEMES.contains(&url.scheme())
        {
            let scheme = if url.scheme() == "ssh" { "https" } else { url.scheme() };
            let host = url.host_str().unwrap_or_default();
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            return Ok(Self { host: format!("{scheme}://{host}{port}"), id: id(url.path()) });
        }
        match address.split_once(':') {
            Some((host, path)) if !host.is_empty() && !host.contains('/') => {
                let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
                Ok(Self { host: format!("https://{host}"), id: id(path) })
            }
            _ => setup(format!("invalid address '{address}': expected the URL of a repository")),
        }
    }

    /// The id in as many parts as the API needs.
    pub fn parts<const N: usize>(&self) -> Option<[&str; N]> {
        let parts: Vec<&str> = self.id.split('/').collect();
        parts.try_into().ok()
    }

    /// An address below the host.
    pub fn url(&self, path: &str) -> Result<Url, Error> {
        super::step::address(&format!("{}/{path}", self.host))
    }
}

/// One segment of a path, encoded.
pub fn segment(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, KEPT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_many_forms() {
        for (address, host, id) in [
            ("https://github.com/org/app", "https://github.com", "org/app"),
            ("https://user:pass@gl.example:8443/g/s/p.git", "https://gl.example:8443", "g/s/p"),
            ("ssh://git@gitlab.com/org/app.git", "https://gitlab.com", "org/app"),
            ("git@github.com:org/app.git", "https://github.com", "org/app"),
            ("http://host//org/app", "http://host", "org/app"),
        ] {
            let repository = Repository::parse(address).expect("an address");
            assert_eq!((repository.host.as_str(), repository.id.as_str()), (host, id), "{address}");
        }
        assert!(Repository::parse("/local/path").is_err());
        assert_eq!(segment("g/s/p x"), "g%2Fs%2Fp%20x");
    }
}

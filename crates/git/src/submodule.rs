//! `.gitmodules`: which submodules a repository has, and where they come from.

use net::auth::HttpAuth;
use url::Url;

use crate::{Auth, Error, Remote};

/// Submodules within submodules, this many levels deep at most.
pub(crate) const DEEPEST: usize = 10;

/// A submodule as `.gitmodules` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Submodule {
    /// Its path in the parent.
    pub(crate) path: String,
    /// Its URL, possibly relative to that of the parent.
    pub(crate) url: String,
}

/// Reads the sections `[submodule "…"]` of a git configuration file. What is incomplete is left out, as git does.
pub(crate) fn parse_gitmodules(text: &str) -> Vec<Submodule> {
    let mut found = Vec::new();
    let mut current: Option<(Option<String>, Option<String>)> = None;
    let mut finish = |section: Option<(Option<String>, Option<String>)>| {
        if let Some((Some(path), Some(url))) = section {
            found.push(Submodule { path: path.trim_matches('/').to_owned(), url });
        }
    };
    let joined = text.replace("\\\r\n", "").replace("\\\n", "");
    for line in joined.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            finish(current.take());
            let is_submodule = header.trim_start().to_ascii_lowercase().starts_with("submodule");
            current = is_submodule.then_some((None, None));
            continue;
        }
        let (Some((path, url)), Some((key, value))) = (&mut current, line.split_once('=')) else { continue };
        let value = unquoted(value);
        match key.trim().to_ascii_lowercase().as_str() {
            "path" => *path = Some(value),
            "url" => *url = Some(value),
            _ => {}
        }
    }
    finish(current.take());
    found
}

/// The value of a variable: comments end it, quotes protect, `\` escapes.
fn unquoted(value: &str) -> String {
    let mut result = String::new();
    let mut quoted = false;
    let mut characters = value.trim().chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => quoted = !quoted,
            '#' | ';' if !quoted => break,
            '\\' => match characters.next() {
                Some('n') => result.push('\n'),
                Some('t') => result.push('\t'),
                Some(other) => result.push(other),
                None => {}
            },
            other => result.push(other),
        }
    }
    if quoted { result } else { result.trim_end().to_owned() }
}

/// The remote of a submodule. Credentials of the parent go along only to the parent's own host, and never from an
/// encrypted connection to a plain one: a repository must not be able to send them elsewhere.
pub(crate) fn remote(parent: &Remote, url: &str) -> Result<Remote, Error> {
    let unusable = |reason: &str| Error::Url { url: url.to_owned(), reason: reason.to_owned() };
    let resolved = if url.starts_with("./") || url.starts_with("../") {
        // Relative to the repository itself, as if it were a directory.
        let mut base = parent.url.clone();
        let path = format!("{}/", base.path().trim_end_matches('/'));
        base.set_path(&path);
        base.join(url).map_err(|error| unusable(&error.to_string()))?
    } else {
        let text = scp_like(url).unwrap_or_else(|| url.to_owned());
        Url::parse(&text).map_err(|error| unusable(&error.to_string()))?
    };
    let same_host = resolved.host_str() == parent.url.host_str();
    let downgrade = resolved.scheme() == "http" && parent.url.scheme() != "http";
    let auth = match (resolved.scheme(), &parent.auth) {
        ("http" | "https", Auth::Http(auth)) if same_host && !downgrade => Auth::Http(auth.clone()),
        ("http" | "https", _) => Auth::Http(HttpAuth::None),
        ("ssh", Auth::Ssh(auth)) if same_host => {
            let mut auth = auth.clone();
            if !resolved.username().is_empty() {
                auth.username = resolved.username().to_owned();
            }
            Auth::Ssh(auth)
        }
        ("ssh", Auth::Ssh(_)) => return Err(unusable("the SSH credentials are for another host")),
        ("ssh", Auth::Http(_)) => return Err(unusable("it needs SSH credentials, but the parent has none")),
        (scheme, _) => return Err(unusable(&format!("scheme '{scheme}' is not supported"))),
    };
    let mut tls = parent.tls.clone();
    if !same_host {
        tls.identity = None;
    }
    let proxy = parent.proxy.clone();
    Ok(Remote { url: resolved, auth, tls, proxy, timeout: parent.timeout })
}

/// `user@host:path` as a URL.
fn scp_like(url: &str) -> Option<String> {
    if url.contains("://") {
        return None;
    }
    let (host, path) = url.split_once(':')?;
    if host.contains('/') || host.is_empty() {
        return None;
    }
    Some(format!("ssh://{host}/{}", path.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parent(url: &str) -> Remote {
        let auth = HttpAuth::Basic { username: "u".to_owned(), password: net::Secret::new("p") };
        Remote {
            url: Url::parse(url).expect("a URL"),
            auth: Auth::Http(auth),
            tls: net::Tls::default(),
            proxy: None,
            timeout: Duration::from_secs(1),
        }
    }

    fn sent(parent: &Remote, url: &str) -> (String, bool) {
        let remote = remote(parent, url).expect("a remote");
        (remote.url.to_string(), !matches!(remote.auth, Auth::Http(HttpAuth::None)))
    }

    #[test]
    fn sections_values_and_comments() {
        let text = "# c\n[core]\n\tpath = no\n\turl = no\n[submodule \"a b\"]\n\tpath = libs/a ; c\n\turl = \"../a#1\" # c\n[Submodule \"cut\"]\npath = x\n[submodule \"b\"]\nPATH=b/\nurl=https://h/\\\nb\n";
        let expected = [("libs/a", "../a#1"), ("b", "https://h/b")];
        let found: Vec<_> = parse_gitmodules(text).into_iter().map(|found| (found.path, found.url)).collect();
        assert_eq!(found, expected.map(|(path, url)| (path.to_owned(), url.to_owned())));
    }

    #[test]
    fn relative_urls_and_credentials() {
        let https = parent("https://host/group/repo.git");
        assert_eq!(sent(&https, "../lib.git"), ("https://host/group/lib.git".to_owned(), true));
        assert_eq!(sent(&https, "./inner"), ("https://host/group/repo.git/inner".to_owned(), true));
        assert_eq!(sent(&https, "https://other/x"), ("https://other/x".to_owned(), false));
        assert_eq!(sent(&https, "http://host/x"), ("http://host/x".to_owned(), false));
        assert_eq!(sent(&parent("http://host/r"), "https://host/x"), ("https://host/x".to_owned(), true));
        assert!(remote(&https, "git@host:group/x").is_err());
        assert!(remote(&https, "file:///etc").is_err());
        assert_eq!(scp_like("git@host:group/x.git").as_deref(), Some("ssh://git@host/group/x.git"));
    }
}

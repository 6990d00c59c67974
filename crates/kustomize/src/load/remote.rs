//! What lies on the network. Nothing is fetched here: the caller of a build may bring a way to do it.

use std::time::Duration;

/// How long a fetch may take when the URL does not say.
const TIMEOUT: Duration = Duration::from_secs(27);

/// Something on the network that a kustomization names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remote {
    /// A file, by its `http` or `https` URL.
    File {
        /// The URL as it was written.
        url: String,
    },
    /// A directory in a Git repository.
    Directory(RemoteDirectory),
}

/// A directory in a Git repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteDirectory {
    /// The repository, as Git takes it: `https://host/org/repo`, `git@host:org/repo` …
    pub repository: String,
    /// The directory in it, in clean form; empty for its root.
    pub path: String,
    /// Branch, tag or commit; empty for the default branch.
    pub reference: String,
    /// How long the fetch may take. Default: 27 s, as in kustomize.
    pub timeout: Duration,
    /// Whether submodules are wanted. Default: true.
    pub submodules: bool,
}

/// What the caller of a build has fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The content of a file.
    Content(Vec<u8>),
    /// The root of a repository, as a path in the file system of the build. Bases that are named in it must lie in it.
    Checkout(String),
}

/// A way to fetch: the answer to [`Remote::File`] is the file's content, to [`Remote::Directory`] a checkout of the whole
/// repository. An error says why there is none, without credentials.
pub type Fetch<'a> = dyn Fn(&Remote) -> Result<Fetched, String> + 'a;

impl Remote {
    /// Reads an entry of a kustomization, in any of the forms that kustomize knows.
    ///
    /// # Errors
    /// If it names no repository, or a path that leaves it.
    pub fn parse(entry: &str) -> Result<Self, String> {
        let forced = strip_prefix(entry, "git::");
        let url = forced.unwrap_or(entry);
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let web = ["http://", "https://"].iter().any(|scheme| strip_prefix(url, scheme).is_some());
        let names_file =
            [".yaml", ".yml", ".json"].iter().any(|end| place.to_ascii_lowercase().ends_with(end));
        if web && names_file && forced.is_none() {
            return Ok(Self::File { url: entry.to_owned() });
        }
        let (host, path) = split_host(place).ok_or_else(|| format!("{entry} names no host"))?;
        let (repository, inner) =
            split_path(&host, path).ok_or_else(|| format!("{entry} names no repository"))?;
        let inner =
            crate::fs::clean(inner).ok_or_else(|| format!("the path of {entry} leaves the repository"))?;
        let query = Query::parse(query);
        Ok(Self::Directory(RemoteDirectory {
            repository: format!("{host}{repository}"),
            path: inner,
            reference: query.reference,
            timeout: query.timeout,
            submodules: query.submodules,
        }))
    }
}

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| text.get(prefix.len()..).unwrap_or_default())
}

/// Scheme, user and host with the separator behind them, and the path.
fn split_host(url: &str) -> Option<(String, &str)> {
    let schemes = ["ssh://", "https://", "http://", "file://"];
    let found = schemes.iter().find_map(|scheme| Some((*scheme, strip_prefix(url, scheme)?)));
    let (scheme, rest) = found.unwrap_or(("", url));
    if scheme == "file://" {
        return Some((scheme.to_owned(), rest));
    }
    let (user, rest) = match rest.split_once('@') {
        Some((user, rest)) if is_user(user) => (format!("{user}@"), rest),
        _ => (String::new(), rest),
    };
    let github = strip_prefix(rest, "github.com").filter(|rest| rest.starts_with(['/', ':']));
    if let Some(path) = github.and_then(|rest| rest.get(1..)) {
        let by_ssh = scheme == "ssh://" || !user.is_empty() && scheme.is_empty();
        return Some((if by_ssh { "git@github.com:" } else { "https://github.com/" }.to_owned(), path));
    }
    if scheme.is_empty() && user.is_empty() {
        return None;
    }
    let separators: &[char] = if scheme.is_empty() { &['/', ':'] } else { &['/'] };
    let end = rest.find(separators)? + 1;
    Some((format!("{scheme}{user}{}", rest.get(..end)?), rest.get(end..)?))
}

fn is_user(user: &str) -> bool {
    user.starts_with(|c: char| c.is_ascii_alphabetic())
        && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The repository and the directory in it: split at `//`, behind `.git`, behind what follows `_git/`, or behind two segments.
fn split_path<'a>(host: &str, path: &'a str) -> Option<(&'a str, &'a str)> {
    let at = |place: usize, skipped: usize| Some((path.get(..place)?, path.get(place + skipped..)?));
    let split = if let Some(azure) = path.find("_git/") {
        let name = azure + "_git/".len();
        let end = path.get(name..)?.find('/').map_or(path.len(), |end| name + end);
        at(end, 0)
    } else if let Some(double) = path.find("//") {
        at(double, 2)
    } else if let Some(suffix) = path.find(".git/") {
        at(suffix + ".git".len(), 1)
    } else if host == "file://" {
        Some((path, ""))
    } else {
        let mut slashes = path.match_indices('/').map(|(place, _)| place);
        slashes.next()?;
        at(slashes.next().unwrap_or(path.len()), 0)
    };
    split.filter(|(repository, _)| !repository.is_empty())
}

struct Query {
    reference: String,
    timeout: Duration,
    submodules: bool,
}

impl Query {
    fn parse(text: &str) -> Self {
        let mut query = Self { reference: String::new(), timeout: TIMEOUT, submodules: true };
        let mut version = String::new();
        for (name, value) in
            text.split('&').filter_map(|pair| pair.split_once('=')).filter(|(_, value)| !value.is_empty())
        {
            let value = decoded(value);
            match name {
                "ref" => query.reference = value,
                "version" => version = value,
                "timeout" => query.timeout = timeout(&value).unwrap_or(TIMEOUT),
                "submodules" => {
                    query.submodules =
                        !matches!(value.as_str(), "0" | "f" | "F" | "false" | "FALSE" | "False")
                }
                _ => {}
            }
        }
        if query.reference.is_empty() {
            query.reference = version;
        }
        query
    }
}

/// Seconds, or Go's notation with one unit.
fn timeout(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let seconds: f64 = match unit {
        "" if number.contains('.') => return None,
        "" | "s" => number.parse().ok()?,
        "ms" => number.parse::<f64>().ok()? / 1e3,
        "m" => number.parse::<f64>().ok()? * 60.0,
        "h" => number.parse::<f64>().ok()? * 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok().filter(|timeout| !timeout.is_zero())
}

/// `%41` and `+`, as in queries.
fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Whether an entry of `resources` or `components` names something remote: a URL, or a Git repository in one of the
/// forms that kustomize knows (`git@host:…`, `github.com/…`, `git::…`).
pub(crate) fn is_remote(entry: &str) -> bool {
    let rest = strip_prefix(entry, "git::");
    let schemes = ["http://", "https://", "ssh://", "file://"];
    let url = rest.unwrap_or(entry);
    let scheme = schemes.iter().any(|scheme| strip_prefix(url, scheme).is_some());
    let user = url.split_once('@').is_some_and(|(user, host)| is_user(user) && host.contains([':', '/']));
    let github = strip_prefix(url, "github.com").is_some_and(|rest| rest.starts_with(['/', ':']));
    scheme || user || github || rest.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_remote_from_local() {
        for entry in [
            "https://example.com/x.yaml",
            "HTTP://example.com",
            "git@github.com:a/b",
            "github.com/a/b//c?ref=v1",
            "git::https://example.com/a/b",
            "ssh://git@example.com/a",
        ] {
            assert!(is_remote(entry), "{entry}");
        }
        for entry in ["base", "../base", "./github.com/a", "a@b", "x.yaml?y=1", "/etc/x.yaml", "a/b@c/d"] {
            assert!(!is_remote(entry), "{entry}");
        }
    }

    #[test]
    fn reads_every_form() {
        for (entry, repository, path, reference) in [
            ("https://github.com/org/repo//dir/sub?ref=v1", "https://github.com/org/repo", "dir/sub", "v1"),
            (
                "https://github.com/org/repo/dir/sub?version=v1",
                "https://github.com/org/repo",
                "dir/sub",
                "v1",
            ),
            ("github.com/org/repo", "https://github.com/org/repo", "", ""),
            ("git@github.com:org/repo.git//dir", "git@github.com:org/repo.git", "dir", ""),
            ("ssh://git@github.com/org/repo?ref=a%2Fb", "git@github.com:org/repo", "", "a/b"),
            (
                "https://host/group/sub/repo.git/dir?ref=main",
                "https://host/group/sub/repo.git",
                "dir",
                "main",
            ),
            ("git::https://host/org/repo//a/../b", "https://host/org/repo", "b", ""),
            (
                "https://dev.azure.com/org/project/_git/repo/dir",
                "https://dev.azure.com/org/project/_git/repo",
                "dir",
                "",
            ),
            ("git@host:org/repo/dir", "git@host:org/repo", "dir", ""),
            ("file:///srv/repo//dir", "file:///srv/repo", "dir", ""),
        ] {
            let Ok(Remote::Directory(found)) = Remote::parse(entry) else {
                panic!("{entry} is no directory")
            };
            let found = (found.repository.as_str(), found.path.as_str(), found.reference.as_str());
            assert_eq!(found, (repository, path, reference), "{entry}");
        }
        let file = "https://example.com/a/b.yaml?token=x";
        assert_eq!(Remote::parse(file), Ok(Remote::File { url: file.to_owned() }));
        for entry in ["https://example.com", "github.com/org", "https://host/org/repo//../x", "local/dir"] {
            assert!(Remote::parse(entry).is_err(), "{entry}");
        }
    }

    #[test]
    fn reads_timeouts() {
        let timeout = |query: &str| Query::parse(query).timeout.as_millis();
        assert_eq!(
            ["timeout=5", "timeout=2m", "timeout=100ms", "timeout=-1", "ref=x"].map(timeout),
            [5000, 120_000, 100, 27_000, 27_000]
        );
        assert!(!Query::parse("submodules=false").submodules);
    }
}

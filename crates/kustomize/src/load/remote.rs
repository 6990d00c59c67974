//! What looks like a place on the network. Nothing remote is ever fetched here.

/// Whether an entry of `resources` or `components` names something remote: a URL, or a Git repository in one of the
/// forms that kustomize knows (`git@host:…`, `github.com/…`, `git::…`).
pub(crate) fn is_remote(entry: &str) -> bool {
    let lower = entry.to_ascii_lowercase();
    let entry = lower.strip_prefix("git::").unwrap_or(&lower);
    let scheme = ["http://", "https://", "ssh://", "file://"].iter().any(|scheme| entry.starts_with(scheme));
    let user = entry.split_once('@').is_some_and(|(user, host)| {
        user.starts_with(|c: char| c.is_ascii_alphabetic())
            && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && host.contains([':', '/'])
    });
    let github = entry.strip_prefix("github.com").is_some_and(|rest| rest.starts_with(['/', ':']));
    let forced = lower.len() != entry.len();
    scheme || user || github || forced
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
}

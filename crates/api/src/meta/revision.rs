//! Revisions of artifacts: `<name>@<algorithm>:<hash>` or `<algorithm>:<hash>`.

use std::fmt;

/// A revision taken apart.
///
/// A revision that is only a version (a Helm chart) has a name and no hash.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Revision {
    /// Branch, tag, full reference or version. A branch may contain `/` and `@`.
    pub name: Option<String>,
    /// Algorithm and hash, `sha1:<hex>`.
    pub hash: Option<String>,
}

impl Revision {
    /// A Git revision: `main@sha1:…`, or `sha1:…` without a name.
    pub fn git(name: Option<&str>, commit: &str) -> Self {
        let algorithm = if commit.len() == 64 { "sha256" } else { "sha1" };
        Self { name: name.map(str::to_owned), hash: Some(format!("{algorithm}:{commit}")) }
    }

    /// Reads a revision of today's or the legacy form: `main/<hex>` means `main@sha1:<hex>`, and both `HEAD/<hex>` and a
    /// bare `<hex>` mean `sha1:<hex>`.
    pub fn parse(text: &str) -> Self {
        if let Some((name, hash)) = text.rsplit_once('@')
            && is_digest(hash)
        {
            return Self { name: Some(name.to_owned()), hash: Some(hash.to_owned()) };
        }
        if is_digest(text) {
            return Self { name: None, hash: Some(text.to_owned()) };
        }
        if is_commit(text) {
            return Self::git(None, text);
        }
        match text.rsplit_once('/') {
            Some(("HEAD", commit)) if is_commit(commit) => Self::git(None, commit),
            Some((name, commit)) if is_commit(commit) => Self::git(Some(name), commit),
            _ => Self { name: Some(text.to_owned()), hash: None },
        }
    }

    /// Rewrites the legacy form to today's; any other text is returned as it is.
    pub fn normalise(text: &str) -> String {
        Self::parse(text).to_string()
    }

    /// The hash without its algorithm.
    pub fn hex(&self) -> Option<&str> {
        self.hash.as_deref()?.split_once(':').map(|(_, hex)| hex)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, &self.hash) {
            (Some(name), Some(hash)) => write!(f, "{name}@{hash}"),
            (Some(name), None) => f.write_str(name),
            (None, hash) => f.write_str(hash.as_deref().unwrap_or_default()),
        }
    }
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty()
            && algorithm.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+._-".contains(&b))
            && is_hex(hex)
    })
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && is_hex(text)
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn legacy_forms_become_todays() {
        for (old, new) in [
            (format!("main/{HEX}"), format!("main@sha1:{HEX}")),
            (format!("feature/x/{HEX}"), format!("feature/x@sha1:{HEX}")),
            (format!("HEAD/{HEX}"), format!("sha1:{HEX}")),
            (HEX.to_owned(), format!("sha1:{HEX}")),
        ] {
            assert_eq!(Revision::normalise(&old), new);
            assert_eq!(Revision::normalise(&new), new);
        }
    }

    #[test]
    fn other_forms_are_kept() {
        for text in [
            &format!("sha1:{HEX}"),
            &format!("feature/x@y@sha1:{HEX}"),
            &format!("refs/pull/4/head@sha1:{HEX}"),
            "latest@sha256:abcdef",
            "6.3.5+1a2b",
            "main",
            "feature/x",
            "",
        ] {
            assert_eq!(Revision::normalise(text), text);
        }
    }

    #[test]
    fn a_revision_comes_apart() {
        let revision = Revision::parse(&format!("feature/x@sha1:{HEX}"));
        assert_eq!(revision.name.as_deref(), Some("feature/x"));
        assert_eq!(revision.hex(), Some(HEX));
        assert_eq!(Revision::parse("1.2.3").hex(), None);
        assert_eq!(Revision::git(Some("main"), HEX).to_string(), format!("main@sha1:{HEX}"));
    }
}

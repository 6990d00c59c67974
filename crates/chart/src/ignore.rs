//! `.helmignore`

use crate::error::Error;
use crate::file::base_name;
use crate::wildcard;

/// Whether a path is a file or a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// Anything but a folder.
    File,
    /// A folder.
    Folder,
}

/// The rules of a `.helmignore` file, and Helm's own: files in `templates/` that begin with a dot are ignored.
#[derive(Debug, Clone)]
pub struct IgnoreRules(Vec<Rule>);

#[derive(Debug, Clone)]
struct Rule {
    pattern: String,
    negated: bool,
    folders_only: bool,
    whole_path: bool,
}

impl IgnoreRules {
    /// Reads rules; without a file, give an empty text.
    ///
    /// # Errors
    /// For `**` and for patterns that Go's `filepath.Match` cannot read.
    pub fn parse(text: &[u8]) -> Result<IgnoreRules, Error> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let text = String::from_utf8_lossy(text);
        let mut rules = Vec::new();
        for line in text.lines().chain(["templates/.?*"]) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.contains("**") {
                return Err(Error::Load("double-star (**) syntax is not supported".to_owned()));
            }
            wildcard::matches(line, "abc").map_err(|_| Error::Load("syntax error in pattern".to_owned()))?;
            let (negated, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
            let (folders_only, line) = line.strip_suffix('/').map_or((false, line), |rest| (true, rest));
            let (rooted, line) = line.strip_prefix('/').map_or((false, line), |rest| (true, rest));
            let whole_path = rooted || line.contains('/');
            rules.push(Rule { pattern: line.to_owned(), negated, folders_only, whole_path });
        }
        Ok(IgnoreRules(rules))
    }

    /// True when a path, relative to the chart, is left out. The order of the rules counts; a negated rule leaves out
    /// whatever it does *not* match, unlike in git.
    #[must_use]
    pub fn ignores(&self, path: &str, kind: PathKind) -> bool {
        if matches!(path, "" | "." | "./") {
            return false;
        }
        for rule in &self.0 {
            let passes = !rule.folders_only || kind == PathKind::Folder;
            let name = if rule.whole_path { path } else { base_name(path) };
            let found = passes && wildcard::matches(&rule.pattern, name).unwrap_or(false);
            if found != rule.negated {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_evaluated_in_order() {
        let rules = IgnoreRules::parse("\u{feff}# comment\n*.md\n/docs\nci/\na/b*\n".as_bytes()).unwrap();
        let file = |path: &str| rules.ignores(path, PathKind::File);
        assert!(file("README.md") && file("templates/x.md") && file("docs") && file("a/bc"));
        assert!(!file("templates/docs") && !file("ci") && !file("a/c"));
        assert!(rules.ignores("ci", PathKind::Folder) && rules.ignores("x/ci", PathKind::Folder));
        assert!(file("templates/.swp") && !file(".") && !file("templates/a.yaml"));
    }

    #[test]
    fn a_negated_rule_leaves_out_the_rest() {
        let rules = IgnoreRules::parse(b"!*.yaml\n").unwrap();
        assert!(rules.ignores("NOTES.txt", PathKind::File));
        assert!(!rules.ignores("a.yaml", PathKind::File));
    }

    #[test]
    fn bad_rules_are_errors() {
        assert!(IgnoreRules::parse(b"a/**/b").is_err());
        assert_eq!(IgnoreRules::parse(b"a[").unwrap_err().to_string(), "syntax error in pattern");
    }
}

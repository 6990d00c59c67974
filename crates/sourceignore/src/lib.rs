//! `.sourceignore` rules: which files of a source stay out of its artifact.
//!
//! The language is the go-git flavour of gitignore, as Flux uses it, not git's own: every path is tested by itself, so a
//! file below an excluded directory can be taken back in; a pattern without `/` matches any element of a path; elements
//! are matched as Go's `filepath.Match` does. The decisions are held equal to go-git's by a table (`tests/`).
//!
//! ```
//! let files = [sourceignore::IgnoreFile { directory: "docs", text: "*.md\n!keep.md" }];
//! let matcher = sourceignore::Matcher::for_source(files, Some("/*\n!/docs"));
//! assert!(!matcher.ignores("docs/a.md", sourceignore::Kind::File)); // `!/docs` comes last and wins
//! assert!(matcher.ignores("README", sourceignore::Kind::File));
//! ```

mod glob;
mod pattern;

use pattern::{Decision, Pattern};

/// The name of ignore files.
pub const IGNORE_FILE: &str = ".sourceignore";

/// Files of version control, out unless a pattern takes them back in.
const VERSION_CONTROL: [&str; 4] = [".git/", ".gitignore", ".gitmodules", ".gitattributes"];

/// What else stays out of a source that has no pattern of its own.
const DEFAULTS: [&str; 20] = [
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.png",
    "*.wmv",
    "*.flv",
    "*.tar.gz",
    "*.zip",
    ".github/",
    ".circleci/",
    ".travis.yml",
    ".gitlab-ci.yml",
    "appveyor.yml",
    ".drone.yml",
    "cloudbuild.yaml",
    "codeship-services.yml",
    "codeship-steps.yml",
    "**/.goreleaser.yml",
    "**/.sops.yaml",
    "**/.flux.yaml",
];

/// What a path is; patterns that end in `/` match directories only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// Anything else.
    File,
}

/// An ignore file of a source.
#[derive(Clone, Copy, Debug)]
pub struct IgnoreFile<'a> {
    /// The directory that holds it, relative to the root and `/`-separated; empty for the root. Its patterns apply only
    /// below this directory.
    pub directory: &'a str,
    /// Its content.
    pub text: &'a str,
}

/// Patterns in order; of those that match a path, the last decides.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    patterns: Vec<Pattern>,
}

impl Matcher {
    /// The rules of GitRepository, and of OCIRepository when it extracts: version control files, then the ignore files
    /// found in the source (in any order here), then `spec.ignore`. Without a single pattern of these, the other defaults
    /// apply: pictures, archives, CI files, `.sops.yaml` and the like.
    pub fn for_source<'a>(
        files: impl IntoIterator<Item = IgnoreFile<'a>>,
        spec_ignore: Option<&str>,
    ) -> Self {
        let own = Self::without_defaults(files, spec_ignore).patterns;
        let mut patterns = parsed(VERSION_CONTROL);
        if own.is_empty() {
            patterns.extend(parsed(DEFAULTS));
        }
        patterns.extend(own);
        Self { patterns }
    }

    /// The rules of Bucket: only what is given.
    pub fn without_defaults<'a>(
        files: impl IntoIterator<Item = IgnoreFile<'a>>,
        spec_ignore: Option<&str>,
    ) -> Self {
        let mut files: Vec<(Vec<&str>, &str)> =
            files.into_iter().map(|file| (elements(file.directory).collect(), file.text)).collect();
        // A directory's own file before those below it, directories in byte order of their names.
        files.sort_by(|one, other| one.0.cmp(&other.0));
        let mut patterns = Vec::new();
        for (directory, text) in files {
            patterns.extend(read(text, &directory));
        }
        patterns.extend(spec_ignore.into_iter().flat_map(|text| read(text, &[])));
        Self { patterns }
    }

    /// Whether the path, relative to the root and `/`-separated, stays out. Nothing follows for what is below it.
    pub fn ignores(&self, path: &str, kind: Kind) -> bool {
        let path: Vec<&str> = elements(path).collect();
        let decision = self.patterns.iter().rev().find_map(|pattern| pattern.decide(&path, kind));
        decision == Some(Decision::Exclude)
    }
}

fn elements(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|element| !element.is_empty() && *element != ".")
}

/// The patterns of a text: one a line, empty lines and comments left out.
fn read<'a>(text: &'a str, directory: &'a [&str]) -> impl Iterator<Item = Pattern> + 'a {
    let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    lines
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| Pattern::parse(line, directory))
}

fn parsed<const COUNT: usize>(lines: [&str; COUNT]) -> Vec<Pattern> {
    lines.iter().map(|line| Pattern::parse(line, &[])).collect()
}

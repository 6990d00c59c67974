//! `.sourceignore` rules: which files of a source stay out of its artifact.
//!
//! The language is the go-git flavour of gitignore, as Flux uses it, not git's own: every path is tested by itself, so a
//! file below an excluded directory can be taken back in; a pattern without `/` matches any element of a path; elements
//! are matched as Go's `filepath.Match` does. The decisions are held equal to go-git's by a table (`tests/`).
//!
//! ```
//! let files = [("docs".to_owned(), b"*.md\n!keep.md".to_vec())];
//! let rules = sourceignore::Rules::new(&files, Some("/*\n!/docs"));
//! assert!(!rules.ignores("docs/a.md", false)); // `!/docs` comes last and wins
//! assert!(rules.ignores("README", false));
//! ```

mod glob;
mod pattern;

use pattern::{Decision, Pattern};

/// The name of ignore files.
pub const FILE_NAME: &str = ".sourceignore";

/// The directory that an ignore file speaks for, given its path; `None` for other files.
pub fn directory_of(path: &str) -> Option<&str> {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    (name == FILE_NAME).then_some(directory)
}

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

/// The rules of one artifact: patterns in order, of which the last that matches a path decides.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    patterns: Vec<Pattern>,
}

impl Rules {
    /// The rules of GitRepository, and of OCIRepository when it extracts: version control files, then the ignore files
    /// found in the source, then `spec.ignore`. Without a single pattern of these, the other defaults apply: pictures,
    /// archives, CI files, `.sops.yaml` and the like.
    ///
    /// A file is the directory that holds it (relative to the root and `/`-separated, empty for the root) with its
    /// content; they may come in any order. Its patterns apply only below its directory.
    pub fn new(files: &[(String, Vec<u8>)], spec: Option<&str>) -> Self {
        let own = Self::without_defaults(files, spec).patterns;
        let mut patterns = parsed(VERSION_CONTROL);
        if own.is_empty() {
            patterns.extend(parsed(DEFAULTS));
        }
        patterns.extend(own);
        Self { patterns }
    }

    /// The rules of Bucket: only what is given.
    pub fn without_defaults(files: &[(String, Vec<u8>)], spec: Option<&str>) -> Self {
        let mut files: Vec<(Vec<&str>, &[u8])> = files
            .iter()
            .map(|(directory, content)| (elements(directory).collect(), content.as_slice()))
            .collect();
        // A directory's own file before those below it, directories in byte order of their names.
        files.sort_by(|one, other| one.0.cmp(&other.0));
        let mut patterns = Vec::new();
        for (directory, content) in files {
            patterns.extend(read(&String::from_utf8_lossy(content), &directory));
        }
        patterns.extend(spec.into_iter().flat_map(|text| read(text, &[])));
        Self { patterns }
    }

    /// Whether a file or directory stays out. Each is asked for by itself: that a directory stays out says nothing about
    /// what is below it. The path is relative to the root and `/`-separated.
    pub fn ignores(&self, path: &str, directory: bool) -> bool {
        let path: Vec<&str> = elements(path).collect();
        let decision = self.patterns.iter().rev().find_map(|pattern| pattern.decide(&path, directory));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Path (a directory when it ends in `/`) and whether it is left out.
    fn check(rules: &Rules, expected: &[(&str, bool)]) {
        for (path, ignored) in expected {
            assert_eq!(rules.ignores(path.trim_end_matches('/'), path.ends_with('/')), *ignored, "{path}");
        }
    }

    #[test]
    fn the_defaults_apply_without_patterns_of_the_user() {
        let rules = Rules::new(&[], None);
        check(
            &rules,
            &[
                (".git/", true),
                (".git/config", true),
                (".gitignore", true),
                ("docs/a.png", true),
                ("a.tar.gz", true),
                (".github/", true),
                (".github/workflows/ci.yaml", true),
                ("deploy/.sops.yaml", true),
                (".sops.yaml", true),
                ("app.yaml", false),
                (".sourceignore", false),
                ("github/x.yaml", false),
            ],
        );
        check(
            &Rules::new(&[(String::new(), b"# only a comment\n \n".to_vec())], Some("")),
            &[("a.png", true)],
        );
    }

    #[test]
    fn one_pattern_of_the_user_turns_most_defaults_off() {
        let rules = Rules::new(&[(String::new(), b"foo\n".to_vec())], None);
        check(
            &rules,
            &[("a.png", false), (".github/x", false), (".git/x", true), ("foo", true), ("a/foo/b", true)],
        );
        check(&Rules::new(&[], Some("!.git/")), &[(".git/", false), (".git/config", false)]);
    }

    #[test]
    fn what_is_below_an_ignored_directory_can_be_taken_in_again() {
        let rules = Rules::new(&[], Some("/*\n!/deploy\n/deploy/**/*.md\n"));
        check(
            &rules,
            &[
                ("README.md", true),
                ("src/", true),
                ("src/main.go", true),
                ("deploy/", false),
                ("deploy/a.yaml", false),
                ("deploy/x/readme.md", true),
                ("deploy/readme.md", true),
            ],
        );
        check(
            &Rules::new(&[], Some("deep\n!deep/file.yaml\n")),
            &[("deep/x", true), ("deep/file.yaml", false)],
        );
    }

    #[test]
    fn patterns_of_a_file_hold_below_its_directory() {
        let rules = Rules::new(&[("charts".into(), b"*.txt\n/top\nx/y\n".to_vec())], None);
        check(
            &rules,
            &[
                ("a.txt", false),
                ("charts/a.txt", true),
                ("charts/deep/a.txt", true),
                ("charts/top/z", true),
                ("charts/deep/top", false),
                ("charts/x/y/z", true),
                ("charts/deep/x/y", false),
                ("charts/", false),
            ],
        );
    }

    #[test]
    fn the_spec_comes_after_the_files() {
        let rules = Rules::new(&[(String::new(), b"*.yaml\n".to_vec())], Some("!keep.yaml"));
        check(&rules, &[("a.yaml", true), ("keep.yaml", false), ("x/keep.yaml", false)]);
    }

    #[test]
    fn corners() {
        check(&Rules::new(&[], Some("dir/**")), &[("dir/", true), ("dir/a", true), ("x/dir/a", false)]);
        check(&Rules::new(&[], Some("**")), &[("a", true), ("a/b", true)]);
        check(
            &Rules::new(&[], Some("**/b/c")),
            &[("b/c", true), ("a/b/c", true), ("a/b/c/d", true), ("a/b", false)],
        );
        check(&Rules::new(&[], Some("a**/b")), &[("aa/b", false), ("a/b", false)]);
        check(
            &Rules::new(&[], Some("only/")),
            &[("only/", true), ("only", false), ("only/x", true), ("a/only", false)],
        );
        check(&Rules::new(&[], Some("a/only/")), &[("a/only/", true), ("a/only", false), ("a/only/x", true)]);
        check(&Rules::new(&[], Some("*.{png,jpg}")), &[("a.png", false), ("a.{png,jpg}", true)]);
        check(&Rules::new(&[], Some("[z")), &[("[z", false)]);
        check(
            &Rules::new(&[], Some("trailing  \nkept\\ ")),
            &[("trailing", true), ("kept ", true), ("kept", false)],
        );
        check(&Rules::new(&[], Some("win.txt\r\nb")), &[("win.txt", true)]);
        check(&Rules::new(&[], Some("\\#hash\n\\!bang")), &[("#hash", true), ("!bang", true)]);
    }
}

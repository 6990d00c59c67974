//! `.sourceignore` files and `spec.ignore`: which files are left out of an artifact.
//!
//! The language is that of go-git, which Flux uses, and not git's: a file below an ignored directory can be taken in again
//! (`/*` followed by `!/deploy`), braces are ordinary characters, and each path element is matched as Go's
//! `path/filepath.Match` does.
//!
//! Without any pattern of the user the default patterns apply. With at least one, in a file or in the spec, only those for
//! version control remain, before the user's.

mod glob;
mod pattern;

use pattern::Pattern;

/// Name of the files with patterns.
pub const FILE_NAME: &str = ".sourceignore";

const VERSION_CONTROL: &str = ".git/\n.gitignore\n.gitmodules\n.gitattributes\n";
const EXTENSIONS: &str = "*.jpg\n*.jpeg\n*.gif\n*.png\n*.wmv\n*.flv\n*.tar.gz\n*.zip\n";
const CONTINUOUS_INTEGRATION: &str = ".github/\n.circleci/\n.travis.yml\n.gitlab-ci.yml\nappveyor.yml\n.drone.yml\n\
    cloudbuild.yaml\ncodeship-services.yml\ncodeship-steps.yml\n";
const EXTRA: &str = "**/.goreleaser.yml\n**/.sops.yaml\n**/.flux.yaml\n";

/// The rules of one artifact.
#[derive(Debug, Clone)]
pub struct Rules {
    /// In the order given: the last that matches decides.
    patterns: Vec<Pattern>,
}

impl Rules {
    /// The rules from `.sourceignore` files (the directory each lies in, empty for the root, and its content; a directory
    /// before those below it), then those of the spec.
    pub fn new(files: &[(String, Vec<u8>)], spec: Option<&str>) -> Self {
        let mut user: Vec<Pattern> = files
            .iter()
            .flat_map(|(directory, text)| parse(directory, &String::from_utf8_lossy(text)))
            .collect();
        user.extend(parse("", spec.unwrap_or_default()));
        let mut patterns = parse("", VERSION_CONTROL);
        if user.is_empty() {
            patterns.extend(
                [EXTENSIONS, CONTINUOUS_INTEGRATION, EXTRA].into_iter().flat_map(|set| parse("", set)),
            );
        }
        patterns.extend(user);
        Self { patterns }
    }

    /// Whether a file or directory is left out. Each entry is asked for by itself: that a directory is left out says nothing
    /// about what is below it. `path` is relative to the root and `/`-separated.
    pub fn ignores(&self, path: &str, directory: bool) -> bool {
        let elements: Vec<&str> = path.split('/').filter(|element| !element.is_empty()).collect();
        self.patterns
            .iter()
            .rev()
            .find(|pattern| pattern.matches(&elements, directory))
            .is_some_and(|pattern| !pattern.includes)
    }
}

fn parse(directory: &str, text: &str) -> Vec<Pattern> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| Pattern::parse(line, directory))
        .collect()
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

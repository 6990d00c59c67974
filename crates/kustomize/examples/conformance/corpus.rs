//! A folder of cases, run and counted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::case::{Case, Outcome};

/// Cases that differ for a reason, one a line: `feature/case: reason`; lines that begin with `#` are comments.
pub fn known_differences() -> BTreeMap<String, String> {
    let listed = include_str!("../../known-differences.txt").lines();
    listed
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(": "))
        .map(|(name, reason)| (name.to_owned(), reason.to_owned()))
        .collect()
}

/// Cases by outcome.
#[derive(Default, Clone, Copy)]
pub struct Counts {
    /// The same answer.
    pub equal: usize,
    /// Another answer, for a reason that is listed or not.
    pub different: usize,
    /// Of these, the listed ones.
    pub known: usize,
    /// Could not be read.
    pub skipped: usize,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counts { equal, different, known, skipped } = self;
        write!(f, "{equal} equal, {different} different ({known} known), {skipped} skipped")
    }
}

/// What a run found.
#[derive(Default)]
pub struct Report {
    /// Cases of each feature.
    pub features: BTreeMap<String, Counts>,
    /// Cases that differ and are not listed, with what was expected and what came.
    pub failures: Vec<(String, String)>,
    /// Listed cases that do not differ any more.
    pub healed: Vec<String>,
}

impl Report {
    /// All features together.
    pub fn total(&self) -> Counts {
        self.features.values().fold(Counts::default(), |sum, counts| Counts {
            equal: sum.equal + counts.equal,
            different: sum.different + counts.different,
            known: sum.known + counts.known,
            skipped: sum.skipped + counts.skipped,
        })
    }
}

/// Every `.txtar` file in the folders of `dir`, in order.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let list = |dir: &Path| -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths
    };
    let folders = list(dir).into_iter().filter(|path| path.is_dir());
    folders
        .flat_map(|folder| list(&folder))
        .filter(|path| path.extension().is_some_and(|e| e == "txtar"))
        .collect()
}

/// Runs the cases whose name contains `only`.
pub fn run(dir: &Path, only: &str) -> Report {
    let known = known_differences();
    let mut report = Report::default();
    for path in files(dir) {
        let case = match Case::read(&path) {
            Ok(case) => case,
            Err(error) => {
                report.features.entry("unreadable".to_owned()).or_default().skipped += 1;
                report.failures.push((path.display().to_string(), error));
                continue;
            }
        };
        if !case.name.contains(only) {
            continue;
        }
        let counts = report.features.entry(case.feature.clone()).or_default();
        let text = match case.run() {
            Outcome::Equal => None,
            Outcome::Style(text) => Some(format!("(only the style differs)\n{text}")),
            Outcome::Different(text) => Some(text),
        };
        match text {
            None => counts.equal += 1,
            Some(_) => counts.different += 1,
        }
        match (text, known.contains_key(&case.name)) {
            (Some(_), true) => counts.known += 1,
            (Some(text), false) => report.failures.push((case.name, text)),
            (None, true) => report.healed.push(case.name),
            (None, false) => {}
        }
    }
    report
}

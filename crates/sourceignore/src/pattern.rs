//! One pattern.

use crate::glob::Glob;

/// What a pattern says about a path that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Exclude,
    Include,
}

/// A line of an ignore file.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    /// The directory of the file, element by element.
    domain: Vec<String>,
    decision: Decision,
    directories_only: bool,
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    /// Without `/`: matches any element of a path.
    Name(Glob),
    /// With `/`: matches a path from its beginning, not necessarily to its end.
    Path(Vec<Step>),
}

/// An element of a path pattern.
#[derive(Clone, Debug)]
enum Step {
    /// Nothing between two slashes, or before the first: begins a new run of exact steps.
    Empty,
    /// `**`.
    AnyDirectories,
    /// An element to match.
    Element(Glob),
    /// An element that merely contains `**`, which go-git never matches.
    Never,
}

impl Pattern {
    /// Reads a line of an ignore file in the directory `domain`. Every line is a pattern; some match nothing.
    pub(crate) fn parse(line: &str, domain: &[&str]) -> Self {
        let (decision, line) = match line.strip_prefix('!') {
            Some(rest) => (Decision::Include, rest),
            None => (Decision::Exclude, line),
        };
        // An escaped space at the end stays, together with all before it.
        let line = if line.ends_with("\\ ") { line } else { line.trim_end_matches(' ') };
        let (directories_only, line) = match line.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let shape = if line.contains('/') {
            Shape::Path(line.split('/').map(Step::parse).collect())
        } else {
            Shape::Name(Glob::parse(line))
        };
        let domain = domain.iter().map(|element| (*element).to_owned()).collect();
        Self { domain, decision, directories_only, shape }
    }

    /// What the pattern says about a path; `None` when it does not match.
    pub(crate) fn decide(&self, path: &[&str], directory: bool) -> Option<Decision> {
        let (domain, path) = path.split_at_checked(self.domain.len())?;
        if path.is_empty() || !domain.iter().zip(&self.domain).all(|(found, wanted)| found == wanted) {
            return None;
        }
        // What a pattern matches above the last element is a directory whatever the last one is.
        let end_counts = !self.directories_only || directory;
        let matches = match &self.shape {
            Shape::Name(glob) => path
                .iter()
                .position(|element| glob.matches(element))
                .is_some_and(|position| end_counts || position + 1 < path.len()),
            Shape::Path(steps) => {
                matched_elements(steps, path).is_some_and(|count| end_counts || count < path.len())
            }
        };
        matches.then_some(self.decision)
    }
}

impl Step {
    fn parse(element: &str) -> Self {
        match element {
            "" => Self::Empty,
            "**" => Self::AnyDirectories,
            element if element.contains("**") => Self::Never,
            element => Self::Element(Glob::parse(element)),
        }
    }
}

/// How many elements at the beginning of `path` the steps match. After `**` the first element that fits is taken, with no
/// second thoughts: `**/a/b` does not match `a/x/a/b`, as in go-git.
fn matched_elements(steps: &[Step], path: &[&str]) -> Option<usize> {
    let mut position = 0;
    let mut matched = false;
    let mut skipping = false;
    for (index, step) in steps.iter().enumerate() {
        match step {
            Step::Empty => skipping = false,
            // At the end it only says that more may follow, which it may anyway.
            Step::AnyDirectories if index + 1 == steps.len() => break,
            Step::AnyDirectories => skipping = true,
            Step::Never => return None,
            Step::Element(glob) => {
                let rest = path.get(position..).filter(|rest| !rest.is_empty())?;
                let reach = if skipping { rest.len() } else { 1 };
                position += 1 + rest.iter().take(reach).position(|element| glob.matches(element))?;
                matched = true;
                skipping = false;
            }
        }
    }
    matched.then_some(position)
}

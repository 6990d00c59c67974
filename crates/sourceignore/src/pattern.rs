//! One line of a `.sourceignore` file.

use crate::glob;

/// A parsed pattern.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    /// Whether it takes in instead of leaving out (`!`).
    pub includes: bool,
    /// The elements of the directory that its file lies in.
    domain: Vec<String>,
    /// Whether it matches directories, and what is below them, only.
    directories_only: bool,
    shape: Shape,
}

#[derive(Debug, Clone)]
enum Shape {
    /// Matches any one element of a path.
    Name(String),
    /// Matches from the domain on, element by element.
    Path(Vec<String>),
}

impl Pattern {
    pub(crate) fn parse(line: &str, directory: &str) -> Self {
        let (includes, text) = match line.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        // A blank at the end counts only when it is escaped.
        let text = if text.ends_with("\\ ") { text } else { text.trim_end_matches(' ') };
        let (directories_only, text) = match text.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let shape = if text.contains('/') {
            Shape::Path(text.split('/').map(str::to_owned).collect())
        } else {
            Shape::Name(text.to_owned())
        };
        let domain = directory.split('/').filter(|element| !element.is_empty()).map(str::to_owned).collect();
        Self { includes, domain, directories_only, shape }
    }

    /// Whether the pattern speaks of this path.
    pub(crate) fn matches(&self, path: &[&str], directory: bool) -> bool {
        let Some((domain, path)) = path.split_at_checked(self.domain.len()) else { return false };
        if path.is_empty() || !self.domain.iter().zip(domain).all(|(own, given)| own == given) {
            return false;
        }
        match &self.shape {
            Shape::Name(name) => {
                let Some(at) = path.iter().position(|element| glob::matches(name, element)) else {
                    return false;
                };
                !self.directories_only || directory || at + 1 < path.len()
            }
            Shape::Path(elements) => match consume(elements, path) {
                // What is left of the path lies below what the pattern names.
                Some(rest) => !self.directories_only || directory || !rest.is_empty(),
                None => false,
            },
        }
    }
}

/// Matches the elements of a pattern against the beginning of a path and returns the rest of it. `**` stands for any number
/// of elements and is not taken back: the first element that fits what follows is used.
fn consume<'p>(elements: &[String], path: &'p [&'p str]) -> Option<&'p [&'p str]> {
    let mut rest = path;
    let mut any_depth = false;
    let mut matched = false;
    for (index, element) in elements.iter().enumerate() {
        match element.as_str() {
            "" => any_depth = false,
            "**" if index + 1 == elements.len() => break,
            "**" => any_depth = true,
            element if element.contains("**") => return None,
            element => {
                let at = if any_depth {
                    rest.iter().position(|given| glob::matches(element, given))?
                } else {
                    rest.first().filter(|given| glob::matches(element, given)).map(|_| 0)?
                };
                rest = rest.get(at + 1..)?;
                (any_depth, matched) = (false, true);
            }
        }
    }
    matched.then_some(rest)
}

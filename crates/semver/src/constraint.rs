//! Ranges of versions.

use crate::version::{Scanned, compare_prereleases};
use crate::{Error, Version};

const LONGEST: usize = 512;
const MOST_GROUPS: usize = 32;

/// A range: groups joined by `||`, each a list of bounds that must all hold.
#[derive(Clone, Debug)]
pub struct Constraint {
    groups: Vec<Group>,
    original: String,
}

#[derive(Clone, Debug)]
struct Group {
    bounds: Vec<Bound>,
    /// Whether a bound names a pre-release, which lets all pre-releases in.
    admits_prereleases: bool,
}

#[derive(Clone, Debug)]
struct Bound {
    operator: Operator,
    version: Version,
    precision: Precision,
}

/// How much of a version a bound gives; the rest is missing or `x`, `X` or `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Precision {
    Any,
    Major,
    Minor,
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Tilde,
    Caret,
}

/// The operators, longer ones first.
const OPERATORS: [(&str, Operator); 12] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("=>", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=<", Operator::LessOrEqual),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
    ("", Operator::Equal),
];

impl Constraint {
    /// Reads a range, for example `>=1.0.0 <2.0.0 || ^3`.
    ///
    /// # Errors
    /// The text is no range.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > LONGEST {
            return Err(Error::ConstraintTooLong);
        }
        let rewritten = rewrite_hyphens(text);
        let alternatives: Vec<&str> = rewritten.split("||").collect();
        if alternatives.len() > MOST_GROUPS {
            return Err(Error::TooManyGroups);
        }
        let groups = alternatives.into_iter().map(Group::parse).collect::<Result<_, _>>()?;
        Ok(Self { groups, original: text.to_owned() })
    }

    /// Whether `version` is in the range.
    pub fn check(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| {
            (version.pre.is_empty() || group.admits_prereleases)
                && group.bounds.iter().all(|bound| bound.admits(version))
        })
    }

    /// The text that the range was read from.
    pub fn original(&self) -> &str {
        &self.original
    }
}

impl Group {
    fn parse(text: &str) -> Result<Self, Error> {
        let improper = || Error::Constraint(text.to_owned());
        let mut bounds = Vec::new();
        let mut rest = text.trim_start_matches(is_space);
        loop {
            let (bound, after) = Bound::scan(rest).ok_or_else(improper)?;
            bounds.push(bound);
            let next = after.trim_start_matches(is_space);
            rest = match next.strip_prefix(',') {
                Some(next) => next.trim_start_matches(is_space),
                None if next.is_empty() => break,
                None if next.len() < after.len() => next,
                None => return Err(improper()),
            };
        }
        // Only after the form of the whole is known to be right are the numbers read.
        let bounds = bounds.into_iter().collect::<Result<Vec<Bound>, Error>>()?;
        let admits_prereleases = bounds.iter().any(|bound| !bound.version.pre.is_empty());
        Ok(Self { bounds, admits_prereleases })
    }
}

impl Bound {
    /// A bound at the beginning of `text`, and what follows it. `None` when there is none; an inner error when its version
    /// has the right form but is not one.
    fn scan(text: &str) -> Option<(Result<Self, Error>, &str)> {
        let (operator, rest) =
            OPERATORS.iter().find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?)))?;
        let rest = rest.trim_start_matches(is_space);
        let scanned = Scanned::scan(rest, is_number_or_wildcard)?;
        let after = scanned.rest;
        let precision = match (scanned.major, scanned.minor, scanned.patch) {
            (major, _, _) if is_wildcard(major) => Precision::Any,
            (_, minor, _) if minor.is_none_or(is_wildcard) => Precision::Major,
            (_, _, patch) if patch.is_none_or(is_wildcard) => Precision::Minor,
            _ => Precision::Full,
        };
        let minor = scanned.minor.unwrap_or("0");
        let mut exact = match precision {
            Precision::Any => "0.0.0".to_owned(),
            Precision::Major => format!("{}.0.0", scanned.major),
            Precision::Minor => format!("{}.{minor}.0", scanned.major),
            Precision::Full => format!("{}.{minor}.{}", scanned.major, scanned.patch.unwrap_or("0")),
        };
        if let Some(pre) = scanned.pre {
            exact = format!("{exact}-{pre}");
        }
        if let Some(metadata) = scanned.metadata.filter(|_| precision == Precision::Full) {
            exact = format!("{exact}+{metadata}");
        }
        let bound = Version::parse(&exact)
            .map(|version| Self { operator, version, precision })
            .map_err(|_| Error::ConstraintVersion);
        Some((bound, after))
    }

    fn admits(&self, version: &Version) -> bool {
        let bound = &self.version;
        let (major, minor) = (version.major, version.minor);
        match self.operator {
            Operator::Equal if self.precision == Precision::Full => version == bound,
            Operator::Equal | Operator::Tilde => self.admits_tilde(version),
            Operator::Caret => self.admits_caret(version),
            Operator::Less => version < bound,
            Operator::GreaterOrEqual => version >= bound,
            Operator::NotEqual => match self.precision {
                Precision::Full | Precision::Any => version != bound,
                Precision::Major => major != bound.major,
                // The patch level is open, a pre-release is not.
                Precision::Minor => {
                    (major, minor) != (bound.major, bound.minor)
                        || compare_prereleases(&version.pre, &bound.pre).is_ne()
                }
            },
            Operator::Greater => match self.precision {
                Precision::Full | Precision::Any => version > bound,
                // `>11` begins at 12, `>11.1` at 11.2.
                Precision::Major => major > bound.major,
                Precision::Minor => (major, minor) > (bound.major, bound.minor),
            },
            Operator::LessOrEqual => match self.precision {
                Precision::Full => version <= bound,
                Precision::Major => major <= bound.major,
                Precision::Minor | Precision::Any => (major, minor) <= (bound.major, bound.minor),
            },
        }
    }

    /// `~1.2.3` stays within 1.2, `~1` within 1. `~0.0.0` and `~*` are open upwards.
    fn admits_tilde(&self, version: &Version) -> bool {
        let bound = &self.version;
        let exact = matches!(self.precision, Precision::Full | Precision::Any);
        let open = exact && bound.numbers() == (0, 0, 0);
        version >= bound
            && (open
                || (version.major == bound.major
                    && (self.precision == Precision::Major || version.minor == bound.minor)))
    }

    /// `^1.2.3` stays within the first number that is not zero.
    fn admits_caret(&self, version: &Version) -> bool {
        let bound = &self.version;
        if version < bound || version.major != bound.major {
            return false;
        }
        if bound.major > 0 || self.precision == Precision::Major {
            return true;
        }
        if bound.minor > 0 || self.precision == Precision::Minor {
            return version.minor == bound.minor;
        }
        // So `^*`, which reads as `^0.0.0`, admits nothing else: a quirk of the Go library.
        version.minor == 0 && version.patch == bound.patch
    }
}

/// `a - b` becomes `>= a, <= b`, wherever it stands.
fn rewrite_hyphens(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        match hyphen_range(rest) {
            Some((low, high, after)) => {
                result.push_str(&format!(">= {low}, <= {high} "));
                rest = after;
            }
            None => {
                result.push(next);
                rest = rest.get(next.len_utf8()..).unwrap_or_default();
            }
        }
    }
    result
}

/// A hyphen range at the beginning of `text`: its ends, and what follows.
fn hyphen_range(text: &str) -> Option<(&str, &str, &str)> {
    let (low, rest) = version_text(text.trim_start_matches(is_space))?;
    let rest = spaces(rest)?.strip_prefix('-')?;
    let (high, rest) = version_text(spaces(rest)?)?;
    Some((low, high, rest.trim_start_matches(is_space)))
}

fn version_text(text: &str) -> Option<(&str, &str)> {
    let rest = Scanned::scan(text, is_number_or_wildcard)?.rest;
    text.split_at_checked(text.len() - rest.len())
}

/// What follows one or more blanks.
fn spaces(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(is_space);
    (rest.len() < text.len()).then_some(rest)
}

/// The white space of Go's regular expressions.
fn is_space(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\x0c' | '\r' | ' ')
}

/// The Go library's expression for a number also takes `|`.
fn is_number_or_wildcard(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'x' | b'X' | b'*' | b'|')
}

fn is_wildcard(part: &str) -> bool {
    matches!(part, "x" | "X" | "*")
}

//! Versions and their order.

use std::cmp::Ordering;
use std::fmt;

use crate::Error;

const LONGEST: usize = 256;

/// A version. Equality and order are those of precedence: build metadata does not count.
#[derive(Clone, Debug, Default)]
pub struct Version {
    /// The first number.
    pub major: u64,
    /// The second number.
    pub minor: u64,
    /// The third number.
    pub patch: u64,
    /// What follows `-`, without it; empty for a release.
    pub pre: String,
    /// What follows `+`, without it.
    pub metadata: String,
    original: String,
}

impl Version {
    /// Reads a version leniently: a leading `v`, one or two missing parts and leading zeros are accepted.
    ///
    /// # Errors
    /// The text is no version.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > LONGEST {
            return Err(Error::VersionTooLong);
        }
        let scanned = Scanned::scan(text, |byte| byte.is_ascii_digit()).ok_or(Error::Version)?;
        if !scanned.rest.is_empty() {
            return Err(Error::Version);
        }
        scanned.version(text)
    }

    /// The next major version; none when the number would be beyond 64 bits.
    #[must_use]
    pub fn next_major(&self) -> Option<Self> {
        Some(self.release(self.major.checked_add(1)?, 0, 0))
    }

    /// The next minor version; none when the number would be beyond 64 bits.
    #[must_use]
    pub fn next_minor(&self) -> Option<Self> {
        Some(self.release(self.major, self.minor.checked_add(1)?, 0))
    }

    /// The next patch version, which after a pre-release is the release itself; none when the number would be beyond
    /// 64 bits.
    #[must_use]
    pub fn next_patch(&self) -> Option<Self> {
        let patch = if self.pre.is_empty() { self.patch.checked_add(1)? } else { self.patch };
        Some(self.release(self.major, self.minor, patch))
    }

    /// The same version with another pre-release, or with none if that is empty.
    ///
    /// # Errors
    /// The text is no pre-release.
    pub fn with_prerelease(&self, pre: &str) -> Result<Self, Error> {
        if !pre.is_empty() {
            check_prerelease(pre)?;
        }
        Ok(Self { pre: pre.to_owned(), ..self.clone() }.rewritten(self))
    }

    /// The same version with other build metadata, or with none if that is empty.
    ///
    /// # Errors
    /// The text is no metadata.
    pub fn with_metadata(&self, metadata: &str) -> Result<Self, Error> {
        if !metadata.is_empty() {
            check_metadata(metadata)?;
        }
        Ok(Self { metadata: metadata.to_owned(), ..self.clone() }.rewritten(self))
    }

    fn release(&self, major: u64, minor: u64, patch: u64) -> Self {
        Self { major, minor, patch, ..Self::default() }.rewritten(self)
    }

    /// With its own text in place of one that was read; it begins with `v` if that of the version before does.
    fn rewritten(self, before: &Self) -> Self {
        let prefix = if before.original.starts_with('v') { "v" } else { "" };
        Self { original: format!("{prefix}{self}"), ..self }
    }

    /// Reads a version as the specification has it: three numbers without leading zeros, no `v`.
    ///
    /// # Errors
    /// The text is no such version.
    pub fn parse_strict(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::Empty);
        }
        if text.len() > LONGEST {
            return Err(Error::VersionTooLong);
        }
        let mut parts = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Error::Version);
        };
        let (rest, metadata) =
            rest.split_once('+').map_or((rest, None), |(rest, metadata)| (rest, Some(metadata)));
        let (patch, pre) = rest.split_once('-').map_or((rest, None), |(patch, pre)| (patch, Some(pre)));
        if let Some(metadata) = metadata {
            check_metadata(metadata)?;
        }
        if let Some(pre) = pre {
            check_prerelease(pre)?;
        }
        for part in [major, minor, patch] {
            if !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(Error::Characters);
            }
            if part.len() > 1 && part.starts_with('0') {
                return Err(Error::LeadingZero);
            }
        }
        Ok(Self {
            major: number(major)?,
            minor: number(minor)?,
            patch: number(patch)?,
            pre: pre.unwrap_or_default().to_owned(),
            metadata: metadata.unwrap_or_default().to_owned(),
            original: text.to_owned(),
        })
    }

    /// Reads a version as [`Version::parse_strict`] does, after an optional `v`: what Flux takes for a version tag.
    ///
    /// # Errors
    /// The text is no such version.
    pub fn parse_tag(text: &str) -> Result<Self, Error> {
        let version = Self::parse_strict(text.strip_prefix('v').unwrap_or(text))?;
        Ok(Self { original: text.to_owned(), ..version })
    }

    /// The text that the version was read from.
    pub fn original(&self) -> &str {
        &self.original
    }

    /// The three numbers.
    pub(crate) fn numbers(&self) -> (u64, u64, u64) {
        (self.major, self.minor, self.patch)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.pre.is_empty() {
            write!(formatter, "-{}", self.pre)?;
        }
        if !self.metadata.is_empty() {
            write!(formatter, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers().cmp(&other.numbers()).then_with(|| compare_prereleases(&self.pre, &other.pre))
    }
}

/// A release is higher than its pre-releases; those compare part by part, and a longer one is higher.
pub(crate) fn compare_prereleases(one: &str, other: &str) -> Ordering {
    match (one.is_empty(), other.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut ones, mut others) = (one.split('.'), other.split('.'));
    loop {
        let order = match (ones.next(), others.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(other)) => match (one.parse::<u64>(), other.parse::<u64>()) {
                (Ok(one), Ok(other)) => one.cmp(&other),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => one.cmp(other),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// A version found at the beginning of a text, its parts not yet read.
pub(crate) struct Scanned<'a> {
    pub(crate) major: &'a str,
    pub(crate) minor: Option<&'a str>,
    pub(crate) patch: Option<&'a str>,
    pub(crate) pre: Option<&'a str>,
    pub(crate) metadata: Option<&'a str>,
    /// What follows the version.
    pub(crate) rest: &'a str,
}

impl<'a> Scanned<'a> {
    /// The longest version at the beginning of `text`, whose numbers are made of bytes that `digit` accepts.
    pub(crate) fn scan(text: &'a str, digit: impl Fn(u8) -> bool + Copy) -> Option<Self> {
        let rest = text.strip_prefix('v').unwrap_or(text);
        let (major, rest) = run(rest, digit)?;
        let (minor, rest) = after(rest, '.', |rest| run(rest, digit));
        let (patch, rest) = match minor {
            Some(_) => after(rest, '.', |rest| run(rest, digit)),
            None => (None, rest),
        };
        let (pre, rest) = after(rest, '-', dotted);
        let (metadata, rest) = after(rest, '+', dotted);
        Some(Self { major, minor, patch, pre, metadata, rest })
    }

    fn version(&self, original: &str) -> Result<Version, Error> {
        let part = |part: Option<&str>| part.map_or(Ok(0), number);
        let (major, minor, patch) = (number(self.major)?, part(self.minor)?, part(self.patch)?);
        if let Some(pre) = self.pre {
            check_prerelease(pre)?;
        }
        Ok(Version {
            major,
            minor,
            patch,
            pre: self.pre.unwrap_or_default().to_owned(),
            metadata: self.metadata.unwrap_or_default().to_owned(),
            original: original.to_owned(),
        })
    }
}

/// One or more bytes that `accept` accepts, and what follows them.
fn run(text: &str, accept: impl Fn(u8) -> bool) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| !accept(byte)).unwrap_or(text.len());
    if end == 0 { None } else { text.split_at_checked(end) }
}

/// What `scan` finds after `mark`, and what follows; without both, all of the text follows.
fn after<'a>(
    text: &'a str,
    mark: char,
    scan: impl Fn(&'a str) -> Option<(&'a str, &'a str)>,
) -> (Option<&'a str>, &'a str) {
    match text.strip_prefix(mark).and_then(scan) {
        Some((found, rest)) => (Some(found), rest),
        None => (None, text),
    }
}

/// Identifiers joined by dots.
fn dotted(text: &str) -> Option<(&str, &str)> {
    let (_, mut rest) = run(text, is_identifier_byte)?;
    while let Some((_, tail)) = rest.strip_prefix('.').and_then(|tail| run(tail, is_identifier_byte)) {
        rest = tail;
    }
    text.split_at_checked(text.len() - rest.len())
}

fn is_identifier_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

fn number(digits: &str) -> Result<u64, Error> {
    digits
        .parse()
        .map_err(|_| if digits.is_empty() { Error::Version } else { Error::OutOfRange(digits.to_owned()) })
}

fn check_prerelease(pre: &str) -> Result<(), Error> {
    for part in pre.split('.') {
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            if part.len() > 1 && part.starts_with('0') {
                return Err(Error::LeadingZero);
            }
        } else if part.is_empty() || !part.bytes().all(is_identifier_byte) {
            return Err(Error::Prerelease);
        }
    }
    Ok(())
}

fn check_metadata(metadata: &str) -> Result<(), Error> {
    let sound = metadata.split('.').all(|part| !part.is_empty() && part.bytes().all(is_identifier_byte));
    if sound { Ok(()) } else { Err(Error::Metadata) }
}

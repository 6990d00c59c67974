//! Strings as Go has them: bytes that are mostly, but not always, UTF-8.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup};
use regex::Regex;

/// A shared, immutable string of bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Str(Arc<[u8]>);

impl Str {
    /// A string of a length, whose bytes are written where they stay.
    ///
    /// # Errors
    /// Those of `fill`.
    pub fn filled<E>(len: usize, fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Str, E> {
        let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, len).collect();
        if let Some(bytes) = Arc::get_mut(&mut bytes) {
            fill(bytes)?;
        }
        Ok(Str(bytes))
    }

    /// The text, with each byte that is not UTF-8 replaced by U+FFFD.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        lossy(&self.0)
    }
}

/// The text of `bytes`, with each byte that is not UTF-8 replaced by U+FFFD: Go does so for each, where Rust's
/// [`String::from_utf8_lossy`] has one for several that could have begun a character.
///
/// ```
/// assert_eq!(gotemplate::lossy(b"\xf0\x9f?"), "\u{fffd}\u{fffd}?");
/// ```
#[must_use]
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => chars(bytes).map(|(c, _)| c).collect::<String>().into(),
    }
}

impl Deref for Str {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for Str {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Str {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Str {
    fn from(text: &str) -> Str {
        Str(Arc::from(text.as_bytes()))
    }
}

impl From<String> for Str {
    fn from(text: String) -> Str {
        Str(Arc::from(text.into_bytes()))
    }
}

impl From<Vec<u8>> for Str {
    fn from(bytes: Vec<u8>) -> Str {
        Str(Arc::from(bytes))
    }
}

impl From<&[u8]> for Str {
    fn from(bytes: &[u8]) -> Str {
        Str(Arc::from(bytes))
    }
}

impl Default for Str {
    fn default() -> Str {
        Str(Arc::from(&b""[..]))
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text(), f)
    }
}

/// The first character of `bytes` and its length; a byte that starts none is U+FFFD of length 1, as in Go.
#[must_use]
pub fn decode_char(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    if first < 0x80 {
        return Some((char::from(first), 1));
    }
    let longest = bytes.get(..bytes.len().min(4)).unwrap_or(bytes);
    let valid = match std::str::from_utf8(longest) {
        Ok(text) => text,
        Err(error) => {
            std::str::from_utf8(longest.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
    };
    match valid.chars().next() {
        Some(c) => Some((c, c.len_utf8())),
        None => Some((char::REPLACEMENT_CHARACTER, 1)),
    }
}

/// Whether a character is in Go's tables, which are those of Unicode 15.0.
#[must_use]
pub fn is_known(c: char) -> bool {
    static KNOWN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\A\p{age=15.0}\z").ok());
    c.is_ascii() || KNOWN.as_ref().is_none_or(|known| known.is_match(c.encode_utf8(&mut [0; 4])))
}

fn category(c: char) -> GeneralCategory {
    if is_known(c) { CodePointMapData::<GeneralCategory>::new().get(c) } else { GeneralCategory::Unassigned }
}

/// Go's `unicode.IsLetter`.
#[must_use]
pub fn is_letter(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphabetic();
    }
    GeneralCategoryGroup::Letter.contains(category(c))
}

/// Go's `unicode.IsUpper`.
#[must_use]
pub fn is_upper(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_uppercase() } else { category(c) == GeneralCategory::UppercaseLetter }
}

/// Go's `unicode.IsLower`.
#[must_use]
pub fn is_lower(c: char) -> bool {
    // `ʕ` was one in Unicode 15.
    if c.is_ascii() {
        c.is_ascii_lowercase()
    } else {
        c == 'ʕ' || category(c) == GeneralCategory::LowercaseLetter
    }
}

/// Go's `unicode.IsDigit`.
pub(crate) fn is_digit(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_digit();
    }
    category(c) == GeneralCategory::DecimalNumber
}

/// The characters of `bytes` with their lengths.
pub fn chars(mut bytes: &[u8]) -> impl Iterator<Item = (char, usize)> + '_ {
    std::iter::from_fn(move || {
        let (c, len) = decode_char(bytes)?;
        bytes = bytes.get(len..).unwrap_or_default();
        Some((c, len))
    })
}

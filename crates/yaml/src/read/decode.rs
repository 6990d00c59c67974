//! Bytes to text: encodings and the characters that YAML allows.

use std::borrow::Cow;

use super::ReadLimits;
use crate::error::ReadError;

/// A text that cannot be read to its end.
pub(super) struct Broken<'a> {
    /// What is wrong with it.
    pub(super) error: ReadError,
    /// What go-yaml reads before it meets the error: an error there, or the end of the document, comes first.
    pub(super) before: &'a str,
}

impl Broken<'_> {
    fn whole(error: ReadError) -> Self {
        Broken { error, before: "" }
    }
}

impl From<Broken<'_>> for ReadError {
    fn from(broken: Broken<'_>) -> ReadError {
        broken.error
    }
}

/// The text of UTF-8, or of UTF-16 with a byte order mark, without that mark.
pub(super) fn decode<'a>(bytes: &'a [u8], limits: &ReadLimits) -> Result<Cow<'a, str>, Broken<'a>> {
    if bytes.len() > limits.bytes {
        let message = format!("{} bytes are more than the limit of {}", bytes.len(), limits.bytes);
        return Err(Broken::whole(ReadError::at(0, 0, message)));
    }
    let utf16 = |rest, unit| {
        let text = utf16(rest, unit)?;
        check_characters(&text).map_err(|(_, error)| error)?;
        Ok(Cow::Owned(text))
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes).map_err(Broken::whole),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes).map_err(Broken::whole),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest, 3).map(Cow::Borrowed),
        _ => utf8(bytes, 0).map(Cow::Borrowed),
    }
}

/// The text of UTF-8 that stands behind a mark of so many bytes.
fn utf8(bytes: &[u8], mark: usize) -> Result<&str, Broken<'_>> {
    let (text, wrong) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let (valid, rest) = bytes.split_at_checked(error.valid_up_to()).unwrap_or_default();
            (std::str::from_utf8(valid).unwrap_or_default(), Some(rest))
        }
    };
    let (at, error) = match (check_characters(text), wrong) {
        (Ok(()), None) => return Ok(text),
        (Ok(()), Some(rest)) => (text.len(), ReadError::at(super::lines(text) + 1, 0, broken(rest))),
        (Err(found), _) => found,
    };
    Err(Broken { error, before: pieces_before(bytes, at, mark) })
}

/// How much go-yaml reads at once, in bytes; a character that does not fit is left to the next piece.
const PIECE: usize = 512;

/// The pieces before the one in which the character at `at` is decoded. The first one begins with a mark of so many bytes.
fn pieces_before(bytes: &[u8], at: usize, mark: usize) -> &str {
    let behind = at + length(bytes.get(at).copied().unwrap_or_default());
    let text = |end| bytes.get(..end).and_then(|before| std::str::from_utf8(before).ok()).unwrap_or_default();
    if behind > bytes.len() {
        // More could come: it is an error for those who get there only.
        return text(at);
    }
    let (mut start, mut end) = (0, PIECE - mark);
    while behind > end {
        while bytes.get(end).is_some_and(|byte| (0x80..0xc0).contains(byte)) {
            end -= 1;
        }
        start = end.min(at);
        end = start + PIECE;
    }
    text(start)
}

/// How many bytes a character has by its first one; 1 where none begins.
fn length(first: u8) -> usize {
    match first {
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf8 => 4,
        _ => 1,
    }
}

/// What is wrong with the bytes that begin here, in go-yaml's words.
fn broken(bytes: &[u8]) -> &'static str {
    let first = bytes.first().copied().unwrap_or_default();
    if matches!(first, 0x80..0xc0 | 0xf8..) {
        return "invalid leading UTF-8 octet";
    }
    let length = length(first);
    let Some(rest) = bytes.get(1..length) else { return "incomplete UTF-8 octet sequence" };
    if rest.iter().any(|b| !(0x80..0xc0).contains(b)) {
        return "invalid trailing UTF-8 octet";
    }
    // What the bytes say, whether they may or not.
    let code =
        rest.iter().fold(u32::from(first) & (0x7f >> length), |code, b| code << 6 | u32::from(b & 0x3f));
    match (length, code) {
        (2, 0..0x80) | (3, 0..0x800) | (4, 0..0x1_0000) => "invalid length of a UTF-8 sequence",
        _ => "invalid Unicode character",
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, ReadError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(ReadError::at(0, 0, "incomplete UTF-16 character"));
    }
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .collect::<Result<String, _>>()
        .map_err(|_| ReadError::at(0, 0, "invalid UTF-16 surrogate pair"))
}

/// Looks for a character that YAML does not allow: where it is, and the error.
fn check_characters(text: &str) -> Result<(), (usize, ReadError)> {
    let bytes = text.as_bytes();
    let suspicious = |b: &u8| {
        (*b < 0x20 && !matches!(*b, b'\t' | b'\n' | b'\r')) || *b == 0x7f || matches!(*b, 0xc2 | 0xef)
    };
    // In pieces without an early end, which the compiler turns into wide instructions.
    if !bytes.chunks(256).any(|piece| piece.iter().fold(false, |found, byte| found | suspicious(byte))) {
        return Ok(());
    }
    let forbidden = |c: char| {
        matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}')
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    match text.char_indices().find(|(_, c)| forbidden(*c)) {
        None => Ok(()),
        Some((at, _)) => {
            let before = text.get(..at).unwrap_or_default();
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
            let column = u32::try_from(column).unwrap_or(u32::MAX);
            let message = "control characters are not allowed";
            Err((at, ReadError::at(super::lines(before) + 1, column, message)))
        }
    }
}

//! Bytes to text: encodings and the characters that YAML allows.

use std::borrow::Cow;

use super::ReadLimits;
use crate::error::ReadError;

/// The text of UTF-8, or of UTF-16 with a byte order mark, without that mark.
pub(super) fn decode<'a>(bytes: &'a [u8], limits: &ReadLimits) -> Result<Cow<'a, str>, ReadError> {
    if bytes.len() > limits.bytes {
        let message = format!("{} bytes are more than the limit of {}", bytes.len(), limits.bytes);
        return Err(ReadError::at(0, 0, message));
    }
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)?),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)?),
        [0xef, 0xbb, 0xbf, rest @ ..] => Cow::Borrowed(utf8(rest)?),
        _ => Cow::Borrowed(utf8(bytes)?),
    };
    check_characters(&text)?;
    Ok(text)
}

fn utf8(bytes: &[u8]) -> Result<&str, ReadError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let (before, rest) = bytes.split_at_checked(error.valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        ReadError::at(u32::try_from(line).unwrap_or(u32::MAX), 0, broken(rest))
    })
}

/// What is wrong with the bytes that begin here, in go-yaml's words.
fn broken(bytes: &[u8]) -> &'static str {
    let first = bytes.first().copied().unwrap_or_default();
    let length = match first {
        0..0x80 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf8 => 4,
        _ => return "invalid leading UTF-8 octet",
    };
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

fn check_characters(text: &str) -> Result<(), ReadError> {
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
            Err(ReadError::at(super::lines(before) + 1, column, "control characters are not allowed"))
        }
    }
}

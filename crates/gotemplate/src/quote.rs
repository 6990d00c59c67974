//! Go's quoted strings and characters.

use crate::text::{chars, decode_char};

/// Appends `bytes` in double quotes, escaped as Go's `%q` does; `ascii` escapes all but ASCII (`%+q`).
pub fn quote_into(bytes: &[u8], ascii: bool, out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut at =
        bytes.iter().take_while(|b| matches!(**b, b' '..=b'~') && !matches!(**b, b'"' | b'\\')).count();
    let (plain, bytes_left) = bytes.split_at_checked(at).unwrap_or((bytes, b""));
    out.extend_from_slice(plain);
    for (c, len) in chars(bytes_left) {
        if c == char::REPLACEMENT_CHARACTER && len == 1 {
            hex_escape(bytes.get(at).copied().unwrap_or_default(), out);
        } else {
            escape_char(c, '"', ascii, out);
        }
        at += len;
    }
    out.push(b'"');
}

/// `bytes` in double quotes.
#[must_use]
pub fn quote(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len() + 2);
    quote_into(bytes, false, &mut out);
    crate::text::lossy(&out).into_owned()
}

/// A character in single quotes; `ascii` escapes all but ASCII (`%+q`).
#[must_use]
pub fn quote_char(c: char, ascii: bool) -> String {
    let mut out = vec![b'\''];
    escape_char(c, '\'', ascii, &mut out);
    out.push(b'\'');
    crate::text::lossy(&out).into_owned()
}

fn hex_escape(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
}

/// Appends one character, escaped where Go escapes it.
fn escape_char(c: char, quote: char, ascii: bool, out: &mut Vec<u8>) {
    if c == quote || c == '\\' {
        out.push(b'\\');
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        return;
    }
    if (c.is_ascii() || !ascii) && printable(c) {
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        return;
    }
    let text = match c {
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        c if c < ' ' || c == '\u{7f}' => format!("\\x{:02x}", u32::from(c)),
        c if u32::from(c) < 0x10000 => format!("\\u{:04x}", u32::from(c)),
        c => format!("\\U{:08x}", u32::from(c)),
    };
    out.extend_from_slice(text.as_bytes());
}

/// Go's `strconv.IsPrint`.
#[must_use]
pub fn printable(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    // The standard library escapes what is not printable, and combining characters only when they stand first.
    let mut text = String::from("a");
    text.push(c);
    text.escape_debug().count() == 2 && crate::text::is_known(c)
}

/// Go's `strconv.Unquote` for strings in double quotes or backquotes.
#[must_use]
pub fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let inner = text.get(1..text.len().checked_sub(1)?)?;
    match text.first()? {
        b'`' => Some(inner.iter().copied().filter(|b| *b != b'\r').collect()),
        b'"' => {
            let mut out = Vec::with_capacity(inner.len());
            let mut rest = inner;
            while !rest.is_empty() {
                let (c, tail) = unquote_char(rest, b'"')?;
                match c {
                    Unquoted::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                    Unquoted::Byte(b) => out.push(b),
                }
                rest = tail;
            }
            Some(out)
        }
        _ => None,
    }
}

/// What an escape stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unquoted {
    /// A character.
    Char(char),
    /// A byte, of `\x` or octal.
    Byte(u8),
}

impl Unquoted {
    /// The number of a character constant.
    #[must_use]
    pub fn code(self) -> i64 {
        match self {
            Unquoted::Char(c) => i64::from(u32::from(c)),
            Unquoted::Byte(b) => i64::from(b),
        }
    }
}

/// The first character of a quoted text, and what follows.
#[must_use]
pub fn unquote_char(bytes: &[u8], quote: u8) -> Option<(Unquoted, &[u8])> {
    let (c, len) = decode_char(bytes)?;
    let rest = bytes.get(len..)?;
    if c == char::from(quote) || c == '\n' {
        return None;
    }
    if c != '\\' {
        let raw = c == char::REPLACEMENT_CHARACTER && len == 1;
        return Some((if raw { Unquoted::Byte(*bytes.first()?) } else { Unquoted::Char(c) }, rest));
    }
    let (escape, rest) = rest.split_first()?;
    let simple = match escape {
        b'a' => '\u{7}',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'v' => '\u{b}',
        b'\\' => '\\',
        b'\'' | b'"' if *escape == quote => char::from(*escape),
        b'x' => {
            let (code, rest) = digits(rest, 2, 16)?;
            return Some((Unquoted::Byte(u8::try_from(code).ok()?), rest));
        }
        b'u' | b'U' => {
            let (code, rest) = digits(rest, if *escape == b'u' { 4 } else { 8 }, 16)?;
            return Some((Unquoted::Char(char::from_u32(code)?), rest));
        }
        b'0'..=b'7' => {
            let (code, rest) = digits(bytes.get(1..)?, 3, 8)?;
            return Some((Unquoted::Byte(u8::try_from(code).ok()?), rest));
        }
        _ => return None,
    };
    Some((Unquoted::Char(simple), rest))
}

fn digits(bytes: &[u8], count: usize, base: u32) -> Option<(u32, &[u8])> {
    let (text, rest) = bytes.split_at_checked(count)?;
    let mut code = 0u32;
    for b in text {
        code = code.checked_mul(base)?.checked_add(char::from(*b).to_digit(base)?)?;
    }
    Some((code, rest))
}

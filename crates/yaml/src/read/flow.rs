//! Quoted scalars.

use std::borrow::Cow;

use super::plain::fold;
use super::scan::Scanner;
use super::token::Mark;
use crate::error::ReadError;

impl<'a> Scanner<'a> {
    /// A scalar in `quote`s.
    pub(super) fn scan_quoted(&mut self, quote: u8) -> Result<Cow<'a, str>, ReadError> {
        let start_mark = self.mark();
        self.position += 1;
        let start = self.position;
        // Most have neither escapes nor line breaks.
        while !matches!(self.byte(0), 0 | b'\n' | b'\r' | b'\\' | 0x80..) && self.byte(0) != quote {
            self.position += 1;
        }
        if self.byte(0) == quote && (quote == b'"' || self.byte(1) != b'\'') {
            let text = self.text.get(start..self.position).unwrap_or_default();
            self.position += 1;
            return Ok(Cow::Borrowed(text));
        }
        self.position = start;
        let mut text = String::new();
        let mut breaks = String::new();
        loop {
            if self.document_indicator() {
                return Err(self.error(start_mark, "found unexpected document indicator"));
            }
            if self.position >= self.bytes.len() {
                return Err(self.error(start_mark, "found unexpected end of stream"));
            }
            let mut across_lines = false;
            let mut escaped_break = false;
            while !self.blank_or_end(0) {
                let run = self.position;
                while !matches!(
                    self.byte(0),
                    0 | b' ' | b'\t' | b'\n' | b'\r' | b'\'' | b'"' | b'\\' | 0x80..
                ) {
                    self.position += 1;
                }
                text.push_str(self.text.get(run..self.position).unwrap_or_default());
                match self.byte(0) {
                    b'\'' if quote == b'\'' && self.byte(1) == b'\'' => {
                        text.push('\'');
                        self.position += 2;
                    }
                    byte if byte == quote => break,
                    b'\\' if quote == b'"' => {
                        self.position += 1;
                        match self.break_length() {
                            0 => text.push(self.scan_escape(start_mark)?),
                            length => {
                                self.skip_line(length);
                                across_lines = true;
                                escaped_break = true;
                                break;
                            }
                        }
                    }
                    _ if self.blank_or_end(0) => break,
                    _ => {
                        let from = self.position;
                        self.skip();
                        text.push_str(self.text.get(from..self.position).unwrap_or_default());
                    }
                }
            }
            if self.byte(0) == quote {
                break;
            }
            let blanks = self.position;
            let mut blanks_end = blanks;
            loop {
                match (self.byte(0), self.break_length()) {
                    (b' ' | b'\t', _) => {
                        self.position += 1;
                        if !across_lines {
                            blanks_end = self.position;
                        }
                    }
                    (_, 0) => break,
                    (_, length) => {
                        across_lines = true;
                        self.read_line(length, &mut breaks);
                    }
                }
            }
            if across_lines {
                if escaped_break {
                    text.push_str(&breaks);
                } else {
                    fold(&mut text, &breaks);
                }
                breaks.clear();
            } else {
                text.push_str(self.text.get(blanks..blanks_end).unwrap_or_default());
            }
        }
        self.position += 1;
        Ok(Cow::Owned(text))
    }

    /// The character of an escape sequence, from behind its backslash.
    fn scan_escape(&mut self, start_mark: Mark) -> Result<char, ReadError> {
        let digits = match self.byte(0) {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            letter => {
                let character = match letter {
                    b'0' => '\0',
                    b'a' => '\u{7}',
                    b'b' => '\u{8}',
                    b't' | b'\t' => '\t',
                    b'n' => '\n',
                    b'v' => '\u{b}',
                    b'f' => '\u{c}',
                    b'r' => '\r',
                    b'e' => '\u{1b}',
                    b' ' => ' ',
                    b'"' => '"',
                    b'\'' => '\'',
                    b'\\' => '\\',
                    b'N' => '\u{85}',
                    b'_' => '\u{a0}',
                    b'L' => '\u{2028}',
                    b'P' => '\u{2029}',
                    _ => return Err(self.error(start_mark, "found unknown escape character")),
                };
                self.position += 1;
                return Ok(character);
            }
        };
        self.position += 1;
        let hex = self.text.get(self.position..self.position + digits).unwrap_or_default();
        if hex.len() != digits || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(self.error(start_mark, "did not find expected hexdecimal number"));
        }
        self.position += digits;
        let code = u32::from_str_radix(hex, 16).ok().and_then(char::from_u32);
        code.ok_or_else(|| self.error(start_mark, "found invalid Unicode character escape code"))
    }
}

//! Flags, width and strings.

use super::Printer;
use crate::quote::{quote_char, quote_into};
use crate::text::chars;

/// The flags of a directive.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) sharp: bool,
    pub(super) plus: bool,
    pub(super) minus: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    /// `%#v`
    pub(super) sharp_v: bool,
    /// `%+v`
    pub(super) plus_v: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}

impl Printer<'_> {
    /// Appends `text`, brought to the width.
    pub(super) fn pad(&mut self, text: &[u8]) {
        let missing = match self.flags.width {
            None | Some(0) => 0,
            Some(width) => width.saturating_sub(chars(text).count()),
        };
        if self.flags.minus {
            self.out.extend_from_slice(text);
            self.out.extend(std::iter::repeat_n(b' ', missing));
        } else {
            let fill = if self.flags.zero { b'0' } else { b' ' };
            self.out.extend(std::iter::repeat_n(fill, missing));
            self.out.extend_from_slice(text);
        }
    }

    fn truncated<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        match self.flags.precision {
            None => text,
            Some(count) => {
                let len = chars(text).take(count).map(|(_, len)| len).sum();
                text.get(..len).unwrap_or(text)
            }
        }
    }

    pub(super) fn string(&mut self, text: &[u8], verb: u8) -> bool {
        match verb {
            b'v' if self.flags.sharp_v => self.quoted(text),
            b'v' | b's' => {
                let text = self.truncated(text);
                self.pad(text);
            }
            b'x' | b'X' => self.hex(text, verb == b'X'),
            b'q' => self.quoted(text),
            _ => return false,
        }
        true
    }

    fn quoted(&mut self, text: &[u8]) {
        let text = self.truncated(text);
        let mut quoted = Vec::with_capacity(text.len() + 2);
        let raw = self.flags.sharp
            && std::str::from_utf8(text).is_ok_and(|text| {
                !text.chars().any(|c| c == '`' || c == '\u{feff}' || (c < ' ' && c != '\t') || c == '\u{7f}')
            });
        if raw {
            quoted.push(b'`');
            quoted.extend_from_slice(text);
            quoted.push(b'`');
        } else {
            quote_into(text, self.flags.plus, &mut quoted);
        }
        self.pad(&quoted);
    }

    /// The bytes in hexadecimal.
    pub(super) fn hex(&mut self, text: &[u8], upper: bool) {
        let text = match self.flags.precision {
            Some(count) => text.get(..count.min(text.len())).unwrap_or(text),
            None => text,
        };
        let mut digits = Vec::with_capacity(text.len() * 2 + 2);
        let prefix: &[u8] = match (self.flags.sharp, upper) {
            (false, _) => b"",
            (true, false) => b"0x",
            (true, true) => b"0X",
        };
        if !text.is_empty() {
            digits.extend_from_slice(prefix);
        }
        for (i, b) in text.iter().enumerate() {
            if self.flags.space && i > 0 {
                digits.push(b' ');
                digits.extend_from_slice(prefix);
            }
            let pair = if upper { format!("{b:02X}") } else { format!("{b:02x}") };
            digits.extend_from_slice(pair.as_bytes());
        }
        self.pad(&digits);
    }

    /// `%c`
    pub(super) fn character(&mut self, code: u64) {
        let c = character(code);
        self.pad(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// `%q` of a number.
    pub(super) fn quoted_character(&mut self, code: u64) {
        let quoted = quote_char(character(code), self.flags.plus);
        self.pad(quoted.as_bytes());
    }

    /// `%U`
    pub(super) fn unicode(&mut self, code: u64) {
        let least = self.flags.precision.filter(|p| *p > 4).unwrap_or(4);
        let digits = format!("{code:X}");
        let mut text = format!("U+{}{digits}", "0".repeat(least.saturating_sub(digits.len())));
        if self.flags.sharp
            && let Some(c) = u32::try_from(code).ok().and_then(char::from_u32)
            && crate::quote::printable(c)
        {
            text.push_str(&format!(" '{c}'"));
        }
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(text.as_bytes());
        self.flags.zero = zero;
    }
}

fn character(code: u64) -> char {
    u32::try_from(code).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

//! Integers.

use super::Printer;

impl Printer<'_> {
    /// An integer under a verb; false for a verb that integers do not have.
    pub(super) fn integer(&mut self, bits: i64, signed: bool, verb: u8) -> bool {
        let negative = signed && bits < 0;
        let magnitude = if negative { bits.unsigned_abs() } else { bits.cast_unsigned() };
        match verb {
            b'v' if self.flags.sharp_v && !signed => {
                let sharp = std::mem::replace(&mut self.flags.sharp, true);
                self.digits(magnitude, negative, 16, verb);
                self.flags.sharp = sharp;
            }
            b'v' | b'd' => self.digits(magnitude, negative, 10, verb),
            b'b' => self.digits(magnitude, negative, 2, verb),
            b'o' | b'O' => self.digits(magnitude, negative, 8, verb),
            b'x' | b'X' => self.digits(magnitude, negative, 16, verb),
            b'c' => self.character(bits.cast_unsigned()),
            b'q' => self.quoted_character(bits.cast_unsigned()),
            b'U' => self.unicode(bits.cast_unsigned()),
            _ => return false,
        }
        true
    }

    fn digits(&mut self, magnitude: u64, negative: bool, base: u64, verb: u8) {
        let mut precision = self.flags.precision.unwrap_or(0);
        if self.flags.precision == Some(0) && magnitude == 0 {
            let zero = std::mem::take(&mut self.flags.zero);
            let width = self.flags.width.unwrap_or(0);
            self.out.extend(std::iter::repeat_n(b' ', width));
            self.flags.zero = zero;
            return;
        }
        let signed = negative || self.flags.plus || self.flags.space;
        if self.flags.precision.is_none()
            && self.flags.zero
            && !self.flags.minus
            && let Some(width) = self.flags.width
        {
            precision = width.saturating_sub(usize::from(signed));
        }
        let mut digits = match (base, verb) {
            (2, _) => format!("{magnitude:b}"),
            (8, _) => format!("{magnitude:o}"),
            (16, b'X') => format!("{magnitude:X}"),
            (16, _) => format!("{magnitude:x}"),
            _ => magnitude.to_string(),
        };
        if digits.len() < precision {
            digits.insert_str(0, &"0".repeat(precision - digits.len()));
        }
        let mut text = String::with_capacity(digits.len() + 3);
        if negative {
            text.push('-');
        } else if self.flags.plus {
            text.push('+');
        } else if self.flags.space {
            text.push(' ');
        }
        if verb == b'O' {
            text.push_str("0o");
        }
        if self.flags.sharp {
            match (base, verb) {
                (2, _) => text.push_str("0b"),
                (8, _) if !digits.starts_with('0') => text.push('0'),
                (16, b'X') => text.push_str("0X"),
                (16, _) => text.push_str("0x"),
                _ => {}
            }
        }
        text.push_str(&digits);
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(text.as_bytes());
        self.flags.zero = zero;
    }
}

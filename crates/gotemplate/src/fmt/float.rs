//! Floats.

use super::Printer;

/// How Go's `strconv.FormatFloat` lays digits out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `%e`: always an exponent.
    Exponent,
    /// `%f`: never one.
    Fixed,
    /// `%g`: an exponent below 1e-4, and from 1e21 (`large`) or from the precision on.
    General {
        /// Least exponent that is written as one when the digits are the shortest possible: 6 in most places (so
        /// `1e+06`), 21 in JSON.
        large: i32,
    },
}

/// A float as Go formats it; without a precision, with the fewest digits that give the number back. Not a number and
/// infinities are `NaN`, `+Inf` and `-Inf`.
#[must_use]
pub fn format_float(value: f64, layout: Layout, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let magnitude = value.abs();
    match layout {
        Layout::Fixed => match precision {
            Some(precision) => {
                let (places, zeros) = split(precision);
                format!("{sign}{magnitude:.places$}{zeros}")
            }
            None => format!("{sign}{}", gofloat::plain(magnitude)),
        },
        Layout::Exponent => {
            let (places, zeros) = split(precision.unwrap_or_default());
            let text = match precision {
                Some(_) => format!("{magnitude:.places$e}"),
                None => gofloat::scientific(magnitude),
            };
            format!("{sign}{}", exponent(&text, &zeros))
        }
        Layout::General { large } => {
            let text = match precision {
                Some(precision) => format!("{magnitude:.*e}", split(precision.max(1) - 1).0),
                None => gofloat::scientific(magnitude),
            };
            let (mantissa, exp) = text.split_once('e').unwrap_or((&text, "0"));
            let exp: i32 = exp.parse().unwrap_or(0);
            let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
            let digits = digits.trim_end_matches('0');
            let count = i32::try_from(digits.len().max(1)).unwrap_or(i32::MAX);
            let threshold = match precision {
                None => large,
                Some(precision) => {
                    let precision = i32::try_from(precision.max(1)).unwrap_or(i32::MAX);
                    if precision > count && count > exp { count } else { precision }
                }
            };
            if exp < -4 || exp >= threshold {
                let mut text = digits.to_owned();
                if text.is_empty() {
                    text.push('0');
                }
                if text.len() > 1 {
                    text.insert(1, '.');
                }
                return format!("{sign}{}", exponent(&format!("{text}e{exp}"), ""));
            }
            let places = usize::try_from((count - 1 - exp).max(0)).unwrap_or(0);
            format!("{sign}{}", fixed(digits, exp, places))
        }
    }
}

/// Digits with a decimal point behind the first `exp + 1` of them.
fn fixed(digits: &str, exp: i32, places: usize) -> String {
    let whole = usize::try_from(exp + 1).unwrap_or(0);
    let mut text: String = if whole == 0 {
        "0".to_owned()
    } else {
        digits.chars().chain(std::iter::repeat('0')).take(whole).collect()
    };
    if places > 0 {
        text.push('.');
        let leading = usize::try_from(-(exp + 1)).unwrap_or(0);
        text.extend(std::iter::repeat_n('0', leading));
        text.extend(digits.chars().skip(whole));
    }
    text
}

/// How many places are written as such, and the zeros behind them: no float has more than 1074 places, and Rust's formats have
/// room for few more.
fn split(places: usize) -> (usize, String) {
    let exact = places.min(1100);
    (exact, "0".repeat(places - exact))
}

/// Rust's `1.5e7` as Go's `1.5e+07`, with `zeros` behind its digits.
fn exponent(text: &str, zeros: &str) -> String {
    let (mantissa, exp) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, digits) = match exp.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exp),
    };
    format!("{mantissa}{zeros}e{sign}{digits:0>2}")
}

impl Printer<'_> {
    /// A float under a verb; false for a verb that floats do not have.
    pub(super) fn float(&mut self, value: f64, verb: u8) -> bool {
        let general = Layout::General { large: 6 };
        let given = self.flags.precision;
        let text = match verb {
            b'v' | b'g' | b'G' => format_float(value, general, given),
            b'e' | b'E' => format_float(value, Layout::Exponent, Some(given.unwrap_or(6))),
            b'f' | b'F' => format_float(value, Layout::Fixed, Some(given.unwrap_or(6))),
            b'x' | b'X' | b'b' if !value.is_finite() => format_float(value, general, None),
            b'x' | b'X' => hexadecimal(value, given),
            b'b' => binary(value),
            _ => return false,
        };
        let mut text = match verb {
            b'E' | b'G' => text.replace('e', "E"),
            b'X' if value.is_finite() => text.to_ascii_uppercase(),
            _ => text,
        };
        if !value.is_finite() {
            let zero = std::mem::take(&mut self.flags.zero);
            let bare = text.trim_start_matches('+');
            text = match (text.starts_with('-'), self.flags.plus, self.flags.space) {
                (true, ..) => bare.to_owned(),
                (_, true, _) => format!("+{bare}"),
                (_, _, true) => format!(" {bare}"),
                _ if value.is_nan() => bare.to_owned(),
                _ => format!("+{bare}"),
            };
            self.pad(text.as_bytes());
            self.flags.zero = zero;
            return true;
        }
        if self.flags.sharp && verb != b'b' {
            text = with_point(&text, verb, given);
        }
        if !text.starts_with('-') {
            if self.flags.plus {
                text.insert(0, '+');
            } else if self.flags.space {
                text.insert(0, ' ');
            }
        }
        self.signed(&text);
        true
    }

    /// Zeros of padding stand behind the sign.
    fn signed(&mut self, text: &str) {
        if self.flags.zero
            && !self.flags.minus
            && let Some(width) = self.flags.width
            && text.starts_with(['+', '-', ' '])
            && width > text.len()
        {
            let (sign, digits) = text.split_at(1);
            let zeros = "0".repeat(width - text.len());
            self.out.extend_from_slice(format!("{sign}{zeros}{digits}").as_bytes());
            return;
        }
        self.pad(text.as_bytes());
    }

    pub(super) fn complex(&mut self, re: f64, im: f64, verb: u8) -> bool {
        if !matches!(verb, b'v' | b'b' | b'g' | b'G' | b'x' | b'X' | b'f' | b'F' | b'e' | b'E') {
            return false;
        }
        let plus = self.flags.plus;
        self.out.push(b'(');
        self.float(re, verb);
        self.flags.plus = true;
        self.float(im, verb);
        self.out.extend_from_slice(b"i)");
        self.flags.plus = plus;
        true
    }
}

/// `%#g` and its kin: always a decimal point, and all digits of the precision.
fn with_point(text: &str, verb: u8, precision: Option<usize>) -> String {
    let hexadecimal = matches!(verb, b'x' | b'X');
    let exponents: &[char] = if hexadecimal { &['p', 'P'] } else { &['e', 'E', 'p', 'P'] };
    let at = text.find(exponents).unwrap_or(text.len());
    let (number, tail) = text.split_at(at);
    let mut number = number.to_owned();
    let padded = matches!(verb, b'v' | b'g' | b'G' | b'x');
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let leading = number
        .trim_start_matches('-')
        .bytes()
        .take_while(|b| matches!(b, b'0' | b'.'))
        .filter(|b| *b == b'0')
        .count();
    let significant = if hexadecimal {
        // Go counts the letter of the prefix, too.
        number.trim_start_matches(['-', '0']).bytes().filter(|b| *b != b'.').count()
    } else if leading == digits {
        1
    } else {
        digits - leading
    };
    if !number.contains('.') {
        number.push('.');
    }
    if padded {
        let wanted = precision.unwrap_or(6);
        number.extend(std::iter::repeat_n('0', wanted.saturating_sub(significant)));
    }
    number + tail
}

fn hexadecimal(value: f64, precision: Option<usize>) -> String {
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value == 0.0 {
        let zeros = precision.filter(|p| *p > 0).map(|p| format!(".{}", "0".repeat(p))).unwrap_or_default();
        return format!("{sign}0x0{zeros}p+00");
    }
    let bits = value.to_bits();
    let mut exp = ((bits >> 52) & 0x7ff) as i64;
    let mut mantissa = bits & ((1 << 52) - 1);
    if exp == 0 {
        exp = 1;
        while mantissa & (1 << 52) == 0 {
            mantissa <<= 1;
            exp -= 1;
        }
    } else {
        mantissa |= 1 << 52;
    }
    let mut exp = exp - 1023;
    let digits = match precision {
        Some(places) if places < 13 => {
            let shift = 4 * (13 - u32::try_from(places).unwrap_or(0));
            let half = 1u64 << (shift - 1);
            let mut kept = mantissa >> shift;
            let rest = mantissa & ((1 << shift) - 1);
            if rest > half || (rest == half && kept & 1 == 1) {
                kept += 1;
            }
            if kept >> (4 * places + 1) != 0 {
                kept >>= 1;
                exp += 1;
            }
            if places == 0 {
                String::new()
            } else {
                format!(".{:0places$x}", kept & ((1u64 << (4 * places)) - 1))
            }
        }
        Some(places) => format!(".{:013x}{}", mantissa & ((1 << 52) - 1), "0".repeat(places - 13)),
        None => {
            let digits = format!("{:013x}", mantissa & ((1 << 52) - 1));
            let digits = digits.trim_end_matches('0');
            if digits.is_empty() { String::new() } else { format!(".{digits}") }
        }
    };
    let exp_sign = if exp < 0 { '-' } else { '+' };
    format!("{sign}0x1{digits}p{exp_sign}{:02}", exp.unsigned_abs())
}

fn binary(value: f64) -> String {
    let bits = value.to_bits();
    let exp = ((bits >> 52) & 0x7ff) as i64;
    let mantissa = bits & ((1 << 52) - 1);
    let (mantissa, exp) = if exp == 0 { (mantissa, 1) } else { (mantissa | (1 << 52), exp) };
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let exp = exp - 1075;
    format!("{sign}{mantissa}p{}{}", if exp < 0 { "-" } else { "+" }, exp.unsigned_abs())
}

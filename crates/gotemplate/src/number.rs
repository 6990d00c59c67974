//! Go's number literals and number texts.

use crate::quote::unquote_char;

/// A literal number under every type that can hold it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Number {
    /// True when the syntax alone makes it a float.
    pub float_syntax: bool,
    /// As a signed integer.
    pub int: Option<i64>,
    /// As an unsigned integer.
    pub uint: Option<u64>,
    /// As a float.
    pub float: Option<f64>,
    /// As a complex number that is nothing simpler.
    pub complex: Option<(f64, f64)>,
}

impl Number {
    /// Reads a literal.
    ///
    /// # Errors
    /// Go's text.
    pub fn parse(text: &str) -> Result<Number, String> {
        if (1..10).contains(&text.len()) && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit())
        {
            let value = text.bytes().fold(0, |value, b| value * 10 + i64::from(b - b'0'));
            let (uint, float) = (Some(value.cast_unsigned()), Some(value as f64));
            return Ok(Number { float_syntax: false, int: Some(value), uint, float, complex: None });
        }
        let mut number = Number::default();
        if text.starts_with('\'') {
            return character(text);
        }
        if let Some(im) = text.strip_suffix('i').and_then(parse_float) {
            return Ok(number.simplified(0.0, im).with_syntax(text));
        }
        number.uint = parse_uint(text);
        number.int = parse_int(text);
        if number.int == Some(0) {
            number.uint = number.uint.or(Some(0));
        }
        if let Some(int) = number.int {
            number.float = Some(int as f64);
        } else if let Some(uint) = number.uint {
            number.float = Some(uint as f64);
        } else if let Some(float) = parse_float(text) {
            if !text.contains(['.', 'e', 'E', 'p', 'P']) {
                return Err(format!("integer overflow: {}", crate::quote::quote(text.as_bytes())));
            }
            number.float = Some(float);
            number.take_integers(float);
        }
        if number.float.is_none() {
            return Err(format!("illegal number syntax: {}", crate::quote::quote(text.as_bytes())));
        }
        Ok(number.with_syntax(text))
    }

    /// Reads a literal with a real and an imaginary part.
    ///
    /// # Errors
    /// Go's text.
    pub fn parse_complex(text: &str) -> Result<Number, String> {
        let (re, rest) = float_token(text);
        let (im, end) = float_token(rest);
        if !rest.starts_with(['+', '-']) || end != "i" {
            return Err("syntax error scanning complex number".to_owned());
        }
        let read = |part: &str| {
            parse_float(part).ok_or_else(|| {
                let problem =
                    if part.parse::<f64>().is_ok() { "value out of range" } else { "invalid syntax" };
                format!("strconv.ParseFloat: parsing {}: {problem}", crate::quote::quote(part.as_bytes()))
            })
        };
        Ok(Number::default().simplified(read(re)?, read(im)?).with_syntax(text))
    }

    fn with_syntax(self, text: &str) -> Number {
        let hex_int = text.len() > 2
            && (text.starts_with("0x") || text.starts_with("0X"))
            && !text.contains(['p', 'P']);
        let float_syntax = self.float.is_some() && !hex_int && text.contains(['.', 'e', 'E', 'p', 'P']);
        Number { float_syntax, ..self }
    }

    fn take_integers(&mut self, float: f64) {
        if float.fract() == 0.0 && (-9.223_372_036_854_776e18..9.223_372_036_854_776e18).contains(&float) {
            self.int = Some(float as i64);
        }
        if float.fract() == 0.0 && (0.0..1.844_674_407_370_955_2e19).contains(&float) {
            self.uint = Some(float as u64);
        }
    }

    fn simplified(mut self, re: f64, im: f64) -> Number {
        self.complex = Some((re, im));
        if im == 0.0 {
            self.float = Some(re);
            self.take_integers(re);
            // A complex literal stays complex where nothing tells its type.
        }
        self
    }
}

/// The number that stands at the start of a text for Go's `fmt.Sscan`, and what follows it.
fn float_token(text: &str) -> (&str, &str) {
    let mut at = 0;
    let accept = |at: &mut usize, set: &str| {
        let found = text.get(*at..).is_some_and(|rest| rest.starts_with(|c| set.contains(c)));
        *at += usize::from(found);
        found
    };
    accept(&mut at, "+-");
    // That of `inf`.
    accept(&mut at, "iI");
    let (mut digits, mut exponent) = ("0123456789_", "eEpP");
    if accept(&mut at, "0") && accept(&mut at, "xX") {
        (digits, exponent) = ("0123456789abcdefABCDEF_", "pP");
    }
    while accept(&mut at, digits) {}
    if accept(&mut at, ".") {
        while accept(&mut at, digits) {}
    }
    if accept(&mut at, exponent) {
        accept(&mut at, "+-");
        while accept(&mut at, "0123456789_") {}
    }
    text.split_at_checked(at).unwrap_or((text, ""))
}

fn character(text: &str) -> Result<Number, String> {
    let (c, tail) = unquote_char(text.as_bytes().get(1..).unwrap_or_default(), b'\'')
        .ok_or_else(|| "invalid syntax".to_owned())?;
    if tail != b"'" {
        return Err(format!("malformed character constant: {text}"));
    }
    let code = c.code();
    let (uint, float) = (u64::try_from(code).ok(), Some(code as f64));
    Ok(Number { float_syntax: false, int: Some(code), uint, float, complex: None })
}

/// Go's `strconv.ParseUint(text, 0, 64)`.
#[must_use]
pub fn parse_uint(text: &str) -> Option<u64> {
    let (base, digits, prefixed) = match text.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, text.get(2..)?, true),
        [b'0', b'b' | b'B', _, ..] => (2, text.get(2..)?, true),
        [b'0', b'o' | b'O', _, ..] => (8, text.get(2..)?, true),
        [b'0', _, ..] => (8, text.get(1..)?, true),
        _ => (10, text, false),
    };
    if !underscores_ok(digits, prefixed) {
        return None;
    }
    let mut value = 0u64;
    let mut any = false;
    for c in digits.chars().filter(|c| *c != '_') {
        any = true;
        value = value.checked_mul(u64::from(base))?.checked_add(u64::from(c.to_digit(base)?))?;
    }
    any.then_some(value)
}

/// Underscores only between digits, or between a prefix and a digit.
fn underscores_ok(digits: &str, prefixed: bool) -> bool {
    if !digits.contains('_') {
        return true;
    }
    !digits.contains("__") && !digits.ends_with('_') && (prefixed || !digits.starts_with('_'))
}

/// Go's `strconv.ParseInt(text, 0, 64)`.
#[must_use]
pub fn parse_int(text: &str) -> Option<i64> {
    match text.as_bytes().first()? {
        b'-' => {
            let value = parse_uint(text.get(1..)?)?;
            if value == 1 << 63 { Some(i64::MIN) } else { i64::try_from(value).ok().map(|v| -v) }
        }
        b'+' => i64::try_from(parse_uint(text.get(1..)?)?).ok(),
        _ => i64::try_from(parse_uint(text)?).ok(),
    }
}

/// Go's `strconv.ParseFloat(text, 64)`; a number out of range is none.
#[must_use]
pub fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    match &*lower {
        "inf" | "infinity" => {
            return Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
        }
        "nan" => return (unsigned.len() == text.len()).then_some(f64::NAN),
        _ => {}
    }
    let (digits, is_hex) = lower.strip_prefix("0x").map_or((&*lower, false), |digits| (digits, true));
    // Rust would read a second sign.
    if digits.starts_with(['+', '-']) {
        return None;
    }
    if !separates_digits(digits, is_hex) {
        return None;
    }
    let digits = digits.replace('_', "");
    let magnitude = if is_hex {
        hex_float(&digits)?
    } else if digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'+' | b'-')) {
        digits.parse().ok()?
    } else {
        return None;
    };
    let value: f64 = if text.starts_with('-') { -magnitude } else { magnitude };
    value.is_finite().then_some(value)
}

/// Whether each underscore stands between digits, or behind the prefix of a hexadecimal number.
fn separates_digits(text: &str, is_hex: bool) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |b: &u8| if is_hex { b.is_ascii_hexdigit() } else { b.is_ascii_digit() };
    let digit = |at: usize| bytes.get(at).is_some_and(is_digit);
    let mut underscores = bytes.iter().enumerate().filter(|(_, b)| **b == b'_').map(|(at, _)| at);
    underscores.all(|at| at.checked_sub(1).map_or(is_hex, digit) && digit(at + 1))
}

/// Digits of a hexadecimal number that count; of the others only whether there is anything in them.
const HEX_DIGITS: usize = 16;

fn hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let (sign, size) = match exponent.strip_prefix('-') {
        Some(size) => (-1, size),
        None => (1, exponent.strip_prefix('+').unwrap_or(exponent)),
    };
    if size.is_empty() || !size.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let exponent = sign * size.parse().unwrap_or(i32::MAX).min(100_000);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let (kept, dropped) = digits.split_at_checked(HEX_DIGITS).unwrap_or((digits, ""));
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let kept = if kept.is_empty() { 0 } else { u128::from_str_radix(kept, 16).ok()? };
    let rest = u128::from(dropped.bytes().any(|b| b != b'0'));
    let scale = |digits: &str| i32::try_from(digits.len()).ok()?.checked_mul(4);
    let exponent = exponent.checked_sub(scale(fraction)?)?.checked_add(scale(dropped)?)?;
    Some(rounded(kept << 2 | rest, exponent.checked_sub(2)?)).filter(|value| value.is_finite())
}

/// The float nearest to `bits` times two to the power of `exponent`, the even one of two that are equally near.
fn rounded(bits: u128, exponent: i32) -> f64 {
    const LEAST: i32 = -1074;
    let len = 128 - bits.leading_zeros().cast_signed();
    let Ok(surplus @ 0..128) = u32::try_from((len - 53).max(LEAST.saturating_sub(exponent)).max(0)) else {
        return 0.0;
    };
    let (whole, rest) = (bits >> surplus, bits & ((1 << surplus) - 1));
    let half = (1 << surplus) >> 1;
    let up = surplus > 0 && (rest > half || (rest == half && whole & 1 == 1));
    let exponent = exponent.saturating_add(surplus.cast_signed()).min(2000);
    // In steps, each of which a float can hold.
    let near = exponent.clamp(-1000, 1000);
    (whole + u128::from(up)) as f64 * 2f64.powi(near) * 2f64.powi(exponent - near)
}

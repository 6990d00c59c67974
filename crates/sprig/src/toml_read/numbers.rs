//! Numbers, times and truths of TOML.

use std::rc::Rc;

use gotemplate::{Value, is_letter, quote};

use super::cursor::{Cursor, Mistake, Read};
use super::quoted;
use crate::time::{FixedZone, Zone};

type IsDigit = fn(char) -> bool;

impl Cursor<'_> {
    /// A number or a time whose first digit has been read.
    pub(super) fn number(&mut self, start: usize, first: char) -> Read<Value> {
        if first == '0' {
            let base: Option<(&str, IsDigit)> = match self.peek()? {
                Some('b') => Some(("binary", |c| matches!(c, '0' | '1'))),
                Some('o') => Some(("octal", |c| matches!(c, '0'..='7'))),
                Some('x') => Some(("hexadecimal", |c| c.is_ascii_hexdigit())),
                _ => None,
            };
            if let Some((name, is_digit)) = base {
                self.next()?;
                let next = self.peek()?;
                if !next.is_some_and(is_digit) {
                    let article = if name == "octal" { "an" } else { "a" };
                    let (begin, next) = (self.since(start), next.unwrap_or_default());
                    return Err(self.mistake(format!("not {article} {name} number: '{begin}{next}'")));
                }
                self.run(|c| is_digit(c) || c == '_')?;
                return self.token(start, integer);
            }
        }
        self.run(|c| c.is_ascii_digit())?;
        // A time has two digits in front, but a zero that is followed by none is a number.
        let alone = first == '0' && self.at == start + 1;
        if !alone && matches!(self.peek()?, Some('-' | ':')) {
            self.run(|c| c.is_ascii_digit() || "-:Tt .Zz+".contains(c))?;
            return self.token(start, moment);
        }
        self.decimal(start)
    }

    /// The rest of a number without a base.
    fn decimal(&mut self, start: usize) -> Read<Value> {
        self.run(|c| c.is_ascii_digit() || c == '_')?;
        if matches!(self.peek()?, Some('.' | 'e' | 'E')) {
            self.run(|c| c.is_ascii_digit() || "_.-+eE".contains(c))?;
            return self.token(start, float);
        }
        self.token(start, integer)
    }

    /// A number whose sign has been read.
    pub(super) fn signed(&mut self, start: usize) -> Read<Value> {
        match self.next()? {
            Some(first @ ('i' | 'n')) => {
                let (second, third) = if first == 'i' { ('n', 'f') } else { ('a', 'n') };
                if !(self.take(second)? && self.take(third)?) {
                    return Err(self.mistake(format!("invalid float: '{}'", self.since(start))));
                }
                self.token(start, float)
            }
            Some('0') if matches!(self.peek()?, Some('b' | 'o' | 'x')) => {
                let base = self.peek()?.unwrap_or_default();
                let begin = self.since(start);
                Err(self.mistake(format!("cannot use sign with non-decimal numbers: '{begin}{base}'")))
            }
            Some('0'..='9') => self.decimal(start),
            Some('.') => Err(self.mistake("floats must start with a digit, not '.'")),
            found => Err(self.mistake(format!("expected a digit but got {}", quoted(found)))),
        }
    }

    /// `true` or `false`.
    pub(super) fn word(&mut self) -> Read<Value> {
        match &*self.run(is_letter)? {
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            word => {
                let problem = format!("expected value but found {} instead", quote(word.as_bytes()));
                Err(self.mistake(problem))
            }
        }
    }

    /// What the text from `start` to here means.
    pub(super) fn token(
        &self,
        start: usize,
        read: impl FnOnce(&str) -> Result<Value, String>,
    ) -> Read<Value> {
        let line = self.line;
        read(&self.since(start)).map_err(|problem| Mistake { line, problem })
    }
}

/// Whether each underscore stands between digits, and a digit at the end.
fn underscores_fit(text: &str) -> bool {
    let mut digit = false;
    for c in text.chars() {
        if c == '_' && !digit {
            return false;
        }
        digit = c.is_ascii_hexdigit();
    }
    digit
}

fn has_leading_zero(text: &str) -> bool {
    match text.as_bytes() {
        [b'+' | b'-', b'0', _, ..] => true,
        [b'0', second, ..] => !matches!(second, b'b' | b'o' | b'x'),
        _ => false,
    }
}

fn without_underscores(text: &str) -> String {
    text.chars().filter(|c| *c != '_').collect()
}

fn integer(text: &str) -> Result<Value, String> {
    let quoted = || quote(text.as_bytes());
    if !underscores_fit(text) {
        return Err(format!("Invalid integer {}: underscores must be surrounded by digits", quoted()));
    }
    if has_leading_zero(text) {
        return Err(format!("Invalid integer {}: cannot have leading zeroes", quoted()));
    }
    match gotemplate::parse_int(&without_underscores(text)) {
        Some(value) => Ok(Value::int64(value)),
        None => Err(format!("{text} is out of range for int64")),
    }
}

pub(super) fn float(text: &str) -> Result<Value, String> {
    match text {
        "inf" | "+inf" => return Ok(Value::Float(f64::INFINITY)),
        "-inf" => return Ok(Value::Float(f64::NEG_INFINITY)),
        "nan" | "+nan" => return Ok(Value::Float(f64::NAN)),
        "-nan" => return Ok(Value::Float(-f64::NAN)),
        _ => {}
    }
    let invalid = |why: &str| Err(format!("Invalid float {}: {why}", quote(text.as_bytes())));
    let mut parts = text.split(['.', 'e', 'E']).filter(|part| !part.is_empty());
    if !parts.clone().all(underscores_fit) {
        return invalid("underscores must be surrounded by digits");
    }
    if parts.next().is_some_and(has_leading_zero) {
        return invalid("cannot have leading zeroes");
    }
    if text.split('.').skip(1).any(|behind| !behind.starts_with(|c: char| c.is_ascii_digit())) {
        return invalid("'.' must be followed by one or more digits");
    }
    let plain = without_underscores(text);
    match gotemplate::parse_float(&plain) {
        Some(value) => Ok(Value::Float(value)),
        None if is_number(&plain) => Err(format!("{text} is out of range for float64")),
        None => Err(format!("Invalid float value: {}", quote(text.as_bytes()))),
    }
}

/// Whether a text is a decimal number, be it out of range.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = |text| -> &str { str::strip_prefix(text, ['+', '-']).unwrap_or(text) };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = unsigned(mantissa).split_once('.').unwrap_or((unsigned(mantissa), "0"));
    digits(whole) && digits(fraction) && exponent.is_none_or(|exponent| digits(unsigned(exponent)))
}

/// A date, a time or both; one without a zone has a zone whose name says so.
fn moment(text: &str) -> Result<Value, String> {
    const LAYOUTS: [(&str, &str); 7] = [
        ("2006-01-02T15:04:05Z07:00", ""),
        ("2006-01-02T15:04:05", "datetime-local"),
        ("2006-01-02", "date-local"),
        ("15:04:05", "time-local"),
        ("2006-01-02T15:04Z07:00", ""),
        ("2006-01-02T15:04", "datetime-local"),
        ("15:04", "time-local"),
    ];
    let text = text.trim().replace(['t', ' '], "T").replace('z', "Z");
    let wrong = || format!("invalid datetime: {}", quote(text.as_bytes()));
    for (layout, zone) in LAYOUTS {
        let Ok(mut time) = crate::time::parse(layout, &text) else { continue };
        // Here an hour has two digits.
        let hour = layout.find("15");
        if hour.is_some_and(|hour| text.as_bytes().get(hour + 2) != Some(&b':')) {
            return Err(wrong());
        }
        if !zone.is_empty() {
            time.zone = Zone::Fixed(Rc::new(FixedZone { offset: 0, name: zone.to_owned(), only: true }));
        }
        return Ok(crate::dates::value(time));
    }
    Err(wrong())
}

//! Durations in Go's text form.

use std::{fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::schema::DURATION_PATTERN;

/// A duration as a user wrote it, such as `10m`, `1.5h` or `1h30m`.
///
/// JSON keeps the written text: `60s` stays `60s`. [`fmt::Display`] prints Go's canonical form, `1m0s`, which is the one
/// for messages. Two durations are equal when their length is, whatever the text.
#[derive(Clone, Debug)]
pub struct Duration {
    text: String,
    nanos: i64,
}

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// The text does not follow the syntax.
    #[error("{0:?} is not a duration: write numbers with units, such as 30s, 1.5h or 1h30m")]
    Syntax(String),
    /// A number has no unit.
    #[error("duration {0:?} lacks a unit: append one of ms, s, m, h")]
    MissingUnit(String),
    /// The value exceeds 2^63 nanoseconds, about 292 years.
    #[error("duration {0:?} is too long: the limit is about 292 years")]
    TooLong(String),
}

impl Duration {
    /// The length. A negative duration counts as zero.
    pub fn to_std(&self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.nanos.try_into().unwrap_or(0))
    }

    /// The text as written.
    pub fn as_written(&self) -> &str {
        &self.text
    }

    /// A duration of whole seconds, written canonically.
    pub fn from_secs(seconds: u32) -> Self {
        std::time::Duration::from_secs(seconds.into()).into()
    }
}

impl Default for Duration {
    /// No time.
    fn default() -> Self {
        Self { text: "0s".to_owned(), nanos: 0 }
    }
}

impl From<std::time::Duration> for Duration {
    /// Saturates at about 292 years.
    fn from(value: std::time::Duration) -> Self {
        let nanos = i64::try_from(value.as_nanos()).unwrap_or(i64::MAX);
        Self { text: format_nanos(nanos), nanos }
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    /// Parses everything that Go's `time.ParseDuration` does: a sign, decimal fractions, sums, and the units
    /// `ns us µs μs ms s m h`.
    fn from_str(text: &str) -> Result<Self, DurationError> {
        Ok(Self { text: text.to_owned(), nanos: parse_nanos(text)? })
    }
}

/// Prints a duration as Go does: `1h0m0s`, `1.5s`, `350ms`, `0s`.
pub fn go_duration(value: std::time::Duration) -> String {
    format_nanos(i64::try_from(value.as_nanos()).unwrap_or(i64::MAX))
}

fn parse_nanos(text: &str) -> Result<i64, DurationError> {
    let syntax = || DurationError::Syntax(text.to_owned());
    let too_long = || DurationError::TooLong(text.to_owned());
    let (negative, mut rest) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(syntax());
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (whole, after_whole) = split_digits(rest);
        let (fraction, after_number) = match after_whole.strip_prefix('.') {
            Some(after_dot) => split_digits(after_dot),
            None => ("", after_whole),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(syntax());
        }
        let unit_end =
            after_number.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after_number.len());
        let (unit, next) = after_number.split_at(unit_end);
        let scale = match unit {
            "" => return Err(DurationError::MissingUnit(text.to_owned())),
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return Err(syntax()),
        };
        let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| too_long())? };
        let part = whole.checked_mul(scale).ok_or_else(too_long)?;
        total = total.saturating_add(part).saturating_add(fraction_nanos(fraction, scale));
        rest = next;
    }
    // Only the negative range holds 2^63.
    let limit = i64::MAX as u128 + u128::from(negative);
    if total > limit {
        return Err(too_long());
    }
    let total = i128::try_from(total).map_err(|_| too_long())?;
    i64::try_from(if negative { -total } else { total }).map_err(|_| too_long())
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// The part of a unit that a decimal fraction stands for. In floating point, as Go computes it.
fn fraction_nanos(digits: &str, scale: u128) -> u128 {
    let (mut value, mut divisor) = (0u64, 1f64);
    for digit in digits.bytes().map(|byte| u64::from(byte - b'0')) {
        // Digits beyond the precision of an i64 are ignored.
        match value.checked_mul(10).and_then(|value| value.checked_add(digit)) {
            Some(next) if next <= 1 << 63 => value = next,
            _ => break,
        }
        divisor *= 10.0;
    }
    (value as f64 * (scale as f64 / divisor)) as u128
}

fn format_nanos(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let abs = nanos.unsigned_abs();
    if abs == 0 {
        return "0s".to_owned();
    }
    if abs < 1_000 {
        return format!("{sign}{abs}ns");
    }
    if abs < 1_000_000 {
        return format!("{sign}{}µs", decimal(abs, 1_000));
    }
    if abs < 1_000_000_000 {
        return format!("{sign}{}ms", decimal(abs, 1_000_000));
    }
    let minutes = abs / 60_000_000_000;
    let seconds = decimal(abs % 60_000_000_000, 1_000_000_000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// `value / unit` in decimal notation without trailing zeros. `unit` is a power of ten.
fn decimal(value: u64, unit: u64) -> String {
    let width = unit.ilog10() as usize;
    let fraction = format!("{:0width$}", value % unit);
    match fraction.trim_end_matches('0') {
        "" => (value / unit).to_string(),
        fraction => format!("{}.{fraction}", value / unit),
    }
}

impl PartialEq for Duration {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Duration {}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_nanos(self.nanos))
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Duration {
    /// A value that is only too long is read as the longest one: it means "practically never", and the pattern of the
    /// CRD lets it pass.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match parse_nanos(&text) {
            Ok(nanos) => Ok(Self { text, nanos }),
            Err(DurationError::TooLong(_)) => Ok(Self { text, nanos: i64::MAX }),
            Err(error) => Err(D::Error::custom(error)),
        }
    }
}

impl JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": DURATION_PATTERN})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints_as_go_does() {
        for (text, printed) in [
            ("0", "0s"),
            ("0s", "0s"),
            ("5s", "5s"),
            ("60s", "1m0s"),
            ("1h", "1h0m0s"),
            ("1.5h", "1h30m0s"),
            ("1h30m", "1h30m0s"),
            ("1h1.5s", "1h0m1.5s"),
            ("350ms", "350ms"),
            ("1500ms", "1.5s"),
            ("1.001s", "1.001s"),
            ("2000000h", "2000000h0m0s"),
            ("2562047h47m16.854775807s", "2562047h47m16.854775807s"),
            ("-9223372036854775808ns", "-2562047h47m16.854775808s"),
            (".5m", "30s"),
            ("1.m", "1m0s"),
            ("0.3333333333333333333h", "20m0s"),
            ("0.000000000000000000000000000001h", "0s"),
            ("1us", "1µs"),
            ("1.5µs", "1.5µs"),
            ("3μs", "3µs"),
            ("7ns", "7ns"),
            ("-1m30s", "-1m30s"),
            ("+2m", "2m0s"),
            ("1m1m", "2m0s"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.to_string(), printed, "{text}");
            assert_eq!(serde_json::to_value(&duration).unwrap(), text);
        }
    }

    #[test]
    fn refuses_what_go_refuses() {
        for text in ["", "-", "s", ".s", "1d", "1 s", "1s ", "1h-30m", "x", "1hour"] {
            assert_eq!(text.parse::<Duration>(), Err(DurationError::Syntax(text.to_owned())), "{text:?}");
        }
        assert_eq!("10".parse::<Duration>(), Err(DurationError::MissingUnit("10".to_owned())));
        for text in ["2562047h47m16.854775808s", "9999999999h", "99999999999999999999999999999999999999999h"]
        {
            assert_eq!(text.parse::<Duration>(), Err(DurationError::TooLong(text.to_owned())));
        }
    }

    #[test]
    fn an_excessive_duration_in_an_object_means_never() {
        let duration: Duration = serde_json::from_str("\"9999999999h\"").unwrap();
        assert_eq!(duration.to_std(), std::time::Duration::from_nanos(i64::MAX as u64));
        assert_eq!(serde_json::to_string(&duration).unwrap(), "\"9999999999h\"");
        assert!(serde_json::from_str::<Duration>("\"5 minutes\"").is_err());
    }

    #[test]
    fn a_negative_duration_is_no_time() {
        assert_eq!("-5s".parse::<Duration>().unwrap().to_std(), std::time::Duration::ZERO);
    }
}

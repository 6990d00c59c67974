//! What an unquoted scalar means, in the two dialects that Kustomize meets.

use crate::Tag;
use crate::timestamp::Timestamp;

/// Which of Go's YAML libraries reads the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// go-yaml v3, which reads resources and patches: only `true` and `false` are booleans.
    V3,
    /// sigs.k8s.io/yaml (go-yaml v2), which reads kustomization files: `yes`, `on`, `y` … are booleans too.
    V2,
}

/// What an unquoted scalar means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Plain {
    /// Empty, `~` or `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer that fits.
    Int(i64),
    /// An integer above `i64::MAX`.
    UInt(u64),
    /// Any other number.
    Float(f64),
    /// A date or time.
    Timestamp(Timestamp),
    /// `<<`
    Merge,
    /// Anything else.
    Str,
}

impl Plain {
    /// The tag of what was found.
    #[must_use]
    pub fn tag(&self) -> Tag {
        match self {
            Plain::Null => Tag::Null,
            Plain::Bool(_) => Tag::Bool,
            Plain::Int(_) | Plain::UInt(_) => Tag::Int,
            Plain::Float(_) => Tag::Float,
            Plain::Timestamp(_) => Tag::Timestamp,
            Plain::Merge => Tag::Merge,
            Plain::Str => Tag::Str,
        }
    }
}

/// What `text` means when it stands unquoted.
#[must_use]
pub fn resolve_plain(text: &str, profile: Profile) -> Plain {
    match text.as_bytes().first() {
        None => Plain::Null,
        Some(b'~' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'<' | b'y' | b'Y' | b'o' | b'O') => {
            word(text, profile)
        }
        Some(b'.') => dotted(text),
        Some(b'0'..=b'9' | b'+' | b'-') => number(text),
        Some(_) => Plain::Str,
    }
}

/// Whether `text` is a string when it stands unquoted as a document of its own; also if it is none that can be read.
/// Texts of several lines are, and the empty one.
#[must_use]
pub fn reads_as_string(text: &str, profile: Profile) -> bool {
    if text.is_empty() || text.contains('\n') {
        return true;
    }
    if resolve_plain(text, profile).tag() != Tag::Str {
        return false;
    }
    let structural = text
        .starts_with(['[', '{', '-', '?', '&', '#', '!', '|', '>', '"', '\'', ' ', '\t', ':'])
        || text.ends_with(':')
        || text.contains(": ");
    // A tag of one's own makes it a string.
    let tagged = text.starts_with('!') && !text.starts_with("!!");
    if !structural || tagged || text.starts_with("...") {
        return true;
    }
    match crate::read_first(text.as_bytes(), profile, &crate::ReadLimits::default()) {
        Ok(Some(crate::Value::Scalar(scalar))) => scalar.tag() == Tag::Str,
        Ok(_) => false,
        Err(_) => true,
    }
}

fn word(text: &str, profile: Profile) -> Plain {
    match text {
        "~" | "null" | "Null" | "NULL" => Plain::Null,
        "true" | "True" | "TRUE" => Plain::Bool(true),
        "false" | "False" | "FALSE" => Plain::Bool(false),
        "<<" => Plain::Merge,
        _ if profile == Profile::V3 => Plain::Str,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Plain::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Plain::Bool(false),
        _ => Plain::Str,
    }
}

fn special_float(text: &str) -> Option<f64> {
    match text {
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

fn dotted(text: &str) -> Plain {
    if let Some(value) = special_float(text) {
        return Plain::Float(value);
    }
    // Go parses this form without dropping underscores first, and accepts them between digits.
    let between_digits =
        |bytes: &[u8]| matches!(bytes, [x, b'_', y] if x.is_ascii_digit() && y.is_ascii_digit());
    let underscores = text.bytes().filter(|b| *b == b'_').count();
    let value = match underscores {
        0 => decimal_float(text),
        _ if text.as_bytes().windows(3).filter(|w| between_digits(w)).count() == underscores => {
            decimal_float(&text.replace('_', ""))
        }
        _ => None,
    };
    value.map_or(Plain::Str, Plain::Float)
}

fn number(text: &str) -> Plain {
    if let Some(value) = special_float(text) {
        return Plain::Float(value);
    }
    if let Some(time) = Timestamp::parse(text) {
        return Plain::Timestamp(time);
    }
    let without_underscores;
    let digits = if text.contains('_') {
        without_underscores = text.replace('_', "");
        without_underscores.as_str()
    } else {
        text
    };
    if let Some(integer) = integer(digits) {
        return integer;
    }
    decimal_float(digits).map_or(Plain::Str, Plain::Float)
}

/// Go's `ParseInt(_, 0, 64)`, then `ParseUint`: decimal, `0x`, `0o`, `0b` and the old octal `017`.
fn integer(text: &str) -> Option<Plain> {
    let (sign, magnitude) = match text.as_bytes().first()? {
        b'-' => (Some(true), text.get(1..)?),
        b'+' => (Some(false), text.get(1..)?),
        _ => (None, text),
    };
    let (radix, digits) = match magnitude.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, magnitude.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, magnitude.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, magnitude.get(2..)?),
        [b'0', _, ..] => (8, magnitude.get(1..)?),
        _ => (10, magnitude),
    };
    if !digits.bytes().next()?.is_ascii_alphanumeric() {
        return None;
    }
    let value = u64::from_str_radix(digits, radix).ok()?;
    match (sign, i64::try_from(value)) {
        (Some(true), Ok(value)) => Some(Plain::Int(-value)),
        (Some(true), Err(_)) => (value == i64::MIN.unsigned_abs()).then_some(Plain::Int(i64::MIN)),
        (_, Ok(value)) => Some(Plain::Int(value)),
        (None, Err(_)) => Some(Plain::UInt(value)),
        (Some(false), Err(_)) => None,
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, unless it overflows.
fn decimal_float(text: &str) -> Option<f64> {
    let mut rest = text.as_bytes();
    if let [b'-' | b'+', tail @ ..] = rest {
        rest = tail;
    }
    let digits = |rest: &mut &[u8]| {
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        *rest = rest.get(count..).unwrap_or_default();
        count
    };
    let whole = digits(&mut rest);
    let mut fraction = 0;
    if let [b'.', tail @ ..] = rest {
        rest = tail;
        fraction = digits(&mut rest);
    }
    if whole == 0 && fraction == 0 {
        return None;
    }
    if let [b'e' | b'E', tail @ ..] = rest {
        rest = tail;
        if let [b'-' | b'+', tail @ ..] = rest {
            rest = tail;
        }
        if digits(&mut rest) == 0 {
            return None;
        }
    }
    if !rest.is_empty() {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// Decodes standard base64 with padding; line ends are skipped, as Go does.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count, mut padding) = (0u32, 0u32, 0u32);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'\r' | b'\n' => continue,
            b'=' if count >= 2 && padding + count < 4 => {
                padding += 1;
                continue;
            }
            _ => return None,
        };
        if padding > 0 {
            return None;
        }
        bits = bits << 6 | u32::from(value);
        count += 1;
        if count == 4 {
            out.extend_from_slice(bits.to_be_bytes().get(1..)?);
            (bits, count) = (0, 0);
        }
    }
    match (count, padding) {
        (0, 0) => {}
        (2, 2) => out.push((bits >> 4) as u8),
        (3, 1) => out.extend_from_slice(&[(bits >> 10) as u8, (bits >> 2) as u8]),
        _ => return None,
    }
    Some(out)
}

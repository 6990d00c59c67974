//! Durations, in nanoseconds.

const SECOND: i64 = 1_000_000_000;

/// The longest duration, if it is negative, in nanoseconds.
const LONGEST: u64 = 1 << 63;

/// Reads `1h30m`, `-1.5s` …
///
/// # Errors
/// Go's text.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let quoted = || super::quoted(text);
    let invalid = || format!("time: invalid duration {}", quoted());
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let whole = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, tail) = rest.split_at(whole);
        let value = if digits.is_empty() { 0 } else { digits.parse::<u64>().map_err(|_| invalid())? };
        if value > LONGEST {
            return Err(invalid());
        }
        let (decimals, tail) = match tail.strip_prefix('.') {
            Some(tail) => tail.split_at(tail.bytes().take_while(u8::is_ascii_digit).count()),
            None => ("", tail),
        };
        if digits.is_empty() && decimals.is_empty() {
            return Err(invalid());
        }
        let unit_len = tail.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        let nanos: u64 = match unit {
            "" => return Err(format!("time: missing unit in duration {}", quoted())),
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            unit => {
                let unit = super::quoted(unit);
                return Err(format!("time: unknown unit {unit} in duration {}", quoted()));
            }
        };
        let value = value.checked_mul(nanos).filter(|value| *value <= LONGEST).ok_or_else(invalid)?;
        total = [value, part_of(decimals, nanos)]
            .into_iter()
            .try_fold(total, |total, value| total.checked_add(value).filter(|total| *total <= LONGEST))
            .ok_or_else(invalid)?;
        rest = tail;
    }
    let total = i128::from(total);
    i64::try_from(if negative { -total } else { total }).map_err(|_| invalid())
}

/// Decimals of a unit, in nanoseconds, with what Go loses in floats. Digits beyond what an integer holds are left out.
fn part_of(decimals: &str, nanos: u64) -> u64 {
    let (mut value, mut scale) = (0u64, 1f64);
    for digit in decimals.bytes().map(|digit| u64::from(digit - b'0')) {
        let next = value.checked_mul(10).and_then(|value| value.checked_add(digit));
        let Some(next) = next.filter(|next| *next <= LONGEST && value <= (LONGEST - 1) / 10) else { break };
        value = next;
        scale *= 10.0;
    }
    (value as f64 * (nanos as f64 / scale)) as u64
}

/// Go's text of a duration: `1h0m5.5s`, `2ms`, `0s`.
pub(crate) fn text(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let size = nanos.unsigned_abs();
    let second = SECOND.unsigned_abs();
    if size < second {
        let (unit, scale) = match size {
            0 => return "0s".to_owned(),
            1..1_000 => ("ns", 1),
            1_000..1_000_000 => ("µs", 1_000),
            _ => ("ms", 1_000_000),
        };
        return format!("{sign}{}{unit}", fraction(size, scale));
    }
    let seconds = fraction(size % (60 * second), second);
    let minutes = size / (60 * second);
    if minutes == 0 {
        format!("{sign}{seconds}s")
    } else if minutes < 60 {
        format!("{sign}{minutes}m{seconds}s")
    } else {
        format!("{sign}{}h{}m{seconds}s", minutes / 60, minutes % 60)
    }
}

fn fraction(value: u64, scale: u64) -> String {
    let digits = scale.ilog10() as usize;
    let rest = value % scale;
    if rest == 0 {
        return (value / scale).to_string();
    }
    let text = format!("{rest:0digits$}");
    format!("{}.{}", value / scale, text.trim_end_matches('0'))
}

/// Rounded to whole seconds, halves away from zero.
pub(crate) fn to_seconds(nanos: i64) -> i64 {
    let rest = nanos % SECOND;
    let whole = nanos - rest;
    if rest.abs() * 2 >= SECOND { whole.saturating_add(SECOND * rest.signum()) } else { whole }
}

/// Sprig's `durationRound`: the largest unit alone.
pub(crate) fn rounded(nanos: i64) -> String {
    const HOUR: u64 = 3_600_000_000_000;
    let size = nanos.unsigned_abs();
    for (unit, name) in [
        (HOUR * 24 * 365, "y"),
        (HOUR * 24 * 30, "mo"),
        (HOUR * 24, "d"),
        (HOUR, "h"),
        (HOUR / 60, "m"),
        (HOUR / 3600, "s"),
    ] {
        if size > unit {
            return format!("{}{name}", size / unit);
        }
    }
    "0s".to_owned()
}

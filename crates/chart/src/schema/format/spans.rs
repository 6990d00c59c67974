//! ISO 8601 durations and periods.

use super::{date_time, fail};

/// `P3Y6M4DT12H30M5S` or `P4W`.
pub(super) fn duration(text: &str) -> Result<(), String> {
    let Some(rest) = text.strip_prefix('P') else { return fail("must start with P") };
    if rest.is_empty() {
        return fail("nothing after P");
    }
    if let Some(weeks) = rest.strip_suffix('W') {
        return match weeks {
            "" => fail("no number in week"),
            weeks if weeks.bytes().all(|b| b.is_ascii_digit()) => Ok(()),
            _ => fail("invalid week"),
        };
    }
    for (part, elements) in rest.split('T').enumerate() {
        if part > 0 && elements.is_empty() {
            return fail("no time elements");
        }
        match part {
            0 => units(elements, "YMD")?,
            1 => units(elements, "HMS")?,
            _ => return fail("more than one T"),
        }
    }
    Ok(())
}

/// Numbers, each with a unit, in the order of the units.
fn units(mut text: &str, all: &str) -> Result<(), String> {
    let mut left = all;
    while !text.is_empty() {
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
        if unit.len() == text.len() {
            return fail("missing number");
        }
        // Go looks at a byte.
        let Some(first) = unit.bytes().next().map(char::from) else { return fail("missing unit") };
        match left.split_once(first) {
            Some((_, later)) => left = later,
            None if all.contains(first) => return fail(format!("unit '{first}' out of order")),
            None => return fail(format!("invalid unit '{first}'")),
        }
        text = unit.get(1..).unwrap_or_default();
    }
    Ok(())
}

/// Two times, or a time and a duration, with a slash between.
pub(super) fn period(text: &str) -> Result<(), String> {
    let Some((start, end)) = text.split_once('/') else { return fail("missing slash") };
    let at = |place: &str, kind: &str, outcome: Result<(), String>| {
        outcome.map_err(|problem| format!("invalid {place} {kind}: {problem}"))
    };
    if start.starts_with('P') {
        at("start", "duration", duration(start))?;
        return at("end", "date-time", date_time(end));
    }
    at("start", "date-time", date_time(start))?;
    if end.starts_with('P') {
        at("end", "duration", duration(end))
    } else {
        at("end", "date-time", date_time(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_their_units_in_order() {
        for text in ["P4W", "P1Y", "P1Y2M3DT4H5M6S", "PT0S", "P1DT1H"] {
            assert_eq!(duration(text), Ok(()), "{text}");
        }
        for (text, problem) in [
            ("", "must start with P"),
            ("P", "nothing after P"),
            ("PW", "no number in week"),
            ("PxW", "invalid week"),
            ("PT", "no time elements"),
            ("P1DT1HT1H", "more than one T"),
            ("PD", "missing number"),
            ("P1", "missing unit"),
            ("P1D1M", "unit 'M' out of order"),
            ("P1H", "invalid unit 'H'"),
        ] {
            assert_eq!(duration(text).unwrap_err(), problem, "{text}");
        }
        assert_eq!(period("2024-01-02T03:04:05Z/P1D"), Ok(()));
        assert_eq!(period("P1D").unwrap_err(), "missing slash");
        assert_eq!(period("P1/x").unwrap_err(), "invalid start duration: missing unit");
    }
}

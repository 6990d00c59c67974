//! Reading a time in a layout.

use std::rc::Rc;

use super::layout::{Piece, next};
use super::{DAYS, FixedZone, MONTHS, Time, Zone, day_number, days_in};

#[derive(Default)]
struct Found {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: u32,
    afternoon: Option<bool>,
    /// `Z` or `UTC`, which win over an offset and a name.
    utc: bool,
    offset: Option<i64>,
    zone: Option<String>,
}

enum Problem {
    /// It does not read as the layout says.
    Form,
    /// A number beyond its range.
    Range(&'static str),
}

/// Reads `text`; what has no zone is in UTC.
///
/// # Errors
/// Go's text.
pub(crate) fn parse(layout: &str, text: &str) -> Result<Time, String> {
    let start = format!("parsing time {}", super::quoted(text));
    let mut found = Found::default();
    let (mut layout_left, mut left) = (layout, text);
    loop {
        let (before, piece, after) = next(layout_left);
        let form = |element: &str, at: &str| {
            format!(
                "{start} as {}: cannot parse {} as {}",
                super::quoted(layout),
                super::quoted(at),
                super::quoted(element)
            )
        };
        match literal(before, left) {
            Ok(rest) => left = rest,
            Err(at) => return Err(form(before, at)),
        }
        let Some((piece, element)) = piece else {
            if !left.is_empty() {
                return Err(format!("{start}: extra text: {}", super::quoted(left)));
            }
            break;
        };
        layout_left = after;
        let held = left;
        match take(piece, &mut left, after, &mut found) {
            Ok(()) => {}
            Err(Problem::Form) => return Err(form(element, held)),
            Err(Problem::Range(what)) => return Err(format!("{start}: {what} out of range")),
        }
    }
    finish(found).map_err(|problem| format!("{start}: {problem}"))
}

/// What follows a literal text, or what stands where it is not followed; runs of spaces match any run of spaces.
fn literal<'t>(mut expected: &str, mut text: &'t str) -> Result<&'t str, &'t str> {
    while let Some(c) = expected.chars().next() {
        if c == ' ' {
            if !text.is_empty() && !text.starts_with(' ') {
                return Err(text);
            }
            expected = expected.trim_start_matches(' ');
            text = text.trim_start_matches(' ');
            continue;
        }
        text = text.strip_prefix(c).ok_or(text)?;
        expected = expected.get(c.len_utf8()..).unwrap_or_default();
    }
    Ok(text)
}

fn digits(left: &mut &str, least: usize, most: usize) -> Result<i64, Problem> {
    let count = left.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if count < least {
        return Err(Problem::Form);
    }
    let (text, rest) = left.split_at(count);
    *left = rest;
    text.parse().map_err(|_| Problem::Form)
}

fn ranged(value: i64, range: std::ops::RangeInclusive<i64>, what: &'static str) -> Result<i64, Problem> {
    if range.contains(&value) { Ok(value) } else { Err(Problem::Range(what)) }
}

fn word(left: &mut &str, names: &[&str], short: bool) -> Result<i64, Problem> {
    for (i, name) in names.iter().enumerate() {
        let name = if short { name.get(..3).unwrap_or(name) } else { name };
        if let Some((head, rest)) = left.split_at_checked(name.len())
            && head.eq_ignore_ascii_case(name)
        {
            *left = rest;
            return i64::try_from(i).map_err(|_| Problem::Form);
        }
    }
    Err(Problem::Form)
}

fn take(piece: Piece, left: &mut &str, after: &str, found: &mut Found) -> Result<(), Problem> {
    match piece {
        Piece::LongYear => found.year = digits(left, 4, 4)?,
        Piece::Year => {
            // Go reads the two as a number, which may have a sign.
            let (text, rest) = left.split_at_checked(2).ok_or(Problem::Form)?;
            let size = text.strip_prefix(['+', '-']).unwrap_or(text);
            if !size.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Problem::Form);
            }
            let size: i64 = size.parse().map_err(|_| Problem::Form)?;
            let year = if text.starts_with('-') { -size } else { size };
            *left = rest;
            found.year = if year >= 69 { year + 1900 } else { year + 2000 };
        }
        Piece::LongMonth => found.month = Some(word(left, &MONTHS, false)? + 1),
        Piece::Month => found.month = Some(word(left, &MONTHS, true)? + 1),
        Piece::NumberMonth => found.month = Some(ranged(digits(left, 1, 2)?, 1..=12, "month")?),
        Piece::ZeroMonth => found.month = Some(ranged(digits(left, 2, 2)?, 1..=12, "month")?),
        Piece::LongWeekday => _ = word(left, &DAYS, false)?,
        Piece::Weekday => _ = word(left, &DAYS, true)?,
        Piece::Day => found.day = Some(digits(left, 1, 2)?),
        Piece::SpaceDay => {
            *left = left.strip_prefix(' ').unwrap_or(left);
            found.day = Some(digits(left, 1, 2)?);
        }
        Piece::ZeroDay => found.day = Some(digits(left, 2, 2)?),
        Piece::SpaceYearDay => {
            *left = left.trim_start_matches(' ');
            found.year_day = Some(digits(left, 1, 3)?);
        }
        Piece::ZeroYearDay => found.year_day = Some(digits(left, 3, 3)?),
        Piece::Hour => found.hour = ranged(digits(left, 1, 2)?, 0..=23, "hour")?,
        Piece::Hour12 => found.hour = ranged(digits(left, 1, 2)?, 0..=12, "hour")?,
        Piece::ZeroHour12 => found.hour = ranged(digits(left, 2, 2)?, 0..=12, "hour")?,
        Piece::Minute => found.minute = ranged(digits(left, 1, 2)?, 0..=59, "minute")?,
        Piece::ZeroMinute => found.minute = ranged(digits(left, 2, 2)?, 0..=59, "minute")?,
        Piece::Second | Piece::ZeroSecond => {
            let least = if piece == Piece::Second { 1 } else { 2 };
            found.second = ranged(digits(left, least, 2)?, 0..=59, "second")?;
            let fraction_next = matches!(next(after), (_, Some((Piece::Fraction { .. }, _)), _));
            if !fraction_next
                && left.starts_with(['.', ','])
                && left.as_bytes().get(1).copied().is_some_and(|b| b.is_ascii_digit())
            {
                let count = left.bytes().skip(1).take_while(u8::is_ascii_digit).count();
                fraction(left, count, found)?;
            }
        }
        Piece::Upper => match left.get(..2) {
            Some("PM") => half(left, found, true),
            Some("AM") => half(left, found, false),
            _ => return Err(Problem::Form),
        },
        Piece::Lower => match left.get(..2) {
            Some("pm") => half(left, found, true),
            Some("am") => half(left, found, false),
            _ => return Err(Problem::Form),
        },
        Piece::ZoneName => zone_name(left, found)?,
        Piece::Offset { utc_z, colon, short, seconds } => {
            if utc_z && left.starts_with('Z') {
                *left = left.get(1..).unwrap_or_default();
                found.utc = true;
                return Ok(());
            }
            offset(left, colon, short, seconds, found)?;
        }
        Piece::Fraction { digits: count, keep, .. } => {
            if keep {
                fraction(left, count, found)?;
            } else if left.starts_with(['.', ','])
                && left.as_bytes().get(1).copied().is_some_and(|b| b.is_ascii_digit())
            {
                let count = left.bytes().skip(1).take(9).take_while(u8::is_ascii_digit).count();
                fraction(left, count, found)?;
            }
        }
    }
    Ok(())
}

fn half(left: &mut &str, found: &mut Found, afternoon: bool) {
    *left = left.get(2..).unwrap_or_default();
    found.afternoon = Some(afternoon);
}

fn fraction(left: &mut &str, count: usize, found: &mut Found) -> Result<(), Problem> {
    let (text, rest) = left.split_at_checked(1 + count).ok_or(Problem::Form)?;
    let digits = text.strip_prefix(['.', ',']).ok_or(Problem::Form)?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Problem::Form);
    }
    let padded: String = digits.chars().chain(std::iter::repeat('0')).take(9).collect();
    found.nanos = padded.parse().map_err(|_| Problem::Form)?;
    *left = rest;
    Ok(())
}

fn zone_name(left: &mut &str, found: &mut Found) -> Result<(), Problem> {
    if let Some(rest) = left.strip_prefix("UTC") {
        *left = rest;
        found.utc = true;
        return Ok(());
    }
    let count = zone_name_length(left).ok_or(Problem::Form)?;
    let (name, rest) = left.split_at_checked(count).ok_or(Problem::Form)?;
    found.zone = Some(name.to_owned());
    *left = rest;
    Ok(())
}

/// How long the name of a zone is that Go believes in: three to five capital letters, or hours with a sign, which may
/// stand behind `GMT`.
fn zone_name_length(text: &str) -> Option<usize> {
    if text.len() < 3 {
        return None;
    }
    if text.starts_with("ChST") || text.starts_with("MeST") {
        return Some(4);
    }
    if let Some(rest) = text.strip_prefix("GMT") {
        return Some(3 + signed_hours(rest).unwrap_or(0));
    }
    if text.starts_with(['+', '-']) {
        return signed_hours(text);
    }
    let count = text.bytes().take(6).take_while(u8::is_ascii_uppercase).count();
    let ends_in_t = text.as_bytes().get(count.saturating_sub(1)) == Some(&b'T');
    match count {
        3 => Some(3),
        4 if ends_in_t || text.starts_with("WITA") => Some(4),
        5 if ends_in_t => Some(5),
        _ => None,
    }
}

/// How many characters a sign and at most 23 hours take.
fn signed_hours(text: &str) -> Option<usize> {
    let digits = text.strip_prefix(['+', '-'])?;
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    let hours: u64 = digits.get(..count)?.parse().ok()?;
    (hours <= 23).then_some(1 + count)
}

fn offset(
    left: &mut &str,
    colon: bool,
    short: bool,
    seconds: bool,
    found: &mut Found,
) -> Result<(), Problem> {
    let sign = match left.as_bytes().first() {
        Some(b'+') => Some(1),
        Some(b'-') => Some(-1),
        Some(b) if b.is_ascii() => None,
        _ => return Err(Problem::Form),
    };
    let per_part = if colon { 3 } else { 2 };
    let parts = 1 + usize::from(!short) + usize::from(seconds);
    if left.len() < 3 + (parts - 1) * per_part {
        return Err(Problem::Form);
    }
    let colons = (1..parts).all(|part| left.as_bytes().get(3 * part) == Some(&b':'));
    if colon && !colons {
        return Err(Problem::Form);
    }
    let mut rest = left.get(1..).unwrap_or_default();
    let mut numbers = [0; 3];
    let mut all = Ok(());
    for (i, number) in numbers.iter_mut().enumerate().take(parts) {
        if colon && i > 0 {
            rest = rest.get(1..).unwrap_or_default();
        }
        match digits(&mut rest, 2, 2) {
            Ok(found) => *number = found,
            Err(problem) => {
                all = Err(problem);
                break;
            }
        }
    }
    // Of several that are too large, Go names the last, and before what is no number.
    let [hours, minutes, secs] = numbers;
    ranged(secs, 0..=60, "time zone offset second")?;
    ranged(minutes, 0..=60, "time zone offset minute")?;
    ranged(hours, 0..=24, "time zone offset hour")?;
    all?;
    // Numbers out of range come before what is no sign.
    let sign: i64 = sign.ok_or(Problem::Form)?;
    *left = rest;
    found.offset = Some(sign * (hours * 3600 + minutes * 60 + secs));
    Ok(())
}

fn fixed(offset: i64, name: String) -> Zone {
    // Go keeps those of whole hours.
    let only = name.is_empty() && offset % 3600 == 0 && (-12..=14).contains(&(offset / 3600));
    Zone::Fixed(Rc::new(FixedZone { offset, name, only }))
}

fn finish(mut found: Found) -> Result<Time, &'static str> {
    match found.afternoon {
        Some(true) if found.hour < 12 => found.hour += 12,
        Some(false) if found.hour == 12 => found.hour = 0,
        _ => {}
    }
    let (mut month, mut day) = (found.month.unwrap_or(1), found.day.unwrap_or(1));
    if let Some(of_year) = found.year_day {
        let number = day_number(found.year, 1, 1) + of_year - 1;
        if of_year < 1 || number >= day_number(found.year + 1, 1, 1) {
            return Err("day-of-year out of range");
        }
        (_, month, day) = super::date(number);
        if found.month.is_some_and(|wanted| wanted != month) {
            return Err("day-of-year does not match month");
        }
        if found.day.is_some_and(|wanted| wanted != day) {
            return Err("day-of-year does not match day");
        }
    }
    if day < 1 || day > days_in(found.year, month) {
        return Err("day out of range");
    }
    let local =
        day_number(found.year, month, day) * 86_400 + found.hour * 3600 + found.minute * 60 + found.second;
    let (seconds, zone) = match (found.offset, found.zone) {
        _ if found.utc => (local, Zone::Utc),
        (Some(0), None) => (local, Zone::Local),
        (Some(offset), name) => (local - offset, fixed(offset, name.unwrap_or_default())),
        (None, Some(name)) => {
            // Go takes the hours behind GMT for display only.
            let hours: i64 = name.strip_prefix("GMT").and_then(|hours| hours.parse().ok()).unwrap_or(0);
            (local, fixed(hours * 3600, name))
        }
        (None, None) => (local, Zone::Local),
    };
    Ok(Time { seconds, nanos: found.nanos, zone })
}

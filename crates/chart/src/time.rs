//! Points in time as Go's JSON has them.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::Offset;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A point in time with the writer's distance from UTC, which release records keep.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Time {
    at: Timestamp,
    offset: Offset,
}

impl Time {
    /// Go's zero time, the first second of year 1, which stands for *never*.
    #[must_use]
    pub fn zero() -> Time {
        Time { at: Timestamp::from_second(-62_135_596_800).unwrap_or_default(), offset: Offset::UTC }
    }

    /// A time in UTC from seconds and nanoseconds since 1970; times that no calendar here can hold are zero.
    #[must_use]
    pub fn unix(seconds: i64, nanoseconds: i32) -> Time {
        Timestamp::new(seconds, nanoseconds).map_or_else(|_| Time::zero(), Time::from)
    }

    /// Reads RFC 3339.
    ///
    /// # Errors
    /// When the text is something else.
    pub fn parse(text: &str) -> Result<Time, String> {
        let problem = || format!("parsing time {text:?}: not of the form 2006-01-02T15:04:05Z07:00");
        let at: Timestamp = text.parse().map_err(|_| problem())?;
        let seconds = match text.as_bytes() {
            [.., b'Z' | b'z'] => 0,
            [.., sign, h1, h2, b':', m1, m2] => {
                let digit = |d: &u8| i32::from(d.wrapping_sub(b'0'));
                let seconds = ((digit(h1) * 10 + digit(h2)) * 60 + digit(m1) * 10 + digit(m2)) * 60;
                if *sign == b'-' { -seconds } else { seconds }
            }
            _ => return Err(problem()),
        };
        let offset = Offset::from_seconds(seconds).map_err(|_| problem())?;
        Ok(Time { at, offset })
    }

    /// The instant.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        self.at
    }

    /// True for [`Time::zero`].
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.at == Time::zero().at
    }
}

impl Default for Time {
    fn default() -> Time {
        Time::zero()
    }
}

impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Time {
        Time { at, offset: Offset::UTC }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.offset.to_datetime(self.at);
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            local.year(),
            local.month(),
            local.day(),
            local.hour(),
            local.minute(),
            local.second()
        )?;
        let nanoseconds = local.subsec_nanosecond();
        if nanoseconds != 0 {
            write!(f, ".{}", format!("{nanoseconds:09}").trim_end_matches('0'))?;
        }
        match self.offset.seconds() {
            0 => f.write_str("Z"),
            seconds => {
                let minutes = seconds.abs() / 60;
                let sign = if seconds < 0 { '-' } else { '+' };
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        Time::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A time that may be absent, null or an empty text, which is how Helm 3 writes *never*; zero is never, too.
pub(crate) fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    let found: Option<String> = Option::deserialize(deserializer)?;
    match found.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => {
            Time::parse(text).map(|time| Some(time).filter(|t| !t.is_zero())).map_err(D::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_as_they_were_read() {
        for text in [
            "2026-11-21T14:35:52Z",
            "2026-11-21T14:35:52.123456789+02:00",
            "2026-11-21T14:35:52.5-07:30",
            "0001-01-01T00:00:00Z",
        ] {
            assert_eq!(Time::parse(text).unwrap().to_string(), text);
        }
        assert!(Time::parse("0001-01-01T00:00:00Z").unwrap().is_zero());
        assert!(Time::parse("yesterday").is_err());
    }
}

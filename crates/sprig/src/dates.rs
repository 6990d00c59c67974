//! Dates. The clock is a parameter of the run.

mod objects;

use gotemplate::Ty::{Any, Str as Text};
use gotemplate::{Exec, Fault, Function, IntKind, Value};

use crate::args::{Args, Outcome};
use crate::state::now;
use crate::time::{self, Time, Zone, duration};
use objects::{TIME, time_of};

pub(crate) use objects::value;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("now", &[], |e, _| Ok(value(now(e)))),
    Function::new("date", &[Text, Any], |e, a| in_zone(e, a.bytes(0), a.any(1), b"Local")),
    Function::new("htmlDate", &[Any], |e, a| in_zone(e, b"2006-01-02", a.any(0), b"Local")),
    Function::new("htmlDateInZone", &[Any, Text], |e, a| in_zone(e, b"2006-01-02", a.any(0), a.bytes(1))),
    Function::new("dateInZone", &[Text, Any, Text], |e, a| in_zone(e, a.bytes(0), a.any(1), a.bytes(2))),
    Function::new("date_in_zone", &[Text, Any, Text], |e, a| in_zone(e, a.bytes(0), a.any(1), a.bytes(2))),
    Function::new("dateModify", &[Text, TIME], |_, a| Ok(modify(a).unwrap_or_else(|_| a.any(1).clone()))),
    Function::new("date_modify", &[Text, TIME], |_, a| Ok(modify(a).unwrap_or_else(|_| a.any(1).clone()))),
    Function::new("mustDateModify", &[Text, TIME], |_, a| modify(a)),
    Function::new("must_date_modify", &[Text, TIME], |_, a| modify(a)),
    Function::new("ago", &[Any], |e, a| {
        let then = moment(e, a.any(0));
        Ok(duration::text(duration::to_seconds(now(e).since(&then))).into())
    }),
    Function::new("duration", &[Any], |_, a| Ok(seconds(a.any(0)).into())),
    Function::new("durationRound", &[Any], |e, a| {
        let nanos = match a.any(0) {
            Value::Str(text) => duration::parse(&text.text()).unwrap_or(0),
            Value::Int(IntKind::Int64, nanos) => *nanos,
            other => match time_of(other) {
                Some(then) => now(e).since(&then),
                None => 0,
            },
        };
        Ok(duration::rounded(nanos).into())
    }),
    Function::new("toDate", &[Text, Text], |_, a| Ok(value(parsed(a).unwrap_or_else(|_| Time::zero())))),
    Function::new("mustToDate", &[Text, Text], |_, a| Ok(value(parsed(a)?))),
    Function::new("unixEpoch", &[TIME], |_, a| {
        Ok(time_of(a.any(0)).map_or(0, |t| t.seconds).to_string().into())
    }),
];

fn parsed(a: &[Value]) -> Result<Time, Fault> {
    let (layout, text) = (a.str(0), a.str(1));
    time::parse(&time::carried(&layout), &time::carried(&text)).map_err(Fault::Text)
}

fn moment(exec: &mut Exec<'_>, value: &Value) -> Time {
    match value {
        Value::Int(IntKind::Int | IntKind::Int64 | IntKind::Int32, seconds) => Time::unix(*seconds),
        other => time_of(other).unwrap_or_else(|| now(exec)),
    }
}

fn in_zone(exec: &mut Exec<'_>, layout: &[u8], value: &Value, zone: &[u8]) -> Outcome {
    let mut time = moment(exec, value);
    time.zone = std::str::from_utf8(zone).ok().and_then(time::zone).unwrap_or(Zone::Utc);
    Ok(time::uncarried(&time::format(&time, &time::carried(layout))).into_owned().into())
}

fn modify(a: &[Value]) -> Outcome {
    let nanos = duration::parse(&time::carried(a.bytes(0)))?;
    Ok(time_of(a.any(1)).map(|time| value(time.plus(nanos))).unwrap_or_default())
}

/// A number as Go's `ParseInt` gives it when nobody looks at its error: the nearest one, or 0 for what is none.
fn whole(text: &str) -> i64 {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let size = match digits.parse::<u64>() {
        _ if digits.starts_with('+') => 0,
        Ok(size) => size,
        // Go reads no further than what is too large.
        Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => u64::MAX,
        Err(_) => 0,
    };
    let size = i128::from(size).min(i128::from(i64::MAX) + i128::from(negative));
    i64::try_from(if negative { -size } else { size }).unwrap_or_default()
}

fn seconds(value: &Value) -> String {
    let count = match value {
        Value::Str(text) => whole(&text.text()),
        Value::Int(IntKind::Int64, count) => *count,
        _ => 0,
    };
    duration::text(count.wrapping_mul(1_000_000_000))
}

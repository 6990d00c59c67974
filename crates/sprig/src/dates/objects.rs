//! The types of Go's package `time` that templates come across, with all their methods.

use std::any::Any;
use std::rc::Rc;

use gotemplate::Ty::{self, Int, Str as Text};
use gotemplate::{IntKind, Method, Object, TypedNil, Value};

use crate::args::{Args, Outcome};
use crate::time::{self, DAYS, FixedZone, MONTHS, Time, Zone, duration};

pub(super) const TIME: Ty = Ty::Named("time.Time");
const DURATION: Ty = Ty::Number("time.Duration", |nanos| named(Kind::Duration, nanos));
const LOCATION: Ty = Ty::Named("*time.Location");
const BYTES: Ty = Ty::Named("[]uint8");
const INT: Ty = Int(IntKind::Int);

pub(crate) fn value(time: Time) -> Value {
    Value::Object(Rc::new(TimeObject(time)))
}

fn downcast<T: 'static>(value: &Value) -> Option<&T> {
    match value {
        Value::Object(object) => object.as_any().downcast_ref(),
        _ => None,
    }
}

pub(super) fn time_of(value: &Value) -> Option<Time> {
    downcast::<TimeObject>(value).map(|object| object.0.clone())
}

struct TimeObject(Time);

/// A method of a time.
fn with(value: &Value, f: impl FnOnce(&Time) -> Value) -> Outcome {
    Ok(downcast::<TimeObject>(value).map(|time| f(&time.0)).unwrap_or_default())
}

/// A method of a time with another one.
fn two(value: &Value, a: &[Value], f: impl FnOnce(&Time, &Time) -> Value) -> Outcome {
    let times = downcast::<TimeObject>(value).zip(downcast::<TimeObject>(a.any(0)));
    Ok(times.map(|(x, y)| f(&x.0, &y.0)).unwrap_or_default())
}

/// Bytes that a method makes.
fn bytes(bytes: impl Into<Vec<u8>>) -> Value {
    Value::Bytes(bytes.into().into())
}

/// The bytes of an argument with others behind them.
fn appended(a: &[Value], more: &[u8]) -> Value {
    let before = a.any(0).as_bytes().map(|bytes| bytes.to_vec()).unwrap_or_default();
    bytes([before.as_slice(), more].concat())
}

fn moment(time: &Time) -> (i64, u32) {
    (time.seconds, time.nanos)
}

/// As JSON has it, without quotes.
fn rfc3339(time: &Time) -> String {
    time::format(time, "2006-01-02T15:04:05.999999999Z07:00")
}

/// A time as Go's own format has it: version, seconds since year 1, nanoseconds, offset in minutes (and seconds).
fn binary(time: &Time) -> Vec<u8> {
    let offset = match time.zone {
        // The mark of UTC.
        Zone::Utc => -60,
        _ => time.offset().0,
    };
    let rest = offset % 60;
    let mut out = vec![if rest == 0 { 1 } else { 2 }];
    out.extend(time.since_year_one().to_be_bytes());
    out.extend(time.nanos.to_be_bytes());
    out.extend(i16::try_from(offset / 60).unwrap_or_default().to_be_bytes());
    if rest != 0 {
        out.extend(i8::try_from(rest).unwrap_or_default().to_be_bytes());
    }
    out
}

/// As Go source text.
fn source(time: &Time) -> String {
    let civil = time.civil();
    let zone = match &time.zone {
        Zone::Utc => "time.UTC".to_owned(),
        Zone::Local => "time.Local".to_owned(),
        zone => format!("time.Location({})", gotemplate::quote(zone_name(zone).as_bytes())),
    };
    let month = Named { ty: Kind::Month, number: civil.month }.shown();
    format!(
        "time.Date({}, time.{month}, {}, {}, {}, {}, {}, {zone})",
        civil.year, civil.day, civil.hour, civil.minute, civil.second, time.nanos
    )
}

/// Nanoseconds that a time lies beyond a multiple of a step since year 1.
fn beyond(time: &Time, step: i64) -> i64 {
    let nanos = i128::from(time.since_year_one()) * 1_000_000_000 + i128::from(time.nanos);
    i64::try_from(nanos.rem_euclid(i128::from(step))).unwrap_or_default()
}

/// A time cut to a multiple of a step, or rounded to the next one, halves up.
fn stepped(time: &Time, step: i64, round: bool) -> Time {
    if step <= 0 {
        return time.clone();
    }
    let rest = beyond(time, step);
    time.plus(if round && rest >= step - rest { step - rest } else { -rest })
}

const METHODS: &[Method] = &[
    Method::new("Add", &[DURATION], |v, a| with(v, |t| value(t.plus(nanos(a.any(0)))))),
    Method::new("AddDate", &[INT, INT, INT], |v, a| {
        with(v, |t| {
            let (civil, (offset, _)) = (t.civil(), t.offset());
            let months = (civil.month - 1).wrapping_add(a.int(1));
            let year = civil.year.wrapping_add(a.int(0)).wrapping_add(months.div_euclid(12));
            let days = time::day_number(year, months.rem_euclid(12) + 1, civil.day.wrapping_add(a.int(2)));
            let of_day = civil.hour * 3600 + civil.minute * 60 + civil.second - offset;
            value(Time { seconds: days.wrapping_mul(86_400).wrapping_add(of_day), ..t.clone() })
        })
    }),
    Method::new("After", &[TIME], |v, a| two(v, a, |x, y| (moment(x) > moment(y)).into())),
    Method::new("AppendBinary", &[BYTES], |v, a| with(v, |t| appended(a, &binary(t)))),
    Method::new("AppendFormat", &[BYTES, Text], |v, a| {
        let layout = a.str(1);
        with(v, |t| appended(a, &time::uncarried(&time::format(t, &time::carried(&layout)))))
    }),
    Method::new("AppendText", &[BYTES], |v, a| with(v, |t| appended(a, rfc3339(t).as_bytes()))),
    Method::new("Before", &[TIME], |v, a| two(v, a, |x, y| (moment(x) < moment(y)).into())),
    Method::unusable("Clock", "function Clock has 3 return values; should be 1 or 2"),
    Method::new("Compare", &[TIME], |v, a| two(v, a, |x, y| Value::int(moment(x).cmp(&moment(y)) as i64))),
    Method::unusable("Date", "function Date has 3 return values; should be 1 or 2"),
    Method::new("Day", &[], |v, _| with(v, |t| Value::int(t.civil().day))),
    Method::new("Equal", &[TIME], |v, a| two(v, a, |x, y| (moment(x) == moment(y)).into())),
    Method::new("Format", &[Text], |v, a| {
        let layout = a.str(0);
        with(v, |t| time::uncarried(&time::format(t, &time::carried(&layout))).into_owned().into())
    }),
    Method::new("GoString", &[], |v, _| with(v, |t| source(t).into())),
    Method::new("GobEncode", &[], |v, _| with(v, |t| bytes(binary(t)))),
    Method::new("Hour", &[], |v, _| with(v, |t| Value::int(t.civil().hour))),
    Method::unusable(
        "ISOWeek",
        "invalid function signature for ISOWeek: second return value should be error; is int",
    ),
    Method::new("In", &[LOCATION], |v, a| match downcast::<Location>(a.any(0)) {
        Some(location) => with(v, |t| value(Time { zone: location.0.clone(), ..t.clone() })),
        None => Err("time: missing Location in call to Time.In".into()),
    }),
    Method::new("IsDST", &[], |v, _| with(v, |t| t.is_summer_time().into())),
    Method::new("IsZero", &[], |v, _| with(v, |t| t.is_zero().into())),
    Method::new("Local", &[], |v, _| with(v, |t| value(Time { zone: Zone::Local, ..t.clone() }))),
    Method::new("Location", &[], |v, _| with(v, |t| location(&t.zone))),
    Method::new("MarshalBinary", &[], |v, _| with(v, |t| bytes(binary(t)))),
    Method::new("MarshalJSON", &[], |v, _| with(v, |t| bytes(format!("\"{}\"", rfc3339(t))))),
    Method::new("MarshalText", &[], |v, _| with(v, |t| bytes(rfc3339(t)))),
    Method::new("Minute", &[], |v, _| with(v, |t| Value::int(t.civil().minute))),
    Method::new("Month", &[], |v, _| with(v, |t| named(Kind::Month, t.civil().month))),
    Method::new("Nanosecond", &[], |v, _| with(v, |t| Value::int(i64::from(t.nanos)))),
    Method::new("Round", &[DURATION], |v, a| with(v, |t| value(stepped(t, nanos(a.any(0)), true)))),
    Method::new("Second", &[], |v, _| with(v, |t| Value::int(t.civil().second))),
    Method::new("String", &[], |v, _| Ok(gotemplate::fmt::sprint(v).into())),
    Method::new("Sub", &[TIME], |v, a| two(v, a, |x, y| named(Kind::Duration, x.since(y)))),
    Method::new("Truncate", &[DURATION], |v, a| with(v, |t| value(stepped(t, nanos(a.any(0)), false)))),
    Method::new("UTC", &[], |v, _| with(v, |t| value(Time { zone: Zone::Utc, ..t.clone() }))),
    Method::new("Unix", &[], |v, _| with(v, |t| Value::int64(t.seconds))),
    Method::new("UnixMicro", &[], |v, _| with(v, |t| Value::int64(since_1970(t, 1_000_000)))),
    Method::new("UnixMilli", &[], |v, _| with(v, |t| Value::int64(since_1970(t, 1_000)))),
    Method::new("UnixNano", &[], |v, _| with(v, |t| Value::int64(since_1970(t, 1_000_000_000)))),
    Method::new("Weekday", &[], |v, _| with(v, |t| named(Kind::Weekday, t.civil().weekday))),
    Method::new("Year", &[], |v, _| with(v, |t| Value::int(t.civil().year))),
    Method::new("YearDay", &[], |v, _| with(v, |t| Value::int(t.civil().year_day))),
    Method::unusable(
        "Zone",
        "invalid function signature for Zone: second return value should be error; is int",
    ),
    Method::unusable(
        "ZoneBounds",
        "invalid function signature for ZoneBounds: second return value should be error; is time.Time",
    ),
];

/// Since 1970, in parts of a second.
fn since_1970(time: &Time, parts: i64) -> i64 {
    time.seconds.wrapping_mul(parts).wrapping_add(i64::from(time.nanos) / (1_000_000_000 / parts))
}

impl Object for TimeObject {
    fn type_name(&self) -> &str {
        "time.Time"
    }
    fn kind(&self) -> &'static str {
        "struct"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn methods(&self) -> &'static [Method] {
        METHODS
    }
    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("wall", Value::Int(IntKind::Uint64, i64::from(self.0.nanos))),
            ("ext", Value::int64(self.0.since_year_one())),
            (
                "loc",
                if matches!(self.0.zone, Zone::Utc) { nil("*time.Location") } else { location(&self.0.zone) },
            ),
        ]
    }
    fn text(&self) -> Option<String> {
        Some(time::format(&self.0, "2006-01-02 15:04:05.999999999 -0700 MST"))
    }
    fn go_text(&self) -> Option<String> {
        Some(source(&self.0))
    }
    fn encoded(&self) -> Value {
        rfc3339(&self.0).into()
    }
}

/// Where a time is shown: a pointer, of which nothing is written but its name.
struct Location(Zone);

fn nil(ty: &'static str) -> Value {
    Value::Object(Rc::new(TypedNil(ty)))
}

fn location(zone: &Zone) -> Value {
    Value::Object(Rc::new(Location(zone.clone())))
}

fn zone_name(zone: &Zone) -> String {
    match zone {
        Zone::Utc | Zone::Local => "UTC".to_owned(),
        Zone::Fixed(zone) => zone.name.clone(),
        Zone::Named(zone) => zone.iana_name().unwrap_or_default().to_owned(),
    }
}

impl Object for Location {
    fn type_name(&self) -> &str {
        "*time.Location"
    }
    fn kind(&self) -> &'static str {
        "ptr"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn methods(&self) -> &'static [Method] {
        const METHODS: &[Method] =
            &[Method::new("String", &[], |v, _| Ok(gotemplate::fmt::sprint(v).into()))];
        METHODS
    }
    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("name", zone_name(&self.0).into()),
            // The offset of a fixed zone stands in there.
            ("zone", nil("[]time.zone")),
            ("tx", nil("[]time.zoneTrans")),
            ("extend", "".into()),
            ("cacheStart", Value::int64(0)),
            ("cacheEnd", Value::int64(0)),
            ("cacheZone", nil("*time.zone")),
        ]
    }
    fn only_pointer_has_text(&self) -> bool {
        true
    }
    fn same(&self, other: &dyn Object) -> bool {
        match (&self.0, other.as_any().downcast_ref()) {
            (Zone::Utc, Some(Location(Zone::Utc))) | (Zone::Local, Some(Location(Zone::Local))) => true,
            (Zone::Fixed(x), Some(Location(Zone::Fixed(y)))) => Rc::ptr_eq(x, y) || (x == y && x.only),
            _ => false,
        }
    }
    fn copied(&self) -> Option<Value> {
        let nowhere = FixedZone { offset: 0, name: String::new(), only: false };
        Some(location(&Zone::Fixed(Rc::new(nowhere))))
    }
    fn text(&self) -> Option<String> {
        Some(zone_name(&self.0))
    }
    fn members(&self) -> Option<Vec<(&'static str, Value)>> {
        Some(Vec::new())
    }
    fn encoded(&self) -> Value {
        Value::dict(std::collections::BTreeMap::new())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Month,
    Weekday,
    Duration,
}

/// A named integer.
struct Named {
    ty: Kind,
    number: i64,
}

fn named(ty: Kind, number: i64) -> Value {
    Value::Object(Rc::new(Named { ty, number }))
}

impl Named {
    fn shown(&self) -> String {
        let (names, first, ty): (&[&str], i64, _) = match self.ty {
            Kind::Month => (&MONTHS, 1, "Month"),
            Kind::Weekday => (&DAYS, 0, "Weekday"),
            Kind::Duration => return duration::text(self.number),
        };
        let name = usize::try_from(self.number - first).ok().and_then(|at| names.get(at));
        name.map_or_else(|| format!("%!{ty}({})", self.number), |name| (*name).to_owned())
    }
}

fn nanos(value: &Value) -> i64 {
    downcast::<Named>(value).map_or(0, |named| named.number)
}

/// A duration from another.
fn longer(value: &Value, f: impl FnOnce(i64) -> i64) -> Outcome {
    Ok(named(Kind::Duration, f(nanos(value))))
}

/// A duration in units of so many nanoseconds, as a float the way Go computes it: the whole ones, and the rest.
fn units(value: &Value, unit: i64) -> Outcome {
    let (whole, rest) = (nanos(value) / unit, nanos(value) % unit);
    Ok(Value::Float(whole as f64 + rest as f64 / unit as f64))
}

/// A duration cut to a multiple of a step, or rounded to the nearest one, halves away from zero, as far as it fits.
fn duration_stepped(value: &Value, step: i64, round: bool) -> Outcome {
    longer(value, |nanos| {
        if step <= 0 {
            return nanos;
        }
        let rest = nanos % step;
        let cut = nanos - rest;
        if !round || rest.unsigned_abs() < step.unsigned_abs() - rest.unsigned_abs() {
            return cut;
        }
        cut.saturating_add(if nanos < 0 { -step } else { step })
    })
}

impl Object for Named {
    fn type_name(&self) -> &str {
        match self.ty {
            Kind::Month => "time.Month",
            Kind::Weekday => "time.Weekday",
            Kind::Duration => "time.Duration",
        }
    }
    fn kind(&self) -> &'static str {
        if self.ty == Kind::Duration { "int64" } else { "int" }
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn number(&self) -> Option<i64> {
        Some(self.number)
    }
    fn with_number(&self, number: i64) -> Value {
        named(self.ty, number)
    }
    fn cast(&self) -> i64 {
        // One of the few types that the library for casts knows about, as none of its numbers.
        if self.ty == Kind::Duration { 0 } else { self.number }
    }
    fn text(&self) -> Option<String> {
        Some(self.shown())
    }
    fn truth(&self) -> bool {
        self.number != 0
    }
    fn encoded(&self) -> Value {
        Value::int64(self.number)
    }
    fn methods(&self) -> &'static [Method] {
        const METHODS: &[Method] = &[
            Method::new("String", &[], |v, _| Ok(gotemplate::fmt::sprint(v).into())),
            Method::new("Abs", &[], |v, _| longer(v, i64::saturating_abs)),
            Method::new("Hours", &[], |v, _| units(v, 3_600_000_000_000)),
            Method::new("Microseconds", &[], |v, _| Ok(Value::int64(nanos(v) / 1_000))),
            Method::new("Milliseconds", &[], |v, _| Ok(Value::int64(nanos(v) / 1_000_000))),
            Method::new("Minutes", &[], |v, _| units(v, 60_000_000_000)),
            Method::new("Nanoseconds", &[], |v, _| Ok(Value::int64(nanos(v)))),
            Method::new("Round", &[DURATION], |v, a| duration_stepped(v, nanos(a.any(0)), true)),
            Method::new("Seconds", &[], |v, _| units(v, 1_000_000_000)),
            Method::new("Truncate", &[DURATION], |v, a| duration_stepped(v, nanos(a.any(0)), false)),
        ];
        if self.ty == Kind::Duration { METHODS } else { METHODS.get(..1).unwrap_or_default() }
    }
}

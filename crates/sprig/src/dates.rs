//! Dates. The clock is a parameter of the run.

use std::any::Any as StdAny;
use std::rc::Rc;

use gotemplate::Ty::{self, Any, Int, Str as Text};
use gotemplate::{Exec, Fault, Function, IntKind, Method, Object, Value};

use crate::args::{Args, Outcome};
use crate::state::now;
use crate::time::{self, DAYS, MONTHS, Time, Zone, duration};

const TIME: Ty = Ty::Named("time.Time");

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
    text.parse::<i64>().unwrap_or_else(|error| match error.kind() {
        std::num::IntErrorKind::PosOverflow => i64::MAX,
        std::num::IntErrorKind::NegOverflow => i64::MIN,
        _ => 0,
    })
}

fn seconds(value: &Value) -> String {
    let count = match value {
        Value::Str(text) => whole(&text.text()),
        Value::Int(IntKind::Int64, count) => *count,
        _ => 0,
    };
    duration::text(count.wrapping_mul(1_000_000_000))
}

pub(crate) fn value(time: Time) -> Value {
    Value::Object(Rc::new(TimeObject(time)))
}

fn time_of(value: &Value) -> Option<Time> {
    match value {
        Value::Object(object) => object.as_any().downcast_ref::<TimeObject>().map(|object| object.0.clone()),
        _ => None,
    }
}

struct TimeObject(Time);

/// A named integer: a month, a weekday, a duration.
struct Named {
    ty: &'static str,
    kind: &'static str,
    number: i64,
    text: String,
}

impl Object for Named {
    fn type_name(&self) -> &str {
        self.ty
    }
    fn kind(&self) -> &'static str {
        self.kind
    }
    fn as_any(&self) -> &dyn StdAny {
        self
    }
    fn number(&self) -> Option<i64> {
        Some(self.number)
    }
    fn text(&self) -> Option<String> {
        Some(self.text.clone())
    }
    fn truth(&self) -> bool {
        self.number != 0
    }
    fn encoded(&self) -> Value {
        Value::int64(self.number)
    }
    fn methods(&self) -> &'static [Method] {
        const METHODS: &[Method] = &[
            Method {
                name: "String",
                params: &[],
                rest: None,
                call: |v, _| Ok(gotemplate::fmt::sprint(v).into()),
            },
            Method {
                name: "Hours",
                params: &[],
                rest: None,
                call: |v, _| Ok(Value::Float(nanos(v) as f64 / 3.6e12)),
            },
            Method {
                name: "Minutes",
                params: &[],
                rest: None,
                call: |v, _| Ok(Value::Float(nanos(v) as f64 / 6e10)),
            },
            Method {
                name: "Seconds",
                params: &[],
                rest: None,
                call: |v, _| Ok(Value::Float(nanos(v) as f64 / 1e9)),
            },
            Method {
                name: "Milliseconds",
                params: &[],
                rest: None,
                call: |v, _| Ok(Value::int64(nanos(v) / 1_000_000)),
            },
            Method { name: "Nanoseconds", params: &[], rest: None, call: |v, _| Ok(Value::int64(nanos(v))) },
        ];
        if self.ty == "time.Duration" { METHODS } else { METHODS.get(..1).unwrap_or_default() }
    }
}

fn nanos(value: &Value) -> i64 {
    match value {
        Value::Object(object) => object.number().unwrap_or(0),
        _ => 0,
    }
}

fn pick(names: &[&str], at: i64) -> String {
    usize::try_from(at).ok().and_then(|at| names.get(at)).map_or_else(String::new, |name| (*name).to_owned())
}

fn with(value: &Value, f: impl FnOnce(&Time) -> Value) -> Outcome {
    Ok(time_of(value).map(|time| f(&time)).unwrap_or_default())
}

fn two(value: &Value, a: &[Value], f: impl FnOnce(&Time, &Time) -> Value) -> Outcome {
    Ok(time_of(value).zip(time_of(a.any(0))).map(|(x, y)| f(&x, &y)).unwrap_or_default())
}

const D: Ty = Ty::Named("time.Duration");
const INT: Ty = Int(IntKind::Int);

macro_rules! methods {
    ($($name:literal ($($param:expr),*) $call:expr;)*) => {
        &[$(Method { name: $name, params: &[$($param),*], rest: None, call: $call },)*]
    };
}

const METHODS: &[Method] = methods! {
    "Unix" () |v, _| with(v, |t| Value::int64(t.seconds));
    "UnixMilli" () |v, _| with(v, |t| Value::int64(t.seconds * 1000 + i64::from(t.nanos) / 1_000_000));
    "UnixNano" () |v, _| with(v, |t| Value::int64(t.seconds.wrapping_mul(1_000_000_000).wrapping_add(i64::from(t.nanos))));
    "Format" (Text) |v, a| with(v, |t| time::format(t, &a.str(0).text()).into());
    "String" () |v, _| Ok(gotemplate::fmt::sprint(v).into());
    "Year" () |v, _| with(v, |t| Value::int(t.civil().year));
    "Month" () |v, _| with(v, |t| {
        let number = t.civil().month;
        Value::Object(Rc::new(Named { ty: "time.Month", kind: "int", number, text: pick(&MONTHS, number - 1) }))
    });
    "Day" () |v, _| with(v, |t| Value::int(t.civil().day));
    "Hour" () |v, _| with(v, |t| Value::int(t.civil().hour));
    "Minute" () |v, _| with(v, |t| Value::int(t.civil().minute));
    "Second" () |v, _| with(v, |t| Value::int(t.civil().second));
    "Nanosecond" () |v, _| with(v, |t| Value::int(i64::from(t.nanos)));
    "YearDay" () |v, _| with(v, |t| Value::int(t.civil().year_day));
    "Weekday" () |v, _| with(v, |t| {
        let number = t.civil().weekday;
        Value::Object(Rc::new(Named { ty: "time.Weekday", kind: "int", number, text: pick(&DAYS, number) }))
    });
    "UTC" () |v, _| with(v, |t| value(Time { zone: Zone::Utc, ..t.clone() }));
    "Local" () |v, _| with(v, |t| value(Time { zone: Zone::Utc, ..t.clone() }));
    "IsZero" () |v, _| with(v, |t| t.is_zero().into());
    "Add" (D) |v, a| with(v, |t| value(t.plus(nanos(a.any(0)))));
    "AddDate" (INT, INT, INT) |v, a| with(v, |t| {
        let (civil, (offset, _)) = (t.civil(), t.offset());
        let months = civil.year * 12 + civil.month - 1 + a.int(0) * 12 + a.int(1);
        let days = time::day_number(months.div_euclid(12), months.rem_euclid(12) + 1, 1) + civil.day - 1 + a.int(2);
        let seconds = days * 86_400 + civil.hour * 3600 + civil.minute * 60 + civil.second - offset;
        value(Time { seconds, ..t.clone() })
    });
    "Sub" (TIME) |v, a| two(v, a, |x, y| {
        let number = x.since(y);
        Value::Object(Rc::new(Named { ty: "time.Duration", kind: "int64", number, text: duration::text(number) }))
    });
    "After" (TIME) |v, a| two(v, a, |x, y| ((x.seconds, x.nanos) > (y.seconds, y.nanos)).into());
    "Before" (TIME) |v, a| two(v, a, |x, y| ((x.seconds, x.nanos) < (y.seconds, y.nanos)).into());
    "Equal" (TIME) |v, a| two(v, a, |x, y| ((x.seconds, x.nanos) == (y.seconds, y.nanos)).into());
};

impl Object for TimeObject {
    fn type_name(&self) -> &str {
        "time.Time"
    }
    fn kind(&self) -> &'static str {
        "struct"
    }
    fn as_any(&self) -> &dyn StdAny {
        self
    }
    fn methods(&self) -> &'static [Method] {
        METHODS
    }
    fn text(&self) -> Option<String> {
        Some(time::format(&self.0, "2006-01-02 15:04:05.999999999 -0700 MST"))
    }
    fn encoded(&self) -> Value {
        time::format(&self.0, "2006-01-02T15:04:05.999999999Z07:00").into()
    }
}

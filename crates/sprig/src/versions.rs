//! `semver` and `semverCompare`.

use std::any::Any as StdAny;
use std::cell::RefCell;
use std::rc::Rc;

use gotemplate::Ty::{self, Any, Str as Text};
use gotemplate::{Fault, Function, IntKind, Method, Object, Value};
use semver::{Constraint, Version};

use crate::args::{Args, Outcome};
use crate::json_read;
use crate::time::{carried, uncarried};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("semver", &[Text], |_, a| {
        Ok(Value::Object(Rc::new(VersionObject { version: RefCell::new(version(a)?), pointer: true })))
    }),
    Function::new("semverCompare", &[Text, Text], |_, a| {
        let constraint = Constraint::parse(&carried(a.bytes(0))).map_err(text)?;
        let version = Version::parse(&a.str(1).text()).map_err(text)?;
        Ok(constraint.check(&version).into())
    }),
];

fn text(error: semver::Error) -> Fault {
    match error {
        semver::Error::Constraint(text) => {
            Fault::Text(format!("improper constraint: {}", gotemplate::quote(&uncarried(&text))))
        }
        error => Fault::Text(error.to_string()),
    }
}

fn version(a: &[Value]) -> Result<Version, Fault> {
    Version::parse(&a.str(0).text()).map_err(text)
}

struct VersionObject {
    /// Changed by methods that read into it.
    version: RefCell<Version>,
    pointer: bool,
}

fn object(value: &Value) -> Option<&VersionObject> {
    match value {
        Value::Object(object) => object.as_any().downcast_ref(),
        _ => None,
    }
}

fn of(value: &Value) -> Option<Version> {
    object(value).map(|object| object.version.borrow().clone())
}

fn number(value: u64) -> Value {
    Value::Int(IntKind::Uint64, value.cast_signed())
}

fn with(value: &Value, f: impl FnOnce(Version) -> Value) -> Outcome {
    Ok(of(value).map(f).unwrap_or_default())
}

fn compared(value: &Value, a: &[Value], f: impl FnOnce(&Version, &Version) -> Value) -> Outcome {
    let Some(other) = of(a.any(0)) else {
        return Err("runtime error: invalid memory address or nil pointer dereference".into());
    };
    with(value, |version| f(&version, &other))
}

/// A version that a method makes.
fn made(version: Version) -> Value {
    Value::Object(Rc::new(VersionObject { version: RefCell::new(version), pointer: false }))
}

/// An error that a method gives as its only result, or none.
struct ErrorValue(Option<String>);

impl Object for ErrorValue {
    fn type_name(&self) -> &str {
        if self.0.is_some() { "*errors.errorString" } else { "<nil>" }
    }
    fn kind(&self) -> &'static str {
        if self.0.is_some() { "ptr" } else { "invalid" }
    }
    fn truth(&self) -> bool {
        self.0.is_some()
    }
    fn as_any(&self) -> &dyn StdAny {
        self
    }
    fn methods(&self) -> &'static [Method] {
        const METHODS: &[Method] = &[Method::new("Error", &[], |v, _| Ok(gotemplate::fmt::sprint(v).into()))];
        METHODS
    }
    fn fields(&self) -> Vec<(&'static str, Value)> {
        self.0.iter().map(|text| ("s", text.as_str().into())).collect()
    }
    fn text(&self) -> Option<String> {
        Some(self.0.clone().unwrap_or_else(|| "<nil>".to_owned()))
    }
    fn members(&self) -> Option<Vec<(&'static str, Value)>> {
        self.0.is_some().then(Vec::new)
    }
    fn encoded(&self) -> Value {
        if self.0.is_some() { Value::dict(std::collections::BTreeMap::new()) } else { Value::Nil }
    }
}

/// Reads another version in place of this one; the result is nil, or the error.
fn read(value: &Value, text: Result<String, String>) -> Outcome {
    let parsed = text.and_then(|text| Version::parse(&text).map_err(|error| error.to_string()));
    let problem = match (parsed, object(value)) {
        (Ok(version), Some(object)) => {
            *object.version.borrow_mut() = version;
            None
        }
        (Err(problem), _) => Some(problem),
        (Ok(_), None) => None,
    };
    Ok(Value::Object(Rc::new(ErrorValue(problem))))
}

fn scan(value: &Value, a: &[Value]) -> Outcome {
    read(
        value,
        match a.any(0) {
            Value::Nil => Err("cannot scan nil into Version".to_owned()),
            Value::Str(text) => Ok(text.text().into_owned()),
            other => match other.as_bytes() {
                Some(bytes) => Ok(gotemplate::lossy(bytes).into_owned()),
                None => Err(format!("unsupported Scan type {}", other.type_name())),
            },
        },
    )
}

fn bytes(a: &[Value]) -> &[u8] {
    a.any(0).as_bytes().unwrap_or_default()
}

fn quoted(version: &Version) -> Value {
    let quoted = gotemplate::quote(version.to_string().as_bytes());
    Value::Bytes(quoted.into_bytes().into())
}

/// The next version, in which one of the numbers is larger.
fn next(value: &Value, number: &str, f: impl FnOnce(&Version) -> Option<Version>) -> Outcome {
    let Some(version) = of(value) else { return Ok(Value::Nil) };
    match f(&version) {
        Some(next) => Ok(made(next)),
        None => Err(format!("{number} version increment would overflow uint64").into()),
    }
}

/// The version with something behind its numbers.
fn suffixed(value: &Value, f: impl FnOnce(&Version) -> Result<Version, semver::Error>) -> Outcome {
    of(value).map_or(Ok(Value::Nil), |version| f(&version).map(made).map_err(text))
}

const V: Ty = Ty::Named("*semver.Version");
const BYTES: Ty = Ty::Named("[]uint8");

/// The methods of a pointer, and before them those of the version itself.
const METHODS: &[Method] = &[
    Method::new("IncMajor", &[], |v, _| next(v, "major", Version::next_major)),
    Method::new("IncMinor", &[], |v, _| next(v, "minor", Version::next_minor)),
    Method::new("IncPatch", &[], |v, _| next(v, "patch", Version::next_patch)),
    Method::new("Major", &[], |v, _| with(v, |v| number(v.major))),
    Method::new("MarshalJSON", &[], |v, _| with(v, |v| quoted(&v))),
    Method::new("MarshalText", &[], |v, _| with(v, |v| Value::Bytes(v.to_string().into_bytes().into()))),
    Method::new("Metadata", &[], |v, _| with(v, |v| v.metadata.clone().into())),
    Method::new("Minor", &[], |v, _| with(v, |v| number(v.minor))),
    Method::new("Patch", &[], |v, _| with(v, |v| number(v.patch))),
    Method::new("Prerelease", &[], |v, _| with(v, |v| v.pre.clone().into())),
    Method::new("SetMetadata", &[Text], |v, a| suffixed(v, |v| v.with_metadata(&carried(a.bytes(0))))),
    Method::new("SetPrerelease", &[Text], |v, a| suffixed(v, |v| v.with_prerelease(&carried(a.bytes(0))))),
    Method::new("String", &[], |v, _| with(v, |v| v.to_string().into())),
    Method::new("Value", &[], |v, _| with(v, |v| v.to_string().into())),
    Method::new("Compare", &[V], |v, a| compared(v, a, |x, y| Value::int(x.cmp(y) as i64))),
    Method::new("Equal", &[V], |v, a| {
        let other = of(a.any(0));
        with(v, |version| other.is_some_and(|other| version == other).into())
    }),
    Method::new("GreaterThan", &[V], |v, a| compared(v, a, |x, y| (x > y).into())),
    Method::new("GreaterThanEqual", &[V], |v, a| compared(v, a, |x, y| (x >= y).into())),
    Method::new("LessThan", &[V], |v, a| compared(v, a, |x, y| (x < y).into())),
    Method::new("LessThanEqual", &[V], |v, a| compared(v, a, |x, y| (x <= y).into())),
    Method::new("Original", &[], |v, _| with(v, |v| v.original().into())),
    Method::new("Scan", &[Any], scan),
    Method::new("UnmarshalJSON", &[BYTES], |v, a| read(v, json_read::string(bytes(a)))),
    Method::new("UnmarshalText", &[BYTES], |v, a| read(v, Ok(gotemplate::lossy(bytes(a)).into_owned()))),
];

/// How many of them are those of the version itself.
const OF_VALUES: usize = 14;

impl Object for VersionObject {
    fn type_name(&self) -> &str {
        if self.pointer { "*semver.Version" } else { "semver.Version" }
    }
    fn kind(&self) -> &'static str {
        if self.pointer { "ptr" } else { "struct" }
    }
    fn as_any(&self) -> &dyn StdAny {
        self
    }
    fn methods(&self) -> &'static [Method] {
        if self.pointer { METHODS } else { METHODS.get(..OF_VALUES).unwrap_or_default() }
    }
    fn copied(&self) -> Option<Value> {
        let version = RefCell::new(Version::default());
        Some(Value::Object(Rc::new(VersionObject { version, pointer: self.pointer })))
    }
    fn fields(&self) -> Vec<(&'static str, Value)> {
        let version = self.version.borrow();
        vec![
            ("major", number(version.major)),
            ("minor", number(version.minor)),
            ("patch", number(version.patch)),
            ("pre", version.pre.clone().into()),
            ("metadata", version.metadata.clone().into()),
            ("original", version.original().into()),
        ]
    }
    fn text(&self) -> Option<String> {
        Some(self.version.borrow().to_string())
    }
    fn encoded(&self) -> Value {
        self.version.borrow().to_string().into()
    }
}

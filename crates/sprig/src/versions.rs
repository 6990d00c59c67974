//! `semver` and `semverCompare`.

use std::any::Any as StdAny;
use std::rc::Rc;

use gotemplate::Ty::{self, Str as Text};
use gotemplate::{Fault, Function, IntKind, Method, Object, Value};
use semver::{Constraint, Version};

use crate::args::{Args, Outcome};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("semver", &[Text], |_, a| {
        Ok(Value::Object(Rc::new(VersionObject { version: version(a)?, pointer: true })))
    }),
    Function::new("semverCompare", &[Text, Text], |_, a| {
        let constraint = Constraint::parse(&a.str(0).text()).map_err(text)?;
        let version = Version::parse(&a.str(1).text()).map_err(text)?;
        Ok(constraint.check(&version).into())
    }),
];

fn text(error: semver::Error) -> Fault {
    match error {
        semver::Error::Constraint(text) => {
            Fault::Text(format!("improper constraint: {}", gotemplate::quote(text.as_bytes())))
        }
        error => Fault::Text(error.to_string()),
    }
}

fn version(a: &[Value]) -> Result<Version, Fault> {
    Version::parse(&a.str(0).text()).map_err(text)
}

struct VersionObject {
    version: Version,
    pointer: bool,
}

fn of(value: &Value) -> Option<Version> {
    match value {
        Value::Object(object) => {
            object.as_any().downcast_ref::<VersionObject>().map(|object| object.version.clone())
        }
        _ => None,
    }
}

fn number(value: u64) -> Value {
    Value::Int(IntKind::Uint64, value.cast_signed())
}

fn with(value: &Value, f: impl FnOnce(Version) -> Value) -> Outcome {
    Ok(of(value).map(f).unwrap_or_default())
}

fn compared(value: &Value, a: &[Value], f: impl FnOnce(&Version, &Version) -> Value) -> Outcome {
    Ok(of(value).zip(of(a.any(0))).map(|(x, y)| f(&x, &y)).unwrap_or_default())
}

/// A new version from its text.
fn made(text: &str) -> Outcome {
    let version = Version::parse(text).map_err(self::text)?;
    Ok(Value::Object(Rc::new(VersionObject { version, pointer: false })))
}

fn ordering(x: &Version, y: &Version) -> i64 {
    x.cmp(y) as i64
}

fn suffixed(version: &Version, pre: &str, metadata: &str) -> String {
    let mut text = String::new();
    if version.original().starts_with('v') {
        text.push('v');
    }
    text.push_str(&format!("{}.{}.{}", version.major, version.minor, version.patch));
    if !pre.is_empty() {
        text.push_str(&format!("-{pre}"));
    }
    if !metadata.is_empty() {
        text.push_str(&format!("+{metadata}"));
    }
    text
}

fn incremented(value: &Value, f: impl FnOnce(&Version) -> (u64, u64, u64)) -> Outcome {
    let Some(version) = of(value) else { return Ok(Value::Nil) };
    let (major, minor, patch) = f(&version);
    let prefix = if version.original().starts_with('v') { "v" } else { "" };
    made(&format!("{prefix}{major}.{minor}.{patch}"))
}

const V: Ty = Ty::Named("*semver.Version");

macro_rules! methods {
    ($($name:literal ($($param:expr),*) $call:expr;)*) => {
        &[$(Method { name: $name, params: &[$($param),*], rest: None, call: $call },)*]
    };
}

const METHODS: &[Method] = methods! {
    "Major" () |v, _| with(v, |v| number(v.major));
    "Minor" () |v, _| with(v, |v| number(v.minor));
    "Patch" () |v, _| with(v, |v| number(v.patch));
    "Prerelease" () |v, _| with(v, |v| v.pre.clone().into());
    "Metadata" () |v, _| with(v, |v| v.metadata.clone().into());
    "Original" () |v, _| with(v, |v| v.original().into());
    "String" () |v, _| with(v, |v| v.to_string().into());
    "Compare" (V) |v, a| compared(v, a, |x, y| Value::int(ordering(x, y)));
    "Equal" (V) |v, a| compared(v, a, |x, y| (x == y).into());
    "LessThan" (V) |v, a| compared(v, a, |x, y| (x < y).into());
    "LessThanEqual" (V) |v, a| compared(v, a, |x, y| (x <= y).into());
    "GreaterThan" (V) |v, a| compared(v, a, |x, y| (x > y).into());
    "GreaterThanEqual" (V) |v, a| compared(v, a, |x, y| (x >= y).into());
    "IncMajor" () |v, _| incremented(v, |v| (v.major + 1, 0, 0));
    "IncMinor" () |v, _| incremented(v, |v| (v.major, v.minor + 1, 0));
    "IncPatch" () |v, _| incremented(v, |v| (v.major, v.minor, v.patch + u64::from(v.pre.is_empty())));
    "SetPrerelease" (Text) |v, a| match of(v) {
        Some(version) => made(&suffixed(&version, &a.str(0).text(), &version.metadata)),
        None => Ok(Value::Nil),
    };
    "SetMetadata" (Text) |v, a| match of(v) {
        Some(version) => made(&suffixed(&version, &version.pre, &a.str(0).text())),
        None => Ok(Value::Nil),
    };
};

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
        METHODS
    }
    fn text(&self) -> Option<String> {
        Some(self.version.to_string())
    }
    fn encoded(&self) -> Value {
        self.version.to_string().into()
    }
}

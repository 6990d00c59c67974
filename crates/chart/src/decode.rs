//! YAML into the fields of Go's structs, with the conversions and errors of Helm's YAML reader.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};
use yaml::{Profile, ReadLimits, Resolved, Scalar};

use crate::values::{Plain, PlainTable};

/// What a place in a document must hold.
pub(crate) enum Shape {
    /// A string; numbers and booleans become text.
    Text,
    Bool,
    /// Anything; every number is a float.
    Any,
    List(&'static Shape),
    /// A map with string keys.
    Map(&'static Shape),
    Struct(&'static Struct),
}

/// A Go struct: its name, and its fields in JSON's spelling.
pub(crate) struct Struct {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    pub(crate) fields: &'static [(&'static str, Shape)],
}

impl Struct {
    /// Whether there is such a field, in any case of letters.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| field.eq_ignore_ascii_case(name))
    }
}

/// Reads the first document of a text. Absent and null fields are absent in the result; unknown ones are dropped.
pub(crate) fn read(text: &[u8], shape: &'static Struct) -> Result<Map<String, Json>, String> {
    let keys: Vec<&str> = shape.fields.iter().map(|(name, _)| *name).collect();
    let tree = yaml::read_first_keys(text, Profile::V2, &ReadLimits::default(), &keys)
        .map_err(|error| converting(&sprig::yaml_error_text(&error)))?;
    match tree {
        Some(tree) => from_tree(&tree, shape),
        None => Ok(Map::new()),
    }
}

/// As [`read`], of a document that is read already.
pub(crate) fn from_tree(tree: &yaml::Value, shape: &'static Struct) -> Result<Map<String, Json>, String> {
    check(tree)?;
    let mut decoder = Decoder { path: Vec::new(), structs: Vec::new(), problem: None };
    let found = decoder.decode(tree, &Shape::Struct(shape), true)?;
    match (decoder.problem, found) {
        (Some(problem), _) => Err(problem),
        (None, Json::Object(map)) => Ok(map),
        _ => Ok(Map::new()),
    }
}

/// A tree as values, with every number a float, as Helm has them.
pub(crate) fn plain(tree: &yaml::Value) -> Result<Plain, String> {
    Ok(match tree {
        yaml::Value::Scalar(scalar) => plain_scalar(scalar)?,
        yaml::Value::Seq(items) => Plain::List(items.iter().map(plain).collect::<Result<_, _>>()?),
        yaml::Value::Map(map) => {
            let mut entries = Vec::with_capacity(map.len());
            for entry in map.entries() {
                entries.push(((&*key(&entry.key)?).into(), plain(&entry.value)?));
            }
            Plain::Table(PlainTable::new(entries))
        }
    })
}

fn plain_scalar(scalar: &Scalar) -> Result<Plain, String> {
    Ok(match scalar.resolve().map_err(|error| converting(&error.to_string()))? {
        Resolved::Null => Plain::Nil,
        Resolved::Bool(value) => Plain::Bool(value),
        Resolved::Int(value) => float(value as f64)?,
        Resolved::UInt(value) => float(value as f64)?,
        Resolved::Float(value) => float(value)?,
        Resolved::Str(text) => Plain::Text((&*text).into()),
    })
}

fn float(value: f64) -> Result<Plain, String> {
    let name = match value {
        f64::INFINITY => "+Inf",
        f64::NEG_INFINITY => "-Inf",
        value if value.is_nan() => "NaN",
        value => return Ok(Plain::Float(value)),
    };
    Err(converting(&format!("json: unsupported value: {name}")))
}

fn key(scalar: &Scalar) -> Result<Cow<'_, str>, String> {
    match scalar.as_str() {
        Some(text) => Ok(text.into()),
        None => Ok(sprig::yaml_key(scalar)?.text().into_owned().into()),
    }
}

/// What JSON cannot carry is an error wherever it stands, also in fields that nobody reads.
fn check(tree: &yaml::Value) -> Result<(), String> {
    match tree {
        yaml::Value::Scalar(scalar) if scalar.as_str().is_some() => Ok(()),
        yaml::Value::Scalar(scalar) => match scalar.resolve().map_err(|e| converting(&e.to_string()))? {
            Resolved::Float(value) => float(value).map(|_| ()),
            _ => Ok(()),
        },
        yaml::Value::Seq(items) => items.iter().try_for_each(check),
        yaml::Value::Map(map) => map.entries().iter().try_for_each(|entry| {
            if entry.key.is_null() {
                key(&entry.key)?;
            }
            check(&entry.value)
        }),
    }
}

fn converting(problem: &str) -> String {
    format!("error converting YAML to JSON: {problem}")
}

fn kind(tree: &yaml::Value) -> &'static str {
    match tree {
        yaml::Value::Seq(_) => "array",
        yaml::Value::Map(_) => "object",
        yaml::Value::Scalar(scalar) => match scalar.resolve() {
            Ok(Resolved::Bool(_)) => "bool",
            Ok(Resolved::Int(_) | Resolved::UInt(_) | Resolved::Float(_)) => "number",
            _ => "string",
        },
    }
}

impl Shape {
    fn go_name(&self) -> String {
        match self {
            Shape::Text => "string".to_owned(),
            Shape::Bool => "bool".to_owned(),
            Shape::Any => "interface {}".to_owned(),
            Shape::List(Shape::Struct(of)) => format!("[]*{}{}", of.package, of.name),
            Shape::List(of) => format!("[]{}", of.go_name()),
            Shape::Map(of) => format!("map[string]{}", of.go_name()),
            Shape::Struct(of) => format!("{}{}", of.package, of.name),
        }
    }
}

/// Go reads on after a value of the wrong type, and reports the first.
struct Decoder {
    path: Vec<&'static str>,
    structs: Vec<&'static str>,
    problem: Option<String>,
}

impl Decoder {
    fn decode(&mut self, tree: &yaml::Value, shape: &Shape, top: bool) -> Result<Json, String> {
        if tree.is_null() {
            return Ok(Json::Null);
        }
        match (shape, tree) {
            (Shape::Any, tree) => Ok(plain(tree)?.json()),
            (Shape::Text, yaml::Value::Scalar(scalar)) => {
                Ok(Json::String(text(scalar).map_err(|problem| converting(&problem))?))
            }
            (Shape::Bool, yaml::Value::Scalar(scalar)) => match scalar.resolve() {
                Ok(Resolved::Bool(value)) => Ok(Json::Bool(value)),
                _ => Ok(self.mismatch(tree, shape)),
            },
            (Shape::List(of), yaml::Value::Seq(items)) => {
                let items: Result<_, String> = items.iter().map(|i| self.decode(i, of, false)).collect();
                Ok(Json::Array(items?))
            }
            (Shape::Map(of), yaml::Value::Map(map)) => {
                let mut out = Map::new();
                for entry in map.entries() {
                    let found = self.decode(&entry.value, of, false)?;
                    let found = if found.is_null() { of.zero() } else { found };
                    out.insert(key(&entry.key)?.into_owned(), found);
                }
                Ok(Json::Object(out))
            }
            (Shape::Struct(of), yaml::Value::Map(map)) => {
                self.structs.push(of.name);
                let mut out = Map::new();
                let mut entries: Vec<(Cow<'_, str>, &yaml::Value)> = Vec::new();
                for entry in map.entries() {
                    entries.push((key(&entry.key)?, &entry.value));
                }
                // Go's JSON has the keys in the order of their bytes; a later spelling of a name wins.
                entries.sort_by(|a, b| a.0.cmp(&b.0));
                for (name, value) in entries {
                    let exact = of.fields.iter().find(|(field, _)| *field == name);
                    let field =
                        exact.or_else(|| of.fields.iter().find(|(f, _)| f.eq_ignore_ascii_case(&name)));
                    let Some((field, shape)) = field else { continue };
                    self.path.push(field);
                    let found = self.decode(value, shape, false)?;
                    self.path.pop();
                    if !found.is_null() {
                        out.insert((*field).to_owned(), found);
                    }
                }
                self.structs.pop();
                Ok(Json::Object(out))
            }
            (shape, tree) => {
                let found = self.mismatch(tree, shape);
                Ok(if top { Json::Null } else { found })
            }
        }
    }

    fn mismatch(&mut self, tree: &yaml::Value, shape: &Shape) -> Json {
        if self.problem.is_none() {
            let (kind, wanted) = (kind(tree), shape.go_name());
            let place = match self.structs.last() {
                Some(name) => format!("struct field {name}.{}", self.path.join(".")),
                None => "value".to_owned(),
            };
            self.problem = Some(format!(
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into Go {place} of type {wanted}"
            ));
        }
        Json::Null
    }
}

impl Shape {
    fn zero(&self) -> Json {
        match self {
            Shape::Text => Json::String(String::new()),
            Shape::Bool => Json::Bool(false),
            _ => Json::Null,
        }
    }
}

/// A scalar as text: floats in their shortest form of 32 bits.
fn text(scalar: &Scalar) -> Result<String, String> {
    Ok(match scalar.resolve().map_err(|error| error.to_string())? {
        Resolved::Null => String::new(),
        Resolved::Bool(value) => value.to_string(),
        Resolved::Int(value) => value.to_string(),
        Resolved::UInt(value) => value.to_string(),
        Resolved::Float(value) => gofloat::general_of_single(value),
        Resolved::Str(text) => text.into_owned(),
    })
}

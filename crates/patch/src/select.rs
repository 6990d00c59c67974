//! Dotted paths of replacements and vars: fields, indexes, `[key=value]` and `*`.

use regex::Regex;
use yaml::{Entry, Kind, Map, Profile, ReadLimits, Scalar, Style, Value};

use crate::field::kind_name;

/// A path that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A step that does not fit what is there.
    #[error("{step:?} needs {wanted}, found {found}")]
    Kind {
        /// The step of the path.
        step: String,
        /// What it can be applied to.
        wanted: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// An index beyond the list.
    #[error("index {index} is given, but the list has {len} items")]
    Index {
        /// The index.
        index: usize,
        /// Length of the list.
        len: usize,
    },
    /// A step that only some paths may have.
    #[error("{step:?} cannot stand here")]
    Step {
        /// The step.
        step: String,
    },
    /// A malformed regular expression in `[key=value]`.
    #[error("{pattern:?} is not a regular expression")]
    Pattern {
        /// The expression.
        pattern: String,
    },
    /// The value cannot be set.
    #[error("{0}")]
    Set(String),
}

/// Compiles the value of `[key=value]`, in the dialect of the caller.
pub type Compile<'a> = &'a dyn Fn(&str) -> Option<Regex>;

/// What is made for a missing field at the end of a path.
pub type Shape = Kind;

/// One step of a path.
enum Step<'a> {
    Field(&'a str),
    Index(usize),
    Last,
    Each,
    Match(&'a str, &'a str),
}

fn step(part: &str) -> Result<Step<'_>, PathError> {
    let wrong = || PathError::Step { step: part.to_owned() };
    if let Ok(index) = part.parse::<i64>() {
        return usize::try_from(index).map(Step::Index).map_err(|_| wrong());
    }
    match part {
        "-" => Ok(Step::Last),
        "*" => Ok(Step::Each),
        _ => match part.strip_prefix('[').and_then(|part| part.strip_suffix(']')) {
            Some(inner) => {
                inner.split_once('=').map(|(key, value)| Step::Match(key, value)).ok_or_else(wrong)
            }
            None => Ok(Step::Field(part)),
        },
    }
}

fn unfit(part: &str, wanted: &'static str, value: &Value) -> PathError {
    PathError::Kind { step: part.to_owned(), wanted, found: kind_name(value) }
}

fn items<'v>(part: &str, value: &'v Value) -> Result<&'v [Value], PathError> {
    match value {
        Value::Seq(items) => Ok(items),
        other if other.is_null() => Ok(&[]),
        other => Err(unfit(part, "a list", other)),
    }
}

/// The node at a path; `None` if it is not there. `[key=value]` compares; `*` is an error.
///
/// # Errors
/// [`PathError`] if a step does not fit what is there.
pub fn lookup<'v>(value: &'v Value, path: &[String]) -> Result<Option<&'v Value>, PathError> {
    let mut value = value;
    for part in path.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        let next = match step(part)? {
            Step::Field(name) => match value {
                Value::Map(map) => map.get(name),
                other if other.is_null() => None,
                other => return Err(unfit(part, "a mapping", other)),
            },
            Step::Index(index) => items(part, value)?.get(index),
            Step::Last => items(part, value)?.last(),
            Step::Each => return Err(PathError::Step { step: part.to_owned() }),
            Step::Match("", text) => {
                items(part, value)?.iter().find(|item| item.text().unwrap_or_default() == text)
            }
            Step::Match(key, text) => (items(part, value)?.iter())
                .find(|item| item.get(key).is_some_and(|value| value.text().unwrap_or_default() == text)),
        };
        match next {
            Some(next) => value = next,
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}

/// Calls `set` with every node that a path selects, and whether the node was just made; returns how many there were.
/// `[key=value]` selects by regular expression.
///
/// # Errors
/// [`PathError`] if a step does not fit, or what `set` answers.
pub fn select(
    value: &mut Value,
    path: &[String],
    create: Option<Shape>,
    compile: Compile<'_>,
    set: &mut dyn FnMut(&mut Value, bool) -> Result<(), PathError>,
) -> Result<usize, PathError> {
    Selection { create, compile, set }.follow(value, path, false)
}

struct Selection<'a> {
    create: Option<Shape>,
    compile: Compile<'a>,
    set: &'a mut dyn FnMut(&mut Value, bool) -> Result<(), PathError>,
}

impl Selection<'_> {
    fn follow(&mut self, value: &mut Value, path: &[String], fresh: bool) -> Result<usize, PathError> {
        let Some((part, rest)) = path.split_first() else {
            (self.set)(value, fresh)?;
            return Ok(1);
        };
        match step(part) {
            Ok(Step::Index(index)) => self.index(value, part, index, rest),
            Ok(Step::Each) => {
                items(part, value)?;
                let mut count = 0;
                for item in value.as_seq_mut().into_iter().flatten() {
                    count += self.follow(item, rest, false)?;
                }
                Ok(count)
            }
            Ok(Step::Match(key, pattern)) => {
                let count = self.matching(value, part, key, pattern, rest)?;
                match self.create {
                    Some(_) if count == 0 => {
                        append_match(value, part, key, pattern)?;
                        self.matching(value, part, key, pattern, rest)
                    }
                    _ => Ok(count),
                }
            }
            Err(error) if part.starts_with('[') => Err(error),
            Ok(Step::Field(_) | Step::Last) | Err(_) => self.field(value, part, rest),
        }
    }

    fn index(
        &mut self,
        value: &mut Value,
        part: &str,
        index: usize,
        rest: &[String],
    ) -> Result<usize, PathError> {
        let len = items(part, value)?.len();
        let mut fresh = false;
        if let (true, Some(shape)) = (len == index, self.create) {
            match value.as_seq_mut() {
                Some(items) => items.push(made(rest, shape)),
                None => *value = Value::Seq(vec![made(rest, shape)]),
            }
            fresh = true;
        }
        match value.as_seq_mut().and_then(|items| items.get_mut(index)) {
            Some(item) => self.follow(item, rest, fresh),
            None => Err(PathError::Index { index, len }),
        }
    }

    fn field(&mut self, value: &mut Value, part: &str, rest: &[String]) -> Result<usize, PathError> {
        let map = match value {
            Value::Map(map) => map,
            other if other.is_null() => return Ok(0),
            other => return Err(unfit(part, "a mapping", other)),
        };
        let mut fresh = false;
        if !map.contains_key(part) {
            let Some(shape) = self.create else { return Ok(0) };
            map.insert_entry(Entry { key: Scalar::plain(part), value: made(rest, shape) });
            fresh = true;
        }
        match map.get_mut(part) {
            Some(Value::Scalar(scalar)) if !rest.is_empty() => {
                // Kustomize reads a text here and goes on in what it has read, which then is thrown away.
                let limits = ReadLimits::default();
                match yaml::read_first(scalar.text().as_bytes(), Profile::V3, &limits) {
                    Ok(Some(mut document)) => self.follow(&mut document, rest, false),
                    _ => Err(PathError::Kind {
                        step: rest.first().cloned().unwrap_or_default(),
                        wanted: "a mapping or a list",
                        found: if scalar.is_null() { "null" } else { "a scalar" },
                    }),
                }
            }
            Some(field) => self.follow(field, rest, fresh),
            None => Ok(0),
        }
    }

    fn matching(
        &mut self,
        value: &mut Value,
        part: &str,
        key: &str,
        pattern: &str,
        rest: &[String],
    ) -> Result<usize, PathError> {
        items(part, value)?;
        let regex =
            (self.compile)(pattern).ok_or_else(|| PathError::Pattern { pattern: pattern.to_owned() })?;
        let mut count = 0;
        for item in value.as_seq_mut().into_iter().flatten() {
            if key.is_empty() {
                if regex.is_match(&shown(item)) {
                    (self.set)(item, false)?;
                    count += 1;
                }
            } else if item.get(key).is_some_and(|value| regex.is_match(&shown(value))) {
                count += self.follow(item, rest, false)?;
            }
        }
        Ok(count)
    }
}

/// A scalar as YAML shows it, quotes included.
fn shown(value: &Value) -> String {
    let Value::Scalar(scalar) = value else { return String::new() };
    let text = scalar.text();
    let reads_otherwise = || Scalar::plain(text).tag() != scalar.tag();
    match scalar.style() {
        Style::SingleQuoted => format!("'{text}'"),
        Style::DoubleQuoted => format!("\"{text}\""),
        Style::Plain if reads_otherwise() => format!("\"{text}\""),
        Style::Literal | Style::Folded => format!("|-\n  {text}"),
        Style::Plain => text.to_owned(),
    }
}

fn made(rest: &[String], shape: Shape) -> Value {
    let shape = match rest.first() {
        None => shape,
        Some(next) if next.starts_with('[') && next.ends_with(']') => Kind::Seq,
        Some(next) if next.parse::<usize>().is_ok() => Kind::Seq,
        Some(_) => Kind::Map,
    };
    match shape {
        Kind::Scalar => Value::plain(""),
        Kind::Seq => Value::Seq(Vec::new()),
        Kind::Map => Value::Map(Map::new()),
    }
}

/// Adds the item that `[key=value]` asks for.
fn append_match(value: &mut Value, part: &str, key: &str, text: &str) -> Result<(), PathError> {
    let item = if key.is_empty() {
        Value::Scalar(Scalar::untagged(text))
    } else {
        let mut map = Map::new();
        map.insert_entry(Entry { key: Scalar::plain(key), value: Value::Scalar(Scalar::untagged(text)) });
        Value::Map(map)
    };
    match value {
        Value::Seq(items) => items.push(item),
        other => return Err(unfit(part, "a list", other)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split_bracketed;
    use serde_json::json;

    fn set(document: serde_json::Value, path: &str, create: bool) -> Result<serde_json::Value, PathError> {
        let mut value = Value::from(document);
        let compile = |pattern: &str| Regex::new(pattern).ok();
        let create = create.then_some(Kind::Scalar);
        let count = select(&mut value, &split_bracketed(path), create, &compile, &mut |node, _| {
            *node = Value::str("new");
            Ok(())
        })?;
        if count == 0 { Err(PathError::Set("nothing".into())) } else { Ok(value.to_json().unwrap()) }
    }

    #[test]
    fn selects_and_creates() {
        for (document, path, create, expected) in [
            (
                json!({"a": [{"n": "x", "v": 1}, {"n": "xy", "v": 2}]}),
                "a.[n=x].v",
                false,
                json!({"a": [{"n": "x", "v": "new"}, {"n": "xy", "v": "new"}]}),
            ),
            (json!({"a": [{"n": "x"}]}), "a.[n=^z$].v", false, json!(null)),
            (
                json!({"a": [{"n": "x"}]}),
                "a.[n=z].v",
                true,
                json!({"a": [{"n": "x"}, {"n": "z", "v": "new"}]}),
            ),
            (json!({"a": ["p", "q"]}), "a.[=q]", false, json!({"a": ["p", "new"]})),
            (json!({"a": ["p", "q"]}), "a.0", false, json!({"a": ["new", "q"]})),
            (json!({"a": ["p"]}), "a.1", true, json!({"a": ["p", "new"]})),
            (json!({"a": [{"b": 1}, {"b": 2}]}), "a.*.b", false, json!({"a": [{"b": "new"}, {"b": "new"}]})),
            (json!({}), "a.b", true, json!({"a": {"b": "new"}})),
            (json!({}), "a.b", false, json!(null)),
            (json!({"a": "x"}), "a.b", true, json!(null)),
        ] {
            assert_eq!(set(document, path, create).unwrap_or(json!(null)), expected, "{path}");
        }
    }

    #[test]
    fn looks_up() {
        let value = Value::from(json!({"a": [{"n": "x", "v": 1}], "s": "t"}));
        let at = |path: &str| lookup(&value, &split_bracketed(path)).map(|found| found.and_then(Value::text));
        assert_eq!(at("a.[n=x].v"), Ok(Some("1")));
        assert_eq!(at("a.0.n"), Ok(Some("x")));
        assert_eq!(at("a.1.n"), Ok(None));
        assert!(at("a.*.n").is_err());
        assert!(at("s.x").is_err());
    }
}

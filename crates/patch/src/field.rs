//! Reaching and setting fields along a [`FieldPath`].

use yaml::{Entry, Map, Scalar, Style, Tag, Value};

use crate::FieldPath;
use crate::path::Segment;

/// What is made where a field is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Create {
    /// Nothing: absent fields are skipped.
    No,
    /// A scalar of this type, to be set.
    Scalar(Tag),
    /// A mapping.
    Map,
}

/// A field that is not what its path expects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// A scalar where the path goes on.
    #[error("expected a mapping or a list before {field:?}, found a scalar")]
    Scalar {
        /// The field that cannot be reached.
        field: String,
    },
    /// A name that cannot be a field of a mapping: empty, an index, or a wildcard.
    #[error("{field:?} is not a field of a mapping")]
    Name {
        /// The name.
        field: String,
    },
    /// A mapping or list where a scalar must be.
    #[error("expected a scalar, found {found}")]
    NotScalar {
        /// What is there.
        found: &'static str,
    },
    /// What the caller has against the value.
    #[error("{0}")]
    Other(String),
    /// Something else where a mapping must be.
    #[error("expected a mapping, found {found}")]
    NotMap {
        /// What is there.
        found: &'static str,
    },
}

/// `a scalar`, `a list` or `a mapping`.
pub(crate) fn kind_name(value: &Value) -> &'static str {
    match value {
        Value::Scalar(_) => "a scalar",
        Value::Seq(_) => "a list",
        Value::Map(_) => "a mapping",
    }
}

impl FieldPath {
    /// Calls `set` on every node at the path, entering all items of lists on the way. Nulls on the way are skipped,
    /// or replaced where `create` asks for it.
    ///
    /// # Errors
    /// [`FieldError`] if a scalar stands in the way, or what `set` answers.
    pub fn each<E: From<FieldError>>(
        &self,
        value: &mut Value,
        create: Create,
        set: &mut dyn FnMut(&mut Value) -> Result<(), E>,
    ) -> Result<(), E> {
        walk(self.segments(), value, create, set)
    }
}

fn walk<E: From<FieldError>>(
    path: &[Segment],
    value: &mut Value,
    create: Create,
    set: &mut dyn FnMut(&mut Value) -> Result<(), E>,
) -> Result<(), E> {
    let Some((step, rest)) = path.split_first() else { return set(value) };
    match value {
        Value::Scalar(scalar) if scalar.is_null() => Ok(()),
        Value::Scalar(_) => Err(FieldError::Scalar { field: step.name.clone() }.into()),
        Value::Seq(items) => items.iter_mut().try_for_each(|item| walk(path, item, create, set)),
        Value::Map(map) => {
            if matches!(&*step.name, "" | "-" | "*") || step.name.parse::<i64>().is_ok() {
                return Err(FieldError::Name { field: step.name.clone() }.into());
            }
            let made = match (create, step.list, rest) {
                (Create::No, false, _) => None,
                (_, true, _) => Some(Value::Seq(Vec::new())),
                (Create::Scalar(tag), false, []) => Some(Value::Scalar(Scalar::new("", tag))),
                (_, false, _) => Some(Value::Map(Map::new())),
            };
            if !map.contains_key(&step.name) {
                if create == Create::No || step.list {
                    return Ok(());
                }
                if let Some(made) = &made {
                    set_new(map, &step.name, made.clone());
                }
            }
            let Some(field) = map.get_mut(&step.name) else { return Ok(()) };
            if let (true, Some(made)) = (field.is_null(), made) {
                *field = match (made, &*field) {
                    (Value::Scalar(made), Value::Scalar(null)) => {
                        Value::Scalar(Scalar::new(null.text(), made.tag()))
                    }
                    (made, _) => made,
                };
            }
            walk(rest, field, create, set)
        }
    }
}

/// Adds a field whose name stands unquoted: one that reads as a number or boolean is one, and output refuses it.
fn set_new(map: &mut Map, name: &str, value: Value) {
    map.insert_entry(Entry { key: Scalar::plain(name), value });
}

/// Sets a string entry of a mapping, as one of the scalars that share the node `share`. A null is left alone. Returns the
/// number of the node that was there, if that was shared, too: it keeps its number, and has to be set wherever it stands.
///
/// # Errors
/// [`FieldError::NotMap`] if the node is no mapping.
pub fn set_string(node: &mut Value, name: &str, text: &str, share: u32) -> Result<Option<u32>, FieldError> {
    match node {
        Value::Scalar(scalar) if scalar.is_null() => Ok(None),
        _ if name.is_empty() => Err(FieldError::Name { field: String::new() }),
        Value::Map(map) => {
            let Some(before) = map.get_mut(name) else {
                set_new(map, name, Value::Scalar(Scalar::str(text).shared_as(share)));
                return Ok(None);
            };
            let (style, shared) = match before.as_scalar() {
                Some(scalar) => (scalar.style(), scalar.share()),
                None => (Style::Plain, None),
            };
            let after = Scalar::str(text).with_style(style);
            *before = Value::Scalar(match shared {
                Some(number) => after.shared_as(number),
                None => after,
            });
            Ok(shared)
        }
        other => Err(FieldError::NotMap { found: kind_name(other) }),
    }
}

/// Replaces a scalar by one of a given type.
///
/// # Errors
/// [`FieldError::NotScalar`] if the node is a mapping or a list.
pub fn set_scalar(node: &mut Value, text: &str, tag: Tag) -> Result<(), FieldError> {
    let style = scalar_style(node)?;
    *node = Value::Scalar(Scalar::new(text, tag).with_style(style));
    Ok(())
}

/// Replaces a scalar by text in the style of what was there: plain text takes the type that it reads as.
///
/// # Errors
/// [`FieldError::NotScalar`] if the node is a mapping or a list.
pub fn set_text(node: &mut Value, text: &str) -> Result<(), FieldError> {
    let style = scalar_style(node)?;
    *node = Value::Scalar(untagged(text, style));
    Ok(())
}

fn scalar_style(node: &Value) -> Result<Style, FieldError> {
    match node {
        Value::Scalar(scalar) => Ok(scalar.style()),
        other => Err(FieldError::NotScalar { found: kind_name(other) }),
    }
}

/// A scalar without a tag: its type is what its text reads as, unless it is quoted.
fn untagged(text: &str, style: Style) -> Scalar {
    match style {
        Style::Plain => Scalar::untagged(text),
        quoted => Scalar::str(text).with_style(quoted),
    }
}

/// Sets a field to text: in the style of what was there, else so that it reads as a string.
pub fn set_field_text(map: &mut Map, name: &str, text: &str) {
    match map.get_mut(name) {
        Some(before) => {
            let style = before.as_scalar().map_or(Style::Plain, Scalar::style);
            *before = Value::Scalar(untagged(text, style));
        }
        None => {
            let value = if text.is_empty() { Scalar::plain(text) } else { Scalar::str(text) };
            set_new(map, name, Value::Scalar(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(document: serde_json::Value, path: &str, create: Create) -> Result<serde_json::Value, FieldError> {
        let mut value = Value::from(document);
        FieldPath::parse(path).each(&mut value, create, &mut |node| set_scalar(node, "new", Tag::Str))?;
        Ok(value.to_json().unwrap())
    }

    #[test]
    fn sets_existing_and_created_fields() {
        let scalar = Create::Scalar(Tag::Str);
        for (document, path, create, expected) in [
            (json!({"a": {"b": "x"}}), "a/b", Create::No, json!({"a": {"b": "new"}})),
            (json!({"a": {}}), "a/b", Create::No, json!({"a": {}})),
            (json!({}), "a/b", scalar, json!({"a": {"b": "new"}})),
            (json!({"a": null}), "a/b", scalar, json!({"a": {"b": "new"}})),
            (json!({"a": null}), "a/b", Create::No, json!({"a": null})),
            (json!({"a": [{"b": 1}, {"c": 1}]}), "a/b", Create::No, json!({"a": [{"b": "new"}, {"c": 1}]})),
            (
                json!({"a": [{"b": 1}, {"c": 1}]}),
                "a[]/b",
                scalar,
                json!({"a": [{"b": "new"}, {"c": 1, "b": "new"}]}),
            ),
            (json!({}), "a[]/b", scalar, json!({})),
        ] {
            assert_eq!(set(document, path, create).unwrap(), expected, "{path}");
        }
        assert!(set(json!({"a": "x"}), "a/b", Create::No).is_err());
        assert!(set(json!({"a": {"b": {}}}), "a/b", Create::No).is_err());
    }

    #[test]
    fn text_keeps_the_style_that_was_there() {
        let mut plain = Value::plain("a");
        set_text(&mut plain, "12").unwrap();
        assert_eq!(plain.to_json().unwrap(), json!(12));
        let mut quoted = Value::Scalar(Scalar::str("a").with_style(Style::DoubleQuoted));
        set_text(&mut quoted, "12").unwrap();
        assert_eq!(quoted.to_json().unwrap(), json!("12"));
        let mut map = Map::new();
        set_field_text(&mut map, "name", "12");
        assert_eq!(Value::Map(map).to_json().unwrap(), json!({"name": "12"}));
    }
}

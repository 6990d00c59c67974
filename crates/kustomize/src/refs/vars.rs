//! `vars`: values of fields, put where `$(NAME)` stands.

use std::collections::{BTreeMap, BTreeSet};

use patch::{Create, FieldError, lookup, split_bracketed};
use yaml::{Scalar, Style, Tag, Value};

use crate::config::FieldSpec;
use crate::growth::Growth;
use crate::kustomization::Var;
use crate::resource::{ResourceId, ResourceMap};

/// Notes at each object which vars take their value from it.
///
/// # Errors
/// Vars that several objects match.
pub(crate) fn mark_var_sources(vars: &[Var], map: &mut ResourceMap) -> Result<(), Vec<String>> {
    let mut errors = Vec::new();
    for var in vars {
        let wanted = ResourceId {
            gvk: var.gvk.clone(),
            name: var.object_name.clone(),
            namespace: var.object_namespace.clone(),
            cluster_scoped: false,
        };
        let places: Vec<usize> = if wanted.namespace.is_empty() {
            let was = |id: ResourceId| id.name == wanted.name && id.gvk == wanted.gvk;
            (map.iter().enumerate())
                .filter(|(_, resource)| resource.all_ids().any(was))
                .map(|(place, _)| place)
                .collect()
        } else {
            map.by_any_id(&wanted)
        };
        match places.as_slice() {
            [] => {}
            [place] => {
                if let Some(resource) = map.get_mut(*place) {
                    resource.var_names.push(var.name.clone());
                }
            }
            more => errors.push(format!("the var {} is ambiguous: {} objects match", var.name, more.len())),
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Replaces every `$(NAME)` in the fields of `specs`. Returns the names of vars that were nowhere used.
///
/// # Errors
/// Vars without a value, and fields that cannot hold any.
pub(crate) fn resolve_vars(
    growth: &Growth,
    vars: &[Var],
    specs: &[FieldSpec],
    map: &mut ResourceMap,
) -> Result<Vec<String>, Vec<String>> {
    let mut errors = Vec::new();
    let mut values: BTreeMap<&str, Value> = BTreeMap::new();
    for var in vars {
        match value_of(var, map) {
            Ok(value) => {
                values.insert(&var.name, value);
            }
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let mut used = BTreeSet::new();
    for resource in map.iter_mut() {
        let gvk = resource.id().gvk.clone();
        for spec in specs.iter().filter(|spec| gvk.is_selected_by(&spec.gvk)) {
            let set = &mut |node: &mut Value| replace(node, &values, &mut used, growth);
            if let Err(error) = spec.path.each::<FieldError>(resource.value_mut(), Create::No, set) {
                errors.push(format!("{}: field {}: {error}", resource.id(), spec.path.text()));
            }
        }
    }
    if errors.is_empty() {
        Ok(values.keys().filter(|name| !used.contains(**name)).map(|name| (*name).to_owned()).collect())
    } else {
        Err(errors)
    }
}

fn value_of(var: &Var, map: &ResourceMap) -> Result<Value, String> {
    let Some(resource) = map.iter().find(|resource| resource.var_names.contains(&var.name)) else {
        return Err(format!("no object matches the var {}", var.name));
    };
    let missing = || format!("{} has no field {} for the var {}", resource.id(), var.field_path, var.name);
    let path = with_indexes(split_bracketed(&var.field_path));
    let value = lookup(resource.value(), &path).ok().flatten().ok_or_else(missing)?;
    if let Value::Scalar(scalar) = value {
        let readable = match scalar.tag() {
            Tag::Int => scalar.text().parse::<i64>().is_ok(),
            Tag::Float => scalar.text().parse::<f64>().is_ok(),
            _ => true,
        };
        if !readable {
            return Err(missing());
        }
    }
    Ok(value.clone())
}

/// `name[0]` as two steps.
fn with_indexes(path: Vec<String>) -> Vec<String> {
    let mut out = Vec::with_capacity(path.len());
    for part in path {
        let split = part.strip_suffix(']').and_then(|part| part.rsplit_once('['));
        match split {
            Some((name, index)) if !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit()) => {
                if !name.is_empty() {
                    out.push(name.to_owned());
                }
                out.push(index.to_owned());
            }
            _ => out.push(part),
        }
    }
    out
}

type Values<'a> = BTreeMap<&'a str, Value>;

fn replace(
    node: &mut Value,
    values: &Values<'_>,
    used: &mut BTreeSet<String>,
    growth: &Growth,
) -> Result<(), FieldError> {
    match node {
        Value::Scalar(scalar) => replace_scalar(scalar, values, used, growth)?,
        Value::Map(map) => {
            if let Some(entry) = map.entries().iter().find(|entry| entry.key.tag() != Tag::Str) {
                return Err(FieldError::Name { field: entry.key.text().to_owned() });
            }
            for value in map.values_mut() {
                if let Value::Scalar(scalar) = value {
                    replace_scalar(scalar, values, used, growth)?;
                }
            }
        }
        Value::Seq(items) => {
            for item in items {
                match item {
                    Value::Scalar(scalar) if scalar.tag() == Tag::Str || scalar.is_untagged() => {
                        replace_scalar(scalar, values, used, growth)?
                    }
                    Value::Map(_) => return Err(FieldError::NotScalar { found: "a mapping" }),
                    Value::Seq(_) => return Err(FieldError::NotScalar { found: "a list" }),
                    Value::Scalar(_) => {
                        return Err(FieldError::NotScalar { found: "a scalar that is no string" });
                    }
                }
            }
        }
    }
    Ok(())
}

fn replace_scalar(
    scalar: &mut Scalar,
    values: &Values<'_>,
    used: &mut BTreeSet<String>,
    growth: &Growth,
) -> Result<(), FieldError> {
    if scalar.is_untagged() {
        // What has no type yet is taken for a string, and is one from here on.
        *scalar = Scalar::str(scalar.shared_text());
    }
    if scalar.tag() != Tag::Str || !scalar.text().contains('$') {
        return Ok(());
    }
    // Counted before it is made: a text of references to a long value is much longer than both.
    let added = values.iter().map(|(name, value)| {
        let length = value.text().map_or(0, str::len);
        if length < 64 {
            0
        } else {
            length.saturating_mul(scalar.text().matches(&format!("$({name})")).count())
        }
    });
    growth.bytes(added.fold(0, usize::saturating_add)).map_err(FieldError::Other)?;
    *scalar = expanded(scalar.text(), values, used);
    Ok(())
}

/// Expands `$(NAME)`; `$$` is a dollar. A text that is nothing but one reference takes the type of the value.
fn expanded(text: &str, values: &Values<'_>, used: &mut BTreeSet<String>) -> Scalar {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(rest.get(..at).unwrap_or_default());
        let behind = rest.get(at + 1..).unwrap_or_default();
        if let Some(after) = behind.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let reference = behind.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        let Some((name, after)) = reference else {
            out.push('$');
            rest = behind;
            continue;
        };
        match values.get(name) {
            Some(Value::Scalar(value)) => {
                used.insert(name.to_owned());
                if text.len() == name.len() + 3 {
                    return typed(value);
                }
                out.push_str(&shown(value));
            }
            _ => {
                out.push_str("$(");
                out.push_str(name);
                out.push(')');
            }
        }
        rest = after;
    }
    out.push_str(rest);
    Scalar::str(out)
}

fn typed(value: &Scalar) -> Scalar {
    match value.tag() {
        Tag::Int | Tag::Bool => Scalar::new(shown(value), value.tag()),
        Tag::Float => Scalar::new(value.text().parse::<f64>().unwrap_or_default().to_string(), Tag::Float),
        _ => Scalar::str(value.shared_text()).with_style(Style::Plain),
    }
}

/// A value inside of a text, as Go prints it.
fn shown(value: &Scalar) -> String {
    match value.tag() {
        Tag::Int => value.text().parse::<i64>().unwrap_or_default().to_string(),
        Tag::Float => gofloat::general(value.text().parse::<f64>().unwrap_or_default()),
        Tag::Bool => value.text().to_ascii_lowercase(),
        _ => value.text().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands() {
        let values: Values<'_> =
            [("A", Value::str("x")), ("N", Value::plain("8080")), ("B", Value::plain("true"))].into();
        for (text, expected) in [
            ("$(A)", "x"),
            ("a$(A)b$(N)", "axb8080"),
            ("$$(A)", "$(A)"),
            ("$(GONE)", "$(GONE)"),
            ("$(A", "$(A"),
            ("$x", "$x"),
            ("cost: $", "cost: $"),
        ] {
            assert_eq!(expanded(text, &values, &mut BTreeSet::new()).text(), expected, "{text}");
        }
        assert_eq!(expanded("$(N)", &values, &mut BTreeSet::new()).tag(), Tag::Int);
        assert_eq!(expanded("$(B)", &values, &mut BTreeSet::new()).tag(), Tag::Bool);
        assert_eq!(with_indexes(vec!["a[0]".into(), "b".into()]), ["a", "0", "b"]);
    }
}

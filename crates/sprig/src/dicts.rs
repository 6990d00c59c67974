//! Dicts, which are shared and change in place.

use std::borrow::Cow;
use std::collections::BTreeMap;

use gotemplate::Ty::{Any, Dict, Str as Text};
use gotemplate::{DictType, Exec, Fault, Function, Object, Str, Value};
use std::rc::Rc;

use crate::args::{Args, Outcome, empty, strval};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("get", &[Dict, Text], |_, a| {
        Ok(a.dict(0).and_then(|d| d.get(a.bytes(1))).unwrap_or_else(|| "".into()))
    }),
    Function::new("set", &[Dict, Text, Any], |_, a| match a.dict(0) {
        Some(dict) if !dict.nil() => {
            dict.set(a.str(1), a.any(2).clone());
            Ok(plain(a.any(0)))
        }
        _ => Err("assignment to entry in nil map".into()),
    }),
    Function::new("unset", &[Dict, Text], |_, a| {
        if let Some(dict) = a.dict(0) {
            dict.map.borrow_mut().remove(a.bytes(1));
        }
        Ok(plain(a.any(0)))
    }),
    Function::new("hasKey", &[Dict, Text], |_, a| {
        Ok(a.dict(0).is_some_and(|d| d.map.borrow().contains_key(a.bytes(1))).into())
    }),
    Function::variadic("pluck", &[Text], Dict, |_, a| {
        let dicts = a.iter().skip(1).filter_map(Value::as_dict);
        Ok(Value::list(dicts.filter_map(|d| d.get(a.bytes(0))).collect()))
    }),
    Function::variadic("keys", &[], Dict, |_, a| {
        let dicts = a.iter().filter_map(Value::as_dict);
        Ok(Value::strings(dicts.flat_map(|d| d.entries().into_iter().map(|(key, _)| key))))
    }),
    Function::variadic("pick", &[Dict], Text, |_, a| {
        let keys = (1..a.len()).map(|i| a.str(i));
        Ok(Value::dict(
            keys.filter_map(|key| a.dict(0).and_then(|d| d.get(&key)).map(|v| (key, v))).collect(),
        ))
    }),
    Function::variadic("omit", &[Dict], Text, |_, a| {
        let mut map = entries(a.any(0));
        for i in 1..a.len() {
            map.remove(a.bytes(i));
        }
        Ok(Value::dict(map))
    }),
    Function::variadic("dict", &[], Any, dict),
    Function::new("values", &[Dict], |_, a| Ok(Value::list(entries(a.any(0)).into_values().collect()))),
    Function::variadic("merge", &[Dict], Dict, |_, a| or_nothing(merge(a, Wins::Target))),
    Function::variadic("mustMerge", &[Dict], Dict, |_, a| Ok(merge(a, Wins::Target)?)),
    Function::variadic("mergeOverwrite", &[Dict], Dict, |_, a| or_nothing(merge(a, Wins::Source))),
    Function::variadic("mustMergeOverwrite", &[Dict], Dict, |_, a| Ok(merge(a, Wins::Source)?)),
    Function::new("deepCopy", &[Any], copied),
    Function::new("mustDeepCopy", &[Any], copied),
    Function::variadic("dig", &[], Any, dig),
];

/// A dict that a function returns as `map[string]interface {}`: a named type loses its name, but stays the same map.
fn plain(value: &Value) -> Value {
    match value {
        Value::Nil => Value::typed_dict(DictType::Nil, BTreeMap::new()),
        Value::Dict(dict) if matches!(dict.ty, DictType::Named(_)) => value.converted(DictType::Any),
        other => other.clone(),
    }
}

fn entries(value: &Value) -> BTreeMap<Str, Value> {
    value.as_dict().map(|dict| dict.map.borrow().clone()).unwrap_or_default()
}

fn dict(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let pairs =
        a.chunks(2).map(|pair| (strval(pair.any(0)), pair.get(1).cloned().unwrap_or_else(|| "".into())));
    Ok(Value::dict(pairs.collect()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wins {
    Target,
    Source,
}

/// Why maps cannot be merged.
enum NotMerged {
    /// An error, which the functions without `must` pass over.
    Types,
    /// What Go's library breaks at.
    Panic(String),
}

impl From<NotMerged> for Fault {
    fn from(problem: NotMerged) -> Fault {
        match problem {
            NotMerged::Types => "src and dst must be of same type".into(),
            NotMerged::Panic(text) => text.into(),
        }
    }
}

fn or_nothing(merged: Result<Value, NotMerged>) -> Outcome {
    match merged {
        Err(NotMerged::Types) => Ok("".into()),
        merged => Ok(merged?),
    }
}

fn merge(a: &[Value], wins: Wins) -> Result<Value, NotMerged> {
    let nil = |value: &Value| matches!(value, Value::Nil) || value.as_dict().is_some_and(|dict| dict.nil());
    let target = match a.any(0) {
        // It stays nil where there is nothing to merge.
        value if nil(value) && a.iter().all(nil) => return Ok(plain(&Value::Nil)),
        value if nil(value) => Value::dict(BTreeMap::new()),
        value => plain(value),
    };
    for source in a.iter().skip(1) {
        merge_into(&target, source, wins)?;
    }
    Ok(target)
}

/// Go's name of the type of a map's elements.
fn element_type(dict: &gotemplate::Dict) -> Cow<'static, str> {
    if dict.dynamic() { "interface {}".into() } else { dict.zero().type_name() }
}

fn merge_into(target: &Value, source: &Value, wins: Wins) -> Result<(), NotMerged> {
    let (Some(into), Some(from)) = (target.as_dict(), source.as_dict()) else { return Ok(()) };
    if Rc::ptr_eq(&into.map, &from.map) {
        return Ok(());
    }
    let wanted = element_type(into);
    let fits = |found: Cow<'static, str>| {
        if wanted != "interface {}" && wanted != found {
            return Err(NotMerged::Panic(format!(
                "reflect.Value.SetMapIndex: value of type {found} is not assignable to type {wanted}"
            )));
        }
        Ok(())
    };
    let set = |key: Str, value: Value| {
        fits(element_type(from))?;
        into.set(key, value);
        Ok(())
    };
    for (key, value) in from.entries() {
        let old = into.get(&key);
        if matches!(value, Value::Nil) {
            if wins == Wins::Source {
                set(key, value)?;
            }
            continue;
        }
        if let Some(old) = &old {
            merge_element(old, &value, wins)?;
            let kept = |value: &Value| value.as_dict().is_some_and(|dict| !dict.nil());
            if kept(old) && kept(&value) && !empty(old) {
                continue;
            }
        }
        if value.kind_name() == "slice" && wanted == "string" && old.is_some() {
            return Err(NotMerged::Panic("reflect: call of reflect.Value.IsNil on string Value".to_owned()));
        }
        // Lists are first set as what they are, and then like all others, unless they take the place of something.
        if value.kind_name() == "slice" && (wins == Wins::Source || old.as_ref().is_none_or(empty)) {
            fits(value.type_name())?;
            if old.as_ref().is_some_and(|old| !empty(old)) {
                into.set(key, value);
                continue;
            }
        }
        if wins == Wins::Source || old.as_ref().is_none_or(empty) {
            set(key, value)?;
        }
    }
    Ok(())
}

/// Merges what maps have under the same key: maps; of structs nothing can be set, but Go's library looks at their fields.
fn merge_element(old: &Value, value: &Value, wins: Wins) -> Result<(), NotMerged> {
    let kind = value.kind_name();
    if !matches!(kind, "map" | "struct" | "ptr") {
        return Ok(());
    }
    match old {
        old if old.as_dict().is_some_and(|old| old.nil()) && kind == "struct" => {
            Err(NotMerged::Panic("reflect: call of reflect.Value.IsNil on struct Value".to_owned()))
        }
        old if old.as_dict().is_some_and(|old| old.nil()) => Ok(()),
        Value::Object(object) if object.kind() == "struct" => merge_struct(&**object, value, None),
        Value::Object(object) if object.kind() == "ptr" => {
            let ty = value.type_name();
            match ty.strip_prefix('*') {
                Some(ty) => merge_struct(&**object, value, Some((ty, wins))),
                None if wins == Wins::Source => Ok(()),
                None if object.type_name().strip_prefix('*') == Some(&*ty) => {
                    merge_struct(&**object, value, None)
                }
                None => Err(NotMerged::Types),
            }
        }
        old => merge_into(old, value, wins),
    }
}

/// Goes through the fields of a struct, or of what a pointer points to, which is then set as a whole when all its
/// fields are private.
fn merge_struct(old: &dyn Object, value: &Value, pointed: Option<(&str, Wins)>) -> Result<(), NotMerged> {
    let fields = old.fields();
    if !fields.iter().any(|(name, _)| name.starts_with(char::is_uppercase)) {
        let ty = old.type_name().trim_start_matches('*');
        return match pointed {
            Some((other, Wins::Source)) if other != ty => Err(NotMerged::Panic(format!(
                "reflect.Set: value of type {other} is not assignable to type {ty}"
            ))),
            _ => Ok(()),
        };
    }
    let others = match value {
        Value::Object(object) if object.kind() == "struct" || pointed.is_some() => object.fields(),
        other => {
            let kind = other.kind_name();
            return Err(NotMerged::Panic(format!("reflect: call of reflect.Value.Field on {kind} Value")));
        }
    };
    for (i, (_, field)) in fields.iter().enumerate() {
        let Some((_, other)) = others.get(i) else {
            return Err(NotMerged::Panic("reflect: Field index out of range".to_owned()));
        };
        if let Value::Object(field) = field
            && field.kind() == "struct"
        {
            merge_struct(&**field, other, None)?;
        }
    }
    Ok(())
}

fn copied(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    match a.any(0) {
        Value::Nil => Err("reflect: call of reflect.Value.Type on zero Value".into()),
        value => Ok(deep_copy(value)),
    }
}

/// A copy that shares no collection.
pub(crate) fn deep_copy(value: &Value) -> Value {
    match value {
        Value::List(list) => Value::typed_list(list.ty, list.items().iter().map(deep_copy).collect()),
        Value::Dict(dict) => {
            let map = dict.map.borrow().iter().map(|(key, value)| (key.clone(), deep_copy(value))).collect();
            Value::typed_dict(dict.ty, map)
        }
        Value::Object(object) => object.copied().unwrap_or_else(|| value.clone()),
        other => other.clone(),
    }
}

fn conversion(value: &Value, wanted: &str) -> Fault {
    let found = match value {
        Value::Nil => "nil".into(),
        other => other.type_name(),
    };
    format!("interface conversion: interface {{}} is {found}, not {wanted}").into()
}

fn dig(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    const DICT: &str = "map[string]interface {}";
    let [keys @ .., otherwise, dict] = a else { return Err("dig needs at least three arguments".into()) };
    if keys.is_empty() {
        return Err("dig needs at least three arguments".into());
    }
    let is_dict = |value: &Value| value.type_name() == DICT;
    if !is_dict(dict) {
        return Err(conversion(dict, DICT));
    }
    if let Some(key) = keys.iter().find(|key| key.as_str().is_none()) {
        return Err(conversion(key, "string"));
    }
    let mut step = dict.clone();
    for key in keys.iter().filter_map(Value::as_str) {
        if !is_dict(&step) {
            return Err(conversion(&step, DICT));
        }
        match step.as_dict().and_then(|dict| dict.get(key)) {
            Some(value) => step = value,
            None => return Ok(otherwise.clone()),
        }
    }
    Ok(step)
}

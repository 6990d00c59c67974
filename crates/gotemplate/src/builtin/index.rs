//! `index`, `slice`, `len` and `call`.

use crate::error::Fault;
use crate::exec::Exec;
use crate::value::{Dict, IntKind, Value};

type Outcome = Result<Value, Fault>;

fn position(index: &Value, len: usize) -> Result<usize, Fault> {
    let x = match index {
        Value::Int(_, x) => *x,
        Value::Nil => return Err("cannot index slice/array with nil".into()),
        Value::Object(object) if object.number().is_some() => object.number().unwrap_or_default(),
        other => return Err(format!("cannot index slice/array with type {}", other.type_name()).into()),
    };
    match usize::try_from(x) {
        Ok(at) if at <= len => Ok(at),
        _ => Err(format!("index out of range: {x}").into()),
    }
}

fn runtime_range(at: usize, len: usize, what: &str) -> Fault {
    _ = (at, len);
    format!("reflect: {what} index out of range").into()
}

pub(super) fn index(_: &mut Exec<'_>, args: &[Value]) -> Outcome {
    let Some((item, indexes)) = args.split_first() else { return Ok(Value::Nil) };
    if matches!(item, Value::Nil) {
        return Err("index of untyped nil".into());
    }
    let mut item = item.clone();
    for index in indexes {
        item = match &item {
            Value::Nil => return Err("index of nil pointer".into()),
            Value::Str(text) => {
                let at = position(index, text.len())?;
                let Some(b) = text.get(at) else { return Err(runtime_range(at, text.len(), "string")) };
                Value::Int(IntKind::Uint8, i64::from(*b))
            }
            value => {
                if let Some(elements) = value.elements() {
                    let at = position(index, elements.len())?;
                    match elements.get(at) {
                        Some(element) => element,
                        None => return Err(runtime_range(at, elements.len(), "slice")),
                    }
                } else if let Some(dict) = value.as_dict() {
                    entry(dict, index)?
                } else {
                    return Err(format!(
                        "can't index item of type {}",
                        value.type_name().trim_start_matches('*')
                    )
                    .into());
                }
            }
        };
    }
    Ok(item)
}

fn entry(dict: &Dict, key: &Value) -> Outcome {
    match key {
        Value::Str(key) => Ok(dict.get(key).unwrap_or_else(|| dict.zero())),
        Value::Nil => Err("value is nil; should be of type string".into()),
        other => Err(format!("value has type {}; should be string", other.type_name()).into()),
    }
}

pub(super) fn slice(_: &mut Exec<'_>, args: &[Value]) -> Outcome {
    let Some((item, indexes)) = args.split_first() else { return Ok(Value::Nil) };
    let len = match item {
        Value::Nil => return Err("slice of untyped nil".into()),
        Value::Str(text) => text.len(),
        value => match value.elements() {
            Some(elements) => elements.len(),
            None => return Err(format!("can't slice item of type {}", value.type_name()).into()),
        },
    };
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()).into());
    }
    if indexes.len() == 3 && matches!(item, Value::Str(_)) {
        return Err("cannot 3-index slice a string".into());
    }
    let mut places = Vec::with_capacity(3);
    for index in indexes {
        places.push(position(index, len)?);
    }
    let from = places.first().copied().unwrap_or(0);
    let to = places.get(1).copied().unwrap_or(len);
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}").into());
    }
    if let Some(cap) = places.get(2)
        && to > *cap
    {
        return Err(format!("invalid slice index: {to} > {cap}").into());
    }
    Ok(match item {
        Value::Str(text) => Value::from(text.get(from..to).unwrap_or_default().to_vec()),
        value => value.part(from..to).unwrap_or_default(),
    })
}

pub(super) fn len(exec: &mut Exec<'_>, args: &[Value]) -> Outcome {
    let Some(item) = args.first() else { return Ok(Value::Nil) };
    let len = match item {
        Value::Nil if exec.typed_nil() => return Err("len of nil pointer".into()),
        Value::Nil => return Err("reflect: call of reflect.Value.Type on zero Value".into()),
        Value::Str(text) => text.len(),
        value => match (value.elements(), value.as_dict()) {
            (Some(elements), _) => elements.len(),
            (_, Some(dict)) => dict.len(),
            // Of a pointer, Go looks at what it points to.
            _ => return Err(format!("len of type {}", value.type_name().trim_start_matches('*')).into()),
        },
    };
    Ok(Value::int(i64::try_from(len).unwrap_or(i64::MAX)))
}

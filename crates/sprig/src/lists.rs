//! Lists. Results are new lists; elements are shared.

use gotemplate::Ty::{Any, Int};
use gotemplate::{Exec, Fault, Function, IntKind, ListType, Value};

use crate::args::{Args, NIL_POINTER, Outcome, empty, to_int};
use crate::equal::deep_equal;

const I: gotemplate::Ty = Int(IntKind::Int);

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::variadic("list", &[], Any, list),
    Function::variadic("tuple", &[], Any, list),
    Function::new("append", &[Any, Any], push),
    Function::new("push", &[Any, Any], push),
    Function::new("mustAppend", &[Any, Any], push),
    Function::new("mustPush", &[Any, Any], push),
    Function::new("prepend", &[Any, Any], prepend),
    Function::new("mustPrepend", &[Any, Any], prepend),
    Function::new("first", &[Any], |_, a| {
        Ok(items(a.any(0), "find first")?.into_iter().next().unwrap_or_default())
    }),
    Function::new("mustFirst", &[Any], |_, a| {
        Ok(items(a.any(0), "find first")?.into_iter().next().unwrap_or_default())
    }),
    Function::new("last", &[Any], |_, a| Ok(items(a.any(0), "find last")?.pop().unwrap_or_default())),
    Function::new("mustLast", &[Any], |_, a| Ok(items(a.any(0), "find last")?.pop().unwrap_or_default())),
    Function::new("rest", &[Any], rest),
    Function::new("mustRest", &[Any], rest),
    Function::new("initial", &[Any], initial),
    Function::new("mustInitial", &[Any], initial),
    Function::new("reverse", &[Any], reverse),
    Function::new("mustReverse", &[Any], reverse),
    Function::new("uniq", &[Any], uniq),
    Function::new("mustUniq", &[Any], uniq),
    Function::variadic("without", &[Any], Any, without),
    Function::variadic("mustWithout", &[Any], Any, without),
    Function::new("has", &[Any, Any], has),
    Function::new("mustHas", &[Any, Any], has),
    Function::new("compact", &[Any], compact),
    Function::new("mustCompact", &[Any], compact),
    Function::variadic("slice", &[Any], Any, slice),
    Function::variadic("mustSlice", &[Any], Any, slice),
    Function::new("chunk", &[I, Any], chunk),
    Function::new("mustChunk", &[I, Any], chunk),
    Function::variadic("concat", &[], Any, concat),
];

fn list(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    Ok(Value::list(a.to_vec()))
}

/// The elements, or the error of a function that cannot do `what` with the value.
fn items(value: &Value, what: &str) -> Result<Vec<Value>, Fault> {
    match (value, value.elements()) {
        (_, Some(elements)) => Ok(elements.to_vec()),
        (Value::Nil, _) => Err(NIL_POINTER.into()),
        (other, _) => Err(format!("Cannot {what} on type {}", other.kind_name()).into()),
    }
}

fn push(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let mut items = items(a.any(0), "push")?;
    items.push(a.any(1).clone());
    Ok(Value::list(items))
}

fn prepend(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let mut items = items(a.any(0), "prepend")?;
    items.insert(0, a.any(1).clone());
    Ok(Value::list(items))
}

fn rest(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let items = items(a.any(0), "find rest")?;
    // Of an empty list Go gives a nil slice, which is an empty list that encodes as null.
    Ok(match items.split_first() {
        Some((_, rest)) => Value::list(rest.to_vec()),
        None => nil_list(),
    })
}

fn initial(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let items = items(a.any(0), "find initial")?;
    Ok(match items.split_last() {
        Some((_, initial)) => Value::list(initial.to_vec()),
        None => nil_list(),
    })
}

fn nil_list() -> Value {
    Value::typed_list(ListType::Nil, Vec::new())
}

fn reverse(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let mut items = items(a.any(0), "find reverse")?;
    items.reverse();
    Ok(Value::list(items))
}

fn uniq(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let mut kept: Vec<Value> = Vec::new();
    for item in items(a.any(0), "find uniq")? {
        if !kept.iter().any(|k| deep_equal(k, &item)) {
            kept.push(item);
        }
    }
    Ok(Value::list(kept))
}

fn without(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let omitted = a.get(1..).unwrap_or_default();
    let mut items = items(a.any(0), "find without")?;
    items.retain(|item| !omitted.iter().any(|o| deep_equal(o, item)));
    Ok(Value::list(items))
}

fn has(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    if matches!(a.any(1), Value::Nil) {
        return Ok(false.into());
    }
    Ok(items(a.any(1), "find has")?.iter().any(|item| deep_equal(a.any(0), item)).into())
}

fn compact(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let mut items = items(a.any(0), "compact")?;
    items.retain(|item| !empty(item));
    Ok(Value::list(items))
}

fn slice(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let value = a.any(0);
    let Some(elements) = value.elements() else {
        return Err(match value {
            Value::Nil => NIL_POINTER.into(),
            other => format!("list should be type of slice or array but {}", other.kind_name()).into(),
        });
    };
    let len = elements.len();
    if len == 0 {
        return Ok(Value::Nil);
    }
    let place = |i: usize, otherwise: usize| match a.get(i) {
        Some(value) => to_int(value),
        None => i64::try_from(otherwise).unwrap_or(i64::MAX),
    };
    let (from, to) = (place(1, 0), place(2, len));
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    range
        .and_then(|(from, to)| value.part(from..to))
        .ok_or_else(|| "reflect.Value.Slice: slice index out of bounds".into())
}

fn chunk(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let items = match (a.any(1), a.any(1).elements()) {
        (_, Some(elements)) => elements.to_vec(),
        (Value::Nil, _) => return Err(NIL_POINTER.into()),
        (other, _) => return Err(format!("Cannot chunk type {}", other.kind_name()).into()),
    };
    // Sprig counts in floats, whatever the size is: some that make no sense give a result.
    let (size, len) = (a.int(0), items.len());
    let count = ((len as f64 - 1.0) / size as f64).floor() + 1.0;
    let count = if count.is_finite() { count as i64 } else { -1 };
    let last = match (len as f64 % size as f64).floor() as i64 {
        0 => size,
        rest => rest,
    };
    if count < 0 || (count > 0 && last < 0) || (count > 1 && size < 0) {
        return Err("runtime error: makeslice: len out of range".into());
    }
    let mut rest = items.into_iter();
    let mut chunks = Vec::new();
    for i in 0..count {
        let take = usize::try_from(if i + 1 == count { last } else { size }).unwrap_or(usize::MAX);
        chunks.push(Value::list(rest.by_ref().take(take).collect()));
    }
    Ok(Value::typed_list(ListType::Lists, chunks))
}

fn concat(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let mut all = Vec::new();
    for value in a {
        match (value, value.elements()) {
            (_, Some(elements)) => all.extend(elements.to_vec()),
            (Value::Nil, _) => return Err(NIL_POINTER.into()),
            (other, _) => return Err(format!("Cannot concat type {} as list", other.kind_name()).into()),
        }
    }
    if a.is_empty() || all.is_empty() {
        return Ok(nil_list());
    }
    Ok(Value::list(all))
}

//! Comparisons, which convert nothing but the sign of integers.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::error::Fault;
use crate::exec::Exec;
use crate::fmt;
use crate::object::Object;
use crate::value::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Basic {
    None,
    Bool,
    Complex,
    Int,
    Float,
    Str,
    Uint,
}

fn basic(value: &Value) -> Basic {
    match value {
        Value::Bool(_) => Basic::Bool,
        Value::Int(kind, _) if kind.unsigned() => Basic::Uint,
        Value::Int(..) => Basic::Int,
        Value::Float(_) => Basic::Float,
        Value::Complex(..) => Basic::Complex,
        Value::Str(_) => Basic::Str,
        Value::Object(object) if object.number().is_some() => Basic::Int,
        _ => Basic::None,
    }
}

fn number(value: &Value) -> i64 {
    match value {
        Value::Int(_, bits) => *bits,
        Value::Object(object) => object.number().unwrap_or_default(),
        _ => 0,
    }
}

fn incompatible(a: &Value, b: &Value) -> Fault {
    format!("incompatible types for comparison: {} and {}", a.type_name(), b.type_name()).into()
}

fn equal(a: &Value, b: &Value) -> Result<bool, Fault> {
    let (ka, kb) = (basic(a), basic(b));
    Ok(match (ka, kb) {
        (Basic::Int, Basic::Uint) | (Basic::Uint, Basic::Int) => number(a) == number(b) && number(a) >= 0,
        _ if ka != kb => {
            if !matches!(a, Value::Nil) && !matches!(b, Value::Nil) {
                return Err(incompatible(a, b));
            }
            false
        }
        (Basic::None, _) => {
            let untyped = matches!(a, Value::Nil) || matches!(b, Value::Nil);
            if (a.is_nil() || b.is_nil()) && (untyped || a.kind_name() == b.kind_name()) {
                return Ok(a.is_nil() == b.is_nil());
            }
            if a.kind_name() != b.kind_name() {
                let text = format!(
                    "non-comparable types {}: {}, {}: {}",
                    shown(a),
                    a.type_name(),
                    b.type_name(),
                    fmt::sprint(b)
                );
                return Err(text.into());
            }
            match (a, b) {
                (Value::Object(x), Value::Object(y)) if x.items().is_none() && x.entries().is_none() => {
                    same_object(x, y)
                }
                _ => return Err(format!("non-comparable type {}: {}", shown(b), b.type_name()).into()),
            }
        }
        _ => match (a, b) {
            (Value::Bool(x), Value::Bool(y)) => x == y,
            (Value::Float(x), Value::Float(y)) => x == y,
            (Value::Complex(x, xi), Value::Complex(y, yi)) => x == y && xi == yi,
            (Value::Str(x), Value::Str(y)) => x == y,
            _ => number(a) == number(b),
        },
    })
}

/// Whether pointers are the same, and structs have the same fields.
fn same_object(x: &Rc<dyn Object>, y: &Rc<dyn Object>) -> bool {
    if Rc::ptr_eq(x, y) {
        return true;
    }
    if x.type_name() != y.type_name() {
        return false;
    }
    if x.kind() == "ptr" {
        return (x.nil() && y.nil()) || x.same(&**y);
    }
    let (x, y) = (x.fields(), y.fields());
    x.iter().zip(&y).all(|((_, x), (_, y))| equal(x, y).unwrap_or(false))
}

fn shown(value: &Value) -> String {
    crate::text::lossy(&fmt::printf(b"%s", std::slice::from_ref(value))).into_owned()
}

fn less(a: &Value, b: &Value) -> Result<bool, Fault> {
    let (ka, kb) = (basic(a), basic(b));
    if ka == Basic::None || kb == Basic::None {
        return Err("invalid type for comparison".into());
    }
    Ok(match (ka, kb) {
        (Basic::Int, Basic::Uint) => number(a) < 0 || number(a).cast_unsigned() < number(b).cast_unsigned(),
        (Basic::Uint, Basic::Int) => number(b) >= 0 && number(a).cast_unsigned() < number(b).cast_unsigned(),
        _ if ka != kb => return Err(incompatible(a, b)),
        (Basic::Bool | Basic::Complex, _) => return Err("invalid type for comparison".into()),
        (Basic::Uint, _) => number(a).cast_unsigned() < number(b).cast_unsigned(),
        _ => match (a, b) {
            (Value::Float(x), Value::Float(y)) => x.partial_cmp(y) == Some(Ordering::Less),
            (Value::Str(x), Value::Str(y)) => x < y,
            _ => number(a) < number(b),
        },
    })
}

type Outcome = Result<Value, Fault>;

fn two(args: &[Value], compare: impl Fn(&Value, &Value) -> Result<bool, Fault>) -> Outcome {
    match args {
        [a, b] => compare(a, b).map(Value::Bool),
        _ => Err("missing argument for comparison".into()),
    }
}

pub(super) fn eq(_: &mut Exec<'_>, args: &[Value]) -> Outcome {
    match args {
        [] | [_] => Err("missing argument for comparison".into()),
        [first, rest @ ..] => {
            for other in rest {
                if equal(first, other)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
    }
}

pub(super) fn ne(_: &mut Exec<'_>, args: &[Value]) -> Outcome {
    two(args, |a, b| Ok(!equal(a, b)?))
}

pub(super) fn lt(_: &mut Exec<'_>, args: &[Value]) -> Outcome {
    two(args, less)
}

pub(super) fn le(_: &mut Exec<'_>, args: &[Value]) -> Outcome {
    two(args, |a, b| Ok(less(a, b)? || equal(a, b)?))
}

pub(super) fn gt(_: &mut Exec<'_>, args: &[Value]) -> Outcome {
    two(args, |a, b| Ok(!(less(a, b)? || equal(a, b)?)))
}

pub(super) fn ge(_: &mut Exec<'_>, args: &[Value]) -> Outcome {
    two(args, |a, b| Ok(!less(a, b)?))
}

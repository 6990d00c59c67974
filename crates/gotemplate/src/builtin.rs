//! Go's built-in functions.

mod compare;
mod escape;
mod index;

use crate::error::Fault;
use crate::exec::Exec;
use crate::fmt;
use crate::function::{Form, Function};
use crate::types::Ty::{Any, Reflect, Str};
use crate::value::Value;

pub use escape::query_escape;

const fn shortcut(name: &'static str, form: Form) -> Function {
    Function { name, params: &[Reflect], rest: Some(Reflect), body: unreached, form }
}

/// Calls of `and` and `or` never come here.
fn unreached(_: &mut Exec<'_>, _: &[Value]) -> Result<Value, Fault> {
    Ok(Value::Nil)
}

pub(crate) const FUNCTIONS: &[Function] = &[
    shortcut("and", Form::And),
    shortcut("or", Form::Or),
    Function { name: "call", params: &[Reflect], rest: Some(Reflect), body: unreached, form: Form::Call },
    Function::new("not", &[Reflect], |_, args| Ok(Value::Bool(!args.iter().any(Value::truth)))),
    Function::variadic("eq", &[Reflect], Reflect, compare::eq),
    Function::new("ne", &[Reflect, Reflect], compare::ne),
    Function::new("lt", &[Reflect, Reflect], compare::lt),
    Function::new("le", &[Reflect, Reflect], compare::le),
    Function::new("gt", &[Reflect, Reflect], compare::gt),
    Function::new("ge", &[Reflect, Reflect], compare::ge),
    Function::variadic("index", &[Reflect], Reflect, index::index),
    Function::variadic("slice", &[Reflect], Reflect, index::slice),
    Function::new("len", &[Reflect], index::len),
    Function::variadic("print", &[], Any, |_, args| Ok(fmt::print(args).into())),
    Function::variadic("println", &[], Any, |_, args| Ok(fmt::println(args).into())),
    Function::variadic("printf", &[Str], Any, |_, args| match args.split_first() {
        Some((Value::Str(format), rest)) => Ok(fmt::printf(format, rest).into()),
        _ => Ok(Value::default()),
    }),
    Function::variadic("html", &[], Any, |_, args| Ok(escape::html(&joined(args)).into())),
    Function::variadic("js", &[], Any, |_, args| Ok(escape::js(&joined(args)).into())),
    Function::variadic("urlquery", &[], Any, |_, args| Ok(query_escape(&joined(args)).into())),
];

/// The arguments of an escaping function as one text.
fn joined(args: &[Value]) -> Vec<u8> {
    if let [Value::Str(text)] = args {
        return text.to_vec();
    }
    let shown: Vec<Value> = args
        .iter()
        .map(|arg| if matches!(arg, Value::Nil) { Value::from("<no value>") } else { arg.clone() })
        .collect();
    fmt::print_pointed_to(&shown)
}

//! Defaults, choices and types.

use gotemplate::Ty::{Any, Bool, Str as Text};
use gotemplate::{Function, Value};

use crate::args::{Args, empty};
use crate::equal::deep_equal;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::variadic("default", &[Any], Any, |_, a| {
        Ok(a.any(usize::from(a.get(1).is_some_and(|given| !empty(given)))).clone())
    }),
    Function::new("empty", &[Any], |_, a| Ok(empty(a.any(0)).into())),
    Function::variadic("coalesce", &[], Any, |_, a| {
        Ok(a.iter().find(|v| !empty(v)).cloned().unwrap_or_default())
    }),
    Function::variadic("all", &[], Any, |_, a| Ok((!a.iter().any(empty)).into())),
    Function::variadic("any", &[], Any, |_, a| Ok(a.iter().any(|v| !empty(v)).into())),
    Function::new("ternary", &[Any, Any, Bool], |_, a| {
        Ok(a.any(usize::from(!matches!(a.any(2), Value::Bool(true)))).clone())
    }),
    Function::new("typeOf", &[Any], |_, a| Ok(type_of(a.any(0)).into())),
    Function::new("typeIs", &[Text, Any], |_, a| Ok((a.bytes(0) == type_of(a.any(1)).as_bytes()).into())),
    Function::new("typeIsLike", &[Text, Any], |_, a| {
        let found = type_of(a.any(1));
        let found = found.as_bytes();
        Ok((a.bytes(0) == found || found.strip_prefix(b"*") == Some(a.bytes(0))).into())
    }),
    Function::new("kindOf", &[Any], |_, a| Ok(a.any(0).kind_name().into())),
    Function::new("kindIs", &[Text, Any], |_, a| Ok((a.bytes(0) == a.any(1).kind_name().as_bytes()).into())),
    Function::new("deepEqual", &[Any, Any], |_, a| Ok(deep_equal(a.any(0), a.any(1)).into())),
];

fn type_of(value: &Value) -> String {
    value.type_name().into_owned()
}

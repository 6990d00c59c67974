//! Go's types: their names, and what is assignable to what.

use std::borrow::Cow;

use crate::value::{DictType, IntKind, ListType, Value};

/// The type of a parameter.
#[derive(Debug, Clone, Copy)]
pub enum Ty {
    /// `interface {}`
    Any,
    /// `reflect.Value`, which the built-in functions take: anything, nil too.
    Reflect,
    /// `bool`
    Bool,
    /// An integer type.
    Int(IntKind),
    /// `float64`
    Float,
    /// `string`
    Str,
    /// `map[string]interface {}`
    Dict,
    /// `[]interface {}`
    List,
    /// A named integer type, by its name: numbers in a template can be such.
    Number(&'static str, fn(i64) -> Value),
    /// Any other type, by its name. A pointer is dereferenced where that helps.
    Named(&'static str),
}

impl Ty {
    /// Go's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Ty::Any => "interface {}",
            Ty::Reflect => "reflect.Value",
            Ty::Bool => "bool",
            Ty::Int(kind) => kind.name(),
            Ty::Float => "float64",
            Ty::Str => "string",
            Ty::Dict => "map[string]interface {}",
            Ty::List => "[]interface {}",
            Ty::Number(name, _) | Ty::Named(name) => name,
        }
    }

    /// True when `nil` may be passed.
    #[must_use]
    pub fn nillable(self) -> bool {
        match self {
            Ty::Any | Ty::Reflect | Ty::Dict | Ty::List => true,
            Ty::Named(name) => name.starts_with('*') || name.starts_with("[]") || name.starts_with("map["),
            Ty::Bool | Ty::Int(_) | Ty::Float | Ty::Str | Ty::Number(..) => false,
        }
    }

    /// True when `value`, which is not nil, may be passed as it is.
    #[must_use]
    pub fn takes(self, value: &Value) -> bool {
        match (self, value) {
            (Ty::Any | Ty::Reflect, _)
            | (Ty::Bool, Value::Bool(_))
            | (Ty::Float, Value::Float(_))
            | (Ty::Str, Value::Str(_)) => true,
            (Ty::Int(kind), Value::Int(found, _)) => kind == *found,
            (Ty::Dict, Value::Dict(dict)) => dict.dynamic(),
            (Ty::List, Value::List(list)) => matches!(list.ty, ListType::Any | ListType::Nil),
            (Ty::Number(name, _), value) => value.type_name() == name,
            (Ty::Named(name), value) => {
                let found = value.type_name();
                found == name || found.strip_prefix('*') == Some(name)
            }
            _ => false,
        }
    }
}

impl Value {
    /// Go's name of the value's type, as `%T` prints it.
    #[must_use]
    pub fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Value::Nil => "<nil>",
            Value::Bool(_) => "bool",
            Value::Int(kind, _) => kind.name(),
            Value::Float(_) => "float64",
            Value::Complex(..) => "complex128",
            Value::Str(_) => "string",
            Value::Bytes(_) => "[]uint8",
            Value::List(list) => match list.ty {
                ListType::Any | ListType::Nil => "[]interface {}",
                ListType::Str | ListType::NilStr => "[]string",
                ListType::NilBytes => "[]uint8",
                ListType::Int => "[]int",
                ListType::Lists => "[][]interface {}",
                ListType::Dicts => "[]map[string]interface {}",
                ListType::Named(name) => return Cow::Owned(format!("[]{name}")),
            },
            Value::Dict(dict) => match dict.ty {
                DictType::Any | DictType::Nil => "map[string]interface {}",
                DictType::Str | DictType::NilStr => "map[string]string",
                DictType::Named(named) => named.name,
            },
            Value::Object(object) => return Cow::Owned(object.type_name().to_owned()),
        })
    }

    /// Go's kind of the value, as `reflect.Kind` prints it.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self {
            Value::Nil => "invalid",
            Value::Bool(_) => "bool",
            Value::Int(kind, _) => kind.name(),
            Value::Float(_) => "float64",
            Value::Complex(..) => "complex128",
            Value::Str(_) => "string",
            Value::Bytes(_) | Value::List(_) => "slice",
            Value::Dict(_) => "map",
            Value::Object(object) => object.kind(),
        }
    }
}

//! Types with methods.

use std::any::Any;
use std::rc::Rc;

use crate::error::Fault;
use crate::types::Ty;
use crate::value::{Dict, List, Value};

/// What a method does with its receiver and its arguments.
pub type Body = fn(&Value, &[Value]) -> Result<Value, Fault>;

/// A method.
pub struct Method {
    /// Name, as templates call it.
    pub name: &'static str,
    /// Types of the parameters.
    pub params: &'static [Ty],
    /// What it does, or why templates cannot call it: for it has other results than a value and an error.
    pub body: Result<Body, &'static str>,
}

impl Method {
    /// A method that templates can call.
    #[must_use]
    pub const fn new(name: &'static str, params: &'static [Ty], body: Body) -> Method {
        Method { name, params, body: Ok(body) }
    }

    /// A method without parameters that templates cannot call, and what Go says of its results.
    #[must_use]
    pub const fn unusable(name: &'static str, why: &'static str) -> Method {
        Method { name, params: &[], body: Err(why) }
    }
}

/// The element type of a named map type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementType {
    /// `interface {}`, which makes the map assignable to `map[string]interface {}`.
    Any,
    /// `string`
    Str,
    /// `[]byte`
    Bytes,
}

/// A named map type, for example Helm's `common.Values`.
pub struct Named {
    /// Go's name of the type.
    pub name: &'static str,
    /// Type of the elements.
    pub elements: ElementType,
    /// Methods; they hide keys of the same name.
    pub methods: &'static [Method],
}

/// A Go value that is neither a basic type nor a plain collection.
pub trait Object {
    /// Go's name of the type, for example `*semver.Version`.
    fn type_name(&self) -> &str;
    /// Go's kind: `struct`, `ptr`, `slice`, `map`, `int64` …
    fn kind(&self) -> &'static str;
    /// Access to the Rust type.
    fn as_any(&self) -> &dyn Any;
    /// Methods.
    fn methods(&self) -> &'static [Method] {
        &[]
    }
    /// Fields in their order; those whose names begin with a small letter are private.
    fn fields(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
    /// One field.
    fn field(&self, name: &[u8]) -> Option<Value> {
        self.fields().into_iter().find(|(n, _)| n.as_bytes() == name).map(|(_, value)| value)
    }
    /// Of pointers: whether two objects are pointers to the same thing.
    fn same(&self, _other: &dyn Object) -> bool {
        false
    }
    /// A copy as libraries make it that see exported fields only, where that is something else.
    fn copied(&self) -> Option<Value> {
        None
    }
    /// What JSON, YAML and TOML write for it.
    fn encoded(&self) -> Value {
        Value::dict(self.fields().into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
    /// What JSON writes for a struct, in the order of its fields; none when that is what [`Object::encoded`] gives.
    fn members(&self) -> Option<Vec<(&'static str, Value)>> {
        None
    }
    /// The exported fields of a struct in their order; none for what is no struct.
    fn exported(&self) -> Option<Vec<(&'static str, Value)>> {
        self.members()?;
        Some(self.fields().into_iter().filter(|(name, _)| name.starts_with(char::is_uppercase)).collect())
    }
    /// What a function sees that takes anything, where that is something else: fields that can be addressed have the
    /// methods of their pointers, and what functions are given cannot be addressed.
    fn passed(&self) -> Option<Value> {
        None
    }
    /// True for a pointer or a list that is nil.
    fn nil(&self) -> bool {
        false
    }
    /// What `String()` or `Error()` gives, if the type has it.
    fn text(&self) -> Option<String> {
        None
    }
    /// What a template prints for it, if that differs from `fmt`: a field that can be addressed has the methods of its
    /// pointer, too.
    fn printed(&self) -> Option<String> {
        self.text()
    }
    /// Whether a pointer has that text, and what it points to has not.
    fn only_pointer_has_text(&self) -> bool {
        false
    }
    /// What `GoString()` gives, if the type has it.
    fn go_text(&self) -> Option<String> {
        None
    }
    /// The elements, of a named slice type.
    fn items(&self) -> Option<&Rc<List>> {
        None
    }
    /// The same type with other elements, of a named slice type.
    fn with_items(&self, items: Vec<Value>) -> Value {
        Value::list(items)
    }
    /// The entries, of a named map type.
    fn entries(&self) -> Option<&Rc<Dict>> {
        None
    }
    /// The number, of a named integer type.
    fn number(&self) -> Option<i64> {
        None
    }
    /// Another number of the same named integer type.
    fn with_number(&self, number: i64) -> Value {
        Value::int(number)
    }
    /// The number that functions of numbers see, which know few types.
    fn cast(&self) -> i64 {
        self.number().unwrap_or(0)
    }
    /// Truth of anything that is no collection.
    fn truth(&self) -> bool {
        true
    }
}

/// A nil pointer or list of a type that nothing else is made of.
pub struct TypedNil(
    /// Go's name of the type.
    pub &'static str,
);

impl Object for TypedNil {
    fn type_name(&self) -> &str {
        self.0
    }
    fn kind(&self) -> &'static str {
        if self.0.starts_with('*') { "ptr" } else { "slice" }
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn encoded(&self) -> Value {
        Value::Nil
    }
    fn nil(&self) -> bool {
        true
    }
    fn truth(&self) -> bool {
        false
    }
}

//! Types with methods.

use std::any::Any;
use std::rc::Rc;

use crate::error::Fault;
use crate::types::Ty;
use crate::value::{Dict, List, Value};

/// A method. The receiver comes first.
pub struct Method {
    /// Name, as templates call it.
    pub name: &'static str,
    /// Types of the parameters.
    pub params: &'static [Ty],
    /// Type of any further parameters.
    pub rest: Option<Ty>,
    /// What it does.
    pub call: fn(&Value, &[Value]) -> Result<Value, Fault>,
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
    /// Exported fields in their order.
    fn fields(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
    /// One field.
    fn field(&self, name: &[u8]) -> Option<Value> {
        self.fields().into_iter().find(|(n, _)| n.as_bytes() == name).map(|(_, value)| value)
    }
    /// What JSON, YAML and TOML write for it.
    fn encoded(&self) -> Value {
        Value::dict(self.fields().into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
    /// What JSON writes for a struct, in the order of its fields; none when that is what [`Object::encoded`] gives.
    fn members(&self) -> Option<Vec<(&'static str, Value)>> {
        None
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
    /// Truth of anything that is no collection.
    fn truth(&self) -> bool {
        true
    }
}

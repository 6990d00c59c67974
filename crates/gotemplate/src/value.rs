//! The values that templates work on.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use crate::object::{ElementType, Named, Object};
use crate::text::Str;

/// A value. Cloning is cheap: collections and strings are shared.
#[derive(Clone, Default)]
pub enum Value {
    /// `nil`
    #[default]
    Nil,
    /// A boolean.
    Bool(bool),
    /// An integer of a kind; the unsigned 64-bit ones keep their bits.
    Int(IntKind, i64),
    /// A `float64`.
    Float(f64),
    /// A `complex128`; only literals make one.
    Complex(f64, f64),
    /// A string.
    Str(Str),
    /// A `[]byte` that is not nil; the nil one is a list of [`ListType::NilBytes`].
    Bytes(Str),
    /// A slice.
    List(Rc<List>),
    /// A map with string keys, shared and mutable.
    Dict(Rc<Dict>),
    /// Anything else: a struct, a pointer or a named type with methods.
    Object(Rc<dyn Object>),
}

/// Go's integer types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Go's")]
pub enum IntKind {
    Int,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
}

impl IntKind {
    /// True for the unsigned ones.
    #[must_use]
    pub fn unsigned(self) -> bool {
        matches!(self, Self::Uint | Self::Uint8 | Self::Uint16 | Self::Uint32 | Self::Uint64)
    }

    /// Go's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint => "uint",
            Self::Uint8 => "uint8",
            Self::Uint16 => "uint16",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
        }
    }
}

/// The element type of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListType {
    /// `[]interface {}`
    Any,
    /// `[]interface {}` that is nil: an empty list, which encodes as null.
    Nil,
    /// `[]string`
    Str,
    /// `[]string` that is nil.
    NilStr,
    /// `[]uint8` that is nil, which prints as any bytes.
    NilBytes,
    /// `[]int`
    Int,
    /// `[][]interface {}`
    Lists,
    /// `[]map[string]interface {}`
    Dicts,
    /// A slice of the named type, for example `*v2.Maintainer`.
    Named(&'static str),
}

impl ListType {
    /// True for slices that are nil: they equal `nil` and encode as null.
    #[must_use]
    pub fn nil(self) -> bool {
        matches!(self, ListType::Nil | ListType::NilStr | ListType::NilBytes)
    }
}

/// A slice. It never changes, but for [`List::sort`]; functions make new ones.
pub struct List {
    /// Type of the elements.
    pub ty: ListType,
    made_of: Vec<Value>,
    sorted: OnceCell<Vec<Value>>,
}

impl List {
    /// A slice of elements.
    #[must_use]
    pub fn new(ty: ListType, items: Vec<Value>) -> List {
        List { ty, made_of: items, sorted: OnceCell::new() }
    }

    /// The elements.
    #[must_use]
    pub fn items(&self) -> &[Value] {
        self.sorted.get().unwrap_or(&self.made_of)
    }

    /// Sorts the texts of a `[]string` where they are: whoever holds the list sees it, as in Go.
    pub fn sort(&self) {
        self.sorted.get_or_init(|| {
            let mut sorted = self.made_of.clone();
            sorted.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            sorted
        });
    }
}

/// The type of a map.
#[derive(Clone, Copy)]
pub enum DictType {
    /// `map[string]interface {}`
    Any,
    /// `map[string]interface {}` that is nil: nothing can be set in it, and it encodes as null.
    Nil,
    /// `map[string]string`
    Str,
    /// `map[string]string` that is nil.
    NilStr,
    /// A named map type with methods.
    Named(&'static Named),
}

/// A map. Templates may change it while others hold it.
pub struct Dict {
    /// Type.
    pub ty: DictType,
    /// Entries in the order of their keys' bytes. Maps of different types can share them, as a conversion in Go does.
    pub map: Rc<RefCell<BTreeMap<Str, Value>>>,
}

impl Dict {
    /// An entry, shared.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<Value> {
        self.map.borrow().get(key).cloned()
    }

    /// Sets an entry.
    pub fn set(&self, key: impl Into<Str>, value: impl Into<Value>) {
        self.map.borrow_mut().insert(key.into(), value.into());
    }

    /// The entries as they are now.
    #[must_use]
    pub fn entries(&self) -> Vec<(Str, Value)> {
        self.map.borrow().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.borrow().len()
    }

    /// True without entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.borrow().is_empty()
    }

    /// True when the elements are of interface type.
    #[must_use]
    pub fn dynamic(&self) -> bool {
        match self.ty {
            DictType::Any | DictType::Nil => true,
            DictType::Str | DictType::NilStr => false,
            DictType::Named(named) => named.elements == ElementType::Any,
        }
    }

    /// True for a map that is nil.
    #[must_use]
    pub fn nil(&self) -> bool {
        matches!(self.ty, DictType::Nil | DictType::NilStr)
    }

    /// What a missing key gives: the zero value of the elements' type.
    #[must_use]
    pub fn zero(&self) -> Value {
        match self.ty {
            DictType::Named(Named { elements: ElementType::Bytes, .. }) => Value::nil_bytes(),
            _ if self.dynamic() => Value::Nil,
            _ => Value::Str(Str::default()),
        }
    }
}

impl Value {
    /// An `int`.
    #[must_use]
    pub fn int(value: i64) -> Value {
        Value::Int(IntKind::Int, value)
    }

    /// An `int64`.
    #[must_use]
    pub fn int64(value: i64) -> Value {
        Value::Int(IntKind::Int64, value)
    }

    /// A `[]interface {}`.
    #[must_use]
    pub fn list(items: Vec<Value>) -> Value {
        Value::typed_list(ListType::Any, items)
    }

    /// A slice of a type.
    #[must_use]
    pub fn typed_list(ty: ListType, items: Vec<Value>) -> Value {
        Value::List(Rc::new(List::new(ty, items)))
    }

    /// A `[]string`.
    #[must_use]
    pub fn strings<S: Into<Str>>(items: impl IntoIterator<Item = S>) -> Value {
        Value::typed_list(ListType::Str, items.into_iter().map(|item| Value::Str(item.into())).collect())
    }

    /// A `[]byte` that is nil.
    #[must_use]
    pub fn nil_bytes() -> Value {
        Value::typed_list(ListType::NilBytes, Vec::new())
    }

    /// A `map[string]interface {}`.
    #[must_use]
    pub fn dict(map: BTreeMap<Str, Value>) -> Value {
        Value::typed_dict(DictType::Any, map)
    }

    /// A map of a type.
    #[must_use]
    pub fn typed_dict(ty: DictType, map: BTreeMap<Str, Value>) -> Value {
        Value::Dict(Rc::new(Dict { ty, map: Rc::new(RefCell::new(map)) }))
    }

    /// A map's entries under another type: a change of one is seen through the other. Anything else stays as it is.
    #[must_use]
    pub fn converted(&self, ty: DictType) -> Value {
        match self {
            Value::Dict(dict) => Value::Dict(Rc::new(Dict { ty, map: Rc::clone(&dict.map) })),
            other => other.clone(),
        }
    }

    /// The bytes of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&Str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// True for `nil`, and for a list, map or `[]byte` that is nil.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        match self {
            Value::Nil => true,
            Value::List(list) => list.ty.nil(),
            Value::Dict(dict) => dict.nil(),
            _ => false,
        }
    }

    /// The bytes of a `[]byte`; a nil one has none.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            Value::List(list) if list.ty == ListType::NilBytes => Some(b""),
            _ => None,
        }
    }

    /// The map, also that of a named type.
    #[must_use]
    pub fn as_dict(&self) -> Option<&Rc<Dict>> {
        match self {
            Value::Dict(dict) => Some(dict),
            Value::Object(object) => object.entries(),
            _ => None,
        }
    }

    /// The elements of any slice.
    #[must_use]
    pub fn elements(&self) -> Option<Elements<'_>> {
        match self {
            Value::List(list) => Some(Elements::List(list)),
            Value::Bytes(bytes) => Some(Elements::Bytes(bytes)),
            Value::Object(object) => object.items().map(Elements::List),
            _ => None,
        }
    }

    /// Some of its elements, as a slice of the same type; none beyond its end, and none of anything that is no slice.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Option<Value> {
        Some(match self {
            Value::List(list) => Value::typed_list(list.ty, list.items().get(range)?.to_vec()),
            Value::Bytes(bytes) => Value::Bytes(bytes.get(range)?.into()),
            Value::Object(object) => object.with_items(object.items()?.items().get(range)?.to_vec()),
            _ => return None,
        })
    }

    /// Go's idea of truth in templates: false are zero values and empty collections; structs are always true.
    #[must_use]
    pub fn truth(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(value) => *value,
            Value::Int(_, value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Complex(re, im) => *re != 0.0 || *im != 0.0,
            Value::Str(text) | Value::Bytes(text) => !text.is_empty(),
            Value::List(list) => !list.items().is_empty(),
            Value::Dict(dict) => !dict.is_empty(),
            Value::Object(object) => match (object.items(), object.entries()) {
                (Some(list), _) => !list.items().is_empty(),
                (_, Some(dict)) => !dict.is_empty(),
                _ => object.truth(),
            },
        }
    }
}

/// The elements of a slice.
#[derive(Clone, Copy)]
pub enum Elements<'a> {
    /// Of a list.
    List(&'a Rc<List>),
    /// Of bytes.
    Bytes(&'a Str),
}

impl Elements<'_> {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Elements::List(list) => list.items().len(),
            Elements::Bytes(bytes) => bytes.len(),
        }
    }

    /// None at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Value> {
        match self {
            Elements::List(list) => list.items().get(index).cloned(),
            Elements::Bytes(bytes) => bytes.get(index).map(|b| Value::Int(IntKind::Uint8, i64::from(*b))),
        }
    }

    /// All of them.
    #[must_use]
    pub fn to_vec(&self) -> Vec<Value> {
        match self {
            Elements::List(list) => list.items().to_vec(),
            Elements::Bytes(bytes) => {
                bytes.iter().map(|b| Value::Int(IntKind::Uint8, i64::from(*b))).collect()
            }
        }
    }

    /// True when the elements are of interface type.
    #[must_use]
    pub fn dynamic(&self) -> bool {
        matches!(self, Elements::List(list) if list.ty == ListType::Any)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Float(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Str(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Str(text.into())
    }
}

impl From<Vec<u8>> for Value {
    fn from(text: Vec<u8>) -> Value {
        Value::Str(text.into())
    }
}

impl From<Str> for Value {
    fn from(text: Str) -> Value {
        Value::Str(text)
    }
}

//! The functions that templates call.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::error::Fault;
use crate::exec::Exec;
use crate::types::Ty;
use crate::value::Value;

/// What a function does: it gets the executor, for functions that render templates or keep state, and arguments that
/// fit its parameters.
pub type Body = fn(&mut Exec<'_>, &[Value]) -> Result<Value, Fault>;

/// How a call evaluates its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    /// `and`: stops at the first argument that is false.
    And,
    /// `or`: stops at the first that is true.
    Or,
    /// `call`, whose errors name the argument as written.
    Call,
}

/// A function.
#[derive(Clone, Copy)]
pub struct Function {
    /// Name, as templates call it.
    pub name: &'static str,
    /// Types of the parameters.
    pub params: &'static [Ty],
    /// Type of any further parameters.
    pub rest: Option<Ty>,
    /// What it does.
    pub body: Body,
    pub(crate) form: Form,
}

impl Function {
    /// A function of fixed parameters.
    #[must_use]
    pub const fn new(name: &'static str, params: &'static [Ty], body: Body) -> Function {
        Function { name, params, rest: None, body, form: Form::Plain }
    }

    /// A function that takes further arguments of a type.
    #[must_use]
    pub const fn variadic(name: &'static str, params: &'static [Ty], rest: Ty, body: Body) -> Function {
        Function { name, params, rest: Some(rest), body, form: Form::Plain }
    }
}

/// A table of functions. Templates hold places in it, so they run only with the table they were parsed with.
pub struct Functions {
    list: Vec<Function>,
    names: HashMap<&'static [u8], u32, BuildHasherDefault<Quick>>,
}

impl Default for Functions {
    fn default() -> Functions {
        Functions::new()
    }
}

impl Functions {
    /// Go's built-in functions.
    #[must_use]
    pub fn new() -> Functions {
        let mut functions = Functions { list: Vec::new(), names: HashMap::default() };
        functions.extend(crate::builtin::FUNCTIONS.iter().copied());
        functions
    }

    /// Adds functions; one of a name that exists replaces it.
    pub fn extend(&mut self, added: impl IntoIterator<Item = Function>) {
        for function in added {
            let index = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
            self.list.push(function);
            self.names.insert(function.name.as_bytes(), index);
        }
    }

    /// All names, in no order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        let current =
            |at: usize, name: &str| self.names.get(name.as_bytes()).is_some_and(|i| *i as usize == at);
        let all = self.list.iter().enumerate();
        all.filter(move |(at, function)| current(*at, function.name)).map(|(_, function)| function.name)
    }

    pub(crate) fn index(&self, name: &[u8]) -> Option<u32> {
        self.names.get(name).copied()
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Function> {
        self.list.get(index as usize)
    }
}

/// A hash for names that nobody chooses to collide.
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let word = chunk.iter().fold(0, |word, b| (word << 8) | u64::from(*b));
            self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn write_usize(&mut self, number: usize) {
        self.0 = (self.0.rotate_left(5) ^ number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

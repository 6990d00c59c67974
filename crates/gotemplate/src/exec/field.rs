//! Fields, keys and methods.

use std::borrow::Cow;

use super::{Exec, MissingKey, Run, Slot};
use crate::error::Fault;
use crate::object::Method;
use crate::tree::{NodeId, Part, Span, Tree};
use crate::value::{DictType, Value};

impl Exec<'_> {
    /// `.a.b.c` on a value; the last may be a method, which takes the arguments.
    #[expect(clippy::too_many_arguments, reason = "the state of a command, which exists nowhere else")]
    pub(super) fn fields(
        &mut self,
        tree: &Tree,
        receiver: &Slot,
        names: Part,
        node: NodeId,
        args: &[NodeId],
        dot: &Slot,
        piped: Option<Slot>,
    ) -> Run<Slot> {
        let names = tree.names(names);
        if args.len() < 2
            && piped.is_none()
            && names.len() <= SHORT
            && let Some(value) = keys(&receiver.value, names, &tree.text, self.missing)
        {
            return Ok(Slot { value, interface: true });
        }
        let Some((last, before)) = names.split_last() else { return Ok(receiver.clone()) };
        let mut receiver = receiver.clone();
        for name in before {
            receiver = self.field(tree, receiver, tree.slice(*name), node, &[], dot, None)?;
        }
        self.field(tree, receiver, tree.slice(*last), node, args, dot, piped)
    }

    #[expect(clippy::too_many_arguments, reason = "the state of a command, which exists nowhere else")]
    fn field(
        &mut self,
        tree: &Tree,
        receiver: Slot,
        name: &[u8],
        node: NodeId,
        args: &[NodeId],
        dot: &Slot,
        piped: Option<Slot>,
    ) -> Run<Slot> {
        if receiver.invalid() {
            if self.missing == MissingKey::Error {
                let key = crate::quote::quote(name);
                return self.fail(tree, format!("nil data; no entry for key {key}"));
            }
            return Ok(Slot::default());
        }
        if matches!(receiver.value, Value::Nil) {
            return self.fail(tree, format!("nil pointer evaluating interface {{}}.{}", shown(name)));
        }
        if let Some(method) = method(&receiver.value, name) {
            return self.method(tree, &receiver.value, method, node, args, dot, piped);
        }
        let arguments = args.len() > 1 || piped.is_some();
        if let Some(dict) = receiver.value.as_dict() {
            if arguments {
                return self.fail(tree, format!("{} is not a method but has arguments", shown(name)));
            }
            return match dict.get(name) {
                Some(value) => Ok(Slot { value, interface: dict.dynamic() }),
                None => match self.missing {
                    MissingKey::Default => Ok(Slot::default()),
                    MissingKey::Zero => Ok(Slot { value: dict.zero(), interface: dict.dynamic() }),
                    MissingKey::Error => {
                        let key = crate::quote::quote(name);
                        self.fail(tree, format!("map has no entry for key {key}"))
                    }
                },
            };
        }
        if let Value::Object(object) = &receiver.value
            && let Some(value) = object.field(name)
        {
            let name = shown(name);
            if name.starts_with(char::is_lowercase) {
                let ty = receiver.type_name();
                return self.fail(tree, format!("{name} is an unexported field of struct type {ty}"));
            }
            if arguments {
                return self.fail(tree, format!("{name} has arguments but cannot be invoked as function"));
            }
            return Ok(Slot::concrete(value));
        }
        self.fail(tree, format!("can't evaluate field {} in type {}", shown(name), receiver.type_name()))
    }

    #[expect(clippy::too_many_arguments, reason = "the state of a command, which exists nowhere else")]
    fn method(
        &mut self,
        tree: &Tree,
        receiver: &Value,
        method: &'static Method,
        node: NodeId,
        args: &[NodeId],
        dot: &Slot,
        piped: Option<Slot>,
    ) -> Run<Slot> {
        let args = args.get(1..).unwrap_or_default();
        let body = match method.body {
            Ok(body) => body,
            Err(why) => {
                self.count(tree, method.name, method.params, None, args.len(), piped.is_some())?;
                return self.fail(tree, why.to_owned());
            }
        };
        let values = self.arguments(tree, method.name, method.params, None, args, dot, piped)?;
        let result = body(receiver, &values);
        self.give_back(values);
        self.called(tree, node, method.name, result)
    }

    /// The result of a function; its error gets the place of the call.
    pub(super) fn called(
        &mut self,
        tree: &Tree,
        node: NodeId,
        name: &str,
        result: Result<Value, Fault>,
    ) -> Run<Slot> {
        match result {
            Ok(value) => Ok(Slot::concrete(value)),
            Err(fault) => {
                self.at = node;
                let text = self.located(tree, &format_args!("error calling {name}: {}", fault.text()));
                let cause = match fault {
                    Fault::Text(text) => Box::new(crate::error::Error::new(text)),
                    Fault::Error(error) => error,
                };
                Err(Box::new(crate::error::Error { text, cause: Some(cause) }))
            }
        }
    }
}

/// Most names that are looked up within one another.
const SHORT: usize = 32;

/// What maps in maps have under names, without a copy of any of the maps between; none where anything else is on the
/// way, or missing before the last name.
fn keys(value: &Value, names: &[Span], text: &[u8], missing: MissingKey) -> Option<Value> {
    let (first, rest) = names.split_first()?;
    let name = first.of(text);
    let Value::Dict(dict) = value else { return None };
    if !dict.dynamic() || method(value, name).is_some() {
        return None;
    }
    let map = dict.map.borrow();
    match map.get(name) {
        Some(value) if rest.is_empty() => Some(value.clone()),
        Some(value) => keys(value, rest, text, missing),
        None if rest.is_empty() && missing == MissingKey::Zero => Some(Value::Nil),
        None => None,
    }
}

fn shown(name: &[u8]) -> Cow<'_, str> {
    crate::text::lossy(name)
}

fn method(value: &Value, name: &[u8]) -> Option<&'static Method> {
    let methods = match value {
        Value::Object(object) => object.methods(),
        Value::Dict(dict) => match dict.ty {
            DictType::Named(named) => named.methods,
            _ => return None,
        },
        _ => return None,
    };
    methods.iter().find(|method| method.name.as_bytes() == name)
}

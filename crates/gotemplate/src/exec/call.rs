//! Calls.

use super::{Exec, Run, Slot};
use crate::error::Fault;
use crate::function::Form;
use crate::tree::{NodeId, NodeKind, Tree};
use crate::types::Ty;
use crate::value::Value;

impl Exec<'_> {
    pub(super) fn function(
        &mut self,
        tree: &Tree,
        function: u32,
        node: NodeId,
        args: &[NodeId],
        dot: &Slot,
        piped: Option<Slot>,
    ) -> Run<Slot> {
        self.step(tree)?;
        let functions = self.functions;
        let Some(function) = functions.get(function) else {
            let name = match tree.kind(self.at) {
                NodeKind::Identifier { name, .. } => tree.slice(name),
                _ => b"",
            };
            return self.fail(tree, format!("{} is not a defined function", crate::quote::quote(name)));
        };
        let args = args.get(1..).unwrap_or_default();
        if matches!(function.form, Form::And | Form::Or) {
            self.count(tree, function.name, function.params, function.rest, args.len(), piped.is_some())?;
            let stop = function.form == Form::Or;
            let mut value = Value::Nil;
            for arg in args {
                value = self.argument(tree, *arg, Ty::Reflect, dot)?;
                if value.truth() == stop {
                    return Ok(Slot::concrete(value));
                }
            }
            return Ok(Slot::concrete(piped.map_or(value, |slot| slot.value)));
        }
        let values = self.arguments(tree, function.name, function.params, function.rest, args, dot, piped)?;
        let result = match function.form {
            Form::Call => Err(not_called(tree, args, &values)),
            _ => (function.body)(self, &values),
        };
        self.give_back(values);
        if let Ok(value) = &result {
            self.made(tree, value)?;
        }
        self.called(tree, node, function.name, result)
    }

    pub(super) fn count(
        &self,
        tree: &Tree,
        name: &str,
        params: &[Ty],
        rest: Option<Ty>,
        written: usize,
        piped: bool,
    ) -> Run<()> {
        let got = written + usize::from(piped);
        let want = params.len();
        if rest.is_some() {
            if got < want {
                return self.fail(
                    tree,
                    format!("wrong number of args for {name}: want at least {want} got {written}"),
                );
            }
        } else if got != want {
            return self.fail(tree, format!("wrong number of args for {name}: want {want} got {got}"));
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the state of a call, which exists nowhere else")]
    pub(super) fn arguments(
        &mut self,
        tree: &Tree,
        name: &str,
        params: &[Ty],
        rest: Option<Ty>,
        args: &[NodeId],
        dot: &Slot,
        piped: Option<Slot>,
    ) -> Run<Vec<Value>> {
        self.count(tree, name, params, rest, args.len(), piped.is_some())?;
        let ty = |i: usize| params.get(i).copied().or(rest).unwrap_or(Ty::Any);
        let mut values = self.spare.pop().unwrap_or_default();
        for (i, arg) in args.iter().enumerate() {
            let value = self.argument(tree, *arg, ty(i), dot)?;
            values.push(value);
        }
        if let Some(piped) = piped {
            values.push(self.fit(tree, piped, ty(args.len()))?);
        }
        Ok(values)
    }

    /// Keeps the room of an argument list for the next call.
    pub(super) fn give_back(&mut self, mut values: Vec<Value>) {
        values.clear();
        self.spare.push(values);
    }
}

/// There are no function values here, so `call` always fails.
fn not_called(tree: &Tree, args: &[NodeId], values: &[Value]) -> Fault {
    let name = args.first().map(|arg| tree.source(*arg));
    match values.first() {
        None | Some(Value::Nil) => "call of nil".into(),
        Some(value) => {
            let shown = || match value {
                Value::Str(text) => text.text().into_owned(),
                other => format!("<{} Value>", other.type_name()),
            };
            let name = name.unwrap_or_else(shown);
            format!("non-function {name} of type {}", value.type_name()).into()
        }
    }
}

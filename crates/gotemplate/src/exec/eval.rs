//! Pipelines and commands.

use super::{Exec, Run, Slot};
use crate::tree::{Declaration, NodeId, NodeKind, Span, Tree};
use crate::value::Value;

impl Exec<'_> {
    pub(super) fn pipeline(&mut self, tree: &Tree, id: NodeId, dot: &Slot) -> Run<Slot> {
        self.at = id;
        self.step(tree)?;
        let NodeKind::Pipe { declared, commands, .. } = tree.kind(id) else { return Ok(Slot::default()) };
        if let ([only], true) = (tree.children(commands), declared.is_empty()) {
            let mut result = self.command(tree, *only, dot, None)?;
            result.interface = false;
            return Ok(result);
        }
        let mut value: Option<Slot> = None;
        for command in tree.children(commands) {
            let mut result = self.command(tree, *command, dot, value)?;
            // The interface around a value ends here.
            result.interface = false;
            value = Some(result);
        }
        let value = value.unwrap_or_default();
        for variable in tree.declarations(declared) {
            self.set_variable(tree, variable, value.clone())?;
        }
        Ok(value)
    }

    pub(super) fn set_variable(&mut self, tree: &Tree, variable: &Declaration, value: Slot) -> Run<()> {
        let place = variable.slot.and_then(|slot| self.stack.get_mut(self.base + slot as usize));
        match place {
            Some(place) => {
                *place = value;
                Ok(())
            }
            None => self
                .fail(tree, format!("undefined variable: {}", crate::text::lossy(tree.slice(variable.name)))),
        }
    }

    fn command(&mut self, tree: &Tree, id: NodeId, dot: &Slot, piped: Option<Slot>) -> Run<Slot> {
        let NodeKind::Command(args) = tree.kind(id) else { return Ok(Slot::default()) };
        let args = tree.children(args);
        let Some(first) = args.first().copied() else { return Ok(Slot::default()) };
        match tree.kind(first) {
            NodeKind::Field(fields) => {
                self.at = first;
                self.fields(tree, dot, fields, first, args, dot, piped)
            }
            NodeKind::Chain { .. } => self.chain(tree, first, args, dot, piped),
            NodeKind::Identifier { function, .. } => {
                self.at = first;
                self.function(tree, function, id, args, dot, piped)
            }
            NodeKind::Pipe { .. } => {
                self.no_arguments(tree, args, &piped)?;
                self.pipeline(tree, first, dot)
            }
            NodeKind::Variable { .. } => self.variable(tree, first, args, dot, piped),
            kind => {
                self.at = first;
                self.no_arguments(tree, args, &piped)?;
                match kind {
                    NodeKind::Bool(value) => Ok(Slot::concrete(Value::Bool(value))),
                    NodeKind::Dot => Ok(dot.clone()),
                    NodeKind::Number { number, text } => self.constant(tree, number, text),
                    NodeKind::Str(literal) => Ok(Slot::concrete(Value::Str(tree.literal(literal)))),
                    _ => self.fail(tree, "nil is not a command"),
                }
            }
        }
    }

    fn no_arguments(&self, tree: &Tree, args: &[NodeId], piped: &Option<Slot>) -> Run<()> {
        match args {
            [first, _, ..] => {
                self.fail(tree, format!("can't give argument to non-function {}", tree.source(*first)))
            }
            [first] if piped.is_some() => {
                self.fail(tree, format!("can't give argument to non-function {}", tree.source(*first)))
            }
            _ => Ok(()),
        }
    }

    /// A literal where nothing tells which type it should have.
    pub(super) fn constant(&mut self, tree: &Tree, number: u32, text: Span) -> Run<Slot> {
        let number = tree.number(number);
        if let Some((re, im)) = number.complex {
            return Ok(Slot::concrete(Value::Complex(re, im)));
        }
        match (number.float, number.int) {
            (Some(float), _) if number.float_syntax => Ok(Slot::concrete(Value::Float(float))),
            (_, Some(int)) => Ok(Slot::concrete(Value::int(int))),
            _ => self.fail(tree, format!("{} overflows int", crate::text::lossy(tree.slice(text)))),
        }
    }

    pub(super) fn variable(
        &mut self,
        tree: &Tree,
        id: NodeId,
        args: &[NodeId],
        dot: &Slot,
        piped: Option<Slot>,
    ) -> Run<Slot> {
        self.at = id;
        let NodeKind::Variable { name, slot, fields } = tree.kind(id) else { return Ok(Slot::default()) };
        let Some(value) = slot.and_then(|slot| self.stack.get(self.base + slot as usize)).cloned() else {
            let name = crate::text::lossy(tree.slice(name));
            return self.fail(tree, format!("undefined variable: {name}"));
        };
        if fields.is_empty() {
            self.no_arguments(tree, args, &piped)?;
            return Ok(value);
        }
        self.fields(tree, &value, fields, id, args, dot, piped)
    }

    pub(super) fn chain(
        &mut self,
        tree: &Tree,
        id: NodeId,
        args: &[NodeId],
        dot: &Slot,
        piped: Option<Slot>,
    ) -> Run<Slot> {
        self.at = id;
        let NodeKind::Chain { node, fields } = tree.kind(id) else { return Ok(Slot::default()) };
        if matches!(tree.kind(node), NodeKind::Nil) {
            return self.fail(tree, format!("indirection through explicit nil in {}", tree.source(id)));
        }
        let value = self.operand(tree, node, dot)?.unwrap_or_default();
        self.fields(tree, &value, fields, id, args, dot, piped)
    }
}

//! Arguments: what fits which parameter.

use super::{Exec, Run, Slot};
use crate::tree::{NodeId, NodeKind, Tree};
use crate::types::Ty;
use crate::value::Value;

impl Exec<'_> {
    /// The value of an operand that is no literal; none for literals.
    pub(super) fn operand(&mut self, tree: &Tree, id: NodeId, dot: &Slot) -> Run<Option<Slot>> {
        self.at = id;
        Ok(Some(match tree.kind(id) {
            NodeKind::Dot => dot.clone(),
            NodeKind::Field(fields) => self.fields(tree, dot, fields, id, &[], dot, None)?,
            NodeKind::Variable { .. } => self.variable(tree, id, &[], dot, None)?,
            NodeKind::Pipe { .. } => self.pipeline(tree, id, dot)?,
            NodeKind::Identifier { function, .. } => self.function(tree, function, id, &[], dot, None)?,
            NodeKind::Chain { .. } => self.chain(tree, id, &[], dot, None)?,
            _ => return Ok(None),
        }))
    }

    pub(super) fn argument(&mut self, tree: &Tree, id: NodeId, ty: Ty, dot: &Slot) -> Run<Value> {
        let kind = tree.kind(id);
        // Most arguments are texts and fields.
        if let (NodeKind::Str(literal), Ty::Any | Ty::Reflect | Ty::Str) = (kind, ty) {
            self.at = id;
            return Ok(Value::Str(tree.literal(literal)));
        }
        if let Some(slot) = self.operand(tree, id, dot)? {
            return self.fit(tree, slot, ty);
        }
        if matches!(kind, NodeKind::Nil) {
            if ty.nillable() {
                self.typed_nil.set(false);
                return Ok(Value::Nil);
            }
            return self.fail(tree, format!("cannot assign nil to {}", ty.name()));
        }
        let found = match (ty, kind) {
            (Ty::Any | Ty::Reflect, NodeKind::Number { number, text }) => {
                return Ok(self.constant(tree, number, text)?.value);
            }
            (Ty::Any | Ty::Reflect | Ty::Bool, NodeKind::Bool(value)) => Some(Value::Bool(value)),
            (Ty::Int(kind), NodeKind::Number { number, .. }) if kind.unsigned() => {
                tree.number(number).uint.map(|value| Value::Int(kind, value.cast_signed()))
            }
            (Ty::Int(kind), NodeKind::Number { number, .. }) => {
                tree.number(number).int.map(|value| Value::Int(kind, value))
            }
            (Ty::Number(_, make), NodeKind::Number { number, .. }) => tree.number(number).int.map(make),
            (Ty::Float, NodeKind::Number { number, .. }) => tree.number(number).float.map(Value::Float),
            _ => None,
        };
        if let Some(value) = found {
            return Ok(value);
        }
        let expected = match ty {
            Ty::Bool => "bool",
            Ty::Str => "string",
            Ty::Float => "float",
            Ty::Int(kind) if kind.unsigned() => "unsigned integer",
            Ty::Int(_) | Ty::Number(..) => "integer",
            _ => {
                let node = tree.source(id);
                return self.fail(tree, format!("can't handle {node} for arg of type {}", ty.name()));
            }
        };
        self.fail(tree, format!("expected {expected}; found {}", tree.source(id)))
    }

    /// Checks that a value may be passed to a parameter.
    pub(super) fn fit(&self, tree: &Tree, slot: Slot, ty: Ty) -> Run<Value> {
        if matches!(ty, Ty::Any | Ty::Reflect) {
            self.typed_nil.set(slot.interface);
            if let (Ty::Any, Value::Object(object)) = (ty, &slot.value)
                && let Some(passed) = object.passed()
            {
                return Ok(passed);
            }
            return Ok(slot.value);
        }
        if slot.invalid() {
            if ty.nillable() {
                return Ok(Value::Nil);
            }
            return self.fail(tree, format!("invalid value; expected {}", ty.name()));
        }
        if !matches!(slot.value, Value::Nil) && ty.takes(&slot.value) {
            return Ok(slot.value);
        }
        let found = match slot.value {
            Value::Nil => "interface {}".into(),
            value => value.type_name(),
        };
        self.fail(tree, format!("wrong type for value; expected {}; got {found}", ty.name()))
    }
}

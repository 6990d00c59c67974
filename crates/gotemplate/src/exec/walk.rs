//! Actions and control structures.

use super::{Exec, Run, Slot};
use crate::fmt;
use crate::tree::{NodeId, NodeKind, Tree};
use crate::value::Value;

/// How a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    On,
    Break,
    Continue,
}

impl Exec<'_> {
    pub(super) fn walk(&mut self, tree: &Tree, id: NodeId, dot: &Slot) -> Run<Flow> {
        match tree.kind(id) {
            NodeKind::Text(span) => {
                let before = self.out.len();
                self.out.extend_from_slice(tree.slice(span));
                self.wrote(tree, before)?;
            }
            NodeKind::List(nodes) => {
                for node in tree.children(nodes) {
                    let flow = self.walk(tree, *node, dot)?;
                    if flow != Flow::On {
                        return Ok(flow);
                    }
                }
            }
            NodeKind::Action(pipe) => {
                let value = self.pipeline(tree, pipe, dot)?;
                if !matches!(tree.kind(pipe), NodeKind::Pipe { declared, .. } if !declared.is_empty()) {
                    self.at = id;
                    let before = self.out.len();
                    fmt::print_value(&value.value, &mut self.out);
                    self.wrote(tree, before)?;
                }
            }
            NodeKind::If { pipe, list, other } => {
                let value = self.pipeline(tree, pipe, dot)?;
                if value.value.truth() {
                    return self.walk(tree, list, dot);
                } else if let Some(other) = other {
                    return self.walk(tree, other, dot);
                }
            }
            NodeKind::With { pipe, list, other } => {
                let value = self.pipeline(tree, pipe, dot)?;
                if value.value.truth() {
                    return self.walk(tree, list, &value);
                } else if let Some(other) = other {
                    return self.walk(tree, other, dot);
                }
            }
            NodeKind::Range { pipe, list, other } => return self.range(tree, pipe, list, other, dot),
            NodeKind::Template { name, pipe } => {
                self.at = id;
                let name = tree.literal(name);
                let Some(template) = self.set.get(&name).cloned() else {
                    return self.fail(tree, format!("template {} not defined", crate::quote::quote(&name)));
                };
                if self.depth >= self.limits.depth {
                    let limit = self.limits.depth;
                    return self.fail(tree, format!("exceeded maximum template depth ({limit})"));
                }
                let data = match pipe {
                    Some(pipe) => self.pipeline(tree, pipe, dot)?,
                    None => Slot::default(),
                };
                self.enter(&template, data)?;
            }
            NodeKind::Break => return Ok(Flow::Break),
            NodeKind::Continue => return Ok(Flow::Continue),
            _ => {}
        }
        Ok(Flow::On)
    }

    fn range(
        &mut self,
        tree: &Tree,
        pipe: NodeId,
        list: NodeId,
        other: Option<NodeId>,
        dot: &Slot,
    ) -> Run<Flow> {
        let collection = self.pipeline(tree, pipe, dot)?;
        let declared = match tree.kind(pipe) {
            NodeKind::Pipe { declared, .. } => declared.len(),
            _ => 0,
        };
        let mut ran = false;
        let value = &collection.value;
        if let Some(elements) = value.elements() {
            let interface = elements.dynamic();
            for i in 0..elements.len() {
                let Some(element) = elements.get(i) else { break };
                ran = true;
                let element = Slot { value: element, interface };
                let index = Value::int(i64::try_from(i).unwrap_or(i64::MAX));
                if self.iterate(tree, pipe, list, index, element)? == Flow::Break {
                    break;
                }
            }
        } else if let Some(dict) = value.as_dict() {
            let interface = dict.dynamic();
            for (key, value) in dict.entries() {
                ran = true;
                let element = Slot { value, interface };
                if self.iterate(tree, pipe, list, Value::Str(key), element)? == Flow::Break {
                    break;
                }
            }
        } else if let Some(count) = counted(value) {
            if declared > 1 {
                let shown = fmt::sprint(value);
                return self.fail(tree, format!("can't use {shown} to iterate over more than one variable"));
            }
            for i in 0..count.max(0) {
                ran = true;
                self.step(tree)?;
                let element = Slot::concrete(with_number(value, i));
                if self.iterate(tree, pipe, list, Value::Nil, element)? == Flow::Break {
                    break;
                }
            }
        } else if !matches!(value, Value::Nil) {
            let shown = fmt::sprint_pointed_to(value);
            return self.fail(tree, format!("range can't iterate over {shown}"));
        }
        match other {
            // A break there ends this range, which had nothing to go through, not one around it; a continue goes on there.
            Some(other) if !ran => match self.walk(tree, other, dot)? {
                Flow::Break => Ok(Flow::On),
                flow => Ok(flow),
            },
            _ => Ok(Flow::On),
        }
    }

    fn iterate(&mut self, tree: &Tree, pipe: NodeId, list: NodeId, index: Value, element: Slot) -> Run<Flow> {
        if let NodeKind::Pipe { declared, .. } = tree.kind(pipe) {
            match tree.declarations(declared) {
                [only] => self.set_variable(tree, only, element.clone())?,
                [first, second] => {
                    self.set_variable(tree, first, Slot::concrete(index))?;
                    self.set_variable(tree, second, element.clone())?;
                }
                _ => {}
            }
        }
        self.walk(tree, list, &element)
    }
}

/// How often a range over a number goes around.
fn counted(value: &Value) -> Option<i64> {
    match value {
        Value::Int(kind, count) if kind.unsigned() && *count < 0 => Some(i64::MAX),
        Value::Int(_, count) => Some(*count),
        Value::Object(object) => object.number(),
        _ => None,
    }
}

/// Another number of the same type.
fn with_number(value: &Value, number: i64) -> Value {
    match value {
        Value::Int(kind, _) => Value::Int(*kind, number),
        Value::Object(object) => object.with_number(number),
        _ => Value::int(number),
    }
}

//! A parsed text, and its nodes written as Go writes them in errors.

use std::fmt::Write as _;

use crate::number::Number;
use crate::quote::quote;
use crate::text::Str;

/// Index of a node in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeId(pub(crate) u32);

/// A node and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    /// Position in the text, in bytes.
    pub(crate) pos: u32,
    pub(crate) kind: NodeKind,
}

/// A variable that a pipeline declares or assigns.
#[derive(Debug)]
pub(crate) struct Declaration {
    pub(crate) name: Box<str>,
    /// Place in the frame; none for an assignment to a variable that does not exist when it runs.
    pub(crate) slot: Option<u32>,
}

#[derive(Debug)]
pub(crate) enum NodeKind {
    Text { start: u32, end: u32 },
    List(Vec<NodeId>),
    Action(NodeId),
    Pipe { declared: Vec<Declaration>, assigns: bool, commands: Vec<NodeId> },
    Command(Vec<NodeId>),
    Identifier { name: Box<str>, function: u32 },
    Dot,
    Nil,
    Bool(bool),
    Number(Box<Number>),
    Str { value: Str, quoted: Box<str> },
    Field(Vec<Str>),
    Variable { name: Box<str>, slot: Option<u32>, fields: Vec<Str> },
    Chain { node: NodeId, fields: Vec<Str> },
    If { pipe: NodeId, list: NodeId, other: Option<NodeId> },
    With { pipe: NodeId, list: NodeId, other: Option<NodeId> },
    Range { pipe: NodeId, list: NodeId, other: Option<NodeId> },
    Template { name: Str, pipe: Option<NodeId> },
    Break,
    Continue,
}

/// The nodes of one text: the template itself and those it defines.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Name the text was parsed under, which errors show.
    pub(crate) name: Str,
    pub(crate) text: Str,
    pub(crate) nodes: Vec<Node>,
}

const EMPTY: Node = Node { pos: 0, kind: NodeKind::Nil };

impl Tree {
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id.0 as usize).unwrap_or(&EMPTY)
    }

    pub(crate) fn kind(&self, id: NodeId) -> &NodeKind {
        &self.node(id).kind
    }

    /// `name:line:column` of a node; lines count from 1, columns are bytes from 0.
    pub(crate) fn location(&self, id: NodeId) -> String {
        let before = self.text.get(..self.node(id).pos as usize).unwrap_or(&self.text);
        let column = match before.iter().rposition(|b| *b == b'\n') {
            Some(at) => before.len() - at - 1,
            None => before.len(),
        };
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        format!("{}:{line}:{column}", self.name.text())
    }

    /// The node as Go prints it.
    pub(crate) fn source(&self, id: NodeId) -> String {
        let mut out = String::new();
        self.write(id, &mut out);
        out
    }

    fn write(&self, id: NodeId, out: &mut String) {
        match self.kind(id) {
            NodeKind::Text { start, end } => {
                let text = self.text.get(*start as usize..*end as usize).unwrap_or_default();
                out.push_str(&String::from_utf8_lossy(text));
            }
            NodeKind::List(nodes) => nodes.iter().for_each(|node| self.write(*node, out)),
            NodeKind::Action(pipe) => {
                out.push_str("{{");
                self.write(*pipe, out);
                out.push_str("}}");
            }
            NodeKind::Pipe { declared, assigns, commands } => {
                for (i, variable) in declared.iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    out.push_str(&variable.name);
                }
                if !declared.is_empty() {
                    out.push_str(if *assigns { " = " } else { " := " });
                }
                self.joined(commands, " | ", out);
            }
            NodeKind::Command(args) => {
                for (i, arg) in args.iter().enumerate() {
                    out.push_str(if i > 0 { " " } else { "" });
                    self.operand(*arg, out);
                }
            }
            NodeKind::Identifier { name, .. } => out.push_str(name),
            NodeKind::Dot => out.push('.'),
            NodeKind::Nil => out.push_str("nil"),
            NodeKind::Bool(value) => _ = write!(out, "{value}"),
            NodeKind::Number(number) => out.push_str(&number.text),
            NodeKind::Str { quoted, .. } => out.push_str(quoted),
            NodeKind::Field(fields) => write_fields(fields, out),
            NodeKind::Variable { name, fields, .. } => {
                out.push_str(name);
                write_fields(fields, out);
            }
            NodeKind::Chain { node, fields } => {
                self.operand(*node, out);
                write_fields(fields, out);
            }
            NodeKind::If { pipe, list, other } => self.branch("if", *pipe, *list, *other, out),
            NodeKind::With { pipe, list, other } => self.branch("with", *pipe, *list, *other, out),
            NodeKind::Range { pipe, list, other } => self.branch("range", *pipe, *list, *other, out),
            NodeKind::Template { name, pipe } => {
                _ = write!(out, "{{{{template {}", quote(name));
                if let Some(pipe) = pipe {
                    out.push(' ');
                    self.write(*pipe, out);
                }
                out.push_str("}}");
            }
            NodeKind::Break => out.push_str("{{break}}"),
            NodeKind::Continue => out.push_str("{{continue}}"),
        }
    }

    fn joined(&self, nodes: &[NodeId], separator: &str, out: &mut String) {
        for (i, node) in nodes.iter().enumerate() {
            out.push_str(if i > 0 { separator } else { "" });
            self.write(*node, out);
        }
    }

    fn operand(&self, id: NodeId, out: &mut String) {
        let parens = matches!(self.kind(id), NodeKind::Pipe { .. });
        out.push_str(if parens { "(" } else { "" });
        self.write(id, out);
        out.push_str(if parens { ")" } else { "" });
    }

    fn branch(&self, word: &str, pipe: NodeId, list: NodeId, other: Option<NodeId>, out: &mut String) {
        _ = write!(out, "{{{{{word} ");
        self.write(pipe, out);
        out.push_str("}}");
        self.write(list, out);
        if let Some(other) = other {
            out.push_str("{{else}}");
            self.write(other, out);
        }
        out.push_str("{{end}}");
    }

    /// True when the nodes print nothing but white space and define nothing of their own.
    pub(crate) fn blank(&self, id: NodeId) -> bool {
        match self.kind(id) {
            NodeKind::List(nodes) => nodes.iter().all(|node| self.blank(*node)),
            NodeKind::Text { start, end } => {
                let text = self.text.get(*start as usize..*end as usize).unwrap_or_default();
                String::from_utf8_lossy(text).trim().is_empty()
            }
            _ => false,
        }
    }
}

fn write_fields(fields: &[Str], out: &mut String) {
    for field in fields {
        out.push('.');
        out.push_str(&field.text());
    }
}

//! A parsed text, and its nodes written as Go writes them in errors.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::OnceLock;

use crate::number::Number;
use crate::quote::quote;
use crate::text::Str;

/// Index of a node in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeId(pub(crate) u32);

/// A node and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    /// Position in the text, in bytes.
    pub(crate) pos: u32,
    pub(crate) kind: NodeKind,
}

/// A piece of the text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    #[inline]
    pub(crate) fn of(self, text: &[u8]) -> &[u8] {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// A range of one of a tree's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Part {
    pub(crate) const EMPTY: Part = Part { start: 0, end: 0 };

    fn of<T>(self, table: &[T]) -> &[T] {
        table.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }

    pub(crate) fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}

/// A variable that a pipeline declares or assigns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Declaration {
    pub(crate) name: Span,
    /// Place in the frame; none for an assignment to a variable that does not exist when it runs.
    pub(crate) slot: Option<u32>,
}

/// A text in quotes.
#[derive(Debug)]
pub(crate) struct Literal {
    /// As written, with the quotes.
    pub(crate) quoted: Span,
    /// What it stands for, made when it is first needed: most of a chart's templates never run.
    value: OnceLock<Str>,
}

impl Literal {
    /// A literal whose value is what stands between the quotes.
    pub(crate) fn plain(quoted: Span) -> Literal {
        Literal { quoted, value: OnceLock::new() }
    }

    pub(crate) fn new(quoted: Span, value: Str) -> Literal {
        Literal { quoted, value: OnceLock::from(value) }
    }

    pub(crate) fn value(&self, text: &[u8]) -> Str {
        let value = self.value.get_or_init(|| {
            let quoted = self.quoted.of(text);
            quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().into()
        });
        value.clone()
    }
}

/// A node. What it has several of stands in the tables of its tree: nothing here has to be dropped.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NodeKind {
    Text(Span),
    /// Of nodes.
    List(Part),
    Action(NodeId),
    /// Of declarations, and of nodes, which are commands.
    Pipe {
        declared: Part,
        assigns: bool,
        commands: Part,
    },
    /// Of nodes.
    Command(Part),
    Identifier {
        name: Span,
        function: u32,
    },
    Dot,
    Nil,
    Bool(bool),
    Number {
        text: Span,
        number: u32,
    },
    /// A literal.
    Str(u32),
    /// Of names.
    Field(Part),
    Variable {
        name: Span,
        slot: Option<u32>,
        fields: Part,
    },
    Chain {
        node: NodeId,
        fields: Part,
    },
    If {
        pipe: NodeId,
        list: NodeId,
        other: Option<NodeId>,
    },
    With {
        pipe: NodeId,
        list: NodeId,
        other: Option<NodeId>,
    },
    Range {
        pipe: NodeId,
        list: NodeId,
        other: Option<NodeId>,
    },
    /// The name is a literal.
    Template {
        name: u32,
        pipe: Option<NodeId>,
    },
    Break,
    Continue,
}

/// The nodes of one text: the template itself and those it defines.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Name the text was parsed under, which errors show.
    pub(crate) name: Str,
    pub(crate) text: Str,
    pub(crate) parts: Parts,
}

/// The tables of a tree.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) nodes: Vec<Node>,
    /// The children of nodes.
    pub(crate) children: Vec<NodeId>,
    /// The names of fields.
    pub(crate) names: Vec<Span>,
    pub(crate) declarations: Vec<Declaration>,
    pub(crate) literals: Vec<Literal>,
    pub(crate) numbers: Vec<Number>,
}

impl Parts {
    pub(crate) fn clear(&mut self) {
        let Parts { nodes, children, names, declarations, literals, numbers } = self;
        nodes.clear();
        children.clear();
        names.clear();
        declarations.clear();
        literals.clear();
        numbers.clear();
    }

    /// The tables, no larger than they have to be; their room stays here.
    pub(crate) fn take(&mut self) -> Parts {
        // In one piece each, where nothing has to be moved out; the next text clears what stays.
        Parts {
            nodes: self.nodes.to_vec(),
            children: self.children.to_vec(),
            names: self.names.to_vec(),
            declarations: self.declarations.to_vec(),
            literals: self.literals.drain(..).collect(),
            numbers: self.numbers.to_vec(),
        }
    }

    #[inline]
    pub(crate) fn kind(&self, id: NodeId) -> NodeKind {
        self.nodes.get(id.0 as usize).map_or(NodeKind::Nil, |node| node.kind)
    }

    pub(crate) fn children(&self, part: Part) -> &[NodeId] {
        part.of(&self.children)
    }

    /// True when the nodes print nothing but white space and define nothing of their own.
    pub(crate) fn blank(&self, id: NodeId, text: &[u8]) -> bool {
        match self.kind(id) {
            NodeKind::List(nodes) => self.children(nodes).iter().all(|node| self.blank(*node, text)),
            NodeKind::Text(span) => {
                let text = span.of(text);
                // Mostly, the first character tells.
                text.iter().all(u8::is_ascii_whitespace)
                    || (text.first().is_some_and(|b| !b.is_ascii_graphic())
                        && crate::text::lossy(text).trim().is_empty())
            }
            _ => false,
        }
    }
}

impl Tree {
    #[inline]
    pub(crate) fn kind(&self, id: NodeId) -> NodeKind {
        self.parts.kind(id)
    }

    #[inline]
    pub(crate) fn children(&self, part: Part) -> &[NodeId] {
        self.parts.children(part)
    }

    pub(crate) fn names(&self, part: Part) -> &[Span] {
        part.of(&self.parts.names)
    }

    pub(crate) fn declarations(&self, part: Part) -> &[Declaration] {
        part.of(&self.parts.declarations)
    }

    pub(crate) fn number(&self, index: u32) -> Number {
        self.parts.numbers.get(index as usize).copied().unwrap_or_default()
    }

    pub(crate) fn literal(&self, index: u32) -> Str {
        let literal = self.parts.literals.get(index as usize);
        literal.map_or_else(Str::default, |literal| literal.value(&self.text))
    }

    /// A piece of the text.
    #[inline]
    pub(crate) fn slice(&self, span: Span) -> &[u8] {
        span.of(&self.text)
    }

    fn shown(&self, span: Span) -> Cow<'_, str> {
        crate::text::lossy(self.slice(span))
    }

    /// `name:line:column` of a node; lines count from 1, columns are bytes from 0.
    pub(crate) fn location(&self, id: NodeId) -> String {
        let pos = self.parts.nodes.get(id.0 as usize).map_or(0, |node| node.pos);
        let before = self.text.get(..pos as usize).unwrap_or(&self.text);
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
            NodeKind::Text(span) => out.push_str(&self.shown(span)),
            NodeKind::List(nodes) => self.children(nodes).iter().for_each(|node| self.write(*node, out)),
            NodeKind::Action(pipe) => {
                out.push_str("{{");
                self.write(pipe, out);
                out.push_str("}}");
            }
            NodeKind::Pipe { declared, assigns, commands } => {
                for (i, variable) in self.declarations(declared).iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    out.push_str(&self.shown(variable.name));
                }
                if !declared.is_empty() {
                    out.push_str(if assigns { " = " } else { " := " });
                }
                for (i, command) in self.children(commands).iter().enumerate() {
                    out.push_str(if i > 0 { " | " } else { "" });
                    self.write(*command, out);
                }
            }
            NodeKind::Command(args) => {
                for (i, arg) in self.children(args).iter().enumerate() {
                    out.push_str(if i > 0 { " " } else { "" });
                    self.operand(*arg, out);
                }
            }
            NodeKind::Identifier { name, .. } => out.push_str(&self.shown(name)),
            NodeKind::Dot => out.push('.'),
            NodeKind::Nil => out.push_str("nil"),
            NodeKind::Bool(value) => _ = write!(out, "{value}"),
            NodeKind::Number { text, .. } => out.push_str(&self.shown(text)),
            NodeKind::Str(literal) => {
                if let Some(literal) = self.parts.literals.get(literal as usize) {
                    out.push_str(&self.shown(literal.quoted));
                }
            }
            NodeKind::Field(fields) => self.fields(fields, out),
            NodeKind::Variable { name, fields, .. } => {
                out.push_str(&self.shown(name));
                self.fields(fields, out);
            }
            NodeKind::Chain { node, fields } => {
                self.operand(node, out);
                self.fields(fields, out);
            }
            NodeKind::If { pipe, list, other } => self.branch("if", pipe, list, other, out),
            NodeKind::With { pipe, list, other } => self.branch("with", pipe, list, other, out),
            NodeKind::Range { pipe, list, other } => self.branch("range", pipe, list, other, out),
            NodeKind::Template { name, pipe } => {
                _ = write!(out, "{{{{template {}", quote(&self.literal(name)));
                if let Some(pipe) = pipe {
                    out.push(' ');
                    self.write(pipe, out);
                }
                out.push_str("}}");
            }
            NodeKind::Break => out.push_str("{{break}}"),
            NodeKind::Continue => out.push_str("{{continue}}"),
        }
    }

    fn operand(&self, id: NodeId, out: &mut String) {
        let parens = matches!(self.kind(id), NodeKind::Pipe { .. });
        out.push_str(if parens { "(" } else { "" });
        self.write(id, out);
        out.push_str(if parens { ")" } else { "" });
    }

    fn fields(&self, fields: Part, out: &mut String) {
        for field in self.names(fields) {
            out.push('.');
            out.push_str(&self.shown(*field));
        }
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
}

//! Pipelines, commands and operands.

use super::{Parsed, Parser};
use crate::lex::{Keyword, Kind, Token};
use crate::number::Number;
use crate::quote::quote;
use crate::tree::{Declaration, Node, NodeId, NodeKind, Part, Span};

impl<'a> Parser<'a> {
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<NodeId> {
        let pos = self.peek().start;
        let mut names = [None; 2];
        let assigns = self.declarations(context, &mut names)?;
        let from = self.pending.len();
        loop {
            let token = self.next();
            match token.kind {
                kind if kind == end => break,
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Keyword(Keyword::Nil)
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.next -= 1;
                    let command = self.command()?;
                    self.pending.push(command);
                }
                _ => return self.unexpected(token, context),
            }
        }
        let commands = self.children(from);
        self.check_pipeline(commands, context)?;
        let start = self.parts.declarations.len() as u32;
        for token in names.into_iter().flatten() {
            let name = self.raw(token);
            let slot = if assigns { self.scope.slot(name) } else { Some(self.scope.declare(name)) };
            self.parts.declarations.push(Declaration { name: span(token), slot });
        }
        let declared = Part { start, end: self.parts.declarations.len() as u32 };
        Ok(self.push(pos, NodeKind::Pipe { declared, assigns, commands }))
    }

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`. True for an assignment.
    fn declarations(&mut self, context: &str, names: &mut [Option<Token>; 2]) -> Parsed<bool> {
        let mut count = 0;
        loop {
            let mark = self.next;
            let variable = self.peek();
            if variable.kind != Kind::Variable {
                return Ok(false);
            }
            self.next();
            let token = self.peek();
            let comma = token.kind == Kind::Char && self.raw(token) == b",";
            if !comma && !matches!(token.kind, Kind::Assign | Kind::Declare) {
                self.next = mark;
                return Ok(false);
            }
            self.next();
            self.scope.known.push(self.raw(variable));
            if let Some(place) = names.get_mut(count) {
                *place = Some(variable);
            }
            count += 1;
            if !comma {
                return Ok(token.kind == Kind::Assign);
            }
            if context != "range" || count > 1 {
                return self.error(format!("too many declarations in {context}"));
            }
            match self.peek().kind {
                Kind::Variable | Kind::RightDelim | Kind::RightParen => {}
                _ => return self.error("range can only initialize variables"),
            }
        }
    }

    fn check_pipeline(&self, commands: Part, context: &str) -> Parsed<()> {
        if commands.is_empty() {
            return self.error(format!("missing value for {context}"));
        }
        for (i, command) in self.parts.children(commands).iter().enumerate().skip(1) {
            let NodeKind::Command(args) = self.parts.kind(*command) else { continue };
            let first = self.parts.children(args).first().map(|arg| self.parts.kind(*arg));
            if matches!(
                first,
                Some(
                    NodeKind::Bool(_)
                        | NodeKind::Dot
                        | NodeKind::Nil
                        | NodeKind::Number { .. }
                        | NodeKind::Str(_)
                )
            ) {
                return self.error(format!("non executable command in pipeline stage {}", i + 1));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<NodeId> {
        let pos = self.peek().start;
        let from = self.pending.len();
        loop {
            let operand = self.operand()?;
            self.pending.extend(operand);
            let token = self.peek();
            match token.kind {
                Kind::RightDelim | Kind::RightParen => break,
                Kind::Pipe => {
                    self.next();
                    break;
                }
                _ if token.spaced && operand.is_some() => {}
                _ => return self.unexpected(token, "operand"),
            }
        }
        if self.pending.len() == from {
            return self.error("empty command");
        }
        let args = self.children(from);
        Ok(self.push(pos, NodeKind::Command(args)))
    }

    fn operand(&mut self) -> Parsed<Option<NodeId>> {
        let Some(node) = self.term()? else { return Ok(None) };
        let first = self.peek();
        if first.kind != Kind::Field || first.spaced {
            return Ok(Some(node));
        }
        let start = self.parts.names.len() as u32;
        loop {
            let token = self.peek();
            if token.kind != Kind::Field || token.spaced {
                break;
            }
            self.next += 1;
            self.parts.names.push(field_name(token));
        }
        let added = Part { start, end: self.parts.names.len() as u32 };
        // A field or variable takes the further fields, and the place of the first of them.
        let pos = first.start;
        if let Some(Node { pos: place, kind: NodeKind::Field(fields) | NodeKind::Variable { fields, .. } }) =
            self.parts.nodes.get_mut(node.0 as usize)
        {
            *place = pos;
            // The name of a field is the last one before those.
            let alone = fields.is_empty();
            *fields = Part { start: if alone { added.start } else { fields.start }, end: added.end };
            return Ok(Some(node));
        }
        let kind = match self.parts.kind(node) {
            NodeKind::Bool(value) => return self.after_term(value.to_string().as_bytes()),
            NodeKind::Str(literal) => {
                let quoted = self.parts.literals.get(literal as usize).map(|literal| literal.quoted);
                return self.after_term(quoted.map_or(b"", |quoted| quoted.of(self.text)));
            }
            NodeKind::Number { text, .. } => return self.after_term(text.of(self.text)),
            NodeKind::Nil => return self.after_term(b"nil"),
            NodeKind::Dot => return self.after_term(b"."),
            _ => NodeKind::Chain { node, fields: added },
        };
        Ok(Some(self.push(pos, kind)))
    }

    fn after_term<T>(&self, term: &[u8]) -> Parsed<T> {
        // Behind the last field space counts as a token, which need not be on the line of the next.
        let end =
            self.next.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(0, |token| token.end);
        self.error_on(self.line(end), format!("unexpected . after term {}", quote(term)))
    }

    fn term(&mut self) -> Parsed<Option<NodeId>> {
        let token = self.next();
        let raw = self.raw(token);
        let kind = match token.kind {
            Kind::Identifier => match self.functions.index(raw) {
                Some(function) => NodeKind::Identifier { name: span(token), function },
                None => return self.error(format!("function {} not defined", quote(raw))),
            },
            Kind::Dot => NodeKind::Dot,
            Kind::Keyword(Keyword::Nil) => NodeKind::Nil,
            Kind::Variable => {
                if !self.scope.known.contains(&raw) {
                    return self.error(format!("undefined variable {}", quote(raw)));
                }
                NodeKind::Variable { name: span(token), slot: self.scope.slot(raw), fields: Part::EMPTY }
            }
            Kind::Field => {
                let start = self.parts.names.len() as u32;
                self.parts.names.push(field_name(token));
                NodeKind::Field(Part { start, end: start + 1 })
            }
            Kind::Bool => NodeKind::Bool(raw == b"true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => {
                let text = crate::text::lossy(raw);
                let number = if token.kind == Kind::Complex {
                    Number::parse_complex(&text)
                } else {
                    Number::parse(&text)
                };
                match number {
                    Ok(number) => {
                        self.parts.numbers.push(number);
                        NodeKind::Number { text: span(token), number: self.parts.numbers.len() as u32 - 1 }
                    }
                    Err(problem) => return self.error(problem),
                }
            }
            Kind::LeftParen => {
                self.deeper("max expression depth exceeded")?;
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                self.depth -= 1;
                return Ok(Some(pipe));
            }
            Kind::String | Kind::RawString => NodeKind::Str(self.literal(token)?),
            _ => {
                self.next -= 1;
                return Ok(None);
            }
        };
        Ok(Some(self.push(token.start, kind)))
    }
}

fn span(token: Token) -> Span {
    Span { start: token.start, end: token.end }
}

/// The name of a field, without its dot.
fn field_name(token: Token) -> Span {
    Span { start: token.start + 1, end: token.end }
}

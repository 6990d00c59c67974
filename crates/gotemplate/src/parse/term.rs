//! Pipelines, commands and operands.

use super::{Parsed, Parser};
use crate::lex::{Keyword, Kind, Token};
use crate::number::Number;
use crate::quote::{quote, unquote};
use crate::text::Str;
use crate::tree::{Declaration, NodeId, NodeKind};

impl Parser<'_> {
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<NodeId> {
        let pos = self.peek_non_space().start;
        let mut names: Vec<Box<str>> = Vec::new();
        let assigns = self.declarations(context, &mut names)?;
        let mut commands = Vec::new();
        loop {
            let token = self.next_non_space();
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
                    commands.push(self.command()?);
                }
                _ => return self.unexpected(&token, context),
            }
        }
        self.check_pipeline(&commands, context)?;
        let declared = names
            .into_iter()
            .map(|name| {
                let slot = if assigns { self.scope.slot(&name) } else { Some(self.scope.declare(&name)) };
                Declaration { name, slot }
            })
            .collect();
        Ok(self.push(pos, NodeKind::Pipe { declared, assigns, commands }))
    }

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`. True for an assignment.
    fn declarations(&mut self, context: &str, names: &mut Vec<Box<str>>) -> Parsed<bool> {
        loop {
            let mark = self.next;
            let variable = self.peek_non_space();
            if variable.kind != Kind::Variable {
                return Ok(false);
            }
            self.next_non_space();
            self.peek();
            let token = self.peek_non_space();
            let name: Box<str> = self.raw(&variable).into();
            match token.kind {
                Kind::Assign | Kind::Declare => {
                    self.next_non_space();
                    self.scope.known.push(name.clone());
                    names.push(name);
                    return Ok(token.kind == Kind::Assign);
                }
                Kind::Char if self.raw(&token) == "," => {
                    self.next_non_space();
                    self.scope.known.push(name.clone());
                    names.push(name);
                    if context != "range" || names.len() > 1 {
                        return self.error(format!("too many declarations in {context}"));
                    }
                    match self.peek_non_space().kind {
                        Kind::Variable | Kind::RightDelim | Kind::RightParen => {}
                        _ => return self.error("range can only initialize variables"),
                    }
                }
                _ => {
                    self.next = mark;
                    return Ok(false);
                }
            }
        }
    }

    fn check_pipeline(&self, commands: &[NodeId], context: &str) -> Parsed<()> {
        if commands.is_empty() {
            return self.error(format!("missing value for {context}"));
        }
        for (i, command) in commands.iter().enumerate().skip(1) {
            let Some(NodeKind::Command(args)) = self.kind(*command) else { continue };
            let first = args.first().and_then(|arg| self.kind(*arg));
            if matches!(
                first,
                Some(
                    NodeKind::Bool(_)
                        | NodeKind::Dot
                        | NodeKind::Nil
                        | NodeKind::Number(_)
                        | NodeKind::Str { .. }
                )
            ) {
                return self.error(format!("non executable command in pipeline stage {}", i + 1));
            }
        }
        Ok(())
    }

    fn kind(&self, id: NodeId) -> Option<&NodeKind> {
        self.nodes.get(id.0 as usize).map(|node| &node.kind)
    }

    fn command(&mut self) -> Parsed<NodeId> {
        let pos = self.peek_non_space().start;
        let mut args = Vec::new();
        loop {
            self.peek_non_space();
            if let Some(operand) = self.operand()? {
                args.push(operand);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => {}
                Kind::RightDelim | Kind::RightParen => {
                    self.next -= 1;
                    break;
                }
                Kind::Pipe => break,
                _ => return self.unexpected(&token, "operand"),
            }
        }
        if args.is_empty() {
            return self.error("empty command");
        }
        Ok(self.push(pos, NodeKind::Command(args)))
    }

    fn operand(&mut self) -> Parsed<Option<NodeId>> {
        let Some(node) = self.term()? else { return Ok(None) };
        let first = self.peek();
        if first.kind != Kind::Field {
            return Ok(Some(node));
        }
        let mut added: Vec<Str> = Vec::new();
        while self.peek().kind == Kind::Field {
            let token = self.next();
            added.push(self.field_name(&token));
        }
        // A field or variable takes the further fields, and the place of the first of them.
        let pos = first.start;
        match self.kind(node) {
            Some(NodeKind::Field(fields)) => {
                let fields = fields.iter().cloned().chain(added).collect();
                Ok(Some(self.push(pos, NodeKind::Field(fields))))
            }
            Some(NodeKind::Variable { name, slot, .. }) => {
                let kind = NodeKind::Variable { name: name.clone(), slot: *slot, fields: added };
                Ok(Some(self.push(pos, kind)))
            }
            Some(NodeKind::Bool(value)) => self.after_term(&value.to_string()),
            Some(NodeKind::Str { quoted, .. }) => self.after_term(&quoted.clone()),
            Some(NodeKind::Number(number)) => self.after_term(&number.text.clone()),
            Some(NodeKind::Nil) => self.after_term("nil"),
            Some(NodeKind::Dot) => self.after_term("."),
            _ => Ok(Some(self.push(pos, NodeKind::Chain { node, fields: added }))),
        }
    }

    fn after_term<T>(&self, term: &str) -> Parsed<T> {
        self.error(format!("unexpected . after term {}", quote(term.as_bytes())))
    }

    fn field_name(&self, token: &Token) -> Str {
        Str::from(self.text.get(token.start + 1..token.end).unwrap_or_default())
    }

    fn term(&mut self) -> Parsed<Option<NodeId>> {
        let token = self.next_non_space();
        let raw = self.raw(&token);
        let kind = match token.kind {
            Kind::Identifier => match self.functions.index(raw) {
                Some(function) => NodeKind::Identifier { name: raw.into(), function },
                None => return self.error(format!("function {} not defined", quote(raw.as_bytes()))),
            },
            Kind::Dot => NodeKind::Dot,
            Kind::Keyword(Keyword::Nil) => NodeKind::Nil,
            Kind::Variable => {
                if !self.scope.known.iter().any(|known| &**known == raw) {
                    return self.error(format!("undefined variable {}", quote(raw.as_bytes())));
                }
                NodeKind::Variable { name: raw.into(), slot: self.scope.slot(raw), fields: Vec::new() }
            }
            Kind::Field => NodeKind::Field(vec![self.field_name(&token)]),
            Kind::Bool => NodeKind::Bool(raw == "true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => match Number::parse(raw) {
                Ok(number) => NodeKind::Number(Box::new(number)),
                Err(problem) => return self.error(problem),
            },
            Kind::LeftParen => {
                self.deeper("max expression depth exceeded")?;
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                self.depth -= 1;
                return Ok(Some(pipe));
            }
            Kind::String | Kind::RawString => match unquote(raw) {
                Some(value) => NodeKind::Str { value: value.into(), quoted: raw.into() },
                None => return self.error("invalid syntax"),
            },
            _ => {
                self.next -= 1;
                return Ok(None);
            }
        };
        Ok(Some(self.push(token.start, kind)))
    }
}

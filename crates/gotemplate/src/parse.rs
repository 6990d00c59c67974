//! Tokens to trees, with Go's errors.

mod control;
mod term;

use std::sync::Arc;

use crate::error::Error;
use crate::function::Functions;
use crate::lex::{Keyword, Kind, Token, lex};
use crate::quote::{quote, unquote};
use crate::set::Template;
use crate::text::Str;
use crate::tree::{Node, NodeId, NodeKind, Tree};

/// Deepest nesting of control structures and parentheses together. Go allows 10,000 parentheses and any depth of the
/// others; the limit keeps the stack.
const MAX_DEPTH: u32 = 10_000;

/// Parses a text. The template of that name comes last, after those that it defines.
///
/// # Errors
/// The first problem: `template: NAME:LINE: …`.
pub(crate) fn parse(name: &Str, text: &Str, functions: &Functions) -> Result<Vec<Template>, Error> {
    let tokens = lex(text);
    let mut parser = Parser {
        name,
        text,
        functions,
        tokens,
        next: 0,
        furthest: 0,
        nodes: Vec::new(),
        scope: Scope::new(),
        action_line: 0,
        range_depth: 0,
        depth: 0,
        found: Vec::new(),
    };
    let root = parser.file()?;
    let slots = parser.scope.slots;
    let Parser { nodes, mut found, .. } = parser;
    add(&mut found, Definition { name: name.clone(), root, slots });
    let tree = Arc::new(Tree { name: name.clone(), text: text.clone(), nodes });
    Ok(found
        .into_iter()
        .map(|d| Template { name: d.name, tree: Arc::clone(&tree), root: d.root, slots: d.slots })
        .collect())
}

struct Definition {
    name: Str,
    root: NodeId,
    slots: u32,
}

fn add(found: &mut Vec<Definition>, definition: Definition) {
    match found.iter_mut().find(|d| d.name == definition.name) {
        Some(old) => *old = definition,
        None => found.push(definition),
    }
}

/// The variables of a template. Go checks names when it parses, with looser scopes than it has when it runs: both are
/// kept, so that each variable gets the place it has at run time.
struct Scope {
    /// Names that parsing accepts.
    known: Vec<Box<str>>,
    /// Names that exist when this point runs, with their places.
    live: Vec<(Box<str>, u32)>,
    slots: u32,
}

impl Scope {
    fn new() -> Scope {
        Scope { known: vec!["$".into()], live: vec![("$".into(), 0)], slots: 1 }
    }

    fn slot(&self, name: &str) -> Option<u32> {
        self.live.iter().rev().find(|(n, _)| &**n == name).map(|(_, slot)| *slot)
    }

    fn declare(&mut self, name: &str) -> u32 {
        let slot = u32::try_from(self.live.len()).unwrap_or(u32::MAX);
        self.live.push((name.into(), slot));
        self.slots = self.slots.max(slot.saturating_add(1));
        slot
    }
}

/// How a list of nodes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    End,
    Else,
}

impl End {
    fn source(self) -> &'static str {
        match self {
            End::End => "{{end}}",
            End::Else => "{{else}}",
        }
    }
}

enum Item {
    Node(NodeId),
    End(End),
}

struct Parser<'a> {
    name: &'a Str,
    text: &'a Str,
    functions: &'a Functions,
    tokens: Vec<Token>,
    /// The token to read next.
    next: usize,
    /// The last token that was looked at, whose line errors show.
    furthest: usize,
    nodes: Vec<Node>,
    scope: Scope,
    action_line: u32,
    range_depth: u32,
    depth: u32,
    found: Vec<Definition>,
}

type Parsed<T> = Result<T, Error>;

impl Parser<'_> {
    fn token_at(&mut self, at: usize) -> Token {
        let last = self.tokens.len().saturating_sub(1);
        self.furthest = self.furthest.max(at.min(last));
        self.tokens.get(at.min(last)).cloned().unwrap_or(Token {
            kind: Kind::Eof,
            start: 0,
            end: 0,
            line: 1,
            problem: None,
        })
    }

    fn next(&mut self) -> Token {
        let token = self.token_at(self.next);
        self.next += 1;
        token
    }

    fn peek(&mut self) -> Token {
        self.token_at(self.next)
    }

    fn next_non_space(&mut self) -> Token {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_non_space(&mut self) -> Token {
        let token = self.next_non_space();
        self.next -= 1;
        token
    }

    fn raw<'t>(&'t self, token: &'t Token) -> &'t str {
        match &token.problem {
            Some(problem) => problem,
            None => {
                let bytes = self.text.get(token.start..token.end).unwrap_or_default();
                match std::str::from_utf8(bytes) {
                    Ok(text) => text,
                    Err(error) => std::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default())
                        .unwrap_or_default(),
                }
            }
        }
    }

    fn error<T>(&self, message: impl std::fmt::Display) -> Parsed<T> {
        let line = self.tokens.get(self.furthest).map_or(1, |token| token.line);
        Err(Error::new(format!("template: {}:{line}: {message}", self.name.text())))
    }

    fn unexpected<T>(&self, token: &Token, context: &str) -> Parsed<T> {
        if token.kind == Kind::Error {
            let problem = self.raw(token);
            let mut extra = String::new();
            if self.action_line != 0 && self.action_line != token.line {
                let word = if problem.ends_with(" action") { "" } else { " in action" };
                extra = format!("{word} started at {}:{}", self.name.text(), self.action_line);
            }
            return self.error(format!("{problem}{extra}"));
        }
        self.error(format!("unexpected {} in {context}", self.described(token)))
    }

    fn described(&self, token: &Token) -> String {
        let raw = self.raw(token);
        match token.kind {
            Kind::Eof => "EOF".to_owned(),
            Kind::Keyword(_) | Kind::Dot => format!("<{raw}>"),
            _ if raw.len() > 10 => {
                let short: String = raw.chars().take(10).collect();
                format!("{}...", quote(short.as_bytes()))
            }
            _ => quote(raw.as_bytes()),
        }
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token> {
        let token = self.next_non_space();
        if token.kind == kind { Ok(token) } else { self.unexpected(&token, context) }
    }

    fn push(&mut self, pos: usize, kind: NodeKind) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(Node { pos: u32::try_from(pos).unwrap_or(u32::MAX), kind });
        id
    }

    fn deeper(&mut self, message: &str) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { self.error(message) } else { Ok(()) }
    }

    fn file(&mut self) -> Parsed<NodeId> {
        let pos = self.peek().start;
        let mut nodes = Vec::new();
        loop {
            let token = self.peek();
            if token.kind == Kind::Eof {
                return Ok(self.push(pos, NodeKind::List(nodes)));
            }
            if token.kind == Kind::LeftDelim {
                let mark = self.next;
                self.next();
                if self.next_non_space().kind == Kind::Keyword(Keyword::Define) {
                    self.definition()?;
                    continue;
                }
                self.next = mark;
            }
            match self.text_or_action()? {
                Item::Node(node) => nodes.push(node),
                Item::End(end) => return self.error(format!("unexpected {}", end.source())),
            }
        }
    }

    fn template_name(&mut self, context: &str) -> Parsed<(Token, Str)> {
        let token = self.next_non_space();
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return self.unexpected(&token, context);
        }
        match unquote(self.raw(&token)) {
            Some(name) => Ok((token, name.into())),
            None => self.error("invalid syntax"),
        }
    }

    fn definition(&mut self) -> Parsed<()> {
        const CONTEXT: &str = "define clause";
        let action_line = std::mem::take(&mut self.action_line);
        let (_, name) = self.template_name(CONTEXT)?;
        self.expect(Kind::RightDelim, CONTEXT)?;
        self.body(name, CONTEXT)?;
        self.action_line = action_line;
        Ok(())
    }

    /// The body of a `define` or `block`, which has variables of its own.
    fn body(&mut self, name: Str, context: &str) -> Parsed<()> {
        let scope = std::mem::replace(&mut self.scope, Scope::new());
        let range_depth = std::mem::take(&mut self.range_depth);
        let action_line = std::mem::take(&mut self.action_line);
        let (root, end) = self.item_list()?;
        if end != End::End {
            return self.error(format!("unexpected {} in {context}", end.source()));
        }
        let slots = std::mem::replace(&mut self.scope, scope).slots;
        self.range_depth = range_depth;
        self.action_line = action_line;
        let blank = |id: NodeId| self.blank(id);
        if let Some(old) = self.found.iter().find(|d| d.name == name) {
            if blank(root) {
                return Ok(());
            }
            if !blank(old.root) {
                return self.error(format!("template: multiple definition of template {}", quote(&name)));
            }
        }
        add(&mut self.found, Definition { name, root, slots });
        Ok(())
    }

    fn blank(&self, id: NodeId) -> bool {
        match self.nodes.get(id.0 as usize).map(|node| &node.kind) {
            Some(NodeKind::List(nodes)) => nodes.iter().all(|node| self.blank(*node)),
            Some(NodeKind::Text { start, end }) => {
                let text = self.text.get(*start as usize..*end as usize).unwrap_or_default();
                String::from_utf8_lossy(text).trim().is_empty()
            }
            _ => false,
        }
    }

    fn item_list(&mut self) -> Parsed<(NodeId, End)> {
        let pos = self.peek_non_space().start;
        let mut nodes = Vec::new();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => nodes.push(node),
                Item::End(end) => return Ok((self.push(pos, NodeKind::List(nodes)), end)),
            }
        }
        self.error("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => {
                let start = u32::try_from(token.start).unwrap_or(u32::MAX);
                let end = u32::try_from(token.end).unwrap_or(u32::MAX);
                Ok(Item::Node(self.push(token.start, NodeKind::Text { start, end })))
            }
            Kind::LeftDelim => {
                self.action_line = token.line;
                let item = self.action();
                if item.is_ok() {
                    self.action_line = 0;
                }
                item
            }
            _ => self.unexpected(&token, "input"),
        }
    }
}

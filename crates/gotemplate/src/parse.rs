//! Tokens to trees, with Go's errors.

mod control;
mod term;

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};

use crate::error::Error;
use crate::function::Functions;
use crate::lex::{Keyword, Kind, Token, lex, line};
use crate::quote::{quote, unquote};
use crate::set::Template;
use crate::text::{Str, chars};
use crate::tree::{Literal, Node, NodeId, NodeKind, Part, Parts, Span, Tree};

/// Deepest nesting of control structures and parentheses together. Go allows 10,000 parentheses and any depth of the
/// others; the limit keeps the stack.
const MAX_DEPTH: u32 = 10_000;

/// Parses a text. The template of that name comes last, after those that it defines.
///
/// # Errors
/// The first problem: `template: NAME:LINE: …`.
pub(crate) fn parse(
    name: &Str,
    text: &Str,
    functions: &Functions,
    room: &mut Room,
) -> Result<Vec<Template>, Error> {
    if u32::try_from(text.len()).is_err() {
        return Err(Error::new(format!("template: {}:1: the text is longer than 4 GiB", name.text())));
    }
    let Room { tokens, pending, parts } = room;
    let problem = lex(text, tokens);
    pending.clear();
    parts.clear();
    let mut parser = Parser {
        name,
        text,
        functions,
        tokens,
        problem,
        next: 0,
        furthest: 0,
        parts,
        pending,
        scope: Scope::new(),
        action: None,
        range_depth: 0,
        depth: 0,
        found: Vec::new(),
        places: HashMap::new(),
    };
    let root = parser.file().map_err(|error| *error)?;
    let slots = parser.scope.slots;
    parser.add(Definition { name: name.clone(), root, slots });
    let Parser { parts, found, .. } = parser;
    let tree = Arc::new(Tree { name: name.clone(), text: text.clone(), parts: parts.take() });
    Ok(found
        .into_iter()
        .map(|d| Template { name: d.name, tree: Arc::clone(&tree), root: d.root, slots: d.slots })
        .collect())
}

/// What parsing needs and does not keep.
#[derive(Default)]
pub(crate) struct Room {
    tokens: Vec<Token>,
    pending: Vec<NodeId>,
    parts: Parts,
}

/// What errors call a `block`.
const BLOCK: &str = "block clause";

/// From how many templates on they are looked up by a hash.
const MANY: usize = 16;

struct Definition {
    name: Str,
    root: NodeId,
    slots: u32,
}

/// The variables of a template. Go checks names when it parses, with looser scopes than it has when it runs: both are
/// kept, so that each variable gets the place it has at run time.
struct Scope<'t> {
    /// Names that parsing accepts.
    known: Vec<&'t [u8]>,
    /// Names that exist when this point runs; each has the place of its index.
    live: Vec<&'t [u8]>,
    slots: u32,
}

impl<'t> Scope<'t> {
    fn new() -> Scope<'t> {
        Scope { known: vec![b"$"], live: vec![b"$"], slots: 1 }
    }

    fn slot(&self, name: &[u8]) -> Option<u32> {
        let found = self.live.iter().rposition(|live| *live == name)?;
        u32::try_from(found).ok()
    }

    fn declare(&mut self, name: &'t [u8]) -> u32 {
        let slot = u32::try_from(self.live.len()).unwrap_or(u32::MAX);
        self.live.push(name);
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
    text: &'a [u8],
    functions: &'a Functions,
    tokens: &'a [Token],
    /// What the last token is about, if it is an error.
    problem: String,
    /// The token to read next.
    next: usize,
    /// The last token that was looked at, whose line errors show.
    furthest: usize,
    parts: &'a mut Parts,
    /// Children of nodes that are not complete.
    pending: &'a mut Vec<NodeId>,
    scope: Scope<'a>,
    /// Where the action begins that is being parsed.
    action: Option<u32>,
    range_depth: u32,
    depth: u32,
    found: Vec<Definition>,
    /// Where in `found` the template of a name is, once there are [`MANY`].
    places: HashMap<Str, usize>,
}

/// In a box: nearly everything succeeds.
type Parsed<T> = Result<T, Box<Error>>;

impl<'a> Parser<'a> {
    fn add(&mut self, definition: Definition) {
        match self.place(&definition.name).and_then(|at| self.found.get_mut(at)) {
            Some(old) => *old = definition,
            None => {
                self.found.push(definition);
                let known = self.places.len();
                if self.found.len() >= MANY {
                    let new = self.found.iter().enumerate().skip(known);
                    self.places.extend(new.map(|(at, definition)| (definition.name.clone(), at)));
                }
            }
        }
    }

    /// Where in `found` the template of a name is.
    fn place(&self, name: &Str) -> Option<usize> {
        if self.places.is_empty() {
            return self.found.iter().position(|definition| definition.name == *name);
        }
        self.places.get(name).copied()
    }

    fn token_at(&mut self, at: usize) -> Token {
        let at = at.min(self.tokens.len().saturating_sub(1));
        self.furthest = self.furthest.max(at);
        self.tokens.get(at).copied().unwrap_or(Token { kind: Kind::Eof, spaced: false, start: 0, end: 0 })
    }

    fn next(&mut self) -> Token {
        let token = self.token_at(self.next);
        self.next += 1;
        token
    }

    fn peek(&mut self) -> Token {
        self.token_at(self.next)
    }

    fn raw(&self, token: Token) -> &'a [u8] {
        self.text.get(token.start as usize..token.end as usize).unwrap_or_default()
    }

    fn line(&self, at: u32) -> usize {
        line(self.text, at as usize)
    }

    fn error<T>(&self, message: impl std::fmt::Display) -> Parsed<T> {
        self.error_on(self.tokens.get(self.furthest).map_or(1, |token| self.line(token.start)), message)
    }

    fn error_on<T>(&self, line: usize, message: impl std::fmt::Display) -> Parsed<T> {
        Err(Box::new(Error::new(format!("template: {}:{line}: {message}", self.name.text()))))
    }

    fn unexpected<T>(&self, token: Token, context: &str) -> Parsed<T> {
        if token.kind == Kind::Error {
            let problem = &self.problem;
            let mut extra = String::new();
            if let Some(action) = self.action.map(|at| self.line(at))
                && action != self.line(token.start)
            {
                let word = if problem.ends_with(" action") { "" } else { " in action" };
                extra = format!("{word} started at {}:{action}", self.name.text());
            }
            return self.error(format!("{problem}{extra}"));
        }
        self.error(format!("unexpected {} in {context}", self.described(token)))
    }

    fn described(&self, token: Token) -> String {
        let raw = self.raw(token);
        match token.kind {
            Kind::Eof => "EOF".to_owned(),
            Kind::Keyword(_) | Kind::Dot => format!("<{}>", crate::text::lossy(raw)),
            _ if raw.len() > 10 => {
                let short: usize = chars(raw).take(10).map(|(_, len)| len).sum();
                format!("{}...", quote(raw.get(..short).unwrap_or_default()))
            }
            _ => quote(raw),
        }
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token> {
        let token = self.next();
        if token.kind == kind { Ok(token) } else { self.unexpected(token, context) }
    }

    fn push(&mut self, pos: u32, kind: NodeKind) -> NodeId {
        let id = NodeId(u32::try_from(self.parts.nodes.len()).unwrap_or(u32::MAX));
        self.parts.nodes.push(Node { pos, kind });
        id
    }

    /// The children that were found since there were `from`.
    fn children(&mut self, from: usize) -> Part {
        let start = self.parts.children.len() as u32;
        match self.pending.get(from..) {
            Some([only]) => self.parts.children.push(*only),
            Some(several) => self.parts.children.extend_from_slice(several),
            None => {}
        }
        self.pending.truncate(from);
        Part { start, end: self.parts.children.len() as u32 }
    }

    fn literal(&mut self, token: Token) -> Parsed<u32> {
        let raw = self.raw(token);
        let quoted = Span { start: token.start, end: token.end };
        let plain = match token.kind {
            Kind::RawString => memchr::memchr(b'\r', raw).is_none(),
            _ => memchr::memchr(b'\\', raw).is_none() && std::str::from_utf8(raw).is_ok(),
        };
        let literal = if plain {
            Literal::plain(quoted)
        } else {
            match unquote(raw) {
                Some(value) => Literal::new(quoted, value.into()),
                None => return self.error("invalid syntax"),
            }
        };
        self.parts.literals.push(literal);
        Ok(self.parts.literals.len() as u32 - 1)
    }

    fn deeper(&mut self, message: &str) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { self.error(message) } else { Ok(()) }
    }

    fn file(&mut self) -> Parsed<NodeId> {
        let pos = self.peek().start;
        loop {
            let token = self.peek();
            if token.kind == Kind::Eof {
                let nodes = self.children(0);
                return Ok(self.push(pos, NodeKind::List(nodes)));
            }
            if token.kind == Kind::LeftDelim {
                let mark = self.next;
                self.next();
                if self.next().kind == Kind::Keyword(Keyword::Define) {
                    self.definition()?;
                    continue;
                }
                self.next = mark;
            }
            match self.text_or_action()? {
                Item::Node(node) => self.pending.push(node),
                Item::End(end) => return self.error(format!("unexpected {}", end.source())),
            }
        }
    }

    /// The place and the name of a template, which is a literal.
    fn template_name(&mut self, context: &str) -> Parsed<(u32, u32, Str)> {
        let token = self.next();
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return self.unexpected(token, context);
        }
        let literal = self.literal(token)?;
        let name = self.parts.literals.get(literal as usize).map(|literal| literal.value(self.text));
        Ok((token.start, literal, name.unwrap_or_default()))
    }

    fn definition(&mut self) -> Parsed<()> {
        const CONTEXT: &str = "define clause";
        let action = self.action.take();
        let (_, _, name) = self.template_name(CONTEXT)?;
        self.expect(Kind::RightDelim, CONTEXT)?;
        self.body(name, CONTEXT)?;
        self.action = action;
        Ok(())
    }

    /// The body of a `define` or `block`, which has variables of its own.
    fn body(&mut self, name: Str, context: &str) -> Parsed<()> {
        let clause = self.furthest;
        let scope = std::mem::replace(&mut self.scope, Scope::new());
        let range_depth = std::mem::take(&mut self.range_depth);
        let action = self.action.take();
        let (root, end) = self.item_list()?;
        if end != End::End {
            // Go tells the line of the clause of a block.
            if context == BLOCK {
                self.furthest = clause;
            }
            return self.error(format!("unexpected {} in {context}", end.source()));
        }
        let slots = std::mem::replace(&mut self.scope, scope).slots;
        self.range_depth = range_depth;
        self.action = action;
        if let Some(old) = self.place(&name).and_then(|at| self.found.get(at)) {
            if self.parts.blank(root, self.text) {
                return Ok(());
            }
            if !self.parts.blank(old.root, self.text) {
                return self.error(format!("template: multiple definition of template {}", quote(&name)));
            }
        }
        self.add(Definition { name, root, slots });
        Ok(())
    }

    fn item_list(&mut self) -> Parsed<(NodeId, End)> {
        let pos = self.peek().start;
        let from = self.pending.len();
        while self.peek().kind != Kind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => self.pending.push(node),
                Item::End(end) => {
                    let nodes = self.children(from);
                    return Ok((self.push(pos, NodeKind::List(nodes)), end));
                }
            }
        }
        self.error("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Parsed<Item> {
        let token = self.next();
        match token.kind {
            Kind::Text => {
                let span = Span { start: token.start, end: token.end };
                Ok(Item::Node(self.push(token.start, NodeKind::Text(span))))
            }
            Kind::LeftDelim => {
                self.action = Some(token.start);
                let item = self.action();
                if item.is_ok() {
                    self.action = None;
                }
                item
            }
            _ => self.unexpected(token, "input"),
        }
    }
}

//! From text to a list of literal pieces and expansions.

use crate::{Error, MAX_DEPTH};

/// A piece of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Text(String),
    Expansion { name: String, operator: Operator, arguments: Vec<Node> },
}

/// What is done with a variable's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    /// `${v}`, and any mixture of case marks that means nothing (`${v,^}`).
    Value,
    /// `${v=d}`, `${v:=d}`, `${v:-d}`, `${v:+d}`, `${v:?d}`: all the same.
    Default,
    Length,
    UpperFirst,
    UpperAll,
    LowerFirst,
    LowerAll,
    Substring,
    ShortestPrefix,
    LongestPrefix,
    ShortestSuffix,
    LongestSuffix,
    ReplaceFirst,
    ReplaceAll,
    ReplaceStart,
    ReplaceEnd,
}

/// Which `\` and `$$` escapes hold in a literal piece.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    None,
    /// `$$` is one `$`.
    Dollar,
    /// Also `\/` and `\\`.
    Replacement,
}

pub(crate) fn parse(text: &str) -> Result<Vec<Node>, Error> {
    // A NUL ends the input, wherever it stands.
    let rest = text.split('\0').next().unwrap_or_default();
    let mut parser = Parser { rest, depth: 0 };
    let mut nodes = Vec::new();
    while !parser.rest.is_empty() {
        if parser.eat("${") {
            nodes.push(parser.expansion()?);
        } else {
            nodes.push(Node::Text(parser.literal(Escapes::Dollar, |_| true)));
        }
    }
    Ok(nodes)
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn eat(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn advance(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// Everything up to the next `${` or a character that is not `accepted`, with escapes resolved. May be empty.
    fn literal(&mut self, escapes: Escapes, accepted: impl Fn(char) -> bool) -> String {
        let mut text = String::new();
        while let Some(next) = self.peek() {
            if self.rest.starts_with("${") {
                break;
            }
            let escaped = match escapes {
                Escapes::None => None,
                _ if self.rest.starts_with("$$") => Some('$'),
                Escapes::Replacement if self.rest.starts_with(r"\/") => Some('/'),
                Escapes::Replacement if self.rest.starts_with(r"\\") => Some('\\'),
                _ => None,
            };
            match escaped {
                Some(character) => {
                    text.push(character);
                    self.advance(2);
                }
                None if accepted(next) => {
                    text.push(next);
                    self.advance(next.len_utf8());
                }
                None => break,
            }
        }
        text
    }

    fn name(&mut self) -> String {
        let end = self
            .rest
            .find(|c: char| !(c.is_alphabetic() || c == '_' || is_digit(c)))
            .unwrap_or(self.rest.len());
        let name = self.rest.get(..end).unwrap_or_default().to_owned();
        self.advance(end);
        name
    }

    /// What follows `${`, to the closing brace.
    fn expansion(&mut self) -> Result<Node, Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::TooDeep);
        }
        let node = self.body();
        self.depth -= 1;
        node
    }

    fn body(&mut self) -> Result<Node, Error> {
        if self.eat("#") {
            let name = self.name();
            if name.is_empty() {
                return Err(Error::BadSubstitution);
            }
            return self.close(Node::Expansion { name, operator: Operator::Length, arguments: Vec::new() });
        }
        let name = self.name();
        if name.is_empty() {
            return Err(Error::VariableName);
        }
        let (operator, arguments) = match self.peek() {
            Some(':') => self.colon()?,
            Some('=') => {
                self.advance(1);
                (Operator::Default, self.default()?)
            }
            Some(',' | '^') => (self.case_marks(), Vec::new()),
            Some('/') => self.replacement()?,
            Some(mark @ ('#' | '%')) => (self.trim(mark), vec![self.argument(Escapes::None, |c| c != '}')?]),
            Some('}') => (Operator::Value, Vec::new()),
            _ => return Err(Error::MissingBrace),
        };
        self.close(Node::Expansion { name, operator, arguments })
    }

    fn close(&mut self, node: Node) -> Result<Node, Error> {
        if self.eat("}") { Ok(node) } else { Err(Error::BadSubstitution) }
    }

    /// One argument: an expansion, or a non-empty literal.
    fn argument(&mut self, escapes: Escapes, accepted: impl Fn(char) -> bool) -> Result<Node, Error> {
        if self.eat("${") {
            return self.expansion();
        }
        let before = self.rest.len();
        let text = self.literal(escapes, accepted);
        if self.rest.len() == before {
            return Err(Error::MissingArgument);
        }
        Ok(Node::Text(text))
    }

    /// A default is any mixture of literals and expansions, up to the first `}`.
    fn default(&mut self) -> Result<Vec<Node>, Error> {
        let mut arguments = Vec::new();
        while self.peek() != Some('}') {
            arguments.push(self.argument(Escapes::None, |c| c != '}')?);
        }
        Ok(arguments)
    }

    fn colon(&mut self) -> Result<(Operator, Vec<Node>), Error> {
        self.advance(1);
        match self.peek() {
            Some('=' | '-' | '?' | '+') => {
                self.advance(1);
                return Ok((Operator::Default, self.default()?));
            }
            // Upstream loses its place when the character after the colon is not a single byte, or is not there.
            Some(next) if !next.is_ascii() => return Err(Error::BadSubstitution),
            None => return Err(Error::BadSubstitution),
            Some(_) => {}
        }
        let mut arguments = vec![self.argument(Escapes::None, |c| c != ':' && c != '}')?];
        if self.peek() == Some('}') {
            return Ok((Operator::Substring, arguments));
        }
        if !self.eat(":") {
            return Err(Error::BadSubstitution);
        }
        while self.eat(":") {}
        arguments.push(self.argument(Escapes::None, |c| c != '}')?);
        Ok((Operator::Substring, arguments))
    }

    /// One or two case marks; a third is left for the closing brace to trip over.
    fn case_marks(&mut self) -> Operator {
        for (marks, operator) in [
            ("^^", Operator::UpperAll),
            (",,", Operator::LowerAll),
            ("^,", Operator::Value),
            (",^", Operator::Value),
            ("^", Operator::UpperFirst),
            (",", Operator::LowerFirst),
        ] {
            if self.eat(marks) {
                return operator;
            }
        }
        Operator::Value
    }

    fn trim(&mut self, mark: char) -> Operator {
        self.advance(1);
        let twice = self.peek() == Some(mark);
        if twice {
            self.advance(1);
        }
        match (mark, twice) {
            ('#', false) => Operator::ShortestPrefix,
            ('#', true) => Operator::LongestPrefix,
            (_, false) => Operator::ShortestSuffix,
            (_, true) => Operator::LongestSuffix,
        }
    }

    fn replacement(&mut self) -> Result<(Operator, Vec<Node>), Error> {
        self.advance(1);
        let operator = match self.peek() {
            Some('/') => Operator::ReplaceAll,
            Some('#') => Operator::ReplaceStart,
            Some('%') => Operator::ReplaceEnd,
            _ => Operator::ReplaceFirst,
        };
        if operator != Operator::ReplaceFirst {
            self.advance(1);
        }
        let mut arguments = vec![self.argument(Escapes::Replacement, |c| c != '/')?];
        if !self.eat("/") {
            return Err(Error::BadSubstitution);
        }
        while self.eat("/") {}
        if self.peek() != Some('}') {
            arguments.push(self.argument(Escapes::Replacement, |c| c != '}')?);
        }
        Ok((operator, arguments))
    }
}

/// Decimal digits of any script, as Go's `unicode.IsDigit`.
fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
        || (!c.is_ascii()
            && c.is_numeric()
            && !c.is_alphabetic()
            && DECIMAL.iter().any(|(a, b)| (*a..=*b).contains(&c)))
}

/// The decimal digits outside ASCII that are likely in practice.
const DECIMAL: [(char, char); 12] = [
    ('\u{660}', '\u{669}'),
    ('\u{6f0}', '\u{6f9}'),
    ('\u{7c0}', '\u{7c9}'),
    ('\u{966}', '\u{96f}'),
    ('\u{9e6}', '\u{9ef}'),
    ('\u{e50}', '\u{e59}'),
    ('\u{ed0}', '\u{ed9}'),
    ('\u{f20}', '\u{f29}'),
    ('\u{1040}', '\u{1049}'),
    ('\u{17e0}', '\u{17e9}'),
    ('\u{1810}', '\u{1819}'),
    ('\u{ff10}', '\u{ff19}'),
];

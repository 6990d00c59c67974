//! Text to tokens, on the rules of Go's lexer.

use crate::quote::quote;
use crate::text::decode_char;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Error,
    Bool,
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    Dot,
    Keyword(Keyword),
}

/// The words that templates reserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

/// A piece of the text.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Where it starts, in bytes.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
    /// Line it starts in, counted from 1.
    pub(crate) line: u32,
    /// The problem, of an error.
    pub(crate) problem: Option<Box<str>>,
}

/// Cuts the whole text; the last token is an error or the end.
pub(crate) fn lex(text: &[u8]) -> Vec<Token> {
    let mut lexer = Lexer { text, pos: 0, line: 1, line_at: 0, tokens: Vec::new() };
    if let Err(problem) = lexer.run() {
        lexer.line_to(problem.start);
        let line = lexer.line;
        lexer.tokens.push(Token {
            kind: Kind::Error,
            start: problem.start,
            end: problem.start,
            line,
            problem: Some(problem.text.into()),
        });
    }
    lexer.tokens
}

struct Problem {
    start: usize,
    text: String,
}

struct Lexer<'a> {
    text: &'a [u8],
    pos: usize,
    line: u32,
    /// Position up to which lines are counted.
    line_at: usize,
    tokens: Vec<Token>,
}

type Step = Result<(), Problem>;

impl Lexer<'_> {
    fn rest(&self) -> &[u8] {
        self.text.get(self.pos..).unwrap_or_default()
    }

    fn line_to(&mut self, at: usize) {
        if let Some(passed) = self.text.get(self.line_at..at) {
            self.line += u32::try_from(passed.iter().filter(|b| **b == b'\n').count()).unwrap_or(u32::MAX);
            self.line_at = at;
        }
    }

    fn push(&mut self, kind: Kind, start: usize) {
        self.line_to(start);
        let line = self.line;
        self.tokens.push(Token { kind, start, end: self.pos, line, problem: None });
    }

    fn run(&mut self) -> Step {
        loop {
            let start = self.pos;
            let Some(at) = find(self.rest(), b"{{") else {
                self.pos = self.text.len();
                if self.pos > start {
                    self.push(Kind::Text, start);
                }
                let end = self.pos;
                self.push(Kind::Eof, end);
                return Ok(());
            };
            let delim = start + at;
            let trim = left_trim_marker(self.text.get(delim + 2..).unwrap_or_default());
            let kept = self.text.get(start..delim).unwrap_or_default();
            let kept = if trim { trim_end(kept) } else { kept };
            if !kept.is_empty() {
                self.pos = start + kept.len();
                self.push(Kind::Text, start);
            }
            self.pos = delim + 2;
            let inside = delim + 2 + 2 * usize::from(trim);
            if self.text.get(inside..).unwrap_or_default().starts_with(b"/*") {
                self.pos = inside;
                self.comment()?;
                continue;
            }
            self.push(Kind::LeftDelim, delim);
            self.pos = inside;
            self.action()?;
        }
    }

    fn comment(&mut self) -> Step {
        let start = self.pos;
        let fail = |text: &str| Err(Problem { start, text: text.to_owned() });
        self.pos += 2;
        let Some(at) = find(self.rest(), b"*/") else { return fail("unclosed comment") };
        self.pos += at + 2;
        match self.right_delim() {
            None => return fail("comment ends before closing delimiter"),
            Some(false) => self.pos += 2,
            Some(true) => {
                self.pos += 4;
                self.skip_spaces();
            }
        }
        Ok(())
    }

    fn skip_spaces(&mut self) {
        let spaces = self.rest().iter().take_while(|b| is_space(**b)).count();
        self.pos += spaces;
    }

    /// Whether the closing delimiter is next, and with a trim marker.
    fn right_delim(&self) -> Option<bool> {
        match self.rest() {
            [space, b'-', b'}', b'}', ..] if is_space(*space) => Some(true),
            [b'}', b'}', ..] => Some(false),
            _ => None,
        }
    }

    fn action(&mut self) -> Step {
        let mut parens = 0usize;
        loop {
            let start = self.pos;
            if let Some(trim) = self.right_delim() {
                if parens > 0 {
                    return Err(Problem { start, text: "unclosed left paren".to_owned() });
                }
                let delim = start + if trim { 2 } else { 0 };
                self.pos = delim + 2;
                self.push(Kind::RightDelim, delim);
                if trim {
                    self.skip_spaces();
                }
                return Ok(());
            }
            self.inside(start, &mut parens)?;
        }
    }

    fn inside(&mut self, start: usize, parens: &mut usize) -> Step {
        let fail = |text: String| Err(Problem { start, text });
        let Some((c, len)) = decode_char(self.rest()) else {
            return fail("unclosed action".to_owned());
        };
        if c.is_ascii() && is_space(c as u8) {
            self.spaces(start);
            return Ok(());
        }
        self.pos += len;
        match c {
            '=' => self.push(Kind::Assign, start),
            ':' => {
                if self.rest().first() != Some(&b'=') {
                    return fail("expected :=".to_owned());
                }
                self.pos += 1;
                self.push(Kind::Declare, start);
            }
            '|' => self.push(Kind::Pipe, start),
            '"' => self.quoted(start, b'"', Kind::String, "unterminated quoted string")?,
            '\'' => self.quoted(start, b'\'', Kind::CharConstant, "unterminated character constant")?,
            '`' => {
                let Some(at) = self.rest().iter().position(|b| *b == b'`') else {
                    return fail("unterminated raw quoted string".to_owned());
                };
                self.pos += at + 1;
                self.push(Kind::RawString, start);
            }
            '$' => self.field_or_variable(start, Kind::Variable, Kind::Variable)?,
            '.' if !self.rest().first().is_none_or(u8::is_ascii_digit) => {
                self.field_or_variable(start, Kind::Field, Kind::Dot)?;
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.pos = start;
                self.number(start)?;
            }
            '(' => {
                *parens += 1;
                self.push(Kind::LeftParen, start);
            }
            ')' => {
                let Some(left) = parens.checked_sub(1) else {
                    return fail("unexpected right paren".to_owned());
                };
                *parens = left;
                self.push(Kind::RightParen, start);
            }
            c if alphanumeric(c) => self.identifier(start)?,
            ' '..='~' => self.push(Kind::Char, start),
            c => return fail(format!("unrecognized character in action: {}", unicode(c))),
        }
        Ok(())
    }

    fn spaces(&mut self, start: usize) {
        self.skip_spaces();
        // A space that belongs to a closing ` -}}` is left to it.
        let last = self.pos - 1;
        if matches!(self.text.get(last..), Some([_, b'-', b'}', b'}', ..])) {
            self.pos = last;
        }
        if self.pos > start {
            self.push(Kind::Space, start);
        }
    }

    fn quoted(&mut self, start: usize, quote: u8, kind: Kind, unterminated: &str) -> Step {
        while let Some((c, len)) = decode_char(self.rest()) {
            self.pos += len;
            match c {
                '\n' => break,
                '\\' => match decode_char(self.rest()) {
                    None | Some(('\n', _)) => break,
                    Some((_, len)) => self.pos += len,
                },
                c if c == char::from(quote) => {
                    self.push(kind, start);
                    return Ok(());
                }
                _ => {}
            }
        }
        Err(Problem { start, text: unterminated.to_owned() })
    }

    fn take_word(&mut self) {
        while let Some((c, len)) = decode_char(self.rest()) {
            if !alphanumeric(c) {
                break;
            }
            self.pos += len;
        }
    }

    fn at_terminator(&self) -> bool {
        match self.rest() {
            [] => true,
            [b, ..] if is_space(*b) => true,
            [b'.' | b',' | b'|' | b':' | b')' | b'(', ..] => true,
            rest => rest.starts_with(b"}}"),
        }
    }

    fn check_terminator(&self, start: usize) -> Step {
        if self.at_terminator() {
            return Ok(());
        }
        let c = decode_char(self.rest()).map_or('\u{fffd}', |(c, _)| c);
        Err(Problem { start, text: format!("bad character {}", unicode(c)) })
    }

    fn field_or_variable(&mut self, start: usize, kind: Kind, alone: Kind) -> Step {
        if self.at_terminator() {
            self.push(alone, start);
            return Ok(());
        }
        self.take_word();
        self.check_terminator(start)?;
        self.push(kind, start);
        Ok(())
    }

    fn identifier(&mut self, start: usize) -> Step {
        self.take_word();
        self.check_terminator(start)?;
        let kind = match self.text.get(start..self.pos).unwrap_or_default() {
            b"block" => Kind::Keyword(Keyword::Block),
            b"break" => Kind::Keyword(Keyword::Break),
            b"continue" => Kind::Keyword(Keyword::Continue),
            b"define" => Kind::Keyword(Keyword::Define),
            b"else" => Kind::Keyword(Keyword::Else),
            b"end" => Kind::Keyword(Keyword::End),
            b"if" => Kind::Keyword(Keyword::If),
            b"nil" => Kind::Keyword(Keyword::Nil),
            b"range" => Kind::Keyword(Keyword::Range),
            b"template" => Kind::Keyword(Keyword::Template),
            b"with" => Kind::Keyword(Keyword::With),
            b"true" | b"false" => Kind::Bool,
            _ => Kind::Identifier,
        };
        self.push(kind, start);
        Ok(())
    }

    fn number(&mut self, start: usize) -> Step {
        let mut kind = Kind::Number;
        let mut good = self.scan_number();
        if good && matches!(self.rest().first(), Some(b'+' | b'-')) {
            kind = Kind::Complex;
            good = self.scan_number() && self.text.get(self.pos - 1) == Some(&b'i');
        }
        if !good {
            let text = self.text.get(start..self.pos).unwrap_or_default();
            return Err(Problem { start, text: format!("bad number syntax: {}", quote(text)) });
        }
        self.push(kind, start);
        Ok(())
    }

    fn accept(&mut self, set: &[u8]) -> bool {
        let found = self.rest().first().is_some_and(|b| set.contains(b));
        self.pos += usize::from(found);
        found
    }

    fn accept_run(&mut self, set: &[u8]) {
        while self.accept(set) {}
    }

    fn scan_number(&mut self) -> bool {
        const DECIMAL: &[u8] = b"0123456789_";
        const HEX: &[u8] = b"0123456789abcdefABCDEF_";
        self.accept(b"+-");
        let mut digits = DECIMAL;
        if self.accept(b"0") {
            if self.accept(b"xX") {
                digits = HEX;
            } else if self.accept(b"oO") {
                digits = b"01234567_";
            } else if self.accept(b"bB") {
                digits = b"01_";
            }
        }
        self.accept_run(digits);
        if self.accept(b".") {
            self.accept_run(digits);
        }
        let exponent: &[u8] = match digits.len() {
            11 => b"eE",
            23 => b"pP",
            _ => b"",
        };
        if self.accept(exponent) {
            self.accept(b"+-");
            self.accept_run(DECIMAL);
        }
        self.accept(b"i");
        match decode_char(self.rest()) {
            Some((c, len)) if alphanumeric(c) => {
                self.pos += len;
                false
            }
            _ => true,
        }
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    let first = *what.first()?;
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.iter().position(|b| *b == first)?;
        if text.get(at..)?.starts_with(what) {
            return Some(at);
        }
        from = at + 1;
    }
}

fn left_trim_marker(text: &[u8]) -> bool {
    matches!(text, [b'-', space, ..] if is_space(*space))
}

fn trim_end(text: &[u8]) -> &[u8] {
    let kept = text.iter().rposition(|b| !is_space(*b)).map_or(0, |at| at + 1);
    text.get(..kept).unwrap_or_default()
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

fn alphanumeric(c: char) -> bool {
    c == '_'
        || c.is_alphabetic()
        || c.is_ascii_digit()
        || (!c.is_ascii() && c.is_numeric() && c.is_ascii_digit())
}

/// Go's `%#U`.
fn unicode(c: char) -> String {
    let code = u32::from(c);
    if crate::quote::printable(c) { format!("U+{code:04X} '{c}'") } else { format!("U+{code:04X}") }
}

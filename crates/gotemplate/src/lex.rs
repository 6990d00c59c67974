//! Text to tokens, on the rules of Go's lexer.

use crate::quote::quote;
use crate::text::{decode_char, is_digit, is_letter};

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
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Whether there are spaces before it, which keep operands apart.
    pub(crate) spaced: bool,
    /// Where it starts, in bytes.
    pub(crate) start: u32,
    /// Where it ends.
    pub(crate) end: u32,
}

/// Cuts the whole text, which is shorter than 4 GiB, into tokens; the last one is an error or the end. The result is what
/// the error is.
pub(crate) fn lex(text: &[u8], tokens: &mut Vec<Token>) -> String {
    tokens.clear();
    let mut lexer = Lexer { text, pos: 0, spaced: false, tokens };
    match lexer.run() {
        Ok(()) => String::new(),
        Err(problem) => {
            lexer.pos = problem.start;
            lexer.push(Kind::Error, problem.start);
            problem.text
        }
    }
}

/// The line that a place is in, counted from 1.
pub(crate) fn line(text: &[u8], at: usize) -> usize {
    1 + text.get(..at).unwrap_or(text).iter().filter(|b| **b == b'\n').count()
}

struct Problem {
    start: usize,
    text: String,
}

struct Lexer<'a> {
    text: &'a [u8],
    pos: usize,
    /// Whether there are spaces behind the last token.
    spaced: bool,
    tokens: &'a mut Vec<Token>,
}

/// In a box: nearly every step succeeds.
type Step = Result<(), Box<Problem>>;

fn problem(start: usize, text: impl Into<String>) -> Box<Problem> {
    Box::new(Problem { start, text: text.into() })
}

fn fail(start: usize, text: impl Into<String>) -> Step {
    Err(problem(start, text))
}

impl Lexer<'_> {
    fn rest(&self) -> &[u8] {
        self.text.get(self.pos..).unwrap_or_default()
    }

    fn push(&mut self, kind: Kind, start: usize) {
        let spaced = std::mem::take(&mut self.spaced);
        self.tokens.push(Token { kind, spaced, start: start as u32, end: self.pos as u32 });
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
        self.pos += 2;
        let Some(at) = find(self.rest(), b"*/") else { return fail(start, "unclosed comment") };
        self.pos += at + 2;
        match self.right_delim() {
            None => return fail(start, "comment ends before closing delimiter"),
            Some(false) => self.pos += 2,
            Some(true) => {
                self.pos += 4;
                self.skip_spaces();
            }
        }
        Ok(())
    }

    fn skip_spaces(&mut self) {
        self.pos = self.end_of(SPACE, self.pos);
    }

    /// Where the bytes of a class end that begin at `from`.
    #[inline]
    fn end_of(&self, class: u8, from: usize) -> usize {
        let mut at = from;
        while self.text.get(at).is_some_and(|b| is(class, *b)) {
            at += 1;
        }
        at
    }

    fn starts_with(&self, at: usize, what: &[u8]) -> bool {
        self.text.get(at..).unwrap_or_default().starts_with(what)
    }

    /// Whether the closing delimiter is next, and with a trim marker.
    fn right_delim(&self) -> Option<bool> {
        match self.rest() {
            [space, b'-', b'}', b'}', ..] if is(SPACE, *space) => Some(true),
            [b'}', b'}', ..] => Some(false),
            _ => None,
        }
    }

    fn action(&mut self) -> Step {
        let mut parens = 0usize;
        while !self.inside(self.pos, &mut parens)? {}
        Ok(())
    }

    /// Ends an action whose closing delimiter is at `delim`, and the space of its trim marker at `start`.
    fn close(&mut self, start: usize, delim: usize, parens: usize) -> Result<bool, Box<Problem>> {
        if parens > 0 {
            return Err(problem(start, "unclosed left paren"));
        }
        self.pos = delim + 2;
        self.push(Kind::RightDelim, delim);
        if start < delim {
            self.skip_spaces();
        }
        Ok(true)
    }

    /// Takes what is next in an action. True when that was its end.
    fn inside(&mut self, start: usize, parens: &mut usize) -> Result<bool, Box<Problem>> {
        let Some(first) = self.text.get(start).copied() else {
            return Err(problem(start, "unclosed action"));
        };
        if is(SPACE, first) {
            let end = self.end_of(SPACE, start + 1);
            // The last space may belong to a closing ` -}}`.
            if self.starts_with(end, b"-}}") {
                self.spaced |= end - 1 > start;
                return self.close(end - 1, end + 1, *parens);
            }
            self.pos = end;
            self.spaced = true;
            return Ok(false);
        }
        self.pos = start + 1;
        match first {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.identifier(start)?,
            b'.' if !self.rest().first().is_none_or(u8::is_ascii_digit) => {
                self.field_or_variable(start, Kind::Field, Kind::Dot)?;
            }
            b'$' => self.field_or_variable(start, Kind::Variable, Kind::Variable)?,
            b'"' => self.quoted(start, b'"', Kind::String, "unterminated quoted string")?,
            b'}' if self.rest().first() == Some(&b'}') => return self.close(start, start, *parens),
            b'|' => self.push(Kind::Pipe, start),
            b'(' => {
                *parens += 1;
                self.push(Kind::LeftParen, start);
            }
            b')' => {
                let Some(left) = parens.checked_sub(1) else {
                    return Err(problem(start, "unexpected right paren"));
                };
                *parens = left;
                self.push(Kind::RightParen, start);
            }
            b'=' => self.push(Kind::Assign, start),
            b':' => {
                if self.rest().first() != Some(&b'=') {
                    return Err(problem(start, "expected :="));
                }
                self.pos += 1;
                self.push(Kind::Declare, start);
            }
            b'\'' => self.quoted(start, b'\'', Kind::CharConstant, "unterminated character constant")?,
            b'`' => {
                let Some(at) = memchr::memchr(b'`', self.rest()) else {
                    return Err(problem(start, "unterminated raw quoted string"));
                };
                self.pos += at + 1;
                self.push(Kind::RawString, start);
            }
            b'.' | b'+' | b'-' | b'0'..=b'9' => {
                self.pos = start;
                self.number(start)?;
            }
            b' '..=b'~' => self.push(Kind::Char, start),
            _ => {
                let (c, len) = self.text.get(start..).and_then(decode_char).unwrap_or(('\u{fffd}', 1));
                if !alphanumeric(c) {
                    let text = format!("unrecognized character in action: {}", unicode(c));
                    return Err(problem(start, text));
                }
                self.pos = start + len;
                self.identifier(start)?;
            }
        }
        Ok(false)
    }

    fn quoted(&mut self, start: usize, quote: u8, kind: Kind, unterminated: &str) -> Step {
        loop {
            while self.text.get(self.pos).is_some_and(|b| !matches!(*b, b'\n' | b'\\') && *b != quote) {
                self.pos += 1;
            }
            let Some((c, len)) = decode_char(self.rest()) else { break };
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
        fail(start, unterminated)
    }

    fn take_word(&mut self) {
        self.pos = self.end_of(WORD, self.pos);
        if self.text.get(self.pos).is_none_or(u8::is_ascii) {
            return;
        }
        while let Some((c, len)) = decode_char(self.rest()) {
            if !alphanumeric(c) {
                break;
            }
            self.pos += len;
        }
    }

    #[inline]
    fn at_terminator(&self) -> bool {
        match self.text.get(self.pos) {
            None => true,
            Some(b) => is(TERMINATOR, *b) || self.starts_with(self.pos, b"}}"),
        }
    }

    fn check_terminator(&self, start: usize) -> Step {
        if self.at_terminator() {
            return Ok(());
        }
        let c = decode_char(self.rest()).map_or('\u{fffd}', |(c, _)| c);
        fail(start, format!("bad character {}", unicode(c)))
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
            return fail(start, format!("bad number syntax: {}", quote(text)));
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

/// Where two bytes stand in a text.
fn find(text: &[u8], what: &[u8; 2]) -> Option<usize> {
    let [first, second] = *what;
    memchr::memchr_iter(first, text).find(|at| text.get(at + 1) == Some(&second))
}

fn left_trim_marker(text: &[u8]) -> bool {
    matches!(text, [b'-', space, ..] if is(SPACE, *space))
}

fn trim_end(text: &[u8]) -> &[u8] {
    let kept = text.iter().rposition(|b| !is(SPACE, *b)).map_or(0, |at| at + 1);
    text.get(..kept).unwrap_or_default()
}

/// Classes of bytes: what separates, what words are made of, and what may follow them.
const SPACE: u8 = 1;
const WORD: u8 = 2;
const TERMINATOR: u8 = 4;

#[expect(clippy::indexing_slicing, reason = "there is a class for every byte")]
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut b = 0u8;
    loop {
        let class = match b {
            b' ' | b'\t' | b'\r' | b'\n' => SPACE | TERMINATOR,
            b'.' | b',' | b'|' | b':' | b')' | b'(' => TERMINATOR,
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' => WORD,
            _ => 0,
        };
        classes[b as usize] = class;
        if b == u8::MAX {
            break classes;
        }
        b += 1;
    }
};

#[inline]
fn is(class: u8, b: u8) -> bool {
    CLASSES.get(usize::from(b)).is_some_and(|classes| classes & class != 0)
}

fn alphanumeric(c: char) -> bool {
    c == '_' || is_letter(c) || is_digit(c)
}

/// Go's `%#U`.
fn unicode(c: char) -> String {
    let code = u32::from(c);
    if crate::quote::printable(c) { format!("U+{code:04X} '{c}'") } else { format!("U+{code:04X}") }
}

//! Camel case taken apart into words, as Sprig's `snakecase` and `kebabcase` do.

use gotemplate::{chars, is_lower, is_upper};

use crate::cases::lower;
use crate::strings::is_space;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    None,
    Number,
    Upper,
    Letters,
    Connector,
    Punctuation,
    Other,
}

fn connector(c: char) -> bool {
    c == '-' || c == '_' || is_space(c)
}

/// Go's `unicode.IsPunct`, for ASCII and general punctuation.
fn punctuation(c: char) -> bool {
    match c {
        '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~' => false,
        c if c.is_ascii() => c.is_ascii_punctuation(),
        '\u{a1}' | '\u{a7}' | '\u{ab}' | '\u{b6}' | '\u{b7}' | '\u{bb}' | '\u{bf}' => true,
        '\u{2010}'..='\u{2027}'
        | '\u{2030}'..='\u{2043}'
        | '\u{2045}'..='\u{2051}'
        | '\u{2053}'..='\u{205e}' => true,
        '\u{3001}'..='\u{3003}'
        | '\u{3008}'..='\u{3011}'
        | '\u{ff01}'..='\u{ff03}'
        | '\u{ff05}'..='\u{ff0a}' => true,
        _ => false,
    }
}

/// A letter of a script that has cases.
fn letter(c: char) -> bool {
    is_upper(c) || is_lower(c)
}

/// A character with its bytes, which are not UTF-8 where the character stands for what is none.
struct Glyph<'t> {
    c: char,
    bytes: &'t [u8],
}

fn glyphs(text: &[u8]) -> Vec<Glyph<'_>> {
    let mut at = 0;
    let glyph = |(c, len): (char, usize)| {
        let bytes = text.get(at..at + len).unwrap_or_default();
        at += len;
        Glyph { c, bytes }
    };
    chars(text).map(glyph).collect()
}

/// The next character that is UTF-8, and how many it takes to be behind it. Without one it is as if the one before went
/// on to the end.
fn next(text: &[Glyph<'_>], before: char) -> (char, usize) {
    match text.iter().position(|glyph| glyph.c != char::REPLACEMENT_CHARACTER) {
        Some(at) => (text.get(at).map_or(before, |glyph| glyph.c), at + 1),
        None => (before, text.len()),
    }
}

/// A run of characters that pass a test: the end of it, how long its last character is, and the character behind.
fn run(text: &[Glyph<'_>], start: usize, first: char, test: impl Fn(char) -> bool) -> (usize, usize, char) {
    let (mut end, mut last, mut c) = (start, 0, first);
    while let Some(rest) = text.get(end..).filter(|rest| !rest.is_empty()) {
        let len;
        (c, len) = next(rest, c);
        if !test(c) {
            break;
        }
        (end, last) = (end + len, len);
    }
    (end, last, c)
}

/// The first word: its kind and its length in characters.
fn word(text: &[Glyph<'_>]) -> (Kind, usize) {
    let (first, start) = next(text, char::REPLACEMENT_CHARACTER);
    let small = |c: char| letter(c) && !is_upper(c);
    let (kind, end) = if first == char::REPLACEMENT_CHARACTER {
        (Kind::None, start)
    } else if connector(first) {
        (Kind::Connector, run(text, start, first, connector).0)
    } else if punctuation(first) {
        (Kind::Punctuation, run(text, start, first, punctuation).0)
    } else if is_upper(first) {
        let (end, last, behind) = run(text, start, first, is_upper);
        // The last capital of several begins the next word.
        let end = match (letter(behind) && end < text.len(), end > start) {
            (true, true) => end - last,
            (true, false) => run(text, start, first, small).0,
            (false, _) => end,
        };
        (Kind::Upper, end)
    } else if letter(first) {
        (Kind::Letters, run(text, start, first, small).0)
    } else if first.is_numeric() {
        (Kind::Number, run(text, start, first, char::is_numeric).0)
    } else {
        let other = |c: char| !(connector(c) || letter(c) || c.is_numeric() || punctuation(c));
        (Kind::Other, run(text, start, first, other).0)
    };
    (kind, end)
}

struct Words<'a> {
    rest: &'a [Glyph<'a>],
    out: Vec<u8>,
    separator: char,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> (Kind, &'a [Glyph<'a>]) {
        let (kind, len) = word(self.rest);
        let (word, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, &[]));
        self.rest = rest;
        (kind, word)
    }

    fn write(&mut self, kind: Kind, word: &[Glyph<'_>]) {
        for glyph in word {
            match kind {
                Kind::Upper | Kind::Connector if connector(glyph.c) => self.push(self.separator),
                Kind::Upper | Kind::Connector => self.push(lower(glyph.c)),
                _ => self.out.extend_from_slice(glyph.bytes),
            }
        }
    }

    fn push(&mut self, c: char) {
        self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn separate(&mut self, next: Kind) {
        if !matches!(next, Kind::None | Kind::Punctuation | Kind::Connector) {
            self.push(self.separator);
        }
    }

    /// Words that stick to a number before them.
    fn after_number(&mut self, mut kind: Kind, mut word: &'a [Glyph<'a>]) -> (Kind, &'a [Glyph<'a>]) {
        while matches!(kind, Kind::Letters | Kind::Number) {
            self.write(kind, word);
            (kind, word) = self.next();
        }
        self.separate(kind);
        (kind, word)
    }
}

pub(crate) fn lower_words(text: &[u8], separator: char) -> Vec<u8> {
    let all = glyphs(text);
    let mut words = Words { rest: &all, out: Vec::with_capacity(text.len() + 8), separator };
    let (mut kind, mut current) = words.next();
    while !words.rest.is_empty() {
        if kind != Kind::Connector {
            words.write(kind, current);
        }
        let (before, last) = (kind, current);
        (kind, current) = words.next();
        match before {
            Kind::Number => (kind, current) = words.after_number(kind, current),
            Kind::Connector => words.write(before, last),
            Kind::Punctuation => {}
            _ if kind != Kind::Number => {
                if kind != Kind::Connector && kind != Kind::Punctuation {
                    words.push(separator);
                }
            }
            _ if words.rest.is_empty() => {}
            _ => {
                let number = current;
                (kind, current) = words.next();
                if kind == Kind::Letters {
                    words.push(separator);
                    words.write(Kind::Number, number);
                    (kind, current) = words.after_number(kind, current);
                } else {
                    words.write(Kind::Number, number);
                    if kind != Kind::Connector && kind != Kind::Punctuation {
                        words.push(separator);
                    }
                }
            }
        }
    }
    words.write(kind, current);
    words.out
}

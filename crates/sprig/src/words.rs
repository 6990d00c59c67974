//! Camel case taken apart into words, as Sprig's `snakecase` and `kebabcase` do.

use gotemplate::chars;

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
    c.is_uppercase() || c.is_lowercase()
}

/// The first word: its kind and its length in characters.
fn word(text: &[char]) -> (Kind, usize) {
    let Some(first) = text.first().copied() else { return (Kind::None, 0) };
    let run = |test: &dyn Fn(char) -> bool| 1 + text.iter().skip(1).take_while(|c| test(**c)).count();
    let small = |c: char| letter(c) && !c.is_uppercase();
    if connector(first) {
        return (Kind::Connector, run(&connector));
    }
    if punctuation(first) {
        return (Kind::Punctuation, run(&punctuation));
    }
    if first.is_uppercase() {
        let capitals = run(&|c: char| c.is_uppercase());
        let next = text.get(capitals).copied();
        let len = match next {
            Some(c) if capitals > 1 && letter(c) => capitals - 1,
            Some(c) if capitals == 1 && letter(c) => run(&small),
            _ => capitals,
        };
        return (Kind::Upper, len);
    }
    if letter(first) {
        return (Kind::Letters, run(&small));
    }
    if first.is_numeric() {
        return (Kind::Number, run(&|c: char| c.is_numeric()));
    }
    (Kind::Other, run(&|c: char| !(connector(c) || letter(c) || c.is_numeric() || punctuation(c))))
}

struct Words<'a> {
    rest: &'a [char],
    out: String,
    separator: char,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> (Kind, &'a [char]) {
        let (kind, len) = word(self.rest);
        let (word, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, &[]));
        self.rest = rest;
        (kind, word)
    }

    fn write(&mut self, kind: Kind, word: &[char]) {
        match kind {
            Kind::Upper => self.out.extend(word.iter().map(|c| lower(*c))),
            Kind::Connector => self.out.extend(word.iter().map(|_| self.separator)),
            _ => self.out.extend(word),
        }
    }

    fn separate(&mut self, next: Kind) {
        if !matches!(next, Kind::None | Kind::Punctuation | Kind::Connector) {
            self.out.push(self.separator);
        }
    }

    /// Words that stick to a number before them.
    fn after_number(&mut self, mut kind: Kind, mut word: &'a [char]) -> (Kind, &'a [char]) {
        while matches!(kind, Kind::Letters | Kind::Number) {
            self.write(kind, word);
            (kind, word) = self.next();
        }
        self.separate(kind);
        (kind, word)
    }
}

pub(crate) fn lower_words(text: &[u8], separator: char) -> String {
    let all: Vec<char> = chars(text).map(|(c, _)| c).collect();
    let mut words = Words { rest: &all, out: String::with_capacity(all.len() + 8), separator };
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
                    words.out.push(separator);
                }
            }
            _ if words.rest.is_empty() => {}
            _ => {
                let number = current;
                (kind, current) = words.next();
                if kind == Kind::Letters {
                    words.out.push(separator);
                    words.write(Kind::Number, number);
                    (kind, current) = words.after_number(kind, current);
                } else {
                    words.write(Kind::Number, number);
                    if kind != Kind::Connector && kind != Kind::Punctuation {
                        words.out.push(separator);
                    }
                }
            }
        }
    }
    words.write(kind, current);
    words.out
}

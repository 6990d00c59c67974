//! Matching of one path element, as Go's `filepath.Match`.

/// A pattern for one element: `*`, `?`, `[…]` and `\`. Braces are ordinary characters.
#[derive(Clone, Debug)]
pub(crate) struct Glob {
    /// `None` when the pattern is malformed: then it matches nothing.
    tokens: Option<Vec<Token>>,
}

#[derive(Clone, Debug)]
enum Token {
    /// Any characters, also none.
    Many,
    /// One character.
    One,
    Literal(char),
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Glob {
    pub(crate) fn parse(pattern: &str) -> Self {
        Self { tokens: tokens(pattern) }
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        let Some(tokens) = &self.tokens else { return false };
        let (mut tokens, mut rest) = (tokens.as_slice(), name);
        // Where to go on when the way from the last `*` is a dead end.
        let mut retry: Option<(&[Token], &str)> = None;
        loop {
            let next = rest.chars().next();
            let advanced = match (tokens.split_first(), next) {
                (None, None) => return true,
                (Some((Token::Many, after)), _) => {
                    retry = Some((after, rest));
                    Some((after, rest))
                }
                (Some((token, after)), Some(found)) if token.admits(found) => Some((after, skip(rest))),
                _ => None,
            };
            (tokens, rest) = match (advanced, retry) {
                (Some(advanced), _) => advanced,
                (None, Some((after, from))) if !from.is_empty() => {
                    retry = Some((after, skip(from)));
                    (after, skip(from))
                }
                (None, _) => return false,
            };
        }
    }
}

impl Token {
    fn admits(&self, found: char) -> bool {
        match self {
            Self::Many | Self::One => true,
            Self::Literal(wanted) => *wanted == found,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&found)) != *negated
            }
        }
    }
}

/// `text` without its first character.
fn skip(text: &str) -> &str {
    let mut characters = text.chars();
    characters.next();
    characters.as_str()
}

fn tokens(pattern: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        tokens.push(match character {
            '*' => Token::Many,
            '?' => Token::One,
            '\\' => Token::Literal(characters.next()?),
            '[' => class(&mut characters)?,
            literal => Token::Literal(literal),
        });
    }
    Some(tokens)
}

/// What follows `[`, up to and with the `]`. `None` when it is malformed: empty, unclosed, or a range without an end.
fn class(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Token> {
    let negated = characters.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    while ranges.is_empty() || characters.next_if_eq(&']').is_none() {
        let low = class_character(characters)?;
        let high = match characters.next_if_eq(&'-') {
            Some(_) => class_character(characters)?,
            None => low,
        };
        ranges.push((low, high));
        // Unclosed.
        characters.peek()?;
    }
    Some(Token::Class { negated, ranges })
}

/// A character of a class; `-` and `]` must be escaped.
fn class_character(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    match characters.next()? {
        '-' | ']' => None,
        '\\' => characters.next(),
        character => Some(character),
    }
}

//! The glob of `${v#p}`: `*`, `?`, `[a-z]`, `[^a-z]` and `\c`, where `*` and `?` match any character.

/// Length in bytes of the shortest or longest prefix of `text` that matches; 0 when none does. The match is never empty.
/// A malformed pattern matches nothing, if the text gets as far as the fault.
///
/// All prefixes are tried at once, so the cost is the product of the two lengths and no worse.
pub(crate) fn prefix(pattern: &str, text: &str, longest: bool) -> usize {
    let tokens = tokens(pattern);
    let mut active = vec![false; tokens.len() + 1];
    if let Some(start) = active.first_mut() {
        *start = true;
    }
    skip_stars(&tokens, &mut active);
    let mut best = 0;
    for (at, character) in text.char_indices() {
        let mut next = vec![false; tokens.len() + 1];
        for (index, token) in tokens.iter().enumerate() {
            if !active.get(index).copied().unwrap_or(false) {
                continue;
            }
            let (stay, step) = match token {
                Token::Star => (true, false),
                Token::Any => (false, true),
                Token::Literal(literal) => (false, *literal == character),
                Token::Class { negated, ranges } => {
                    (false, ranges.iter().any(|(low, high)| (*low..=*high).contains(&character)) != *negated)
                }
                Token::Malformed => return 0,
            };
            for (target, set) in [(index, stay), (index + 1, step)] {
                if let Some(slot) = next.get_mut(target) {
                    *slot |= set;
                }
            }
        }
        skip_stars(&tokens, &mut next);
        active = next;
        if active.last() == Some(&true) && (longest || best == 0) {
            best = at + character.len_utf8();
        }
        if !active.contains(&true) {
            break;
        }
    }
    best
}

/// A star matches nothing, too.
fn skip_stars(tokens: &[Token], active: &mut [bool]) {
    for (index, token) in tokens.iter().enumerate() {
        if matches!(token, Token::Star)
            && active.get(index) == Some(&true)
            && let Some(slot) = active.get_mut(index + 1)
        {
            *slot = true;
        }
    }
}

#[derive(Debug)]
enum Token {
    Star,
    Any,
    Literal(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
    Malformed,
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = pattern.chars().peekable();
    while let Some(character) = rest.next() {
        let token = match character {
            '*' => Token::Star,
            '?' => Token::Any,
            '[' => class(&mut rest).unwrap_or(Token::Malformed),
            '\\' => rest.next().map_or(Token::Malformed, Token::Literal),
            literal => Token::Literal(literal),
        };
        let malformed = matches!(token, Token::Malformed);
        tokens.push(token);
        if malformed {
            break;
        }
    }
    tokens
}

fn class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Token> {
    let negated = rest.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && rest.next_if_eq(&']').is_some() {
            return Some(Token::Class { negated, ranges });
        }
        let low = member(rest)?;
        let high = if rest.next_if_eq(&'-').is_some() { member(rest)? } else { low };
        ranges.push((low, high));
    }
}

fn member(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    match rest.next()? {
        '-' | ']' => None,
        '\\' => rest.next(),
        character => Some(character),
    }
}

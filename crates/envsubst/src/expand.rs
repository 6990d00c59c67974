//! From pieces to bytes. Bytes, because offsets count bytes and may cut a character for a later piece to mend.

use crate::parse::{Node, Operator};
use crate::{Error, MAX_BYTES, Unset, Variables, glob};

pub(crate) struct Expander<'a> {
    pub(crate) variables: &'a Variables,
    pub(crate) unset: Unset,
}

impl Expander<'_> {
    pub(crate) fn expand(&self, node: &Node, out: &mut Vec<u8>) -> Result<(), Error> {
        match node {
            Node::Text(text) => out.extend_from_slice(text.as_bytes()),
            Node::Expansion { name, operator, arguments } => {
                // Arguments come first, so an unset variable in a default that is not needed is still an error.
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    let mut value = Vec::new();
                    self.expand(argument, &mut value)?;
                    values.push(value);
                }
                let value = match self.variables.get(name) {
                    Some(value) => value,
                    None if *operator == Operator::Default || self.unset == Unset::Empty => "",
                    None => return Err(Error::Unset(name.clone())),
                };
                apply(*operator, value, &values, out)?;
            }
        }
        if out.len() > MAX_BYTES { Err(Error::TooLarge) } else { Ok(()) }
    }
}

fn apply(operator: Operator, value: &str, arguments: &[Vec<u8>], out: &mut Vec<u8>) -> Result<(), Error> {
    let first = arguments.first().map(Vec::as_slice).unwrap_or_default();
    let second = arguments.get(1).map(Vec::as_slice);
    match operator {
        Operator::Value => out.extend_from_slice(value.as_bytes()),
        Operator::Default if value.is_empty() => arguments.iter().for_each(|a| out.extend_from_slice(a)),
        Operator::Default => out.extend_from_slice(value.as_bytes()),
        Operator::Length => out.extend_from_slice(value.len().to_string().as_bytes()),
        Operator::UpperAll => push_chars(value.chars().map(upper), out),
        Operator::LowerAll => push_chars(value.chars().map(lower), out),
        Operator::UpperFirst => push_chars(first_changed(value, upper), out),
        Operator::LowerFirst => push_chars(first_changed(value, lower), out),
        Operator::Substring => out.extend_from_slice(substring(value.as_bytes(), first, second)),
        Operator::ShortestPrefix | Operator::LongestPrefix => {
            let pattern = String::from_utf8_lossy(first);
            let cut = glob::prefix(&pattern, value, operator == Operator::LongestPrefix);
            out.extend_from_slice(value.get(cut..).unwrap_or_default().as_bytes());
        }
        Operator::ShortestSuffix | Operator::LongestSuffix => {
            // Upstream turns both around, so a character class never matches here as it was meant.
            let pattern: String = String::from_utf8_lossy(first).chars().rev().collect();
            let reversed: String = value.chars().rev().collect();
            let cut = glob::prefix(&pattern, &reversed, operator == Operator::LongestSuffix);
            out.extend_from_slice(value.get(..value.len() - cut).unwrap_or_default().as_bytes());
        }
        Operator::ReplaceFirst => replace(value.as_bytes(), first, second.unwrap_or_default(), 1, out)?,
        Operator::ReplaceAll => {
            replace(value.as_bytes(), first, second.unwrap_or_default(), usize::MAX, out)?
        }
        // Without a replacement these two leave the value alone.
        Operator::ReplaceStart => match (value.as_bytes().strip_prefix(first), second) {
            (Some(rest), Some(replacement)) => out.extend([replacement, rest].concat()),
            _ => out.extend_from_slice(value.as_bytes()),
        },
        Operator::ReplaceEnd => match (value.as_bytes().strip_suffix(first), second) {
            (Some(rest), Some(replacement)) => out.extend([rest, replacement].concat()),
            _ => out.extend_from_slice(value.as_bytes()),
        },
    }
    Ok(())
}

fn push_chars(chars: impl Iterator<Item = char>, out: &mut Vec<u8>) {
    let mut buffer = [0; 4];
    for character in chars {
        out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
    }
}

fn first_changed(value: &str, change: impl Fn(char) -> char) -> impl Iterator<Item = char> {
    let mut chars = value.chars();
    chars.next().map(change).into_iter().chain(chars)
}

/// The one-to-one upper case of a character; one that grows is left as it is, as in Go.
fn upper(c: char) -> char {
    let code = u32::from(c);
    match code {
        0x1f80..=0x1faf if code & 8 == 0 => char::from_u32(code + 8).unwrap_or(c),
        0x1fb3 | 0x1fc3 | 0x1ff3 => char::from_u32(code + 9).unwrap_or(c),
        _ => only(c, c.to_uppercase()),
    }
}

/// The one-to-one lower case of a character.
fn lower(c: char) -> char {
    if c == '\u{130}' { 'i' } else { only(c, c.to_lowercase()) }
}

fn only(c: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// `${v:offset}` and `${v:offset:length}`; numbers that are none leave the value whole.
fn substring<'a>(value: &'a [u8], offset: &[u8], length: Option<&[u8]>) -> &'a [u8] {
    let size = value.len() as i64;
    let Some(offset) = integer(offset) else { return value };
    let start = if offset < 0 { (size.saturating_add(offset)).max(0) } else { offset };
    let end = match length.map(integer) {
        None => size,
        Some(None) => return value,
        // Like bash, and like upstream since its panic was mended: a negative length counts from the end.
        Some(Some(length)) if length < 0 => size.saturating_add(length),
        Some(Some(length)) => start.saturating_add(length).min(size),
    };
    let bound = |n: i64| usize::try_from(n).unwrap_or(0);
    if start >= end { &[] } else { value.get(bound(start)..bound(end)).unwrap_or_default() }
}

/// An integer as Go's `strconv.Atoi` reads it: an optional sign, then ASCII digits.
fn integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Replaces up to `limit` occurrences of a literal. An empty one matches before each character and at the end.
fn replace(value: &[u8], from: &[u8], to: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), Error> {
    let mut rest = value;
    let mut count = 0;
    while count < limit {
        let Some(at) = find(rest, from) else { break };
        if out.len() + to.len() > MAX_BYTES {
            return Err(Error::TooLarge);
        }
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before);
        out.extend_from_slice(to);
        rest = after.get(from.len()..).unwrap_or_default();
        count += 1;
        if from.is_empty() {
            let step =
                std::str::from_utf8(rest).ok().and_then(|text| text.chars().next()).map_or(1, char::len_utf8);
            if rest.is_empty() {
                break;
            }
            let (character, after) = rest.split_at(step.min(rest.len()));
            out.extend_from_slice(character);
            rest = after;
        }
    }
    out.extend_from_slice(rest);
    Ok(())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return Some(0);
    }
    haystack.windows(needle.len()).position(|window| window == needle)
}

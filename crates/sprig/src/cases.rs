//! Upper and lower case, words and wrapping.

use gotemplate::Ty::{Int, Str as Text};
use gotemplate::{Fault, Function, IntKind, chars, is_known, is_lower, is_upper};

use crate::args::{Args, Outcome};
use crate::strings::is_space;
use crate::words::lower_words;

const I: gotemplate::Ty = Int(IntKind::Int);

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("title", &[Text], |_, a| Ok(title(a.bytes(0)).into())),
    Function::new("untitle", &[Text], |_, a| Ok(untitle(a.bytes(0)).into())),
    Function::new("swapcase", &[Text], |_, a| Ok(swap_case(a.bytes(0)).into())),
    Function::new("initials", &[Text], |_, a| Ok(initials(a.bytes(0)).into())),
    Function::new("snakecase", &[Text], |_, a| Ok(lower_words(a.bytes(0), '_').into())),
    Function::new("kebabcase", &[Text], |_, a| Ok(lower_words(a.bytes(0), '-').into())),
    Function::new("camelcase", &[Text], |_, a| Ok(pascal_case(a.bytes(0)).into())),
    Function::new("abbrev", &[I, Text], |_, a| Ok(abbrev(0, a.int(0), a.bytes(1)).into())),
    Function::new("abbrevboth", &[I, I, Text], |_, a| {
        let (left, right) = (a.int(0), a.int(1));
        if right < 4 || (left > 0 && right < 7) {
            return Ok(a.any(2).clone());
        }
        Ok(abbrev(left, right, a.bytes(2)).into())
    }),
    Function::new("wrap", &[I, Text], |_, a| wrap(a.bytes(1), a.int(0), b"", false)),
    Function::new("wrapWith", &[I, Text, Text], |_, a| wrap(a.bytes(2), a.int(0), a.bytes(1), true)),
];

/// Go's simple case mappings: one character for one.
pub(crate) fn upper(c: char) -> char {
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(upper), None) if is_known(upper) => upper,
        // With an iota below, which Unicode writes behind where there is room for it.
        _ => match c {
            '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
                char::from_u32(u32::from(c) + 8).unwrap_or(c)
            }
            'ᾳ' => 'ᾼ',
            'ῃ' => 'ῌ',
            'ῳ' => 'ῼ',
            c => c,
        },
    }
}

/// Go's simple mapping for the beginnings of words: that of [`upper`] but for a few letters.
fn title_letter(c: char) -> char {
    match c {
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        // Georgian has capitals, but no word begins with one.
        '\u{10d0}'..='\u{10fa}' | '\u{10fd}'..='\u{10ff}' => c,
        c => upper(c),
    }
}

pub(crate) fn lower(c: char) -> char {
    if c == 'İ' {
        'i'
    } else {
        c.to_lowercase().next().filter(|lower| is_known(c) && is_known(*lower)).unwrap_or(c)
    }
}

/// Whether a letter is itself a capital and a small one, or has an iota beside it.
fn is_title(c: char) -> bool {
    matches!(
        c,
        'ǅ' | 'ǈ' | 'ǋ' | 'ǲ' | '\u{1f88}'..='\u{1f8f}' | '\u{1f98}'..='\u{1f9f}' | '\u{1fa8}'..='\u{1faf}' | 'ᾼ' | 'ῌ' | 'ῼ'
    )
}

fn title(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for (c, _) in chars(text) {
        // Go's old word rule: letters, digits and underscores separate nothing; other ASCII does; beyond, only spaces.
        let separates = if before.is_ascii() {
            !(before.is_ascii_alphanumeric() || before == '_')
        } else {
            !before.is_alphanumeric() && is_space(before)
        };
        out.push(if separates { title_letter(c) } else { c });
        before = c;
    }
    out
}

fn untitle(text: &[u8]) -> String {
    let mut start = true;
    chars(text)
        .map(|(c, _)| {
            if is_space(c) {
                start = true;
                c
            } else if std::mem::take(&mut start) {
                lower(c)
            } else {
                c
            }
        })
        .collect()
}

fn swap_case(text: &[u8]) -> String {
    let mut start = true;
    chars(text)
        .map(|(c, _)| {
            if is_upper(c) || is_title(c) {
                start = false;
                lower(c)
            } else if is_lower(c) {
                if std::mem::take(&mut start) { title_letter(c) } else { upper(c) }
            } else {
                start = is_space(c);
                c
            }
        })
        .collect()
}

/// Sprig reads bytes as characters here.
fn initials(text: &[u8]) -> String {
    let mut gap = true;
    let mut out = String::new();
    for b in text {
        let c = char::from(*b);
        if is_space(c) {
            gap = true;
        } else if std::mem::take(&mut gap) {
            out.push(c);
        }
    }
    out
}

fn connector(c: char) -> bool {
    c == '-' || c == '_' || is_space(c)
}

/// `some_words here` to `SomeWordsHere`. A connector is dropped, but runs of them leave all but one; a word that
/// starts with capitals has the further ones lowered.
fn pascal_case(text: &[u8]) -> String {
    let mut rest: Vec<char> = chars(text).map(|(c, _)| c).collect();
    let leading = rest.iter().take_while(|c| connector(**c)).count();
    let mut out: String = rest.drain(..leading).collect();
    let mut rest = rest.into_iter();
    let Some(first) = rest.next() else {
        // The last of nothing but connectors comes out twice.
        out.extend(out.chars().next_back());
        return out;
    };
    let mut capitals = is_upper(first);
    let mut current = upper(first);
    for next in rest {
        let before = current;
        current = next;
        if connector(current) && connector(before) {
            out.push(before);
            continue;
        }
        if connector(before) {
            capitals = is_upper(current);
            current = upper(current);
            continue;
        }
        if capitals {
            if is_upper(current) {
                current = lower(current);
            } else {
                capitals = false;
            }
        }
        out.push(before);
    }
    out.push(current);
    out
}

/// Shortens to `width` bytes with `...`; from `offset` on, also at the left.
fn abbrev(offset: i64, width: i64, text: &[u8]) -> Vec<u8> {
    let len = i64::try_from(text.len()).unwrap_or(i64::MAX);
    if width < 4 || len <= width {
        return text.to_vec();
    }
    let cut = |from: i64, to: i64| {
        let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
        range.and_then(|(from, to)| text.get(from..to)).unwrap_or_default()
    };
    let mut offset = offset.min(len);
    if len - offset < width - 3 {
        offset = len - (width - 3);
    }
    if offset <= 4 {
        return [cut(0, width - 3), b"..."].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if offset + width - 3 < len {
        let inner = abbrev(0, width - 3, cut(offset, len));
        return [b"...", &*inner].concat();
    }
    [b"...", cut(len - (width - 3), len)].concat()
}

fn wrap(text: &[u8], width: i64, separator: &[u8], long_words: bool) -> Outcome {
    let separator = if separator.is_empty() { b"\n" } else { separator };
    let width = usize::try_from(width.max(1)).unwrap_or(usize::MAX);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while rest.len() > width {
        if rest.first() == Some(&b' ') {
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let window = rest.get(..=width).unwrap_or(rest);
        let (line, skipped) = match window.iter().rposition(|b| *b == b' ') {
            Some(at) => (at, 1),
            None if long_words => (width, 0),
            None => match rest.get(width..).unwrap_or_default().iter().position(|b| *b == b' ') {
                Some(at) => (width + at, 1),
                None => break,
            },
        };
        out.extend_from_slice(rest.get(..line).unwrap_or_default());
        out.extend_from_slice(separator);
        if out.len() > 256 << 20 {
            return Err(Fault::from("the wrapped text is longer than 268435456 bytes"));
        }
        rest = rest.get(line + skipped..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    Ok(out.into())
}

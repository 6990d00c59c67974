//! Regular expressions with Go's syntax and Go's way of replacing and splitting.

use std::collections::HashMap;

use gotemplate::Ty::{Int, Str as Text};
use gotemplate::{Exec, Fault, Function, IntKind, ListType, Str, Value, chars};
use regex::bytes::{Captures, Regex, RegexBuilder};

use crate::args::{Args, Outcome};
use crate::regex_syntax::translate;
use crate::state::state;

const I: gotemplate::Ty = Int(IntKind::Int);

pub(crate) type Cache = HashMap<Str, Result<Regex, String>>;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("regexMatch", &[Text, Text], |e, a| {
        Ok(must(e, a.bytes(0)).is_ok_and(|regex| regex.is_match(a.bytes(1))).into())
    }),
    Function::new("mustRegexMatch", &[Text, Text], |e, a| {
        Ok(must(e, a.bytes(0))?.is_match(a.bytes(1)).into())
    }),
    Function::new("regexFind", &[Text, Text], |e, a| Ok(find(&plain(e, a.bytes(0))?, a.bytes(1)))),
    Function::new("mustRegexFind", &[Text, Text], |e, a| Ok(find(&must(e, a.bytes(0))?, a.bytes(1)))),
    Function::new("regexFindAll", &[Text, Text, I], |e, a| find_all(&plain(e, a.bytes(0))?, a)),
    Function::new("mustRegexFindAll", &[Text, Text, I], |e, a| find_all(&must(e, a.bytes(0))?, a)),
    Function::new("regexReplaceAll", &[Text, Text, Text], |e, a| replace(&plain(e, a.bytes(0))?, a, true)),
    Function::new("mustRegexReplaceAll", &[Text, Text, Text], |e, a| replace(&must(e, a.bytes(0))?, a, true)),
    Function::new("regexReplaceAllLiteral", &[Text, Text, Text], |e, a| {
        replace(&plain(e, a.bytes(0))?, a, false)
    }),
    Function::new("mustRegexReplaceAllLiteral", &[Text, Text, Text], |e, a| {
        replace(&must(e, a.bytes(0))?, a, false)
    }),
    Function::new("regexSplit", &[Text, Text, I], |e, a| split(&plain(e, a.bytes(0))?, a)),
    Function::new("mustRegexSplit", &[Text, Text, I], |e, a| split(&must(e, a.bytes(0))?, a)),
    Function::new("regexQuoteMeta", &[Text], |_, a| {
        let mut out = Vec::with_capacity(a.bytes(0).len());
        for b in a.bytes(0) {
            if br"\.+*?()|[]{}^$".contains(b) {
                out.push(b'\\');
            }
            out.push(*b);
        }
        Ok(out.into())
    }),
];

/// Compiles a regular expression of Go's; `size` is the most that it may take, in bytes.
///
/// # Errors
/// Go's text: `error parsing regexp: …`.
pub fn compile(pattern: &[u8], size: usize) -> Result<Regex, String> {
    let text = std::str::from_utf8(pattern).map_err(|error| {
        // Whatever is wrong before it comes first; what is missing at the end does not.
        let before = String::from_utf8_lossy(pattern.get(..error.valid_up_to()).unwrap_or_default());
        if let Err(problem) = translate(&before)
            && !problem.starts_with("missing closing")
            && !problem.starts_with("trailing backslash")
        {
            return format!("error parsing regexp: {problem}");
        }
        let rest = String::from_utf8_lossy(pattern.get(error.valid_up_to()..).unwrap_or_default());
        format!("error parsing regexp: invalid UTF-8: `{rest}`")
    })?;
    let translated = translate(text).map_err(|problem| format!("error parsing regexp: {problem}"))?;
    RegexBuilder::new(&translated)
        .size_limit(size)
        .build()
        .map_err(|_| format!("error parsing regexp: expression too large or not supported: `{text}`"))
}

fn must(exec: &mut Exec<'_>, pattern: &[u8]) -> Result<Regex, Fault> {
    let state = state(exec)?;
    if let Some(known) = state.regexes.get(pattern) {
        return known.clone().map_err(Fault::Text);
    }
    let compiled = compile(pattern, state.regex_size);
    state.regexes.insert(pattern.into(), compiled.clone());
    compiled.map_err(Fault::Text)
}

/// As [`must`], with the text of Go's panic.
fn plain(exec: &mut Exec<'_>, pattern: &[u8]) -> Result<Regex, Fault> {
    must(exec, pattern).map_err(|fault| {
        let shown = String::from_utf8_lossy(pattern);
        let raw = |c: char| c == '`' || (c.is_ascii_control() && c != '\t') || c == '\u{feff}';
        let quoted = shown.chars().any(raw) || std::str::from_utf8(pattern).is_err();
        let shown = if quoted { gotemplate::quote(pattern) } else { format!("`{shown}`") };
        Fault::Text(format!("regexp: Compile({shown}): {}", fault.text()))
    })
}

/// All matches but the empty ones within a character.
fn matches<'t>(regex: &'t Regex, text: &'t [u8]) -> impl Iterator<Item = Captures<'t>> + 't {
    regex.captures_iter(text).filter(|found| {
        found.get(0).is_none_or(|whole| !whole.is_empty() || !is_within_character(text, whole.start()))
    })
}

/// Whether a place is behind the first and before the last byte of a character. What is no UTF-8 is a character a byte.
fn is_within_character(text: &[u8], at: usize) -> bool {
    matches!(text.get(at), Some(0x80..=0xbf))
        && (1..=3).any(|back| {
            let rest = at.checked_sub(back).and_then(|start| text.get(start..)).unwrap_or_default();
            chars(rest).next().is_some_and(|(_, len)| len > back)
        })
}

fn find(regex: &Regex, text: &[u8]) -> Value {
    regex.find(text).map_or_else(|| "".into(), |found| found.as_bytes().to_vec().into())
}

fn limit(count: i64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// What Go gives for no texts at all.
fn nil() -> Value {
    Value::typed_list(ListType::NilStr, Vec::new())
}

fn find_all(regex: &Regex, a: &[Value]) -> Outcome {
    let found = matches(regex, a.bytes(1)).take(limit(a.int(2)));
    let texts: Vec<_> = found.filter_map(|found| found.get(0).map(|m| m.as_bytes().to_vec())).collect();
    Ok(if texts.is_empty() { nil() } else { Value::strings(texts) })
}

fn replace(regex: &Regex, a: &[Value], expands: bool) -> Outcome {
    let text = a.bytes(1);
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    for found in matches(regex, text) {
        let Some(whole) = found.get(0) else { continue };
        out.extend_from_slice(text.get(at..whole.start()).unwrap_or_default());
        if expands {
            expand(a.bytes(2), &found, &mut out);
        } else {
            out.extend_from_slice(a.bytes(2));
        }
        if out.len() > 256 << 20 {
            return Err("the replaced text is longer than 268435456 bytes".into());
        }
        at = whole.end();
    }
    out.extend_from_slice(text.get(at..).unwrap_or_default());
    Ok(out.into())
}

/// Appends a replacement with `$1`, `$name` and `${name}` filled in.
fn expand(template: &[u8], found: &Captures<'_>, out: &mut Vec<u8>) {
    let mut rest = template;
    while let Some(at) = rest.iter().position(|b| *b == b'$') {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + 1..).unwrap_or_default();
        if rest.first() == Some(&b'$') {
            out.push(b'$');
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let braces = rest.first() == Some(&b'{');
        let inner = if braces { rest.get(1..).unwrap_or_default() } else { rest };
        let valid = String::from_utf8_lossy(inner);
        let len: usize =
            valid.chars().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum();
        let closed = !braces || inner.get(len) == Some(&b'}');
        let (Some(name), true, true) = (valid.get(..len), len > 0, closed) else {
            out.push(b'$');
            continue;
        };
        let group = match name.parse::<usize>() {
            Ok(number) if name.bytes().all(|b| b.is_ascii_digit()) => found.get(number),
            _ => found.name(&crate::regex_syntax::group_name(name)),
        };
        if let Some(group) = group {
            out.extend_from_slice(group.as_bytes());
        }
        rest = inner.get(len + usize::from(braces)..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

fn split(regex: &Regex, a: &[Value]) -> Outcome {
    let (text, count) = (a.bytes(1), a.int(2));
    if count == 0 {
        return Ok(nil());
    }
    if text.is_empty() && !a.bytes(0).is_empty() {
        return Ok(Value::strings([""]));
    }
    let most = limit(count);
    let mut parts: Vec<&[u8]> = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for found in matches(regex, text).take(most) {
        if count > 0 && parts.len() + 1 == most {
            break;
        }
        let Some(whole) = found.get(0) else { continue };
        end = whole.start();
        if whole.end() != 0 {
            parts.push(text.get(begin..end).unwrap_or_default());
        }
        begin = whole.end();
    }
    if end != text.len() {
        parts.push(text.get(begin..).unwrap_or_default());
    }
    Ok(Value::strings(parts))
}

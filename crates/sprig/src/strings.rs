//! Strings.

use gotemplate::Ty::{Any, Int, Str as Text};
use gotemplate::{DictType, Exec, Fault, Function, IntKind, ListType, Str, Value, chars, fmt, quote_into};

use crate::args::{Args, Outcome, strings, strval};
use crate::cases::{lower, upper};

const I: gotemplate::Ty = Int(IntKind::Int);
/// Longest text that a repetition makes, in bytes.
const LONGEST: usize = 256 << 20;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("hello", &[], |_, _| Ok("Hello!".into())),
    Function::new("trunc", &[I, Text], |_, a| Ok(kept(a.any(1), trunc(a.int(0), a.bytes(1))))),
    Function::new("trim", &[Text], |_, a| Ok(kept(a.any(0), trim_space(a.bytes(0))))),
    Function::new("upper", &[Text], |_, a| Ok(map(a.bytes(0), |c, out| out.push(upper(c))).into())),
    Function::new("lower", &[Text], |_, a| Ok(map(a.bytes(0), |c, out| out.push(lower(c))).into())),
    Function::new("substr", &[I, I, Text], |_, a| substr(a.int(0), a.int(1), a.bytes(2))),
    Function::new("repeat", &[I, Text], |_, a| repeat(a.int(0), a.bytes(1))),
    Function::new("trimall", &[Text, Text], trim_all),
    Function::new("trimAll", &[Text, Text], trim_all),
    Function::new("trimSuffix", &[Text, Text], |_, a| {
        Ok(a.bytes(1).strip_suffix(a.bytes(0)).map_or_else(|| a.any(1).clone(), |t| Str::from(t).into()))
    }),
    Function::new("trimPrefix", &[Text, Text], |_, a| {
        Ok(a.bytes(1).strip_prefix(a.bytes(0)).map_or_else(|| a.any(1).clone(), |t| Str::from(t).into()))
    }),
    Function::new("nospace", &[Text], |_, a| {
        // Sprig looks at bytes; where it drops one, it takes each of the others for a character.
        let text = a.bytes(0);
        let space = |b: u8| is_space(char::from(b));
        if !text.iter().any(|b| space(*b)) {
            return Ok(a.any(0).clone());
        }
        Ok(text.iter().filter(|b| !space(**b)).map(|b| char::from(*b)).collect::<String>().into())
    }),
    Function::new("contains", &[Text, Text], |_, a| Ok(find(a.bytes(1), a.bytes(0)).is_some().into())),
    Function::new("hasPrefix", &[Text, Text], |_, a| Ok(a.bytes(1).starts_with(a.bytes(0)).into())),
    Function::new("hasSuffix", &[Text, Text], |_, a| Ok(a.bytes(1).ends_with(a.bytes(0)).into())),
    Function::variadic("quote", &[], Any, |e, a| Ok(e.text(|out| quote(a, out)).into())),
    Function::variadic("squote", &[], Any, |e, a| Ok(e.text(|out| squote(a, out)).into())),
    Function::variadic("cat", &[], Any, |_, a| Ok(cat(a).into())),
    Function::new("indent", &[I, Text], |e, a| indent(e, a, b"")),
    Function::new("nindent", &[I, Text], |e, a| indent(e, a, b"\n")),
    Function::new("replace", &[Text, Text, Text], |_, a| replace(a.bytes(2), a.bytes(0), a.bytes(1))),
    Function::new("plural", &[Text, Text, I], |_, a| Ok(a.any(usize::from(a.int(2) != 1)).clone())),
    Function::new("toString", &[Any], |_, a| Ok(strval(a.any(0)).into())),
    Function::new("split", &[Text, Text], |_, a| Ok(numbered(split(a.bytes(1), a.bytes(0), -1)))),
    Function::new("splitn", &[Text, I, Text], |_, a| Ok(numbered(split(a.bytes(2), a.bytes(0), a.int(1))))),
    Function::new("splitList", &[Text, Text], |_, a| Ok(Value::strings(split(a.bytes(1), a.bytes(0), -1)))),
    Function::new("toStrings", &[Any], |_, a| Ok(texts(a.any(0)))),
    Function::new("join", &[Text, Any], |_, a| {
        let parts = strings(a.any(1));
        let parts: Vec<&[u8]> = parts.iter().map(|p| &**p).collect();
        Ok(parts.join(a.bytes(0)).into())
    }),
    Function::new("sortAlpha", &[Any], |_, a| {
        if a.any(0).elements().is_none() {
            return Ok(Value::strings([strval(a.any(0))]));
        }
        let texts = texts(a.any(0));
        if let Value::List(list) = &texts {
            list.sort();
        }
        Ok(texts)
    }),
];

/// Go's `unicode.IsSpace`.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace()
}

/// Each character changed; bytes that are no UTF-8 become U+FFFD, as in Go's `strings.Map`.
pub(crate) fn map(text: &[u8], change: impl Fn(char, &mut Vec<char>)) -> String {
    let mut out = Vec::with_capacity(text.len());
    for (c, _) in chars(text) {
        change(c, &mut out);
    }
    out.into_iter().collect()
}

pub(crate) fn trim_space(text: &[u8]) -> &[u8] {
    trim_matches(text, is_space)
}

fn trim_matches(text: &[u8], cut: impl Fn(char) -> bool) -> &[u8] {
    let start: usize = chars(text).take_while(|(c, _)| cut(*c)).map(|(_, len)| len).sum();
    let text = text.get(start..).unwrap_or_default();
    let mut end = 0;
    let mut at = 0;
    for (c, len) in chars(text) {
        at += len;
        if !cut(c) {
            end = at;
        }
    }
    text.get(..end).unwrap_or_default()
}

fn trim_all(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let set: Vec<char> = chars(a.bytes(0)).map(|(c, _)| c).collect();
    Ok(kept(a.any(1), trim_matches(a.bytes(1), |c| set.contains(&c))))
}

/// A part of a text: the value itself where that is all of it.
fn kept(value: &Value, part: &[u8]) -> Value {
    match value {
        Value::Str(text) if text.len() == part.len() => value.clone(),
        _ => Str::from(part).into(),
    }
}

fn trunc(count: i64, text: &[u8]) -> &[u8] {
    let len = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let range = if count < 0 && len + count > 0 {
        usize::try_from(len + count).ok().and_then(|from| text.get(from..))
    } else if count >= 0 {
        usize::try_from(count.min(len)).ok().and_then(|to| text.get(..to))
    } else {
        None
    };
    range.unwrap_or(text)
}

fn substr(start: i64, end: i64, text: &[u8]) -> Outcome {
    let len = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let fault = |what: String| Err(Fault::Text(format!("runtime error: slice bounds out of range {what}")));
    let cut = |from: i64, to: i64| {
        let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
        range.and_then(|(from, to)| text.get(from..to)).unwrap_or_default().to_vec()
    };
    if start < 0 {
        if end < 0 || end > len {
            return fault(if end < 0 { format!("[:{end}]") } else { format!("[:{end}] with length {len}") });
        }
        return Ok(cut(0, end).into());
    }
    if end < 0 || end > len {
        if start > len {
            return fault(format!("[{start}:{len}]"));
        }
        return Ok(cut(start, len).into());
    }
    if start > end {
        return fault(format!("[{start}:{end}]"));
    }
    Ok(cut(start, end).into())
}

fn repeat(count: i64, text: &[u8]) -> Outcome {
    if count < 0 {
        return Err("strings: negative Repeat count".into());
    }
    let times = usize::try_from(count).unwrap_or(usize::MAX);
    match text.len().checked_mul(times) {
        Some(len) if len <= LONGEST => Ok(text.repeat(if text.is_empty() { 0 } else { times }).into()),
        None => Err("strings: Repeat output length overflow".into()),
        Some(_) => Err(format!("the result of repeat is longer than {LONGEST} bytes").into()),
    }
}

fn quote(values: &[Value], out: &mut Vec<u8>) {
    for (i, value) in values.iter().filter(|v| !matches!(v, Value::Nil)).enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        match value {
            Value::Str(text) => quote_into(text, false, out),
            other => quote_into(&strval(other), false, out),
        }
    }
}

fn squote(values: &[Value], out: &mut Vec<u8>) {
    for (i, value) in values.iter().filter(|v| !matches!(v, Value::Nil)).enumerate() {
        out.extend_from_slice(if i == 0 { b"'" } else { b" '" });
        fmt::write(value, out);
        out.push(b'\'');
    }
}

fn cat(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for (i, value) in values.iter().filter(|v| !matches!(v, Value::Nil)).enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        fmt::write(value, &mut out);
    }
    out
}

fn indent(exec: &mut Exec<'_>, a: &[Value], before: &[u8]) -> Outcome {
    let text = a.bytes(1);
    let Ok(spaces) = usize::try_from(a.int(0)) else { return Err("strings: negative Repeat count".into()) };
    let lines = 1 + memchr::memchr_iter(b'\n', text).count();
    if spaces.saturating_mul(lines) > LONGEST {
        return Err(format!("the result of indent is longer than {LONGEST} bytes").into());
    }
    let indented = exec.text(|out| {
        out.reserve(text.len() + lines * spaces + before.len());
        out.extend_from_slice(before);
        let mut rest = text;
        loop {
            out.resize(out.len() + spaces, b' ');
            let line = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let (line, tail) = rest.split_at(line);
            out.extend_from_slice(line);
            if tail.is_empty() && line.last() != Some(&b'\n') {
                break;
            }
            rest = tail;
        }
    });
    Ok(indented.into())
}

pub(crate) fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, what)
}

fn replace(text: &[u8], old: &[u8], new: &[u8]) -> Outcome {
    let mut out = Vec::with_capacity(text.len());
    let room = |out: &Vec<u8>| out.len() <= LONGEST;
    if old.is_empty() {
        out.extend_from_slice(new);
        let mut at = 0;
        for (_, len) in chars(text) {
            out.extend_from_slice(text.get(at..at + len).unwrap_or_default());
            out.extend_from_slice(new);
            at += len;
            if !room(&out) {
                return Err(format!("the result of replace is longer than {LONGEST} bytes").into());
            }
        }
        return Ok(out.into());
    }
    let mut rest = text;
    while let Some(at) = find(rest, old) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        out.extend_from_slice(new);
        rest = rest.get(at + old.len()..).unwrap_or_default();
        if !room(&out) {
            return Err(format!("the result of replace is longer than {LONGEST} bytes").into());
        }
    }
    out.extend_from_slice(rest);
    Ok(out.into())
}

/// Go's `strings.SplitN`; `limit` below 0 means no limit.
pub(crate) fn split(text: &[u8], separator: &[u8], limit: i64) -> Vec<Str> {
    if limit == 0 {
        return Vec::new();
    }
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    let mut rest = text;
    if separator.is_empty() {
        while !rest.is_empty() {
            let len = if parts.len() + 1 == most {
                rest.len()
            } else {
                chars(rest).next().map_or(1, |(_, len)| len)
            };
            let (part, tail) = rest.split_at(len.min(rest.len()));
            parts.push(part.into());
            rest = tail;
        }
        return parts;
    }
    while parts.len() + 1 < most
        && let Some(at) = find(rest, separator)
    {
        parts.push(rest.get(..at).unwrap_or_default().into());
        rest = rest.get(at + separator.len()..).unwrap_or_default();
    }
    parts.push(rest.into());
    parts
}

/// As a `[]string`; what is one already stays the same, nil or not.
fn texts(value: &Value) -> Value {
    match value {
        Value::List(list) if matches!(list.ty, ListType::Str | ListType::NilStr) => value.clone(),
        value => Value::strings(strings(value)),
    }
}

fn numbered(parts: Vec<Str>) -> Value {
    let map = parts.into_iter().enumerate().map(|(i, part)| (format!("_{i}").into(), part.into())).collect();
    Value::typed_dict(DictType::Str, map)
}

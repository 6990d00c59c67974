//! Regular expressions with Go's syntax and Go's way of replacing and splitting.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

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
        Ok(must(e, a.bytes(0)).is_ok_and(|regex| Seen::new(a.bytes(1)).is_match(&regex)).into())
    }),
    Function::new("mustRegexMatch", &[Text, Text], |e, a| {
        Ok(Seen::new(a.bytes(1)).is_match(&must(e, a.bytes(0))?).into())
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
    RegexBuilder::new(&translated(pattern)?).size_limit(size).build().map_err(|_| {
        let text = gotemplate::lossy(pattern);
        format!("error parsing regexp: expression too large or not supported: `{text}`")
    })
}

/// Whether a regular expression is one of Go's, without the work of compiling it.
///
/// # Errors
/// As [`compile`], but for an expression that is too large.
pub fn check(pattern: &[u8]) -> Result<(), String> {
    translated(pattern).map(|_| ())
}

fn translated(pattern: &[u8]) -> Result<String, String> {
    let problem = match std::str::from_utf8(pattern) {
        Ok(text) => translate(text, text),
        Err(error) => Err(not_utf8(pattern, error.valid_up_to())),
    };
    problem.map_err(|problem| format!("error parsing regexp: {problem}"))
}

/// What is wrong with an expression that is no UTF-8 from a place on: something before it, unless that is only
/// incomplete.
fn not_utf8(pattern: &[u8], valid: usize) -> String {
    let lossy = |range: Range<usize>| gotemplate::lossy(pattern.get(range).unwrap_or_default()).into_owned();
    let (before, whole) = (lossy(0..valid), lossy(0..pattern.len()));
    let behind = pattern.get(valid..).unwrap_or_default();
    // A name is looked at up to its end.
    let until =
        |end: u8| valid..behind.iter().position(|b| *b == end).map_or(pattern.len(), |len| valid + len);
    let rest = valid..pattern.len();
    let wrong = match translate(&before, &whole) {
        Ok(_) => rest,
        Err(problem) => {
            let (kind, shown) = problem.split_once(": `").unwrap_or((&problem, ""));
            let shown = shown.strip_suffix('`').unwrap_or(shown);
            match kind {
                "missing closing ]" => {
                    // The name of a class in a class ends with it.
                    let name = shown.rfind("[:").filter(|at| *at > 0);
                    let open = name.filter(|at| !shown.get(*at..).is_some_and(|name| name.contains(":]")));
                    let len = behind.windows(2).position(|end| end == b":]");
                    if let (Some(at), Some(len)) = (open, len) {
                        let name = lossy(valid - (shown.len() - at)..valid + len + 2);
                        return format!("invalid character class range: `{name}`");
                    }
                    rest
                }
                "missing closing )" | "trailing backslash at end of expression" => rest,
                _ if !before.ends_with(shown) => return problem,
                "invalid named capture" if !shown.contains('>') => until(b'>'),
                "invalid character class range" if is_cut_property(shown) => until(b'}'),
                "invalid or unsupported Perl syntax" if has_only_flags(shown) => rest,
                "invalid escape sequence" if is_cut_number(shown) => rest,
                _ => return problem,
            }
        }
    };
    format!("invalid UTF-8: `{}`", lossy(wrong))
}

/// Whether an escape for characters with a property has not all of its name.
fn is_cut_property(escape: &str) -> bool {
    let name = escape.strip_prefix("\\p").or_else(|| escape.strip_prefix("\\P"));
    name.is_some_and(|name| name.is_empty() || (name.starts_with('{') && !name.contains('}')))
}

/// Whether there is nothing wrong with the flags of a group so far.
fn has_only_flags(group: &str) -> bool {
    let flags = group.strip_prefix("(?").unwrap_or(group);
    flags.chars().all(|c| "imsU-".contains(c)) && flags.matches('-').count() < 2
}

/// Whether an escape with hexadecimal digits has not all of its characters.
fn is_cut_number(escape: &str) -> bool {
    let Some(number) = escape.strip_prefix("\\x") else { return false };
    match number.strip_prefix('{') {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => number.chars().count() < 2,
    }
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
        let shown = gotemplate::lossy(pattern);
        let raw = |c: char| c == '`' || (c.is_ascii_control() && c != '\t') || c == '\u{feff}';
        let quoted = shown.chars().any(raw) || std::str::from_utf8(pattern).is_err();
        let shown = if quoted { gotemplate::quote(pattern) } else { format!("`{shown}`") };
        Fault::Text(format!("regexp: Compile({shown}): {}", fault.text()))
    })
}

/// A text as Go's expressions see it: each byte that is no UTF-8 is a U+FFFD.
struct Seen<'t> {
    text: &'t [u8],
    seen: Cow<'t, [u8]>,
    /// For each byte of what is seen the place in the text that it stands for; empty if both are the same.
    places: Vec<usize>,
}

impl<'t> Seen<'t> {
    fn new(text: &'t [u8]) -> Seen<'t> {
        if std::str::from_utf8(text).is_ok() {
            return Seen { text, seen: text.into(), places: Vec::new() };
        }
        let (mut seen, mut places, mut at) = (String::new(), Vec::new(), 0);
        for (c, len) in chars(text) {
            seen.push(c);
            places.resize(seen.len(), at);
            at += len;
        }
        Seen { text, seen: seen.into_bytes().into(), places }
    }

    fn is_match(&self, regex: &Regex) -> bool {
        regex.is_match(&self.seen)
    }

    /// All matches but the empty ones within a character.
    fn matches(&self, regex: &Regex) -> impl Iterator<Item = Captures<'_>> {
        regex.captures_iter(&self.seen).filter(|found| {
            found.get(0).is_none_or(|whole| {
                !whole.is_empty() || !matches!(self.seen.get(whole.start()), Some(0x80..=0xbf))
            })
        })
    }

    /// The bytes that a part of what is seen stands for.
    fn part(&self, seen: Range<usize>) -> &'t [u8] {
        if self.places.is_empty() {
            return self.text.get(seen).unwrap_or_default();
        }
        let place = |at: usize| self.places.get(at).copied().unwrap_or(self.text.len());
        self.text.get(place(seen.start)..place(seen.end)).unwrap_or_default()
    }

    fn len(&self) -> usize {
        self.seen.len()
    }
}

fn find(regex: &Regex, text: &[u8]) -> Value {
    let text = Seen::new(text);
    regex.find(&text.seen).map_or_else(|| "".into(), |found| text.part(found.range()).to_vec().into())
}

fn limit(count: i64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// What Go gives for no texts at all.
fn nil() -> Value {
    Value::typed_list(ListType::NilStr, Vec::new())
}

fn find_all(regex: &Regex, a: &[Value]) -> Outcome {
    let text = Seen::new(a.bytes(1));
    let found = text.matches(regex).take(limit(a.int(2)));
    let texts: Vec<_> =
        found.filter_map(|found| found.get(0).map(|m| text.part(m.range()).to_vec())).collect();
    Ok(if texts.is_empty() { nil() } else { Value::strings(texts) })
}

fn replace(regex: &Regex, a: &[Value], expands: bool) -> Outcome {
    let text = Seen::new(a.bytes(1));
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    for found in text.matches(regex) {
        let Some(whole) = found.get(0) else { continue };
        out.extend_from_slice(text.part(at..whole.start()));
        if expands {
            expand(a.bytes(2), &text, &found, &mut out);
        } else {
            out.extend_from_slice(a.bytes(2));
        }
        if out.len() > 256 << 20 {
            return Err("the replaced text is longer than 268435456 bytes".into());
        }
        at = whole.end();
    }
    out.extend_from_slice(text.part(at..text.len()));
    Ok(out.into())
}

/// Appends a replacement with `$1`, `$name` and `${name}` filled in.
fn expand(template: &[u8], text: &Seen<'_>, found: &Captures<'_>, out: &mut Vec<u8>) {
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
        let valid = gotemplate::lossy(inner);
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
            out.extend_from_slice(text.part(group.range()));
        }
        rest = inner.get(len + usize::from(braces)..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

fn split(regex: &Regex, a: &[Value]) -> Outcome {
    let (text, count) = (Seen::new(a.bytes(1)), a.int(2));
    if count == 0 {
        return Ok(nil());
    }
    if text.len() == 0 && !a.bytes(0).is_empty() {
        return Ok(Value::strings([""]));
    }
    let most = limit(count);
    let mut parts: Vec<&[u8]> = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for found in text.matches(regex).take(most) {
        if count > 0 && parts.len() + 1 == most {
            break;
        }
        let Some(whole) = found.get(0) else { continue };
        end = whole.start();
        if whole.end() != 0 {
            parts.push(text.part(begin..end));
        }
        begin = whole.end();
    }
    if end != text.len() {
        parts.push(text.part(begin..text.len()));
    }
    Ok(Value::strings(parts))
}

//! Patterns of `.Files.Glob`: `*`, `**`, `?`, `[a-c]`, `[abc]`, `[!a]`, `{a,b}`, `\`, as the library of Helm's reads them.

use std::iter::Peekable;
use std::str::Chars;

use regex::bytes::Regex;

/// A pattern as an expression; a malformed one is none. A brace that is not closed ends with the pattern, which itself ends at
/// a NUL.
pub(crate) fn compile(pattern: &str) -> Option<Regex> {
    let pattern = pattern.split('\0').next().unwrap_or_default();
    if pattern.contains(char::REPLACEMENT_CHARACTER) {
        return None;
    }
    let mut out = String::from("(?s)^");
    let mut chars = pattern.chars().peekable();
    let mut braces = 0usize;
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.next_if_eq(&'*').is_some() => out.push_str(".*"),
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '[' => out.push_str(&class(&mut chars)?),
            '{' => {
                braces += 1;
                out.push_str("(?:");
            }
            '}' if braces > 0 => {
                braces -= 1;
                out.push(')');
            }
            ',' if braces > 0 => out.push('|'),
            '\\' => out.extend(chars.next().map(|c| regex::escape(&c.to_string()))),
            c => out.push_str(&regex::escape(&c.to_string())),
        }
    }
    out.extend(std::iter::repeat_n(')', braces));
    out.push('$');
    Regex::new(&out).ok()
}

/// What follows `[`: either one range, or characters among which `-` has no meaning.
fn class(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let negative = chars.next_if_eq(&'!').is_some();
    let number = |c: char| format!("\\x{{{:x}}}", u32::from(c));
    let mut inner = String::new();
    let mut next = chars.next()?;
    if chars.next_if_eq(&'-').is_some() {
        let last = chars.next().filter(|last| *last >= next)?;
        if chars.next() != Some(']') {
            return None;
        }
        inner = format!("{}-{}", number(next), number(last));
    } else {
        while next != ']' {
            let c = if next == '\\' { chars.next()? } else { next };
            inner.push_str(&number(c));
            next = chars.next()?;
        }
    }
    (!inner.is_empty()).then(|| format!("[{}{inner}]", if negative { "^" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::compile;

    #[test]
    fn patterns_are_read_as_the_library_does() {
        for (pattern, path, matches) in [
            ("conf/*", "conf/a", true),
            ("*", "conf/a", false),
            ("c**a", "conf/a", true),
            ("a?c", "a/c", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "/x", true),
            // Only a range by itself is one.
            ("[ab-d]", "c", false),
            ("[ab-d]", "-", true),
            ("[\\-a]", "b", false),
            ("[\\-a]", "^", true),
            ("[a\\]]", "]", true),
            ("{a,b{c,d}}", "bd", true),
            // A brace ends with the pattern, and what escapes nothing is nothing.
            ("conf{/a,/b", "conf/b", true),
            ("a\\", "a", true),
            ("a\0b", "a", true),
            ("},", "},", true),
        ] {
            assert_eq!(
                compile(pattern).map(|found| found.is_match(path.as_bytes())),
                Some(matches),
                "{pattern}"
            );
        }
        for broken in ["[", "[]", "[!]", "[a", "[c-a]", "[a-bc]", "[a-", "\u{fffd}"] {
            assert!(compile(broken).is_none(), "{broken}");
        }
    }
}

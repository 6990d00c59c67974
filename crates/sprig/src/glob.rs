//! Patterns of `.Files.Glob`: `*`, `**`, `?`, `[a-c]`, `[!a]`, `{a,b}`, `\`.

use regex::bytes::Regex;

/// A pattern as an expression; a malformed one is none.
pub(crate) fn compile(pattern: &str) -> Option<Regex> {
    let mut out = String::from("(?s)^");
    let mut chars = pattern.chars().peekable();
    let mut braces = 0usize;
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.peek() == Some(&'*') => {
                while chars.next_if_eq(&'*').is_some() {}
                out.push_str(".*");
            }
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '[' => {
                let negative = chars.next_if_eq(&'!').is_some();
                let mut inner = String::new();
                loop {
                    match chars.next()? {
                        ']' if !inner.is_empty() => break,
                        '\\' => inner.push_str(&regex::escape(&chars.next()?.to_string())),
                        '-' => inner.push('-'),
                        c => inner.push_str(&regex::escape(&c.to_string())),
                    }
                }
                out.push_str(if negative { "[^" } else { "[" });
                out.push_str(&inner);
                out.push(']');
            }
            '{' => {
                braces += 1;
                out.push_str("(?:");
            }
            '}' if braces > 0 => {
                braces -= 1;
                out.push(')');
            }
            ',' if braces > 0 => out.push('|'),
            '\\' => out.push_str(&regex::escape(&chars.next()?.to_string())),
            c => out.push_str(&regex::escape(&c.to_string())),
        }
    }
    if braces > 0 {
        return None;
    }
    out.push('$');
    Regex::new(&out).ok()
}

//! Regular expressions in Go's dialect, matched in linear time; a pattern without operators is a plain comparison.

use regex::Regex;

/// A compiled pattern that must match the whole text.
#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    /// Everything: the pattern was empty.
    Any,
    /// Exactly this text.
    Literal(String),
    /// What the expression matches.
    Regex(Box<Regex>),
}

impl Pattern {
    /// Compiles a pattern anchored at both ends; an empty one matches everything.
    pub(crate) fn anchored(pattern: &str) -> Result<Self, String> {
        if pattern.is_empty() {
            Ok(Self::Any)
        } else if is_literal(pattern) {
            Ok(Self::Literal(pattern.to_owned()))
        } else {
            go_regex(&format!("^(?:{pattern})$")).map(|regex| Self::Regex(Box::new(regex)))
        }
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Literal(literal) => literal == text,
            Self::Regex(regex) => regex.is_match(text),
        }
    }

    /// The only text that matches, if there is just one.
    pub(crate) fn literal(&self) -> Option<&str> {
        if let Self::Literal(literal) = self { Some(literal) } else { None }
    }
}

/// Whether a pattern has no operators, so that it only matches itself.
pub(crate) fn is_literal(pattern: &str) -> bool {
    !pattern.contains(['\\', '.', '+', '*', '?', '(', ')', '|', '[', ']', '{', '}', '^', '$'])
}

/// Compiles an expression in Go's syntax.
pub(crate) fn go_regex(pattern: &str) -> Result<Regex, String> {
    let translated = translate(pattern)?;
    Regex::new(&translated).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => format!("regular expression `{pattern}` is too large"),
        _ => format!("`{pattern}` is not a regular expression"),
    })
}

/// Rewrites what Go's syntax means differently: classes like `\d` are ASCII, `[` and `&&` inside a class are plain
/// characters, `{` that opens no repetition is plain, a repetition of a repetition is an error.
fn translate(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars().peekable();
    let mut repeated = false;
    while let Some(c) = chars.next() {
        let was_repeated = std::mem::take(&mut repeated);
        match c {
            '\\' => match chars.next() {
                Some('Q') => {
                    let mut quoted = String::new();
                    while let Some(c) = chars.next() {
                        if c == '\\' && chars.peek() == Some(&'E') {
                            chars.next();
                            break;
                        }
                        quoted.push(c);
                    }
                    out.push_str(&regex::escape(&quoted));
                }
                Some(escape) => out.push_str(&outside_class(escape)),
                None => return Err(format!("`{pattern}` ends with a backslash")),
            },
            '[' => class(&mut chars, &mut out),
            '*' | '+' | '?' => {
                if was_repeated {
                    return Err(format!("`{pattern}` repeats a repetition"));
                }
                out.push(c);
                if chars.peek() == Some(&'?') {
                    out.extend(chars.next());
                }
                repeated = true;
            }
            '{' => match counts(&mut chars) {
                Some(counts) if was_repeated => {
                    return Err(format!("`{pattern}` repeats a repetition: {{{counts}}}"));
                }
                Some(counts) => {
                    out.push('{');
                    out.push_str(&counts);
                    out.push('}');
                    if chars.peek() == Some(&'?') {
                        out.extend(chars.next());
                    }
                    repeated = true;
                }
                None => out.push_str("\\{"),
            },
            '}' => out.push_str("\\}"),
            c => out.push(c),
        }
    }
    Ok(out)
}

/// Reads `n}`, `n,}` or `n,m}`; takes nothing if it is something else.
fn counts(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut ahead = chars.clone();
    let mut text = String::new();
    loop {
        match ahead.next()? {
            '}' => break,
            c @ ('0'..='9' | ',') => text.push(c),
            _ => return None,
        }
    }
    let (low, high) = text.split_once(',').unwrap_or((&text, "0"));
    if low.is_empty() || high.contains(',') {
        return None;
    }
    *chars = ahead;
    Some(text)
}

fn outside_class(escape: char) -> String {
    match escape {
        'd' => "[0-9]".into(),
        'D' => "[^0-9]".into(),
        'w' => "[0-9A-Za-z_]".into(),
        'W' => "[^0-9A-Za-z_]".into(),
        's' => "[\\t\\n\\f\\r ]".into(),
        'S' => "[^\\t\\n\\f\\r ]".into(),
        'b' => "(?-u:\\b)".into(),
        '<' | '>' => escape.into(),
        other => format!("\\{other}"),
    }
}

/// Copies a bracketed class, after its `[`.
fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) {
    out.push('[');
    if chars.peek() == Some(&'^') {
        out.extend(chars.next());
    }
    let mut first = true;
    while let Some(c) = chars.next() {
        match c {
            ']' if !first => {
                out.push(']');
                return;
            }
            ']' => out.push_str("\\]"),
            '[' if chars.peek() == Some(&':') => {
                out.push('[');
                while let Some(c) = chars.next() {
                    out.push(c);
                    if c == ':' && chars.peek() == Some(&']') {
                        out.extend(chars.next());
                        break;
                    }
                }
            }
            '[' | '&' | '~' => {
                out.push('\\');
                out.push(c);
            }
            '\\' => match chars.next() {
                Some('d') => out.push_str("0-9"),
                Some('w') => out.push_str("0-9A-Za-z_"),
                Some('s') => out.push_str("\\t\\n\\f\\r "),
                Some(negated @ ('D' | 'W' | 'S')) => out.push_str(&outside_class(negated)),
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            },
            c => out.push(c),
        }
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_like_go() {
        for (pattern, text, expected) in [
            ("", "anything", true),
            ("web", "web", true),
            ("web", "web1", false),
            ("web.*", "web-1", true),
            ("a|b", "ab", false),
            ("a|b", "b", true),
            ("\\d+", "12", true),
            ("\\d+", "١٢", false),
            ("[a[b]", "[", true),
            ("[a&&b]", "&", true),
            ("a{,2}", "a{,2}", true),
            ("a{2}", "aa", true),
            ("\\Qa.b\\E", "a.b", true),
            ("\\Qa.b\\E", "axb", false),
            ("[[:alpha:]]+", "abc", true),
            ("[^\\d]", "x", true),
            ("[^\\d]", "1", false),
            ("a}", "a}", true),
        ] {
            assert_eq!(Pattern::anchored(pattern).unwrap().matches(text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn rejects_what_go_rejects() {
        for pattern in ["a**", "(", "[a", "a\\", "*a", "x{2}{3}"] {
            assert!(Pattern::anchored(pattern).is_err(), "{pattern}");
        }
        // Catastrophic for a backtracking engine.
        let text = "a".repeat(4000);
        assert!(!Pattern::anchored("(a|a)*b").unwrap().matches(&text));
    }
}

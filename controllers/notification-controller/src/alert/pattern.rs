//! The regular expressions of Alerts: RE2 as Go has it, where classes such as `\d` are ASCII.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use regex::Regex;

/// Compiled expressions that are kept.
const MOST: usize = 4096;
/// The largest number of repetitions.
const MOST_REPETITIONS: u32 = 1000;

/// Expressions, each compiled once. Clones share them.
#[derive(Clone, Default)]
pub struct Patterns(Arc<Mutex<HashMap<String, Option<Regex>>>>);

impl Patterns {
    /// The compiled expression; `None` when it does not compile.
    pub fn get(&self, text: &str) -> Option<Regex> {
        let known = |held: &HashMap<String, Option<Regex>>| held.get(text).cloned();
        if let Some(known) = known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return known;
        }
        // Compiled outside of the lock: a large one takes long.
        let compiled = compile(text);
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= MOST {
            held.clear();
        }
        held.insert(text.to_owned(), compiled.clone());
        compiled
    }
}

fn compile(text: &str) -> Option<Regex> {
    Regex::new(&translated(text)?).ok()
}

/// The expression in the dialect of the `regex` crate; `None` for what RE2 refuses and that crate would take.
fn translated(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text.chars().peekable();
    let mut in_class = false;
    while let Some(character) = rest.next() {
        match character {
            '\\' => match rest.next()? {
                'Q' if !in_class => {
                    let mut literal = String::new();
                    while let Some(next) = rest.next() {
                        if next == '\\' && rest.peek() == Some(&'E') {
                            rest.next();
                            break;
                        }
                        literal.push(next);
                    }
                    out.push_str(&regex::escape(&literal));
                }
                'E' => {}
                'C' => return None,
                'd' => out.push_str("[0-9]"),
                'D' => out.push_str("[^0-9]"),
                'w' => out.push_str("[0-9A-Za-z_]"),
                'W' => out.push_str("[^0-9A-Za-z_]"),
                's' => out.push_str("[\\t\\n\\f\\r ]"),
                'S' => out.push_str("[^\\t\\n\\f\\r ]"),
                'b' if !in_class => out.push_str("(?-u:\\b)"),
                // There they are letters; here they would be the bounds of words.
                bound @ ('<' | '>') => out.push(bound),
                other => {
                    out.push('\\');
                    out.push(other);
                }
            },
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                if rest.peek() == Some(&'^') {
                    out.extend(rest.next());
                }
                // First in a class it is a letter.
                if rest.peek() == Some(&']') {
                    rest.next();
                    out.push_str("\\]");
                }
            }
            '[' if rest.peek() == Some(&':') => {
                out.push('[');
                for next in rest.by_ref() {
                    out.push(next);
                    if next == ']' {
                        break;
                    }
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            // Here they would be operations on classes.
            special @ ('[' | '&' | '~') if in_class => {
                out.push('\\');
                out.push(special);
            }
            '{' if !in_class => {
                let inner: String = rest.clone().take_while(|next| *next != '}').collect();
                let is_count = !inner.is_empty()
                    && inner.chars().next().is_some_and(|first| first.is_ascii_digit())
                    && inner.chars().all(|next| next.is_ascii_digit() || next == ',');
                if is_count {
                    let too_many = |count: &str| {
                        count.parse::<u32>().map_or(!count.is_empty(), |count| count > MOST_REPETITIONS)
                    };
                    if inner.split(',').any(too_many) {
                        return None;
                    }
                    out.push('{');
                } else {
                    // Not a repetition: a brace.
                    out.push_str("\\{");
                }
            }
            other => out.push(other),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> Option<bool> {
        Patterns::default().get(pattern).map(|regex| regex.is_match(text))
    }

    #[test]
    fn expressions_are_those_of_re2() {
        for (pattern, text, expected) in [
            ("succeeded$", "x succeeded", Some(true)),
            ("succeeded$", "succeeded\n", Some(false)),
            (r"^\d+$", "123", Some(true)),
            (r"^\d+$", "\u{661}\u{662}", Some(false)),
            (r"^[\d.]+$", "1.2", Some(true)),
            (r"^[^\s]+$", "ab", Some(true)),
            (r"^\w$", "ä", Some(false)),
            (r"\Qa.b\E$", "a.b", Some(true)),
            (r"\Qa.b\E$", "axb", Some(false)),
            (r"\bapp\b", "the app is", Some(true)),
            (r"[[:alpha:]]", "1a", Some(true)),
            (r"^[[]$", "[", Some(true)),
            (r"^[]a]$", "]", Some(true)),
            (r"^[a&&b]$", "&", Some(true)),
            (r"\<a\>", "<a>", Some(true)),
            ("a{2}", "aa", Some(true)),
            ("a{,2}", "a{,2}", Some(true)),
            ("(?P<n>a)(?<m>b)", "ab", Some(true)),
            ("(?i)ABC", "abc", Some(true)),
            ("(", "x", None),
            ("a{1001}", "x", None),
            (r"\C", "x", None),
            (r"a\", "x", None),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_expression_panics(pattern: String, text: String) {
            let _ = matches(&pattern, &text);
        }
    }
}

//! Kubernetes label selectors: `a=b, c in (d, e), !f, g>1`.

/// A compiled selector; all its requirements must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LabelSelector(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Greater(i64),
    Less(i64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Symbol(&'static str),
}

impl LabelSelector {
    /// Parses a selector; an empty one selects everything.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let tokens = tokens(text);
        let mut parser = Parser { tokens: &tokens, text };
        let mut requirements = Vec::new();
        while !parser.tokens.is_empty() {
            requirements.push(parser.requirement()?);
            match parser.next() {
                None => break,
                Some(Token::Symbol(",")) if !parser.tokens.is_empty() => {}
                _ => return Err(parser.unexpected()),
            }
        }
        Ok(Self(requirements))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an object whose label `key` is `get(key)` is selected.
    pub(crate) fn matches<'a>(&self, get: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.0.iter().all(|requirement| {
            let value = get(&requirement.key);
            let number = || value.and_then(|value| value.parse::<i64>().ok());
            match &requirement.test {
                Test::Exists => value.is_some(),
                Test::Absent => value.is_none(),
                Test::In(values) => value.is_some_and(|value| values.iter().any(|wanted| wanted == value)),
                Test::NotIn(values) => value.is_none_or(|value| values.iter().all(|wanted| wanted != value)),
                Test::Greater(limit) => number().is_some_and(|number| number > *limit),
                Test::Less(limit) => number().is_some_and(|number| number < *limit),
            }
        })
    }
}

fn tokens(text: &str) -> Vec<Token> {
    const SYMBOLS: [&str; 8] = ["!=", "==", "=", "!", ",", "(", ")", ">"];
    let mut rest = text;
    let mut out = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if rest.is_empty() {
            return out;
        }
        let symbol = SYMBOLS.iter().chain(&["<"]).find(|symbol| rest.starts_with(**symbol));
        if let Some(symbol) = symbol {
            out.push(Token::Symbol(symbol));
            rest = rest.get(symbol.len()..).unwrap_or_default();
        } else {
            let end =
                rest.find([' ', '\t', '\r', '\n', '=', '!', ',', '(', ')', '<', '>']).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            out.push(Token::Word(word.to_owned()));
            rest = after;
        }
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    text: &'a str,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn unexpected(&self) -> String {
        format!("`{}` is not a label selector", self.text)
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = self.tokens.first() == Some(&Token::Symbol("!"));
        if absent {
            self.next();
        }
        let Some(Token::Word(key)) = self.next() else { return Err(self.unexpected()) };
        check_key(key)?;
        let key = key.clone();
        if absent {
            return Ok(Requirement { key, test: Test::Absent });
        }
        let test = match self.tokens.first() {
            None | Some(Token::Symbol(",")) => Test::Exists,
            Some(Token::Symbol("=" | "==")) => Test::In(vec![self.value()?]),
            Some(Token::Symbol("!=")) => Test::NotIn(vec![self.value()?]),
            Some(Token::Symbol(">")) => Test::Greater(self.number()?),
            Some(Token::Symbol("<")) => Test::Less(self.number()?),
            Some(Token::Word(word)) if word == "in" => Test::In(self.values()?),
            Some(Token::Word(word)) if word == "notin" => Test::NotIn(self.values()?),
            Some(_) => return Err(self.unexpected()),
        };
        Ok(Requirement { key, test })
    }

    /// The operator and the one value after it, which may be empty.
    fn value(&mut self) -> Result<String, String> {
        self.next();
        let value = match self.tokens.first() {
            None | Some(Token::Symbol(",")) => String::new(),
            Some(Token::Word(word)) => {
                self.next();
                word.clone()
            }
            Some(_) => return Err(self.unexpected()),
        };
        check_value(&value)?;
        Ok(value)
    }

    fn number(&mut self) -> Result<i64, String> {
        let value = self.value()?;
        value.parse().map_err(|_| format!("`{value}` in the selector `{}` is not an integer", self.text))
    }

    /// The operator and the parenthesised values after it.
    fn values(&mut self) -> Result<Vec<String>, String> {
        self.next();
        if self.next() != Some(&Token::Symbol("(")) {
            return Err(self.unexpected());
        }
        let mut values = Vec::new();
        let mut pending = String::new();
        loop {
            match self.next() {
                Some(Token::Word(word)) if pending.is_empty() => pending.clone_from(word),
                Some(Token::Symbol(symbol @ ("," | ")"))) => {
                    check_value(&pending)?;
                    values.push(std::mem::take(&mut pending));
                    if *symbol == ")" {
                        return Ok(values);
                    }
                }
                _ => return Err(self.unexpected()),
            }
        }
    }
}

fn check_key(key: &str) -> Result<(), String> {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let prefix_ok = prefix.is_none_or(|prefix| {
        !prefix.is_empty()
            && prefix.len() <= 253
            && prefix.split('.').all(|label| {
                let edge = |byte: Option<&u8>| {
                    byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
                };
                let bytes = label.as_bytes();
                edge(bytes.first())
                    && edge(bytes.last())
                    && bytes.iter().all(|byte| edge(Some(byte)) || *byte == b'-')
            })
    });
    if prefix_ok && is_name(name) { Ok(()) } else { Err(format!("`{key}` is not a label key")) }
}

fn check_value(value: &str) -> Result<(), String> {
    if value.is_empty() || is_name(value) { Ok(()) } else { Err(format!("`{value}` is not a label value")) }
}

/// Letters, digits, `-`, `_` and `.`, beginning and ending with a letter or digit, at most 63.
fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selects(selector: &str, labels: &[(&'static str, &'static str)]) -> bool {
        let get = |key: &str| labels.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        LabelSelector::parse(selector).unwrap().matches(get)
    }

    #[test]
    fn selects_like_kubernetes() {
        let labels = [("app", "web"), ("tier", "2"), ("empty", "")];
        for (selector, expected) in [
            ("", true),
            ("app=web", true),
            ("app == web,tier=2", true),
            ("app!=web", false),
            ("gone!=web", true),
            ("app in (a, web)", true),
            ("app notin (a,b)", true),
            ("gone notin (a)", true),
            ("gone in (a)", false),
            ("app", true),
            ("!app", false),
            ("!gone", true),
            ("tier>1", true),
            ("tier<2", false),
            ("app>1", false),
            ("empty=", true),
            ("empty in ()", true),
            ("example.com/x notin (y)", true),
        ] {
            assert_eq!(selects(selector, &labels), expected, "{selector}");
        }
    }

    #[test]
    fn rejects_malformed_selectors() {
        for selector in
            ["a=b=c", "a,", "=b", "a in b", "a in (b", "-a=b", "a=b c", "a b", "a>x", ",", "a/b/c=d"]
        {
            assert!(LabelSelector::parse(selector).is_err(), "{selector}");
        }
    }
}

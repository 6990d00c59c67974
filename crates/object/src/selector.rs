use std::str::FromStr;

use serde_json::{Map, Value};

use crate::Error;

/// A Kubernetes label selector in its text form: `a=b,c!=d,e in (f, g),h notin (i),j,!k`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelSelector(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    rule: Rule,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
}

impl LabelSelector {
    /// Whether a label (or annotation) mapping meets every requirement. `None` counts as an empty mapping.
    pub fn matches(&self, labels: Option<&Map<String, Value>>) -> bool {
        self.0.iter().all(|requirement| {
            let value = labels.and_then(|l| l.get(&requirement.key)).and_then(Value::as_str);
            match (&requirement.rule, value) {
                (Rule::In(values), Some(value)) => values.iter().any(|v| v == value),
                (Rule::NotIn(values), Some(value)) => values.iter().all(|v| v != value),
                (Rule::Exists, found) => found.is_some(),
                (Rule::Absent, found) => found.is_none(),
                (Rule::In(_), None) => false,
                (Rule::NotIn(_), None) => true,
            }
        })
    }
}

impl FromStr for LabelSelector {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut requirements = Vec::new();
        for part in split_outside_parentheses(text) {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            requirements.push(
                requirement(part)
                    .ok_or_else(|| Error::Selector { selector: text.to_owned(), part: part.to_owned() })?,
            );
        }
        Ok(Self(requirements))
    }
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut parts, mut rest, mut depth) = (Vec::new(), text, 0_usize);
    let mut offset = 0;
    while let Some(at) = rest.get(offset..).and_then(|r| r.find(['(', ')', ','])).map(|i| i + offset) {
        match rest.as_bytes().get(at) {
            Some(b'(') => depth += 1,
            Some(b')') => depth = depth.saturating_sub(1),
            _ if depth == 0 => {
                let (head, tail) = rest.split_at(at);
                parts.push(head);
                rest = tail.get(1..).unwrap_or("");
                offset = 0;
                continue;
            }
            _ => {}
        }
        offset = at + 1;
    }
    parts.push(rest);
    parts
}

fn requirement(part: &str) -> Option<Requirement> {
    let make = |key: &str, rule: Rule| {
        let key = key.trim();
        let valid = !key.is_empty()
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'));
        valid.then(|| Requirement { key: key.to_owned(), rule })
    };
    let one = |value: &str| vec![value.trim().to_owned()];
    if let Some(open) = part.find('(') {
        let (head, list) = part.split_at(open);
        let list = list.strip_prefix('(')?.strip_suffix(')')?;
        let values: Vec<String> = list.split(',').map(|v| v.trim().to_owned()).collect();
        let (key, operator) = head.trim().rsplit_once(char::is_whitespace)?;
        return match operator {
            "in" => make(key, Rule::In(values)),
            "notin" => make(key, Rule::NotIn(values)),
            _ => None,
        };
    }
    if let Some((key, value)) = part.split_once("!=") {
        return make(key, Rule::NotIn(one(value)));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return make(key, Rule::In(one(value)));
    }
    match part.strip_prefix('!') {
        Some(key) => make(key, Rule::Absent),
        None => make(part, Rule::Exists),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn requirements() {
        let labels = json!({"app": "web", "tier": "front", "example.com/x": ""});
        let table = [
            ("", true),
            ("app=web", true),
            ("app == web , tier=front", true),
            ("app!=web", false),
            ("other!=x", true),
            ("app in (web, db),tier", true),
            ("app in (db)", false),
            ("app notin (db,cache)", true),
            ("other notin (x)", true),
            ("example.com/x", true),
            ("!app", false),
            ("!other", true),
            ("example.com/x=", true),
        ];
        for (text, expected) in table {
            let selector: LabelSelector = text.parse().unwrap();
            assert_eq!(selector.matches(labels.as_object()), expected, "{text}");
        }
        assert!(!"a".parse::<LabelSelector>().unwrap().matches(None));
    }

    #[test]
    fn bad_selectors_name_the_part() {
        for text in ["a b", "a=b,=c", "app in web", "app in (a", "!"] {
            assert!(text.parse::<LabelSelector>().is_err(), "{text}");
        }
    }
}

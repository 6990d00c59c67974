//! Confidential: values that come from Secrets, kept out of what is printed, wherever a chart puts them.

use std::collections::BTreeSet;

use apply::FieldChange;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Shorter texts are hidden only where they are the whole value: as a part they would hide half of the words.
const SHORTEST_PART: usize = 4;
const HIDDEN: &str = "***";

/// The values that must not be shown.
#[derive(Debug, Default)]
pub struct Confidential {
    whole: BTreeSet<String>,
    /// Longest first: one may be part of another.
    parts: Vec<String>,
}

impl Confidential {
    /// Those in some values.
    pub fn new(values: &[Value]) -> Confidential {
        let mut whole = BTreeSet::new();
        values.iter().for_each(|value| leaves(value, &mut whole));
        let mut parts = BTreeSet::new();
        for text in whole.iter().filter(|text| text.len() >= SHORTEST_PART) {
            parts.insert(text.clone());
            // As messages quote it, and as other objects may hold it.
            let quoted = Value::from(text.as_str()).to_string();
            parts.insert(quoted.trim_matches('"').to_owned());
            parts.insert(STANDARD.encode(text));
            // A line of a longer text says as much as the text.
            parts.extend(text.lines().map(str::trim).filter(|l| l.len() >= SHORTEST_PART).map(str::to_owned));
        }
        let mut parts: Vec<String> = parts.into_iter().collect();
        parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
        Confidential { whole, parts }
    }

    /// A text without them.
    pub fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for part in &self.parts {
            if text.contains(part.as_str()) {
                text = text.replace(part.as_str(), HIDDEN);
            }
        }
        text
    }

    fn is_in(&self, value: &Value) -> bool {
        match value {
            Value::Object(map) => map.iter().any(|(key, value)| self.is_part_of(key) || self.is_in(value)),
            Value::Array(items) => items.iter().any(|item| self.is_in(item)),
            Value::String(text) => self.whole.contains(text) || self.is_part_of(text),
            Value::Number(number) => self.whole.contains(&number.to_string()),
            Value::Bool(_) | Value::Null => false,
        }
    }

    fn is_part_of(&self, text: &str) -> bool {
        self.parts.iter().any(|part| text.contains(part.as_str()))
    }

    /// A change without them: where one side holds one, the other side may hold the one before.
    pub fn shown(&self, mut change: FieldChange) -> FieldChange {
        let holds = |side: &Option<Value>| side.as_ref().is_some_and(|value| self.is_in(value));
        if holds(&change.before) || holds(&change.after) {
            let both = change.before.is_some() && change.after.is_some();
            let mask =
                |note: &str| Value::from(if both { format!("{HIDDEN} ({note})") } else { HIDDEN.to_owned() });
            change.before = change.before.map(|_| mask("before"));
            change.after = change.after.map(|_| mask("after"));
        }
        change
    }
}

fn leaves(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map.values().for_each(|value| leaves(value, found)),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, found)),
        Value::String(text) if !text.trim().is_empty() => {
            found.insert(text.clone());
            found.insert(text.trim().to_owned());
        }
        Value::Number(number) => {
            // Every number of a chart's values is a float.
            let text = match number.as_f64() {
                Some(float) if float.fract() == 0.0 && float.abs() < 1e15 => format!("{float:.0}"),
                _ => number.to_string(),
            };
            found.insert(text);
        }
        Value::String(_) | Value::Bool(_) | Value::Null => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(before: Option<Value>, after: Option<Value>) -> FieldChange {
        FieldChange { path: "x".into(), before, after }
    }

    #[test]
    fn values_are_hidden_wherever_they_turn_up() {
        let secret = Confidential::new(&[
            json!({"db": {"password": "hunter22", "pin": 4711.0, "on": true, "short": "ab"}}),
        ]);
        let shown = |before, after| secret.shown(change(before, after)).to_string();
        assert_eq!(
            shown(Some(json!("old")), Some(json!("url=hunter22"))),
            "x: \"*** (before)\" -> \"*** (after)\""
        );
        assert_eq!(shown(None, Some(json!({"a": ["hunter22"]}))), "x: + \"***\"");
        assert_eq!(shown(None, Some(json!("aHVudGVyMjI="))), "x: + \"***\"", "base64");
        assert_eq!(shown(None, Some(json!(4711))), "x: + \"***\"");
        assert_eq!(shown(None, Some(json!("ab"))), "x: + \"***\"");
        assert_eq!(shown(None, Some(json!("abc"))), "x: + \"abc\"", "too short to be looked for in words");
        assert_eq!(shown(Some(json!(true)), Some(json!(false))), "x: true -> false");
        assert_eq!(secret.hide("bad value 'hunter22' and 4711"), "bad value '***' and ***");
    }

    #[test]
    fn lines_of_a_text_count() {
        let secret = Confidential::new(&[json!("-----BEGIN KEY-----\nabcdef\n")]);
        assert_eq!(secret.hide("it says abcdef"), "it says ***");
    }
}

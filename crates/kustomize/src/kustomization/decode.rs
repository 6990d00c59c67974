//! Decoding JSON into typed fields as Go's `encoding/json` does: names match without case, `null` is absence, a value
//! of another type is an error. All errors of a document are collected.

use std::collections::BTreeMap;

use serde_json::Value;

/// Where a decoder puts what it finds wrong.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Values of the wrong type: field path and what is wrong.
    pub(crate) errors: Vec<(String, String)>,
    /// Paths of fields that do not exist.
    pub(crate) unknown: Vec<String>,
    /// Whether numbers and booleans are taken where strings are wanted, as in the configuration of plugins.
    pub(crate) takes_any_scalar: bool,
}

/// The fields of one object, by canonical name.
pub(crate) struct Fields<'a> {
    path: String,
    values: BTreeMap<&'static str, (&'a str, &'a Value)>,
}

/// `parent.name`, or `name` at the root.
fn child(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

impl Findings {
    /// For the configuration of plugins.
    pub(crate) fn of_configuration() -> Self {
        Self { takes_any_scalar: true, ..Self::default() }
    }

    pub(crate) fn wrong(&mut self, path: &str, value: &Value, expected: &str) {
        let mut message = format!("must be {expected}, not {}", type_name(value));
        if expected == "a string" && (value.is_boolean() || value.is_number()) {
            message.push_str(" (put it in quotes)");
        }
        self.errors.push((path.to_owned(), message));
    }

    /// Opens an object whose fields are `known`; anything else is recorded as unknown.
    pub(crate) fn object<'a>(
        &mut self,
        path: &str,
        value: &'a Value,
        known: &[&'static str],
    ) -> Option<Fields<'a>> {
        let Value::Object(map) = value else {
            if !value.is_null() {
                self.wrong(path, value, "a mapping");
            }
            return None;
        };
        let mut fields = Fields { path: path.to_owned(), values: BTreeMap::new() };
        for (key, value) in map {
            let name = known.iter().find(|name| *name == key);
            match name.or_else(|| known.iter().find(|name| name.eq_ignore_ascii_case(key))) {
                Some(_) if value.is_null() => {}
                Some(name) => {
                    fields.values.insert(name, (key, value));
                }
                None => self.unknown.push(child(path, key)),
            }
        }
        Some(fields)
    }

    fn string(&mut self, path: &str, value: &Value) -> String {
        match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            Value::Bool(value) if self.takes_any_scalar => value.to_string(),
            Value::Number(value) if self.takes_any_scalar => match value.as_f64() {
                Some(float) if value.is_f64() => gofloat::general_of_single(float),
                _ => value.to_string(),
            },
            other => {
                self.wrong(path, other, "a string");
                String::new()
            }
        }
    }
}

impl<'a> Fields<'a> {
    /// Whether any field of the object is given, apart from empty strings and `ignored`.
    pub(crate) fn any_but(&self, ignored: &[&str]) -> bool {
        (self.values.iter()).any(|(name, (_, value))| !ignored.contains(name) && value.as_str() != Some(""))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The value of a field with its path, as it was written.
    pub(crate) fn value(&self, name: &str) -> Option<(String, &'a Value)> {
        self.values.get(name).map(|(key, value)| (child(&self.path, key), *value))
    }

    /// The path of a field, given or not.
    pub(crate) fn path_of(&self, name: &str) -> String {
        self.value(name).map_or_else(|| child(&self.path, name), |(path, _)| path)
    }

    pub(crate) fn string(&self, findings: &mut Findings, name: &str) -> String {
        self.value(name).map_or_else(String::new, |(path, value)| findings.string(&path, value))
    }

    pub(crate) fn bool(&self, findings: &mut Findings, name: &str) -> bool {
        let Some((path, value)) = self.value(name) else { return false };
        value.as_bool().unwrap_or_else(|| {
            findings.wrong(&path, value, "a boolean");
            false
        })
    }

    pub(crate) fn integer(&self, findings: &mut Findings, name: &str) -> i64 {
        let Some((path, value)) = self.value(name) else { return 0 };
        value.as_i64().unwrap_or_else(|| {
            findings.wrong(&path, value, "an integer");
            0
        })
    }

    /// A list, each item decoded by `item`. A `null` item is passed on as it is.
    pub(crate) fn list<T>(
        &self,
        findings: &mut Findings,
        name: &str,
        mut item: impl FnMut(&mut Findings, &str, &'a Value) -> T,
    ) -> Vec<T> {
        match self.value(name) {
            None => Vec::new(),
            Some((path, Value::Array(items))) => (items.iter().enumerate())
                .map(|(index, value)| item(findings, &format!("{path}[{index}]"), value))
                .collect(),
            Some((path, other)) => {
                findings.wrong(&path, other, "a list");
                Vec::new()
            }
        }
    }

    pub(crate) fn strings(&self, findings: &mut Findings, name: &str) -> Vec<String> {
        self.list(findings, name, |findings, path, value| findings.string(path, value))
    }

    pub(crate) fn string_map(&self, findings: &mut Findings, name: &str) -> BTreeMap<String, String> {
        match self.value(name) {
            None => BTreeMap::new(),
            Some((path, Value::Object(map))) => (map.iter())
                .map(|(key, value)| (key.clone(), findings.string(&child(&path, key), value)))
                .collect(),
            Some((path, other)) => {
                findings.wrong(&path, other, "a mapping");
                BTreeMap::new()
            }
        }
    }

    /// A nested object, decoded by `decode`.
    pub(crate) fn nested<T>(
        &self,
        findings: &mut Findings,
        name: &str,
        decode: impl FnOnce(&mut Findings, &str, &'a Value) -> T,
    ) -> Option<T> {
        self.value(name).map(|(path, value)| decode(findings, &path, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn decodes_like_go() {
        let value = json!({"NAME": "x", "list": ["a", null], "count": 2, "off": null, "bad": true, "new": 1});
        let mut findings = Findings::default();
        let fields = findings.object("", &value, &["name", "list", "count", "off", "bad"]).unwrap();
        assert_eq!(fields.string(&mut findings, "name"), "x");
        assert_eq!(fields.strings(&mut findings, "list"), ["a", ""]);
        assert_eq!(fields.integer(&mut findings, "count"), 2);
        assert!(!fields.has("off"));
        assert_eq!(fields.string(&mut findings, "bad"), "");
        assert_eq!(findings.unknown, ["new"]);
        assert_eq!(
            findings.errors,
            [("bad".into(), "must be a string, not a boolean (put it in quotes)".into())]
        );
    }
}

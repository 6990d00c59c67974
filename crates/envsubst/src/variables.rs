use std::collections::BTreeMap;

use crate::Error;

/// Variables by name. Later insertions win. Values can come from Secrets, so there is no `Debug`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// No variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a variable. Line feeds are removed from the value, as Flux does.
    pub fn insert(&mut self, name: impl Into<String>, value: &str) {
        self.0.insert(name.into(), value.replace('\n', ""));
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, by name. For hashing: never print the values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Checks all names.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for the first one that is no shell name (ASCII letters, digits and `_`, no digit first).
    pub fn check(&self) -> Result<(), Error> {
        let valid = |name: &str| {
            name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
                && name.bytes().next().is_some_and(|b| !b.is_ascii_digit())
        };
        match self.0.keys().find(|name| !valid(name)) {
            Some(name) => Err(Error::InvalidName(name.clone())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_line_feeds() {
        let mut variables = Variables::new();
        variables.insert("a", "1\n2\r\n3\n");
        assert_eq!(variables.get("a"), Some("12\r3"));
        for good in ["_", "a1", "A_b"] {
            let mut variables = Variables::new();
            variables.insert(good, "");
            assert_eq!(variables.check(), Ok(()), "{good}");
        }
        for bad in ["", "1a", "a-b", "a.b", "ä", "a b"] {
            let mut variables = Variables::new();
            variables.insert(bad, "");
            assert_eq!(variables.check(), Err(Error::InvalidName(bad.into())));
        }
    }
}

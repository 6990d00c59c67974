//! What a build may add by copying: a small input must not make a large output.

use std::cell::Cell;

use yaml::Value;

/// What a node takes besides its text, in bytes.
const NODE: usize = 64;

/// How many bytes may still be added by copying. See `Limits::copied_bytes`.
#[derive(Debug)]
pub(crate) struct Growth {
    left: Cell<usize>,
    limit: usize,
}

impl Growth {
    pub(crate) fn new(limit: usize) -> Self {
        Self { left: Cell::new(limit), limit }
    }

    /// Takes `copies` copies of a value off what is left.
    ///
    /// # Errors
    /// If that is more than there is.
    pub(crate) fn copies(&self, value: &Value, copies: usize) -> Result<(), String> {
        self.bytes(weight(value).saturating_mul(copies))
    }

    /// Takes bytes off what is left.
    ///
    /// # Errors
    /// If that is more than there is.
    pub(crate) fn bytes(&self, bytes: usize) -> Result<(), String> {
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.unwrap_or(0));
        match left {
            Some(_) => Ok(()),
            None => Err(format!("the build copies more than {} bytes; that is the limit", self.limit)),
        }
    }

    /// Takes off what the aliases of a text have added to its documents.
    ///
    /// # Errors
    /// If that is more than there is.
    pub(crate) fn aliases(&self, text: &[u8], documents: &[Value]) -> Result<(), String> {
        if !text.contains(&b'*') {
            return Ok(());
        }
        // Without aliases, no text has more nodes than bytes.
        let written = text.len().saturating_mul(NODE + 1);
        self.bytes(documents.iter().map(weight).sum::<usize>().saturating_sub(written))
    }
}

/// About what a value takes in memory once nothing of it is shared, in bytes.
fn weight(value: &Value) -> usize {
    match value {
        Value::Scalar(scalar) => NODE + scalar.text().len(),
        Value::Seq(items) => NODE + items.iter().map(weight).sum::<usize>(),
        Value::Map(map) => {
            NODE + map.iter().map(|(key, value)| NODE + key.len() + weight(value)).sum::<usize>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_ends() {
        let growth = Growth::new(1000);
        let value = Value::Seq(vec![Value::str("a"), Value::str("b")]);
        assert!(growth.copies(&value, 4).is_ok());
        assert!(growth.copies(&value, 4).is_err());
        assert!(growth.bytes(1).is_err());
    }

    #[test]
    fn only_aliases_count() {
        let growth = Growth::new(1000);
        let values = vec![Value::Seq(vec![Value::str("a"); 100])];
        assert!(growth.aliases(b"no alias", &values).is_ok());
        assert!(growth.aliases(b"[*a]", &values).is_err());
    }
}

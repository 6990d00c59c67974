//! JSON as Go's encoder writes it.

use std::fmt::Write as _;

use crate::error::ScalarError;
use crate::number::check_finite;
use crate::value::{check_duplicate, check_key};
use crate::{Resolved, Value};

/// `value` as Go's `json.Marshal` writes it: keys sorted by their bytes, no spaces, `<`, `>` and `&` escaped.
///
/// # Errors
/// When a scalar's text does not fit its tag, a number is not finite, or a key below the top is not a string.
pub fn to_go_json(value: &Value) -> Result<String, ScalarError> {
    let mut out = String::new();
    write(value, true, &mut out)?;
    Ok(out)
}

fn write(value: &Value, top: bool, out: &mut String) -> Result<(), ScalarError> {
    match value {
        Value::Scalar(scalar) => match scalar.resolve()? {
            Resolved::Null => out.push_str("null"),
            Resolved::Bool(value) => _ = write!(out, "{value}"),
            Resolved::Int(value) => _ = write!(out, "{value}"),
            Resolved::UInt(value) => _ = write!(out, "{value}"),
            Resolved::Float(value) => {
                check_finite(value, scalar.line())?;
                out.push_str(&gofloat::json(value));
            }
            Resolved::Str(text) => write_go_json_string(&text, out),
        },
        Value::Seq(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, false, out)?;
            }
            out.push(']');
        }
        Value::Map(map) => {
            check_duplicate(map)?;
            let mut entries: Vec<_> = map.entries().iter().collect();
            entries.sort_unstable_by(|a, b| a.key.text().cmp(b.key.text()));
            out.push('{');
            for (i, entry) in entries.into_iter().enumerate() {
                check_key(&entry.key, top)?;
                if i > 0 {
                    out.push(',');
                }
                write_go_json_string(entry.key.text(), out);
                out.push(':');
                write(&entry.value, false, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// Appends `text` as a JSON string in Go's way.
pub fn write_go_json_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                _ = write!(out, "\\u{:04x}", u32::from(c))
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

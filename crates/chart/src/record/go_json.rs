//! JSON as Go writes it: sorted keys, escaped HTML, whole floats without a fraction.

use std::io;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value as Json;
use serde_json::ser::Formatter;

use crate::values::Table;

/// A value as Go's encoder writes it on one line, without a line break at the end. Objects of [`Table`]s are written in
/// their order: see [`Sorted`].
///
/// # Errors
/// What is no JSON, such as a map whose keys are no texts.
pub fn to_vec(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, GoFormatter))?;
    Ok(out)
}

struct GoFormatter;

impl Formatter for GoFormatter {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(gofloat::json(value).as_bytes())
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        let special = |c: char| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
        let mut rest = text;
        while let Some(at) = rest.find(special) {
            let (plain, after) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut chars = after.chars();
            if let Some(c) = chars.next() {
                write!(writer, "\\u{:04x}", u32::from(c))?;
            }
            rest = chars.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

/// JSON whose objects are written in the order of their keys' bytes, as Go does it.
pub struct Sorted<'j>(pub &'j Json);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Json::Array(items) => serializer.collect_seq(items.iter().map(Sorted)),
            Json::Object(table) => sorted(table, serializer),
            other => other.serialize(serializer),
        }
    }
}

/// Writes a table as [`Sorted`] does.
pub(super) fn sorted<S: Serializer>(table: &Table, serializer: S) -> Result<S::Ok, S::Error> {
    let mut entries: Vec<(&String, &Json)> = table.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    let mut map = serializer.serialize_map(Some(entries.len()))?;
    for (key, value) in entries {
        map.serialize_entry(key, &Sorted(value))?;
    }
    map.end()
}

pub(super) fn sorted_option<S: Serializer>(table: &Option<Table>, serializer: S) -> Result<S::Ok, S::Error> {
    match table {
        Some(table) => sorted(table, serializer),
        None => serializer.serialize_none(),
    }
}

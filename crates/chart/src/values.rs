//! Values: reading and combining them.

mod coalesce;
mod convert;
mod draft;
mod plain;
mod set;

use serde_json::Value as Json;
use yaml::{Profile, ReadLimits};

use crate::decode;
use crate::error::Error;

pub use coalesce::coalesce_values;
pub(crate) use coalesce::{Nulls, coalesce, combine, template_values};
pub use convert::{floats, to_json, to_value};
pub(crate) use draft::{Draft, Node};
pub(crate) use plain::Plain;
pub use plain::PlainTable;
pub use set::{Set, set};

/// Values by name. Numbers from YAML or JSON are floats, as Helm has them; only [`set`] makes integers, which templates
/// can tell apart.
pub type Table = serde_json::Map<String, Json>;

/// Remarks on values that were not used as somebody may have meant them; Helm logs them.
pub type Warnings = Vec<String>;

/// Reads a file of values: all of its documents, a later one over an earlier one.
///
/// # Errors
/// Text that is not YAML, or a document that is not a mapping.
///
/// ```
/// let values = chart::read_values(b"a: {b: 1}\n---\na: {c: on}\n")?;
/// assert_eq!(serde_json::Value::Object(values), serde_json::json!({"a": {"b": 1.0, "c": true}}));
/// # Ok::<(), chart::Error>(())
/// ```
pub fn read_values(text: &[u8]) -> Result<Table, Error> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    read_documents(text).map(|values| values.table()).map_err(Error::Values)
}

/// Reads the first document of a text as values: what Helm does with values that are no file.
///
/// # Errors
/// Text that is not YAML, or a document that is not a mapping.
pub fn read_first_values(text: &[u8]) -> Result<Table, Error> {
    read_table(text).map(|values| values.table()).map_err(Error::Values)
}

/// Reads a JSON object as values.
///
/// # Errors
/// Text that is no JSON object.
pub fn read_json_table(text: &[u8]) -> Result<Table, Error> {
    let table: Table = serde_json::from_slice(text).map_err(|error| Error::Values(error.to_string()))?;
    Ok(table.into_iter().map(|(key, value)| (key, floats(value))).collect())
}

pub(crate) fn read_documents(text: &[u8]) -> Result<PlainTable, String> {
    let read = |document| {
        read_table(document).map_err(|problem| format!("cannot unmarshal yaml document: {problem}"))
    };
    match documents(text)?.as_slice() {
        [only] => read(only),
        several => {
            let mut values = Table::new();
            for document in several {
                values = overlay(values, read(document)?.table());
            }
            Ok((&values).into())
        }
    }
}

/// Cuts a text at lines that begin with `---`.
fn documents(text: &[u8]) -> Result<Vec<&[u8]>, String> {
    if !text.starts_with(b"---") && memchr::memmem::find(text, b"\n---").is_none() {
        return Ok(vec![text]);
    }
    let mut found = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive(|b| *b == b'\n') {
        if let Some(behind) = line.strip_prefix(b"---") {
            let behind = behind.trim_ascii();
            if !behind.is_empty() && behind.first() != Some(&b'#') {
                let behind = gotemplate::lossy(behind);
                return Err(format!(
                    "error reading yaml document: invalid Yaml document separator: {behind}"
                ));
            }
            if at > start {
                found.push(text.get(start..at).unwrap_or_default());
                // The line itself belongs to no document.
                start = at + line.len();
            }
        }
        at += line.len();
    }
    found.push(text.get(start..).unwrap_or_default());
    Ok(found)
}

/// Reads one mapping; nothing and `null` are an empty one.
pub(crate) fn read_table(text: &[u8]) -> Result<PlainTable, String> {
    let tree = yaml::read_first(text, Profile::V2, &ReadLimits::default())
        .map_err(|error| format!("error converting YAML to JSON: {}", sprig::yaml_error_text(&error)))?;
    let kind = match tree.as_ref().map(decode::plain).transpose()? {
        None | Some(Plain::Nil) => return Ok(PlainTable::default()),
        Some(Plain::Table(table)) => return Ok(table),
        Some(Plain::List(_)) => "array",
        Some(Plain::Bool(_)) => "bool",
        Some(Plain::Int(_) | Plain::Float(_)) => "number",
        Some(Plain::Text(_)) => "string",
    };
    Err(format!(
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
    ))
}

/// One file's values over another's: tables are merged, anything else, null too, replaces.
#[must_use]
pub fn overlay(mut below: Table, above: Table) -> Table {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Json::Object(old)), Json::Object(new)) => *old = overlay(std::mem::take(old), new),
            (Some(old), value) => *old = value,
            (None, value) => _ = below.insert(key, value),
        }
    }
    below
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_merged_in_order() {
        let read = |text: &str| read_values(text.as_bytes()).map(Json::Object).map_err(|e| e.to_string());
        assert_eq!(read("").unwrap(), json!({}));
        assert_eq!(read("---\n---\n# nothing\n").unwrap(), json!({}));
        assert_eq!(
            read("---\na: {x: 1, z: 2}\n--- # more\na: {z: ~}\n1: on\n").unwrap(),
            json!({"a": {"x": 1.0, "z": null}, "1": true})
        );
        assert_eq!(
            read("a: 1\n--- b\n").unwrap_err(),
            "error reading yaml document: invalid Yaml document separator: b"
        );
        assert_eq!(
            read("- 1\n").unwrap_err(),
            "cannot unmarshal yaml document: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}"
        );
    }
}

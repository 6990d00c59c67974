//! The part of an index in which a chart stands, found by the layout of its lines.
//!
//! An index is many times as long as what it says of one chart, and to look at the beginning of each line is many times as
//! fast as to read it as JSON.

use std::io::{self, BufRead, Read as _};

/// The longest line that is looked at; an index with a longer one is laid out in another way.
const LONGEST: u64 = 1 << 20;

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// The versions of the chart: a list in JSON.
    Versions(Vec<u8>),
    /// There is no such chart.
    Absent,
    /// The lines are not laid out as [`super::normalise`] lays them out, or Flux, which does it alike.
    Unknown,
}

/// Looks for a chart: a key on a line of its own, four blanks deep within `entries`, which is two blanks deep. Neither can
/// stand in a text, since those have no line breaks.
pub(super) fn section(index: &mut impl BufRead, chart: &str) -> io::Result<Section> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    if !chart.bytes().all(is_plain) {
        return Ok(Section::Unknown);
    }
    let mut line = Vec::new();
    let mut next = |line: &mut Vec<u8>| {
        line.clear();
        index.by_ref().take(LONGEST).read_until(b'\n', line)?;
        Ok::<_, io::Error>(line.pop() == Some(b'\n'))
    };
    if !next(&mut line)? || line != b"{" {
        return Ok(Section::Unknown);
    }
    loop {
        if !next(&mut line)? {
            return Ok(Section::Unknown);
        }
        match &*line {
            b"  \"entries\": {" => break,
            b"  \"entries\": {}" | b"  \"entries\": {}," => return Ok(Section::Absent),
            _ => {}
        }
    }
    let key = format!("    \"{chart}\": ");
    loop {
        if !next(&mut line)? {
            return Ok(Section::Unknown);
        }
        match line.strip_prefix(key.as_bytes()) {
            Some(b"[") => break,
            Some(b"[]" | b"[]," | b"null" | b"null,") => return Ok(Section::Versions(b"[]".to_vec())),
            Some(_) => return Ok(Section::Unknown),
            None if line == b"  }" || line == b"  }," => return Ok(Section::Absent),
            None => {}
        }
    }
    let mut versions = b"[".to_vec();
    loop {
        if !next(&mut line)? {
            return Ok(Section::Unknown);
        }
        if line == b"    ]" || line == b"    ]," {
            versions.push(b']');
            return Ok(Section::Versions(versions));
        }
        versions.extend_from_slice(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_layouts_are_looked_at() {
        let known = "{\n  \"annotations\": {\n    \"a\": [\n    ]\n  },\n  \"apiVersion\": \"v1\",\n  \"entries\": {\n    \"a\": [\n      {\n        \"x\": [\n        ]\n      }\n    ],\n    \"b\": null\n  }\n}\n";
        let found = |index: &str, chart: &str| section(&mut index.as_bytes(), chart).unwrap();
        let Section::Versions(versions) = found(known, "a") else { panic!("versions") };
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&versions).unwrap(),
            serde_json::json!([{"x": []}])
        );
        assert_eq!(found(known, "b"), Section::Versions(b"[]".to_vec()));
        assert_eq!(found(known, "x"), Section::Absent);
        assert_eq!(found(known, "a\"b"), Section::Unknown);
        let cut = known.split("\"b\"").next().unwrap();
        assert_eq!(found(cut, "x"), Section::Unknown);
        assert_eq!(found("{\"entries\": {}}", "a"), Section::Unknown);
        assert_eq!(found("{\n  \"entries\": {}\n}\n", "a"), Section::Absent);
        assert_eq!(found("", "a"), Section::Unknown);
    }
}

//! Collections where keys should be, as Go's errors show them.

use std::fmt::Write as _;

use crate::{Resolved, Value};

/// More of a key than anybody reads.
const LONGEST: usize = 4096;

/// A value in Go's syntax: the text that `%#v` gives for what go-yaml v2 reads.
pub(super) fn go_syntax(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    if out.len() > LONGEST {
        return;
    }
    match value {
        Value::Seq(items) => {
            out.push_str("[]interface {}{");
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write(item, out);
            }
            out.push('}');
        }
        Value::Map(map) => {
            out.push_str("map[interface {}]interface {}{");
            let mut entries: Vec<_> = map.entries().iter().collect();
            entries.sort_by(|a, b| a.key.text().cmp(b.key.text()));
            for (i, entry) in entries.into_iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write(&Value::Scalar(entry.key.clone()), out);
                out.push(':');
                write(&entry.value, out);
            }
            out.push('}');
        }
        Value::Scalar(scalar) => match scalar.resolve() {
            Ok(Resolved::Bool(value)) => _ = write!(out, "{value}"),
            Ok(Resolved::Int(value)) => _ = write!(out, "{value}"),
            Ok(Resolved::UInt(value)) => _ = write!(out, "0x{value:x}"),
            Ok(Resolved::Float(value)) => out.push_str(&crate::number::yaml_float(value)),
            Ok(Resolved::Str(text)) => quote(&text, out),
            Ok(Resolved::Null) | Err(_) => out.push_str("interface {}(nil)"),
        },
    }
}

/// Go's `strconv.IsPrint`: the standard library escapes the others, and combining characters only when they stand first.
fn is_printable(c: char) -> bool {
    c == ' ' || ['a', c].iter().collect::<String>().escape_debug().count() == 2
}

/// Go's `strconv.Quote`.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 0x20 || c == '\u{7f}' => _ = write!(out, "\\x{:02x}", u32::from(c)),
            c if !is_printable(c) => match u32::from(c) {
                code @ 0..=0xffff => _ = write!(out, "\\u{code:04x}"),
                code => _ = write!(out, "\\U{code:08x}"),
            },
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use crate::{Profile, ReadLimits, read_first};

    #[test]
    fn a_collection_as_a_key_is_shown_as_go_shows_it() {
        let problem = |text: &str| {
            read_first(text.as_bytes(), Profile::V2, &ReadLimits::default()).unwrap_err().to_string()
        };
        assert_eq!(
            problem("a: {{ .Values.x }}\n"),
            r#"yaml: invalid map key: map[interface {}]interface {}{".Values.x":interface {}(nil)}"#
        );
        assert_eq!(
            problem("? [1, a\\, 1.5, yes]\n: 1\n"),
            r#"yaml: invalid map key: []interface {}{1, "a\\", 1.5, true}"#
        );
        // What is no YAML at all counts first.
        assert_eq!(problem("a: {{ x }}\nb: [\n"), "yaml: line 3: did not find expected node content");
    }
}

//! Collections where keys should be, as Go's errors show them.

use std::fmt::Write as _;

use crate::{Resolved, Value};

/// More of a key than anybody reads.
const LONGEST: usize = 4096;

/// A value in Go's syntax: the text that `%#v` gives for what go-yaml v2 reads. Keys of mappings must be [`ranked`].
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
                write_scalar(&ranked_meaning(entry.key.text()), out);
                out.push(':');
                write(&entry.value, out);
            }
            out.push('}');
        }
        Value::Scalar(scalar) => write_scalar(&scalar.resolve().unwrap_or(Resolved::Null), out),
    }
}

fn write_scalar(value: &Resolved<'_>, out: &mut String) {
    match value {
        Resolved::Bool(value) => _ = write!(out, "{value}"),
        Resolved::Int(value) => _ = write!(out, "{value}"),
        Resolved::UInt(value) => _ = write!(out, "0x{value:x}"),
        Resolved::Float(value) => out.push_str(&gofloat::general(*value)),
        Resolved::Str(text) => quote(text, out),
        Resolved::Null => out.push_str("interface {}(nil)"),
    }
}

const SIGN: u64 = 1 << 63;

/// A key as text that a key of another type never has, and that sorts as Go's `fmt` sorts keys: by type, in the order that
/// types have in Helm's binary, then by value.
pub(super) fn ranked(key: &Resolved<'_>) -> String {
    match key {
        Resolved::Null => "0".to_owned(),
        Resolved::Str(text) => format!("1{text}"),
        Resolved::UInt(value) => format!("2{value:016x}"),
        Resolved::Int(value) => format!("3{:016x}", value.cast_unsigned() ^ SIGN),
        Resolved::Float(value) if value.is_nan() => format!("4{:016x}", 0),
        Resolved::Float(value) => {
            let bits = value.to_bits();
            format!("4{:016x}", if value.is_sign_negative() { !bits } else { bits | SIGN })
        }
        Resolved::Bool(value) => format!("5{value}"),
    }
}

/// What [`ranked`] was made of.
fn ranked_meaning(key: &str) -> Resolved<'_> {
    let (rank, value) = key.split_at_checked(1).unwrap_or_default();
    let bits = || u64::from_str_radix(value, 16).unwrap_or_default();
    match rank {
        "1" => Resolved::Str(value.into()),
        "2" => Resolved::UInt(bits()),
        "3" => Resolved::Int((bits() ^ SIGN).cast_signed()),
        "4" => Resolved::Float(match bits() {
            0 => f64::NAN,
            bits if bits & SIGN == 0 => f64::from_bits(!bits),
            bits => f64::from_bits(bits ^ SIGN),
        }),
        "5" => Resolved::Bool(value == "true"),
        _ => Resolved::Null,
    }
}

/// Go's `strconv.IsPrint`: the standard library escapes the others, and combining characters only when they stand first.
fn is_printable(c: char) -> bool {
    matches!(c, ' ' | '\'') || ['a', c].iter().collect::<String>().escape_debug().count() == 2
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
    fn floats_as_keys_are_those_of_32_bits() {
        let text = "{1e6: 1, 123456789.5: 2, .inf: 3, -3.4e39: 4, .nan: 5, -0.0: 6, 1e-50: 7}";
        let value = read_first(text.as_bytes(), Profile::V2, &ReadLimits::default()).unwrap().unwrap();
        let keys: Vec<_> = value.as_map().unwrap().keys().collect();
        assert_eq!(keys, ["1e+06", "1.2345679e+08", ".inf", "-.inf", ".nan", "-0", "0"]);
    }

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
        let shown = |text: &str| {
            problem(text).replace("map[interface {}]interface {}", "map").replace("interface {}(nil)", "nil")
        };
        assert_eq!(shown("? {1}"), "yaml: invalid map key: map{1:nil}");
        assert_eq!(
            shown(
                "? {true: a, no: b, 2.5: c, -.inf: d, .nan: e, 10: f, 9: g, -1: h, '9': i, ~: j, \
                 18446744073709551615: k, <<: {8: l}, 9.0: m}"
            ),
            "yaml: invalid map key: map{nil:\"j\", \"9\":\"i\", 0xffffffffffffffff:\"k\", -1:\"h\", 8:\"l\", 9:\"g\", 10:\"f\", \
             NaN:\"e\", -Inf:\"d\", 2.5:\"c\", 9:\"m\", false:\"b\", true:\"a\"}"
        );
        assert_eq!(
            shown("? [.inf, 1e6, -0.0, {1: [{2: 3}]}]"),
            "yaml: invalid map key: []interface {}{+Inf, 1e+06, -0, map{1:[]interface {}{map{2:3}}}}"
        );
        // Before it is known that it will be shown, too.
        assert_eq!(shown("a: &x {1: 2}\n? *x\n"), "yaml: invalid map key: map{1:2}");
        // Of keys that JSON has no room for the outer one counts.
        assert_eq!(
            shown("a: {~: {18446744073709551615: 2}}"),
            "yaml: unsupported map key of type: %!s(<nil>), key: <nil>, value: map{0xffffffffffffffff:2}"
        );
        // What is no YAML at all counts first.
        assert_eq!(problem("a: {{ x }}\nb: [\n"), "yaml: line 3: did not find expected node content");
    }
}

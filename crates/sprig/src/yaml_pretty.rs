//! `toYamlPretty`: go-yaml v3 with an indentation of two, which indents lists under their keys and never folds.

use gotemplate::fmt::{Layout, format_float};
use gotemplate::{Fault, Str, Value};

pub(crate) fn to_yaml(value: &Value) -> Result<String, Fault> {
    let mut out = lines(value)?;
    if out.ends_with('\n') {
        out.pop();
    }
    Ok(out)
}

fn lines(value: &Value) -> Result<String, Fault> {
    let mut out = String::new();
    node(value, 0, true, &mut out)?;
    Ok(out)
}

/// The elements of what is written as a list of lines.
fn items(value: &Value) -> Option<Vec<Value>> {
    value.elements().filter(|elements| !elements.is_empty()).map(|elements| elements.to_vec())
}

/// The entries of what is written as a mapping of lines: those of a map in order, those of a struct as they come, under
/// lower-case names.
fn entries(value: &Value) -> Option<Vec<(Str, Value)>> {
    if let Some(dict) = value.as_dict() {
        let entries = dict.entries();
        let texts: Vec<_> = entries.iter().map(|entry| (entry.0.text(), entry)).collect();
        let sorted = yaml::sorted_pretty(&texts, |(text, _)| text);
        return Some(sorted.into_iter().map(|(_, entry)| (*entry).clone()).collect())
            .filter(|entries: &Vec<_>| !entries.is_empty());
    }
    match value {
        Value::Object(object) => {
            let fields = object.exported().filter(|fields| !fields.is_empty())?;
            Some(fields.into_iter().map(|(name, value)| (name.to_ascii_lowercase().into(), value)).collect())
        }
        _ => None,
    }
}

/// True for what is written on lines of its own.
fn collection(value: &Value) -> bool {
    value.elements().is_some_and(|elements| !elements.is_empty())
        || value.as_dict().is_some_and(|dict| !dict.is_empty())
        || matches!(value, Value::Object(object) if object.exported().is_some_and(|fields| !fields.is_empty()))
}

/// A value and the end of its line; a collection may begin on the current line.
fn node(value: &Value, indent: usize, on_line: bool, out: &mut String) -> Result<(), Fault> {
    if let Some(items) = items(value) {
        return sequence(&items, indent, on_line, out);
    }
    if let Some(entries) = entries(value) {
        return mapping(entries, indent, on_line, out);
    }
    scalar(value, indent.saturating_sub(2), out)?;
    end_line(out);
    Ok(())
}

/// Ends the line, unless a text of several lines did so by its own last character.
fn end_line(out: &mut String) {
    if !out.ends_with(yaml::is_break) {
        out.push('\n');
    }
}

/// Keys beyond this, in bytes, and those of several lines, stand behind a `?`.
const LONGEST_KEY: usize = 128;

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn sequence(items: &[Value], indent: usize, mut on_line: bool, out: &mut String) -> Result<(), Fault> {
    if indent > 2_000 {
        return Err("the value is nested too deeply".into());
    }
    for item in items {
        if !std::mem::take(&mut on_line) {
            pad(indent, out);
        }
        out.push_str("- ");
        node(item, indent + 2, true, out)?;
    }
    Ok(())
}

fn mapping(
    entries: Vec<(Str, Value)>,
    indent: usize,
    mut on_line: bool,
    out: &mut String,
) -> Result<(), Fault> {
    if indent > 2_000 {
        return Err("the value is nested too deeply".into());
    }
    for (key, item) in entries {
        if !std::mem::take(&mut on_line) {
            pad(indent, out);
        }
        let breaks = match std::str::from_utf8(&key) {
            Ok(text) => text.contains(yaml::is_break),
            Err(_) => key.len().div_ceil(3) * 4 >= BINARY_LINE, // as base64
        };
        let long = key.len() > LONGEST_KEY || breaks;
        if long {
            out.push_str("? ");
        }
        scalar(&Value::Str(key), indent, out)?;
        if long {
            end_line(out);
            pad(indent, out);
        }
        out.push(':');
        let below = collection(&item) && !long;
        out.push(if below { '\n' } else { ' ' });
        node(&item, indent + 2, !below, out)?;
    }
    Ok(())
}

fn scalar(value: &Value, indent: usize, out: &mut String) -> Result<(), Fault> {
    match value {
        Value::Nil => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(..) => out.push_str(&gotemplate::fmt::sprint(value)),
        Value::Float(value) => match *value {
            f64::INFINITY => out.push_str(".inf"),
            f64::NEG_INFINITY => out.push_str("-.inf"),
            value if value.is_nan() => out.push_str(".nan"),
            value => out.push_str(&format_float(value, Layout::General { large: 6 }, None)),
        },
        Value::List(_) | Value::Bytes(_) => out.push_str("[]"),
        Value::Dict(_) => out.push_str("{}"),
        Value::Object(object) if object.type_name() == "time.Time" => {
            out.push_str(&crate::args::strval(&object.encoded()).text());
        }
        Value::Object(object) if object.type_name() == "time.Duration" => {
            out.push_str(&gotemplate::fmt::sprint(value));
        }
        Value::Object(object) => out.push_str(&lines(&object.encoded())?),
        Value::Complex(..) => return Err("cannot marshal type: complex128".into()),
        Value::Str(bytes) => {
            let Ok(text) = std::str::from_utf8(bytes) else {
                binary(bytes, indent + 2, out);
                return Ok(());
            };
            if text.chars().any(special) {
                out.push_str(&yaml::double_quoted(text));
                return Ok(());
            }
            // A block may hold tabs here, which the other writer does not allow.
            let tabs = text.contains('\n') && text.contains('\t');
            let stand_in = if tabs { text.replace('\t', TAB) } else { text.to_owned() };
            // After these breaks there is an indentation even within a line.
            let deep = text.contains(['\u{2028}', '\u{2029}']);
            let written = written(stand_in, if deep { indent / 2 + 1 } else { 0 })?;
            // In quotes it stays an escape.
            let tab = if written.starts_with('"') { "\\t" } else { "\t" };
            let written = if tabs { written.replace(TAB, tab) } else { written };
            if !written.starts_with('|') {
                out.push_str(&unfolded(written.strip_suffix('\n').unwrap_or(&written)));
                return Ok(());
            }
            for (i, line) in written.split('\n').enumerate() {
                if i > 0 {
                    out.push('\n');
                    let line = if deep { line } else { line.strip_prefix("  ").unwrap_or(line) };
                    if !line.is_empty() && !deep {
                        pad(indent + 2, out);
                    }
                    out.push_str(line);
                } else {
                    out.push_str(line);
                }
            }
        }
    }
    Ok(())
}

/// A text as the other writer has it at the top, or within as many maps that its lines are indented so far.
fn written(text: String, maps: usize) -> Result<String, Fault> {
    let mut value = yaml::Value::str(text);
    for _ in 0..maps {
        let mut map = yaml::Map::with_capacity(1);
        map.insert("a", value);
        value = map.into();
    }
    let written = yaml::to_yaml(&value).map_err(|error| Fault::Text(error.to_string()))?;
    Ok(match written.split_once("a: ") {
        Some((_, scalar)) if maps > 0 => scalar.to_owned(),
        _ => written,
    })
}

/// Longest line of a text that is no UTF-8.
const BINARY_LINE: usize = 70;

fn binary(bytes: &[u8], indent: usize, out: &mut String) {
    let encoded = crate::encode::base64(bytes);
    if encoded.len() < BINARY_LINE {
        out.push_str("!!binary ");
        out.push_str(&encoded);
        return;
    }
    out.push_str("!!binary |");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, behind) = rest.split_at_checked(BINARY_LINE).unwrap_or((rest, ""));
        out.push('\n');
        pad(indent, out);
        out.push_str(line);
        rest = behind;
    }
}

/// A character that stands for a tab.
const TAB: &str = "\u{e000}";

/// True for characters that are written as escapes.
fn special(c: char) -> bool {
    let control = (c.is_control() && !matches!(c, '\n' | '\t')) || c == '\u{feff}';
    control || matches!(c, '\u{fffe}' | '\u{ffff}') || c > '\u{ffff}'
}

/// A folded scalar on one line again.
fn unfolded(written: &str) -> String {
    let mut out = String::with_capacity(written.len());
    for (i, line) in written.split('\n').enumerate() {
        if i > 0 {
            out.push(' ');
            let line = line.trim_start();
            out.push_str(line.strip_prefix('\\').filter(|rest| rest.starts_with(' ')).unwrap_or(line));
        } else {
            out.push_str(line);
        }
    }
    out
}

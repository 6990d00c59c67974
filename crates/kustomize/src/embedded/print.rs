//! A document written anew, as Go's YAML does when it keeps the style of each scalar: no line is folded.

use yaml::{Scalar, Style, Tag, Value};

/// The document in block style; `None` if it has a scalar that cannot be written so.
pub(super) fn printed(document: &Value) -> Option<String> {
    let mut out = String::new();
    match document {
        Value::Scalar(_) => out.push_str(&scalar(document.as_scalar()?, 0)?),
        _ => collection(document, 0, true, &mut out)?,
    }
    Some(out)
}

/// A mapping or list whose lines are indented by `indent`; the first stands on the current line if `on_line`.
fn collection(value: &Value, indent: usize, mut on_line: bool, out: &mut String) -> Option<()> {
    let mut start = |out: &mut String| {
        if !std::mem::take(&mut on_line) {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
        }
    };
    match value {
        Value::Map(map) if !map.is_empty() => {
            for entry in map.entries() {
                start(out);
                out.push_str(&scalar(&entry.key, indent)?);
                out.push(':');
                match &entry.value {
                    Value::Map(map) if !map.is_empty() => collection(&entry.value, indent + 2, false, out)?,
                    Value::Seq(items) if !items.is_empty() => collection(&entry.value, indent, false, out)?,
                    other => inline(other, indent, out)?,
                }
            }
        }
        Value::Seq(items) if !items.is_empty() => {
            for item in items {
                start(out);
                out.push('-');
                match item {
                    Value::Scalar(_) => inline(item, indent, out)?,
                    other => {
                        out.push(' ');
                        collection(other, indent + 2, true, out)?;
                    }
                }
            }
        }
        empty => out.push_str(if matches!(empty, Value::Map(_)) { "{}" } else { "[]" }),
    }
    Some(())
}

fn inline(value: &Value, indent: usize, out: &mut String) -> Option<()> {
    let text = match value {
        Value::Scalar(own) => scalar(own, indent)?,
        Value::Map(_) => "{}".to_owned(),
        Value::Seq(_) => "[]".to_owned(),
    };
    if !text.is_empty() {
        out.push(' ');
        out.push_str(&text);
    }
    Some(())
}

/// A scalar whose further lines are indented by two more than `indent`.
pub(super) fn scalar(scalar: &Scalar, indent: usize) -> Option<String> {
    let text = scalar.text();
    let style = match scalar.style() {
        Style::Plain if scalar.tag() == Tag::Str && Scalar::plain(text).tag() != Tag::Str => {
            Style::DoubleQuoted
        }
        Style::Plain if text.is_empty() && scalar.tag() == Tag::Null => return Some(String::new()),
        Style::Plain if text.contains('\n') => Style::Literal,
        Style::Plain => plainly(text, yaml::style_of(text)),
        style => style,
    };
    if scalar.style() == Style::Plain && scalar.tag() != Tag::Str {
        let tag = Scalar::plain(text).tag();
        if tag == scalar.tag() {
            return Some(text.to_owned());
        }
        // The type stays that of what was there before.
        let shown = if text.is_empty() { "\"\"".to_owned() } else { quoted(text, style, indent)? };
        return Some(format!("{} {shown}", short_name(scalar.tag())?));
    }
    match style {
        Style::Literal => Some(literal(text, indent)),
        Style::Folded => None,
        style => quoted(text, style, indent),
    }
}

/// Words and numbers of the old dialect, which the output quotes, are plain here.
fn plainly(text: &str, style: Style) -> Style {
    let simple = |c: char| c.is_ascii_alphanumeric() || "._-/+".contains(c);
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.' || c == '+');
    if starts && text.chars().all(simple) { Style::Plain } else { style }
}

fn short_name(tag: Tag) -> Option<&'static str> {
    match tag {
        Tag::Null => Some("!!null"),
        Tag::Bool => Some("!!bool"),
        Tag::Int => Some("!!int"),
        Tag::Float => Some("!!float"),
        Tag::Timestamp => Some("!!timestamp"),
        _ => None,
    }
}

/// A text that is no block.
fn quoted(text: &str, style: Style, indent: usize) -> Option<String> {
    // A tab cannot stand between single quotes, nor a line break with spaces around it.
    let odd = ["\n ", " \n", "\t"].iter().any(|odd| text.contains(odd));
    let style = if style == Style::SingleQuoted && odd { Style::DoubleQuoted } else { style };
    let odd = |c: char| c.is_control() && !(c == '\n' && style == Style::SingleQuoted);
    if style != Style::DoubleQuoted && text.chars().any(odd) {
        return None;
    }
    match style {
        Style::Plain => Some(text.to_owned()),
        Style::SingleQuoted => Some(single_quoted(text, indent)),
        Style::DoubleQuoted => Some(yaml::double_quoted(text)),
        Style::Literal | Style::Folded => None,
    }
}

/// A line break is a blank line between single quotes.
fn single_quoted(text: &str, indent: usize) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    let mut at_break = false;
    for c in text.chars() {
        match c {
            '\n' if at_break => out.push('\n'),
            '\n' => out.push_str("\n\n"),
            c => {
                if at_break {
                    out.extend(std::iter::repeat_n(' ', indent + 2));
                }
                if c == '\'' {
                    out.push(c);
                }
                out.push(c);
            }
        }
        at_break = matches!(c, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}');
    }
    out.push('\'');
    out
}

fn literal(text: &str, indent: usize) -> String {
    let odd = text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t'));
    if odd || text.contains(" \n") || text.ends_with(' ') {
        return yaml::double_quoted(text);
    }
    let hint = if text.starts_with([' ', '\n']) { "2" } else { "" };
    let body = text.trim_end_matches('\n');
    let chomp = match text.len() - body.len() {
        0 => "-",
        1 => "",
        _ => "+",
    };
    let mut out = format!("|{hint}{chomp}");
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent + 2));
            out.push_str(line);
        }
    }
    out.extend(std::iter::repeat_n('\n', (text.len() - body.len()).saturating_sub(1)));
    out
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn keeps_the_style_of_scalars() {
        let text = "a: 'x'\nb:\n- c: \"1\"\n  d:\n    e: long enough to be folded by any writer that folds lines behind column eighty, but not here\n- - f\nn:\nyes: no\nm: |\n  two\n  lines\no: {}";
        assert_eq!(printed(&parse(text).unwrap()).unwrap(), text);
    }

    #[test]
    fn names_a_type_that_the_text_has_lost() {
        let mut document = parse("a: 1\nb:\nc: true\n").unwrap();
        for value in document.as_map_mut().unwrap().values_mut() {
            value.as_scalar_mut().unwrap().set_text("x");
        }
        assert_eq!(printed(&document).unwrap(), "a: !!int x\nb: !!null x\nc: !!bool x");
    }
}

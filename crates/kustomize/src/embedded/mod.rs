//! YAML or JSON inside a string, as in the data of a ConfigMap.

mod layout;
mod print;

use serde_json::Value as Json;
use yaml::{Map, Profile, ReadLimits, Scalar, Style, Value};

/// A changed scalar of a document: what stood there, and what stands there now. `None` for any other change.
#[derive(Debug, Clone)]
pub(crate) struct Edit(Option<(Scalar, Scalar)>);

impl Edit {
    /// The change of one node.
    pub(crate) fn of(before: &Value, after: &Value, fresh: bool) -> Self {
        match (before, after) {
            (Value::Scalar(before), Value::Scalar(after)) if !fresh => {
                Self(Some((before.clone(), after.clone())))
            }
            _ => Self(None),
        }
    }
}

/// Reads the text of a scalar as a document; `None` if it is not YAML or empty.
pub(crate) fn parse(text: &str) -> Option<Value> {
    yaml::read_first(text.as_bytes(), Profile::V3, &ReadLimits::default()).ok().flatten()
}

/// Writes a changed document in the manner of the text that it was read from: JSON anew, YAML by changing the text at
/// the places of the edits, so that its comments stay.
pub(crate) fn write(document: &Value, original: &str, edits: &[Edit]) -> Option<String> {
    match original.trim_start().as_bytes().first() {
        Some(b'{' | b'[') => {
            let json = sorted(quoted_empties(document.clone()).to_json().ok()?);
            let pretty = original.contains('\n') && original.contains("  ");
            Some(escape_html(
                &if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) }
                    .ok()?,
            ))
        }
        _ => edited(original, edits)
            .or_else(|| extended(document, original))
            .or_else(|| print::printed(document))
            .or_else(|| yaml::to_yaml(document).ok())
            .map(|text| text.trim().to_owned()),
    }
}

/// What was made without text and type is an empty string where all collections are in braces.
fn quoted_empties(mut value: Value) -> Value {
    match &mut value {
        Value::Scalar(scalar) if scalar.is_untagged() && scalar.text().is_empty() => return Value::str(""),
        Value::Scalar(_) => {}
        Value::Seq(items) => items.iter_mut().for_each(|item| *item = quoted_empties(std::mem::take(item))),
        Value::Map(map) => map.values_mut().for_each(|item| *item = quoted_empties(std::mem::take(item))),
    }
    value
}

/// The text with every edit made in place; `None` if one is not of a scalar that stands on a single line.
fn edited(original: &str, edits: &[Edit]) -> Option<String> {
    if original.contains(['\u{e000}', '\u{e001}']) {
        return None;
    }
    let mut holes: Vec<(usize, usize, &Scalar)> = Vec::new();
    for Edit(edit) in edits {
        let (before, after) = edit.as_ref()?;
        let start = offset(original, before)?;
        holes.push((start, start + written_length(original.get(start..)?, before)?, after));
    }
    holes.sort_by_key(|(start, end, _)| (*start, *end));
    // Words stand for the new scalars until the layout is done, since those may take several lines.
    let mut out = String::with_capacity(original.len());
    let mut done = 0;
    for (index, (start, end, _)) in holes.iter().enumerate() {
        out.push_str(original.get(done..*start)?);
        out.push_str(if start == end { " " } else { "" });
        out.push_str(&hole(index));
        done = *end;
    }
    out.push_str(original.get(done..)?);
    let mut out = laid_out(&out).unwrap_or(out);
    for (index, (_, _, after)) in holes.iter().enumerate() {
        out = filled(&out, &hole(index), after)?;
    }
    Some(out)
}

/// The text in the layout of Go's YAML; `None` where that would change what the document says.
fn laid_out(text: &str) -> Option<String> {
    let document = parse(text)?;
    let same = |laid_out: &String| parse(laid_out).as_ref() == Some(&document);
    // A block at the end of the text has lost the line break that its header promises.
    let chomped =
        || text.rfind("|\n").map(|at| format!("{}|-{}", text.split_at(at).0, text.split_at(at + 1).1));
    layout::laid_out(text).filter(same).or_else(|| layout::laid_out(&chomped()?).filter(same))
}

/// The word that stands for a new scalar: characters that no document has.
fn hole(index: usize) -> String {
    format!("\u{e000}{index}\u{e001}")
}

/// The text with a scalar in the place of a word.
fn filled(text: &str, hole: &str, scalar: &Scalar) -> Option<String> {
    let (before, behind) = text.split_once(hole)?;
    let written = print::scalar(scalar, key_column(text, before.len()))?;
    let before = if written.is_empty() { before.trim_end_matches(' ') } else { before };
    match written.split_once('\n') {
        // The lines of a block come behind the comment of its first one.
        Some((head, lines)) if head.starts_with('|') => {
            let (comment, rest) = behind.split_at_checked(behind.find('\n').unwrap_or(behind.len()))?;
            let comment = comment.trim_start();
            if !comment.is_empty() && !comment.starts_with('#') {
                return None;
            }
            let space = if comment.is_empty() { "" } else { " " };
            Some(format!("{before}{head}{space}{comment}\n{}{rest}", lines.trim_end_matches('\n')))
        }
        _ => Some(format!("{before}{written}{behind}")),
    }
}

/// The text with new fields behind it; `None` if anything else has changed.
fn extended(document: &Value, original: &str) -> Option<String> {
    let (Value::Map(after), Some(Value::Map(before))) = (document, parse(original)) else { return None };
    let mut added = Map::new();
    for entry in after.entries() {
        match before.get(entry.key.text()) {
            Some(value) if *value == entry.value => {}
            Some(_) => return None,
            None => drop(added.insert_entry(entry.clone())),
        }
    }
    let kept = after.len() == before.len() + added.len() && !before.is_empty();
    let text = format!("{}\n{}\n", laid_out(original)?.trim_end(), print::printed(&Value::Map(added))?);
    Some(text).filter(|text| kept && parse(text).as_ref() == Some(document))
}

/// Where a scalar begins in the text.
fn offset(text: &str, scalar: &Scalar) -> Option<usize> {
    let line = usize::try_from(scalar.line().checked_sub(1)?).ok()?;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let column = usize::from(scalar.column().checked_sub(1)?);
    let rest = text.get(start..)?;
    let skipped: usize = rest.chars().take(column).map(char::len_utf8).sum();
    Some(start + skipped)
}

/// How many bytes a scalar takes that begins here.
fn written_length(text: &str, scalar: &Scalar) -> Option<usize> {
    match scalar.style() {
        // Nothing at all is a null at the end of its line.
        Style::Plain if scalar.text().is_empty() => {
            let line = text.lines().next().unwrap_or_default();
            line.trim_start()
                .split_once('#')
                .map_or(line, |(before, _)| before)
                .trim()
                .is_empty()
                .then_some(0)
        }
        Style::Plain => text.starts_with(scalar.text()).then_some(scalar.text().len()),
        Style::SingleQuoted => {
            let quoted = format!("'{}'", scalar.text().replace('\'', "''"));
            text.starts_with(&quoted).then_some(quoted.len())
        }
        Style::DoubleQuoted => {
            let quoted = format!("\"{}\"", scalar.text());
            (!scalar.text().contains(['"', '\\']) && text.starts_with(&quoted)).then_some(quoted.len())
        }
        Style::Literal | Style::Folded => None,
    }
}

/// The column of the key, or of the hyphen where there is none, in front of the value that begins at `at`.
fn key_column(text: &str, at: usize) -> usize {
    let line = text.get(..at).and_then(|before| before.rsplit('\n').next()).unwrap_or_default();
    let markers = line.len() - line.trim_start_matches([' ', '-']).len();
    if markers == line.len() { line.rfind('-').unwrap_or(0) } else { markers }
}

/// Keys in the order in which Go's JSON writes them.
pub(crate) fn sorted(json: Json) -> Json {
    match json {
        Json::Object(map) => {
            let mut entries: Vec<(String, Json)> = map.into_iter().collect();
            entries.sort_by(|left, right| left.0.cmp(&right.0));
            Json::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Json::Array(items) => Json::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// Go's JSON escapes what could end a script in HTML. Outside of strings these characters do not occur.
pub(crate) fn escape_html(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_in_the_manner_of_the_original() {
        let original = "{\"b\": 1, \"a\": \"<x>\"}";
        assert_eq!(
            write(&parse(original).unwrap(), original, &[]).unwrap(),
            "{\"a\":\"\\u003cx\\u003e\",\"b\":1}"
        );
        let pretty = "{\n  \"b\": 1\n}";
        assert_eq!(write(&parse(pretty).unwrap(), pretty, &[]).unwrap(), pretty);
        assert!(parse("").is_none());
    }

    #[test]
    fn new_fields_come_behind_what_is_there() {
        let original = "b: 1 # why\n# more\na: {x: y}\n";
        let mut document = parse(original).unwrap();
        document.as_map_mut().unwrap().insert("c", Value::Seq(vec![Value::str("d")]));
        let expected = "b: 1 # why\n# more\na: {x: y}\nc:\n- d";
        assert_eq!(write(&document, original, &[Edit(None)]).unwrap(), expected);
    }

    #[test]
    fn a_block_takes_the_place_of_a_scalar() {
        let original = "a:\n    b: x # why\n    c: y\n";
        let mut document = parse(original).unwrap();
        let node = document.at_mut(&["a", "b"]).unwrap();
        let before = node.clone();
        node.as_scalar_mut().unwrap().set_text("k: v\nl:\n  - w\n");
        let edits = [Edit::of(&before, node, false)];
        let expected = "a:\n  b: | # why\n    k: v\n    l:\n      - w\n  c: y";
        assert_eq!(write(&document, original, &edits).unwrap(), expected);
    }

    /// The document with the scalar at `path` replaced.
    fn replaced(original: &str, path: &[&str], index: Option<usize>, text: &str) -> String {
        let mut document = parse(original).unwrap();
        let mut node = document.at_mut(path).unwrap();
        if let Some(index) = index {
            node = &mut node.as_seq_mut().unwrap()[index];
        }
        let before = node.clone();
        node.as_scalar_mut().unwrap().set_text(text);
        let edits = [Edit::of(&before, node, false)];
        write(&document, original, &edits).unwrap()
    }

    #[test]
    fn texts_of_several_lines_keep_quotes_and_are_indented_by_their_parent() {
        assert_eq!(
            replaced("a:\n    b: 'c' # d\n", &["a", "b"], None, "x\ny\n"),
            "a:\n  b: 'x\n\n    y\n\n' # d"
        );
        assert_eq!(replaced("d:\n- x\n", &["d"], Some(0), "k:\n- v\n"), "d:\n- |\n  k:\n  - v");
        assert_eq!(replaced("a: \"b\"\n", &["a"], None, "\u{1f600}"), "a: \"\\U0001F600\"");
    }

    #[test]
    fn yaml_keeps_its_comments_and_order() {
        let original = "# top\na:   [\"x\", 'y']  # why\nb: é z\n";
        let mut document = parse(original).unwrap();
        let mut edits = Vec::new();
        for (path, index, text) in [("a", Some(0), "1"), ("a", Some(1), "it's"), ("b", None, "true")] {
            let mut node = document.get_mut(path).unwrap();
            if let Some(index) = index {
                node = &mut node.as_seq_mut().unwrap()[index];
            }
            let before = node.clone();
            node.as_scalar_mut().unwrap().set_text(text);
            edits.push(Edit::of(&before, node, false));
        }
        let expected = "# top\na: [\"1\", 'it''s'] # why\nb: \"true\"";
        assert_eq!(write(&document, original, &edits).unwrap(), expected);
    }
}

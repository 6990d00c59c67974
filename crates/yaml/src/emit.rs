//! Output as `kustomize build` prints a resource: through Go's JSON and sigs.k8s.io/yaml.
//!
//! Keys are in natural order, sequences are not indented under their key, long scalars fold behind column 80.

pub(crate) mod order;
mod text;

pub use text::{is_break, through_folding};

use std::fmt::Write as _;

use crate::error::ScalarError;
use crate::value::{check_duplicate, check_key};
use crate::{Entry, Map, Resolved, Scalar, Style, Tag, Value};

/// Longest key, in bytes, that is written as `key:` and not as `? key`.
const SIMPLE_KEY_LIMIT: usize = 128;

/// Spaces a level is indented by.
const INDENT: usize = 2;

/// Appends `value` to `out` as `kustomize build` prints it, ending with a line break.
///
/// # Errors
/// What Go's JSON or YAML cannot carry: `.nan`, keys below the top that are no strings, control characters.
/// `out` then holds a part of the value.
pub fn write_yaml(value: &Value, out: &mut String) -> Result<(), ScalarError> {
    write(value, out, text::WIDTH, Keys::Natural)
}

fn write(value: &Value, out: &mut String, width: usize, keys: Keys) -> Result<(), ScalarError> {
    let line_start = out.len();
    let mut writer = Writer { out, line_start, top: true, width, keys };
    match value {
        Value::Map(map) if !map.is_empty() => writer.mapping(map, 0, true)?,
        Value::Seq(items) if !items.is_empty() => writer.sequence(items, 0, true)?,
        other => writer.inline(other, INDENT)?,
    }
    writer.end_line();
    Ok(())
}

/// `value` as `kustomize build` prints it.
///
/// # Errors
/// As [`write_yaml`].
pub fn to_yaml(value: &Value) -> Result<String, ScalarError> {
    let mut out = String::new();
    write_yaml(value, &mut out)?;
    Ok(out)
}

/// `value` as [`to_yaml`] writes it, but for long scalars: they stay on their line. It is what kyaml makes of the text that
/// `kustomize build` prints, which Helm keeps.
///
/// # Errors
/// As [`write_yaml`].
pub fn to_yaml_unfolded(value: &Value) -> Result<String, ScalarError> {
    let mut out = String::new();
    write(value, &mut out, usize::MAX, Keys::Natural)?;
    Ok(out)
}

/// `value` as [`to_yaml`] writes it, but with its keys in the order in which they stand.
///
/// # Errors
/// As [`write_yaml`].
pub fn to_yaml_in_order(value: &Value) -> Result<String, ScalarError> {
    let mut out = String::new();
    write(value, &mut out, text::WIDTH, Keys::AsTheyStand)?;
    Ok(out)
}

/// The order of keys.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Keys {
    /// `a2` before `a10`.
    Natural,
    /// That of the mapping.
    AsTheyStand,
}

/// The style in which a string is written.
#[must_use]
pub fn style_of(text: &str) -> Style {
    text::Choice::of(text).style()
}

/// A string between double quotes, on one line.
#[must_use]
pub fn double_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    let mut writer =
        Writer { out: &mut out, line_start: 0, top: false, width: usize::MAX, keys: Keys::Natural };
    writer.double_quoted(text, None);
    out
}

/// How a node follows what stands before it.
#[derive(Clone, Copy, PartialEq)]
enum After {
    /// `key:`, below which collections start on a line of their own.
    Key,
    /// `-`, `?` or the `:` of a long key, behind which collections start on the same line.
    Indicator,
}

pub(crate) struct Writer<'a> {
    pub(crate) out: &'a mut String,
    /// Where the current line starts in `out`.
    line_start: usize,
    /// Within the keys of the outermost mapping.
    top: bool,
    /// Column behind which long scalars fold.
    width: usize,
    /// The order of keys.
    keys: Keys,
}

impl Writer<'_> {
    pub(crate) fn column(&self) -> usize {
        self.out.get(self.line_start..).map_or(0, |line| line.chars().count())
    }

    pub(crate) fn bytes_on_line(&self) -> usize {
        self.out.len() - self.line_start
    }

    pub(crate) fn break_line(&mut self, indent: usize) {
        self.out.push('\n');
        self.start_at(indent);
    }

    /// The current line, which is empty, begins with `indent` spaces.
    pub(crate) fn start_at(&mut self, indent: usize) {
        self.line_start = self.out.len();
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    fn new_line(&mut self, indent: usize) {
        self.end_line();
        self.start_at(indent);
    }

    /// Ends the line unless it is empty: a block scalar may end with any line break, and what follows stands behind that.
    fn end_line(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with(is_break) {
            self.out.push('\n');
        }
    }

    fn mapping(&mut self, map: &Map, indent: usize, mut on_line: bool) -> Result<(), ScalarError> {
        let top = std::mem::take(&mut self.top);
        check_duplicate(map)?;
        let entries = match self.keys {
            Keys::Natural => order::sorted(map.entries()),
            Keys::AsTheyStand => map.entries().iter().collect(),
        };
        for entry in entries {
            check_key(&entry.key, top)?;
            if !std::mem::take(&mut on_line) {
                self.new_line(indent);
            }
            self.entry(entry, indent)?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry, indent: usize) -> Result<(), ScalarError> {
        let text = match entry.key.tag() {
            Tag::Binary => self.resolved_key(&entry.key)?,
            _ => std::borrow::Cow::Borrowed(entry.key.text()),
        };
        if text.contains('\u{85}') {
            // A line break in Go's JSON, which may not stand in the key of a flow mapping.
            return Err(ScalarError::ControlCharacter { line: entry.key.line() });
        }
        let text = text::through_json(&text, entry.key.line())?;
        let style = text::Choice::of(&text);
        if text.len() <= SIMPLE_KEY_LIMIT && !style.multiline() {
            self.string(&text, style.for_key(), None);
            self.out.push(':');
            return self.node(&entry.value, indent, After::Key);
        }
        self.out.push_str("? ");
        self.string(&text, style, Some(indent + INDENT));
        self.new_line(indent);
        self.out.push(':');
        self.node(&entry.value, indent, After::Indicator)
    }

    fn resolved_key<'k>(&self, key: &'k Scalar) -> Result<std::borrow::Cow<'k, str>, ScalarError> {
        match key.resolve()? {
            Resolved::Str(text) => Ok(text),
            _ => Ok(key.text().into()),
        }
    }

    fn sequence(&mut self, items: &[Value], indent: usize, mut on_line: bool) -> Result<(), ScalarError> {
        self.top = false;
        for item in items {
            if !std::mem::take(&mut on_line) {
                self.new_line(indent);
            }
            self.out.push('-');
            self.node(item, indent, After::Indicator)?;
        }
        Ok(())
    }

    /// A node behind the indicator of a collection that is indented by `indent`.
    fn node(&mut self, value: &Value, indent: usize, after: After) -> Result<(), ScalarError> {
        match (value, after) {
            (Value::Map(map), After::Key) if !map.is_empty() => self.mapping(map, indent + INDENT, false),
            (Value::Seq(items), After::Key) if !items.is_empty() => self.sequence(items, indent, false),
            (Value::Map(map), After::Indicator) if !map.is_empty() => {
                self.out.push(' ');
                self.mapping(map, indent + INDENT, true)
            }
            (Value::Seq(items), After::Indicator) if !items.is_empty() => {
                self.out.push(' ');
                self.sequence(items, indent + INDENT, true)
            }
            _ => {
                self.out.push(' ');
                self.inline(value, indent + INDENT)
            }
        }
    }

    /// A scalar or an empty collection; further lines of a scalar are indented by `indent`.
    fn inline(&mut self, value: &Value, indent: usize) -> Result<(), ScalarError> {
        let scalar = match value {
            Value::Scalar(scalar) => scalar,
            Value::Seq(_) => {
                self.out.push_str("[]");
                return Ok(());
            }
            Value::Map(_) => {
                self.out.push_str("{}");
                return Ok(());
            }
        };
        match scalar.resolve()? {
            Resolved::Null => self.out.push_str("null"),
            Resolved::Bool(true) => self.out.push_str("true"),
            Resolved::Bool(false) => self.out.push_str("false"),
            Resolved::Int(value) => _ = write!(self.out, "{value}"),
            Resolved::UInt(value) => _ = write!(self.out, "{value}"),
            Resolved::Float(value) => {
                crate::number::check_finite(value, scalar.line())?;
                self.out.push_str(&crate::number::yaml_float(value));
            }
            Resolved::Str(text) => {
                if scalar.tag() == Tag::Str && text::loses_its_tab(&text, scalar.style()) {
                    return Err(ScalarError::LeadingTab { line: scalar.line() });
                }
                let text = match scalar.style() {
                    Style::Folded => text::through_folding(text),
                    _ => text,
                };
                let text = text::through_json(&text, scalar.line())?;
                self.string(&text, text::Choice::of(&text), Some(indent));
            }
        }
        Ok(())
    }
}

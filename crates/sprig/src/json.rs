//! JSON, written as Go writes it.

use std::rc::Rc;

use gotemplate::Ty::{Any, Str as Text};
use gotemplate::fmt::{Layout, format_float};
use gotemplate::{Fault, Function, Value, chars};

use crate::args::{Args, Outcome};
use crate::json_read;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("toJson", &[Any], |_, a| Ok(encode(a.any(0), Style::COMPACT).unwrap_or_default().into())),
    Function::new("mustToJson", &[Any], |_, a| Ok(encode(a.any(0), Style::COMPACT)?.into())),
    Function::new("toPrettyJson", &[Any], |_, a| {
        Ok(encode(a.any(0), Style::PRETTY).unwrap_or_default().into())
    }),
    Function::new("mustToPrettyJson", &[Any], |_, a| Ok(encode(a.any(0), Style::PRETTY)?.into())),
    Function::new("toRawJson", &[Any], |_, a| Ok(encode(a.any(0), Style::RAW)?.into())),
    Function::new("mustToRawJson", &[Any], |_, a| Ok(encode(a.any(0), Style::RAW)?.into())),
    Function::new("fromJson", &[Text], |_, a| Ok(json_read::dict(a.bytes(0)))),
    Function::new("fromJsonArray", &[Text], |_, a| Ok(json_read::list(a.bytes(0)))),
    Function::new("mustFromJson", &[Text], |_, a| -> Outcome {
        json_read::read(a.bytes(0)).map_err(Fault::Text)
    }),
];

#[derive(Clone, Copy)]
pub(crate) struct Style {
    html: bool,
    pretty: bool,
}

impl Style {
    pub(crate) const COMPACT: Style = Style { html: true, pretty: false };
    const PRETTY: Style = Style { html: true, pretty: true };
    const RAW: Style = Style { html: false, pretty: false };
}

/// # Errors
/// For infinities and what is no number.
pub(crate) fn encode(value: &Value, style: Style) -> Result<Vec<u8>, Fault> {
    let mut writer = Writer { style, out: Vec::new(), seen: Vec::new() };
    // Go's writer of raw JSON is given a pointer, which it counts.
    writer.write(value, usize::from(!style.html))?;
    Ok(writer.out)
}

/// A float as JSON has it.
pub(crate) fn number(value: f64) -> Result<String, Fault> {
    if !value.is_finite() {
        return Err(
            format!("json: unsupported value: {}", format_float(value, Layout::Exponent, None)).into()
        );
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format_float(value, Layout::Exponent, None);
        // `e-07` is written `e-7`.
        return Ok(text.replace("e-0", "e-"));
    }
    Ok(format_float(value, Layout::Fixed, None))
}

/// From this depth on, Go looks for values that contain themselves.
pub(crate) const DEEPEST: usize = 1000;
/// What is deeper is taken for a value that contains itself, too.
const TOO_DEEP: usize = 10 * DEEPEST;

/// The error for a value that contains itself.
pub(crate) fn cycle(value: &Value) -> Fault {
    format!("json: unsupported value: encountered a cycle via {}", value.type_name()).into()
}

/// Where a collection is in memory.
fn place(value: &Value) -> Option<*const ()> {
    match value {
        Value::Dict(dict) => Some(Rc::as_ptr(&dict.map).cast()),
        Value::List(list) if !list.items().is_empty() => Some(list.items().as_ptr().cast()),
        _ => None,
    }
}

/// A value as it is written.
struct Writer {
    style: Style,
    out: Vec<u8>,
    /// The collections around what is written, of those that are as deep as [`DEEPEST`].
    seen: Vec<*const ()>,
}

impl Writer {
    fn break_line(&mut self, depth: usize) {
        if self.style.pretty {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + 2 * depth, b' ');
        }
    }

    fn write(&mut self, value: &Value, depth: usize) -> Result<(), Fault> {
        let place = if depth < DEEPEST { None } else { place(value) };
        let Some(place) = place else { return self.parts(value, depth) };
        if depth >= TOO_DEEP || self.seen.contains(&place) {
            return Err(cycle(value));
        }
        self.seen.push(place);
        self.parts(value, depth)?;
        self.seen.pop();
        Ok(())
    }

    fn parts(&mut self, value: &Value, depth: usize) -> Result<(), Fault> {
        match value {
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::Bool(true) => self.out.extend_from_slice(b"true"),
            Value::Bool(false) => self.out.extend_from_slice(b"false"),
            Value::Int(kind, bits) if kind.unsigned() => {
                self.out.extend_from_slice(bits.cast_unsigned().to_string().as_bytes());
            }
            Value::Int(_, bits) => self.out.extend_from_slice(bits.to_string().as_bytes()),
            Value::Float(value) => self.out.extend_from_slice(number(*value)?.as_bytes()),
            Value::Complex(..) => return Err("json: unsupported type: complex128".into()),
            Value::Str(text) => string(text, self.style.html, &mut self.out),
            Value::Bytes(bytes) => {
                self.out.push(b'"');
                self.out.extend_from_slice(crate::encode::base64(bytes).as_bytes());
                self.out.push(b'"');
            }
            Value::List(list) if list.ty.nil() => self.out.extend_from_slice(b"null"),
            Value::List(list) => {
                self.out.push(b'[');
                for (i, item) in list.items().iter().enumerate() {
                    if i > 0 {
                        self.out.push(b',');
                    }
                    self.break_line(depth + 1);
                    self.write(item, depth + 1)?;
                }
                if !list.items().is_empty() {
                    self.break_line(depth);
                }
                self.out.push(b']');
            }
            Value::Dict(dict) if dict.nil() => self.out.extend_from_slice(b"null"),
            Value::Dict(dict) => {
                self.out.push(b'{');
                let map = dict.map.borrow();
                for (i, (key, item)) in map.iter().enumerate() {
                    if i > 0 {
                        self.out.push(b',');
                    }
                    self.break_line(depth + 1);
                    string(key, self.style.html, &mut self.out);
                    self.out.extend_from_slice(if self.style.pretty { b": " } else { b":" });
                    self.write(item, depth + 1)?;
                }
                if !map.is_empty() {
                    self.break_line(depth);
                }
                self.out.push(b'}');
            }
            Value::Object(object) => match object.members() {
                Some(members) => {
                    self.out.push(b'{');
                    for (i, (key, item)) in members.iter().enumerate() {
                        if i > 0 {
                            self.out.push(b',');
                        }
                        self.break_line(depth + 1);
                        string(key.as_bytes(), self.style.html, &mut self.out);
                        self.out.extend_from_slice(if self.style.pretty { b": " } else { b":" });
                        self.write(item, depth + 1)?;
                    }
                    if !members.is_empty() {
                        self.break_line(depth);
                    }
                    self.out.push(b'}');
                }
                None => self.write(&object.encoded(), depth)?,
            },
        }
        Ok(())
    }
}

/// Writes a text in quotes.
pub(crate) fn string(text: &[u8], html: bool, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut at = 0;
    for (c, len) in chars(text) {
        let raw = text.get(at..at + len).unwrap_or_default();
        at += len;
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '<' | '>' | '&' if html => out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes()),
            '\0'..='\u{1f}' | '\u{2028}' | '\u{2029}' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
            }
            '\u{fffd}' if len == 1 => out.extend_from_slice(b"\\ufffd"),
            _ => out.extend_from_slice(raw),
        }
    }
    out.push(b'"');
}

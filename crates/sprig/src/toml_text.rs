//! TOML, written as Go's BurntSushi library writes it.

use gotemplate::Ty::{Any, Str as Text};
use gotemplate::fmt::{Layout, format_float};
use gotemplate::{Fault, Function, Str, Value};

use crate::args::{Args, Outcome};
use crate::json_read::error_dict;

const NIL_ELEMENT: &str = "toml: cannot encode array with nil element";

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("toToml", &[Any], |_, a| match encode(a.any(0)) {
        Err(Fault::Text(text)) if text.starts_with("reflect:") => Err(text.into()),
        Err(fault) => Ok(fault.text().to_owned().into()),
        Ok(text) => Ok(text.into()),
    }),
    Function::new("mustToToml", &[Any], |_, a| -> Outcome { Ok(encode(a.any(0))?.into()) }),
    Function::new("fromToml", &[Text], |_, a| {
        Ok(crate::toml_read::read(a.bytes(0)).unwrap_or_else(error_dict))
    }),
];

fn encode(value: &Value) -> Result<Vec<u8>, Fault> {
    let mut writer = Writer { out: Vec::new(), wrote: false };
    match value {
        Value::Complex(..) => return Err("unsupported type for key '': complex128".into()),
        Value::Nil => return Err("reflect: call of reflect.Value.Type on zero Value".into()),
        value if is_map(value) => writer.table(&[], value)?,
        other if is_table(other) => return Err("toml: top-level values must be Go maps or structs".into()),
        other => writer.element(other)?,
    }
    Ok(writer.out)
}

struct Writer {
    out: Vec<u8>,
    /// Something was written, so that the next table of the top stands apart.
    wrote: bool,
}

/// The exported fields of a struct, in their order.
fn fields(value: &Value) -> Option<Vec<(Str, Value)>> {
    match value {
        Value::Object(object) => {
            Some(object.exported()?.into_iter().map(|(name, value)| (name.into(), value)).collect())
        }
        _ => None,
    }
}

/// The names of all fields of a struct, private ones, too.
fn places(value: &Value) -> Vec<&'static str> {
    match value {
        Value::Object(object) => object.fields().into_iter().map(|(name, _)| name).collect(),
        _ => Vec::new(),
    }
}

/// The entries of a table, in the order in which they are written.
fn entries(value: &Value) -> Vec<(Str, Value)> {
    fields(value).or_else(|| value.as_dict().map(|dict| dict.entries())).unwrap_or_default()
}

/// Whether a value is a map or a struct.
fn is_map(value: &Value) -> bool {
    match value {
        Value::Dict(_) => true,
        Value::Object(object) => object.members().is_some() || object.entries().is_some(),
        _ => false,
    }
}

fn is_table(value: &Value) -> bool {
    match value {
        Value::List(list) => !list.items().is_empty() && list.items().iter().all(is_map),
        value => is_map(value),
    }
}

impl Writer {
    /// The entries of a table: simple ones first.
    fn table(&mut self, path: &[Str], value: &Value) -> Result<(), Fault> {
        if path.len() > 500 {
            return Err("toml: the value is nested too deeply".into());
        }
        let entries = entries(value);
        for (key, item) in entries.iter().filter(|(_, item)| !is_table(item) && !item.is_nil()) {
            self.indent(path.len());
            self.key(key);
            self.out.extend_from_slice(b" = ");
            self.element(item)?;
            self.out.push(b'\n');
            self.wrote = true;
        }
        for (key, item) in entries.iter().filter(|(_, item)| is_table(item) && !item.is_nil()) {
            let mut inner = path.to_vec();
            inner.push(key.clone());
            match item {
                Value::List(list) => {
                    if list.items().iter().any(Value::is_nil) {
                        return Err(NIL_ELEMENT.into());
                    }
                    for element in list.items() {
                        if self.wrote {
                            self.out.push(b'\n');
                        }
                        self.header(&inner, b"[[", b"]]");
                        self.table(&inner, element)?;
                    }
                }
                _ => {
                    if inner.len() == 1 && self.wrote {
                        self.out.push(b'\n');
                    }
                    self.header(&inner, b"[", b"]");
                    self.table(&inner, item)?;
                }
            }
        }
        Ok(())
    }

    fn header(&mut self, path: &[Str], open: &[u8], close: &[u8]) {
        self.indent(path.len() - 1);
        self.out.extend_from_slice(open);
        for (i, key) in path.iter().enumerate() {
            if i > 0 {
                self.out.push(b'.');
            }
            self.key(key);
        }
        self.out.extend_from_slice(close);
        self.out.push(b'\n');
        self.wrote = true;
    }

    fn indent(&mut self, depth: usize) {
        self.out.resize(self.out.len() + 2 * depth, b' ');
    }

    fn key(&mut self, name: &[u8]) {
        key(name, &mut self.out);
    }

    fn element(&mut self, value: &Value) -> Result<(), Fault> {
        match value {
            Value::Nil => return Err(NIL_ELEMENT.into()),
            Value::Bool(value) => self.out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Value::Int(..) => gotemplate::fmt::write(value, &mut self.out),
            Value::Float(value) => {
                let text = match *value {
                    f64::INFINITY => "inf".to_owned(),
                    f64::NEG_INFINITY => "-inf".to_owned(),
                    value if value.is_nan() => {
                        if value.is_sign_negative() { "-nan" } else { "nan" }.to_owned()
                    }
                    value => {
                        let text = format_float(value, Layout::General { large: 6 }, None);
                        if text.contains(['.', 'e']) { text } else { format!("{text}.0") }
                    }
                };
                self.out.extend_from_slice(text.as_bytes());
            }
            Value::Str(text) => string(text, &mut self.out),
            value if is_map(value) => {
                self.out.push(b'{');
                let entries = entries(value);
                // Tables come last here, too, but for those that are nil.
                let (tables, simple): (Vec<_>, Vec<_>) =
                    entries.iter().partition(|(_, item)| is_table(item) && !item.is_nil());
                let places = places(value);
                for (i, (key, item)) in simple.into_iter().chain(tables).enumerate() {
                    if item.is_nil() {
                        continue;
                    }
                    self.key(key);
                    self.out.extend_from_slice(b" = ");
                    self.element(item)?;
                    // Before a nil, which is left out, too; in structs, for the field whose place is that of the last.
                    let place = places.iter().position(|name| name.as_bytes() == &**key).unwrap_or(i);
                    if place + 1 != entries.len() {
                        self.out.extend_from_slice(b", ");
                    }
                }
                self.out.push(b'}');
            }
            Value::Object(object) if object.type_name() == "time.Time" => {
                let text = crate::args::strval(&object.encoded());
                let text = text.text();
                // What TOML read without a zone, a time or a date is written without it.
                let zone = object.text().unwrap_or_default();
                let (date, time) = text.trim_end_matches('Z').split_once('T').unwrap_or((&text, ""));
                let kept = match zone.rsplit(' ').next() {
                    Some("datetime-local") => format!("{date}T{time}"),
                    Some("date-local") => date.to_owned(),
                    Some("time-local") => time.to_owned(),
                    _ => text.into_owned(),
                };
                self.out.extend_from_slice(kept.as_bytes());
            }
            Value::Object(object) if object.type_name() == "time.Duration" => {
                self.element(&gotemplate::fmt::sprint(value).into())?;
            }
            Value::Object(object) => self.element(&object.encoded())?,
            Value::Complex(..) => return Err("unsupported type: complex128".into()),
            list => {
                self.out.push(b'[');
                for (i, item) in list.elements().map(|e| e.to_vec()).unwrap_or_default().iter().enumerate() {
                    if i > 0 {
                        self.out.extend_from_slice(b", ");
                    }
                    if item.is_nil() {
                        return Err(NIL_ELEMENT.into());
                    }
                    self.element(item)?;
                }
                self.out.push(b']');
            }
        }
        Ok(())
    }
}

/// Appends a key, in quotes where it needs them.
pub(crate) fn key(key: &[u8], out: &mut Vec<u8>) {
    if !key.is_empty() && key.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
        out.extend_from_slice(key);
    } else {
        string(key, out);
    }
}

fn string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    // Byte by byte: what is not UTF-8 stays as it is.
    for byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            0..=0x1f | 0x7f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            byte => out.push(*byte),
        }
    }
    out.push(b'"');
}

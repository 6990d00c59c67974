//! Printing as Go's `fmt` does.

mod float;
mod integer;
mod pad;
mod value;

pub use float::{Layout, format_float};

use crate::value::{IntKind, Value};
use pad::Flags;

/// Appends a value as a template prints it.
pub fn print_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Str(text) => out.extend_from_slice(text),
        Value::Nil => out.extend_from_slice(b"<no value>"),
        Value::Object(object) => match object.printed() {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => write_pointed_to(value, out),
        },
        value => write(value, out),
    }
}

fn write_pointed_to(value: &Value, out: &mut Vec<u8>) {
    let start = out.len();
    write(value, out);
    if let Value::Object(object) = value
        && object.kind() == "ptr"
        && object.text().is_none()
        && out.get(start) == Some(&b'&')
    {
        out.remove(start);
    }
}

/// Appends a value in its default format, that of `%v`.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Str(text) => out.extend_from_slice(text),
        value => {
            let mut printer = Printer { out, flags: Flags::default(), other: b"", bare: false };
            printer.argument(value, b'v');
        }
    }
}

/// A value in its default format.
#[must_use]
pub fn sprint(value: &Value) -> String {
    let mut out = Vec::new();
    write(value, &mut out);
    readable(out)
}

/// A value in its default format; of a pointer without a text of its own, what it points to.
pub(crate) fn sprint_pointed_to(value: &Value) -> String {
    let mut out = Vec::new();
    match value {
        Value::Object(object) if object.only_pointer_has_text() => {
            let mut printer = Printer { out: &mut out, flags: Flags::default(), other: b"", bare: true };
            printer.argument(value, b'v');
            out.remove(0);
        }
        value => write_pointed_to(value, &mut out),
    }
    readable(out)
}

fn readable(out: Vec<u8>) -> String {
    String::from_utf8(out).unwrap_or_else(|bad| crate::text::chars(bad.as_bytes()).map(|(c, _)| c).collect())
}

/// `fmt.Sprint`: a space between two operands when neither is a string.
#[must_use]
pub fn print(values: &[Value]) -> Vec<u8> {
    print_with(values, write)
}

/// As [`print`], of pointers what they point to.
pub(crate) fn print_pointed_to(values: &[Value]) -> Vec<u8> {
    print_with(values, write_pointed_to)
}

fn print_with(values: &[Value], write: fn(&Value, &mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    let mut after_string = true;
    for (i, value) in values.iter().enumerate() {
        let string = matches!(value, Value::Str(_));
        if i > 0 && !string && !after_string {
            out.push(b' ');
        }
        write(value, &mut out);
        after_string = string;
    }
    out
}

/// `fmt.Sprintln`
#[must_use]
pub fn println(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        write(value, &mut out);
    }
    out.push(b'\n');
    out
}

/// Widths and precisions beyond this are bad, as in Go.
const TOO_LARGE: i64 = 1_000_000;

/// `fmt.Sprintf`
#[must_use]
pub fn printf(format: &[u8], args: &[Value]) -> Vec<u8> {
    let mut out = Vec::with_capacity(format.len() + 16);
    let mut state =
        Format { format, at: 0, args, arg: 0, reordered: false, good_index: true, after_index: false };
    state.run(&mut out);
    out
}

struct Printer<'o> {
    out: &'o mut Vec<u8>,
    flags: Flags,
    /// What stands for the verb [`OTHER`].
    other: &'o [u8],
    /// Whether methods are left alone: within what a verb does not fit, and in private fields.
    bare: bool,
}

/// A verb that nothing has.
const OTHER: u8 = 0;

struct Format<'a> {
    format: &'a [u8],
    at: usize,
    args: &'a [Value],
    arg: usize,
    reordered: bool,
    good_index: bool,
    after_index: bool,
}

impl Format<'_> {
    fn byte(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    fn run(&mut self, out: &mut Vec<u8>) {
        while self.at < self.format.len() {
            let rest = self.format.get(self.at..).unwrap_or_default();
            let text = rest.iter().position(|b| *b == b'%').unwrap_or(rest.len());
            out.extend_from_slice(rest.get(..text).unwrap_or_default());
            self.at += text;
            if self.at >= self.format.len() {
                break;
            }
            self.at += 1;
            self.directive(out);
        }
        if !self.reordered && self.arg < self.args.len() {
            out.extend_from_slice(b"%!(EXTRA ");
            for (i, arg) in self.args.iter().skip(self.arg).enumerate() {
                if i > 0 {
                    out.extend_from_slice(b", ");
                }
                if matches!(arg, Value::Nil) {
                    out.extend_from_slice(b"<nil>");
                } else {
                    out.extend_from_slice(arg.type_name().as_bytes());
                    out.push(b'=');
                    write(arg, out);
                }
            }
            out.push(b')');
        }
    }

    fn directive(&mut self, out: &mut Vec<u8>) {
        let mut flags = Flags::default();
        self.good_index = true;
        self.after_index = false;
        while let Some(b) = self.byte() {
            match b {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            self.at += 1;
        }
        self.index();
        if self.byte() == Some(b'*') {
            self.at += 1;
            match self.star() {
                Some(width) => {
                    if width < 0 {
                        flags.minus = true;
                        flags.zero = false;
                    }
                    flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => out.extend_from_slice(b"%!(BADWIDTH)"),
            }
            self.after_index = false;
        } else {
            flags.width = self.number();
            if self.after_index && flags.width.is_some() {
                self.good_index = false;
            }
        }
        self.precision(&mut flags, out);
        if !self.after_index {
            self.index();
        }
        self.verb(flags, out);
    }

    fn precision(&mut self, flags: &mut Flags, out: &mut Vec<u8>) {
        // A point at the very end is a verb.
        if self.byte() != Some(b'.') || self.at + 1 == self.format.len() {
            return;
        }
        self.at += 1;
        if self.after_index {
            self.good_index = false;
        }
        self.index();
        if self.byte() == Some(b'*') {
            self.at += 1;
            match self.star() {
                Some(precision) if precision >= 0 => flags.precision = usize::try_from(precision).ok(),
                _ => out.extend_from_slice(b"%!(BADPREC)"),
            }
            self.after_index = false;
        } else {
            flags.precision = Some(self.number().unwrap_or(0));
        }
    }

    fn verb(&mut self, mut flags: Flags, out: &mut Vec<u8>) {
        let rest = self.format.get(self.at..).unwrap_or_default();
        let Some((verb, len)) = crate::text::decode_char(rest) else {
            out.extend_from_slice(b"%!(NOVERB)");
            return;
        };
        // A byte that is no UTF-8 has become U+FFFD.
        let mut utf8 = [0; 4];
        let raw = verb.encode_utf8(&mut utf8).as_bytes();
        self.at += len;
        if verb == '%' {
            out.push(b'%');
            return;
        }
        if !self.good_index {
            out.extend_from_slice(b"%!");
            out.extend_from_slice(raw);
            out.extend_from_slice(b"(BADINDEX)");
            return;
        }
        let Some(arg) = self.args.get(self.arg) else {
            out.extend_from_slice(b"%!");
            out.extend_from_slice(raw);
            out.extend_from_slice(b"(MISSING)");
            return;
        };
        self.arg += 1;
        if matches!(verb, 'v' | 'w') {
            flags.sharp_v = std::mem::take(&mut flags.sharp);
            flags.plus_v = std::mem::take(&mut flags.plus);
        }
        let mut printer = Printer { out, flags, other: raw, bare: false };
        match u8::try_from(verb) {
            Ok(verb) if verb.is_ascii() && verb != b'w' => printer.argument(arg, verb),
            // `%w` is for errors, of which there are none here; only what `fmt` knows by its type gets to its elements.
            Ok(b'w') if arg.as_bytes().is_none() => printer.bad_verb(OTHER, arg),
            _ => printer.argument(arg, OTHER),
        }
    }

    fn number(&mut self) -> Option<usize> {
        let mut value: Option<i64> = None;
        while let Some(b @ b'0'..=b'9') = self.byte() {
            let before = value.unwrap_or(0);
            if before > TOO_LARGE {
                // Go takes this for the end of the format.
                self.at = self.format.len();
                return None;
            }
            value = Some(before * 10 + i64::from(b - b'0'));
            self.at += 1;
        }
        value.and_then(|value| usize::try_from(value).ok())
    }

    /// The argument of a `*`, if it is an integer that may be one.
    fn star(&mut self) -> Option<i64> {
        let arg = self.args.get(self.arg)?;
        self.arg += 1;
        let value = match arg {
            Value::Int(kind, value) if !(*kind == IntKind::Uint64 && *value < 0) => *value,
            Value::Object(object) => object.number()?,
            _ => return None,
        };
        (value.unsigned_abs() <= TOO_LARGE.unsigned_abs()).then_some(value)
    }

    /// `[n]`
    fn index(&mut self) {
        self.after_index = false;
        if self.byte() != Some(b'[') {
            return;
        }
        self.reordered = true;
        let rest = self.format.get(self.at + 1..).unwrap_or_default();
        let Some(close) = rest.iter().position(|b| *b == b']').filter(|_| rest.len() > 1) else {
            self.good_index = false;
            self.at += 1;
            return;
        };
        let text = rest.get(..close).and_then(|text| std::str::from_utf8(text).ok());
        self.at += close + 2;
        let number = text
            .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|text| text.parse::<usize>().ok())
            .filter(|number| i64::try_from(*number).is_ok_and(|number| number / 10 <= TOO_LARGE));
        match number {
            Some(n) if n >= 1 && n <= self.args.len() => {
                self.arg = n - 1;
                self.after_index = true;
            }
            _ => {
                self.good_index = false;
                self.after_index = number.is_some();
            }
        }
    }
}

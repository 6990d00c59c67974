//! TOML, read. Integers stay integers, as Helm has them.

use std::collections::BTreeMap;
use std::rc::Rc;

use gotemplate::{Str, Value};

use crate::time::{FixedZone, Zone};

/// Reads a document.
///
/// # Errors
/// The line and the problem.
pub(crate) fn read(text: &[u8]) -> Result<Value, String> {
    // Marks of an encoding are passed over, also those of one that this is not.
    let marks: [&[u8]; 3] = [b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"];
    let text = marks.into_iter().find_map(|mark| text.strip_prefix(mark)).unwrap_or(text);
    let Ok(text) = std::str::from_utf8(text) else { return Err("toml: invalid UTF-8".to_owned()) };
    let root = Value::dict(BTreeMap::new());
    let mut reader = Reader { rest: text, line: 1 };
    let mut table = root.clone();
    let mut opened: Vec<Vec<Str>> = Vec::new();
    loop {
        reader.blank();
        let Some(c) = reader.peek() else { return Ok(root) };
        if c == '[' {
            reader.bump();
            let array = reader.peek() == Some('[');
            if array {
                reader.bump();
            }
            let path = reader.path(']')?;
            for _ in 0..=usize::from(array) {
                if reader.bump() != Some(']') {
                    return reader.error("expected end of table name delimiter ']'");
                }
            }
            table = reader.open(&root, &path, array)?;
            let shown: Vec<_> = path.iter().map(Str::text).collect();
            if array {
                // Each element has tables of its own.
                opened.retain(|open| !open.starts_with(&path));
            } else if opened.contains(&path) {
                return reader.error(format!("Key '{}' has already been defined.", shown.join(".")));
            } else {
                opened.push(path);
            }
        } else {
            reader.entry(&table)?;
        }
        reader.end_of_line()?;
    }
}

struct Reader<'t> {
    rest: &'t str,
    line: usize,
}

type Read<T> = Result<T, String>;

impl Reader<'_> {
    fn error<T>(&self, problem: impl std::fmt::Display) -> Read<T> {
        Err(format!("toml: line {}: {problem}", self.line))
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.line += usize::from(c == '\n');
        self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
        Some(c)
    }

    fn spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    /// Spaces, line breaks and comments.
    fn blank(&mut self) {
        loop {
            match self.peek() {
                Some('\r') if !self.rest.starts_with("\r\n") => return,
                Some(' ' | '\t' | '\r' | '\n') => _ = self.bump(),
                Some('#') => {
                    // A control character is for whoever reads on, who cannot take it, unless the line ends so.
                    let ends = |c: char| c.is_ascii_control() && c != '\t';
                    let end = self.rest.find(ends).unwrap_or(self.rest.len());
                    self.rest = self.rest.get(end..).unwrap_or_default();
                }
                _ => return,
            }
        }
    }

    fn end_of_line(&mut self) -> Read<()> {
        self.spaces();
        match self.peek() {
            None | Some('\n' | '#' | '\r') => Ok(()),
            Some(c) => self.error(format!(
                "expected a top-level item to end with a newline, comment, or EOF, but got {c:?} instead"
            )),
        }
    }

    fn path(&mut self, end: char) -> Read<Vec<Str>> {
        let mut path = Vec::new();
        loop {
            self.spaces();
            path.push(self.key(end)?);
            self.spaces();
            if self.peek() != Some('.') {
                return Ok(path);
            }
            self.bump();
        }
    }

    fn key(&mut self, _end: char) -> Read<Str> {
        match self.peek() {
            Some('"') => self.basic().map(Into::into),
            Some('\'') => self.literal().map(Into::into),
            Some(c) if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') => {
                let len = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')));
                let (key, rest) = self.rest.split_at(len.unwrap_or(self.rest.len()));
                let key = key.into();
                self.rest = rest;
                Ok(key)
            }
            Some('\r') => self.error("TOML files cannot contain control characters: '0x0d'"),
            Some(c) => self.error(format!("expected a key but found {c:?}")),
            None => self.error("unexpected EOF; expected key"),
        }
    }

    fn entry(&mut self, table: &Value) -> Read<()> {
        let path = self.path('=')?;
        match self.peek() {
            Some('=') => _ = self.bump(),
            None => return self.error("unexpected EOF; expected key separator '='"),
            Some(c) => return self.error(format!("expected '.' or '=', but got {c:?} instead")),
        }
        self.spaces();
        let value = self.value(0)?;
        let Some((last, before)) = path.split_last() else { return Ok(()) };
        let into = self.open(table, before, false)?;
        if let Some(dict) = into.as_dict() {
            if dict.get(last).is_some() {
                return self.error(format!("Key '{}' has already been defined.", last.text()));
            }
            dict.set(last.clone(), value);
        }
        Ok(())
    }

    fn open(&self, root: &Value, path: &[Str], array: bool) -> Read<Value> {
        let mut table = root.clone();
        for (i, key) in path.iter().enumerate() {
            let last = i + 1 == path.len();
            let Some(dict) = table.as_dict().cloned() else {
                return self.error(format!("Key '{}' was already created as a hash.", key.text()));
            };
            let new = || Value::dict(BTreeMap::new());
            let next = match dict.get(key) {
                Some(Value::List(list)) if array && last => {
                    let mut items = list.items().to_vec();
                    let added = new();
                    items.push(added.clone());
                    dict.set(key.clone(), Value::typed_list(list.ty, items));
                    added
                }
                Some(Value::List(list)) => list.items().last().cloned().unwrap_or_default(),
                Some(other) => other,
                None if array && last => {
                    let added = new();
                    dict.set(
                        key.clone(),
                        Value::typed_list(gotemplate::ListType::Dicts, vec![added.clone()]),
                    );
                    added
                }
                None => {
                    let added = new();
                    dict.set(key.clone(), added.clone());
                    added
                }
            };
            table = next;
        }
        Ok(table)
    }

    fn value(&mut self, depth: usize) -> Read<Value> {
        if depth > 200 {
            return self.error("nested too deeply");
        }
        match self.peek() {
            Some('"') => self.basic().map(Into::into),
            Some('\'') => self.literal().map(Into::into),
            Some('[') => {
                self.bump();
                let mut items = Vec::new();
                loop {
                    self.blank();
                    if self.peek() == Some(']') {
                        self.bump();
                        return Ok(Value::list(items));
                    }
                    items.push(self.value(depth + 1)?);
                    self.blank();
                    match self.peek() {
                        Some(',') => _ = self.bump(),
                        Some(']') => {}
                        _ => return self.error("expected a comma (',') or array terminator (']')"),
                    }
                }
            }
            Some('{') => {
                self.bump();
                let table = Value::dict(BTreeMap::new());
                self.blank();
                while self.peek() != Some('}') {
                    self.entry(&table)?;
                    self.blank();
                    match self.peek() {
                        Some(',') => _ = self.bump(),
                        Some('}') => {}
                        _ => return self.error("expected a comma or an inline table terminator '}'"),
                    }
                    self.blank();
                }
                self.bump();
                Ok(table)
            }
            _ => self.bare(),
        }
    }

    fn bare(&mut self) -> Read<Value> {
        let len = self.rest.find([',', ']', '}', '\n', '\r', '#']).unwrap_or(self.rest.len());
        let (raw, _) = self.rest.split_at(len);
        let raw = raw.trim_end();
        let used = raw.len();
        let plain: String = raw.chars().filter(|c| *c != '_').collect();
        let value = match &*plain {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            "inf" | "+inf" => Some(Value::Float(f64::INFINITY)),
            "-inf" => Some(Value::Float(f64::NEG_INFINITY)),
            "nan" | "+nan" | "-nan" => Some(Value::Float(f64::NAN)),
            text => number(text).or_else(|| moment(raw)),
        };
        let Some(value) = value else {
            let c = raw.chars().next();
            return match c {
                Some(_) => self
                    .error(format!("expected value but found {} instead", gotemplate::quote(raw.as_bytes()))),
                None => self.error("unexpected EOF; expected value"),
            };
        };
        self.rest = self.rest.get(used..).unwrap_or_default();
        Ok(value)
    }

    fn literal(&mut self) -> Read<String> {
        let (open, close) = if self.rest.starts_with("'''") { (3, "'''") } else { (1, "'") };
        let inner = self.rest.get(open..).unwrap_or_default();
        let Some(end) = inner.find(close) else { return self.error("unexpected EOF; expected \"'\"") };
        let (text, rest) = inner.split_at(end);
        if open == 1 && text.contains('\n') {
            return self.error("strings cannot contain newlines");
        }
        self.line += text.matches('\n').count();
        let text = text.to_owned();
        self.rest = rest.get(open..).unwrap_or_default();
        Ok(if open == 3 { text.strip_prefix('\n').map_or(text.clone(), str::to_owned) } else { text })
    }

    fn basic(&mut self) -> Read<String> {
        let multi = self.rest.starts_with("\"\"\"");
        for _ in 0..if multi { 3 } else { 1 } {
            self.bump();
        }
        if multi && self.peek() == Some('\n') {
            self.bump();
        }
        let mut out = String::new();
        loop {
            if multi && self.rest.starts_with("\"\"\"") {
                for _ in 0..3 {
                    self.bump();
                }
                return Ok(out);
            }
            match self.bump() {
                None => return self.error("unexpected EOF; expected '\"'"),
                Some('"') if !multi => return Ok(out),
                Some('\n') if !multi => return self.error("strings cannot contain newlines"),
                Some('\\') => self.escape(multi, &mut out)?,
                Some(c) => out.push(c),
            }
        }
    }

    fn escape(&mut self, multi: bool, out: &mut String) -> Read<()> {
        let c = match self.bump() {
            Some('b') => '\u{8}',
            Some('t') => '\t',
            Some('n') => '\n',
            Some('f') => '\u{c}',
            Some('r') => '\r',
            Some('e') => '\u{1b}',
            Some(c @ ('"' | '\\')) => c,
            Some(c @ ('u' | 'U')) => {
                let len = if c == 'u' { 4 } else { 8 };
                let code = self.rest.get(..len).and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let Some(c) = code.and_then(char::from_u32) else {
                    return self.error("expected hexadecimal digits after '\\u'");
                };
                self.rest = self.rest.get(len..).unwrap_or_default();
                c
            }
            Some('\n' | ' ' | '\t') if multi => {
                while matches!(self.peek(), Some(' ' | '\t' | '\r' | '\n')) {
                    self.bump();
                }
                return Ok(());
            }
            Some(c) => return self.error(format!("invalid escape character {c:?}")),
            None => return self.error("unexpected EOF"),
        };
        out.push(c);
        Ok(())
    }
}

fn number(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let decimal_zero = unsigned.len() > 1
        && unsigned.starts_with('0')
        && unsigned.as_bytes().get(1).copied().is_some_and(|b| b.is_ascii_digit());
    if decimal_zero {
        return None;
    }
    if let Some(value) = gotemplate::parse_int(text) {
        return Some(Value::int64(value));
    }
    gotemplate::parse_float(text).map(Value::Float)
}

/// A date or time; one without a zone has a zone whose name says so.
fn moment(text: &str) -> Option<Value> {
    const LAYOUTS: [(&str, &str); 10] = [
        ("2006-01-02T15:04:05Z07:00", ""),
        ("2006-01-02 15:04:05Z07:00", ""),
        ("2006-01-02T15:04Z07:00", ""),
        ("2006-01-02 15:04Z07:00", ""),
        ("2006-01-02T15:04:05", "datetime-local"),
        ("2006-01-02 15:04:05", "datetime-local"),
        ("2006-01-02T15:04", "datetime-local"),
        ("2006-01-02", "date-local"),
        ("15:04:05", "time-local"),
        ("15:04", "time-local"),
    ];
    LAYOUTS.iter().find_map(|(layout, zone)| {
        // Here an hour has two digits.
        let hour = layout.find("15");
        if hour.is_some_and(|hour| text.as_bytes().get(hour + 2) != Some(&b':')) {
            return None;
        }
        let mut time = crate::time::parse(layout, text).ok()?;
        if !zone.is_empty() {
            time.zone = Zone::Fixed(Rc::new(FixedZone { offset: 0, name: (*zone).to_owned(), only: true }));
        }
        Some(crate::dates::value(time))
    })
}

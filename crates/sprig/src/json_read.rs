//! JSON, read as Go reads it: every number a float, the last of two equal keys, and Go's errors.

use std::collections::BTreeMap;

use gotemplate::{Str, Value};

/// Deepest nesting, Go's own limit being 10,000.
const MAX_DEPTH: usize = 2_000;

/// `fromJson`: a dict, or one with the problem under `Error`.
pub(crate) fn dict(text: &[u8]) -> Value {
    match read_with(text).map(|(value, problem)| match (&value, problem) {
        (Value::Dict(dict), Some(problem)) => {
            dict.set("Error", problem);
            value
        }
        // The number alone: it is no dict in the first place.
        (Value::Nil, Some(_)) => Value::Float(0.0),
        _ => value,
    }) {
        Ok(value @ Value::Dict(_)) => value,
        Ok(Value::Nil) => Value::typed_dict(gotemplate::DictType::Nil, BTreeMap::new()),
        Ok(other) => {
            let found = kind(&other);
            error_dict(format!(
                "json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
            ))
        }
        Err(problem) => error_dict(problem),
    }
}

/// `fromJsonArray`: a list, or one of the problem alone.
pub(crate) fn list(text: &[u8]) -> Value {
    let read = read_with(text).and_then(|(value, problem)| match (&value, problem) {
        (Value::Nil, Some(_)) => Ok(Value::Float(0.0)),
        (_, Some(problem)) => Err(problem),
        (_, None) => Ok(value),
    });
    match read {
        Ok(value @ Value::List(_)) => value,
        Ok(Value::Nil) => Value::typed_list(gotemplate::ListType::Nil, Vec::new()),
        Ok(other) => {
            let found = kind(&other);
            Value::list(vec![
                format!("json: cannot unmarshal {found} into Go value of type []interface {{}}").into(),
            ])
        }
        Err(problem) => Value::list(vec![problem.into()]),
    }
}

/// The text of a JSON string; empty for null.
///
/// # Errors
/// Go's words for what is none.
pub(crate) fn string(text: &[u8]) -> Result<String, String> {
    match read_with(text)? {
        (Value::Str(text), _) => Ok(text.text().into_owned()),
        (Value::Nil, None) => Ok(String::new()),
        (Value::Nil, Some(_)) => Err("json: cannot unmarshal number into Go value of type string".to_owned()),
        (other, _) => Err(format!("json: cannot unmarshal {} into Go value of type string", kind(&other))),
    }
}

pub(crate) fn error_dict(problem: String) -> Value {
    Value::dict([("Error".into(), problem.into())].into())
}

/// JSON's name of a value's type.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Dict(_) => "object",
        Value::List(_) => "array",
        Value::Str(_) => "string",
        Value::Bool(_) => "bool",
        Value::Nil => "null",
        _ => "number",
    }
}

/// Reads one value.
///
/// # Errors
/// Go's text.
pub fn read(text: &[u8]) -> Result<Value, String> {
    match read_with(text)? {
        (_, Some(problem)) => Err(problem),
        (value, None) => Ok(value),
    }
}

/// As [`read`], but a number that is too large is a null and a problem of its own: Go goes on reading.
fn read_with(text: &[u8]) -> Result<(Value, Option<String>), String> {
    let mut reader = Reader { text, at: 0, problem: None };
    reader.space();
    let value = reader.value(0)?;
    reader.space();
    match reader.peek() {
        None => Ok((value, reader.problem)),
        Some(_) => Err(reader.unexpected("after top-level value")),
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    problem: Option<String>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn unexpected(&self, context: &str) -> String {
        // At the end Go tries a space, which is wrong within a number, an escape or a word.
        const WITHIN: [&str; 4] = ["numeric literal", "escape", "hexadecimal", "in literal"];
        match self.peek().or_else(|| WITHIN.iter().any(|w| context.contains(w)).then_some(b' ')) {
            None => "unexpected end of JSON input".to_owned(),
            Some(b) => {
                let shown = match b {
                    b'\'' => "'\\''".to_owned(),
                    b'"' => "'\"'".to_owned(),
                    b => {
                        let quoted = gotemplate::quote(char::from(b).to_string().as_bytes());
                        format!("'{}'", quoted.trim_matches('"'))
                    }
                };
                format!("invalid character {shown} {context}")
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err("exceeded max depth".to_owned());
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Value::Str(self.string()?)),
            Some(b't') => self.word(b"true", "true", true.into()),
            Some(b'f') => self.word(b"false", "false", false.into()),
            Some(b'n') => self.word(b"null", "null", Value::Nil),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    fn word(&mut self, word: &[u8], name: &str, value: Value) -> Result<Value, String> {
        for b in word {
            if self.peek() != Some(*b) {
                return Err(self.unexpected(&format!("in literal {name} (expecting '{}')", char::from(*b))));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.unexpected("in numeric literal")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !self.peek().is_some_and(|b| b.is_ascii_digit()) {
                return Err(self.unexpected("after decimal point in numeric literal"));
            }
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !self.peek().is_some_and(|b| b.is_ascii_digit()) {
                return Err(self.unexpected("in exponent of numeric literal"));
            }
            self.digits();
        }
        let text =
            self.text.get(start..self.at).and_then(|t| std::str::from_utf8(t).ok()).unwrap_or_default();
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Value::Float(value)),
            _ => {
                let problem = format!("json: cannot unmarshal number {text} into Go value of type float64");
                self.problem.get_or_insert(problem);
                Ok(Value::Nil)
            }
        }
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn string(&mut self) -> Result<Str, String> {
        self.at += 1;
        let mut out: Vec<u8> = Vec::new();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    // A character for each byte that is not UTF-8.
                    return Ok(Str::from(out).text().into_owned().into());
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut out)?;
                }
                Some(b) if b >= b' ' => {
                    out.push(b);
                    self.at += 1;
                }
                _ => return Err(self.unexpected("in string literal")),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        let simple = match self.peek() {
            Some(b @ (b'"' | b'\\' | b'/')) => b,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                self.at += 1;
                let mut code = self.hex()?;
                if (0xd800..0xdc00).contains(&code) && self.text.get(self.at..self.at + 2) == Some(b"\\u") {
                    let mark = self.at;
                    self.at += 2;
                    let low = self.hex()?;
                    if (0xdc00..0xe000).contains(&low) {
                        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                    } else {
                        self.at = mark;
                    }
                }
                let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(self.unexpected("in string escape code")),
        };
        out.push(simple);
        self.at += 1;
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|b| char::from(b).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.unexpected("in \\u hexadecimal character escape"));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn array(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::list(items));
        }
        loop {
            self.space();
            items.push(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::list(items));
                }
                _ => return Err(self.unexpected("after array element")),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut map = BTreeMap::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::dict(map));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("looking for beginning of object key string"));
            }
            let key = self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("after object key"));
            }
            self.at += 1;
            self.space();
            map.insert(key, self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::dict(map));
                }
                _ => return Err(self.unexpected("after object key:value pair")),
            }
        }
    }
}

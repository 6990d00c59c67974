//! Arguments, whose types the executor has checked, and conversions as Sprig does them.

use std::rc::Rc;

use gotemplate::{Dict, Fault, ListType, Str, Value, fmt, parse_float, parse_int};

pub(crate) type Outcome = Result<Value, Fault>;

/// Access to checked arguments; one that is missing is the zero value.
pub(crate) trait Args {
    fn any(&self, i: usize) -> &Value;
    fn bytes(&self, i: usize) -> &[u8];
    fn str(&self, i: usize) -> Str;
    fn int(&self, i: usize) -> i64;
    fn dict(&self, i: usize) -> Option<&Rc<Dict>>;
}

impl Args for [Value] {
    fn any(&self, i: usize) -> &Value {
        self.get(i).unwrap_or(const { &Value::Nil })
    }

    fn bytes(&self, i: usize) -> &[u8] {
        match self.get(i) {
            Some(Value::Str(text)) => text,
            _ => b"",
        }
    }

    fn str(&self, i: usize) -> Str {
        match self.get(i) {
            Some(Value::Str(text)) => text.clone(),
            _ => Str::default(),
        }
    }

    fn int(&self, i: usize) -> i64 {
        match self.get(i) {
            Some(Value::Int(_, value)) => *value,
            _ => 0,
        }
    }

    fn dict(&self, i: usize) -> Option<&Rc<Dict>> {
        self.get(i).and_then(Value::as_dict)
    }
}

/// Sprig's text of a value.
pub(crate) fn strval(value: &Value) -> Str {
    match value {
        Value::Str(text) | Value::Bytes(text) => text.clone(),
        Value::List(list) if list.ty == ListType::NilBytes => Str::default(),
        other => {
            let mut out = Vec::new();
            fmt::write(other, &mut out);
            out.into()
        }
    }
}

/// Sprig's list of texts; nils are dropped.
pub(crate) fn strings(value: &Value) -> Vec<Str> {
    match (value, value.elements()) {
        (_, Some(elements)) => {
            elements.to_vec().iter().filter(|v| !matches!(v, Value::Nil)).map(strval).collect()
        }
        (Value::Nil, _) => Vec::new(),
        (other, _) => vec![strval(other)],
    }
}

/// `int64` of anything; what is no number is 0.
pub(crate) fn to_int(value: &Value) -> i64 {
    match value {
        Value::Bool(value) => i64::from(*value),
        Value::Int(_, value) => *value,
        Value::Float(value) => float_to_int(*value),
        Value::Str(text) => {
            let text = text.text();
            parse_int(without_zero_fraction(&text)).unwrap_or(0)
        }
        Value::Object(object) => object.cast(),
        _ => 0,
    }
}

/// A float cut to an integer; out of range it is the least one, as on amd64.
pub(crate) fn float_to_int(value: f64) -> i64 {
    if (-9.223_372_036_854_776e18..9.223_372_036_854_776e18).contains(&value) {
        value as i64
    } else {
        i64::MIN
    }
}

fn without_zero_fraction(text: &str) -> &str {
    match text.split_once('.') {
        Some((whole, fraction))
            if !whole.is_empty() && !fraction.is_empty() && fraction.bytes().all(|b| b == b'0') =>
        {
            whole
        }
        _ => text,
    }
}

/// `float64` of anything; what is no number is 0.
pub(crate) fn to_float(value: &Value) -> f64 {
    match value {
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Int(kind, value) if kind.unsigned() => value.cast_unsigned() as f64,
        Value::Int(_, value) => *value as f64,
        Value::Float(value) => *value,
        Value::Str(text) => parse_float(&text.text()).unwrap_or(0.0),
        Value::Object(object) => object.cast() as f64,
        _ => 0.0,
    }
}

/// Sprig's idea of an empty value.
pub(crate) fn empty(value: &Value) -> bool {
    !value.truth()
}

/// A Go panic about a nil type, which list functions have for a nil list.
pub(crate) const NIL_POINTER: &str = "runtime error: invalid memory address or nil pointer dereference";

//! Values under verbs.

use super::Printer;
use crate::object::Object;
use crate::value::{Dict, ListType, Value};

/// Where things are, as far as a template can tell: only the address of nil is that of Go.
const ADDRESS: i64 = 0x2a00_0000_0000;

impl Printer<'_> {
    /// A value that is an argument itself.
    pub(super) fn argument(&mut self, value: &Value, verb: u8) {
        match (value, verb) {
            (Value::Nil, b'v' | b'T') => self.pad(b"<nil>"),
            (Value::Nil, _) => self.bad_verb(verb, value),
            (value, b'T') => {
                let name = value.type_name();
                self.string(name.as_bytes(), b's');
            }
            (value, b'p') => match value.kind_name() {
                "ptr" | "map" | "slice" => self.address(if value.is_nil() { 0 } else { ADDRESS }),
                _ => self.bad_verb(verb, value),
            },
            _ => self.value(value, verb, 0),
        }
    }

    fn address(&mut self, address: i64) {
        self.flags.sharp = !self.flags.sharp;
        self.integer(address, false, b'x');
        self.flags.sharp = !self.flags.sharp;
    }

    fn value(&mut self, value: &Value, verb: u8, depth: usize) {
        let good = match value {
            Value::Nil if self.flags.sharp_v => {
                self.out.extend_from_slice(b"interface {}(nil)");
                true
            }
            Value::Nil => {
                self.out.extend_from_slice(b"<nil>");
                true
            }
            Value::Bool(value) => match verb {
                b't' | b'v' => {
                    self.pad(if *value { b"true" } else { b"false" });
                    true
                }
                _ => false,
            },
            Value::Int(kind, bits) => self.integer(*bits, !kind.unsigned(), verb),
            Value::Float(value) => self.float(*value, verb),
            Value::Complex(re, im) => self.complex(*re, *im, verb),
            Value::Str(text) => self.string(text, verb),
            Value::Bytes(bytes) => self.bytes(bytes, false, verb, depth),
            Value::List(list) if list.ty == ListType::NilBytes => self.bytes(b"", true, verb, depth),
            Value::List(list) if list.ty.nil() && self.flags.sharp_v => {
                self.out.extend_from_slice(value.type_name().as_bytes());
                self.out.extend_from_slice(b"(nil)");
                true
            }
            Value::List(list) => {
                let name = value.type_name();
                self.list(&name, list.items(), verb, depth);
                true
            }
            Value::Dict(dict) => {
                let name = value.type_name();
                self.dict(&name, dict, verb, depth);
                true
            }
            Value::Object(object) => self.object(&**object, verb, depth),
        };
        if !good {
            self.bad_verb(verb, value);
        }
    }

    fn bytes(&mut self, bytes: &[u8], nil: bool, verb: u8, depth: usize) -> bool {
        if matches!(verb, b's' | b'x' | b'X' | b'q') {
            return self.string(bytes, verb);
        }
        let sharp = self.flags.sharp_v;
        let plain = matches!(verb, b'v' | b'd');
        if sharp {
            // Only an argument itself has the short name, and only under a verb that bytes have.
            self.out.extend_from_slice(if plain && depth == 0 { b"[]byte" } else { b"[]uint8" });
            if nil {
                self.out.extend_from_slice(b"(nil)");
                return true;
            }
        }
        self.out.push(if sharp { b'{' } else { b'[' });
        for (i, b) in bytes.iter().enumerate() {
            if i > 0 {
                self.out.extend_from_slice(if sharp { b", " } else { b" " });
            }
            if plain {
                self.integer(i64::from(*b), false, b'v');
            } else {
                let byte = Value::Int(crate::value::IntKind::Uint8, i64::from(*b));
                self.value(&byte, verb, depth + 1);
            }
        }
        self.out.push(if sharp { b'}' } else { b']' });
        true
    }

    fn list(&mut self, name: &str, items: &[Value], verb: u8, depth: usize) {
        let sharp = self.flags.sharp_v;
        if sharp {
            self.out.extend_from_slice(name.as_bytes());
        }
        self.out.push(if sharp { b'{' } else { b'[' });
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.out.extend_from_slice(if sharp { b", " } else { b" " });
            }
            self.value(item, verb, depth + 1);
        }
        self.out.push(if sharp { b'}' } else { b']' });
    }

    fn dict(&mut self, name: &str, dict: &Dict, verb: u8, depth: usize) {
        let sharp = self.flags.sharp_v;
        if sharp && dict.nil() {
            self.out.extend_from_slice(name.as_bytes());
            self.out.extend_from_slice(b"(nil)");
            return;
        }
        if sharp {
            self.out.extend_from_slice(name.as_bytes());
            self.out.push(b'{');
        } else {
            self.out.extend_from_slice(b"map[");
        }
        for (i, (key, value)) in dict.entries().into_iter().enumerate() {
            if i > 0 {
                self.out.extend_from_slice(if sharp { b", " } else { b" " });
            }
            self.value(&Value::Str(key), verb, depth + 1);
            self.out.push(b':');
            self.value(&value, verb, depth + 1);
        }
        self.out.push(if sharp { b'}' } else { b']' });
    }

    fn object(&mut self, object: &dyn Object, verb: u8, depth: usize) -> bool {
        if object.nil() {
            return self.nil(object, verb);
        }
        if self.flags.sharp_v
            && !self.bare
            && let Some(text) = object.go_text()
        {
            return self.string(text.as_bytes(), b's');
        }
        if !self.flags.sharp_v
            && !self.bare
            && matches!(verb, b'v' | b's' | b'x' | b'X' | b'q')
            && let Some(text) = object.text()
        {
            return self.string(text.as_bytes(), verb);
        }
        if let Some(list) = object.items() {
            self.list(object.type_name(), list.items(), verb, depth);
            return true;
        }
        if let Some(dict) = object.entries() {
            self.dict(object.type_name(), dict, verb, depth);
            return true;
        }
        if let Some(bits) = object.number() {
            return self.integer(bits, true, verb);
        }
        let pointer = object.type_name().starts_with('*');
        if pointer && depth > 0 {
            return match verb {
                b'v' => {
                    self.address(ADDRESS);
                    true
                }
                b'b' | b'o' | b'd' | b'x' | b'X' => self.integer(ADDRESS, false, verb),
                _ => false,
            };
        }
        if pointer {
            self.out.push(b'&');
        }
        let sharp = self.flags.sharp_v;
        if sharp {
            self.out.extend_from_slice(object.type_name().trim_start_matches('*').as_bytes());
        }
        self.out.push(b'{');
        for (i, (name, value)) in object.fields().iter().enumerate() {
            if i > 0 {
                self.out.extend_from_slice(if sharp { b", " } else { b" " });
            }
            if sharp || self.flags.plus_v {
                self.out.extend_from_slice(name.as_bytes());
                self.out.push(b':');
            }
            // What is private has no methods that could be called.
            let bare = self.bare;
            self.bare |= name.starts_with(char::is_lowercase);
            self.value(value, verb, depth + 1);
            self.bare = bare;
        }
        self.out.push(b'}');
        true
    }

    /// A pointer or a list that is nil.
    fn nil(&mut self, object: &dyn Object, verb: u8) -> bool {
        let pointer = object.kind() == "ptr";
        match verb {
            b'v' if self.flags.sharp_v => {
                let name = object.type_name();
                self.out.extend_from_slice(
                    if pointer { format!("({name})(nil)") } else { format!("{name}(nil)") }.as_bytes(),
                );
            }
            _ if !pointer => self.out.extend_from_slice(b"[]"),
            b'v' => self.pad(b"<nil>"),
            b'b' | b'o' | b'd' | b'x' | b'X' => return self.integer(0, false, verb),
            _ => return false,
        }
        true
    }

    /// `%!verb(type=value)`
    pub(super) fn bad_verb(&mut self, verb: u8, value: &Value) {
        self.out.extend_from_slice(b"%!");
        match verb {
            super::OTHER => self.out.extend_from_slice(self.other),
            verb => self.out.push(verb),
        }
        self.out.push(b'(');
        if matches!(value, Value::Nil) {
            self.out.extend_from_slice(b"<nil>");
        } else {
            self.out.extend_from_slice(value.type_name().as_bytes());
            self.out.push(b'=');
            let bare = std::mem::replace(&mut self.bare, true);
            self.argument(value, b'v');
            self.bare = bare;
        }
        self.out.push(b')');
    }
}

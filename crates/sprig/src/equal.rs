//! `reflect.DeepEqual`

use std::rc::Rc;

use gotemplate::Value;

/// True for values of the same types and contents.
pub(crate) fn deep_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(x), Value::Bool(y)) => x == y,
        (Value::Int(kx, x), Value::Int(ky, y)) => kx == ky && x == y,
        (Value::Float(x), Value::Float(y)) => x == y,
        (Value::Complex(x, xi), Value::Complex(y, yi)) => x == y && xi == yi,
        (Value::Str(x), Value::Str(y)) | (Value::Bytes(x), Value::Bytes(y)) => x == y,
        (Value::List(x), Value::List(y)) => {
            x.ty == y.ty
                && x.items().len() == y.items().len()
                && x.items().iter().zip(y.items()).all(|(x, y)| deep_equal(x, y))
        }
        (Value::Dict(x), Value::Dict(y)) => {
            if a.type_name() == b.type_name() && Rc::ptr_eq(&x.map, &y.map) {
                return true;
            }
            a.type_name() == b.type_name() && x.nil() == y.nil() && x.len() == y.len() && {
                let (x, y) = (x.entries(), y.entries());
                x.iter().zip(&y).all(|((kx, x), (ky, y))| kx == ky && deep_equal(x, y))
            }
        }
        (Value::Object(x), Value::Object(y)) => {
            let fields = || {
                let (x, y) = (x.fields(), y.fields());
                x.iter().zip(&y).all(|((_, x), (_, y))| deep_equal(x, y))
            };
            Rc::ptr_eq(x, y)
                || (x.type_name() == y.type_name()
                    && x.number() == y.number()
                    && fields()
                    && deep_equal(&x.encoded(), &y.encoded()))
        }
        _ => false,
    }
}

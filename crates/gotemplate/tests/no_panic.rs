//! No text makes the lexer, the parser or the executor panic. `cargo xtask fuzz` runs these with many cases.

use std::sync::Arc;

use gotemplate::{Exec, Functions, Limits, MissingKey, Parsed, Set, Value, fmt};
use proptest::prelude::*;

const TOKENS: [&str; 48] = [
    "{{", "}}", "{{-", "-}}", "{{/*", "*/}}", " ", "\n", ".", ".a", ".b.c", "$", "$x", ":=", "=", "|", ",",
    "(", ")", "if", "else", "end", "range", "with", "define", "template", "block", "break", "continue",
    "nil", "true", "\"t\"", "`r`", "'c'", "'", "\"", "1", "-1.5e3", "0x", "1i", "printf", "index", "len",
    "eq", "and", "call", "slice", "é",
];

fn tokens() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&TOKENS[..]), 0..40).prop_map(|tokens| tokens.join(" "))
}

fn run(text: &str) {
    let functions = Functions::new();
    let Ok(parsed) = Parsed::new("t", text, &functions) else { return };
    let mut set = Set::new();
    set.add(&parsed);
    let mut state = ();
    let limits = Limits { steps: 20_000, output: 1 << 20, depth: 50 };
    let mut exec = Exec::new(&functions, Arc::new(set), MissingKey::Zero, limits, &mut state);
    let list = Value::list(vec![Value::Nil, Value::Float(f64::NAN), "x".into()]);
    let _ = exec.render(
        b"t",
        "root",
        &Value::dict([("a".into(), list), ("b".into(), Value::int(i64::MIN))].into()),
    );
}

/// A value that can be shown, which [`Value`] cannot: it may be secret.
#[derive(Debug, Clone)]
enum Shown {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Bytes(Vec<u8>),
    List(Vec<Shown>),
}

impl Shown {
    fn value(&self) -> Value {
        match self {
            Shown::Nil => Value::Nil,
            Shown::Bool(value) => Value::Bool(*value),
            Shown::Int(value) => Value::int(*value),
            Shown::Float(value) => Value::Float(*value),
            Shown::Bytes(bytes) => bytes.clone().into(),
            Shown::List(items) => Value::list(items.iter().map(Shown::value).collect()),
        }
    }
}

fn value() -> impl Strategy<Value = Shown> {
    let leaf = prop_oneof![
        Just(Shown::Nil),
        any::<bool>().prop_map(Shown::Bool),
        any::<i64>().prop_map(Shown::Int),
        any::<f64>().prop_map(Shown::Float),
        any::<Vec<u8>>().prop_map(Shown::Bytes),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Shown::List))
}

proptest! {
    #[test]
    fn any_text(text in ".{0,200}") {
        run(&text);
    }

    #[test]
    fn any_tokens(text in tokens()) {
        run(&text);
    }

    #[test]
    fn any_action(tokens in tokens()) {
        run(&format!("{{{{ {} }}}}", tokens.replace("{{", "").replace("}}", "")));
    }

    #[test]
    fn any_format(format in "(%[-+# 0]{0,3}(\\*|[0-9]{0,3})(\\.[0-9*]{0,2})?(\\[[0-9]?\\]?)?.?){0,4}", args in prop::collection::vec(value(), 0..4)) {
        let args: Vec<Value> = args.iter().map(Shown::value).collect();
        let _ = fmt::printf(format.as_bytes(), &args);
    }
}

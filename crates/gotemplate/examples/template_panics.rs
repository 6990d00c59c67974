//! Looks for texts that make the lexer, the parser or the executor panic:
//! `cargo xtask fuzz template-panics [--seconds N] [--seed S] [--part lexer|parser|executor]`.
//!
//! The lexer gets bytes, the parser tokens in any order, the executor actions that mostly parse. A text that panics is
//! printed; the exit code is then 1.
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "indexes come from below()")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gotemplate::{Exec, Functions, Limits, MissingKey, Parsed, Set, Value};
use oracle::Random;

const TOKENS: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    "{{/*",
    "*/}}",
    " ",
    "\n",
    ".",
    ".a",
    ".b.c",
    "$",
    "$x",
    ":=",
    "=",
    "|",
    ",",
    "(",
    ")",
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "template",
    "block",
    "break",
    "continue",
    "nil",
    "true",
    "\"t\"",
    "`r`",
    "'c'",
    "'",
    "\"",
    "1",
    "-1.5e3",
    "0x",
    "1i",
    "printf",
    "index",
    "len",
    "eq",
    "and",
    "call",
    "slice",
    "é",
    "\\",
    "\u{0}",
    "\u{feff}",
    "99999999999999999999",
    "0b2",
    "1_",
    "'\\x41'",
];

const OPERANDS: &[&str] = &[
    ".",
    "$",
    ".a",
    ".b",
    ".l",
    ".d.x",
    ".d.x.y",
    "$x",
    "nil",
    "true",
    "0",
    "-1",
    "9223372036854775807",
    "1.5",
    "1i",
    "'c'",
    "\"%d %s %v %q %x\"",
    "`%*.*f`",
    "\"\"",
    "(len .a)",
    "(index .l 0)",
    "(slice .a 1)",
    "(printf \"%T\" .d)",
    "(and .a .b)",
    "(not .l)",
    "(print .d .l)",
    "(html .a)",
    "(js .)",
    "(urlquery .l)",
    "(eq .a .b)",
    "(lt .b 3)",
];

const ACTIONS: &[&str] = &[
    "{{ O }}",
    "{{ $x := O }}",
    "{{ $x = O }}",
    "{{ if O }}B{{ else if O }}B{{ else }}B{{ end }}",
    "{{ with O }}B{{ end }}",
    "{{ range $i, $x := O }}B{{ else }}B{{ end }}",
    "{{ range O }}B{{ break }}{{ end }}",
    "{{ range O }}{{ continue }}{{ end }}",
    "{{ template \"t\" O }}",
    "{{ block \"b\" O }}B{{ end }}",
    "{{ O | printf \"%v\" }}",
    "{{ index O O O }}",
    "{{ slice O O O O }}",
    "{{ printf O O O }}",
    "{{ len O }}",
    "{{ eq O O O }}",
    "{{ lt O O }}",
    "{{- O -}}",
    "text\n",
    "{{ call O O }}",
    "{{ println O O | len }}",
    "{{ (O).x }}",
    "{{ O | index O }}",
    "{{ or O O }}",
];

struct Writer(Random);

impl Writer {
    fn bytes(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        for _ in 0..self.0.below(30) {
            match self.0.below(3) {
                0 => text.push(self.0.below(256) as u8),
                1 => text.extend_from_slice(b"{{"),
                _ => text.extend_from_slice(self.0.pick(TOKENS).as_bytes()),
            }
        }
        text
    }

    fn tokens(&mut self) -> Vec<u8> {
        let mut text = String::from("{{ ");
        for _ in 0..self.0.below(25) {
            text += self.0.pick(TOKENS);
            text += self.0.pick(&["", " ", " "]);
        }
        text += self.0.pick(&[" }}", "", " }}{{ end }}"]);
        text.into_bytes()
    }

    fn action(&mut self, depth: usize) -> String {
        let mut text = String::new();
        for c in self.0.pick(ACTIONS).chars() {
            match c {
                'O' => text += self.0.pick(OPERANDS),
                'B' if depth > 0 => text += &self.action(depth - 1),
                'B' => {}
                c => text.push(c),
            }
        }
        text
    }

    fn actions(&mut self) -> Vec<u8> {
        let mut text = String::from("{{ $x := 1 }}");
        for _ in 0..1 + self.0.below(5) {
            text += &self.action(3);
        }
        text.into_bytes()
    }
}

fn run(text: &[u8], functions: &Functions) -> bool {
    let Ok(parsed) = Parsed::new("t", text, functions) else { return false };
    let mut set = Set::new();
    set.add(&parsed);
    let mut state = ();
    let limits = Limits { steps: 20_000, output: 1 << 20, depth: 50 };
    let mut exec = Exec::new(functions, Arc::new(set), MissingKey::Zero, limits, &mut state);
    let list = Value::list(vec![Value::Nil, Value::Float(f64::NAN), "x\u{e9}".into(), Value::int64(-3)]);
    let inner = Value::dict([("x".into(), list.clone()), ("".into(), Value::Nil)].into());
    let data = [
        ("a".into(), "text\n".into()),
        ("b".into(), Value::int(i64::MIN)),
        ("l".into(), list),
        ("d".into(), inner),
    ];
    let _ = exec.render(b"t", "root", &Value::dict(data.into()));
    true
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let number =
        |name: &str, otherwise: u64| after(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let parts: &[&str] = match after("--part").map(String::as_str) {
        None => &["lexer", "parser", "executor"],
        Some("lexer") => &["lexer"],
        Some("parser") => &["parser"],
        Some("executor") => &["executor"],
        Some(other) => {
            eprintln!("error: no part {other:?}; known: lexer, parser, executor");
            return ExitCode::from(2);
        }
    };
    let functions = Functions::new();
    let mut writer = Writer(Random::new(number("--seed", 1)));
    let end = Instant::now() + Duration::from_secs(number("--seconds", 60));
    let (mut cases, mut parsed) = (0u64, 0u64);
    while Instant::now() < end {
        let part = parts[(cases % parts.len() as u64) as usize];
        let text = match part {
            "lexer" => writer.bytes(),
            "parser" => writer.tokens(),
            _ => writer.actions(),
        };
        match catch_unwind(AssertUnwindSafe(|| run(&text, &functions))) {
            Ok(good) => parsed += u64::from(good),
            Err(_) => {
                println!("{part} panics: {:?}", String::from_utf8_lossy(&text));
                return ExitCode::from(1);
            }
        }
        cases += 1;
    }
    println!("{cases} texts, {parsed} of them parsed and ran, no panic");
    ExitCode::SUCCESS
}

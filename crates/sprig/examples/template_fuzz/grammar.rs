//! Random templates and values.

use serde_json::{Map, Value, json};

use crate::functions::{FUNCTIONS, Signature};
use crate::idioms;
use crate::notations;
use crate::oddities;
use crate::texts;
use crate::tree::{Kind, Part};
use oracle::Random;

/// A chart to render: one file of templates, one of helpers, and the user's values.
#[derive(Clone)]
pub struct Case {
    pub template: Part,
    pub helpers: Part,
    pub values: Value,
}

pub fn case(r: &mut Random) -> Case {
    if r.chance(15) {
        return idioms::case(r);
    }
    if r.chance(10) {
        return notations::case(r);
    }
    if r.chance(20) {
        return odd_case(r);
    }
    let mut grammar = Grammar { r, variables: vec![Vec::new()], loops: 0, size: 0, helpers: 0, odd: false };
    let mut helpers = Part::new(Kind::Block);
    for i in 0..grammar.r.below(3) {
        let mut define = Part::new(Kind::Block);
        define.text(format!("{{{{ define \"h{i}\" }}}}")).part(grammar.body(3)).text("{{ end }}");
        helpers.part(define);
        grammar.helpers += 1;
    }
    grammar.size = 0;
    let mut template = Part::new(Kind::Block);
    for _ in 0..1 + grammar.r.below(3) {
        let block = grammar.block(4);
        template.part(block);
    }
    Case { template, helpers, values: values(r) }
}

/// A call with objects that few give to it, its result shown in some way.
pub fn odd_case(r: &mut Random) -> Case {
    let shown = oddities::shown(r);
    let mut grammar = Grammar { r, variables: vec![Vec::new()], loops: 0, size: 0, helpers: 0, odd: true };
    let result = match grammar.r.below(10) {
        0 => grammar.simple('A'),
        1 => {
            let pipe = grammar.pipeline(1);
            parenthesised(pipe)
        }
        2 => {
            let call = grammar.call('A', 2, false);
            parenthesised(call)
        }
        _ => {
            let call = grammar.call('A', 0, false);
            parenthesised(call)
        }
    };
    let mut template = Part::new(Kind::Block);
    for (i, text) in shown.split('@').enumerate() {
        if i > 0 {
            template.part(result.clone());
        }
        template.text(text);
    }
    Case { template, helpers: Part::new(Kind::Block), values: values(r) }
}

fn values(r: &mut Random) -> Value {
    let mut map = Map::new();
    for key in ["a", "b", "c", "d", "e", "n", "s", "l", "m", "x"] {
        if r.chance(85) {
            let value = match key {
                "n" => number(r),
                "s" => json!(texts::word(r)),
                "l" => list(r, 2),
                "m" => dict(r, 3),
                _ => value(r, 3),
            };
            map.insert(key.to_owned(), value);
        }
    }
    Value::Object(map)
}

fn number(r: &mut Random) -> Value {
    if r.chance(60) { json!(r.below(100)) } else { json!(r.float()) }
}

fn list(r: &mut Random, depth: usize) -> Value {
    if r.chance(30) {
        return Value::Array((0..r.below(5)).map(|_| json!(texts::word(r))).collect());
    }
    Value::Array((0..r.below(5)).map(|_| value(r, depth)).collect())
}

fn dict(r: &mut Random, depth: usize) -> Value {
    let entries = (0..r.below(5)).map(|_| {
        let key = if r.chance(85) { texts::key(r).to_owned() } else { texts::word(r) };
        (key, value(r, depth))
    });
    Value::Object(entries.collect())
}

pub fn value(r: &mut Random, depth: usize) -> Value {
    match r.below(if depth == 0 { 7 } else { 11 }) {
        0 => Value::Null,
        1 => Value::Bool(r.chance(50)),
        2 | 3 => number(r),
        4..=6 => json!(texts::word(r)),
        7 | 8 => list(r, depth - 1),
        _ => dict(r, depth - 1),
    }
}

/// A text as a template writes it.
fn literal(r: &mut Random, text: &str) -> String {
    if r.chance(15) && !text.contains('`') {
        return format!("`{text}`");
    }
    let mut out = quoted(text);
    if r.chance(1) {
        out.pop();
        out += r.pick(&["\\xff", "\\377", "\\a", "\\q", "\\ud800", "\\U00110000", "\\x4", "\\'"]);
        out.push('"');
    }
    out
}

/// A text in double quotes.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => out += &format!("\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

struct Grammar<'a> {
    r: &'a mut Random,
    /// Names that are in scope, by block.
    variables: Vec<Vec<String>>,
    loops: usize,
    size: usize,
    helpers: usize,
    /// Whether half of all operands are such as few templates give.
    odd: bool,
}

impl Grammar<'_> {
    fn open(&mut self) -> &'static str {
        if self.r.chance(15) { "{{- " } else { self.r.pick(&["{{ ", "{{", "{{ "]) }
    }

    fn close(&mut self) -> &'static str {
        if self.r.chance(15) { " -}}" } else { self.r.pick(&[" }}", " }}", "\n}}"]) }
    }

    fn body(&mut self, depth: usize) -> Part {
        let mut body = Part::new(Kind::Block);
        self.variables.push(Vec::new());
        for _ in 0..1 + self.r.below(2) {
            let block = self.block(depth);
            body.part(block);
        }
        self.variables.pop();
        body
    }

    fn block(&mut self, depth: usize) -> Part {
        self.size += 1;
        let mut part = Part::new(Kind::Block);
        if depth == 0 || self.size > 25 {
            return self.action(2);
        }
        match self.r.below(22) {
            0 | 1 => {
                let text = match self.r.below(4) {
                    0 => " \n ".to_owned(),
                    1 => "text\n".to_owned(),
                    2 => format!(" {{{{- /* {} */ -}}}} ", self.r.pick(&["a comment", "", "{{ x }}", "*"])),
                    _ => texts::word(self.r).replace("{{", "{"),
                };
                part.text(text);
            }
            2 => self.branch(&mut part, "if", depth),
            3 => self.branch(&mut part, "with", depth),
            4 | 5 => self.range(&mut part, depth),
            6 => {
                let name = self.variable_name();
                let (open, close) = (self.open(), self.close());
                let pipe = self.pipeline(depth);
                part.text(format!("{open}{name} := ")).part(pipe).text(close);
                self.declare(name);
            }
            7 => match self.any_variable() {
                Some(name) => {
                    let (open, close) = (self.open(), self.close());
                    let pipe = self.pipeline(depth);
                    part.text(format!("{open}{name} = ")).part(pipe).text(close);
                }
                None => return self.action(depth),
            },
            8 if self.loops > 0 => {
                let word = self.r.pick(&["break", "continue"]);
                let condition = self.operand('B', 2);
                part.text("{{ if ").part(condition).text(format!(" }}}}{{{{ {word} }}}}{{{{ end }}}}"));
            }
            9 => {
                let data = self.operand('A', 2);
                let name = self.helper();
                part.text(format!("{{{{ template {name} ")).part(data).text(" }}");
            }
            10 if self.r.chance(30) => {
                let data = self.operand('A', 2);
                let body = self.body(depth - 1);
                let name = self.r.below(3);
                part.text(format!("{{{{ block \"b{name}\" "))
                    .part(data)
                    .text(" }}")
                    .part(body)
                    .text("{{ end }}");
            }
            11 if self.r.chance(12) => {
                let wrong = self.r.pick(&[
                    "{{ end }}",
                    "{{ else }}",
                    "{{ if }}",
                    "{{ .a.0 }}",
                    "{{ nil }}",
                    "{{ 1 2 }}",
                    "{{ ( }}",
                    "{{ ) }}",
                    "{{",
                    "{{ \"a }}",
                    "{{ $undefined }}",
                    "{{ nope }}",
                    "{{ break }}",
                    "{{ 1 | 2 }}",
                    "{{ 08 }}",
                    "{{ 'ab' }}",
                    "{{/* x }}",
                    "{{ | }}",
                    "{{ .a | }}",
                    "{{ range $a, $b, $c := .l }}{{ end }}",
                    "{{ if $a, $b := .l }}{{ end }}",
                    "{{ define }}",
                    "{{ template }}",
                    "{{ - 3 }}",
                    "{{ a% }}",
                    "{{ .% }}",
                    "{{ with }}{{ end }}",
                    "{{ else if 1 }}",
                    "{{ define \"x\" }}",
                    "{{ .a. }}",
                    "{{ $.a.b c }}",
                    "{{ \"a\".b }}",
                    "{{ 1.b }}",
                    "{{ (1).b }}",
                    "{{ true.x }}",
                    "{{ nil.x }}",
                    "{{ 99999999999999999999 }}",
                    "{{ 1e400 }}",
                    "{{ template \"x\" 1 2 }}",
                    "{{ template x }}",
                    "{{ range 1 }}{{ else }}{{ else }}{{ end }}",
                    "{{ if 1 }}{{ else if }}{{ end }}",
                ]);
                part.text(wrong);
            }
            _ => return self.action(depth),
        }
        part
    }

    fn action(&mut self, depth: usize) -> Part {
        let mut part = Part::new(Kind::Block);
        let (open, close) = (self.open(), self.close());
        let pipe = self.pipeline(depth);
        part.text(open).part(pipe).text(close);
        if self.r.chance(50) {
            part.text("\n");
        }
        part
    }

    fn branch(&mut self, part: &mut Part, word: &str, depth: usize) {
        let (open, close) = (self.open(), self.close());
        self.variables.push(Vec::new());
        part.text(format!("{open}{word} "));
        if self.r.chance(15) {
            let name = self.variable_name();
            part.text(format!("{name} := "));
            self.declare(name);
        }
        let pipe = self.pipeline(depth - 1);
        part.part(pipe).text(close);
        let body = self.body(depth - 1);
        part.part(body);
        if self.r.chance(20) {
            let pipe = self.pipeline(depth - 1);
            part.text(format!("{{{{ else {word} ")).part(pipe).text(" }}");
            let body = self.body(depth - 1);
            part.part(body);
        }
        if self.r.chance(50) {
            part.text("{{ else }}");
            let body = self.body(depth - 1);
            part.part(body);
        }
        part.text("{{ end }}");
        self.variables.pop();
    }

    fn range(&mut self, part: &mut Part, depth: usize) {
        let (open, close) = (self.open(), self.close());
        self.variables.push(Vec::new());
        part.text(format!("{open}range "));
        match self.r.below(5) {
            0 => {
                let name = self.variable_name();
                part.text(format!("{name} := "));
                self.declare(name);
            }
            1 | 2 => {
                let (first, second) = (self.variable_name(), self.variable_name());
                part.text(format!("{first}, {second} := "));
                self.declare(first);
                self.declare(second);
            }
            3 if self.r.chance(20) => {
                if let Some(name) = self.any_variable() {
                    part.text(format!("{name} = "));
                }
            }
            _ => {}
        }
        let letter = *[&'L', &'D', &'i', &'W', &'A', &'L', &'D'][self.r.below(7)];
        let over = self.operand(letter, depth - 1);
        part.part(over).text(close);
        self.loops += 1;
        let body = self.body(depth - 1);
        self.loops -= 1;
        part.part(body);
        if self.r.chance(30) {
            part.text("{{ else }}");
            let body = self.body(depth - 1);
            part.part(body);
        }
        part.text("{{ end }}");
        self.variables.pop();
    }

    fn variable_name(&mut self) -> String {
        format!("${}", self.r.pick(&["v", "w", "x", "y", "k"]))
    }

    fn declare(&mut self, name: String) {
        if let Some(scope) = self.variables.last_mut() {
            scope.push(name);
        }
    }

    fn any_variable(&mut self) -> Option<String> {
        let all: Vec<&String> = self.variables.iter().flatten().collect();
        if all.is_empty() { None } else { Some(all[self.r.below(all.len())].clone()) }
    }

    fn helper(&mut self) -> String {
        if self.helpers > 0 && self.r.chance(98) {
            format!("\"h{}\"", self.r.below(self.helpers))
        } else {
            "\"nope\"".to_owned()
        }
    }

    fn pipeline(&mut self, depth: usize) -> Part {
        let letter = *[&'A', &'S', &'A', &'L', &'D', &'B', &'I', &'F'][self.r.below(8)];
        let mut part = Part::new(Kind::Operand);
        if self.r.chance(30) && depth > 0 {
            let piped = self.call(letter, depth - 1, true);
            let first = self.operand('A', depth - 1);
            part.part(first).text(" | ").part(piped);
            return part;
        }
        self.operand(letter, depth)
    }

    /// A call; its last argument is left out when it comes through a pipe.
    fn call(&mut self, letter: char, depth: usize, piped: bool) -> Part {
        let fits: Vec<&Signature> = match letter {
            'A' => FUNCTIONS.iter().collect(),
            'N' => FUNCTIONS.iter().filter(|f| matches!(f.2, 'I' | 'F')).collect(),
            'L' => FUNCTIONS.iter().filter(|f| matches!(f.2, 'L' | 'W')).collect(),
            other => {
                let anything = self.r.chance(5);
                FUNCTIONS.iter().filter(|f| f.2 == other || (anything && f.2 == 'A')).collect()
            }
        };
        let Signature(name, params, _) = fits[self.r.below(fits.len())];
        let mut letters: Vec<char> = Vec::new();
        for c in params.chars() {
            if c == '*' {
                let last = letters.pop().unwrap_or('A');
                letters.extend(std::iter::repeat_n(last, self.r.below(4)));
            } else {
                letters.push(c);
            }
        }
        if self.r.chance(1) {
            letters.push('A');
        }
        if piped || self.r.chance(1) {
            letters.pop();
        }
        let mut part = Part::new(Kind::Operand);
        part.text(*name);
        for letter in letters {
            let letter = if self.r.chance(2) { 'A' } else { letter };
            let mut argument = Part::new(Kind::Operand);
            let operand = self.operand(letter, depth.saturating_sub(1));
            argument.text(" ").part(operand);
            part.part(argument);
        }
        part
    }

    fn operand(&mut self, letter: char, depth: usize) -> Part {
        if depth > 0 && self.r.chance(if depth > 2 { 75 } else { 45 }) {
            return match self.r.below(30) {
                0 if letter == 'S' || letter == 'A' => self.include(depth),
                1 if letter == 'S' || letter == 'A' => self.tpl(depth),
                2 if self.r.chance(25) => {
                    let mut part = Part::new(Kind::Operand);
                    let inner = self.operand('D', depth - 1);
                    let inner = if inner.to_string().starts_with('(') { inner } else { parenthesised(inner) };
                    part.part(inner).text(format!(".{}", texts::key(self.r)));
                    part
                }
                3 => {
                    let pipe = self.pipeline(depth - 1);
                    parenthesised(pipe)
                }
                _ if "ABSINFLDWT".contains(letter) => {
                    let call = self.call(letter, depth - 1, false);
                    parenthesised(call)
                }
                _ => self.simple(letter),
            };
        }
        self.simple(letter)
    }

    fn include(&mut self, depth: usize) -> Part {
        let data = self.operand('A', depth - 1);
        let name = self.helper();
        let mut part = Part::new(Kind::Operand);
        part.text(format!("(include {name} ")).part(data).text(")");
        part
    }

    fn tpl(&mut self, depth: usize) -> Part {
        let inner = self.action(1).to_string();
        let text = literal(self.r, &inner);
        let data = self.operand('A', depth - 1);
        let mut part = Part::new(Kind::Operand);
        part.text(format!("(tpl {text} ")).part(data).text(")");
        part
    }

    fn simple(&mut self, letter: char) -> Part {
        if self.odd && self.r.chance(50) {
            return Part::leaf(Kind::Operand, oddities::object(self.r));
        }
        if self.r.chance(12)
            && let Some(name) = self.any_variable()
        {
            let field = if self.r.chance(4) { format!(".{}", texts::key(self.r)) } else { String::new() };
            return Part::leaf(Kind::Operand, name + &field);
        }
        if self.r.chance(4) {
            let path = self.r.pick(&[
                ".",
                "$",
                "nil",
                "true",
                "false",
                ".Values",
                "$.Values",
                ".a",
                ".b.c",
                "$.Values.m",
                "$.Values.m.a.b",
                ".Values.missing",
                ".Values.missing.x",
                "$.Release",
                "$.Release.Name",
                "$.Capabilities.KubeVersion",
                "$.Capabilities.APIVersions",
                "$.Template.Name",
                "$.Chart.Name",
                "$.Files",
                "($.Files.Get \"a.txt\")",
                "($.Files.Glob \"conf/*\")",
                "($.Files.Lines \"conf/b.txt\")",
                "$.Release.Revision",
                "($.Files.Glob \"conf/*\").AsConfig",
                "($.Files.Glob \"**\").AsSecrets",
                "$.Capabilities.KubeVersion.Major",
                "(semver \"1.2.3-a+b\").Major",
                "(semver \"1.2.3-a+b\").Prerelease",
                "$.Values.AsMap",
                "($.Values.Table \"m\")",
                "($.Values.PathValue \"m.a\")",
                "$.Capabilities.HelmVersion.Version",
                "($.Files.GetBytes \"a.txt\")",
                "(index $.Files \"no\")",
                "($.Capabilities.APIVersions.Has \"v1\")",
            ]);
            return Part::leaf(Kind::Operand, path);
        }
        let text = match letter {
            'S' => self.text_or(".s", texts::word),
            'R' => self.text(texts::regex),
            '$' => self.text(texts::replacement),
            'V' => self.text(texts::version),
            'C' => self.text(texts::constraint),
            'Y' => self.text(texts::yaml),
            'J' => self.text(texts::json),
            'O' => self.text(texts::toml),
            'U' => self.text(texts::url),
            'P' => self.text(texts::path),
            'Z' => self.text(texts::duration),
            'Q' => self.text(texts::date_layout),
            'q' => self.text(texts::date),
            'E' => self.text(texts::encoded),
            't' => self.text(texts::type_name),
            'f' => self.text(texts::format),
            'z' => self.text(|r| {
                r.pick(&["UTC", "Local", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "", "Nope"])
                    .to_owned()
            }),
            'K' => self.text(|r| texts::key(r).to_owned()),
            'i' => (self.r.below(16) as i64 - 3).to_string(),
            'I' => {
                let value = self.r.integer();
                match self.r.below(6) {
                    0 => format!("(int64 {value})"),
                    1 => format!("(int {})", self.path("n")),
                    2 if value >= 0 => format!("{value:#x}"),
                    3 => format!("'{}'", self.r.pick(&["a", "é", "\\n", "😀", "\\x41"])),
                    _ => value.to_string(),
                }
            }
            'F' => format!("{:?}", self.r.float()),
            'N' => match self.r.below(5) {
                0 => self.path("n"),
                1 => return self.simple('I'),
                2 => return self.simple('F'),
                3 => self.text(|r| {
                    r.pick(&[
                        "1",
                        "1.5",
                        "0x1f",
                        "abc",
                        "",
                        "010",
                        "1e3",
                        "1.0",
                        "-2",
                        "9223372036854775808",
                        " 5",
                        "1_0",
                        "08",
                        ".5",
                        "1.00",
                    ])
                    .to_owned()
                }),
                _ => self.r.below(20).to_string(),
            },
            'B' => self.r.pick(&["true", "false"]).to_owned(),
            'L' => match self.r.below(3) {
                0 => self.path("l"),
                1 => "(list 1 \"a\" nil 2.5 true)".to_owned(),
                _ => {
                    let mut part = Part::new(Kind::Operand);
                    part.text("(list");
                    for _ in 0..self.r.below(4) {
                        let mut item = Part::new(Kind::Operand);
                        let inner = self.simple('A');
                        item.text(" ").part(inner);
                        part.part(item);
                    }
                    part.text(")");
                    return part;
                }
            },
            'W' => match self.r.below(3) {
                0 => self.path("l"),
                1 => "(list \"b\" \"a\" \"\" 3)".to_owned(),
                _ => "(splitList \",\" \"c,a,b\")".to_owned(),
            },
            'D' => match self.r.below(4) {
                0 | 1 => self.path("m"),
                2 => "(dict \"a\" 1 \"b\" (dict \"c\" \"d\") \"n\" nil)".to_owned(),
                _ => {
                    let mut part = Part::new(Kind::Operand);
                    part.text("(dict");
                    for _ in 0..self.r.below(3) {
                        let mut item = Part::new(Kind::Operand);
                        let inner = self.simple('A');
                        item.text(format!(" \"{}\" ", texts::key(self.r))).part(inner);
                        part.part(item);
                    }
                    part.text(")");
                    return part;
                }
            },
            'T' => match self.r.below(3) {
                0 => "(toDate \"2006-01-02T15:04:05Z07:00\" \"2024-02-29T23:04:05.678+02:00\")".to_owned(),
                1 => format!("({} {})", self.r.pick(&["int", "int64"]), self.r.below(2_000_000_000)),
                _ => "(toDate \"2006-01-02\" \"1999-12-31\")".to_owned(),
            },
            _ => match self.r.below(12) {
                0 => self.path("a"),
                1 => self.path("b"),
                2 => self.path("c"),
                3 => self.path("d"),
                4 => return self.simple('L'),
                5 => return self.simple('D'),
                6 => return self.simple('I'),
                7 => return self.simple('F'),
                8 => self.path("x"),
                9 => self.r.pick(&["true", "false", "nil", "1", "0", "\"\""]).to_owned(),
                _ => return self.simple('S'),
            },
        };
        Part::leaf(Kind::Operand, text)
    }

    fn path(&mut self, key: &str) -> String {
        let deeper = if self.r.chance(if key == "m" { 20 } else { 2 }) {
            format!(".{}", texts::key(self.r))
        } else {
            String::new()
        };
        format!("$.Values.{key}{deeper}")
    }

    fn text(&mut self, make: impl Fn(&mut Random) -> String) -> String {
        let text = make(self.r);
        literal(self.r, &text)
    }

    fn text_or(&mut self, path: &str, make: impl Fn(&mut Random) -> String) -> String {
        if self.r.chance(30) { format!("$.Values{path}") } else { self.text(make) }
    }
}

fn parenthesised(inner: Part) -> Part {
    let mut part = Part::new(Kind::Operand);
    part.text("(").part(inner).text(")");
    part
}

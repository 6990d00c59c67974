//! Texts of the kinds that functions take.

use oracle::Random;

const PIECES: &[&str] = &[
    "a",
    "b",
    "X",
    "Zz",
    "foo",
    "bar",
    "Hello World",
    "FooBar",
    "HTTPServer",
    "snake_case",
    "kebab-case",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\t",
    "-",
    "_",
    ".",
    ",",
    ":",
    ": ",
    " #",
    "#",
    "'",
    "\"",
    "`",
    "\\",
    "/",
    "//",
    "|",
    ">",
    "<",
    "&",
    "*",
    "!",
    "%",
    "@",
    "?",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "=",
    "+",
    "~",
    "$",
    "$1",
    "${1}",
    "0",
    "1",
    "12",
    "007",
    "1.5",
    "1e3",
    "0x1f",
    "é",
    "ß",
    "ﬁ",
    "日本",
    "😀",
    "\u{0}",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "\r",
    "\r\n",
    "true",
    "null",
    "yes",
    "no",
    "on",
    "---",
    "...",
    "--- ",
    "a: b",
    "k: v\n",
    "- x\n",
    "{{",
    "}}",
    "<no value>",
    "lorem ipsum dolor sit amet ",
];

const WORDS: &[&str] = &[
    "",
    "a",
    "abc",
    "Hello, World!",
    "foo bar baz",
    "true",
    "false",
    "yes",
    "no",
    "y",
    "n",
    "on",
    "off",
    "null",
    "~",
    "0",
    "1",
    "-1",
    "42",
    "007",
    "08",
    "0x1F",
    "0b11",
    "0o17",
    "1_000",
    "1.5",
    "1.0",
    "1.50",
    "-0",
    "+1",
    ".5",
    "5.",
    "1e3",
    "1E-3",
    "12:30:45",
    "2024-01-02",
    "2024-01-02T03:04:05Z",
    ".inf",
    "-.inf",
    ".nan",
    "NaN",
    "Inf",
    "infinity",
    "=",
    "<<",
    "?",
    "-",
    "- ",
    ":",
    "a:",
    "a: b",
    "#",
    " #",
    "a #b",
    "#a",
    "*a",
    "&a",
    "!a",
    "!!str",
    "|",
    ">",
    "'",
    "\"",
    "%",
    "@",
    "`",
    "[",
    "]",
    "{}",
    "[]",
    "{",
    "}",
    ",",
    "a,b",
    " a",
    "a ",
    "a\nb",
    "a\nb\n",
    "a\n\nb\n\n",
    "\n",
    "\na",
    " a\nb",
    "a \nb",
    "a\tb",
    "\t",
    "--- a",
    "...",
    "firstName",
    "first_name",
    "first-name",
    "HTTPServer",
    "UserID42",
    "été",
    "日本語",
    "😀",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "1e400",
    "0777",
    "0o8",
    "1__0",
    "_1",
    "TRUE",
    "Yes",
    "NULL",
    "None",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb cccccccccccc ddd",
];

pub fn word(r: &mut Random) -> String {
    match r.below(4) {
        0 => (0..r.below(6)).map(|_| r.pick(PIECES)).collect(),
        1 => (0..r.below(30)).map(|_| r.pick(PIECES)).collect(),
        _ => r.pick(WORDS).to_owned(),
    }
}

pub fn key(r: &mut Random) -> &'static str {
    r.pick(&["a", "b", "c", "d", "e", "n", "s", "l", "m", "x", "a10", "a2", "A", "z_1"])
}

pub fn regex(r: &mut Random) -> String {
    const ATOMS: &[&str] = &[
        "a",
        "b",
        ".",
        "[a-z]",
        "[^a-z]",
        r"\d",
        r"\w",
        r"\s",
        r"\D",
        r"\W",
        r"\S",
        r"\b",
        r"\B",
        "^",
        "$",
        "(a)",
        "(a|b)",
        "(?:ab)",
        "(?i)",
        "(?i:b)",
        "(?s).",
        "(?m)^",
        "(?P<n>a)",
        "(?<n>b)",
        "[[:alpha:]]",
        "[[:^digit:]]",
        r"\pL",
        r"\p{Greek}",
        r"\PN",
        r"\x41",
        r"\x{263a}",
        r"\Qa.b\E",
        r"\z",
        r"\A",
        "é",
        "[é-ü]",
        "foo",
        "o+",
        r"\.",
        r"\-",
        "[a-c&&b]",
        "[a[b]",
        r"[\d-z]",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "{2}",
        "{1,3}",
        "{,3}",
        "{2,1}",
        "{1001}",
        "*",
        "**",
        "+",
        "+?",
        "?",
        "??",
        "*?",
        "|",
        r"\Z",
        r"\1",
        r"\",
        "(?=a)",
        "(?!a)",
        "(?x)a b",
        "(?U)a+",
        r"\C",
        r"\101",
        r"[\]]",
        "[]a]",
        "[^]]",
        "[a-\\d]",
        "(?-i)",
        "(?P<n",
        "(?P<1>a)",
        r"\pX",
        r"\p{Foo}",
        "[z-a]",
        "x*",
        "a{0}",
        "(a*)*",
        "(a+)+",
        r"\t",
        r"\n",
        r"\a",
        r"\8",
        r"\07",
    ];
    (0..1 + r.below(4)).map(|_| r.pick(ATOMS)).collect()
}

pub fn replacement(r: &mut Random) -> String {
    const PARTS: &[&str] = &[
        "x", "$1", "${1}", "$0", "${n}", "$n", "$1x", "$$", "$", "${", "${1", "-", "\\1", "$2", "é", "${1}x",
        "$10",
    ];
    (0..r.below(4)).map(|_| r.pick(PARTS)).collect()
}

pub fn version(r: &mut Random) -> String {
    let number = |r: &mut Random| r.pick(&["0", "1", "2", "3", "10", "01", "21"]);
    let mut text = String::from(r.pick(&["", "", "", "v", "V", " "]));
    text += number(r);
    for _ in 0..r.below(4) {
        text += ".";
        text += number(r);
    }
    text += r.pick(&[
        "",
        "",
        "",
        "-rc.1",
        "-alpha",
        "-0",
        "-1",
        "-beta.2",
        "-eks-1a2b",
        "-01",
        "-",
        "-a..b",
        "-é",
    ]);
    text += r.pick(&["", "", "", "", "+meta", "+1.2", "+", "+é"]);
    text
}

pub fn constraint(r: &mut Random) -> String {
    const OPERATORS: &[&str] =
        &["", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^", "> ", ">= ", "^ ", "=="];
    let one = |r: &mut Random| -> String {
        match r.below(10) {
            0 => r.pick(&["*", "x", "X", "1.x", "1.*", "1.2.x", "1.x.3", "v1.x", "x.1"]).to_owned(),
            1 => format!("{} - {}", version(r), version(r)),
            _ => format!("{}{}", r.pick(OPERATORS), version(r)),
        }
    };
    let mut text = one(r);
    for _ in 0..r.below(3) {
        text += r.pick(&[", ", " ", ",", " || ", "||", "  "]);
        text += &one(r);
    }
    text
}

pub fn yaml(r: &mut Random) -> String {
    const LINES: &[&str] = &[
        "a: 1",
        "b: two",
        "c: [1, 2, x]",
        "d: {x: 1, y: z}",
        "e:",
        "  f: g",
        "  - h",
        "- i",
        "- j: k",
        "  l: m",
        "n: |",
        "  text",
        "",
        "   more",
        "o: >-",
        "p: \"q\\n\"",
        "r: 's'",
        "# t",
        "u: 1.5 # v",
        "w: ~",
        "x: yes",
        "y: 0777",
        "z: 2024-01-02",
        "- - 1",
        "  - 2",
        "a: &A 1",
        "b: *A",
        "<<: {x: 2}",
        "? q",
        ": v",
        "---",
        "...",
        "k: !!str 5",
        "!!binary aGk=",
        "t:\t1",
        "1: x",
        "true: y",
        "1.5: z",
        "k: : v",
        "k: [",
        "}",
        "- ",
        "'a': b",
        "a b: c d",
        "k: 0x1f",
        "k: 1e3",
        "k: .inf",
        "k: 12345678901234567890",
        "%YAML 1.1",
        "k: @x",
        "k: `x`",
        "k: %x",
        "k: !x y",
        "é: ü",
        "k: \"\\x41\\u00e9\"",
        "k: \"\\q\"",
        "k: 'it''s'",
        "k:",
        "-",
        "null: 1",
        "[1, 2]: 3",
        "{a: b}: c",
        "a",
        "b c",
        "5",
        "null",
        "",
        "m: {a: 1, a: 2}",
        "k: 1_000",
        "k: 0b101",
        "k: -0",
        "k: +5",
    ];
    let mut text = String::new();
    for _ in 0..r.below(5) + 1 {
        text += r.pick(LINES);
        text += r.pick(&["\n", "\n", "\n", "\n", "\n  ", ""]);
    }
    text
}

pub fn json(r: &mut Random) -> String {
    const TEXTS: &[&str] = &[
        "{}",
        "[]",
        "null",
        "true",
        "1",
        "1.50",
        "-0",
        "1e3",
        "\"a\"",
        "{\"a\":1}",
        "{\"a\":{\"b\":[1,null,\"x\"]}}",
        "[1,2,\"three\"]",
        "{\"a\":1,\"a\":2}",
        " { } ",
        "[1,]",
        "{\"a\":}",
        "{a:1}",
        "\"\\u00e9\\n\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud800\"",
        "01",
        "1.",
        ".5",
        "+1",
        "nul",
        "{\"a\":1} x",
        "[[[[]]]]",
        "\"\t\"",
        "1e400",
        "12345678901234567890",
        "{\"<\":\"&>\"}",
        "",
        "[",
        "\"a",
        "{\"a\" 1}",
        "{\"a\":1,}",
        "tru",
        "-",
        "1e",
        "\"\\x\"",
    ];
    r.pick(TEXTS).to_owned()
}

pub fn toml(r: &mut Random) -> String {
    const LINES: &[&str] = &[
        "a = 1",
        "b = \"two\"",
        "c = [1, 2]",
        "d = { x = 1 }",
        "[e]",
        "f = 1.5",
        "[g.h]",
        "[[i]]",
        "j = true",
        "k = 2024-01-02",
        "'l' = 'm'",
        "n.o = 1",
        "p = \"\"\"\nq\"\"\"",
        "# r",
        "s = 0x1f",
        "a = 2",
        "u",
        "v =",
        "[",
        "w = 1979-05-27T07:32:00Z",
        "x = inf",
        "y = 1_000",
        "z = [\"a\", 1]",
        "[e]",
        "q = 07:32:00",
        "r = '''\nx'''",
        "k2 = 1979-05-27T07:32:00.5-07:00",
        "t = -0.0",
        "o = 0o17",
        "c2 = []",
    ];
    let mut text = String::new();
    for _ in 0..r.below(4) + 1 {
        text += r.pick(LINES);
        text += "\n";
    }
    text
}

pub fn date_layout(r: &mut Random) -> String {
    const PARTS: &[&str] = &[
        "2006",
        "06",
        "01",
        "1",
        "Jan",
        "January",
        "02",
        "2",
        "_2",
        "002",
        "__2",
        "Mon",
        "Monday",
        "15",
        "03",
        "3",
        "04",
        "4",
        "05",
        "5",
        "PM",
        "pm",
        "MST",
        "Z07:00",
        "Z0700",
        "Z07",
        "-0700",
        "-07:00",
        "-07",
        ".000",
        ".999",
        ",000",
        ".000000",
        "-",
        "/",
        ":",
        " ",
        "T",
        "x",
        "Z07:00:00",
        "-07:00:00",
        ".00",
        "2006-01-02",
        "15:04:05",
    ];
    (0..1 + r.below(6)).map(|_| r.pick(PARTS)).collect()
}

pub fn date(r: &mut Random) -> String {
    r.pick(&[
        "2024-02-29",
        "2006-01-02",
        "2024-02-30",
        "1999-12-31T23:59:59Z",
        "2024-06-01T12:00:00+02:00",
        "Mon Jan 2 15:04:05 2006",
        "15:04",
        "x",
        "2024-1-2",
        "2024-06-01 12:30:45",
        "12/31/1999",
        "",
    ])
    .to_owned()
}

pub fn duration(r: &mut Random) -> String {
    r.pick(&[
        "1h", "90m", "-1.5h", "2h10m5s", "1ms", "300us", "1h1", "", "0", "24h", "2400h", "-0.5s", "100000h",
        "1d", "1µs", "3ns", "+5m", ".5h", "1h 2m", "45s", "60s", "59m59s", "8760h", "730h", "100",
    ])
    .to_owned()
}

pub fn url(r: &mut Random) -> String {
    r.pick(&[
        "http://example.com/path?q=1#frag",
        "https://user:pa%20ss@host:8443/a/b",
        "mailto:a@b.c",
        "//host/path",
        "/path/only",
        "",
        "a b",
        "http://[::1]:80/",
        "http://[::1",
        "%zz",
        "http://a/%2f?x=%20",
        "ftp://h",
        "http://host:port/",
        "x:y:z",
        "?q",
        "#f",
        "http://é.com/ü",
        "http://a/b c",
        "http://us er@h/",
        ":foo",
        "1http://x",
        "http://h?a=b;c",
        "http://h/a//b/../c",
        "HTTP://H/",
        "http://h:/",
        "a/b:c",
        "http://u@h",
        "http://u:@h",
        "oci://r/x:1.2",
        "http://h/\u{7f}",
        "http://%41/",
    ])
    .to_owned()
}

pub fn path(r: &mut Random) -> String {
    r.pick(&[
        "",
        ".",
        "/",
        "a",
        "a/b",
        "/a/b/",
        "a//b",
        "../a",
        "a/../b",
        "/..",
        "a.txt",
        "a.tar.gz",
        ".bashrc",
        "/a/./b/../c.d",
        "a/b/c.",
        "//",
        "a/..",
        "../../x",
        "a\\b",
        "dir.d/file",
    ])
    .to_owned()
}

pub fn encoded(r: &mut Random) -> String {
    r.pick(&[
        "aGVsbG8=",
        "aGVsbG8",
        "NBSWY3DP",
        "NBSWY3DPEB3W64TMMQ======",
        "!!!!",
        "",
        "YQ==",
        "YQ=",
        "_-_-",
        "aGk=\n",
        "8J+YgA==",
        "MFRGG===",
    ])
    .to_owned()
}

pub fn type_name(r: &mut Random) -> String {
    r.pick(&[
        "string",
        "int",
        "int64",
        "float64",
        "bool",
        "map",
        "slice",
        "invalid",
        "map[string]interface {}",
        "[]interface {}",
        "[]string",
        "<nil>",
        "common.Values",
        "ptr",
        "struct",
        "*semver.Version",
        "time.Time",
        "[]int",
        "*string",
        "semver.Version",
    ])
    .to_owned()
}

pub fn format(r: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..1 + r.below(3) {
        text += r.pick(&["", "", "x", " ", "%%", "é"]);
        text += "%";
        for _ in 0..r.below(3) {
            text += r.pick(&["", "+", "-", "#", " ", "0"]);
        }
        if r.chance(8) {
            text += r.pick(&["[1]", "[2]", "[3]", "[0]", "[x]", "["]);
        }
        text += r.pick(&["", "", "", "1", "5", "12", "*", "07"]);
        text += r.pick(&["", "", "", ".0", ".1", ".3", ".", ".*", ".20"]);
        text += r.pick(&[
            "v", "v", "s", "s", "d", "d", "q", "t", "b", "o", "O", "x", "X", "c", "U", "e", "E", "f", "F",
            "g", "G", "T", "z", "w", "",
        ]);
    }
    text
}

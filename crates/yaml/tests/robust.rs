//! Any input is answered: no panic, no endless loop, and what was written reads the same.

use proptest::prelude::*;
use yaml::{Map, Profile, ReadLimits, Value};

fn read(text: &str) -> Result<Vec<Value>, yaml::ReadError> {
    yaml::read_documents(text.as_bytes(), &ReadLimits::default())
}

/// Pieces of YAML, put together at random.
fn yamlish() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b: ",
        "- ",
        "  ",
        "\n",
        "\n  ",
        "\t",
        ":",
        "? ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "#",
        "'",
        "\"",
        "|",
        ">",
        "|2-\n",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "!",
        "%YAML 1.1\n",
        "---\n",
        "...\n",
        "\\",
        "\\u00e9",
        "é",
        "\u{feff}",
        "\u{2028}",
        "\r\n",
        "1.5",
        "0x1F",
        "2001-01-01",
        "~",
        "true",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~\n\té\u{1f600}]{0,30}".prop_map(Value::str),
        "[a-z :#'\n-]{0,120}".prop_map(Value::str),
        Just(Value::null()),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Seq),
            // Go writes the key `<<` without quotes, and reads it as a merge.
            prop::collection::vec(("[ -~\n]{0,20}".prop_filter("merges", |key| key != "<<"), inner), 0..5)
                .prop_map(|pairs| Value::Map(pairs.into_iter().collect::<Map>())),
        ]
    })
}

/// Where each key and each scalar stands.
fn places(documents: Result<&[Value], &String>) -> Vec<(u32, u16)> {
    fn collect(value: &Value, places: &mut Vec<(u32, u16)>) {
        match value {
            Value::Scalar(scalar) => places.push((scalar.line(), scalar.column())),
            Value::Seq(items) => items.iter().for_each(|item| collect(item, places)),
            Value::Map(map) => map.entries().iter().for_each(|entry| {
                places.push((entry.key.line(), entry.key.column()));
                collect(&entry.value, places);
            }),
        }
    }
    let mut places = Vec::new();
    documents.unwrap_or_default().iter().for_each(|document| collect(document, &mut places));
    places
}

proptest! {
    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..1500)) {
        let _ = yaml::read_documents(&bytes, &ReadLimits::default());
        let _ = yaml::read_first(&bytes, Profile::V2, &ReadLimits::default());
    }

    /// What is left out is left out, and nothing else is different.
    #[test]
    fn some_keys_are_read_as_all_are(
        first in yamlish(), second in yamlish(), third in yamlish(), version in 0..2
    ) {
        let profile = if version == 0 { Profile::V2 } else { Profile::V3 };
        let text = format!("a: {first}\nB: {second}\nc:\n  b: {third}\n  a: &x y\nd: *x\n");
        let limits = ReadLimits::default();
        let whole = yaml::read_first(text.as_bytes(), profile, &limits);
        let some = yaml::read_first_keys(text.as_bytes(), profile, &limits, &["a", "D"]);
        let only = |document: Option<Value>| match document {
            Some(Value::Map(map)) => (["a", "A", "d", "D"].map(|key| map.get(key).cloned()), None),
            other => ([const { None }; 4], other),
        };
        match (whole, some) {
            (Ok(whole), Ok(some)) => prop_assert_eq!(only(some), only(whole)),
            (whole, some) => prop_assert_eq!(some.map_err(|e| e.to_string()), whole.map_err(|e| e.to_string())),
        }
    }

    /// Lines that end as on Windows take the long way through the scanner, which knows everything.
    #[test]
    fn short_ways_lead_where_the_long_one_does(text in yamlish()) {
        let lines = text.replace("\r\n", "\n");
        let long = lines.replace('\n', "\r\n");
        for profile in [Profile::V2, Profile::V3] {
            let read = |text: &str| {
                yaml::read_all(text.as_bytes(), profile, &ReadLimits::default()).map_err(|e| e.to_string())
            };
            let (found, wanted) = (read(&lines), read(&long));
            prop_assert_eq!(places(found.as_deref()), places(wanted.as_deref()), "{}", lines);
            prop_assert_eq!(found, wanted, "{}", lines);
        }
    }

    #[test]
    fn pieces_of_yaml_never_panic(text in yamlish()) {
        for document in read(&text).unwrap_or_default() {
            let _ = yaml::to_yaml(&document);
            let _ = yaml::to_go_json(&document);
        }
        let _ = yaml::read_all(text.as_bytes(), Profile::V2, &ReadLimits::default());
    }

    #[test]
    fn what_is_written_reads_the_same(value in value()) {
        // The outermost mapping may hold what go-yaml cannot write; everything else survives.
        let root = Value::Map([("v", value)].into_iter().collect());
        if let Ok(text) = yaml::to_yaml(&root) {
            let again = read(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
            prop_assert_eq!(again.len(), 1, "{}", text);
            prop_assert_eq!(again[0].to_json().ok(), root.to_json().ok(), "{}", text);
            prop_assert_eq!(yaml::to_yaml(&again[0]).ok(), Some(text));
        }
    }
}

#[test]
fn depth_is_limited() {
    for open in ["[", "{a: ", "- ", "? "] {
        let error = read(&open.repeat(100_000)).unwrap_err();
        assert_eq!(error.message, "exceeded max depth of 256", "{open}");
    }
    let nested: String = (0..400).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
    assert_eq!(read(&nested).unwrap_err().message, "exceeded max depth of 256");
    let deep_enough = format!("{}1{}", "[".repeat(250), "]".repeat(250));
    assert!(read(&deep_enough).is_ok());
}

#[test]
fn aliases_cannot_explode() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![alias; 10].join(", ")));
    }
    let error = read(&bomb).unwrap_err();
    assert_eq!(error.message, "document contains excessive aliasing");
    assert!(error.line > 1);
    assert_eq!(read("a: &a [*a]\n").unwrap_err().message, "anchor 'a' value contains itself");
    assert_eq!(read("a: *b\n").unwrap_err().to_string(), "yaml: line 1: unknown anchor 'b' referenced");
}

#[test]
fn size_is_limited() {
    let limits = ReadLimits { bytes: 10, ..ReadLimits::default() };
    assert!(yaml::read_documents(b"a: 1\n", &limits).is_ok());
    let error = yaml::read_documents(b"a: 1\nb: 2\nc: 3\n", &limits).unwrap_err();
    assert_eq!(error.to_string(), "yaml: 15 bytes are more than the limit of 10");
}

#[test]
fn large_mappings_take_linear_work() {
    let text: String = (0..20_000).map(|n| format!("key-{n}: {n}\n")).collect();
    let documents = read(&text).unwrap();
    let map = documents[0].as_map().unwrap();
    assert_eq!(map.len(), 20_000);
    assert_eq!(map.get("key-19999").and_then(Value::as_i64), Some(19_999));
    assert_eq!(yaml::to_yaml(&documents[0]).unwrap(), text);
}

#[test]
fn what_comes_first_counts_by_pieces_of_512_bytes() {
    let read = |start: &str, bytes_between: usize, end: &[u8]| {
        let between = format!("# {}\n", "é".repeat(bytes_between / 2 - 1));
        let text = [start.as_bytes(), between.as_bytes(), end].concat();
        yaml::read_first(&text, Profile::V2, &ReadLimits::default()).map_err(|error| error.message)
    };
    let is = |found: Result<Option<Value>, String>, wanted: &str| {
        assert_eq!(found.unwrap_err(), wanted);
    };
    for (end, wrong) in [
        (&b"a: \x7f"[..], "control characters are not allowed"),
        (b"a: \xff", "invalid leading UTF-8 octet"),
        (b"a: \xc3(", "invalid trailing UTF-8 octet"),
        (b"a: \xed\xa0\x80", "invalid Unicode character"),
    ] {
        is(read("x: [}\n", 400, end), wrong);
        is(read("x: [}\n", 600, end), "did not find expected node content");
        is(read("\u{feff}x: [}\n", 600, end), "did not find expected node content");
        is(read("x: [\n", 600, end), wrong);
        // The second document is nobody's business, unless it is there already.
        is(read("x: 1\n---\n", 400, end), wrong);
        assert_eq!(read("x: 1\n---\n", 600, end).map(|found| found.is_some()), Ok(true));
    }
    // What is cut off is an error for those who get there.
    is(read("x: [}\n", 40, b"a: \xf0\x9f\x98"), "did not find expected node content");
    is(read("x: 1\n", 40, b"a: \xf0\x9f\x98"), "incomplete UTF-8 octet sequence");
}

#[test]
fn encodings_are_told_apart() {
    let wide = |bytes: fn(u16) -> [u8; 2]| {
        "\u{feff}a: é\u{1f600}\n".encode_utf16().flat_map(bytes).collect::<Vec<u8>>()
    };
    for bytes in
        [wide(u16::to_le_bytes), wide(u16::to_be_bytes), "\u{feff}a: é\u{1f600}\n".as_bytes().to_vec()]
    {
        let documents = yaml::read_documents(&bytes, &ReadLimits::default()).unwrap();
        assert_eq!(documents[0].get("a").and_then(Value::as_str), Some("é\u{1f600}"));
    }
    assert!(yaml::read_documents(b"a: \xff\n", &ReadLimits::default()).is_err());
    assert!(yaml::read_documents(b"a: \x01\n", &ReadLimits::default()).is_err());
}

#[test]
fn errors_name_their_place_in_the_file() {
    let place = |text: &str| {
        let error = read(text).unwrap_err();
        (error.line, error.column, error.message)
    };
    assert_eq!(place("a: 1\n---\nb: [1\n"), (4, 1, "did not find expected ',' or ']'".to_owned()));
    assert_eq!(place("a: 1\n--- x\n"), (2, 1, "invalid document separator: --- x".to_owned()));
    assert_eq!(place("a: 1\nb\n"), (2, 1, "could not find expected ':'".to_owned()));
    let twice = read("a: 1\nb: 2\na: 3\n").unwrap();
    assert_eq!(
        yaml::to_yaml(&twice[0]).unwrap_err().to_string(),
        "line 3: mapping key \"a\" already defined"
    );
}

//! The template language: what a text renders as, and how it fails.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::sync::Arc;

use gotemplate::{Exec, Functions, Limits, MissingKey, Parsed, Set, Value};

fn data() -> Value {
    let dict =
        |entries: Vec<(&str, Value)>| Value::dict(entries.into_iter().map(|(k, v)| (k.into(), v)).collect());
    dict(vec![
        ("s", "text".into()),
        ("n", Value::Float(3.0)),
        ("i", Value::int(4)),
        ("nil", Value::Nil),
        ("l", Value::list(vec!["a".into(), Value::int(2), Value::Nil])),
        ("m", dict(vec![("b", true.into()), ("a", dict(vec![("deep", "x".into())]))])),
        ("empty", Value::list(vec![])),
        ("nilBytes", Value::nil_bytes()),
    ])
}

fn render_with(text: &str, limits: Limits) -> Result<String, String> {
    let functions = Functions::new();
    let parsed = Parsed::new("t", text, &functions).map_err(|error| error.text)?;
    let mut set = Set::new();
    set.add(&parsed);
    let mut state = ();
    let mut exec = Exec::new(&functions, Arc::new(set), MissingKey::Zero, limits, &mut state);
    let text = exec.render(b"t", "root", &data()).map_err(|error| error.text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn render(text: &str) -> Result<String, String> {
    render_with(text, Limits::default())
}

#[track_caller]
fn gives(cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        assert_eq!(render(text).as_deref(), Ok(*wanted), "{text}");
    }
}

/// The error ends in this.
#[track_caller]
fn fails(cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        let error = render(text).expect_err(text);
        assert!(error.ends_with(wanted), "{text}\n  wanted {wanted}\n  found  {error}");
    }
}

#[test]
fn white_space_is_trimmed_on_request() {
    gives(&[
        ("a {{- 1 }} b", "a1 b"),
        ("a {{ 1 -}}\n\t b", "a 1b"),
        ("a {{- /* nothing */ -}} b", "ab"),
        ("{{-3}}", "-3"),
        ("{{- -3 -}} ", "-3"),
    ]);
}

#[test]
fn control_structures_choose_and_repeat() {
    gives(&[
        ("{{ if .s }}y{{ else }}n{{ end }}", "y"),
        ("{{ if .empty }}y{{ else if .i }}z{{ else }}n{{ end }}", "z"),
        ("{{ with .m.a }}{{ .deep }}{{ end }}{{ with .nope }}{{ else }}-{{ end }}", "x-"),
        ("{{ with .nope }}{{ else with .s }}{{ . }}{{ end }}", "text"),
        ("{{ range .l }}[{{ . }}]{{ end }}", "[a][2][<no value>]"),
        ("{{ range $i, $e := .l }}{{ $i }}{{ $e }},{{ end }}", "0a,12,2<no value>,"),
        ("{{ range $k, $v := .m }}{{ $k }};{{ end }}", "a;b;"),
        ("{{ range 3 }}{{ . }}{{ end }}{{ range 0 }}x{{ else }}none{{ end }}", "012none"),
        ("{{ range .empty }}x{{ else }}none{{ end }}{{ range .nil }}x{{ else }}nil{{ end }}", "nonenil"),
        (
            "{{ range 9 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ if eq . 3 }}{{ break }}{{ end }}{{ . }}{{ end }}",
            "02",
        ),
        ("{{ range 3 }}{{ . }}{{ range 0 }}{{ else }}-{{ break }}{{ end }},{{ end }}", "0-,1-,2-,"),
        ("{{ range 3 }}{{ . }}{{ range 0 }}{{ else }}-{{ continue }}{{ end }},{{ end }}", "0-1-2-"),
        (
            "{{ define \"d\" }}<{{ . }}>{{ end }}{{ template \"d\" .i }}{{ block \"b\" .s }}{{ . }}{{ end }}",
            "<4>text",
        ),
    ]);
}

#[test]
fn variables_live_in_their_block() {
    gives(&[
        ("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ end }}{{ $x }}", "1"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
        ("{{ $x := 0 }}{{ range $x = .l }}{{ end }}{{ $x }}", "<no value>"),
        ("{{ with .m }}{{ $.s }}{{ end }}", "text"),
    ]);
    fails(&[("{{ if true }}{{ $y := 1 }}{{ end }}{{ $y }}", "undefined variable \"$y\"")]);
}

#[test]
fn missing_keys_are_nothing_and_nil_has_no_fields() {
    gives(&[("{{ .nope }}|{{ .nil }}", "<no value>|<no value>"), ("{{ printf \"%v\" .nope }}", "<nil>")]);
    fails(&[
        (
            "{{ .nope.x }}",
            "template: t:1:8: executing \"t\" at <.nope.x>: nil pointer evaluating interface {}.x",
        ),
        ("{{ .s.x }}", "can't evaluate field x in type interface {}"),
        ("{{ nil }}", "nil is not a command"),
        ("{{ 1 2 }}", "can't give argument to non-function 1"),
    ]);
}

#[test]
fn a_nil_has_a_type_where_it_comes_out_of_a_map() {
    fails(&[
        ("{{ len .nil }}", "error calling len: len of nil pointer"),
        ("{{ len nil }}", "error calling len: reflect: call of reflect.Value.Type on zero Value"),
        ("{{ .nil | len }}", "error calling len: reflect: call of reflect.Value.Type on zero Value"),
    ]);
}

#[test]
fn comparisons_convert_only_the_sign_of_integers() {
    gives(&[
        ("{{ eq 1 1 }}{{ eq .n 3.0 }}{{ eq .s \"x\" \"text\" }}", "truetruetrue"),
        ("{{ lt \"a\" \"b\" }}{{ ge 2 2 }}{{ ne nil .nil }}", "truetruefalse"),
        ("{{ and 1 0 2 }}{{ or nil \"\" \"z\" }}{{ not .empty }}", "0ztrue"),
    ]);
    fails(&[
        ("{{ eq .n 3 }}", "incompatible types for comparison: float64 and int"),
        ("{{ lt .l 1 }}", "invalid type for comparison"),
        ("{{ eq 1 }}", "missing argument for comparison"),
    ]);
}

#[test]
fn printf_has_gos_verbs_and_complaints() {
    gives(&[
        (
            "{{ printf \"%5d|%-5d|%05d|%+d|%x|%#o|%08b|%c|%U\" 42 42 42 42 255 8 5 65 65 }}",
            "   42|42   |00042|+42|ff|010|00000101|A|U+0041",
        ),
        (
            "{{ printf \"%.2f|%8.3f|%e|%g|%v\" 1.005 2.5 1234.5 1e21 1e6 }}",
            "1.00|   2.500|1.234500e+03|1e+21|1e+06",
        ),
        (
            "{{ printf \"%s|%q|%x|%10.2s|%v\" \"ab\" \"a\\nb\" \"hi\" \"日本語\" nil }}",
            "ab|\"a\\nb\"|6869|        日本|<nil>",
        ),
        ("{{ printf \"%d %s %t\" \"a\" 1 2 }}", "%!d(string=a) %!s(int=1) %!t(int=2)"),
        (
            "{{ printf \"%d\" }}|{{ printf \"x\" 1 }}|{{ printf \"%\" }}",
            "%!d(MISSING)|x%!(EXTRA int=1)|%!(NOVERB)",
        ),
        // What is no UTF-8 becomes U+FFFD where it stands for a verb.
        (
            "{{ printf \"%\\xff\" | printf \"%q\" }}|{{ printf \"%\\xff\" 1 | printf \"%q\" }}",
            "\"%!\u{fffd}(MISSING)\"|\"%!\u{fffd}(int=1)\"",
        ),
        (
            "{{ printf \"%.\" 1 }}|{{ printf \"%5.x\" 255 }}|{{ printf \"%.%\" 1 }}",
            "%!.(int=1)|   ff|%%!(EXTRA int=1)",
        ),
        (
            "{{ printf \"%[2]d %[1]d\" 1 2 }}|{{ printf \"%[9]d\" 1 }}|{{ printf \"%*d\" 4 7 }}",
            "2 1|%!d(BADINDEX)|   7",
        ),
        (
            "{{ printf \"%[]\" 1 }}|{{ printf \"%[+1]d\" 1 }}|{{ printf \"%[2].0[x]%\" 1 2 }}",
            "%!](BADINDEX)|%!d(BADINDEX)|%",
        ),
        // A width that is too large ends the format.
        (
            "{{ printf \"a%10000000d\" 1 | len }}|{{ printf \"a%10000010d b\" 1 | len }}|{{ printf \"a%10000010d b\" 1 }}",
            "10000001|26|a%!(NOVERB)%!(EXTRA int=1)",
        ),
        // More places than any float has.
        (
            "{{ printf \"%.70000f\" 1.5 | len }}|{{ printf \"%.70000e\" 1.5 | len }}|{{ printf \"%.70000g\" 1.5 }}",
            "70002|70006|1.5",
        ),
        ("{{ printf \"%.1080f\" 5e-324 | len }}|{{ (printf \"%.1105e\" 5e-324) | len }}", "1082|1112"),
        ("{{ printf \"%v %T\" .l .m }}", "[a 2 <nil>] map[string]interface {}"),
    ]);
}

#[test]
fn the_verb_of_errors_is_never_right() {
    gives(&[
        ("{{ printf \"%w\" .m }}", "%!w(map[string]interface {}=map[a:map[deep:x] b:true])"),
        ("{{ printf \"%#w\" \"a\" }}", "%!w(string=\"a\")"),
    ]);
}

#[test]
fn bytes_have_their_short_name_only_at_the_top() {
    let bytes = || Value::Bytes(b"hi"[..].into());
    for (format, value, written) in [
        ("%#v", bytes(), "[]byte{0x68, 0x69}"),
        ("%#v", Value::list(vec![bytes()]), "[]interface {}{[]uint8{0x68, 0x69}}"),
        ("%#w", bytes(), "[]uint8{%!w(uint8=0x68), %!w(uint8=0x69)}"),
        ("%v|", Value::list(vec![bytes()]), "[[104 105]]|"),
        ("%x", bytes(), "6869"),
        ("%#v", Value::nil_bytes(), "[]byte(nil)"),
        ("%#v", Value::list(vec![Value::nil_bytes()]), "[]interface {}{[]uint8(nil)}"),
        ("%#w", Value::nil_bytes(), "[]uint8(nil)"),
        ("%v|", Value::nil_bytes(), "[]|"),
        ("%q", Value::nil_bytes(), "\"\""),
        ("%T", Value::nil_bytes(), "[]uint8"),
    ] {
        let found = gotemplate::fmt::printf(format.as_bytes(), &[value]);
        assert_eq!(String::from_utf8_lossy(&found), written, "{format}");
    }
}

#[test]
fn the_address_of_nil_is_known() {
    gives(&[
        (
            "{{ printf \"%p|%#p|%5p|%-5p|%05p|%.3p\" .nilBytes .nilBytes .nilBytes .nilBytes .nilBytes .nilBytes }}",
            "0x0|0|  0x0|0x0  |0x00000|0x000",
        ),
        ("{{ printf \"%p\" .nil }}", "%!p(<nil>)"),
    ]);
}

#[test]
fn bytes_that_are_nil_equal_nil_and_stay_so_in_a_slice() {
    gives(&[
        ("{{ eq .nilBytes nil }} {{ ne .nilBytes nil }} {{ eq .nilBytes .nilBytes }}", "true false true"),
        ("{{ eq (slice .nilBytes 0 0) nil }} {{ len .nilBytes }} {{ not .nilBytes }}", "true 0 true"),
        ("{{ .nilBytes }}{{ range .nilBytes }}x{{ else }}none{{ end }}", "[]none"),
    ]);
    fails(&[("{{ index .nilBytes 0 }}", "error calling index: reflect: slice index out of range")]);
}

#[test]
fn texts_that_do_not_parse_say_where() {
    fails(&[
        ("{{ if }}{{ end }}", "template: t:1: missing value for if"),
        ("\n{{ nope }}", "template: t:2: function \"nope\" not defined"),
        ("{{ range .l }}", "unexpected EOF"),
        ("{{ end }}", "unexpected {{end}}"),
        ("{{ .a | 1 }}", "non executable command in pipeline stage 2"),
        ("{{ \"a }}", "unterminated quoted string"),
        ("{{ break }}", "{{break}} outside {{range}}"),
        ("{{ 08 }}", "integer overflow: \"08\""),
        ("{{ +-1i }}", "strconv.ParseFloat: parsing \"+\": invalid syntax"),
        ("{{ 1e999+1i }}", "strconv.ParseFloat: parsing \"1e999\": value out of range"),
        ("{{ 0b1+1i }}", "syntax error scanning complex number"),
        ("{{ len ..a\n }}", "template: t:1: unexpected . after term \".\""),
        ("{{ (1 }}", "unclosed left paren"),
    ]);
}

#[test]
fn limits_are_errors() {
    let limits = |steps, output, depth| Limits { steps, output, depth };
    let steps = render_with("{{ range 1000000000 }}{{ end }}", limits(1_000, 1 << 20, 100));
    assert!(steps.is_err_and(|error| error.contains("takes more than 1000 steps")));
    let output = render_with("{{ range 1000 }}0123456789{{ end }}", limits(1 << 20, 100, 100));
    assert!(output.is_err_and(|error| error.contains("longer than 100 bytes")));
    let text = "{{ define \"r\" }}{{ template \"r\" . }}{{ end }}{{ template \"r\" . }}";
    let depth = render_with(text, limits(1 << 20, 1 << 20, 50));
    assert!(depth.is_err_and(|error| error.contains("exceeded maximum template depth (50)")));
}

#[test]
fn texts_that_double_end() {
    let text = "{{ $x := \"0123456789\" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}";
    let functions = Functions::new();
    let mut set = Set::new();
    set.add(&Parsed::new("t", text, &functions).unwrap());
    let mut state = ();
    let limits = Limits { output: 1 << 20, ..Limits::default() };
    let mut exec = Exec::new(&functions, Arc::new(set), MissingKey::Zero, limits, &mut state);
    let error = exec.render(b"t", "root", &Value::Nil).unwrap_err();
    assert!(
        error.text.contains("the texts that functions made are longer than 1048576 bytes"),
        "{}",
        error.text
    );
    assert!(exec.exhausted());
}

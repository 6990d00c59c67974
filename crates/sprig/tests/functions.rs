//! Functions: what fuzzing against the real engine found, and the corners of each kind.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::collections::BTreeMap;

use sprig::context::{files, values};
use sprig::{Error, Limits, Options, Purpose, Scope, Templates, Value, with_stack};

fn render_with(text: &str, change: impl FnOnce(&mut Options) + Send) -> Result<String, Error> {
    let templates = Templates::compile([("t/templates/t.yaml", text.as_bytes())])?;
    let texts = with_stack(|| {
        let release = Value::dict([("Name".into(), "rel".into())].into());
        let data = [("n".into(), Value::Float(5.0)), ("l".into(), Value::list(vec!["b".into(), "a".into()]))];
        let context = Value::dict(
            [
                ("Values".into(), values(data.into())),
                ("Release".into(), release),
                ("Files".into(), files([("a.txt".into(), "one\n".into())])),
            ]
            .into(),
        );
        let scope = |_: &str| Scope { context: context.clone(), base_path: "t/templates".to_owned() };
        let mut options = Options::new(1_795_255_200_000_000_000, [7; 32]);
        change(&mut options);
        templates.render(scope, options)
    })?;
    let text: Option<&Vec<u8>> = texts.values().next();
    Ok(String::from_utf8_lossy(text.map(Vec::as_slice).unwrap_or_default()).into_owned())
}

fn render(text: &str) -> Result<String, Error> {
    render_with(text, |_| {})
}

#[track_caller]
fn gives(cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        match render(text) {
            Ok(found) => assert_eq!(found, *wanted, "{text}"),
            Err(error) => panic!("{text}: {error}"),
        }
    }
}

#[track_caller]
fn fails(cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        let error = render(text).expect_err(text).to_string();
        assert!(error.ends_with(wanted), "{text}\n  wanted {wanted}\n  found  {error}");
    }
}

#[test]
fn texts() {
    gives(&[
        (
            r#"{{ camelcase "http_server-x" }}|{{ camelcase "__" }}|{{ camelcase "a_" }}"#,
            "HttpServerX|___|A_",
        ),
        (r#"{{ nospace "é" }}|{{ nospace "é a" }}"#, "é|Ã©a"),
        // A list of texts is sorted where it is.
        (
            r#"{{ $l := splitList "," "b,a" }}{{ sortAlpha $l }} {{ $l }} {{ $m := list "b" "a" }}{{ sortAlpha $m }} {{ $m }}"#,
            "[a b] [a b] [a b] [b a]",
        ),
        (
            r#"{{ $l := mustRegexFindAll "a" "b" 1 }}{{ sortAlpha $l | toJson }} {{ toStrings $l | toJson }} {{ toStrings list | toJson }}"#,
            "null null []",
        ),
        (r#"{{ (splitn "," 0 "a").x | toJson }} {{ divf "--1.5" }} {{ divf "-1.5" }}"#, r#""" 0 -1.5"#),
        (r#"{{ splitn "," 0 "a,b" | toJson }}{{ split "," "a,b" | toJson }}"#, r#"{}{"_0":"a","_1":"b"}"#),
        (
            r#"{{ quote "a\"b" nil 1 }}|{{ squote "it's" }}|{{ cat "a" nil 1 2.0 }}"#,
            r#""a\"b" "1"|'it's'|a 1 2"#,
        ),
        (r#"{{ abbrev 7 "hello world" }}|{{ substr 1 3 "hello" }}|{{ trunc -2 "abc" }}"#, "hell...|el|bc"),
        // Bytes that are no UTF-8 are characters, and belong to the word before them.
        (r#"{{ regexReplaceAllLiteral "|" (b64dec "NBSW") "a" | b64enc }}"#, "YTRhFGGWYQ=="),
        (
            r#"{{ len (regexSplit "." (trunc 2 "本x") 4) }} {{ regexFind "^..x$" (printf "%s%s" (trunc 2 "本") "x") | len }}"#,
            "3 3",
        ),
        (
            r#"{{ snakecase (b64dec "Y3DP") | b64enc }} {{ kebabcase "HTTPServer é2X" }}"#,
            "Y3DP http-server-é2-x",
        ),
    ]);
    fails(&[(r#"{{ repeat -1 "a" }}"#, "error calling repeat: strings: negative Repeat count")]);
}

#[test]
fn numbers() {
    gives(&[
        (
            r#"{{ float64 "1_0" }} {{ float64 "1__0" }} {{ float64 "0x1p-2" }} {{ subf "1_0" 1 }}"#,
            "10 0 0.25 9",
        ),
        (
            r#"{{ float64 "0x_1_ap1_0" }} {{ float64 "1_e3" }} {{ float64 "0x1_p2" }} {{ float64 "0x1.8_8p0" }}"#,
            "26624 0 0 1.53125",
        ),
        (
            r#"{{ printf "%X %x %b %08X" (float64 "Inf") (float64 "-Inf") (float64 "NaN") (float64 "Inf") }}"#,
            "+Inf -Inf NaN     +Inf",
        ),
        // Of two texts that are equally near, the even one.
        (
            r#"{{ 92309999999919.125 }} {{ 92309999999919.125 | toJson }} {{ mulf 92309999999919.125 -27.657 }}"#,
            "9.230999999991912e+13 92309999999919.12 -2.553017669997763e+15",
        ),
        (
            r#"{{ addf 0.1 0.2 }} {{ divf 1 3 }} {{ round 2.5 0 }} {{ int "0x1f" }} {{ int "1.00" }}"#,
            "0.3 0.3333333333333333 3 31 1",
        ),
        ("{{ seq 5 2 }}|{{ seq 0 2 6 }}|{{ untilStep 5 1 -2 }}", "5 4 3 2|0 2 4 6|[5 3]"),
        // What is no digit counts only before 64 bits are full.
        (
            r#"{{ atoi "18446744073709551616text\n" }} {{ atoi "-18446744073709551616text\n" }}"#,
            "9223372036854775807 -9223372036854775808",
        ),
        (
            r#"{{ atoi "18446744073709551615x" }} {{ atoi "9223372036854775808x" }} {{ atoi "-9223372036854775809x" }}"#,
            "0 0 0",
        ),
        (
            r#"{{ atoi "18446744073709551615" }} {{ atoi "9223372036854775808" }} {{ atoi "-9223372036854775808" }}"#,
            "9223372036854775807 9223372036854775807 -9223372036854775808",
        ),
        (
            r#"{{ atoi "9_9999999999999999999" }} {{ atoi "99999999999999999999_1" }} {{ atoi "+" }} {{ atoi "-007" }}"#,
            "0 9223372036854775807 0 -7",
        ),
    ]);
    fails(&[("{{ div 1 0 }}", "error calling div: runtime error: integer divide by zero")]);
}

#[test]
fn lists_and_dicts() {
    gives(&[
        (
            "{{ chunk 2 (list 1 2 3) }}|{{ chunk -2 (list 1) }}|{{ chunk -1 (list 1 2) }}",
            "[[1 2] [3]]|[[1]]|[]",
        ),
        ("{{ eq (rest (list)) nil }} {{ toJson (rest (list)) }} {{ toJson (list) }}", "true null []"),
        (
            r#"{{ $d := dict "a" 1 }}{{ $_ := set $d "b" 2 }}{{ $d }} {{ unset nil "x" }}"#,
            "map[a:1 b:2] map[]",
        ),
        (
            r#"{{ merge (dict "a" 0 "b" (dict "x" 1)) (dict "a" 5 "b" (dict "y" 2) "c" nil) }}"#,
            "map[a:5 b:map[x:1 y:2]]",
        ),
        (r#"{{ dig "a" "b" "d" (dict "a" (dict "b" nil)) | kindOf }} {{ dig "x" "d" (dict) }}"#, "invalid d"),
    ]);
    fails(&[
        ("{{ deepCopy nil }}", "error calling deepCopy: reflect: call of reflect.Value.Type on zero Value"),
        ("{{ chunk 0 (list 1) }}", "error calling chunk: runtime error: makeslice: len out of range"),
        (
            r#"{{ dig "a" 1 . }}"#,
            "interface conversion: interface {} is common.Values, not map[string]interface {}",
        ),
    ]);
}

#[test]
fn bytes_that_are_not_utf8_stay_as_they_are() {
    const BYTES: &str = r#"{{ $b := b64dec "Y3DP" }}"#;
    let cases = [
        (r#"{{ toToml (dict "a" $b) | b64enc }}"#, "YSA9ICJjcM8iCg=="),
        (r#"{{ date $b 0 | b64enc }} {{ genPrivateKey $b | b64enc }}"#, "Y3DP VW5rbm93biB0eXBlIGNwzw=="),
        (r#"{{ derivePassword 1 $b "a" "b" "c" | b64enc }}"#, "Y2Fubm90IGZpbmQgcGFzc3dvcmQgdGVtcGxhdGUgY3DP"),
        (r#"{{ htpasswd $b "a" | trunc 4 | b64enc }}"#, "Y3DPOg=="),
        (
            r#"{{ with printf "a://u%%cf:p@%s/%%cf" $b | urlParse }}{{ b64enc .host }} {{ b64enc .path }} {{ .userinfo }}{{ end }}"#,
            "Y3DP L88= u%CF:p",
        ),
        (
            r#"{{ (printf "a:%s" $b | urlParse).opaque | b64enc }} {{ urlJoin (dict "query" $b) | b64enc }}"#,
            "Y3DP P2Nwzw==",
        ),
        // One replacement for each byte.
        (r#"{{ printf "[\"e%sx\"]" (b64dec "4oI=") | fromJsonArray | first }}"#, "e\u{fffd}\u{fffd}x"),
        (
            r#"{{ (printf "a: %s " $b | fromYaml).Error }}"#,
            "error converting YAML to JSON: yaml: invalid trailing UTF-8 octet",
        ),
    ];
    for (text, wanted) in cases {
        gives(&[(&format!("{BYTES}{text}"), wanted)]);
    }
    let problems = [
        (r#"{{ genCA $b 1 }}"#, "error creating certificate: asn1: string not valid UTF-8"),
        (
            r#"{{ genSelfSignedCert "a" nil (list "b" $b) 1 }}"#,
            r#"error creating certificate: x509: "cp\xcf" cannot be encoded as an IA5String"#,
        ),
        (
            r#"{{ printf "//%s:%%cf" $b | urlParse }}"#,
            r#"parse "//cp\xcf:%cf": invalid port ":%cf" after host"#,
        ),
        (r#"{{ urlParse "//[::1%25%cf]" }}"#, r#"parse "//[::1%25%cf]": invalid URL escape "%cf""#),
        (r#"{{ .Values.PathValue "" }}"#, "error calling PathValue: YAML path cannot be empty"),
    ];
    for (text, wanted) in problems {
        fails(&[(&format!("{BYTES}{text}"), wanted)]);
    }
}

#[test]
fn a_value_in_itself_is_named_by_its_type() {
    for (text, wanted) in [
        (r#"{{ $_ := set .Values "m" (dict "v" .Values) }}{{ mustToRawJson .Values.m }}"#, "common.Values"),
        (
            r#"{{ $_ := set .Values "m" (dict "v" .Values) }}{{ mustToRawJson .Values }}"#,
            "map[string]interface {}",
        ),
        (
            r#"{{ $m := dict }}{{ $_ := set $m "l" (list (list $m)) }}{{ mustToRawJson $m }}"#,
            "map[string]interface {}",
        ),
        (r#"{{ $m := dict }}{{ $_ := set $m "l" (list $m) }}{{ mustToRawJson $m }}"#, "[]interface {}"),
        (r#"{{ $m := dict }}{{ $_ := set $m "l" (list $m) }}{{ mustToJson $m }}"#, "map[string]interface {}"),
    ] {
        fails(&[(text, &format!("json: unsupported value: encountered a cycle via {wanted}"))]);
    }
}

#[test]
fn keys_of_yaml_have_a_length() {
    gives(&[
        (
            r#"{{ dict (repeat 1022 "a") 1 | toYaml | len }} {{ dict (repeat 1023 "a") 1 | toYaml | len }}"#,
            "1028 0",
        ),
        (
            r#"{{ dict (repeat 512 "é") 1 | toYaml | len }} {{ dict (repeat 512 "\n") 1 | toYaml | len }}"#,
            "1030 0",
        ),
    ]);
    let long = r#"{{ dict "b" (list (dict (repeat 341 "abc") 1)) | mustToYaml }}"#;
    fails(&[(long, "error calling mustToYaml: yaml: did not find expected ',' or '}'")]);
}

#[test]
fn complex_numbers_are_no_yaml() {
    fails(&[
        ("{{ toYamlPretty 1i }}", "error calling toYamlPretty: cannot marshal type: complex128"),
        (
            "{{ toYamlPretty (list (dict \"a\" 1i)) }}",
            "error calling toYamlPretty: cannot marshal type: complex128",
        ),
    ]);
}

#[test]
fn deep_values_have_an_end() {
    const DEEP: &str = r#"{{ $m := dict }}{{ range until COUNT }}{{ $m = dict "a" $m }}{{ end }}"#;
    let nested = |count: &str| format!("{}{{{{ mustToJson $m | len }}}}", DEEP.replace("COUNT", count));
    gives(&[(&nested("9000"), "54002")]);
    fails(&[(&nested("11000"), "encountered a cycle via map[string]interface {}")]);
}

#[test]
fn only_plain_maps_and_values_are_tables() {
    const SET: &str = r#"{{ $_ := set .Values "m" (dict "f" .Files "t" (dict "x" 1) "v" .Template) }}"#;
    for (text, wanted) in [
        (
            r#"{{ .Values.PathValue "m.f" | typeOf }} {{ .Values.PathValue "m.v" | typeOf }}"#,
            "engine.files common.Values",
        ),
        (r#"{{ .Values.PathValue "m.t.x" }} {{ .Values.PathValue "m.v.Name" }}"#, "1 t/templates/t.yaml"),
        (
            r#"{{ .Values.Table "m.t" | typeOf }} {{ .Values.Table "m.v" | typeOf }}"#,
            "common.Values common.Values",
        ),
    ] {
        gives(&[(&format!("{SET}{text}"), wanted)]);
    }
    for (text, wanted) in [
        (r#"{{ .Values.PathValue "m.t" }}"#, r#"error calling PathValue: "t" is not a value"#),
        (r#"{{ .Values.PathValue "m.f.a" }}"#, r#"error calling PathValue: "a" is not a value"#),
        (r#"{{ .Values.Table "m.f" }}"#, r#"error calling Table: "f" is not a table"#),
    ] {
        fails(&[(&format!("{SET}{text}"), wanted)]);
    }
}

#[test]
fn a_file_that_is_missing_is_bytes_that_are_nil() {
    const NIL: &str = r#"{{ $f := index .Files "no" }}"#;
    let cases = [
        ("{{ toJson $f }} {{ toRawJson $f }} {{ toPrettyJson (list $f) }}", "null null [\n  null\n]"),
        ("{{ toYaml $f }} {{ toYaml (list $f) }} {{ toYamlPretty $f }}", "null - null []"),
        (r#"{{ toToml (dict "a" $f) }}|{{ toToml $f }}"#, "|[]"),
        ("{{ toToml (list $f) }}", "toml: cannot encode array with nil element"),
        (r#"{{ kindOf $f }} {{ typeOf $f }} {{ empty $f }} {{ default "d" $f }}"#, "slice []uint8 true d"),
        (r#"{{ eq $f nil }} {{ ne $f nil }} {{ eq $f (.Files.GetBytes "no") }}"#, "true false false"),
        (
            r#"{{ deepEqual $f nil }} {{ deepEqual $f $f }} {{ deepEqual $f (.Files.GetBytes "no") }} {{ has $f (list 1 $f) }}"#,
            "false true false true",
        ),
        (r#"{{ toString $f }}|{{ quote $f }}|{{ cat $f "a" }}|{{ join "," (list 1 $f) }}"#, r#"|""|[] a|1,"#),
        ("{{ slice $f 0 0 | toJson }} {{ concat $f (list 1) }} {{ compact (list $f 1) }}", "null [1] [1]"),
        ("{{ toJson (append $f 1) }} {{ toJson (rest $f) }} {{ toJson (reverse $f) }}", "[1] null []"),
        (r#"{{ toJson .Files.no }} {{ eq .Files.no nil }} {{ len .Files.no }}"#, "null true 0"),
        (r#"{{ toJson ((.Files.Glob "a*").no) }}"#, "null"),
        // One that is not nil.
        (
            r#"{{ with $b := .Files.GetBytes "no" }}{{ else }}{{ toJson $b }} {{ eq $b nil }} {{ printf "%#v" $b }}{{ end }}"#,
            r#""" false []byte{}"#,
        ),
        // The only way to have one among the files.
        (
            r#"{{ $_ := mergeOverwrite (dict "f" .Files) (dict "f" (dict "a.txt" $f)) }}{{ toJson .Files }}"#,
            r#"{"a.txt":null}"#,
        ),
        (
            r#"{{ $_ := mergeOverwrite (dict "f" .Files) (dict "f" (dict "a.txt" $f)) }}{{ toJson (.Files.GetBytes "a.txt") }} {{ .Files.Get "a.txt" }} {{ .Files.AsConfig }} {{ .Files.AsSecrets }} {{ toJson (.Files.Glob "*") }}"#,
            r#"null  a.txt: "" a.txt: "" {"a.txt":null}"#,
        ),
    ];
    for (text, wanted) in cases {
        gives(&[(&format!("{NIL}{text}"), wanted)]);
    }
}

#[test]
fn letters_have_gos_cases() {
    gives(&[
        (r#"{{ title "ǆa ბა" }}|{{ swapcase "ǆa aǆ ǅᾈ" }}"#, "ǅa ბა|ǅA Aǆ ǆᾀ".replace("Aǆ", "AǄ").as_str()),
        // Unicode 15 has no capital of `ƛ`; and numbers and signs that look like letters are none for Go.
        (r#"{{ upper "ƛ" }}|{{ swapcase "ⅰⅠªʰ" }}|{{ snakecase "aⅠb" }}"#, "ƛ|ⅰⅠªʰ|a_Ⅰb"),
        (r#"{{ printf "%q %q" 209700 0x2ebe0 }}"#, r"'\U00033324' '𮯠'"),
        (r#"{{ upper "ǆßŉᾳᾀბ" }}|{{ lower "ǄİΣ" }}"#, "ǄßŉᾼᾈᲑ|ǆiσ"),
    ]);
}

#[test]
fn hexadecimal_floats_are_rounded_once() {
    gives(&[
        (r#"{{ float64 "0xa92233720368547758079223372036854775807p2" }}"#, "2.413955367823202e+47"),
        (
            r#"{{ float64 "0x1.8p-1074" }} {{ float64 "0x1p-1075" }} {{ float64 "0x1.8p-1075" }}"#,
            "1e-323 0 5e-324",
        ),
        (
            r#"{{ float64 "0x1.00000000000008p0" }} {{ float64 "0x1.0000000000000800001p0" }}"#,
            "1 1.0000000000000002",
        ),
        (r#"{{ float64 "0x1p-99999999999" }} {{ float64 "0x1p+-1" }} {{ float64 "0x1p1024" }}"#, "0 0 0"),
    ]);
}

#[test]
fn regular_expressions() {
    gives(&[
        (
            r#"{{ regexReplaceAll "[\\d-z]" "a-1b" "x" }}|{{ regexReplaceAll "[a-c-e]" "a-1b" "x" }}"#,
            "axxb|xx1x",
        ),
        (r#"{{ regexFind "(?P<1>a)" "ba" }}|{{ regexReplaceAll "-(?i)?B" "a-b" "x" }}"#, "a|ax"),
        (r#"{{ regexReplaceAll "a*" "baac" "x" }}|{{ regexSplit "," "a,b,c" 2 }}"#, "xbxcx|[a b,c]"),
        (r#"{{ regexMatch "(" "a" }}"#, "false"),
        // What stands behind a group of flags repeats what is repeated in front of it.
        (r#"{{ regexFindAll "o+(?)?" "aoo" -1 | toJson }}"#, r#"["","oo"]"#),
        (r#"{{ regexFindAll "(?:a|bc)*(?i){2}?C" "bcacc" -1 | toJson }}"#, r#"["bcac","c"]"#),
        // But the flags hold for the repetition.
        (r#"{{ regexFind "o(?U)+" "foo" }}|{{ regexFind "(?U)o(?-U)+" "foo" }}"#, "o|oo"),
        (r#"{{ regexFind "(o(?U)+)o+" "fooo" }}|{{ regexFind "o(?U)+?" "foo" }}"#, "ooo|oo"),
        (r#"{{ regexFind "[[:]+" "a:[:]" }}"#, ":[:"),
        (r#"{{ regexFind "o\\Q\\E+" "foo" }}|{{ regexFind "o?\\Q\\E{2}" "foo" }}"#, "oo|"),
    ]);
    fails(&[
        (r#"{{ regexFind "\\C" "" }}"#, r"error parsing regexp: invalid escape sequence: `\C`"),
        (r#"{{ regexFind "(a{1000}){2}" "" }}"#, "error parsing regexp: invalid repeat count: `{2}`"),
        (
            r#"{{ regexFind "(\a" "" }}"#,
            "regexp: Compile(\"(\\a\"): error parsing regexp: missing closing ): `(\u{7}`",
        ),
        (r#"{{ mustRegexFind "\xff" "" }}"#, "error parsing regexp: invalid UTF-8: `\u{fffd}`"),
        (r#"{{ mustRegexFind "\xf0\x9f" "" }}"#, "error parsing regexp: invalid UTF-8: `\u{fffd}\u{fffd}`"),
        (
            r#"{{ mustRegexFind "\\Q\\E{0}" "" }}"#,
            "error parsing regexp: missing argument to repetition operator: `{0}`",
        ),
        (r#"{{ mustRegexFind "[a-\\pX]" "" }}"#, r"error parsing regexp: invalid escape sequence: `\p`"),
    ]);
}

#[test]
fn encodings() {
    gives(&[
        (r#"{{ toYaml (dict "k" "\tx\ny" "n" 1000000.0) }}"#, "k: \"\\tx\\ny\"\n\"n\": 1000000"),
        (r#"{{ toYamlPretty (dict "\r" 1 "\u2028" 2) }}"#, "? \"\\r\"\n: 1\n? '\u{2028}'\n: 2"),
        (
            r#"{{ toYamlPretty (dict "a" "\u007f" "b" "\xff" "c" "x\ty\nz" "l" (list 1)) }}"#,
            "a: \"\\x7F\"\nb: !!binary /w==\nc: |-\n  x\ty\n  z\nl:\n  - 1",
        ),
        (
            r#"{{ fromJson "1e" }}|{{ fromJson "1e400" }}"#,
            "map[Error:invalid character ' ' in exponent of numeric literal]|map[Error:json: cannot unmarshal number into Go value of type map[string]interface {}]",
        ),
        (
            r#"{{ fromToml "a=2024-01-02\nb=07:32:00\nc=2024-01-02T03:04" }}"#,
            "map[a:2024-01-02 00:00:00 +0000 date-local b:0000-01-01 07:32:00 +0000 time-local c:2024-01-02 03:04:00 +0000 datetime-local]",
        ),
        (r#"{{ fromToml "\ufeffa = 1" }} {{ fromToml "\xff\xfea = 2" }}"#, "map[a:1] map[a:2]"),
        (r#"{{ fromToml "[e]\n[e]" }}"#, "map[Error:toml: line 2: Key 'e' has already been defined.]"),
        (
            r#"{{ b32dec "FRGG===a" }} {{ b32dec "MZX=====" }}"#,
            "illegal base32 data at input byte 6 illegal base32 data at input byte 3",
        ),
        (r#"{{ b32dec "MY======AB" }} {{ b32dec "MY=====" }}"#, "f illegal base32 data at input byte 7"),
        (
            r#"{{ $b := repeat 52 "\xff" }}{{ toYamlPretty (dict "l" (list $b) "v" (repeat 51 "\xff")) }}"#,
            "l:\n  - !!binary |\n    /////////////////////////////////////////////////////////////////////w\n    ==\nv: !!binary ////////////////////////////////////////////////////////////////////",
        ),
        (r#"{{ toYamlPretty "a\nb\tc" }} {{ toYamlPretty "a\nb\t " }}"#, "|-\n  a\n  b\tc \"a\\nb\\t \""),
        (
            r#"{{ toYamlPretty (dict "a" (dict (repeat 130 "\xff") (list 1))) }}"#,
            "a:\n  ? !!binary |\n    //////////////////////////////////////////////////////////////////////\n    //////////////////////////////////////////////////////////////////////\n    /////////////////////////////////w==\n  : - 1",
        ),
        (r#"{{ toYamlPretty (dict "a\nb" 1 "a10" 2 "a2" 3) }}"#, "? |-\n  a\n  b\n: 1\na2: 3\na10: 2"),
        (
            r#"{{ regexFindAll "x" "a" -1 | toJson }}{{ regexSplit "a" "b" 0 | toYaml }}{{ regexFindAll "x" "a" -1 | typeOf }}"#,
            "nullnull[]string",
        ),
        ("{{ round 1 400 | toToml }}", if cfg!(target_arch = "x86_64") { "-nan" } else { "nan" }),
        (r#"{{ toToml (dict "l" (list 1 (dict "b" 2 "d" nil))) }}"#, "l = [1, {b = 2, }]\n"),
        (
            r##"{{ (fromToml "#\r").Error }} {{ (fromToml "a = [1, #\r\n2] # b\r\n#\tc\r\n") }}"##,
            "toml: line 1: TOML files cannot contain control characters: '0x0d' map[a:[1 2]]",
        ),
        (
            "{{ toToml 1i }}|{{ toToml (list 1i) }}",
            "unsupported type for key '': complex128|unsupported type: complex128",
        ),
        (
            r#"{{ toToml (list .Files) }}|{{ toToml (dict "f" (list .Files)) }}"#,
            "toml: top-level values must be Go maps or structs|[[f]]\n  \"a.txt\" = [111, 110, 101, 10]\n",
        ),
        (
            "{{ toToml (list (dict)) }}|{{ toToml (list 1) }}",
            "toml: top-level values must be Go maps or structs|[1]",
        ),
    ]);
}

#[test]
fn times_urls_versions() {
    gives(&[
        (
            r#"{{ toDate "2006-01-02T15:04:05Z07:00" "2024-02-29T23:04:05.678+02:00" }}"#,
            "2024-02-29 23:04:05.678 +0200 +0200",
        ),
        (r#"{{ (urlParse "http://[fe80::1%25en0]/").host }}"#, "[fe80::1%en0]"),
        (
            r#"{{ semverCompare ">=1.20" "1.21.0-rc.1" }} {{ semverCompare ">=1.20-0" "1.21.0-rc.1" }}"#,
            "false true",
        ),
        (r#"{{ date "Monx Mon" 1 }}"#, "Monx Thu"),
        (r#"{{ dateInZone "06 2006" -99999999999 "" }}"#, "99 -1199"),
        (r#"{{ now | date "2006-01-02" }}"#, "2026-11-21"),
        (r#"{{ urlParse "*" | urlJoin }}|{{ urlJoin (dict "path" "**") }}"#, "*|%2A%2A"),
        (
            r#"{{ duration "9223372036854775808s" }}|{{ duration "99999999999999999999s" }}|{{ duration "5" }}"#,
            "0s|-1s|5s",
        ),
        (
            r#"{{ mustDateModify "0.3333333333333333333h" (toDate "2006" "2024") | date "15:04:05.999999999" }}"#,
            "00:20:00",
        ),
    ]);
    fails(&[
        (r#"{{ urlParse "http://a%41b/" }}"#, "parse \"http://a%41b/\": invalid URL escape \"%41\""),
        (
            r#"{{ urlJoin (dict "userinfo" "%2#" "host" "h") }}"#,
            "unable to parse userinfo in dict: parse \"proto://%2\": invalid URL escape \"%2\"",
        ),
        (
            r#"{{ urlJoin (dict "userinfo" "^@[!]#") }}"#,
            "parse \"proto://^@[!]\": invalid host: ParseAddr(\"!\"): unable to parse IP",
        ),
        (
            r#"{{ mustDateModify "99999999999999999999x" now }}"#,
            "time: invalid duration \"99999999999999999999x\"",
        ),
        (r#"{{ mustToDate "50.999" "5.9" }}"#, "cannot parse \".9\" as \"0\""),
        (r#"{{ urlParse "%#a" }}"#, "parse \"%\": invalid URL escape \"%\""),
        (r#"{{ mustToDate "Z0700" "999" }}"#, "cannot parse \"999\" as \"Z0700\""),
        (r#"{{ mustToDate "-07" "999" }}"#, "parsing time \"999\": time zone offset hour out of range"),
        (r#"{{ semverCompare "\a" "" }}"#, "improper constraint: \"\\a\""),
    ]);
}

#[test]
fn a_message_for_the_user_stands_alone() {
    let error =
        render("{{ define \"x\" }}{{ required \"need it\" .Values.no }}{{ end }}\n{{ include \"x\" . }}");
    assert!(
        matches!(error, Err(Error::Fail(text)) if text == "execution error at (t/templates/t.yaml:2:3): need it")
    );
    // A byte that is no UTF-8 is one U+FFFD, and so is each of several.
    assert!(matches!(
        render("{{ fail (b64dec \"8J+Y\") }}"),
        Err(Error::Fail(text)) if text.ends_with(": \u{fffd}\u{fffd}\u{fffd}")
    ));
    let lint = render_with("[{{ required \"need it\" .Values.no }}{{ fail \"no\" }}]", |o| {
        o.purpose = Purpose::Lint
    });
    assert_eq!(lint.ok().as_deref(), Some("[]"));
}

#[test]
fn the_world_comes_in_through_options() {
    let looked =
        render_with(r#"{{ (lookup "v1" "Secret" "ns" "x").kind }} {{ getHostByName "h" }}"#, |options| {
            options.lookup =
                Some(Box::new(|_, kind, _, _| Ok(Value::dict([("kind".into(), kind.into())].into()))));
            options.resolve = Some(Box::new(|host| Ok(format!("address of {host}"))));
        });
    assert_eq!(looked.ok().as_deref(), Some("Secret address of h"));
    let alone = render(r#"{{ lookup "v1" "Secret" "ns" "x" }}{{ getHostByName "h" }}"#);
    assert_eq!(alone.ok().as_deref(), Some("map[]"));
    let random = || render(r#"{{ randAlphaNum 8 }}{{ uuidv4 }}"#).ok();
    assert_eq!(random(), random(), "the same seed gives the same text");
}

#[test]
fn limits_are_errors_of_their_own() {
    let limited = |text: &str, limits: Limits| render_with(text, |options| options.limits = limits);
    let endless = limited("{{ range 1000000000 }}{{ end }}", Limits { steps: 1000, ..Limits::default() });
    assert!(matches!(endless, Err(Error::Limit(_))), "{endless:?}");
    let long = limited("{{ range 100 }}0123456789{{ end }}", Limits { output: 100, ..Limits::default() });
    assert!(matches!(long, Err(Error::Limit(_))), "{long:?}");
    let recursion = render("{{ define \"r\" }}{{ include \"r\" . }}{{ end }}{{ include \"r\" . }}");
    let text = recursion.expect_err("it recurses").to_string();
    assert!(text.contains("rendering template has a nested reference name: r"), "{text}");
    let regex = render_with(r#"{{ regexFind "(a{1,30}){1,30}" "a" }}"#, |options| options.regex_size = 1000);
    assert!(regex.is_err_and(|error| error.to_string().contains("too large")));
}

#[test]
fn deep_values_and_values_that_hold_themselves_are_no_danger() {
    let deep = "{{ $d := dict }}{{ range 20000 }}{{ $d = dict \"a\" $d }}{{ end }}";
    for use_it in ["", "{{ toYaml $d }}", "{{ toJson $d }}", "{{ $d | len }}", "{{ toToml $d }}"] {
        let _ = render(&format!("{deep}{use_it}"));
    }
    let cycle = "{{ $d := dict }}{{ $_ := set $d \"self\" $d }}";
    for use_it in ["{{ toYaml $d }}", "{{ toJson $d }}", "{{ toToml $d }}", "{{ toYamlPretty $d }}"] {
        let _ = render(&format!("{cycle}{use_it}"));
    }
}

#[test]
fn later_files_see_what_earlier_ones_changed() -> Result<(), Error> {
    let files = [
        ("t/templates/a.yaml", "{{ .Values.x }}"),
        ("t/templates/b.yaml", "{{ $_ := set .Values \"x\" \"changed\" }}{{ .Template.Name }}"),
    ];
    let templates = Templates::compile(files.map(|(path, text)| (path, text.as_bytes())))?;
    assert_eq!(templates.paths().collect::<Vec<_>>(), ["t/templates/b.yaml", "t/templates/a.yaml"]);
    let texts = with_stack(|| {
        let context = Value::dict([("Values".into(), values(BTreeMap::new()))].into());
        let scope = |_: &str| Scope { context: context.clone(), base_path: "t/templates".to_owned() };
        templates.render(scope, Options::new(0, [0; 32]))
    })?;
    assert_eq!(texts["t/templates/a.yaml"], b"changed");
    assert_eq!(texts["t/templates/b.yaml"], b"t/templates/b.yaml");
    Ok(())
}

#[test]
fn methods_are_called_as_go_calls_them() {
    fails(&[
        (r#"{{ (toDate "2006" "2020").Clock }}"#, "function Clock has 3 return values; should be 1 or 2"),
        (r#"{{ (toDate "2006" "2020").Clock 1 }}"#, "wrong number of args for Clock: want 0 got 1"),
        (
            r#"{{ (toDate "2006" "2020").ISOWeek }}"#,
            "invalid function signature for ISOWeek: second return value should be error; is int",
        ),
        (r#"{{ (toDate "2006" "2020").Add 1.5 }}"#, "expected integer; found 1.5"),
        (r#"{{ (toDate "2006" "2020").Add nil }}"#, "cannot assign nil to time.Duration"),
        (
            r#"{{ (toDate "2006" "2020").In nil }}"#,
            "error calling In: time: missing Location in call to Time.In",
        ),
        (r#"{{ (toDate "2006" "2020").wall }}"#, "wall is an unexported field of struct type time.Time"),
        (
            r#"{{ range $i, $m := (toDate "2006" "2020").Month }}{{ end }}"#,
            "can't use January to iterate over more than one variable",
        ),
        // Its number is not one for functions of numbers.
        (
            r#"{{ $t := toDate "2006" "2020" }}{{ div 1 ($t.Sub ($t.Add -5)) }}"#,
            "error calling div: runtime error: integer divide by zero",
        ),
        (
            r#"{{ (semver "18446744073709551615.0.0").IncMajor }}"#,
            "error calling IncMajor: major version increment would overflow uint64",
        ),
        (r#"{{ (semver "1.2.3").SetPrerelease "a..b" }}"#, "invalid prerelease string"),
        (r#"{{ (semver "1.2.3").SetMetadata "!" }}"#, "invalid metadata string"),
        (
            r#"{{ (semver "1.2.3").IncMajor.Original }}"#,
            "can't evaluate field Original in type semver.Version",
        ),
        (
            r#"{{ (semver "1.2.3").Compare nil }}"#,
            "runtime error: invalid memory address or nil pointer dereference",
        ),
    ]);
}

#[test]
fn structs_are_merged_as_far_as_go_does() {
    let types = "reflect.Value.SetMapIndex: value of type interface {} is not assignable to type string";
    fails(&[
        (r#"{{ merge (dict "a" (split "," "b")) (dict "a" (dict "c" 1)) }}"#, types),
        (r#"{{ mustMerge (dict "a" (split "" "")) (dict "a" (dict "c" 1)) }}"#, types),
        (
            r#"{{ mustMerge (dict "a" (semver "1.0.0")) (dict "a" (dict)) }}"#,
            "src and dst must be of same type",
        ),
        (
            r#"{{ mergeOverwrite (dict "a" (semver "1.0.0")) (dict "a" (toDate "" "").Location) }}"#,
            "reflect.Set: value of type time.Location is not assignable to type semver.Version",
        ),
        (
            r#"{{ merge (dict "a" (genCA "x" 1)) (dict "a" (dict)) }}"#,
            "reflect: call of reflect.Value.Field on map Value",
        ),
        (
            r#"{{ mergeOverwrite (dict "f" .Files) (dict "f" (dict "x" (.Files.GetBytes "a.txt"))) }}"#,
            "value of type interface {} is not assignable to type []uint8",
        ),
        (
            r#"{{ mergeOverwrite (dict "f" .Files) (dict "f" (dict "x" (list 1))) }}"#,
            "value of type []interface {} is not assignable to type []uint8",
        ),
    ]);
    gives(&[
        (r#"[{{ merge (dict "a" (semver "1.0.0")) (dict "a" (dict)) }}]"#, "[]"),
        (
            r#"{{ toToml (dict "k" (list (dict) (fromJson "null"))) }}"#,
            "toml: cannot encode array with nil element",
        ),
    ]);
}

#[test]
fn what_is_wrong_with_expressions_that_are_not_utf8() {
    let wrong = [
        (r")\\\xff", r"unexpected ): `)\~`"),
        (r"a**\xff", "invalid nested repetition operator: `**`"),
        (r"(?P<a\xffb>)", "invalid UTF-8: `~b`"),
        (r"(?\xff)", "invalid UTF-8: `~)`"),
        (r"\\p{a\xff}b", "invalid UTF-8: `~`"),
        (r"[[:\xff:]]", "invalid character class range: `[:~:]`"),
        (r"[[:alpha:]\xff:]", "invalid UTF-8: `~:]`"),
        (r"[:\xff:]", "invalid UTF-8: `~:]`"),
        (r"\\x{4\xff", "invalid UTF-8: `~`"),
        (r"\\xz\xff", "invalid UTF-8: `~`"),
        (r"\\x{z\xff", r"invalid escape sequence: `\x{z`"),
        (r"\\x{110000}", r"invalid escape sequence: `\x{110000`"),
        (r"\\x{}", r"invalid escape sequence: `\x{}`"),
        (r"\\pX\xff", r"invalid character class range: `\pX`"),
        (r"(?P<a-b>\xff", "invalid named capture: `(?P<a-b>`"),
        (r"(?z\xff", "invalid or unsupported Perl syntax: `(?z`"),
        (r"(?i-\xff", "invalid UTF-8: `~`"),
    ];
    for (pattern, problem) in wrong {
        let problem = format!("error parsing regexp: {}", problem.replace('~', "\u{fffd}"));
        fails(&[(&format!(r#"{{{{ mustRegexMatch "{pattern}" "" }}}}"#), problem.as_str())]);
    }
    // Half a pair is in no text.
    gives(&[(r#"{{ regexFindAll "[\\x{d800}a]" "aé" -1 }} {{ regexMatch "\\x{d800}" "é" }}"#, "[a] false")]);
}

#[test]
fn pretty_yaml_is_sorted_and_indented_as_its_own_writer_does() {
    gives(&[
        // Letters behind digits come before more digits, and elsewhere after everything.
        (
            r#"{{ toYamlPretty (dict "a12" 1 "a1b" 2 "a-" 3 "ab" 4 "a2" 5) }}|{{ toYaml (dict "a12" 1 "a1b" 2) }}"#,
            "a-: 3\na1b: 2\na2: 5\na12: 1\nab: 4|a12: 1\na1b: 2",
        ),
        (r#"{{ toYamlPretty (dict "a" (list "x\u2028y")) }}"#, "a:\n  - 'x\u{2028}    y'"),
        (r#"{{ toYamlPretty (dict "a" "x\u2029y") }}"#, "a: 'x\u{2029}  y'"),
        (r#"{{ toYamlPretty (list "x\n\u2028y") }}"#, "- |-\n  x\n\u{2028}  y"),
    ]);
}

#[test]
fn width_and_precision_hold_for_go_syntax_too() {
    gives(&[
        (
            r#"{{ printf "[%#.v|%#.4v|%#40.36v]" (toDate "2006" "1999") (toDate "2006" "1999") (toDate "2006" "1999") }}"#,
            "[|time|    time.Date(1999, time.January, 1, 0, ]",
        ),
        (
            r#"{{ $b := .Files.GetBytes "a.txt" }}{{ printf "%#6v %#.3v" $b (list $b) }}"#,
            "[]byte{  0x6f,   0x6e,   0x65,    0xa} []interface {}{[]uint8{0x06f, 0x06e, 0x065, 0x00a}}",
        ),
        (
            r#"{{ printf "%p" (dict) | hasPrefix "0x" }} {{ printf "%#p" (list 1) | hasPrefix "0x" }}"#,
            "true false",
        ),
    ]);
}

#[test]
fn a_line_that_ended_with_its_text_is_not_ended_again() {
    gives(&[
        (r#"{{ toYaml (dict "a" "x\ny\u2028" "b" 1) }}"#, "a: |\n  x\n  y\u{2028}b: 1"),
        (r#"{{ toYaml (list "x\n\u2029" "y\n\u2028\n" 1) }}"#, "- |+\n  x\n\u{2029}- |+\n  y\n\u{2028}\n- 1"),
        (r#"{{ toYaml (dict "x\ny\u2028" 1) }}"#, "? |\n  x\n  y\u{2028}: 1"),
        (r#"{{ toYamlPretty (dict "a" (dict "b" "x\n\u2028") "c" 1) }}"#, "a:\n  b: |+\n    x\n\u{2028}c: 1"),
        (r#"{{ toYamlPretty (list "x\n\u2029\n" "y\n\n" 1) }}"#, "- |+\n  x\n\u{2029}\n- |+\n  y\n\n- 1"),
        (r#"{{ toYamlPretty (dict "x\ny\u2028" 1) }}"#, "? |\n  x\n  y\u{2028}: 1"),
    ]);
}

#[test]
fn the_json_of_yaml_is_read_as_yaml() {
    fails(&[
        (r#"{{ mustToYaml (dict "a\u0085b" 1) }}"#, "yaml: line 1: did not find expected ',' or '}'"),
        (r#"{{ mustToYaml "x\u0085--- y" }}"#, "yaml: line 2: found unexpected document indicator"),
        (r#"{{ mustToYaml "\tx\u0085... y" }}"#, "yaml: line 2: found unexpected document indicator"),
        (r#"{{ mustToYaml (dict "a\u0085b" 1 "b" "\u007f") }}"#, "yaml: control characters are not allowed"),
        (
            r#"{{ mustToYaml (dict "a\u0085b" 1 "b" (repeat 600 "x") "c" "\u007f") }}"#,
            "yaml: line 1: did not find expected ',' or '}'",
        ),
        (
            r#"{{ $m := dict }}{{ mustToYaml (mergeOverwrite $m (dict "b" (list "a") "m" $m)) }}"#,
            "json: unsupported value: encountered a cycle via map[string]interface {}",
        ),
    ]);
    gives(&[(r#"[{{ toYaml (dict "a\u0085b" 1) }}]{{ toYaml "x\u0085y" }}"#, "[]x y")]);
}

#[test]
fn the_first_thing_that_is_wrong_with_yaml_is_that_of_go() {
    let problem = |yaml: &str, wanted: &str| {
        let template = format!(r#"{{{{ (fromYaml "{yaml}").Error }}}}"#);
        gives(&[(&template, &format!("error converting YAML to JSON: {wanted}"))]);
    };
    problem(r"l:\n[", "yaml: line 3: could not find expected ':'");
    problem(r"a: !!binary x\nb: [", "yaml: line 2: did not find expected node content");
    problem(r"a: !!binary x\n? [b]", "yaml: !!binary value contains invalid base64 data");
    problem(r"null: 1\n? [b]", "yaml: invalid map key: []interface {}{\"b\"}");
    problem(r"<<: x\nb: c: d", "yaml: line 2: mapping values are not allowed in this context");
    problem(r"a: !x!y z\n\tb: 1", "yaml: line 2: found a tab character that violates indentation");
    problem(r#"%TAG ! x\""#, "yaml: did not find expected whitespace or line break");
    problem(r#"[: ]\"b"#, "yaml: did not find expected node content");
    problem(r"b: .inf\na: .nan", "json: unsupported value: NaN");
    // What shows that there is no key is passed over.
    problem(r"[? ]", "yaml: line 1: did not find expected ',' or ']'");
    problem(r"[? , b]", "yaml: did not find expected ',' or ']'");
    problem(r"&x\n*x: {", "yaml: line 2: did not find expected node content");
    problem(r"&x [*x, {[1]: 2}]", "yaml: anchor 'x' value contains itself");
    problem(r"!%+1 a", "yaml: did not find URI escaped octet");
    problem(r"? {1: it's}", "yaml: invalid map key: map[interface {}]interface {}{1:\"it's\"}");
    gives(&[
        (r#"{{ fromYaml "{!!merge a: 1, b: !!bool no}" | toJson }}"#, r#"{"a":1,"b":false}"#),
        // Behind a second mark each line loses a character in the first column.
        (r#"{{ fromYaml "\ufeff\ufeffa: [1,\n2]\n" | toJson }}"#, r#"{"a":[1]}"#),
    ]);
    // However deep it is: each level is looked at once more, not twice as often as the one above it.
    problem(&format!("{}.inf{}", "{a: ".repeat(200), "}".repeat(200)), "json: unsupported value: +Inf");
    // What comes later takes the place of the value, not of the error.
    problem(r"a: !!binary x\na: 1", "yaml: !!binary value contains invalid base64 data");
}

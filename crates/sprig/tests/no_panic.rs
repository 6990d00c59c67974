//! No arguments make a function panic. `cargo xtask fuzz` runs this with many cases.

use proptest::prelude::*;
use sprig::{Limits, Options, Scope, Templates, Value};

const ARGUMENTS: [&str; 28] = [
    "nil",
    "0",
    "-1",
    "3",
    "9223372036854775807",
    "(int64 -9223372036854775808)",
    "1.5",
    "-1e300",
    "true",
    "\"\"",
    "\"a b\"",
    "\"é\\xff😀\"",
    "\"{{ . }}\"",
    "\"%d%v\"",
    "\"(a+)*[b-\"",
    "\"1.2.3-rc+b\"",
    "\">=1 <2 || x\"",
    "\"a: [1\"",
    "\"{\\\"a\\\":\"",
    "\"2006-01-02\"",
    "\"http://[::1\"",
    "(list)",
    "(list 1 nil \"x\" (list))",
    "(dict)",
    "(dict \"a\" 1 \"b\" (dict))",
    "(toDate \"2006\" \"1999\")",
    ".Values",
    "(until 3)",
];

/// Those that take long, or as long as a number says.
const SLOW: [&str; 14] = [
    "derivePassword",
    "bcrypt",
    "htpasswd",
    "genPrivateKey",
    "genCA",
    "genCAWithKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "until",
    "untilStep",
    "seq",
    "repeat",
];

fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = sprig::functions().names().filter(|name| !SLOW.contains(name)).collect();
    names.sort_unstable();
    names
}

fn call() -> impl Strategy<Value = String> {
    let arguments = prop::collection::vec(prop::sample::select(&ARGUMENTS[..]), 0..5);
    (prop::sample::select(names()), arguments)
        .prop_map(|(name, arguments)| format!("{name} {}", arguments.join(" ")))
}

fn render(text: &str) {
    let Ok(templates) = Templates::compile([("t/templates/t", text.as_bytes())]) else { return };
    let context = Value::dict([("Values".into(), sprig::context::values(Default::default()))].into());
    let mut options = Options::new(0, [1; 32]);
    options.limits = Limits { steps: 10_000, output: 1 << 20, depth: 20 };
    let _ = templates.render(|_| Scope { context: context.clone(), base_path: String::new() }, options);
}

/// More digits than Rust's own formats have room for.
#[test]
fn any_verb_with_many_digits() {
    for verb in "vdsqxXeEfFgGtTbcUoOpw".chars() {
        for flag in ["", "#", "+", "0", "-"] {
            for value in ["65", "1.5", "`é`", "(list true 5e-324)", "1i"] {
                render(&format!(
                    "{{{{ printf `%{flag}.70000{verb}%{flag}70000.70000{verb}` {value} {value} }}}}"
                ));
            }
        }
    }
}

proptest! {
    #[test]
    fn any_call(first in call(), second in call()) {
        render(&format!("{{{{ {first} }}}}"));
        render(&format!("{{{{ {first} | {second} }}}}"));
        render(&format!("{{{{ range ({first}) }}}}{{{{ {second} | toYaml }}}}{{{{ end }}}}"));
    }

    #[test]
    fn any_regex(pattern in "[-a-c.*+?(){}\\[\\]^$|\\\\0-9:<>PQEisUdwpx,é]{0,16}", text in ".{0,12}") {
        let text = format!("{:?}", text).replace("\\u{", "\\x{").replace("\\'", "'");
        render(&format!("{{{{ regexReplaceAll `{pattern}` {text} \"$1$n\" }}}}"));
        render(&format!("{{{{ regexSplit `{pattern}` {text} 3 }}}}"));
    }

    #[test]
    fn any_format(format in "(%[-+# 0]{0,2}[0-9*]{0,7}(\\.[0-9*]{0,7})?(\\[[0-9]?\\])?[vdsqxXeEfFgGtTbcUopw%]?){1,2}") {
        render(&format!("{{{{ printf `{format}` 1.5 -3 nil }}}}"));
        render(&format!("{{{{ printf `{format}` (list `é` 2.5 (dict `a` true)) now }}}}"));
    }

    #[test]
    fn any_text_of_a_format(text in "[^`]{0,60}", function in prop::sample::select(&["fromYaml", "fromJson", "fromToml", "urlParse", "semver", "toDate `2006-01-02 MST`", "fromYamlArray", "duration", "b64dec", "tpl"][..])) {
        let rest = if function == "tpl" { " ." } else { "" };
        render(&format!("{{{{ {function} `{text}`{rest} }}}}"));
    }
}

//! Random charts: values, sub-charts with all that decides about them, templates that show what they see.

use std::fmt::Write as _;

use crate::case::Case;
use crate::manifests;
use crate::schemas;
use oracle::Random;

const KEYS: [&str; 8] = ["a", "b", "c", "enabled", "name", "list", "data", "x-y"];
const SUBS: [&str; 4] = ["alpha", "beta", "gamma", "delta"];
const TAGS: [&str; 3] = ["front", "back", "slow"];

const SCALARS: [&str; 44] = [
    "1",
    "0",
    "-7",
    "true",
    "false",
    "null",
    "~",
    "text",
    "''",
    "'it''s'",
    "\"q\\tq\"",
    "1e6",
    "1.0",
    "1.5",
    "0x10",
    "010",
    "0o17",
    "0b11",
    "yes",
    "no",
    "on",
    "off",
    "y",
    "n",
    "1_000",
    ".5",
    "12:30:45",
    "2024-01-02",
    "+1",
    "9007199254740993",
    "18446744073709551615",
    "1e30",
    "-0",
    "0.1",
    "{}",
    "[]",
    "[1, a, null]",
    "{a: {b: 1}}",
    "!!str 5",
    "'{{ .Release.Name }}'",
    "héé",
    "\"\\u00e9\"",
    "a b",
    "01.5",
];

/// A chart, the user's values and flags.
pub fn case(random: &mut Random) -> Case {
    let mut case = Case::default();
    let depth = random.below(3);
    chart(random, &mut case, "", "top", depth);
    if random.chance(15) {
        case.files.insert(".helmignore".to_owned(), helm_ignore(random));
    }
    if random.chance(60) {
        case.values.push(values(random, true));
    }
    if random.chance(15) {
        case.values.push(values(random, true));
    }
    for _ in 0..random.below(3) {
        if random.chance(30) {
            case.sets.push(one_set(random));
        }
    }
    case
}

fn chart(random: &mut Random, case: &mut Case, folder: &str, name: &str, depth: usize) {
    let mut put = |path: &str, text: String| _ = case.files.insert(format!("{folder}{path}"), text);
    let mut subs: Vec<&str> = Vec::new();
    if depth > 0 {
        for sub in SUBS {
            if random.chance(40) && sub != name {
                subs.push(sub);
            }
        }
    }
    let old = random.chance(15);
    let mut metadata = format!("apiVersion: {}\nname: {name}\n", if old { "v1" } else { "v2" });
    let version = random.pick(&["1.2.3", "0.1.0", "v2.0.0", "1.0.0-rc.1", "1.2.3+build", "1.2"]);
    let _ = writeln!(metadata, "version: {version}");
    odd_metadata(random, &mut metadata, folder.is_empty());
    let dependencies = dependencies(random, &subs);
    if !dependencies.is_empty() {
        let text = format!("dependencies:\n{dependencies}");
        if old {
            put("requirements.yaml", text);
        } else {
            metadata.push_str(&text);
        }
    }
    put("Chart.yaml", dressed(random, metadata));
    if random.chance(85) {
        put("values.yaml", values(random, false));
    }
    if random.chance(15) {
        put("values.schema.json", schemas::schema(random));
    }
    put("templates/show.yaml", SHOW.to_owned());
    for i in 0..random.below(3) {
        let path = random.pick(&[
            "templates/a.yaml",
            "templates/z/deep.yaml",
            "templates/b.txt",
            "templates/c.tpl",
            "templates/_p.yaml",
        ]);
        put(path, manifests::template(random, &format!("{name}-{i}")));
    }
    if random.chance(30) {
        put(
            "templates/_helpers.tpl",
            format!(
                "{{{{ define \"shared\" }}}}from {name}{{{{ end }}}}{{{{ define \"{name}.own\" }}}}{{{{ .Values | toJson }}}}{{{{ end }}}}"
            ),
        );
        put("templates/use.yaml", "shared: {{ include \"shared\" . }}\n".to_owned());
    }
    if random.chance(25) {
        put("templates/NOTES.txt", "notes of {{ .Chart.Name }}\n".to_owned());
    }
    if random.chance(20) {
        put("crds/thing.yaml", "kind: CustomResourceDefinition\nmetadata: {name: x}\n\n".to_owned());
    }
    if random.chance(20) {
        put(
            random.pick(&[
                "files/one.txt",
                "README.md",
                ".hidden",
                "ci/x.yaml",
                "templates/.swp",
                "charts/_skipped.txt",
            ]),
            "one\ntwo\n".to_owned(),
        );
    }
    for sub in subs {
        let inside = format!("{folder}charts/{sub}/");
        chart(random, case, &inside, sub, depth - 1);
    }
}

fn odd_metadata(random: &mut Random, metadata: &mut String, top: bool) {
    let lines = [
        "appVersion: 1.10\n",
        "appVersion: \"7\"\n",
        "description: \"some\\ttext\"\n",
        "annotations: {a: b, n: 1, t: true}\n",
        "keywords: [x, 1]\n",
        "maintainers: [{name: n, email: e@x}]\n",
        "deprecated: true\n",
        "icon: http://x/y.png\n",
        "Home: http://home\n",
        "unknown: {a: 1}\n",
        "sources:\n- http://s\n",
        "tags: x\n",
        "type: application\n",
    ];
    for line in lines {
        if random.chance(8) {
            metadata.push_str(line);
        }
    }
    if random.chance(3) {
        metadata.push_str(random.pick(&[
            "type: library\n",
            "type: odd\n",
            "deprecated: maybe\n",
            "maintainers: [null]\n",
            "keywords: x\n",
        ]));
    }
    if random.chance(8) {
        let range = random.pick(&[
            ">=1.20",
            "^1.30.0-0",
            "~1.36",
            ">=1.30",
            "1.36",
            ">= 1.19.0 < 1.40.0",
            "1.x || 2.x",
            "x",
            "=1.36.0",
            "!=1.36.0",
            "1.30 - 1.40",
        ]);
        let _ = writeln!(metadata, "kubeVersion: '{range}'");
    }
    if !top && random.chance(15) {
        metadata.push_str("type: library\n");
    }
}

fn dependencies(random: &mut Random, subs: &[&str]) -> String {
    let mut text = String::new();
    let mut names: Vec<String> = Vec::new();
    for sub in subs {
        for _ in 0..=usize::from(random.chance(25)) {
            if random.chance(15) {
                continue;
            }
            let range = random.pick(&[
                "*",
                ">=0",
                "*-0",
                ">=0.0.0-0",
                "^1",
                "~1.2.3",
                "1.2.3",
                "x.y",
                "0.1.x || 1.x",
                "9.9.9",
                ">=0.0.0-0",
                "*-0",
            ]);
            let alias = if random.chance(25) { random.pick(&["one", "two", "Al_ias"]) } else { "" };
            let name = if alias.is_empty() { *sub } else { alias };
            if names.iter().any(|known| known == name) && !random.chance(5) {
                continue;
            }
            names.push(name.to_owned());
            let _ = writeln!(text, "- name: {sub}\n  version: '{range}'\n  repository: ''");
            if !alias.is_empty() {
                let _ = writeln!(text, "  alias: {alias}");
            }
            if random.chance(40) {
                let condition = match random.below(6) {
                    0 => "global.enabled".to_owned(),
                    1 => format!("{name}.a,{name}.enabled"),
                    2 => format!("{name}.data.enabled"),
                    3 => format!(" {name}.enabled ,enabled"),
                    4 => "a.b,b,c".to_owned(),
                    _ => format!("{name}.enabled"),
                };
                let _ = writeln!(text, "  condition: '{condition}'");
            }
            if random.chance(25) {
                let tags: Vec<&str> = TAGS.into_iter().filter(|_| random.chance(50)).collect();
                let _ = writeln!(text, "  tags: [{}]", tags.join(", "));
            }
            if random.chance(35) {
                text.push_str("  import-values:\n");
                for _ in 0..=random.below(2) {
                    let item = match random.below(6) {
                        0 => "data".to_owned(),
                        1 => "{child: data, parent: a}".to_owned(),
                        2 => "{child: a.b, parent: c.d}".to_owned(),
                        3 => "{child: data, parent: .}".to_owned(),
                        4 => "{child: exports.x, parent: global}".to_owned(),
                        _ => "{child: nowhere, parent: b}".to_owned(),
                    };
                    let _ = writeln!(text, "  - {item}");
                }
            }
        }
    }
    if random.chance(3) {
        text.push_str("- {name: absent, version: '1', repository: ''}\n");
    }
    text
}

/// A file of values.
pub fn values(random: &mut Random, user: bool) -> String {
    let mut text = String::new();
    let mut top: Vec<&str> = Vec::new();
    for key in KEYS.into_iter().chain(SUBS).chain(["one", "two", "Al_ias", "global", "tags", "exports"]) {
        let likely = if SUBS.contains(&key) || key == "global" { 35 } else { 20 };
        if random.chance(likely) {
            top.push(key);
        }
    }
    for key in top {
        match key {
            "tags" => {
                let mut tags: Vec<String> = Vec::new();
                for tag in TAGS {
                    if random.chance(50) {
                        tags.push(format!("{tag}: {}", random.pick(&["true", "false", "true", "1"])));
                    }
                }
                let _ = writeln!(text, "tags: {{{}}}", tags.join(", "));
            }
            "exports" => {
                let _ = writeln!(
                    text,
                    "exports:\n  data:\n    a: {}\n    new: {{b: 1}}\n  x: {{c: {}}}",
                    random.pick(&SCALARS),
                    random.pick(&SCALARS)
                );
            }
            _ => entry(random, &mut text, key, 0, user),
        }
    }
    if random.chance(4) {
        text.push_str(random.pick(&[
            "1: one\n",
            "true: t\n",
            "1.5: f\n",
            "x: &x {a: 1}\ny: {<<: *x, b: 2}\n",
            "dup: 1\ndup: 2\n",
            "a: 5\n",
            "b:\n  - c: 1\n    d: |\n      text\n  - e\n",
            "k: >-\n  folded\n  text\n\n  more\n",
            "\tt: 1\n",
            "? complex\n: 1\n",
            "a: [\n",
            "'q': {'r': 's'}\n",
            "z: |+\n  kept\n\n",
        ]));
    }
    if random.chance(6) {
        text.push_str(random.pick(&[
            "---\n",
            "---\na: {b: other}\n",
            "--- # remark\nb: null\n",
            "---\n# nothing\n",
            "--- x\n",
            "...\n",
        ]));
    }
    if random.chance(4) {
        text.push_str("# the end");
    }
    dressed(random, text)
}

fn entry(random: &mut Random, text: &mut String, key: &str, depth: usize, user: bool) {
    let indent = "  ".repeat(depth);
    let table = (depth == 0 && SUBS.contains(&key)) || key == "global" || random.chance(30);
    if !table || depth > 3 || random.chance(5) {
        let scalar = if user && random.chance(20) {
            "null"
        } else if key == "enabled" {
            random.pick(&["true", "false", "true", "false", "1", "'true'", "null"])
        } else {
            random.pick(&SCALARS)
        };
        let _ = writeln!(text, "{indent}{key}: {scalar}");
        return;
    }
    let _ = writeln!(text, "{indent}{key}:");
    let mut empty = true;
    for inner in KEYS.into_iter().chain(["global", "alpha", "beta"]) {
        if random.chance(22) {
            empty = false;
            entry(random, text, inner, depth + 1, user);
        }
    }
    if empty && random.chance(70) {
        let _ = writeln!(text, "{indent}  a: 1");
    }
}

/// The ways in which editors and systems change files.
fn dressed(random: &mut Random, text: String) -> String {
    let text = if random.chance(4) { text.replace('\n', "\r\n") } else { text };
    if random.chance(3) { format!("\u{feff}{text}") } else { text }
}

fn helm_ignore(random: &mut Random) -> String {
    let lines = [
        "*.txt",
        "!*.yaml",
        "ci/",
        "/README.md",
        "templates/a.yaml",
        "# remark",
        "",
        "charts/alpha",
        "charts/*/values.yaml",
        "[a-b].yaml",
        "z/",
        "*.md",
        ".*",
        "templates/?.yaml",
        "show.yaml/",
        "!templates/",
    ];
    let mut text = String::new();
    for _ in 0..=random.below(3) {
        text.push_str(random.pick(&lines));
        text.push_str(random.pick(&["\n", "\n", "\r\n", " \n"]));
    }
    if random.chance(4) {
        text.push_str(random.pick(&["a/**/b\n", "a[\n", "\\\n"]));
    }
    text
}

fn one_set(random: &mut Random) -> (&'static str, String) {
    let flag = ["--set", "--set-string", "--set-json"][random.below(3)];
    let name = random.pick(&[
        "a",
        "alpha.enabled",
        "global.a",
        "list[0]",
        "list[1].b",
        "data.x\\.y",
        "tags.front",
        "beta",
        "alpha.global.a",
        "c[0][1]",
        "one.a",
    ]);
    let value = if flag == "--set-json" {
        random.pick(&["1", "{\"b\": null}", "[1, 2.5]", "\"s\"", "null", "true", "1e400", "{"])
    } else {
        random.pick(&[
            "1",
            "true",
            "null",
            "text",
            "{a,b}",
            "",
            "01",
            "1.5",
            "-3",
            "a\\,b",
            "{",
            "{}",
            "99999999999999999999",
        ])
    };
    let more = if random.chance(20) { ",b.c=2" } else { "" };
    (flag, format!("{name}={value}{more}"))
}

const SHOW: &str = "kind: Show\nvalues: |\n{{ .Values | toYaml | indent 2 }}\nchart: |\n{{ omit .Chart \"Dependencies\" | toYaml | indent 2 }}\n\
dependencies:{{ range .Chart.Dependencies }} {{ .Name }}/{{ .Alias }}/{{ .Enabled }}/{{ .Condition }}/{{ .ImportValues }}{{ end }}\n\
subs: {{ range $name, $sub := .Subcharts }}{{ $name }}={{ $sub.Values | toJson }} {{ end }}\n\
files: {{ range $path, $_ := .Files }}{{ $path }} {{ end }}\nroot: {{ .Chart.IsRoot }} {{ .Template.Name }} {{ .Template.BasePath }}\n";

//! Charts of our own, rendered by us and by the real Helm: the same text, or the same error.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use chart::{
    Action, ArchiveLimits, Capabilities, Chart, KubeVersion, Notes, Part, ReleaseOptions, Request,
    SchemaCheck, Separators, Set, Table, assemble, check_release_name, listing, overlay, read_values, set,
};

type Files = &'static [(&'static str, &'static str)];

struct Case {
    name: &'static str,
    files: Files,
    values: &'static [&'static str],
    sets: &'static [&'static str],
}

const fn case(name: &'static str, files: Files) -> Case {
    Case { name, files, values: &[], sets: &[] }
}

impl Case {
    const fn values(self, values: &'static [&'static str]) -> Case {
        Case { values, ..self }
    }
    const fn sets(self, sets: &'static [&'static str]) -> Case {
        Case { sets, ..self }
    }
}

const SHOW: &str = "values: |\n{{ .Values | toYaml | indent 2 }}\nchart: |\n{{ .Chart | toYaml | indent 2 }}\nsubs: {{ keys .Subcharts | sortAlpha | join \",\" }}\nfiles: {{ range $p, $_ := .Files }}{{ $p }} {{ end }}\nt: {{ .Template.Name }} {{ .Template.BasePath }}\n";

const CASES: &[Case] = &[
    case(
        "aliases, conditions and tags",
        &[
            (
                "Chart.yaml",
                "apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies:\n- {name: db, version: ~1, repository: '', alias: main, condition: 'main.enabled,global.db'}\n- {name: db, version: '>=1.0 <2', repository: '', alias: replica, condition: replica.enabled}\n- {name: db, version: '*', repository: '', tags: [back, slow]}\n- {name: web, version: 0.x, repository: '', tags: [front]}\n- {name: absent-version, version: '^9', repository: ''}\n",
            ),
            ("values.yaml", "replica: {enabled: false}\ntags: {back: true, slow: false, front: false}\nmain: {x: 1, enabled: true}\n"),
            ("templates/a.yaml", SHOW),
            ("charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.4.0\n"),
            ("charts/db/values.yaml", "x: 0\ny: {z: [1, 2]}\n"),
            ("charts/db/templates/d.yaml", SHOW),
            ("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.3.0\n"),
            ("charts/web/templates/w.yaml", SHOW),
            ("charts/absent-version/Chart.yaml", "apiVersion: v2\nname: absent-version\nversion: 1.0.0\n"),
            ("charts/absent-version/templates/n.yaml", SHOW),
            ("charts/unlisted/Chart.yaml", "apiVersion: v2\nname: unlisted\nversion: 1.0.0\n"),
            ("charts/unlisted/templates/u.yaml", SHOW),
        ],
    )
    .values(&["main: {y: {z: null, w: 1}}\n"])
    .sets(&["replica.enabled=true,tags.front=true"]),
    case(
        "imports",
        &[
            (
                "Chart.yaml",
                "apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies:\n- name: a\n  version: 1.0.0\n  repository: ''\n  import-values: [data, {child: inner.deep, parent: here.there}, {child: missing, parent: x}]\n- name: b\n  version: 1.0.0\n  repository: ''\n  import-values: [data]\n",
            ),
            ("values.yaml", "own: 1\nhere: {there: {kept: top}}\nshared: {top: 1}\n"),
            ("templates/a.yaml", SHOW),
            ("charts/a/Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies: [{name: aa, version: 1.0.0, repository: '', import-values: [all]}]\n"),
            ("charts/a/values.yaml", "exports: {data: {own: 2, shared: {a: 1, n: null}, from: a}}\ninner: {deep: {kept: a, new: [1]}}\n"),
            ("charts/a/templates/a.yaml", SHOW),
            ("charts/a/charts/aa/Chart.yaml", "apiVersion: v2\nname: aa\nversion: 1.0.0\n"),
            ("charts/a/charts/aa/values.yaml", "exports: {all: {grand: child, inner: {deep: {kept: aa, aa: 1}}}}\n"),
            ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
            ("charts/b/values.yaml", "exports: {data: {own: 3, shared: {b: 1}, from: b, only: b}}\n"),
            ("charts/b/templates/b.yaml", SHOW),
        ],
    )
    .values(&["a: {exports: {data: {from: user}}}\n"]),
    case(
        "globals",
        &[
            ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"),
            ("values.yaml", "global: {image: {registry: top, pull: {x: 1}}, plain: 1, list: [1]}\nmid: {global: {image: {tag: fromtop}, plain: 2}}\n"),
            ("templates/a.yaml", SHOW),
            ("charts/mid/Chart.yaml", "apiVersion: v2\nname: mid\nversion: 1.0.0\n"),
            ("charts/mid/values.yaml", "global: {image: {registry: mid, pull: {y: 2}}, own: {a: 1}, plain: {t: 1}}\nlow: {global: {deep: 1}}\n"),
            ("charts/mid/templates/m.yaml", SHOW),
            ("charts/mid/charts/low/Chart.yaml", "apiVersion: v2\nname: low\nversion: 1.0.0\n"),
            ("charts/mid/charts/low/values.yaml", "global: {image: {pull: {z: 3}}, own: {b: 1}}\n"),
            ("charts/mid/charts/low/templates/l.yaml", SHOW),
        ],
    )
    .values(&["global: {image: {pull: {x: null, u: 1}}, gone: null}\n"]),
    case(
        "nulls",
        &[
            ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"),
            ("values.yaml", "a: {b: {c: 1, d: null}, e: 2}\nf: null\ng: [null, 1]\nsub: {p: {q: 1}, r: null}\nh: 5\n"),
            ("templates/a.yaml", SHOW),
            ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.0.0\n"),
            ("charts/sub/values.yaml", "p: {q: 0, s: {t: 1}}\nr: {u: 1}\nv: 1\n"),
            ("charts/sub/templates/s.yaml", SHOW),
        ],
    )
    .values(&["a: {b: {c: null, new: null}}\nunknown: null\nsub: {p: {s: null}, v: null}\nh: {t: 1}\n"])
    .sets(&["a.e=null"]),
    case(
        "a library",
        &[
            ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies: [{name: lib, version: 1.x, repository: ''}]\n"),
            ("templates/a.yaml", "{{ include \"lib.labels\" . }}\n{{ include \"over\" . }}\n"),
            ("templates/_o.tpl", "{{ define \"over\" }}by: top{{ end }}"),
            ("charts/lib/Chart.yaml", "apiVersion: v2\nname: lib\nversion: 1.9.0\ntype: library\n"),
            ("charts/lib/templates/_l.tpl", "{{ define \"lib.labels\" }}app: {{ .Chart.Name }}{{ end }}{{ define \"over\" }}by: lib{{ end }}"),
            ("charts/lib/templates/shown.yaml", "never: rendered\n"),
        ],
    ),
    case("a library is not installed", &[("Chart.yaml", "apiVersion: v2\nname: l\nversion: 1.0.0\ntype: library\n")]),
    case(
        "hooks, definitions, notes and order",
        &[
            ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"),
            ("crds/b.yaml", "kind: CustomResourceDefinition\nmetadata: {name: b}\n"),
            ("crds/a.txt", "no\n"),
            ("templates/NOTES.txt", "read me\n"),
            ("templates/z.yaml", "kind: Zebra\n---\nkind: Deployment\n---apiVersion: v1\nkind: Secret\n--- # c\n\n# only a comment\n---\nkind: Ant\n"),
            ("templates/h.yaml", "kind: Job\nmetadata:\n  name: h\n  annotations: {helm.sh/hook: ' Pre-Install , test', helm.sh/hook-weight: \"3\"}\n---\nkind: Pod\nmetadata:\n  annotations: {helm.sh/hook: test-success}\n---\nkind: Pod\nmetadata:\n  annotations: {helm.sh/hook: unknown}\n"),
            ("templates/blank.yaml", " \n{{/* nothing */}}\n"),
            ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.0.0\n"),
            ("charts/sub/crds/c.yml", "kind: CustomResourceDefinition\nmetadata: {name: c}"),
            ("charts/sub/templates/NOTES.txt", "sub\n"),
            ("charts/sub/templates/s.yaml", "kind: Service\n"),
        ],
    ),
    case("a schema of an unknown type", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("values.schema.json", r#"{"type": "foo"}"#)]),
    case("a schema with a bad pattern", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("values.schema.json", r#"{"properties": {"a": {"pattern": "("}}}"#)]),
    case("a schema with a text for a number", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("values.schema.json", r#"{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"minLength": "x"}}}"#)]),
    case("a schema that is a list", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("values.schema.json", r#"[]"#)]),
    case("a schema that is cut off", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("values.schema.json", r#"{"type": "#)]),
    case("a schema that is no JSON", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("values.schema.json", r#"{"type": x}"#)]),
    case("a schema with a reference to nothing", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("values.schema.json", r##"{"$ref": "#/x"}"##)]),
    case("a schema of draft 4", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("values.schema.json", r#"{"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"a": {"maximum": 5, "exclusiveMaximum": true}, "b": {"format": "ipv4"}}}"#)]).values(&["a: 5\n"]),
    case("a schema of draft 2019-09", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("values.schema.json", r##"{"$schema": "https://json-schema.org/draft/2019-09/schema", "$ref": "#/$defs/x", "unevaluatedProperties": false, "$defs": {"x": {"properties": {"a": {"dependentRequired": {"b": ["c"]}}}}}}"##)]).values(&["a: {b: 1}\n"]),
    case(
        "a schema that says no, twice",
        &[
            ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"),
            ("values.schema.json", "{\"$schema\": \"http://json-schema.org/draft-07/schema#\", \"required\": [\"name\"], \"properties\": {\"n\": {\"$ref\": \"#/definitions/port\"}, \"sub\": {\"type\": \"object\"}}, \"definitions\": {\"port\": {\"type\": \"integer\", \"maximum\": 65535}}}"),
            ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.0.0\n"),
            ("charts/sub/values.yaml", "mode: on\n"),
            ("charts/sub/values.schema.json", "{\"properties\": {\"mode\": {\"enum\": [\"a\", \"b\"]}, \"global\": {\"type\": \"object\"}}, \"additionalProperties\": false}"),
        ],
    )
    .values(&["n: 70000\nsub: {other: 1}\n"]),
    case(
        ".helmignore",
        &[
            ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"),
            (".helmignore", "# comment\n*.md\n/docs/\nci/*\ntemplates/skip-?.yaml\n.git\n"),
            ("README.md", "x"),
            ("docs/a.txt", "x"),
            ("sub/docs/a.txt", "x"),
            ("ci/v.yaml", "x"),
            ("kept.txt", "x"),
            ("templates/a.yaml", SHOW),
            ("templates/skip-1.yaml", "{{ fail \"ignored\" }}"),
            ("templates/.hidden.yaml", "{{ fail \"hidden\" }}"),
        ],
    ),
    case("a bad .helmignore", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), (".helmignore", "a/**\n")]),
    case(
        "version 1 with requirements",
        &[
            ("Chart.yaml", "name: top\nversion: 1.0\nappVersion: 1.10\nengine: gotpl\nKeywords: [a, 1, true]\n"),
            ("requirements.yaml", "dependencies:\n- {name: sub, version: '>0', repository: 'https://x', condition: sub.on}\n"),
            ("templates/a.yaml", SHOW),
            ("charts/sub/Chart.yaml", "name: sub\nversion: 2.0.0\n"),
            ("charts/sub/values.yaml", "on: false\n"),
            ("charts/sub/templates/s.yaml", "{{ fail \"disabled\" }}"),
        ],
    ),
    case(
        "a value that is no table",
        &[
            ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"),
            ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.0.0\n"),
        ],
    )
    .values(&["sub: text\n"]),
    case("a missing dependency", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies: [{name: x, version: 1.0.0, repository: ''}]\n")]),
    case("no Chart.yaml in a sub-chart", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("charts/x/values.yaml", "a: 1\n"), ("charts/_x/values.yaml", "a: 1\n")]),
    // One mistake only: Helm meets sub-charts in random order.
    case("a loose file in charts/", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("charts/loose.txt", "")]),
    case("a version that is none", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: one\n")]),
    case("a name with a path", &[("Chart.yaml", "apiVersion: v2\nname: ../top\nversion: 1.0.0\n")]),
    case("a list where a text belongs", &[("Chart.yaml", "apiVersion: v2\nname: [top]\nversion: 1.0.0\n")]),
    case("a text where a list belongs", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies: [{name: a, tags: x}]\n")]),
    case("dependencies of the same name", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies: [{name: a}, {name: b, alias: a}]\n")]),
    case("a null maintainer", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\nmaintainers: [~]\n")]),
    case("values that are a list", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("values.yaml", "- a\n")]),
    case("values that are no YAML", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("values.yaml", "a: b\n c: d\n")]),
    case("output that is no YAML", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("templates/a.yaml", "a: b: c\n")]),
    case("output that is no object", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("templates/a.yaml", "- a\n")]),
    case("annotations that are numbers", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("templates/a.yaml", "kind: X\nmetadata: {annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: 5, b: true}}\n")]),
    case("annotations that are lists", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("templates/a.yaml", "kind: X\nmetadata: {annotations: {a: [b]}}\n")]),
    case("metadata that is a text", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("templates/a.yaml", "kind: X\nmetadata: y\n")]),
    case("another Kubernetes", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\nkubeVersion: '<1.20'\n"), ("templates/a.yaml", "a: 1\n")]),
    case("a required value", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("templates/a.yaml", "a: {{ required \"give me a\" .Values.a }}\n")]),
    case("values that change while rendering", &[
        ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"),
        ("values.yaml", "sub: {a: 1}\n"),
        ("templates/a.yaml", "a: {{ .Values.sub.b }} {{ .Subcharts.sub.Values.b }} {{ typeOf .Values.sub }} {{ typeOf .Subcharts.sub.Values }} {{ typeOf . }}\n"),
        ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.0.0\n"),
        ("charts/sub/templates/s.yaml", "{{ $_ := set .Values \"b\" \"set\" }}b: {{ .Values.b }}\n"),
    ]),
    case("parts of .Capabilities.APIVersions", &[
        ("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"),
        ("templates/a.yaml", "{{ $s := slice .Capabilities.APIVersions 0 0 }}a: {{ typeOf $s }} {{ toJson $s }} {{ $s.Has \"v1\" }}\n"),
    ]),
    case("set in all its forms", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n"), ("values.yaml", "list: [a, b]\nt: {x: 1}\n"), ("templates/a.yaml", "{{ .Values | toJson }}\n")])
        .sets(&["a=1,b=1.5,c=01,d=true,e=null,f=,g={x,2},h[2].i=j,list[1]=z,k\\.l=m,t.y={}", "n[0][1]=o,p=a\\,b"]),
    case("a set that fails", &[("Chart.yaml", "apiVersion: v2\nname: top\nversion: 1.0.0\n")]).sets(&["a.b=1,a.b.c=2"]),
];

/// The real Helm, built if it is not yet.
fn helm() -> PathBuf {
    plane::programs::Peers::ensure().unwrap().helm
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

fn theirs(helm: &Path, folder: &Path, case: &Case) -> Result<String, String> {
    let mut command = Command::new(helm);
    command.args(["template", "rel"]).arg(folder).args([
        "-n",
        "ns",
        "--kube-version",
        "1.36",
        "--include-crds",
    ]);
    for (i, text) in case.values.iter().enumerate() {
        let path = folder.with_extension(format!("values-{i}.yaml"));
        std::fs::write(&path, text).unwrap();
        command.arg("-f").arg(path);
    }
    for text in case.sets {
        command.args(["--set", text]);
    }
    let output = command.output().unwrap();
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout).unwrap());
    }
    let text = String::from_utf8(output.stderr).unwrap();
    let start = text.find("Error: ").unwrap_or_else(|| panic!("{}: {text}", case.name));
    Err(text[start + "Error: ".len()..].trim_end().to_owned())
}

fn ours(case: &Case) -> Result<String, String> {
    let text = |error: chart::Error| error.to_string();
    let mut user = Table::new();
    for values in case.values {
        user = overlay(user, read_values(values.as_bytes()).map_err(text)?);
    }
    for sets in case.sets {
        set(&mut user, sets, Set::Typed).map_err(|error| format!("failed parsing --set data: {error}"))?;
    }
    let mut chart = Chart::from_folder(&case.files, &ArchiveLimits::default()).map_err(text)?;
    if !matches!(&*chart.metadata.kind, "" | "application") {
        return Err(format!("{} charts are not installable", chart.metadata.kind));
    }
    let missing = chart.missing_dependencies().join(", ");
    if !missing.is_empty() {
        return Err(format!(
            "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: {missing}"
        ));
    }
    check_release_name("rel").map_err(text)?;
    let mut warnings = Vec::new();
    chart
        .process_dependencies(&user, &mut warnings)
        .map_err(|error| format!("chart dependencies processing failed: {error}"))?;
    let request = Request {
        release: ReleaseOptions {
            name: "rel".into(),
            namespace: "ns".into(),
            revision: 1,
            action: Action::Install,
        },
        capabilities: Capabilities {
            kube_version: KubeVersion::parse("1.36").unwrap(),
            ..Capabilities::default()
        },
        schemas: SchemaCheck::Validate,
    };
    let late = |error: chart::Error| match error {
        chart::Error::Values(_) | chart::Error::Schema(_) => error.to_string().trim_end().to_owned(),
        error => format!("{error}\n\nUse --debug flag to render out invalid YAML"),
    };
    let files =
        chart.render(&user, &request, sprig::Options::new(0, [1; 32]), &mut warnings).map_err(late)?;
    let rendering = assemble(files, chart.name(), Notes::OwnOnly, Separators::Strict).map_err(late)?;
    Ok(listing(&chart, &rendering, &[Part::Crds, Part::Hooks, Part::Tests]))
}

/// The lines that only one side has at their place.
fn difference(theirs: &Result<String, String>, ours: &Result<String, String>) -> String {
    let (Ok(theirs), Ok(ours)) = (theirs, ours) else { return format!("helm {theirs:?}\nours {ours:?}") };
    let (mut theirs, mut ours) = (theirs.lines(), ours.lines());
    let mut out = String::new();
    loop {
        match (theirs.next(), ours.next()) {
            (None, None) => return out,
            (a, b) if a == b => {}
            (a, b) => out.push_str(&format!("helm {a:?}\nours {b:?}\n")),
        }
    }
}

#[test]
fn charts_of_our_own_are_as_helm_has_them() {
    let helm = helm();
    let names: BTreeSet<_> = CASES.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), CASES.len(), "names are unique");
    let mut problems = Vec::new();
    for case in CASES {
        let folder = tempfile::tempdir().unwrap();
        let chart = folder.path().join("chart");
        write(&chart, case.files);
        let theirs = theirs(&helm, &chart, case);
        let ours = sprig::with_stack(|| ours(case));
        if ours != theirs {
            problems.push(format!("=== {}\n{}", case.name, difference(&theirs, &ours)));
        }
    }
    assert!(problems.is_empty(), "{} of {} differ\n{}", problems.len(), CASES.len(), problems.join("\n"));
}

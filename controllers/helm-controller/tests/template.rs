//! `helm-controller template` prints what `helm template` prints.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// More than what is looked at to see what a file is.
const LONG: &str = concat!(
    "text text text text text text text text text text text text text text text text text text text text text text text ",
    "text text text text text text text text text text text text text text text text text text text text text text text ",
    "text text text text text text text text text text text text text text text text text text text text text text text ",
    "text text text text text text text text text text text text text text text text text text text text text text text ",
    "text text text text text text text text text text text text text text text text text text text text text text text\n"
);

const CHART: [(&str, &str); 11] = [
    (
        "templates/broken.yaml",
        "{{ if .Values.broken }}a: [1\n{{ end }}{{ if .Values.fail }}{{ fail \"as asked\" }}{{ end }}\n",
    ),
    ("templates/many.yaml", "kind: B\nn: 1\n---\n---\n# only a remark\n---\nkind: ConfigMap\nn: 2\n"),
    ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
    ("values.yaml", "a: 1\nb: {c: [1, 2]}\n"),
    ("values.schema.json", r#"{"properties": {"a": {"type": "number"}}}"#),
    ("crds/c.yaml", "kind: CustomResourceDefinition\n"),
    ("templates/NOTES.txt", "never printed"),
    ("templates/a.yaml", "kind: A\nvalues: {{ .Values | toJson }}\nrelease: {{ .Release | toJson }}\n"),
    (
        "templates/sub/b.yaml",
        "kind: B\nkube: {{ .Capabilities.KubeVersion }} {{ .Capabilities.KubeVersion.Minor }} {{ .Capabilities.APIVersions.Has \"x/v1\" }}\n---\nkind: Secret\n",
    ),
    ("templates/hook.yaml", "kind: H\nmetadata: {annotations: {helm.sh/hook: pre-install}}\n"),
    ("templates/test.yaml", "kind: T\nmetadata: {annotations: {helm.sh/hook: test}}\n"),
];

/// The real Helm, built if it is not yet.
fn helm() -> PathBuf {
    plane::programs::Peers::ensure().unwrap().helm
}

fn run(program: &Path, folder: &Path, arguments: &[&str]) -> Output {
    Command::new(program).current_dir(folder).arg("template").args(arguments).output().unwrap()
}

fn ours() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_helm-controller"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn stage() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let others = [
        ("../crlf.yaml", "a: 7\r\nt: |\r\n  one\r\n  two\r\n"),
        ("../bom.yaml", "\u{feff}bom: 1\n"),
        (
            "../scalars.yaml",
            "s: [1e6, 1.0, 0x10, 010, 0o10, 0b11, yes, no, on, off, y, n, ~, 1_000, .5, 12:30:45, 2024-01-02, +1, 1e400x, 9007199254740993]\n1: x\n1.5: y\ntrue: z\n",
        ),
        ("../anchors.yaml", "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: [*x, *x]\nb: {c: 1}\nb: {d: 2}\n"),
        ("../broken.yaml", "a: [1\nb: 2\n"),
        ("../list.yaml", "- a\n"),
        ("../long.txt", LONG),
        ("../odd-version/Chart.yaml", "apiVersion: v7\nname: x\nversion: 1.0.0\n"),
        ("../library/Chart.yaml", "apiVersion: v2\nname: x\nversion: 1.0.0\ntype: library\n"),
        (
            "../missing/Chart.yaml",
            "apiVersion: v2\nname: x\nversion: 1.0.0\ndependencies: [{name: a, version: 1.x.x, repository: ''}, {name: b, version: '1', repository: ''}]\n",
        ),
        ("../ignored/Chart.yaml", "apiVersion: v2\nname: x\nversion: 1.0.0\n"),
        ("../ignored/.helmignore", "Chart.yaml\n"),
        ("../dangling/Chart.yaml", "apiVersion: v2\nname: x\nversion: 1.0.0\n"),
        ("../double-star/Chart.yaml", "apiVersion: v2\nname: x\nversion: 1.0.0\n"),
        ("../double-star/.helmignore", "a/**\n"),
        ("../newer/Chart.yaml", "apiVersion: v2\nname: x\nversion: 1.0.0\nkubeVersion: '>=2'\n"),
        ("../no-name/Chart.yaml", "apiVersion: v2\nversion: 1.0.0\n"),
        ("../one.yaml", "a: 2\nb: {d: x}\n"),
        ("../two.yaml", "b: {d: null, e: 1.5}\n---\nf: second\n"),
        ("../content.txt", "line 1\nline 2\n"),
    ];
    for (path, content) in CHART.iter().chain(&others) {
        let path = folder.path().join("chart").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    std::fs::write(folder.path().join("broken.tgz"), b"\x1f\x8b\x08\x00\x00").unwrap();
    let dangling = folder.path().join("dangling/link");
    std::os::unix::fs::symlink(folder.path().join("nowhere"), dangling).unwrap();
    let link = folder.path().join("chart/templates/linked.yaml");
    std::os::unix::fs::symlink(folder.path().join("chart/templates/hook.yaml"), link).unwrap();
    folder
}

#[test]
fn flags_mean_what_they_mean_to_helm() {
    let (helm, folder) = (helm(), stage());
    for flags in [
        &[][..],
        &["--kube-version", "1.30.2-vendor.1", "-a", "x/v1,y/v1"],
        &["--namespace", "other", "--is-upgrade", "--include-crds"],
        &["-f", "one.yaml", "-f", "two.yaml"],
        &["-f", "one.yaml,two.yaml", "--set", "b.c[0]=9,a=3", "--set-string", "z=01", "--set", "y=null"],
        &[
            "--set-file",
            "content=content.txt",
            "--set-json",
            r#"j={"k": [1, 2.5]}"#,
            "--set-json",
            r#"{"b": {"m": 1}}"#,
        ],
        &["--set-literal", "l=a,b={c}\\", "--set-json", "n=null"],
        &["--no-hooks"],
        &["--skip-tests"],
        &["--show-only", "templates/a.yaml", "-s", "templates/sub/*"],
        &["--show-only", "templates/hook.yaml", "--include-crds", "--show-only", "crds/c.yaml"],
        &["--skip-schema-validation", "--set-string", "a=x"],
        &["--skip-crds", "--description", "x", "--labels", "a=b,c=d", "--create-namespace", "--replace"],
        &["--timeout", "5s", "--wait", "--wait-for-jobs", "--disable-openapi-validation", "--take-ownership"],
        &["--dry-run=client", "--version", "9.9.9", "--devel", "--dependency-update", "--server-side=false"],
        &["--enable-dns", "--hide-notes", "--render-subchart-notes", "--debug"],
        &["--show-only", "templates/*.yaml", "--show-only", "templates/a.yaml", "--no-hooks"],
        &["--show-only", "templates/[a-b].yaml"],
        &["-f", "crlf.yaml", "-f", "bom.yaml"],
        &["-f", "scalars.yaml"],
        &["-f", "anchors.yaml"],
        &["--set", "l={a,b,},m.n.o=1,p[1].q=2", "--set-string", "m.n.o=true,r=null", "--set", "l[1]=null"],
        &["--set", r"k\.l=x\,y,e=,big=9007199254740993,f=1e3,g=0x10,neg=-5"],
        &["--set-json", "z=[1,2.0,1e3]", "--set-json", r#"b={"c": null},d="x""#, "--set-literal", "x.y=[1]"],
        &["--set-file", "x.y=content.txt,z=one.yaml"],
    ] {
        let kube: &[&str] = if flags.contains(&"--kube-version") { &[] } else { &["--kube-version", "1.36"] };
        let arguments = [&["rel", "./chart"], kube, flags].concat();
        let theirs = run(&helm, folder.path(), &arguments);
        let found = run(ours(), folder.path(), &arguments);
        assert!(theirs.status.success(), "{flags:?}: {}", text(&theirs.stderr));
        assert!(found.status.success(), "{flags:?}: {}", text(&found.stderr));
        assert_eq!(text(&found.stdout), text(&theirs.stdout), "{flags:?}");
    }
}

#[test]
fn failures_read_as_helms() {
    let (helm, folder) = (helm(), stage());
    for arguments in [
        &["rel", "./chart", "--set-string", "a=x"][..],
        &["Rel", "./chart"],
        &["rel", "./chart", "--set", "a"],
        &["rel", "./chart", "--set-json", "a={"],
        &["rel", "./chart", "--kube-version", "x"],
        &["rel", "./chart", "--show-only", "templates/none.yaml"],
        &["rel", "one.yaml"],
        &["rel", "content.txt"],
        &["rel", "long.txt"],
        &["rel", "./chart", "--generate-name"],
        &["rel", "./chart", "--name-template", "x"],
        &["./chart", "--name-template", "{{ upper \"x\" }}"],
        &["./chart", "--name-template", "{{ nope }}"],
        &["./chart", "--name-template", "{{"],
        &["rel", "./nowhere"],
        &["rel", "/nowhere/at/all"],
        &["rel", "./chart/templates"],
        &["rel", "./chart", "-f", "nowhere.yaml"],
        &["rel", "./chart", "-f", "chart"],
        &["rel", "./chart", "-f", "broken.yaml"],
        &["rel", "./chart", "-f", "list.yaml"],
        &["rel", "./chart", "--set-file", "a=nowhere"],
        &["rel", "./chart", "--set", "a[99999]=1"],
        &["rel", "./chart", "--set", "a.b=1", "--set", "a.b.c=1"],
        &["rel", "./chart", "--labels", "owner=me"],
        &["rel", "./chart", "--set", "broken=true"],
        &["rel", "./chart", "--set", "fail=true"],
        &["rel", "./chart", "--set", "fail=true", "--debug"],
        &["rel", "./odd-version"],
        &["rel", "./library"],
        &["rel", "./missing"],
        &["rel", "./ignored"],
        &["rel", "./dangling"],
        &["rel", "./double-star"],
        &["rel", "./newer", "--kube-version", "1.36"],
        &["rel", "./no-name"],
    ] {
        let theirs = run(&helm, folder.path(), arguments);
        let found = run(ours(), folder.path(), arguments);
        assert_eq!(found.status.code(), theirs.status.code(), "{arguments:?}: {}", text(&found.stderr));
        // Helm logs on standard error, too.
        let error = text(&theirs.stderr);
        let start = error.find("Error: ").unwrap_or_else(|| panic!("{arguments:?}: {error}"));
        assert_eq!(text(&found.stderr), error.get(start..).unwrap(), "{arguments:?}");
        assert_eq!(text(&found.stdout), text(&theirs.stdout), "{arguments:?}");
    }
}

#[test]
fn what_is_not_there_is_said() {
    let folder = stage();
    for (arguments, said) in [
        (&["rel", "./missing", "--dependency-update"][..], "--dependency-update is not supported"),
        (&["rel", "./chart", "--validate"], "there is no cluster to ask"),
        (&["rel", "./chart", "--dry-run=server"], "Must be \"client\""),
        (&["rel", "./chart", "--dry-run=false"], "Must be \"client\""),
        (&["rel", "./chart", "--verify"], "`helm verify`"),
        (&["rel", "./chart", "--post-renderer", "x"], "pipe the output into that program"),
        (&["rel", "./chart", "--repo", "https://x"], "--repo is not supported"),
        (&["rel", "no/chart"], "not found"),
        (&["rel", "./chart", "-f", "https://x/y.yaml"], "values are read from files of this machine only"),
        (&["rel", "bitnami/nginx"], "`helm pull bitnami/nginx`"),
        (&["rel", "broken.tgz"], "unable to load chart archive: unexpected EOF"),
    ] {
        let found = run(ours(), folder.path(), arguments);
        assert_eq!(found.status.code(), Some(1), "{arguments:?}");
        assert!(text(&found.stderr).contains(said), "{arguments:?}: {}", text(&found.stderr));
    }
    let unknown = Command::new(ours()).arg("--concurent=2").output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("--concurrent"), "{}", text(&unknown.stderr));
}

/// The files of a folder by their paths.
fn tree(folder: &Path, path: &str, found: &mut std::collections::BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder.join(path)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{path}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            tree(folder, &path, found);
        } else {
            found.insert(path, text(&std::fs::read(entry.path()).unwrap()));
        }
    }
}

#[test]
fn files_are_written_as_helm_writes_them() {
    let (helm, folder) = (helm(), stage());
    for flags in [
        &[][..],
        &["--include-crds"],
        &["--release-name", "--include-crds", "--no-hooks"],
        &["--skip-tests", "--release-name"],
        &["--show-only", "templates/a.yaml"],
    ] {
        let run = |program: &Path| {
            let arguments =
                [&["rel", "./chart", "--kube-version", "1.36", "--output-dir", "out/x/"], flags].concat();
            let output = run(program, folder.path(), &arguments);
            let mut files = std::collections::BTreeMap::new();
            tree(&folder.path().join("out"), "x", &mut files);
            std::fs::remove_dir_all(folder.path().join("out")).unwrap();
            let error =
                text(&output.stderr).lines().find(|line| line.starts_with("Error: ")).map(str::to_owned);
            (text(&output.stdout), error, output.status.code(), files)
        };
        let (theirs, found) = (run(&helm), run(ours()));
        assert_eq!(found, theirs, "{flags:?}");
    }
    // A second run replaces what the first has written.
    let arguments = ["rel", "./chart", "--output-dir", "again"];
    let first = run(ours(), folder.path(), &arguments);
    let mut once = std::collections::BTreeMap::new();
    tree(folder.path(), "again", &mut once);
    let second = run(ours(), folder.path(), &arguments);
    let mut twice = std::collections::BTreeMap::new();
    tree(folder.path(), "again", &mut twice);
    assert!(first.status.success() && second.status.success() && !once.is_empty());
    assert_eq!(once, twice);
}

#[test]
fn names_come_from_templates_or_are_fixed() {
    let (helm, folder) = (helm(), stage());
    for arguments in [
        &["./chart"][..],
        &["./chart", "--generate-name"],
        &["./chart", "--name-template", "{{ printf \"%s-%d\" (lower \"AB\") 7 }}"],
        &["./chart", "--name-template", "x"],
        &["./chart", "--name-template", ""],
    ] {
        let arguments = [arguments, &["--kube-version", "1.36"]].concat();
        let (theirs, found) = (run(&helm, folder.path(), &arguments), run(ours(), folder.path(), &arguments));
        assert!(found.status.success(), "{arguments:?}: {}", text(&found.stderr));
        assert_eq!(text(&found.stdout), text(&theirs.stdout), "{arguments:?}");
    }
}

#[test]
fn what_is_no_yaml_can_be_looked_at() {
    let folder = stage();
    let found = run(ours(), folder.path(), &["rel", "./chart", "--set", "broken=true", "--debug"]);
    assert_eq!(found.status.code(), Some(1));
    let out = text(&found.stdout);
    assert!(out.starts_with("---\n# Source: web/templates/a.yaml\n"), "{out}");
    assert!(out.contains("---\n# Source: web/templates/broken.yaml\na: [1\n"), "{out}");
    assert!(!text(&found.stderr).contains("Use --debug"), "{}", text(&found.stderr));
}

#[test]
fn values_come_from_standard_input() {
    use std::io::Write;
    use std::process::Stdio;
    let (helm, folder) = (helm(), stage());
    let run = |program: &Path| {
        let mut child = Command::new(program)
            .current_dir(folder.path())
            .args(["template", "rel", "./chart", "--kube-version", "1.36", "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"a: 99\n").unwrap();
        text(&child.wait_with_output().unwrap().stdout)
    };
    let found = run(ours());
    assert!(found.contains("\"a\":99"), "{found}");
    assert_eq!(found, run(&helm));
}

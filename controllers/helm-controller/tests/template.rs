//! `helm-controller template` prints what `helm template` prints.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const CHART: [(&str, &str); 9] = [
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

/// The real Helm: the newest in `target/tools`, which `cargo xtask test` builds.
fn helm() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    let found =
        std::fs::read_dir(&tools).into_iter().flatten().flatten().map(|entry| entry.path().join("helm"));
    let newest =
        found.filter(|path| path.is_file()).max_by_key(|path| path.metadata().unwrap().modified().unwrap());
    newest.unwrap_or_else(|| panic!("no helm in {}: run `cargo xtask tools`", tools.display()))
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
        ("../one.yaml", "a: 2\nb: {d: x}\n"),
        ("../two.yaml", "b: {d: null, e: 1.5}\n---\nf: second\n"),
        ("../content.txt", "line 1\nline 2\n"),
    ];
    for (path, content) in CHART.iter().chain(&others) {
        let path = folder.path().join("chart").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
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
        &["rel", "./chart", "--generate-name"],
    ] {
        let theirs = run(&helm, folder.path(), arguments);
        let found = run(ours(), folder.path(), arguments);
        assert_eq!(found.status.code(), theirs.status.code(), "{arguments:?}: {}", text(&found.stderr));
        // Helm logs on standard error, too.
        let error = text(&theirs.stderr);
        let start = error.find("Error: ").unwrap_or_else(|| panic!("{arguments:?}: {error}"));
        assert_eq!(text(&found.stderr), error.get(start..).unwrap(), "{arguments:?}");
        assert!(found.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn what_is_not_there_is_said() {
    let folder = stage();
    for (arguments, said) in [
        (&["rel", "./chart", "--dependency-update"][..], "--dependency-update is not supported"),
        (&["rel", "./chart", "--repo", "https://x"], "--repo is not supported"),
        (&["rel", "no/chart"], "not found"),
        (&["rel", "./chart", "-f", "https://x/y.yaml"], "values are read from files of this machine only"),
        (&["rel", "content.txt"], "does not appear to be a gzipped archive"),
    ] {
        let found = run(ours(), folder.path(), arguments);
        assert_eq!(found.status.code(), Some(1), "{arguments:?}");
        assert!(text(&found.stderr).contains(said), "{arguments:?}: {}", text(&found.stderr));
    }
    let controller = Command::new(ours()).output().unwrap();
    assert_eq!(controller.status.code(), Some(2));
    assert!(text(&controller.stderr).contains("does not reconcile HelmReleases yet"));
}

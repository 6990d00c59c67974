//! `kustomize-controller build --enable-helm` next to the real kustomize with the real helm.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;
use std::process::{Command, Output};

use plane::programs::Peers;

const CHART: &[(&str, &str)] = &[
    ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: v9\n"),
    ("values.yaml", "replicas: 1\nlabels:\n  a: b\n  c: d\nports: [80, 443]\nname: web\n"),
    ("crds/c.yaml", CRD),
    (
        "templates/web.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}-{{ .Values.name }}\n  \
         namespace: {{ .Release.Namespace }}\n  labels: {{- toYaml .Values.labels | nindent 4 }}\nspec:\n  replicas: \
         {{ .Values.replicas }}\n  ports: {{ .Values.ports | toJson }}\n  kube: {{ .Capabilities.KubeVersion.Version }}\n  \
         has: {{ .Capabilities.APIVersions.Has \"example.com/v1\" }}\n",
    ),
    (
        "templates/job.yaml",
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: hook\n  annotations: {helm.sh/hook: pre-install}\n",
    ),
    (
        "templates/test.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: test\n  annotations: {helm.sh/hook: test}\n",
    ),
    ("templates/empty.yaml", "{{- if .Values.nothing }}\nx: y\n{{- end }}\n"),
    ("templates/NOTES.txt", "Thanks.\n"),
];

const CRD: &str = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\n";

/// The programs take different versions of Kubernetes for the newest.
const PLAIN: &[&str] = &["--helm-kube-version=1.33.1"];

/// Each: what it shows, flags, the kustomization.
const CASES: &[(&str, &[&str], &str)] = &[
    ("the plainest", PLAIN, "helmCharts: [{name: web, releaseName: r}]\n"),
    (
        "two releases",
        PLAIN,
        "helmCharts: [{name: web, releaseName: a, skipHooks: true}, {name: web, releaseName: b, skipHooks: true}]\n",
    ),
    (
        "the same objects twice",
        PLAIN,
        "helmCharts: [{name: web, releaseName: a}, {name: web, releaseName: b}]\n",
    ),
    ("no name of the release", PLAIN, "helmCharts: [{name: web}]\n"),
    (
        "a template of the name",
        PLAIN,
        "helmCharts: [{name: web, nameTemplate: 'x-{{ upper \"y\" | lower }}'}]\n",
    ),
    ("two names", PLAIN, "helmCharts: [{name: web, releaseName: a, nameTemplate: b}]\n"),
    ("no such chart", PLAIN, "helmCharts: [{name: nope, releaseName: r}]\n"),
    ("no name of a chart", PLAIN, "helmCharts: [{releaseName: r}]\n"),
    ("a field with a typing mistake", PLAIN, "helmCharts: [{name: web, realeaseName: r}]\n"),
    (
        "CRDs, no tests",
        PLAIN,
        "helmCharts: [{name: web, releaseName: r, includeCRDs: true, skipTests: true}]\n",
    ),
    ("no hooks", PLAIN, "helmCharts: [{name: web, releaseName: r, skipHooks: true}]\n"),
    (
        "inline values win",
        PLAIN,
        "helmCharts: [{name: web, releaseName: r, valuesInline: {replicas: 3, labels: {a: x, e: f}, ports: [1]}}]\n",
    ),
    (
        "a null deletes",
        PLAIN,
        "helmCharts: [{name: web, releaseName: r, valuesInline: {labels: {a: null, e: 1e3}}}]\n",
    ),
    (
        "the file wins",
        PLAIN,
        "helmCharts: [{name: web, releaseName: r, valuesMerge: merge, valuesInline: {replicas: 3, labels: {a: x, e: f}, ports: [1]}}]\n",
    ),
    (
        "only inline values",
        PLAIN,
        "helmCharts: [{name: web, releaseName: r, valuesMerge: replace, valuesInline: {replicas: 3, labels: {}}}]\n",
    ),
    ("no such merge", PLAIN, "helmCharts: [{name: web, releaseName: r, valuesMerge: deep}]\n"),
    ("a file of values", PLAIN, "helmCharts: [{name: web, releaseName: r, valuesFile: my.yaml}]\n"),
    ("a missing file of values", PLAIN, "helmCharts: [{name: web, releaseName: r, valuesFile: nope.yaml}]\n"),
    (
        "more files of values",
        PLAIN,
        "helmCharts: [{name: web, releaseName: r, additionalValuesFiles: [my.yaml, more.yaml]}]\n",
    ),
    (
        "a file of values outside",
        PLAIN,
        "helmCharts: [{name: web, releaseName: r, valuesFile: ../out.yaml}]\n",
    ),
    ("a namespace", PLAIN, "helmCharts: [{name: web, releaseName: r, namespace: shop}]\n"),
    (
        "the namespace of the kustomization",
        PLAIN,
        "namespace: prod\nhelmCharts: [{name: web, releaseName: r}]\n",
    ),
    ("both", PLAIN, "namespace: prod\nhelmCharts: [{name: web, releaseName: r, namespace: shop}]\n"),
    (
        "versions",
        &[],
        "helmCharts: [{name: web, releaseName: r, kubeVersion: 1.27.3, apiVersions: [example.com/v1]}]\n",
    ),
    (
        "versions by flags",
        &["--helm-kube-version=1.22.0", "--helm-api-versions=example.com/v1"],
        "helmCharts: [{name: web, releaseName: r}]\n",
    ),
    (
        "flags and versions",
        &["--helm-kube-version=1.22.0"],
        "helmCharts: [{name: web, releaseName: r, kubeVersion: 1.27.3}]\n",
    ),
    ("another home", PLAIN, "helmGlobals: {chartHome: other}\nhelmCharts: [{name: web, releaseName: r}]\n"),
    ("a version without a repository", PLAIN, "helmCharts: [{name: web, version: 9.9.9, releaseName: r}]\n"),
    (
        "transformers",
        PLAIN,
        "helmCharts: [{name: web, releaseName: r}]\nnamePrefix: p-\ncommonAnnotations: {x: y}\nimages: [{name: a, newTag: b}]\n\
         patches: [{target: {kind: Deployment}, patch: '[{op: replace, path: /spec/replicas, value: 9}]'}]\n",
    ),
    ("origins", PLAIN, "helmCharts: [{name: web, releaseName: r}]\nbuildMetadata: [originAnnotations]\n"),
    ("a generator", PLAIN, "generators: [g.yaml]\n"),
    (
        "the older field",
        PLAIN,
        "helmChartInflationGenerator: [{chartName: web, releaseName: r, valuesLocal: {replicas: 5}}]\n",
    ),
    ("a base with a chart", PLAIN, "resources: [base]\nnamespace: prod\nnameSuffix: -s\n"),
];

#[test]
fn charts_are_rendered_as_kustomize_has_helm_render_them() {
    let peers = Peers::ensure().unwrap();
    let mut different = Vec::new();
    for (shows, flags, kustomization) in CASES {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, content: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        };
        for (path, content) in CHART {
            for home in ["app/charts", "app/other", "app/base/charts"] {
                write(&format!("{home}/web/{path}"), content);
            }
        }
        write("app/other/web/values.yaml", "name: other\nlabels: {}\n");
        write("app/my.yaml", "name: mine\nlabels: {m: n}\n");
        write("app/more.yaml", "ports: []\n");
        write("out.yaml", "name: out\n");
        write(
            "app/g.yaml",
            "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: g}\nname: web\nreleaseName: g\n",
        );
        write(
            "app/base/kustomization.yaml",
            "helmCharts: [{name: web, releaseName: r}]\nresources: [c.yaml]\n",
        );
        write("app/base/c.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n");
        write("app/kustomization.yaml", kustomization);
        let run = |program: &Path| -> Output {
            let mut command = Command::new(program);
            command.args(["build", "app", "--enable-helm", "--helm-command"]).arg(&peers.helm).args(*flags);
            command.current_dir(folder.path()).output().unwrap()
        };
        let theirs = run(&peers.kustomize);
        let ours = run(Path::new(env!("CARGO_BIN_EXE_kustomize-controller")));
        if ours.status.success() != theirs.status.success() || ours.stdout != theirs.stdout {
            let shown = |output: &Output| {
                format!(
                    "{}\n{}{}",
                    output.status,
                    String::from_utf8_lossy(&output.stdout),
                    String::from_utf8_lossy(&output.stderr)
                )
            };
            different.push(format!(
                "== {shows}\n--- kustomize\n{}--- ours\n{}",
                shown(&theirs),
                shown(&ours)
            ));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn charts_need_a_flag() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kustomization.yaml"), "helmCharts: [{name: web}]\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_kustomize-controller"))
        .arg("build")
        .arg(folder.path())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("--enable-helm"), "{error}");
}

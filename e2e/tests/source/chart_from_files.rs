//! HelmChart: charts in the files of a GitRepository (acceptance cases 68, 69, 72).

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::condition;
use testkit::git::{Access, Change, ServerOptions};

use super::charts::{Charts, contents, folder, unzipped};
use super::scene::{message, reason};

const APP: &[(&str, &str)] = &[
    ("Chart.yaml", "apiVersion: v2\nname: app\nversion: 0.1.0\ndescription: An app\n"),
    ("values.yaml", "# Said here.\nreplicas: 1\n"),
    ("values.schema.json", "{\"type\": \"object\"}\n"),
    ("templates/map.yaml", "kind: ConfigMap\n"),
    ("templates/_helpers.tpl", "{{ define \"a\" }}{{ end }}\n"),
    ("crds/thing.yaml", "kind: CustomResourceDefinition\n"),
    ("notes/left-out.txt", "ignored\n"),
    (".helmignore", "notes/\n"),
    ("README.md", "# App\n"),
];

/// Commits files below a path.
fn commit(charts: &Charts, below: &str, files: &[(&str, &str)]) -> Result<String> {
    let changes: Vec<Change> =
        files.iter().map(|(path, content)| Change::file(format!("{below}/{path}"), *content)).collect();
    charts.scene.repo.commit("main", "files", &changes)
}

async fn chart(charts: &Charts, name: &str, spec: Value) -> Result<()> {
    let mut whole = json!({ "sourceRef": { "kind": "GitRepository", "name": "git" } });
    let (Value::Object(fields), Value::Object(spec)) = (&mut whole, spec) else { unreachable!() };
    fields.extend(spec);
    charts.chart(name, whole).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_packed_as_helm_packs_it() -> Result<()> {
    let charts = Charts::new(ServerOptions::default(), &[]).await?;
    let scene = &charts.scene;
    commit(&charts, "charts/app", APP)?;
    chart(&charts, "app", json!({ "chart": "./charts/app" })).await?;
    charts.chart_because("app", "FetchFailed", "SourceUnavailable").await?;
    scene.apply("git", json!({})).await?;
    let ready = charts.chart_ready("app").await?;
    assert_eq!(ready["status"]["artifact"]["revision"], "0.1.0");
    let summary = "packaged 'app' chart with version '0.1.0'";
    assert_eq!((reason(&ready, "Ready"), message(&ready, "Ready")), ("ChartPackageSucceeded", summary));
    scene.event("app", &format!("Normal ChartPackageSucceeded {summary}")).await?;
    let git = scene.ready("git").await?;
    assert_eq!(ready["status"]["observedSourceArtifactRevision"], git["status"]["artifact"]["revision"]);
    let helm = charts.package(folder(APP)?.path(), &[])?;
    assert_eq!(unzipped(&scene.download(&ready).await?)?, unzipped(&helm)?);
    // The same files make the same archive, whenever it is made.
    let path = ready["status"]["artifact"]["path"].as_str().context("a path")?;
    std::fs::remove_file(scene.source.storage().join(path))?;
    let again = charts.reconcile_chart("app", "1").await?;
    assert_eq!(again["status"]["artifact"]["digest"], ready["status"]["artifact"]["digest"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn case_68_a_version_or_a_revision_makes_a_new_artifact() -> Result<()> {
    let charts = Charts::new(ServerOptions::default(), &[]).await?;
    let scene = &charts.scene;
    let first = commit(&charts, "app", APP)?;
    scene.apply("git", json!({})).await?;
    chart(&charts, "version", json!({ "chart": "app" })).await?;
    chart(&charts, "revision", json!({ "chart": "app", "reconcileStrategy": "Revision" })).await?;
    let files =
        json!({ "chart": "app", "reconcileStrategy": "Revision", "valuesFiles": ["app/values.yaml"] });
    chart(&charts, "both", files).await?;
    let before = charts.chart_ready("version").await?;
    charts.chart_of("revision", &format!("0.1.0+{}", &first[..12])).await?;
    charts.chart_of("both", &format!("0.1.0+{}.1", &first[..12])).await?;

    let second = commit(&charts, "app", &[("templates/map.yaml", "kind: Secret\n")])?;
    let git = scene.reconcile("git", "1").await?;
    let newer = charts.chart_of("revision", &format!("0.1.0+{}", &second[..12])).await?;
    let files = contents(&scene.download(&newer).await?)?;
    assert!(files.contains(&("app/templates/map.yaml".to_owned(), "kind: Secret\n".to_owned())));
    charts.chart_of("both", &format!("0.1.0+{}.1", &second[..12])).await?;
    let revision = &git["status"]["artifact"]["revision"];
    let seen = |object: &Value| object["status"]["observedSourceArtifactRevision"] == *revision;
    let same = charts.chart_until("version", "the new revision was seen", seen).await?;
    assert_eq!(same["status"]["artifact"], before["status"]["artifact"]);

    let bumped = ("Chart.yaml", "apiVersion: v2\nname: app\nversion: 0.2.0\n");
    commit(&charts, "app", &[bumped])?;
    scene.reconcile("git", "2").await?;
    charts.chart_of("version", "0.2.0").await?;
    // Now nothing changes, and nothing is written.
    let writes = scene.requests("PATCH").await?;
    charts.reconcile_chart("version", "1").await?;
    assert_eq!(scene.patches_since(writes).await?, 1.0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn case_69_sub_charts_come_from_where_the_chart_says() -> Result<()> {
    let access = Access::Basic { username: "reader".to_owned(), password: "pass".to_owned() };
    let charts = Charts::new(ServerOptions { access, ..Default::default() }, &[]).await?;
    let scene = &charts.scene;
    scene.secret("login", &[("username", "reader"), ("password", "pass")]).await?;
    charts.publish("remote", &["1.0.0", "1.1.0", "2.0.0"])?;
    charts.apply("shop", json!({ "secretRef": { "name": "login" } })).await?;
    charts.ready("shop").await?;
    let dep = ("dep/Chart.yaml", "apiVersion: v2\nname: dep\nversion: 0.3.1\n");
    let umbrella = format!(
        "apiVersion: v2\nname: umbrella\nversion: 1.0.0\ndependencies:\n\
         - {{name: dep, version: 0.3.x, repository: 'file://../dep'}}\n\
         - {{name: remote, version: ^1, repository: '{url}'}}\n\
         - {{name: remote, version: 2.0.0, repository: '{url}/', alias: two}}\n",
        url = charts.url()
    );
    commit(&charts, "charts", &[dep, ("umbrella/Chart.yaml", &umbrella), ("umbrella/values.yaml", "")])?;
    scene.apply("git", json!({ "secretRef": { "name": "login" } })).await?;
    chart(&charts, "umbrella", json!({ "chart": "charts/umbrella" })).await?;
    let ready = charts.chart_ready("umbrella").await?;
    scene.event("umbrella", "Normal ResolvedDependencies resolved 3 chart dependencies").await?;
    let packed = scene.download(&ready).await?;
    let names: Vec<String> = contents(&packed)?.into_iter().map(|(name, _)| name).collect();
    let expected = [
        "umbrella/Chart.yaml",
        "umbrella/values.yaml",
        "umbrella/charts/dep/Chart.yaml",
        "umbrella/charts/remote/Chart.yaml",
        "umbrella/charts/two/Chart.yaml",
    ];
    assert_eq!(names, expected);

    // Without an alias the real Helm packs the same.
    let plain: String =
        umbrella.lines().filter(|line| !line.contains("alias")).map(|line| format!("{line}\n")).collect();
    commit(&charts, "plain", &[dep, ("umbrella/Chart.yaml", &plain), ("umbrella/values.yaml", "")])?;
    scene.reconcile("git", "1").await?;
    chart(&charts, "plain", json!({ "chart": "plain/umbrella" })).await?;
    let ready = charts.chart_ready("plain").await?;
    let files = folder(&[dep, ("umbrella/Chart.yaml", &plain), ("umbrella/values.yaml", "")])?;
    let helm = |arguments: &[&str]| {
        let output = Command::new(&charts.helm)
            .current_dir(files.path())
            .env("HELM_CONFIG_HOME", files.path().join("config"))
            .env("HELM_CACHE_HOME", files.path().join("cache"))
            .args(arguments)
            .output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    };
    helm(&["repo", "add", "shop", &charts.url(), "--username", "reader", "--password", "pass"])?;
    helm(&["dependency", "update", "umbrella"])?;
    // What the update locks belongs to the real Helm's package only.
    std::fs::remove_file(files.path().join("umbrella/Chart.lock"))?;
    // The real Helm takes the sub-charts in no order: it loads them from a map.
    let sorted = |packed: &[u8]| {
        let mut found = contents(packed)?;
        found.sort();
        anyhow::Ok(found)
    };
    let expected = sorted(&charts.package(&files.path().join("umbrella"), &[])?)?;
    assert_eq!(sorted(&scene.download(&ready).await?)?, expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_decides_over_the_versions_of_sub_charts() -> Result<()> {
    let charts = Charts::new(ServerOptions::default(), &[]).await?;
    charts.publish("remote", &["1.0.0", "1.1.0"])?;
    let url = charts.url();
    let umbrella = format!(
        "apiVersion: v2\nname: umbrella\nversion: 1.0.0\ndependencies:\n- {{name: remote, version: ^1, repository: '{url}'}}\n"
    );
    let lock = format!(
        "dependencies:\n- name: remote\n  repository: {url}\n  version: 1.0.0\ndigest: sha256:0\ngenerated: \"2026-01-01T00:00:00Z\"\n"
    );
    commit(&charts, "umbrella", &[("Chart.yaml", &umbrella), ("Chart.lock", &lock)])?;
    charts.scene.apply("git", json!({})).await?;
    // Nobody says anything about the repository: it is asked anonymously.
    chart(&charts, "umbrella", json!({ "chart": "umbrella" })).await?;
    let ready = charts.chart_ready("umbrella").await?;
    let files = contents(&charts.scene.download(&ready).await?)?;
    let (_, locked) =
        files.iter().find(|(name, _)| name == "umbrella/charts/remote/Chart.yaml").context("locked")?;
    assert!(locked.contains("version: 1.0.0"), "{locked}");
    assert!(files.iter().any(|(name, _)| name == "umbrella/Chart.lock"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sub_charts_that_cannot_be_had_are_told() -> Result<()> {
    let charts = Charts::new(ServerOptions::default(), &[]).await?;
    charts.publish("remote", &["1.0.0"])?;
    let url = charts.url();
    let dep = ("dep/Chart.yaml", "apiVersion: v2\nname: dep\nversion: 0.3.1\n");
    charts.scene.apply("git", json!({})).await?;
    charts.scene.ready("git").await?;
    let cases = [
        (
            "alias",
            "{name: a, version: 1, repository: '@stable'}".to_owned(),
            "failed to add remote dependency 'a': aliased repository dependency is not supported: @stable/".to_owned(),
        ),
        (
            "range",
            "{name: dep, version: '>1', repository: 'file://../dep'}".to_owned(),
            "failed to add local dependency 'dep': can't get a valid version for constraint '>1'".to_owned(),
        ),
        (
            "outside",
            "{name: dep, version: '>0', repository: 'file://../../../etc'}".to_owned(),
            "failed to add local dependency 'dep': no chart found at '/etc' (reference 'file://../../../etc')".to_owned(),
        ),
        (
            "bundled",
            "{name: dep, version: '>0'}".to_owned(),
            "failed to add local dependency 'dep': no chart found at '/bundled/charts/dep' (reference '')".to_owned(),
        ),
        (
            "version",
            format!("{{name: remote, version: 2.x, repository: '{url}'}}"),
            format!(
                "failed to add remote dependency 'remote': failed to get chart 'remote' version '2.x' from '{url}': no \
                 'remote' chart with version matching '2.x' found"
            ),
        ),
    ];
    for (name, dependency, _) in &cases {
        let text = format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\ndependencies:\n- {dependency}\n");
        commit(&charts, name, &[("Chart.yaml", &text)])?;
    }
    charts.scene.repo.commit("main", "dep", &[Change::file(dep.0, dep.1)])?;
    charts.scene.reconcile("git", "1").await?;
    for (name, _, text) in cases {
        chart(&charts, name, json!({ "chart": name })).await?;
        let failed = charts.chart_because(name, "BuildFailed", "DependencyBuildError").await?;
        assert_eq!(message(&failed, "Ready"), format!("dependency build error: {text}"));
        assert_eq!(reason(&failed, "Reconciling"), "ProgressingWithRetry");
        assert!(condition(&failed, "Stalled").is_none() && condition(&failed, "FetchFailed").is_none());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn case_72_paths_stay_in_the_source() -> Result<()> {
    let charts = Charts::new(ServerOptions::default(), &[]).await?;
    commit(&charts, "app", APP)?;
    commit(&charts, "envs", &[("prod.yaml", "replicas: 3\n"), ("bad.yaml", "a: [\n")])?;
    charts.scene.apply("git", json!({})).await?;
    charts.scene.ready("git").await?;
    let app = |file: &str| json!({ "chart": "app", "valuesFiles": ["app/values.yaml", file] });
    chart(&charts, "good", app("../../envs/prod.yaml")).await?;
    let good = charts.chart_ready("good").await?;
    let values = ("app/values.yaml".to_owned(), "replicas: 3\n".to_owned());
    assert!(contents(&charts.scene.download(&good).await?)?.contains(&values));
    let missing =
        "values files merge error: no values file found at path '/etc/passwd' (reference '../../etc/passwd')";
    for (name, spec, stalled, text) in [
        ("values", app("../../etc/passwd"), "ValuesFilesError", missing),
        (
            "folder",
            app("envs"),
            "ValuesFilesError",
            "values files merge error: no values file found at path '/envs' (reference 'envs')",
        ),
        (
            "broken",
            app("envs/bad.yaml"),
            "ValuesFilesError",
            "values files merge error: unmarshaling values from 'envs/bad.yaml' failed: ",
        ),
        (
            "nothing",
            json!({ "chart": "../../nothing" }),
            "InvalidChartReference",
            "invalid chart reference: stat /nothing: no such file or directory",
        ),
        (
            "no-chart",
            json!({ "chart": "envs" }),
            "InvalidChartReference",
            "invalid chart reference: open /envs/Chart.yaml: no such file or directory",
        ),
        (
            "absolute",
            json!({ "chart": "/app" }),
            "InvalidChartReference",
            "invalid chart reference: local chart reference path is expected to be relative",
        ),
    ] {
        chart(&charts, name, spec).await?;
        let object = charts.chart_stalled(name, stalled).await?;
        assert!(message(&object, "Ready").starts_with(text), "{}", message(&object, "Ready"));
    }
    // What is mended in the source wakes what stalled over it.
    commit(&charts, "nothing", APP)?;
    charts.scene.reconcile("git", "1").await?;
    charts.chart_ready("nothing").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_in_the_source_is_taken_as_it_is_or_packed_anew() -> Result<()> {
    let charts = Charts::new(ServerOptions::default(), &[]).await?;
    let archive = charts.package(folder(APP)?.path(), &[])?;
    let files = [
        Change::file("app.tgz", archive.clone()),
        Change::file("more.yaml", "replicas: 5\n"),
        Change::file("no.tgz", "no archive"),
        // Charts of the first version of the format have their dependencies in a file of their own.
        Change::file("old/Chart.yaml", "name: old\nversion: 1.0.0\n"),
        Change::file(
            "old/requirements.yaml",
            "dependencies:\n- {name: sub, version: '>0', repository: ''}\n",
        ),
        Change::file("old/charts/sub/Chart.yaml", "apiVersion: v1\nname: sub\nversion: 0.1.0\n"),
    ];
    charts.scene.repo.commit("main", "archives", &files)?;
    charts.scene.apply("git", json!({ "ignore": "!/*.tgz\n" })).await?;
    charts.scene.ready("git").await?;
    chart(&charts, "taken", json!({ "chart": "app.tgz" })).await?;
    let taken = charts.chart_ready("taken").await?;
    assert_eq!(charts.scene.download(&taken).await?, archive);
    assert_eq!(message(&taken, "Ready"), "pulled 'app' chart with version '0.1.0'");
    chart(&charts, "packed", json!({ "chart": "app.tgz", "valuesFiles": ["more.yaml"] })).await?;
    let packed = charts.chart_of("packed", "0.1.0+1").await?;
    let mut files = APP.to_vec();
    files[1].1 = "replicas: 5\n";
    let expected = charts.package(folder(&files)?.path(), &["--version", "0.1.0+1"])?;
    assert_eq!(contents(&charts.scene.download(&packed).await?)?, contents(&expected)?);
    chart(&charts, "no", json!({ "chart": "no.tgz" })).await?;
    charts.chart_stalled("no", "InvalidChartReference").await?;
    chart(&charts, "old", json!({ "chart": "old" })).await?;
    let old = charts.chart_ready("old").await?;
    let names: Vec<String> =
        contents(&charts.scene.download(&old).await?)?.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["old/Chart.yaml", "old/requirements.yaml", "old/charts/sub/Chart.yaml"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_nothing_is_made_anew() -> Result<()> {
    let mut charts = Charts::new(ServerOptions::default(), &[]).await?;
    charts.publish_files(&[
        ("Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.0.0\n"),
        ("values.yaml", "a: 1\n"),
    ])?;
    commit(&charts, "app", APP)?;
    charts.apply("shop", json!({})).await?;
    charts.scene.apply("git", json!({})).await?;
    charts.ready("shop").await?;
    charts.scene.ready("git").await?;
    let missing = json!(["values.yaml", "more.yaml"]);
    charts.chart("pulled", json!({ "chart": "app" })).await?;
    let merged = json!({ "chart": "app", "valuesFiles": missing, "ignoreMissingValuesFiles": true });
    charts.chart("merged", merged).await?;
    chart(&charts, "packed", json!({ "chart": "app" })).await?;
    chart(&charts, "revised", json!({ "chart": "app", "reconcileStrategy": "Revision" })).await?;
    let mut before = Vec::new();
    for name in ["pulled", "merged", "packed", "revised"] {
        before.push(charts.chart_ready(name).await?);
    }
    charts.scene.git.take_requests();
    charts.scene.source = charts.scene.source.restart().await?;
    for (number, before) in before.iter().enumerate() {
        let name = before["metadata"]["name"].as_str().unwrap_or_default();
        let labels = [("kind", "HelmChart"), ("name", name)];
        let seen = async || {
            let metrics = charts.scene.source.metrics().await?;
            Ok::<_, anyhow::Error>(metrics.sum("gotk_reconcile_duration_seconds_count", &labels) >= 1.0)
        };
        for round in 0.. {
            if seen().await? {
                break;
            }
            ensure!(round < 1200, "{name} is not looked at");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let after = serde_json::to_value(charts.charts.get(name).await?)?;
        assert_eq!(
            after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"],
            "{number}: {after:#}"
        );
    }
    let archives = charts.scene.git.take_requests();
    assert!(archives.iter().all(|request| !request.target.ends_with(".tgz")), "{archives:?}");
    Ok(())
}

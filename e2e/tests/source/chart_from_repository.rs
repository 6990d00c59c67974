//! HelmChart: charts of repositories over HTTP (acceptance cases 63 to 67, 70, 71).

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::condition;
use testkit::git::{Access, Fault, HttpServer, ServerOptions};

use super::charts::{Charts, contents};
use super::scene::{message, reason};

fn closed() -> ServerOptions {
    let access = Access::Basic { username: "reader".to_owned(), password: "pass word".to_owned() };
    ServerOptions { access, tls: true, ..Default::default() }
}

/// A repository `shop` behind TLS and a password.
async fn guarded() -> Result<Charts> {
    let charts = Charts::new(closed(), &[]).await?;
    charts.scene.secret("login", &[("username", "reader"), ("password", "pass word")]).await?;
    charts.scene.secret("ca", &[("ca.crt", &charts.scene.git.ca())]).await?;
    Ok(charts)
}

async fn apply_shop(charts: &Charts) -> Result<()> {
    let spec = json!({ "secretRef": { "name": "login" }, "certSecretRef": { "name": "ca" } });
    charts.apply("shop", spec).await
}

#[tokio::test(flavor = "multi_thread")]
async fn case_64_a_chart_is_stored_as_the_repository_has_it() -> Result<()> {
    let charts = guarded().await?;
    let scene = &charts.scene;
    charts.publish("podinfo", &["5.1.0", "5.10.0", "5.11.0-rc.1", "6.0.0"])?;
    apply_shop(&charts).await?;
    charts.chart("podinfo", json!({ "chart": "podinfo", "version": "5.*" })).await?;
    let ready = charts.chart_ready("podinfo").await?;
    let status = &ready["status"];
    let artifact = &status["artifact"];
    assert_eq!(artifact["revision"], "5.10.0");
    assert_eq!(artifact["path"], format!("helmchart/{}/podinfo/podinfo-5.10.0.tgz", scene.namespace));
    assert_eq!(status["observedChartName"], "podinfo");
    assert!(status["observedValuesFiles"].is_null());
    let repository = charts.ready("shop").await?;
    assert_eq!(status["observedSourceArtifactRevision"], repository["status"]["artifact"]["revision"]);
    let summary = "pulled 'podinfo' chart with version '5.10.0'";
    for type_ in ["Ready", "ArtifactInStorage"] {
        assert_eq!((reason(&ready, type_), message(&ready, type_)), ("ChartPullSucceeded", summary));
    }
    assert_eq!(status["conditions"].as_array().map(Vec::len), Some(2));
    scene.event("podinfo", &format!("Normal ChartPullSucceeded {summary}")).await?;
    let url = status["url"].as_str().context("a lasting address")?;
    assert!(url.ends_with(&format!("/helmchart/{}/podinfo/latest.tar.gz", scene.namespace)), "{url}");
    let bytes = scene.download(&ready).await?;
    assert_eq!(reqwest::get(url).await?.bytes().await?, bytes);

    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("ca.crt"), scene.git.ca())?;
    let output = Command::new(&charts.helm)
        .current_dir(folder.path())
        .args(["pull", "podinfo", "--version", "5.*", "--username", "reader", "--password", "pass word"])
        .args(["--ca-file", "ca.crt", "--repo", &charts.url()])
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read(folder.path().join("podinfo-5.10.0.tgz"))?, bytes);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_index_wakes_the_chart_and_nothing_else_does_work() -> Result<()> {
    let charts = guarded().await?;
    let scene = &charts.scene;
    charts.publish("podinfo", &["6.0.0"])?;
    apply_shop(&charts).await?;
    charts.chart("podinfo", json!({ "chart": "podinfo" })).await?;
    let first = charts.chart_ready("podinfo").await?;

    scene.git.take_requests();
    let before = scene.requests("PATCH").await?;
    let same = charts.reconcile_chart("podinfo", "1").await?;
    assert_eq!(same["status"]["artifact"], first["status"]["artifact"]);
    assert_eq!(scene.patches_since(before).await?, 1.0);
    assert!(scene.git.take_requests().is_empty());

    charts.publish("podinfo", &["6.1.0"])?;
    charts.reconcile("shop", "1").await?;
    let newer = charts.chart_of("podinfo", "6.1.0").await?;
    assert_eq!(newer["metadata"]["generation"], first["metadata"]["generation"]);
    scene.event("podinfo", "Normal ChartPullSucceeded pulled 'podinfo' chart with version '6.1.0'").await?;
    // An index that changed in other charts changes nothing here, and nothing is downloaded for it.
    charts.publish("other", &["1.0.0"])?;
    scene.git.take_requests();
    let index = charts.reconcile("shop", "2").await?;
    let revision = &index["status"]["artifact"]["revision"];
    let seen = |object: &Value| object["status"]["observedSourceArtifactRevision"] == *revision;
    let same = charts.chart_until("podinfo", "the new index was seen", seen).await?;
    assert_eq!(same["status"]["artifact"], newer["status"]["artifact"]);
    assert!(scene.git.take_requests().iter().all(|request| request.target.ends_with("/index.yaml")));
    Ok(())
}

const VALUES: &[(&str, &str)] = &[
    ("Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.2.3\ndescription: An app\n"),
    ("values.yaml", "replicas: 1\nimage: {tag: one, pull: Always}\nlist: [a, b]\n"),
    ("values-a.yaml", "image: {tag: two}\nlist: [c]\ngone: ~\n"),
    ("sub/values-b.yaml", "replicas: 3\nbig: 12345678901\nfraction: 1.50\n"),
    ("templates/map.yaml", "kind: ConfigMap\n"),
];

const MERGED: &str = "big: 12345678901\nfraction: 1.5\ngone: null\nimage:\n  pull: Always\n  tag: two\nlist:\n- c\nreplicas: 3\n";

#[tokio::test(flavor = "multi_thread")]
async fn case_65_values_files_are_merged_into_the_chart() -> Result<()> {
    let charts = Charts::new(ServerOptions::default(), &[]).await?;
    charts.publish_files(VALUES)?;
    charts.apply("shop", json!({})).await?;
    let files = ["values.yaml", "values-a.yaml", "./sub/values-b.yaml"];
    charts.chart("app", json!({ "chart": "app", "valuesFiles": files })).await?;
    let ready = charts.chart_ready("app").await?;
    assert_eq!(ready["status"]["artifact"]["revision"], "1.2.3+1");
    let path = ready["status"]["artifact"]["path"].as_str().unwrap_or_default();
    assert!(path.ends_with("/app-1.2.3+1.tgz"), "{path}");
    assert_eq!(reason(&ready, "Ready"), "ChartPackageSucceeded");
    assert_eq!(
        message(&ready, "Ready"),
        "packaged 'app' chart with version '1.2.3+1' and merged values files [values.yaml values-a.yaml ./sub/values-b.yaml]"
    );
    // The real Helm packs the same of the same values and version.
    let bytes = charts.scene.download(&ready).await?;
    let mut files = VALUES.to_vec();
    files[1].1 = MERGED;
    let folder = super::charts::folder(&files)?;
    assert_eq!(contents(&bytes)?, contents(&charts.package(folder.path(), &["--version", "1.2.3+1"])?)?);

    // Alone, values.yaml changes nothing.
    charts.chart("app", json!({ "chart": "app", "valuesFiles": ["values.yaml"] })).await?;
    let plain = charts.chart_of("app", "1.2.3").await?;
    assert_eq!(charts.scene.download(&plain).await?, std::fs::read(charts.folder().join("app-1.2.3.tgz"))?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn case_66_missing_values_files_stall_or_are_left_out() -> Result<()> {
    let charts = Charts::new(ServerOptions::default(), &[]).await?;
    charts.publish_files(VALUES)?;
    charts.apply("shop", json!({})).await?;
    let files = json!(["values.yaml", "nothing.yaml"]);
    charts.chart("app", json!({ "chart": "app", "valuesFiles": files })).await?;
    let stalled = charts.chart_stalled("app", "ValuesFilesError").await?;
    let text =
        "values files merge error: failed to merge chart values: no values file found at path 'nothing.yaml'";
    assert_eq!((reason(&stalled, "BuildFailed"), message(&stalled, "Ready")), ("ValuesFilesError", text));
    assert_eq!(stalled["status"]["observedGeneration"], 1);
    assert!(condition(&stalled, "FetchFailed").is_none() && condition(&stalled, "Reconciling").is_none());
    charts.scene.event("app", &format!("Warning ValuesFilesError {text}")).await?;

    let ignoring = json!({ "chart": "app", "valuesFiles": files, "ignoreMissingValuesFiles": true });
    charts.chart("app", ignoring).await?;
    let ready = charts.chart_of("app", "1.2.3+2").await?;
    assert_eq!(ready["status"]["observedValuesFiles"], json!(["values.yaml"]));
    assert!(message(&ready, "Ready").ends_with(" and merged values files [values.yaml]"));
    let before = ready["status"]["artifact"].clone();
    let same = charts.reconcile_chart("app", "1").await?;
    assert_eq!((&same["status"]["artifact"], message(&same, "Ready")), (&before, message(&ready, "Ready")));

    let none = json!({ "chart": "app", "valuesFiles": ["nothing.yaml"], "ignoreMissingValuesFiles": true });
    charts.chart("app", none).await?;
    let empty = charts.chart_of("app", "1.2.3+3").await?;
    assert!(empty["status"]["observedValuesFiles"].is_null());
    let files = contents(&charts.scene.download(&empty).await?)?;
    assert!(files.contains(&("app/values.yaml".to_owned(), String::new())), "{files:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn case_67_a_version_that_is_not_there_yet_stalls_until_it_is() -> Result<()> {
    let charts = Charts::new(ServerOptions::default(), &[]).await?;
    charts.publish("podinfo", &["6.0.0"])?;
    charts.apply("shop", json!({})).await?;
    for (name, spec, text) in [
        (
            "early",
            json!({ "chart": "podinfo", "version": "7.x" }),
            "failed to get chart version for remote reference: no 'podinfo' chart with version matching '7.x' found",
        ),
        (
            "nobody",
            json!({ "chart": "nothing" }),
            "failed to get chart version for remote reference: no chart name found",
        ),
        (
            "upper",
            json!({ "chart": "Podinfo" }),
            "invalid chart name 'Podinfo': a valid name must be lower case letters and numbers and MAY be separated \
             with dashes (-), slashes (/) or periods (.)",
        ),
        (
            "range",
            json!({ "chart": "podinfo", "version": "newest" }),
            "failed to get chart version for remote reference: improper constraint: \"newest\"",
        ),
    ] {
        charts.chart(name, spec).await?;
        let stalled = charts.chart_stalled(name, "InvalidChartReference").await?;
        assert_eq!(message(&stalled, "Ready"), format!("invalid chart reference: {text}"), "{name}");
        assert_eq!(reason(&stalled, "FetchFailed"), "InvalidChartReference");
        assert_eq!(stalled["status"]["observedGeneration"], 1);
    }
    charts.publish("podinfo", &["7.0.0"])?;
    charts.reconcile("shop", "1").await?;
    let ready = charts.chart_of("early", "7.0.0").await?;
    assert_eq!(ready["metadata"]["generation"], 1);
    assert!(condition(&ready, "Stalled").is_none() && condition(&ready, "FetchFailed").is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn case_70_a_chart_waits_for_its_source() -> Result<()> {
    let charts = Charts::new(ServerOptions::default(), &[]).await?;
    charts.chart("absent", json!({ "chart": "podinfo" })).await?;
    let absent = charts.chart_because("absent", "FetchFailed", "SourceUnavailable").await?;
    assert_eq!(
        message(&absent, "Ready"),
        "failed to get source: HelmRepository.source.toolkit.fluxcd.io \"shop\" not found"
    );
    // There is no index yet.
    charts.apply("shop", json!({})).await?;
    let waiting = charts.chart_because("absent", "FetchFailed", "NoSourceArtifact").await?;
    let text = "no artifact available for HelmRepository source 'shop'";
    assert_eq!((message(&waiting, "Ready"), reason(&waiting, "Reconciling")), (text, "ProgressingWithRetry"));
    assert_eq!(waiting["status"]["observedGeneration"], -1);
    assert!(condition(&waiting, "Stalled").is_none());
    charts.scene.event("absent", &format!("Normal NoSourceArtifact {text}")).await?;
    charts.publish("podinfo", &["6.0.0"])?;
    charts.reconcile("shop", "1").await?;
    let ready = charts.chart_ready("absent").await?;
    assert_eq!(ready["status"]["artifact"]["revision"], "6.0.0");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn case_71_a_signature_over_http_is_refused() -> Result<()> {
    let charts = Charts::new(ServerOptions::default(), &[]).await?;
    charts.publish("podinfo", &["6.0.0"])?;
    charts.apply("shop", json!({})).await?;
    charts.chart("podinfo", json!({ "chart": "podinfo", "verify": { "provider": "cosign" } })).await?;
    let refused = charts.chart_because("podinfo", "BuildFailed", "ChartVerificationError").await?;
    assert_eq!(condition(&refused, "SourceVerified").context("verified")?["status"], "False");
    assert_eq!(message(&refused, "Ready"), "chart verification error: not implemented");
    assert!(refused["status"]["artifact"].is_null());
    charts.chart("podinfo", json!({ "chart": "podinfo" })).await?;
    let ready = charts.chart_ready("podinfo").await?;
    assert!(condition(&ready, "SourceVerified").is_none() && condition(&ready, "BuildFailed").is_none());
    let on_git = json!({
        "chart": "./", "verify": { "provider": "cosign" }, "sourceRef": { "kind": "GitRepository", "name": "shop" },
    });
    let error = charts.chart("git", on_git).await.expect_err("refused by the API server");
    assert!(format!("{error:#}").contains("spec.verify is only supported"), "{error:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn case_63_credentials_stay_with_the_repository() -> Result<()> {
    let charts = guarded().await?;
    let elsewhere = HttpServer::start().await?;
    charts.publish("podinfo", &["6.0.0"])?;
    std::fs::rename(charts.folder().join("podinfo-6.0.0.tgz"), elsewhere.root().join("podinfo-6.0.0.tgz"))?;
    let index = std::fs::read_to_string(charts.index())?;
    let index = index.replace("- podinfo-6.0.0.tgz", &format!("- {}", elsewhere.url("podinfo-6.0.0.tgz")));
    std::fs::write(charts.index(), index)?;
    apply_shop(&charts).await?;
    let seen = |what: &str| {
        let requests = elsewhere.take_requests();
        assert_eq!(requests.len(), 1, "{what}: {requests:?}");
        requests[0].authorized
    };
    charts.chart("podinfo", json!({ "chart": "podinfo" })).await?;
    charts.chart_ready("podinfo").await?;
    assert!(!seen("kept"));
    let spec = json!({
        "secretRef": { "name": "login" }, "certSecretRef": { "name": "ca" }, "passCredentials": true,
    });
    charts.apply("shop", spec).await?;
    charts.ready("shop").await?;
    charts.chart("passed", json!({ "chart": "podinfo" })).await?;
    charts.chart_ready("passed").await?;
    assert!(seen("passed on"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_repository_does_not_give_is_told_and_tried_again() -> Result<()> {
    let charts = Charts::new(closed(), &["--helm-chart-max-size=600"]).await?;
    let scene = &charts.scene;
    scene.secret("login", &[("username", "reader"), ("password", "pass word")]).await?;
    scene.secret("ca", &[("ca.crt", &scene.git.ca())]).await?;
    charts.publish("podinfo", &["6.0.0"])?;
    let noise: String = (0..4000_u32).map(|n| format!("# {:x}\n", n.wrapping_mul(2_654_435_761))).collect();
    charts.publish_files(&[
        ("Chart.yaml", "apiVersion: v2\nname: large\nversion: 1.0.0\n"),
        ("values.yaml", &noise),
    ])?;
    charts.publish("broken", &["1.0.0"])?;
    charts.publish("gone", &["1.0.0"])?;
    std::fs::write(charts.folder().join("broken-1.0.0.tgz"), "no archive")?;
    std::fs::remove_file(charts.folder().join("gone-1.0.0.tgz"))?;
    apply_shop(&charts).await?;
    charts.ready("shop").await?;
    let url = charts.url();
    let pull = "chart pull error: failed to download chart for remote reference: ";
    for (name, text) in [
        ("gone", format!("{pull}failed to fetch {url}/gone-1.0.0.tgz : 404 Not Found")),
        ("large", format!("{pull}size of chart '{url}/large-1.0.0.tgz' exceeds '600' bytes limit")),
        ("broken", "chart pull error: failed to load chart metadata from written chart: ".to_owned()),
    ] {
        charts.chart(name, json!({ "chart": name })).await?;
        let failed = charts.chart_because(name, "FetchFailed", "ChartPullError").await?;
        assert!(message(&failed, "Ready").starts_with(&text), "{}", message(&failed, "Ready"));
        assert_eq!(reason(&failed, "Reconciling"), "ProgressingWithRetry");
        assert_eq!(failed["status"]["observedGeneration"], -1);
        assert!(failed["status"]["artifact"].is_null());
    }
    // The index came in; now the password is another.
    scene.git.set_fault(Fault::Status(401));
    charts.chart("podinfo", json!({ "chart": "podinfo" })).await?;
    let refused = charts.chart_because("podinfo", "FetchFailed", "Unknown").await?;
    let text = format!(
        "failed to authenticate with the Helm repository: {pull}failed to fetch {url}/podinfo-6.0.0.tgz : 401 Unauthorized"
    );
    assert_eq!(message(&refused, "Ready"), format!("unknown build error: {text}"));
    scene.event("podinfo", &format!("Warning AuthenticationFailed {text}")).await?;
    scene.git.set_fault(Fault::None);
    charts.reconcile_chart("podinfo", "1").await?;
    let ready = charts.chart_ready("podinfo").await?;
    assert!(condition(&ready, "FetchFailed").is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_rests_heals_and_goes() -> Result<()> {
    let charts = Charts::new(ServerOptions::default(), &[]).await?;
    let scene = &charts.scene;
    charts.publish("podinfo", &["6.0.0"])?;
    charts.apply("shop", json!({})).await?;
    charts.chart("podinfo", json!({ "chart": "podinfo" })).await?;
    let ready = charts.chart_ready("podinfo").await?;
    let artifact = ready["status"]["artifact"].clone();

    charts.chart("podinfo", json!({ "chart": "podinfo", "suspend": true })).await?;
    charts.publish("podinfo", &["6.1.0"])?;
    charts.reconcile("shop", "1").await?;
    let resting = charts.reconcile_chart("podinfo", "1").await?;
    assert_eq!(resting["status"]["artifact"], artifact);
    charts.chart("podinfo", json!({ "chart": "podinfo" })).await?;
    let newer = charts.chart_of("podinfo", "6.1.0").await?;

    // The file vanishes: it comes back, with the same bytes.
    let path = newer["status"]["artifact"]["path"].as_str().context("a path")?;
    std::fs::remove_file(scene.source.storage().join(path))?;
    let healed = charts.reconcile_chart("podinfo", "2").await?;
    assert_eq!(healed["status"]["artifact"]["digest"], newer["status"]["artifact"]["digest"]);
    scene.download(&healed).await?;

    let url = healed["status"]["artifact"]["url"].as_str().unwrap_or_default().to_owned();
    charts.charts.delete("podinfo", &Default::default()).await?;
    scene.plane.gone(&charts.charts, "podinfo").await?;
    assert_eq!(reqwest::get(&url).await?.status(), 404);
    Ok(())
}

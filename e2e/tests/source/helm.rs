//! HelmRepository: the index of a repository made with the real Helm, served over TLS and with a password.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use testkit::condition;
use testkit::git::{Access, ServerOptions};

use super::charts::Charts;
use super::scene::{message, reason};

fn versions(index: &Value, chart: &str) -> Vec<String> {
    let versions = index["entries"][chart].as_array().cloned().unwrap_or_default();
    versions.iter().filter_map(|version| version["version"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_becomes_an_artifact() -> Result<()> {
    let access = Access::Basic { username: "reader".to_owned(), password: "pass word".to_owned() };
    let charts = Charts::new(ServerOptions { access, tls: true, ..Default::default() }, &[]).await?;
    let scene = &charts.scene;
    charts.publish("podinfo", &["6.9.0", "6.10.0", "6.10.0-rc.1"])?;
    charts.publish("app", &["1.0.0"])?;
    scene.secret("login", &[("username", "reader"), ("password", "pass word")]).await?;
    scene.secret("ca", &[("ca.crt", &scene.git.ca())]).await?;
    let spec = json!({ "secretRef": { "name": "login" }, "certSecretRef": { "name": "ca" } });
    charts.apply("shop", spec).await?;

    let ready = charts.ready("shop").await?;
    let raw = std::fs::read(charts.index())?;
    let revision = artifact::Algorithm::Sha256.digest(&raw).to_string();
    let artifact = &ready["status"]["artifact"];
    assert_eq!(artifact["revision"], revision);
    let hex = revision.trim_start_matches("sha256:");
    assert_eq!(artifact["path"], format!("helmrepository/{}/shop/index-{hex}.yaml", scene.namespace));
    let bytes = scene.download(&ready).await?;
    let index: Value = serde_json::from_slice(&bytes)?;
    assert_eq!(versions(&index, "podinfo"), ["6.10.0", "6.10.0-rc.1", "6.9.0"]);
    assert_eq!(versions(&index, "app"), ["1.0.0"]);
    assert_eq!(index["entries"]["podinfo"][0]["description"], "Two  lines ");
    let url = ready["status"]["url"].as_str().context("a lasting address")?;
    assert!(url.ends_with(&format!("/helmrepository/{}/shop/index.yaml", scene.namespace)), "{url}");
    assert_eq!(reqwest::get(url).await?.bytes().await?, bytes);
    assert_eq!(message(&ready, "Ready"), format!("stored artifact: revision '{revision}'"));
    let size = format!("{:.3}", bytes.len() as f64 / 1000.0);
    let size = size.trim_end_matches('0').trim_end_matches('.');
    let stored = format!("Normal NewArtifact stored fetched index of size {size}kB from '{}'", charts.url());
    scene.event("shop", &stored).await?;

    // The same index again: one request upstream, one patch, nothing new.
    scene.git.take_requests();
    let before = scene.requests("PATCH").await?;
    let same = charts.reconcile("shop", "1").await?;
    assert_eq!(same["status"]["artifact"], *artifact);
    assert_eq!(scene.patches_since(before).await?, 1.0);
    let requests = scene.git.take_requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert!(requests[0].authorized && requests[0].target == "/charts/index.yaml", "{requests:?}");

    charts.publish("podinfo", &["6.11.0"])?;
    let newer = charts.reconcile("shop", "2").await?;
    assert_ne!(newer["status"]["artifact"]["revision"], revision);
    let index: Value = serde_json::from_slice(&scene.download(&newer).await?)?;
    assert_eq!(versions(&index, "podinfo")[0], "6.11.0");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_fetched_is_told() -> Result<()> {
    let charts = Charts::new(ServerOptions::default(), &["--helm-index-max-size=5000"]).await?;
    let scene = &charts.scene;
    charts.publish("podinfo", &["6.9.0"])?;
    charts.apply("good", json!({})).await?;
    charts.ready("good").await?;
    scene.secret("half", &[("username", "reader")]).await?;
    std::fs::create_dir_all(charts.folder().join("broken"))?;
    std::fs::write(charts.folder().join("broken/index.yaml"), "apiVersion: v1\nentries: [\n")?;
    std::fs::create_dir_all(charts.folder().join("strange"))?;
    std::fs::write(charts.folder().join("strange/index.yaml"), "apiVersion: v1\nentry: {}\n")?;
    std::fs::create_dir_all(charts.folder().join("large"))?;
    std::fs::write(charts.folder().join("large/index.yaml"), vec![b'#'; 5001])?;
    let at = |path: &str| json!({ "url": format!("{}/{path}", charts.url()) });
    let namespace = &scene.namespace;
    let fetch = "failed to fetch Helm repository index: failed to cache index to temporary file: ";
    for (name, spec, expected, text) in [
        ("absent", at("absent"), "Failed", format!("{fetch}failed to fetch {}/absent/index.yaml : 404 Not Found", charts.url())),
        ("large", at("large"), "Failed", format!("{fetch}index exceeds the maximum index file size of 5000 bytes")),
        ("broken", at("broken"), "IndexationFailed", "failed to load Helm repository from index YAML: ".to_owned()),
        ("strange", at("strange"), "IndexationFailed", "failed to load Helm repository from index YAML: error unmarshaling JSON: while decoding JSON: json: unknown field \"entry\"".to_owned()),
        ("nobody", json!({ "url": "http://127.0.0.1:1/charts" }), "Failed", fetch.to_owned()),
        ("secret", json!({ "secretRef": { "name": "missing" } }), "AuthenticationFailed", format!("failed to get authentication secret '{namespace}/missing': ")),
        ("half", json!({ "secretRef": { "name": "half" } }), "AuthenticationFailed", "failed to detect authentication methods: ".to_owned()),
        ("certificate", json!({ "certSecretRef": { "name": "half" } }), "AuthenticationFailed", "failed to construct Helm client's TLS config: ".to_owned()),
    ] {
        charts.apply(name, spec).await?;
        let object = charts
            .until(name, "it failed", |object| reason(object, "FetchFailed") == expected)
            .await
            .with_context(|| name.to_owned())?;
        assert!(message(&object, "FetchFailed").starts_with(&text), "{name}: {}", message(&object, "FetchFailed"));
        assert_eq!(condition(&object, "Ready").unwrap()["status"], "False");
        assert_eq!(reason(&object, "Reconciling"), "ProgressingWithRetry", "{name}");
        assert!(condition(&object, "Stalled").is_none(), "{name}");
    }
    charts.apply("registry", json!({ "url": "oci://127.0.0.1/charts" })).await?;
    let stalled =
        charts.until("registry", "it stalls", |object| reason(object, "Stalled") == "URLInvalid").await?;
    assert_eq!(
        message(&stalled, "Ready"),
        "invalid Helm repository URL: 'oci' URL scheme cannot be used with 'default' HelmRepository type"
    );
    // A mistake that is mended is over at the next request.
    std::fs::copy(charts.index(), charts.folder().join("broken/index.yaml"))?;
    charts.reconcile("broken", "1").await?;
    let mended = charts.ready("broken").await?;
    assert!(condition(&mended, "FetchFailed").is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_in_a_registry_is_static() -> Result<()> {
    let charts = Charts::new(ServerOptions::default(), &[]).await?;
    charts.publish("podinfo", &["6.9.0"])?;
    let empty = |object: &Value| object["status"] == json!({}) && object["metadata"]["finalizers"].is_null();
    charts.apply("registry", json!({ "url": "oci://127.0.0.1/charts", "type": "oci" })).await?;
    charts.until("registry", "its status is empty", empty).await?;

    charts.apply("turned", json!({})).await?;
    let ready = charts.ready("turned").await?;
    let url = ready["status"]["artifact"]["url"].as_str().unwrap_or_default().to_owned();
    charts.apply("turned", json!({ "url": "oci://127.0.0.1/charts", "type": "oci" })).await?;
    charts.until("turned", "its status is empty", empty).await?;
    assert_eq!(reqwest::get(&url).await?.status(), 404);
    charts.apply("turned", json!({ "type": "default" })).await?;
    charts.ready("turned").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_index_takes_little_memory() -> Result<()> {
    use std::fmt::Write as _;
    let charts = Charts::new(ServerOptions::default(), &[]).await?;
    charts.publish("podinfo", &["6.9.0"])?;
    charts.apply("small", json!({})).await?;
    charts.ready("small").await?;
    let memory = async || {
        Ok::<_, anyhow::Error>(charts.scene.source.metrics().await?.sum("process_resident_memory_bytes", &[]))
    };
    let before = memory().await?;
    let archive = format!("{}/podinfo-6.9.0.tgz", charts.url());
    let mut index = "apiVersion: v1\nentries:\n".to_owned();
    for chart in 0..200 {
        writeln!(index, "  chart-{chart:03}:")?;
        for version in 0..100 {
            writeln!(
                index,
                "  - apiVersion: v2\n    annotations:\n      images: |\n        - name: a\n          image: {}\n    created: \"2026-11-21T10:00:00Z\"\n    description: {}\n    digest: {chart:064}\n    name: chart-{chart:03}\n    urls:\n    - {archive}\n    version: 1.{version}.0",
                "i".repeat(500),
                "d".repeat(500),
            )?;
        }
    }
    assert!(index.len() > 26_000_000, "{}", index.len());
    std::fs::create_dir(charts.folder().join("large"))?;
    std::fs::write(charts.folder().join("large/index.yaml"), &index)?;
    charts.apply("large", json!({ "url": format!("{}/large", charts.url()) })).await?;
    let ready = charts.ready("large").await?;
    let check = async |what: &str| {
        let grown = memory().await? - before;
        println!("{:.1} MiB more for {what} of {} bytes", grown / 1048576.0, index.len());
        assert!(grown < 10.0 * 1048576.0, "{grown} bytes more for {what}");
        Ok::<_, anyhow::Error>(())
    };
    check("an index").await?;
    let source = json!({ "kind": "HelmRepository", "name": "large" });
    for chart in ["chart-000", "chart-050", "chart-100", "chart-199"] {
        charts.chart(chart, json!({ "chart": chart, "version": "1.9.x", "sourceRef": source })).await?;
    }
    for chart in ["chart-000", "chart-050", "chart-100", "chart-199"] {
        let ready = charts.chart_ready(chart).await?;
        assert_eq!(ready["status"]["artifact"]["revision"], "1.9.0");
    }
    check("charts in an index").await?;
    let stored: Value = serde_json::from_slice(&charts.scene.download(&ready).await?)?;
    assert_eq!(versions(&stored, "chart-199").len(), 100);
    assert_eq!(versions(&stored, "chart-000")[0], "1.99.0");
    Ok(())
}

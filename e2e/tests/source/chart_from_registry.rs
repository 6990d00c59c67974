//! HelmChart: charts in a registry, pushed by the real Helm.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::process::Command;
use testkit::condition;
use testkit::git::ServerOptions;
use testkit::registry::{Access, LOGIN, Registry};

use super::charts::{Charts, contents, folder};
use super::scene::{message, reason};

struct Pushed {
    charts: Charts,
    registry: Registry,
}

impl Pushed {
    async fn new(access: Access) -> Result<Self> {
        let charts = Charts::new(ServerOptions::default(), &[]).await?;
        let registry = Registry::start(charts.scene.plane, access).await?;
        Ok(Self { charts, registry })
    }

    fn url(&self) -> String {
        format!("oci://{}/charts", self.registry.host())
    }

    /// Packs a chart and pushes it; gives its archive.
    fn push(&self, chart: &str, version: &str) -> Result<Vec<u8>> {
        let text = format!("apiVersion: v2\nname: {chart}\nversion: {version}\n");
        let source = folder(&[("Chart.yaml", &text), ("values.yaml", "a: 1\n"), ("more.yaml", "b: 2\n")])?;
        let bytes = self.charts.package(source.path(), &[])?;
        let archive = source.path().join("chart.tgz");
        std::fs::write(&archive, &bytes)?;
        let output = Command::new(&self.charts.helm)
            .env("HELM_CONFIG_HOME", source.path())
            .arg("push")
            .arg(&archive)
            .arg(self.url())
            .args(["--plain-http", "--username", LOGIN.0, "--password", LOGIN.1])
            .output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(bytes)
    }

    async fn apply(&self, spec: Value) -> Result<()> {
        let mut whole = json!({ "url": self.url(), "type": "oci", "insecure": true });
        let (Value::Object(fields), Value::Object(spec)) = (&mut whole, spec) else { unreachable!() };
        fields.extend(spec);
        self.charts.apply("shop", whole).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_in_a_registry_is_stored_as_it_is() -> Result<()> {
    let pushed = Pushed::new(Access::Password).await?;
    let (charts, scene) = (&pushed.charts, &pushed.charts.scene);
    for version in ["6.0.0", "6.10.0", "7.0.0-rc.1"] {
        pushed.push("podinfo", version)?;
    }
    let newest = pushed.push("podinfo", "6.11.0+build.1")?;
    charts.chart("podinfo", json!({ "chart": "podinfo", "version": "6.x" })).await?;
    charts.chart_because("podinfo", "FetchFailed", "SourceUnavailable").await?;
    // The repository appears, and wakes the chart; it lets nobody in.
    pushed.apply(json!({})).await?;
    let refused = charts.chart_because("podinfo", "FetchFailed", "Unknown").await?;
    let text = "unknown build error: failed to authenticate with the Helm repository: chart pull error: failed to get \
                chart version for remote reference: could not get tags for \"podinfo\": could not fetch tags for ";
    assert!(message(&refused, "Ready").starts_with(text), "{}", message(&refused, "Ready"));
    scene.event("podinfo", "Warning AuthenticationFailed failed to authenticate").await?;
    // A login wakes it, too.
    scene.secret("login", &[("username", LOGIN.0), ("password", LOGIN.1)]).await?;
    pushed.apply(json!({ "secretRef": { "name": "login" } })).await?;
    let ready = charts.chart_of("podinfo", "6.11.0+build.1").await?;
    assert_eq!(scene.download(&ready).await?, newest);
    assert!(ready["status"]["observedSourceArtifactRevision"].is_null());
    assert_eq!(message(&ready, "Ready"), "pulled 'podinfo' chart with version '6.11.0+build.1'");
    let path = ready["status"]["artifact"]["path"].as_str().unwrap_or_default();
    assert!(path.ends_with("/podinfo-6.11.0+build.1.tgz"), "{path}");

    pushed.push("podinfo", "6.12.0")?;
    charts.reconcile_chart("podinfo", "1").await?;
    charts.chart_of("podinfo", "6.12.0").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_values_of_a_chart_in_a_registry_are_chosen() -> Result<()> {
    let pushed = Pushed::new(Access::Open).await?;
    let (charts, scene) = (&pushed.charts, &pushed.charts.scene);
    let first = pushed.push("podinfo", "6.0.0")?;
    pushed.push("podinfo", "6.1.0")?;
    pushed.apply(json!({})).await?;
    charts.chart("exact", json!({ "chart": "podinfo", "version": "6.0.0" })).await?;
    let exact = charts.chart_ready("exact").await?;
    assert_eq!(scene.download(&exact).await?, first);
    let files = ["values.yaml", "more.yaml"];
    charts.chart("merged", json!({ "chart": "podinfo", "valuesFiles": files })).await?;
    let merged = charts.chart_ready("merged").await?;
    assert_eq!(merged["status"]["artifact"]["revision"], "6.1.0+1");
    let values = ("podinfo/values.yaml".to_owned(), "a: 1\nb: 2\n".to_owned());
    assert!(contents(&scene.download(&merged).await?)?.contains(&values));

    let pull = "chart pull error: failed to get chart version for remote reference: ";
    let url = pushed.url();
    for (name, spec, text) in [
        (
            "range",
            json!({ "chart": "podinfo", "version": ">7" }),
            format!("{pull}could not locate a version matching provided version string >7"),
        ),
        (
            "nobody",
            json!({ "chart": "nothing" }),
            format!("{pull}could not get tags for \"nothing\": could not fetch tags for \"{url}/nothing\": "),
        ),
        (
            "absent",
            json!({ "chart": "podinfo", "version": "9.9.9" }),
            format!(
                "chart pull error: failed to download chart for remote reference: failed to get '{url}/podinfo:9.9.9': "
            ),
        ),
    ] {
        charts.chart(name, spec).await?;
        let failed = charts.chart_because(name, "FetchFailed", "ChartPullError").await?;
        assert!(message(&failed, "Ready").starts_with(&text), "{}", message(&failed, "Ready"));
        assert!(condition(&failed, "Stalled").is_none());
    }

    let verified = json!({ "chart": "podinfo", "verify": { "provider": "cosign" } });
    charts.chart("verified", verified).await?;
    let refused = charts.chart_stalled("verified", "VerificationError").await?;
    assert_eq!(condition(&refused, "SourceVerified").map(|found| &found["status"]), Some(&json!("False")));
    assert!(refused["status"]["artifact"].is_null());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_docker_configuration_has_to_know_the_registry() -> Result<()> {
    let pushed = Pushed::new(Access::Password).await?;
    let (charts, scene) = (&pushed.charts, &pushed.charts.scene);
    pushed.push("podinfo", "6.0.0")?;
    for (name, config) in [
        ("other", json!({ "auths": { "example.org": { "username": "u", "password": "p" } } }).to_string()),
        ("pull", pushed.registry.docker_config()),
    ] {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": { "name": name, "namespace": scene.namespace },
            "stringData": { ".dockerconfigjson": config },
        });
        scene.plane.apply(&secret.to_string()).await?;
    }
    pushed.apply(json!({ "secretRef": { "name": "other" } })).await?;
    charts.chart("podinfo", json!({ "chart": "podinfo", "version": "6.0.0" })).await?;
    let refused = charts.chart_because("podinfo", "FetchFailed", "Unknown").await?;
    let text = format!(
        "failed to configure OCI registry authentication: no auth config for '{}' in the docker-registry Secret 'other'",
        pushed.registry.host()
    );
    assert_eq!(message(&refused, "Ready"), format!("unknown build error: {text}"));
    scene.event("podinfo", &format!("Warning AuthenticationFailed {text}")).await?;
    pushed.apply(json!({ "secretRef": { "name": "pull" } })).await?;
    let ready = charts.chart_ready("podinfo").await?;
    assert_eq!(reason(&ready, "Ready"), "ChartPullSucceeded");
    Ok(())
}

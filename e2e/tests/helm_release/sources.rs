//! Where charts come from, and what a release waits for.

use anyhow::Result;
use serde_json::{Value, json};
use testkit::condition;

use super::charts;
use super::scene::{Scene, history, message, reason};

const DIGEST: &str = "sha256:1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef";
const OTHER: &str = "sha256:abcdef1234567890abcdef1234567890abcdef1234567890abcdef1234567890";

fn oci() -> Value {
    json!({"chartRef": {"kind": "OCIRepository", "name": "oci"}})
}

/// Case 25.
#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_is_pushed_again_is_an_upgrade() -> Result<()> {
    let scene = Scene::new().await?;
    let archive = charts::web("6.5.3")?;
    scene.source("OCIRepository", "oci", &archive, &format!("6.5.3@{DIGEST}")).await?;
    scene.release("web", oci()).await?;
    let object = scene.ready("web").await?;
    let snapshot = &object["status"]["history"][0];
    assert_eq!(
        (&snapshot["chartVersion"], &snapshot["ociDigest"]),
        (&json!("6.5.3+1234567890ab"), &json!(DIGEST))
    );
    assert_eq!(object["status"]["lastAttemptedRevisionDigest"], DIGEST);
    scene.source("OCIRepository", "oci", &archive, &format!("6.5.3@{OTHER}")).await?;
    let object =
        scene.until("web", "version 2", |object| object["status"]["history"][0]["version"] == 2).await?;
    assert_eq!(object["status"]["history"][0]["chartVersion"], "6.5.3+abcdef123456");
    Ok(())
}

/// Case 25 with gate DisableChartDigestTracking.
#[tokio::test(flavor = "multi_thread")]
async fn digests_can_be_left_out_of_versions() -> Result<()> {
    let scene = Scene::with(&["--feature-gates=DisableChartDigestTracking=true"]).await?;
    let archive = charts::web("6.5.3")?;
    scene.source("OCIRepository", "oci", &archive, &format!("6.5.3@{DIGEST}")).await?;
    scene.release("web", oci()).await?;
    let object = scene.ready("web").await?;
    assert_eq!(object["status"]["history"][0]["chartVersion"], "6.5.3");
    scene.source("OCIRepository", "oci", &archive, &format!("6.5.3@{OTHER}")).await?;
    let object = scene.reconcile("web", "1").await?;
    assert_eq!(history(&object), ["1 deployed install"]);
    Ok(())
}

/// Case 26.
#[tokio::test(flavor = "multi_thread")]
async fn a_tag_has_to_be_the_version() -> Result<()> {
    let scene = Scene::new().await?;
    scene.source("OCIRepository", "oci", &charts::web("1.2.3")?, &format!("1.2.4@{DIGEST}")).await?;
    scene.release("web", oci()).await?;
    let object = scene.reason("web", "Ready", "ChartMutateError").await?;
    assert_eq!(message(&object, "Ready"), "artifact revision 1.2.4 does not match chart version 1.2.3");
    Ok(())
}

/// Cases 27 and 28.
#[tokio::test(flavor = "multi_thread")]
async fn releases_wait_for_each_other() -> Result<()> {
    let scene = Scene::with(&["--requeue-dependency=1h"]).await?;
    let ns = scene.namespace.clone();
    scene.release("second", json!({"dependsOn": [{"name": "first"}]})).await?;
    let object = scene.reason("second", "Ready", "DependencyNotReady").await?;
    assert_eq!(
        message(&object, "Ready"),
        format!(
            "unable to get '{ns}/first' dependency: helmreleases.helm.toolkit.fluxcd.io \"first\" not found"
        )
    );
    assert_eq!(object["status"]["observedGeneration"], -1);
    scene.release("first", json!({})).await?;
    scene
        .until("second", "the first one is there", |object| {
            message(object, "Ready") == format!("dependency '{ns}/first' is not ready")
        })
        .await?;
    let expression = "dep.status.history[0].chartVersion == '2.0.0'";
    scene.release("third", json!({"dependsOn": [{"name": "first", "readyExpr": expression}]})).await?;
    scene.release("broken", json!({"dependsOn": [{"name": "first", "readyExpr": "dep.status ="}]})).await?;
    let broken = scene.reason("broken", "Stalled", "InvalidCELExpression").await?;
    assert!(
        message(&broken, "Ready")
            .starts_with("Reconciliation failed terminally due to configuration error: ")
    );

    scene.chart("web", &charts::web("1.0.0")?).await?;
    scene.ready("second").await?;
    let third = scene.get("third").await?;
    assert_eq!(reason(&third, "Ready"), "DependencyNotReady");
    scene.source("ExternalArtifact", "web", &charts::web("2.0.0")?, "2").await?;
    scene.ready("third").await?;
    Ok(())
}

/// Case 29.
#[tokio::test(flavor = "multi_thread")]
async fn sources_of_other_namespaces_can_be_out_of_bounds() -> Result<()> {
    let scene = Scene::with(&["--no-cross-namespace-refs=true"]).await?;
    let chart = json!({"spec": {"chart": "web", "sourceRef": {"kind": "HelmRepository", "name": "r", "namespace": "default"}}});
    scene.release("web", json!({"chartRef": null, "chart": chart})).await?;
    let object = scene.reason("web", "Stalled", "AccessDenied").await?;
    let text = format!(
        "cross-namespace references are not allowed: cannot access HelmChart default/{}-web",
        scene.namespace
    );
    assert_eq!((reason(&object, "Ready"), message(&object, "Ready")), ("AccessDenied", text.as_str()));
    assert!(condition(&object, "Reconciling").is_none());
    assert_eq!(object["status"]["observedGeneration"], 1);
    Ok(())
}

/// Cases 30 and 31.
#[tokio::test(flavor = "multi_thread")]
async fn charts_that_cannot_be_had() -> Result<()> {
    let scene = Scene::new().await?;
    scene.chart("web", &charts::web("1.0.0")?).await?;
    let (good, digest) = scene.server.publish(&charts::web("1.0.0")?);
    let gone = format!("{}/gone.tgz", scene.server.url);
    scene.artifact("ExternalArtifact", "web", &gone, &digest, "2").await?;
    scene.release("web", json!({})).await?;
    let object = scene.reason("web", "Ready", "ArtifactFailed").await?;
    assert_eq!(message(&object, "Ready"), "Source not ready: artifact not found. Retrying in 30s");
    assert_eq!(object["status"]["observedGeneration"], -1);
    assert!(!scene.events("web").await?.iter().any(|event| event.starts_with("Warning")));
    scene.artifact("ExternalArtifact", "web", &good, OTHER, "3").await?;
    let text = format!("Could not load chart: integrity failure: computed digest doesn't match '{OTHER}'");
    scene.until("web", &text, |object| message(object, "Ready") == text).await?;
    scene.artifact("ExternalArtifact", "web", &good, &digest, "4").await?;
    scene.ready("web").await?;
    Ok(())
}

/// The HelmChart of a template: made, waited for, and deleted with its release.
#[tokio::test(flavor = "multi_thread")]
async fn a_template_becomes_a_helm_chart() -> Result<()> {
    let scene = Scene::new().await?;
    let ns = scene.namespace.clone();
    let chart = |version: &str| json!({"spec": {"chart": "web", "version": version, "sourceRef": {"kind": "HelmRepository", "name": "repo"}}});
    scene.release("web", json!({"chartRef": null, "chart": chart("1.x")})).await?;
    let object = scene.reason("web", "Ready", "SourceNotReady").await?;
    let name = format!("{ns}-web");
    assert_eq!(object["status"]["helmChart"], format!("{ns}/{name}"));
    let text = message(&object, "Ready");
    assert_eq!(
        text,
        format!("HelmChart '{ns}/{name}' is not ready: latest generation of object has not been reconciled")
    );
    let made = scene.object(super::scene::SOURCE, "HelmChart", &name).await?.unwrap();
    assert_eq!(made["metadata"]["labels"]["helm.toolkit.fluxcd.io/name"], "web");
    assert_eq!(made["spec"]["version"], "1.x");
    scene.event("web", &format!("Normal HelmChartCreated Created HelmChart/{ns}/{name} with SourceRef 'HelmRepository/{ns}/repo'")).await?;

    let (url, digest) = scene.server.publish(&charts::web("1.0.0")?);
    scene.artifact("HelmChart", &name, &url, &digest, "1.0.0").await?;
    let object = scene.ready("web").await?;
    assert_eq!(object["status"]["history"][0].get("ociDigest"), None);
    scene.patch("web", json!({"spec": {"chart": chart("2.x")}})).await?;
    scene.reason("web", "Ready", "SourceNotReady").await?;
    let (url, digest) = scene.server.publish(&charts::web("2.0.0")?);
    scene.artifact("HelmChart", &name, &url, &digest, "2.0.0").await?;
    let object = scene.ready("web").await?;
    assert_eq!(object["status"]["history"][0]["chartVersion"], "2.0.0");
    scene.delete("web").await?;
    assert!(scene.object(super::scene::SOURCE, "HelmChart", &name).await?.is_none());
    Ok(())
}

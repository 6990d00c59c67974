//! The process: cases 59, 82, 83, 84 and 85.

use anyhow::Result;
use kube::api::DeleteParams;
use serde_json::json;
use testkit::Controller;

use super::scene::{BETA, Scene, V1, plane};

/// Cases 82 and 83.
#[tokio::test(flavor = "multi_thread")]
async fn finalizers_come_and_go() -> Result<()> {
    let scene = Scene::new().await?;
    let providers = scene.objects(BETA, "Provider")?;
    let has =
        |object: &serde_json::Value| object["metadata"]["finalizers"] == json!(["finalizers.fluxcd.io"]);
    scene.plane.wait_for(&providers, "recorder", "a finalizer", has).await?;
    providers.delete("recorder", &DeleteParams::default()).await?;
    scene.plane.gone(&providers, "recorder").await?;
    scene
        .plane
        .apply(&serde_json::to_string(&json!({
            "apiVersion": BETA, "kind": "Alert",
            "metadata": { "name": "old", "namespace": scene.namespace, "finalizers": ["finalizers.fluxcd.io"] },
            "spec": { "providerRef": { "name": "p" }, "eventSources": [] },
        }))?)
        .await?;
    let alerts = scene.objects(BETA, "Alert")?;
    scene
        .plane
        .wait_for(&alerts, "old", "no finalizer", |object| object["metadata"].get("finalizers").is_none())
        .await?;
    scene
        .complaint("old", "Normal Migration removed finalizer from Alert to migrate to static Alert")
        .await?;
    Ok(())
}

/// Cases 59 and 85: what does not lead answers all the same, and one that stops leaves the other the lead.
#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_share_the_work() -> Result<()> {
    let first = Scene::with(&["--enable-leader-election"]).await?;
    let second = Controller::notification(plane().await?)?.flag("--enable-leader-election").start().await?;
    first.repository("shop", json!({})).await?;
    first.secret("token", json!({ "token": "t" })).await?;
    let resources = json!([{ "kind": "GitRepository", "name": "shop" }]);
    let spec = json!({ "type": "generic", "secretRef": { "name": "token" }, "resources": resources });
    let path = first.receiver("hook", spec).await?;
    first.alert("all", json!({})).await?;
    first.settle().await?;
    // The second knows the Alert a little later, perhaps.
    let event_url = second.events_url().unwrap();
    let mut attempt = 0;
    while !first.delivered().iter().any(|message| message.starts_with("to the second")) {
        let event = first.event(&format!("to the second {attempt}"), json!({}));
        let status = first.http.post(&event_url).body(event.to_string()).send().await?.status().as_u16();
        assert_eq!(status, 202);
        attempt += 1;
        anyhow::ensure!(attempt < 600, "the second replica delivers nothing");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let hook = format!("{}{path}", second.hooks_url().unwrap());
    assert_eq!(first.http.post(&hook).send().await?.status().as_u16(), 200);
    let leads = async |metrics: testkit::metrics::Samples| metrics.sum("leader_election_master_status", &[]);
    assert_eq!(leads(first.controller.metrics().await?).await + leads(second.metrics().await?).await, 1.0);
    assert_eq!(leads(second.metrics().await?).await, 0.0);
    assert!(first.controller.terminate().await?.success());
    // The one that is left takes over.
    first
        .patch(
            V1,
            "Receiver",
            "hook",
            json!({ "metadata": { "annotations": { "reconcile.fluxcd.io/requestedAt": "now" } } }),
        )
        .await?;
    let receivers = first.objects(V1, "Receiver")?;
    first
        .plane
        .wait_for(&receivers, "hook", "the second replica leads", |object| {
            object["status"]["lastHandledReconcileAt"] == "now"
        })
        .await?;
    assert!(second.terminate().await?.success());
    Ok(())
}

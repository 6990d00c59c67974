//! The whole way: from a chart repository through source-controller to the release, and events to a webhook.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use axum::Router;
use axum::extract::State;
use serde_json::{Value, json};
use testkit::Controller;

use super::charts;
use super::scene::{SOURCE, Scene, history};

type Received = Arc<Mutex<Vec<Value>>>;

/// A server that takes events in.
async fn recorder() -> Result<(String, Received)> {
    let received = Received::default();
    let router = Router::new()
        .fallback(|State(received): State<Received>, body: axum::Json<Value>| async move {
            received.lock().unwrap().push(body.0);
        })
        .with_state(Arc::clone(&received));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Ok((url, received))
}

/// A repository with two versions; the second one is published later.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_in_a_repository_is_an_upgrade() -> Result<()> {
    let scene = Scene::new().await?;
    let ns = scene.namespace.clone();
    let label = format!("--watch-label-selector=scene={ns}");
    let source = Controller::source(scene.plane)?.flag(label).start().await?;
    let entry = |version: &str| -> Result<Value> {
        let (url, digest) = scene.server.publish(&charts::web(version)?);
        let digest = digest.trim_start_matches("sha256:");
        Ok(json!({"apiVersion": "v2", "name": "web", "version": version, "urls": [url], "digest": digest}))
    };
    let index = |entries: Vec<Value>| {
        json!({"apiVersion": "v1", "entries": {"web": entries}, "generated": "2026-01-01T00:00:00Z"})
            .to_string()
    };
    let (one, two) = (entry("1.0.0")?, entry("1.1.0")?);
    scene.server.put("index.yaml", index(vec![one.clone()]).as_bytes());
    scene
        .apply(json!({"apiVersion": SOURCE, "kind": "HelmRepository", "metadata": {"name": "repo", "namespace": ns, "labels": {"scene": ns}},
            "spec": {"url": scene.server.url, "interval": "1h"}}))
        .await?;
    let template = json!({"metadata": {"labels": {"scene": ns}}, "spec": {"chart": "web", "version": "1.x", "sourceRef": {"kind": "HelmRepository", "name": "repo"}}});
    scene.release("web", json!({"chartRef": null, "chart": template})).await?;
    let object = scene.ready("web").await?;
    assert_eq!(object["status"]["history"][0]["chartVersion"], "1.0.0");
    scene.server.put("index.yaml", index(vec![two, one]).as_bytes());
    let repositories = scene.plane.objects(SOURCE, "HelmRepository", Some(&ns))?;
    let patch = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}});
    repositories.patch("repo", &Default::default(), &kube::api::Patch::Merge(patch)).await?;
    let object = scene
        .until("web", "version 1.1.0", |object| object["status"]["history"][0]["chartVersion"] == "1.1.0")
        .await?;
    assert_eq!(history(&object), ["2 deployed upgrade", "1 superseded -"]);
    scene.ready("web").await?;
    scene.delete("web").await?;
    scene.gone(SOURCE, "HelmChart", &format!("{ns}-web")).await?;
    source.kill()
}

/// Case 50.
#[tokio::test(flavor = "multi_thread")]
async fn events_are_posted() -> Result<()> {
    let (url, received) = recorder().await?;
    let scene = Scene::with(&[&format!("--events-addr={url}")]).await?;
    let ns = scene.namespace.clone();
    let digest = "sha256:1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef";
    scene.source("OCIRepository", "oci", &charts::web("6.5.3")?, &format!("6.5.3@{digest}")).await?;
    scene.release("web", json!({"chartRef": {"kind": "OCIRepository", "name": "oci"}})).await?;
    let object = scene.ready("web").await?;
    let mut event = Value::Null;
    for _ in 0..200 {
        event = received.lock().unwrap().first().cloned().unwrap_or_default();
        if !event.is_null() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    for key in ["timestamp", "reportingInstance"] {
        assert!(event[key].is_string(), "{event}");
        event.as_object_mut().unwrap().remove(key);
    }
    assert!(event["involvedObject"]["resourceVersion"].is_string());
    event["involvedObject"].as_object_mut().unwrap().remove("resourceVersion");
    assert_eq!(
        event,
        json!({
            "involvedObject": {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "name": "web", "namespace": ns, "uid": object["metadata"]["uid"]},
            "severity": "info", "reason": "InstallSucceeded", "reportingController": "helm-controller",
            "message": format!("Helm install succeeded for release {ns}/web.v1 with chart web@6.5.3+1234567890ab"),
            "metadata": {
                "helm.toolkit.fluxcd.io/revision": "6.5.3+1234567890ab",
                "helm.toolkit.fluxcd.io/token": object["status"]["history"][0]["configDigest"],
                "helm.toolkit.fluxcd.io/app-version": "7",
                "helm.toolkit.fluxcd.io/oci-digest": digest,
            },
        })
    );
    Ok(())
}

//! `notification-controller test-alert`: what an Alert would send.

use std::process::{Command, Output};

use anyhow::Result;
use serde_json::json;
use testkit::{Profile, built};

use super::scene::Scene;

fn test_alert(scene: &Scene, arguments: &[&str]) -> Result<(bool, String)> {
    let Output { status, stdout, stderr } = Command::new(built("notification-controller", Profile::Same)?)
        .arg("test-alert")
        .args(arguments)
        .args(["--namespace", &scene.namespace])
        .env("KUBECONFIG", scene.plane.kubeconfig())
        .output()?;
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    Ok((status.success(), said))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_tried_out() -> Result<()> {
    let scene = Scene::new().await?;
    let address = format!("{}/services/canary-path", scene.recorder.url);
    scene.secret("slack", json!({ "address": address, "token": "canary-token" })).await?;
    let spec = json!({ "type": "slack", "channel": "general", "secretRef": { "name": "slack" } });
    scene.provider("slack", spec).await?;
    scene.alert("slack", json!({ "providerRef": { "name": "slack" }, "summary": "production" })).await?;
    let event =
        ["slack", "--severity", "error", "--message", "it <!here> failed", "--metadata", "revision=main"];
    let (done, shown) = test_alert(&scene, &event)?;
    assert!(done, "{shown}");
    for text in [
        "POST http://127.0.0.1",
        "/*****",
        "authorization: *****",
        "it &lt;!here&gt; failed",
        "\"danger\"",
        "production",
        "\"main\"",
    ] {
        assert!(shown.contains(text), "{text} in {shown}");
    }
    assert!(!shown.contains("canary-"), "{shown}");
    assert!(scene.recorder.seen().is_empty(), "a dry run sends nothing");

    let (done, said) = test_alert(&scene, &[&event[..], &["--send"]].concat())?;
    assert!(done && said.contains("sent to Provider"), "{said}");
    let sent = scene.recorder.wait("the message", |request| request.method == "POST").await?;
    assert_eq!(sent.headers["authorization"], "Bearer canary-token");
    let (done, said) = test_alert(&scene, &["missing"])?;
    assert!(!done && said.contains("/missing' not found"), "{said}");
    Ok(())
}

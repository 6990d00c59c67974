//! The real `flux` command, a path that `FLUX` names: `FLUX=/path/to/flux cargo test -p e2e --test notification -- --ignored flux`.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::scene::{BETA, Scene, V1};

/// Runs it in the namespace of the scene; gives what it printed.
fn flux(scene: &Scene, arguments: &[&str]) -> Result<String> {
    let program = std::env::var("FLUX").context("FLUX has to name the flux command")?;
    let output = Command::new(program)
        .args(arguments)
        .args(["--namespace", &scene.namespace])
        .env("KUBECONFIG", scene.plane.kubeconfig())
        .output()?;
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "flux {}: {said}", arguments.join(" "));
    Ok(said)
}

/// Cases 80 and 81, and the commands that write and show the three kinds.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs FLUX, the path of the flux command"]
async fn flux_commands_work() -> Result<()> {
    let scene = Scene::new().await?;
    scene.repository("shop", json!({})).await?;
    scene.secret("token", json!({ "token": "t" })).await?;
    let hooks = scene.controller.hooks_url().unwrap();
    let url = scene.recorder.url.clone();
    flux(&scene, &["create", "alert-provider", "chat", "--type", "generic", "--address", &url])?;
    let source = "Kustomization/*";
    flux(&scene, &["create", "alert", "all", "--provider-ref", "chat", "--event-source", source])?;
    let receiver = ["create", "receiver", "push", "--type", "generic-hmac", "--secret-ref", "token"];
    flux(&scene, &[&receiver[..], &["--resource", "GitRepository/shop"]].concat())?;
    for (what, name, status) in [
        ("alert-providers", "chat", "Provider is Ready"),
        ("alerts", "all", "Alert is Ready"),
        ("receivers", "push", "Receiver initialized for path: /hook/"),
    ] {
        let shown = flux(&scene, &["get", what])?;
        assert!(shown.contains(name) && shown.contains(status), "{shown}");
    }

    scene.settle().await?;
    scene.send("seen by flux", json!({})).await?;
    scene.recorder.message("seen by flux").await?;
    let payload = "--payload={\"ref\":\"main\"}";
    let hook = ["trigger", "receiver", "push", "--type=generic-hmac", "--token=t"];
    flux(&scene, &[&hook[..], &["--url", &hooks, payload]].concat())?;
    assert!(scene.requested("shop").await?.is_some());
    let wrong = ["trigger", "receiver", "push", "--type=generic-hmac", "--token=u", "--url", &hooks];
    assert!(flux(&scene, &wrong).is_err());

    flux(&scene, &["suspend", "receiver", "push"])?;
    flux(&scene, &["resume", "receiver", "push"])?;
    flux(&scene, &["suspend", "alert", "all"])?;
    flux(&scene, &["resume", "alert", "all"])?;
    let said = flux(&scene, &["reconcile", "receiver", "push"])?;
    assert!(said.contains("Receiver"), "{said}");
    let object: Value = serde_json::to_value(scene.objects(V1, "Receiver")?.get("push").await?)?;
    assert_eq!(
        object["metadata"]["annotations"]["reconcile.fluxcd.io/requestedAt"],
        object["status"]["lastHandledReconcileAt"]
    );
    let events = flux(&scene, &["events", "--for", "Receiver/push"])?;
    assert!(events.contains("Succeeded"), "{events}");

    for what in [["alert", "all"], ["alert-provider", "chat"], ["receiver", "push"]] {
        flux(&scene, &["delete", what[0], what[1], "--silent"])?;
    }
    scene.plane.gone(&scene.objects(BETA, "Provider")?, "chat").await?;
    scene.plane.gone(&scene.objects(V1, "Receiver")?, "push").await?;
    Ok(())
}

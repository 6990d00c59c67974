//! kill -9 at any moment of an action: after a restart the release is driven to its goal.

use std::time::Duration;

use anyhow::Result;
use kube::api::{Patch, PatchParams};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use super::charts;
use super::scene::{Scene, history};

/// Case 47, for install, upgrade and uninstall, at moments that no write is spared.
#[tokio::test(flavor = "multi_thread")]
async fn a_controller_killed_at_any_moment_loses_nothing() -> Result<()> {
    // Printed by a failure, so that the same moments can be tried again: MILLRACE_SEED=…
    let seed = std::env::var("MILLRACE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(rand::random::<u64>);
    println!("MILLRACE_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut scene = Scene::new().await?;
    scene.chart("web", &charts::web("1.0.0")?).await?;
    for round in 0..8 {
        let name = format!("web-{round}");
        scene.release(&name, json!({"values": {"color": "one"}})).await?;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..150))).await;
        scene.controller = scene.controller.restart().await?;
        scene.ready(&name).await?;
        assert_eq!(scene.config(&name, "color").await?, "one", "round {round}");
        scene.patch(&name, json!({"spec": {"values": {"color": "two"}}})).await?;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..150))).await;
        scene.controller = scene.controller.restart().await?;
        scene.ready(&name).await?;
        assert_eq!(scene.config(&name, "color").await?, "two", "round {round}");
        let listed = scene.helm_json(&["list", "--filter", &format!("^{name}$")]).await?;
        assert_eq!(listed[0]["status"], "deployed", "round {round}: {listed}");
        scene.releases.delete(&name, &Default::default()).await?;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..60))).await;
        scene.controller = scene.controller.restart().await?;
        for _ in 0..1200 {
            if scene.releases.get_opt(&name).await?.is_none() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for kind in ["ConfigMap", "Service"] {
            assert!(scene.object("v1", kind, &name).await?.is_none(), "round {round}: {kind}");
        }
        let left = scene.helm_json(&["list", "--filter", &format!("^{name}$")]).await?;
        assert_eq!(left.as_array().map(Vec::len), Some(0), "round {round}: {left}");
    }
    Ok(())
}

/// A crash between the last write of a record and that of the status: the release is there, and nobody says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_was_not_recorded_is_not_made_again() -> Result<()> {
    let mut scene = Scene::new().await?;
    scene.chart("web", &charts::web("1.0.0")?).await?;
    scene.release("web", json!({"values": {"color": "one"}})).await?;
    scene.ready("web").await?;
    let before = scene.get("web").await?["status"].clone();
    scene.controller.kill()?;
    forget(&scene, "web", json!({"status": {"history": null, "conditions": null, "observedGeneration": -1}}))
        .await?;
    scene.controller = scene.controller.restart().await?;
    let object = scene.ready("web").await?;
    assert_eq!(history(&object), ["1 deployed install"]);
    assert_eq!(object["status"]["history"], before["history"]);

    scene.patch("web", json!({"spec": {"values": {"color": "two"}}})).await?;
    let object =
        scene.until("web", "version 2", |object| object["status"]["history"][0]["version"] == 2).await?;
    let after = object["status"]["history"].clone();
    scene.ready("web").await?;
    scene.controller.kill()?;
    forget(
        &scene,
        "web",
        json!({"status": {"history": before["history"], "conditions": null, "observedGeneration": 1}}),
    )
    .await?;
    scene.controller = scene.controller.restart().await?;
    let object = scene.ready("web").await?;
    assert_eq!(history(&object), ["2 deployed upgrade", "1 superseded -"]);
    assert_eq!(object["status"]["history"], after);
    Ok(())
}

/// A deletion that follows a crash in an installation takes the release along.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_was_not_recorded_is_uninstalled() -> Result<()> {
    let mut scene = Scene::new().await?;
    scene.chart("web", &charts::web("1.0.0")?).await?;
    scene.release("web", json!({})).await?;
    scene.ready("web").await?;
    scene.controller.kill()?;
    forget(&scene, "web", json!({"status": {"history": null, "conditions": null}})).await?;
    scene.rewrite("web", 1, |record| record["info"]["status"] = json!("pending-install")).await?;
    scene.releases.delete("web", &Default::default()).await?;
    scene.controller = scene.controller.restart().await?;
    scene.delete("web").await?;
    assert!(scene.object("v1", "ConfigMap", "web").await?.is_none());
    assert!(scene.record("web", 1).await?.is_none());
    Ok(())
}

async fn forget(scene: &Scene, name: &str, patch: serde_json::Value) -> Result<()> {
    scene.releases.patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

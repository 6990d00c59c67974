//! kill -9 at any moment of an action: after a restart the release is driven to its goal.

use std::time::Duration;

use anyhow::Result;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use super::charts;
use super::scene::Scene;

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

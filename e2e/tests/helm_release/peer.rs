//! Next to Flux's own helm-controller, which is found by `FLUX_HELM_CONTROLLER=PATH`; it is no part of this project, so
//! these tests run only when they are asked for.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::json;
use testkit::Controller;

use super::charts;
use super::scene::{Scene, history};

pub async fn started(scene: &Scene, program: &Path) -> Result<testkit::Running> {
    Controller::helm_at(scene.plane, program)?
        .flag(format!("--watch-label-selector=scene={}", scene.namespace))
        .flag("--feature-gates=ExternalArtifact=true")
        .start()
        .await
}

/// Cases 3 and 4: each takes over what the other made, and leaves it as it is.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs FLUX_HELM_CONTROLLER"]
async fn releases_change_hands_without_an_upgrade() -> Result<()> {
    let path = std::env::var("FLUX_HELM_CONTROLLER").context("FLUX_HELM_CONTROLLER is not set")?;
    let scene = Scene::new().await?;
    scene.controller.kill()?;
    let flux = started(&scene, Path::new(&path)).await?;
    scene.chart("web", &charts::web("1.0.0")?).await?;
    let values = json!({"color": "blue", "test": true, "n": 1.5, "big": 100000000000_i64, "text": "a: <b> & c\n  x\n", "list": [1, {"z": 1, "a10": 2, "a2": null}], "empty": {}});
    let spec = json!({"values": values, "commonMetadata": {"labels": {"team": "a"}},
        "postRenderers": [{"kustomize": {"patches": [{"patch": "- {op: add, path: /data/extra, value: x}", "target": {"kind": "ConfigMap", "name": "one|two", "labelSelector": "a=b"}}]}}]});
    scene.release("one", spec.clone()).await?;
    let theirs = scene.ready("one").await?;
    scene.patch("one", json!({"spec": {"values": {"color": "green"}}})).await?;
    scene.until("one", "version 2", |object| object["status"]["history"][0]["version"] == 2).await?;
    scene.ready("one").await?;
    flux.kill()?;
    let ours = started(&scene, &testkit::built("helm-controller", testkit::Profile::Same)?).await?;
    // Another generation: the digests of post-renderers and metadata are compared, too.
    scene.patch("one", json!({"spec": {"interval": "2h"}})).await?;
    let object = scene.reconcile("one", "ours").await?;
    assert_eq!(
        history(&object).len(),
        2,
        "{:?}; theirs {:?}; the log:\n{}",
        history(&object),
        history(&theirs),
        ours.log().join("\n")
    );
    assert_eq!(object["status"]["history"][0]["version"], 2);

    scene.release("two", spec).await?;
    scene.ready("two").await?;
    scene.patch("two", json!({"spec": {"values": {"color": "green"}}})).await?;
    scene.until("two", "version 2", |object| object["status"]["history"][0]["version"] == 2).await?;
    scene.ready("two").await?;
    ours.kill()?;
    let flux = started(&scene, Path::new(&path)).await?;
    scene.patch("two", json!({"spec": {"interval": "2h"}})).await?;
    let object = scene.reconcile("two", "theirs").await?;
    assert_eq!(
        object["status"]["history"][0]["version"],
        2,
        "{:?}; the log:\n{}",
        history(&object),
        flux.log().join("\n")
    );
    Ok(())
}

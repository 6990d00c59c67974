//! Gate `CancelHealthCheckOnNewRevision`: a wait ends when there is something new.

use std::path::Path;

use anyhow::{Context as _, Result};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use testkit::Controller;

use super::charts;
use super::scene::{Scene, history, message, reason};

const GATE: &str = "--feature-gates=CancelHealthCheckOnNewRevision=true";

/// Lets actions wait for what never becomes ready, gives them something new, and tells what becomes of that.
async fn lives(scene: &Scene, retries: bool) -> Result<Vec<String>> {
    let ns = &scene.namespace;
    let config = async |stuck: bool| {
        let labels = json!({"reconcile.fluxcd.io/watch": "Enabled"});
        let values = json!({"stuck": stuck}).to_string();
        let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "values", "namespace": ns, "labels": labels}, "data": {"values.yaml": values}});
        scene.apply(config).await
    };
    let waits = async |action: &str| {
        let text = format!("Running '{action}' action");
        scene.until("app", &text, |object| message(object, "Reconciling").starts_with(&text)).await?;
        // The action waits once the objects are there.
        for _ in 0..600 {
            let found = scene.object("apps/v1", "Deployment", "app").await?.unwrap_or_default();
            if found["spec"]["template"]["spec"]["nodeSelector"]["no"] == "such-node" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        // The new Pods are to be waited for, too.
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        anyhow::Ok(())
    };
    let at = async |version: i64| {
        scene
            .until("app", "the next revision", |object| {
                object["status"]["history"][0]["version"] == version
                    && object["status"]["history"][0]["status"] == "deployed"
            })
            .await?;
        scene.ready("app").await
    };
    let mut seen = Vec::new();
    let mut note = |what: &str, object: &Value| {
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let mut conditions: Vec<String> = conditions
            .iter()
            .map(|c| format!("{} {} {} {}", c["type"], c["status"], c["reason"], c["message"]))
            .collect();
        conditions.sort();
        seen.push(format!("{what}: {:?}\n{}", history(object), conditions.join("\n")));
    };

    // An installation, and a change of the object.
    scene.chart("app", &charts::app("1.0.0")?).await?;
    config(false).await?;
    let spec = json!({"timeout": "10m", "chartRef": {"kind": "ExternalArtifact", "name": "app"}, "values": {"stuck": true},
        "valuesFrom": [{"kind": "ConfigMap", "name": "values"}],
        "upgrade": {"remediation": {"retries": if retries { 1 } else { 0 }}}});
    scene.release("app", spec).await?;
    waits("install").await?;
    scene.patch("app", json!({"spec": {"values": null}})).await?;
    scene.event("app", &format!("Normal HealthCheckCanceled Health checks canceled due to new reconciliation triggered by HelmRelease/{ns}/app")).await?;
    note("install", &at(2).await?);

    // An upgrade, and a change of the values that it refers to.
    config(true).await?;
    waits("upgrade").await?;
    config(false).await?;
    scene.event("app", &format!("Normal HealthCheckCanceled Health checks canceled due to new reconciliation triggered by ConfigMap/{ns}/values")).await?;
    scene
        .until("app", "the end of it", |object| {
            reason(object, "Ready") == "UpgradeSucceeded"
                && object["status"]["history"][0]["version"].as_i64() > Some(3)
        })
        .await?;
    note("upgrade", &scene.ready("app").await?);

    // A new chart, and another one.
    let patch = json!({"spec": {"values": {"stuck": true}}});
    scene.releases.patch("app", &PatchParams::default(), &Patch::Merge(patch)).await?;
    waits("upgrade").await?;
    let files = [("Chart.yaml", "apiVersion: v2\nname: app\nversion: 2.0.0\n"), charts::CONFIG];
    scene.source("ExternalArtifact", "app", &charts::archive("app", &files)?, "2").await?;
    scene.event("app", &format!("Normal HealthCheckCanceled Health checks canceled due to new reconciliation triggered by ExternalArtifact/{ns}/app")).await?;
    scene
        .until("app", "the new chart", |object| {
            reason(object, "Ready") == "UpgradeSucceeded"
                && object["status"]["history"][0]["chartVersion"] == "2.0.0"
        })
        .await?;
    note("chart", &scene.ready("app").await?);
    let events = scene.events("app").await?.into_iter();
    let events =
        events.filter(|event| event.contains("HealthCheckCanceled") || event.contains("context canceled"));
    seen.extend(events.map(|event| event.split("\n").next().unwrap_or_default().to_owned()));
    Ok(seen.into_iter().map(|text| text.replace(ns.as_str(), "NS")).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_when_there_is_something_new() -> Result<()> {
    let scene = Scene::with(&[GATE]).await?;
    let seen = lives(&scene, false).await?;
    assert!(seen[0].starts_with("install: [\"2 deployed upgrade\", \"1 superseded -\"]\n"), "{seen:#?}");
    let failed =
        "Warning InstallFailed Helm install failed for release NS/app with chart app@1.0.0: context canceled";
    assert!(seen.iter().any(|line| line.starts_with(failed)), "{seen:#?}");
    assert!(seen.iter().any(|line| line.contains("triggered by ConfigMap/NS/values")), "{seen:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_gate_a_wait_goes_on() -> Result<()> {
    let scene = Scene::new().await?;
    scene.chart("app", &charts::app("1.0.0")?).await?;
    let spec = json!({"timeout": "8s", "chartRef": {"kind": "ExternalArtifact", "name": "app"}, "values": {"stuck": true}});
    scene.release("app", spec).await?;
    scene
        .until("app", "the wait", |object| message(object, "Reconciling").starts_with("Running 'install'"))
        .await?;
    scene.patch("app", json!({"spec": {"values": null}})).await?;
    scene.event("app", "Warning InstallFailed Helm install failed").await?;
    scene.ready("app").await?;
    let events = scene.events("app").await?;
    assert!(events.iter().any(|event| event.contains("timeout waiting for: [Deployment/")), "{events:#?}");
    assert!(!events.iter().any(|event| event.contains("canceled")), "{events:#?}");
    Ok(())
}

/// The same words as Flux's own.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs FLUX_HELM_CONTROLLER"]
async fn the_words_are_those_of_flux() -> Result<()> {
    let path = std::env::var("FLUX_HELM_CONTROLLER").context("FLUX_HELM_CONTROLLER is not set")?;
    for retries in [false, true] {
        let ours = lives(&Scene::with(&[GATE]).await?, retries).await?;
        let scene = Scene::new().await?;
        scene.controller.kill()?;
        let _flux = Controller::helm_at(scene.plane, Path::new(&path))?
            .flag(format!("--watch-label-selector=scene={}", scene.namespace))
            .flag("--feature-gates=ExternalArtifact=true,CancelHealthCheckOnNewRevision=true")
            .start()
            .await?;
        let theirs = lives(&scene, retries).await?;
        assert_eq!(ours, theirs, "ours {ours:#?}\ntheirs {theirs:#?}");
    }
    Ok(())
}

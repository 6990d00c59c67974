//! Install, upgrade, take-over and the end: what happens when nothing fails.

use anyhow::Result;
use serde_json::json;

use super::charts;
use super::scene::{Scene, history, message, reason};

/// Cases 1, 2, 5, 6 and 44.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_installed_upgraded_and_uninstalled() -> Result<()> {
    let scene = Scene::new().await?;
    let ns = scene.namespace.as_str();
    scene.chart("web", &charts::web("1.0.0")?).await?;
    scene.release("web", json!({"values": {"color": "blue"}})).await?;
    let object = scene.ready("web").await?;
    assert_eq!(reason(&object, "Ready"), "InstallSucceeded");
    let text = format!("Helm install succeeded for release {ns}/web.v1 with chart web@1.0.0");
    assert_eq!((message(&object, "Ready"), message(&object, "Released")), (text.as_str(), text.as_str()));
    assert_eq!(history(&object), ["1 deployed install"]);
    let status = &object["status"];
    assert_eq!(status["lastAttemptedReleaseAction"], "install");
    assert_eq!(status["storageNamespace"], ns);
    assert_eq!(status["lastAttemptedRevision"], "1.0.0");
    assert_eq!(scene.config("web", "color").await?, "blue");
    let labels = scene.object("v1", "ConfigMap", "web").await?.unwrap()["metadata"]["labels"].clone();
    assert_eq!(
        (&labels["helm.toolkit.fluxcd.io/name"], &labels["helm.toolkit.fluxcd.io/namespace"]),
        (&json!("web"), &json!(ns))
    );
    let listed = scene.helm_json(&["list"]).await?;
    assert_eq!(
        (&listed[0]["name"], &listed[0]["status"], &listed[0]["chart"]),
        (&json!("web"), &json!("deployed"), &json!("web-1.0.0"))
    );
    scene.event("web", &format!("Normal InstallSucceeded {text}")).await?;

    let record = scene.record("web", 1).await?.unwrap();
    let writes =
        scene.requests("PATCH").await? + scene.requests("POST").await? + scene.requests("PUT").await?;
    let before = scene.reconcile("web", "again").await?;
    let after =
        scene.requests("PATCH").await? + scene.requests("POST").await? + scene.requests("PUT").await?;
    assert_eq!(after - writes, 1.0, "the answer to the request, and nothing else");
    assert_eq!(
        scene.record("web", 1).await?.unwrap()["metadata"]["resourceVersion"],
        record["metadata"]["resourceVersion"]
    );
    assert_eq!(before["status"]["conditions"], object["status"]["conditions"]);

    scene.patch("web", json!({"spec": {"interval": "30m"}})).await?;
    let object = scene.ready("web").await?;
    assert_eq!(history(&object), ["1 deployed install"], "no Helm action");

    scene.patch("web", json!({"spec": {"values": {"color": "green"}}})).await?;
    let object = scene.reason("web", "Ready", "UpgradeSucceeded").await?;
    assert_eq!(history(&object), ["2 deployed upgrade", "1 superseded -"]);
    assert_eq!(scene.config("web", "color").await?, "green");
    let old = &object["status"]["history"][1];
    assert_ne!(old["digest"], status["history"][0]["digest"], "the record says superseded now");
    let helm = scene.helm_json(&["history", "web"]).await?;
    assert_eq!(helm.as_array().map(Vec::len), Some(2));
    scene.ready("web").await?;

    scene.delete("web").await?;
    assert!(scene.object("v1", "ConfigMap", "web").await?.is_none());
    assert!(scene.record("web", 1).await?.is_none() && scene.record("web", 2).await?.is_none());
    Ok(())
}

/// Cases 9, 10 and 11: releases that somebody else made or changed.
#[tokio::test(flavor = "multi_thread")]
async fn releases_of_others_are_taken_over() -> Result<()> {
    let scene = Scene::new().await?;
    let archive = charts::web("1.0.0")?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("web-1.0.0.tgz");
    std::fs::write(&path, &archive)?;
    let path = path.to_str().unwrap();
    scene.helm(&["install", "web", path, "--set", "test=true"]).await?;
    scene.chart("web", &archive).await?;
    scene.release("web", json!({"values": {"test": true}})).await?;
    let object = scene.ready("web").await?;
    assert_eq!(reason(&object, "Ready"), "UpgradeSucceeded");
    assert_eq!(history(&object), ["2 deployed upgrade"]);

    scene.helm(&["test", "web"]).await?;
    let object = scene.reconcile("web", "after test").await?;
    assert_eq!(history(&object), ["2 deployed upgrade"], "a test is no change");

    scene.helm(&["upgrade", "web", path, "--set", "color=pink", "--force-conflicts"]).await?;
    assert_eq!(scene.config("web", "color").await?, "pink");
    scene.reconcile("web", "after upgrade").await?;
    let object = scene.ready("web").await?;
    assert_eq!(history(&object), ["4 deployed upgrade"], "what others made is put right");
    assert_eq!(scene.config("web", "color").await?, "red");
    Ok(())
}

/// Cases 7 and 8.
#[tokio::test(flavor = "multi_thread")]
async fn changes_of_what_is_rendered_are_upgrades() -> Result<()> {
    let scene = Scene::new().await?;
    scene.chart("web", &charts::web("1.0.0")?).await?;
    scene.release("web", json!({})).await?;
    scene.ready("web").await?;
    let patch = "- {op: add, path: /data/extra, value: x}";
    let renderers = json!([{"kustomize": {"patches": [{"patch": patch, "target": {"kind": "ConfigMap", "name": "web"}}]}}]);
    scene.patch("web", json!({"spec": {"postRenderers": renderers}})).await?;
    let object = scene.reason("web", "Ready", "UpgradeSucceeded").await?;
    assert_eq!(scene.config("web", "extra").await?, "x");
    assert!(object["status"]["observedPostRenderersDigest"].as_str().unwrap().starts_with("sha256:"));
    scene.ready("web").await?;
    scene.patch("web", json!({"spec": {"postRenderers": null, "commonMetadata": {"labels": {"team": "a", "helm.toolkit.fluxcd.io/name": "x"}}}})).await?;
    let object =
        scene.until("web", "version 3", |object| object["status"]["history"][0]["version"] == 3).await?;
    assert!(object["status"].get("observedPostRenderersDigest").is_none());
    for name in ["web", "web-hook"] {
        let labels = scene.object("v1", "ConfigMap", name).await?.unwrap()["metadata"]["labels"].clone();
        assert_eq!(
            (&labels["team"], &labels["helm.toolkit.fluxcd.io/name"]),
            (&json!("a"), &json!("web")),
            "{name}"
        );
    }
    Ok(())
}

/// Cases 22, 23 and 24.
#[tokio::test(flavor = "multi_thread")]
async fn values_come_from_other_objects() -> Result<()> {
    let scene = Scene::new().await?;
    let ns = scene.namespace.clone();
    scene.chart("web", &charts::web("1.0.0")?).await?;
    let secret = |color: &str| {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "colors", "namespace": ns, "labels": {"reconcile.fluxcd.io/watch": "Enabled"}},
            "stringData": {"values.yaml": format!("color: {color}\n"), "text": "a,b={c}\nd\n"}})
    };
    let from = json!([
        {"kind": "Secret", "name": "colors"},
        {"kind": "Secret", "name": "colors", "valuesKey": "gone", "optional": true},
        {"kind": "ConfigMap", "name": "nowhere", "optional": true},
        {"kind": "Secret", "name": "colors", "valuesKey": "text", "targetPath": "deep.text", "literal": true},
    ]);
    scene.release("web", json!({"valuesFrom": from})).await?;
    let object = scene.reason("web", "Ready", "ValuesError").await?;
    assert_eq!(
        message(&object, "Ready"),
        format!(
            "could not resolve Secret chart values reference '{ns}/colors' with key 'values.yaml': secrets \"colors\" not found"
        )
    );
    scene.apply(secret("gold")).await?;
    scene.ready("web").await?;
    assert_eq!(scene.config("web", "color").await?, "gold");
    let values: serde_json::Value =
        serde_json::from_str(scene.config("web", "values").await?.as_str().unwrap())?;
    assert_eq!(values["deep"]["text"], "a,b={c}\nd\n");
    scene.apply(secret("silver")).await?;
    scene.until("web", "version 2", |object| object["status"]["history"][0]["version"] == 2).await?;
    assert_eq!(scene.config("web", "color").await?, "silver");
    Ok(())
}

//! Names, namespaces and identities: where a release goes, and as whom.

use anyhow::Result;
use serde_json::{Value, json};

use super::charts;
use super::scene::{Scene, history, message, reason};

/// Case 32.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_moves_to_another_namespace() -> Result<()> {
    let scene = Scene::new().await?;
    let other = scene.plane.namespace("target").await?;
    scene.chart("web", &charts::web("1.0.0")?).await?;
    scene.release("web", json!({})).await?;
    scene.ready("web").await?;
    scene.patch("web", json!({"spec": {"targetNamespace": other}})).await?;
    let object = scene.ready("web").await?;
    assert_eq!(history(&object), ["1 deployed install"]);
    let name = format!("{other}-web");
    assert_eq!(object["status"]["history"][0]["name"], name);
    assert!(scene.object("v1", "ConfigMap", "web").await?.is_none());
    let there = scene.plane.objects("v1", "ConfigMap", Some(&other))?;
    assert!(there.get_opt(&name).await?.is_some());
    assert!(scene.record("web", 1).await?.is_none() && scene.record(&name, 1).await?.is_some());
    Ok(())
}

/// Case 33.
#[tokio::test(flavor = "multi_thread")]
async fn a_chart_gets_another_name() -> Result<()> {
    let scene = Scene::new().await?;
    let named = |name: &str| {
        let metadata = format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n");
        charts::archive(name, &[("Chart.yaml", &metadata), ("values.yaml", "color: red\n"), charts::CONFIG])
    };
    scene.chart("web", &named("one")?).await?;
    scene.release("web", json!({})).await?;
    scene.ready("web").await?;
    scene.source("ExternalArtifact", "web", &named("two")?, "2").await?;
    let object = scene
        .until("web", "the chart two", |object| object["status"]["history"][0]["chartName"] == "two")
        .await?;
    assert_eq!(history(&object), ["1 deployed install"]);
    scene.ready("web").await?;
    scene.patch("web", json!({"spec": {"upgrade": {"chartNameChangeStrategy": "InPlaceUpdate"}}})).await?;
    scene.ready("web").await?;
    scene.source("ExternalArtifact", "web", &named("three")?, "3").await?;
    let object = scene
        .until("web", "the chart three", |object| object["status"]["history"][0]["chartName"] == "three")
        .await?;
    assert_eq!(history(&object), ["2 deployed upgrade", "1 superseded -"]);
    Ok(())
}

/// Case 34.
#[tokio::test(flavor = "multi_thread")]
async fn long_names_are_shortened() -> Result<()> {
    let scene = Scene::new().await?;
    scene.chart("web", &charts::web("1.0.0")?).await?;
    let name = "a-release-with-a-name-that-is-far-too-long-for-helm-to-accept";
    scene.release(name, json!({})).await?;
    let object = scene.ready(name).await?;
    let short = object["status"]["history"][0]["name"].as_str().unwrap();
    assert_eq!(short.len(), 53);
    assert!(short.starts_with(&name[..40]) && &short[40..41] == "-", "{short}");
    assert!(scene.record(short, 1).await?.is_some());
    Ok(())
}

/// Cases 43 and 44.
#[tokio::test(flavor = "multi_thread")]
async fn rest_and_the_end() -> Result<()> {
    let scene = Scene::new().await?;
    scene.chart("web", &charts::web("1.0.0")?).await?;
    scene.release("web", json!({"uninstall": {"keepHistory": true}})).await?;
    scene.ready("web").await?;
    scene.release("other", json!({})).await?;
    scene.ready("other").await?;
    scene.patch("other", json!({"spec": {"suspend": true, "values": {"color": "blue"}}})).await?;
    scene.delete("other").await?;
    assert_eq!(scene.config("other", "color").await?, "red", "a resting release leaves everything as it is");
    assert!(scene.record("other", 1).await?.is_some());
    scene.delete("web").await?;
    assert!(scene.object("v1", "ConfigMap", "web").await?.is_none());
    assert_eq!(scene.stored("web", 1).await?["info"]["status"], "uninstalled");
    Ok(())
}

fn account(namespace: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}})
}

/// Cases 45 and 46.
#[tokio::test(flavor = "multi_thread")]
async fn releases_are_made_as_their_account() -> Result<()> {
    let scene = Scene::new().await?;
    let ns = scene.namespace.clone();
    scene.chart("web", &charts::web("1.0.0")?).await?;
    scene.apply(account(&ns, "deployer")).await?;
    scene.release("web", json!({"serviceAccountName": "deployer"})).await?;
    let object = scene.reason("web", "Ready", "StateError").await?;
    let text = message(&object, "Ready");
    assert!(
        text.contains(&format!(
            "User \"system:serviceaccount:{ns}:deployer\" cannot list resource \"secrets\""
        )),
        "{text}"
    );
    scene
        .apply(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "deployer", "namespace": ns},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "deployer", "namespace": ns}]}))
        .await?;
    scene.ready("web").await?;
    let accounts = scene.plane.objects("v1", "ServiceAccount", Some(&ns))?;
    accounts.delete("deployer", &Default::default()).await?;
    scene.delete("web").await?;
    assert!(scene.object("v1", "ConfigMap", "web").await?.is_some(), "nobody is there to uninstall it");

    scene.release("remote", json!({"kubeConfig": {"secretRef": {"name": "cluster"}}})).await?;
    let object = scene.reason("remote", "Ready", "RESTClientError").await?;
    assert_eq!(
        message(&object, "Ready"),
        format!("could not get KubeConfig secret '{ns}/cluster': secrets \"cluster\" not found")
    );
    scene.delete("remote").await?;
    assert_eq!(reason(&object, "Ready"), "RESTClientError");
    Ok(())
}

/// Case 54.
#[tokio::test(flavor = "multi_thread")]
async fn old_records_are_deleted() -> Result<()> {
    let scene = Scene::new().await?;
    scene.chart("web", &charts::web("1.0.0")?).await?;
    scene.release("web", json!({"maxHistory": 2})).await?;
    scene.ready("web").await?;
    for (version, color) in [(2, "a"), (3, "b"), (4, "c")] {
        scene.patch("web", json!({"spec": {"values": {"color": color}}})).await?;
        scene.until("web", color, |object| object["status"]["history"][0]["version"] == version).await?;
    }
    let revisions = scene.helm_json(&["history", "web"]).await?;
    let revisions: Vec<_> = revisions.as_array().unwrap().iter().map(|one| one["revision"].clone()).collect();
    assert_eq!(revisions, [3, 4]);
    Ok(())
}

//! Releases in another cluster, records and all: a second control plane, and one that trusts the first one's tokens.

use anyhow::Result;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use testkit::ControlPlane;

use super::charts;
use super::scene::{Scene, history, message, reason};

async fn kubeconfig(scene: &Scene, other: &ControlPlane) -> Result<()> {
    // Everything has to be inline.
    let text = other.kubectl().run(&["config", "view", "--raw", "--flatten"])?;
    let meta = json!({"name": "cluster", "namespace": scene.namespace});
    scene
        .apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"value": text}}))
        .await
}

async fn there(plane: &ControlPlane, ns: &str, api: &str, kind: &str, name: &str) -> Result<Option<Value>> {
    let found = plane.objects(api, kind, Some(ns))?.get_opt(name).await?;
    Ok(found.map(serde_json::to_value).transpose()?)
}

/// Case 45, and everything before it.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_lives_in_another_cluster() -> Result<()> {
    let scene = Scene::new().await?;
    let other = ControlPlane::start().await?;
    let ns = scene.namespace.clone();
    other
        .apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}}).to_string())
        .await?;
    kubeconfig(&scene, &other).await?;
    scene.chart("app", &charts::app("1.0.0")?).await?;
    let spec = json!({"chartRef": {"kind": "ExternalArtifact", "name": "app"}, "kubeConfig": {"secretRef": {"name": "cluster"}},
        "driftDetection": {"mode": "enabled"}, "timeout": "1m"});
    scene.release("app", spec.clone()).await?;
    let object = scene.ready("app").await?;
    assert_eq!(
        message(&object, "Ready"),
        format!("Helm install succeeded for release {ns}/app.v1 with chart app@1.0.0")
    );
    assert!(scene.object("apps/v1", "Deployment", "app").await?.is_none());
    assert!(scene.record("app", 1).await?.is_none(), "records are there, too");
    let deployment = there(&other, &ns, "apps/v1", "Deployment", "app").await?.unwrap_or_default();
    assert_eq!(deployment["status"]["readyReplicas"], 1, "it was waited for: {deployment}");
    assert!(there(&other, &ns, "v1", "Secret", "sh.helm.release.v1.app.v1").await?.is_some());

    scene.patch("app", json!({"spec": {"values": {"replicas": 2}}})).await?;
    scene.until("app", "version 2", |object| object["status"]["history"][0]["version"] == 2).await?;
    scene.ready("app").await?;
    let deployments = other.objects("apps/v1", "Deployment", Some(&ns))?;
    deployments
        .patch("app", &PatchParams::default(), &Patch::Merge(json!({"spec": {"replicas": 5}})))
        .await?;
    let object = scene.reconcile("app", "1").await?;
    assert_eq!(reason(&object, "Drifted"), "NoDriftDetected", "{}", message(&object, "Drifted"));
    assert_eq!(history(&object)[0], "2 deployed upgrade");
    let deployment = there(&other, &ns, "apps/v1", "Deployment", "app").await?.unwrap_or_default();
    assert_eq!(deployment["spec"]["replicas"], 2);
    scene.delete("app").await?;
    assert!(there(&other, &ns, "apps/v1", "Deployment", "app").await?.is_none());
    assert!(there(&other, &ns, "v1", "Secret", "sh.helm.release.v1.app.v2").await?.is_none());

    // Without the way there, nothing is uninstalled, and nothing waits for that.
    scene.release("app", spec).await?;
    scene.ready("app").await?;
    let secrets = scene.plane.objects("v1", "Secret", Some(&ns))?;
    secrets.delete("cluster", &Default::default()).await?;
    scene.delete("app").await?;
    assert!(there(&other, &ns, "apps/v1", "Deployment", "app").await?.is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_trusts_tokens() -> Result<()> {
    let scene = Scene::with(&["--feature-gates=ObjectLevelWorkloadIdentity=true"]).await?;
    let ns = scene.namespace.clone();
    let (address, ca) = {
        let view = scene.plane.kubectl().run(&["config", "view", "--raw", "--flatten", "-o", "json"])?;
        let view: Value = serde_json::from_str(&view)?;
        let cluster = &view["clusters"][0]["cluster"];
        use base64::Engine as _;
        let ca = cluster["certificate-authority-data"].as_str().unwrap_or_default();
        let ca = base64::engine::general_purpose::STANDARD.decode(ca)?;
        (cluster["server"].as_str().unwrap_or_default().to_owned(), String::from_utf8(ca)?)
    };
    let issuer: Value = serde_json::from_str(&scene.plane.kubectl().run(&[
        "get",
        "--raw",
        "/.well-known/openid-configuration",
    ])?)?;
    scene.chart("web", &charts::web("1.0.0")?).await?;
    let config = json!({"configMapRef": {"name": "cluster"}});
    scene.release("web", json!({"kubeConfig": config})).await?;
    let object = scene.reason("web", "Ready", "RESTClientError").await?;
    assert_eq!(
        message(&object, "Ready"),
        format!("failed to get configmap {ns}/cluster: configmaps \"cluster\" not found")
    );

    let describe = async |provider: &str| {
        let data = json!({"provider": provider, "address": address, "ca.crt": ca, "audiences": issuer["issuer"], "serviceAccountName": "deployer"});
        let labels = json!({"reconcile.fluxcd.io/watch": "Enabled"});
        scene.apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cluster", "namespace": ns, "labels": labels}, "data": data})).await
    };
    describe("gcp").await?;
    scene
        .until("web", "the provider", |object| {
            message(object, "Ready").contains("provider 'gcp' is not supported")
        })
        .await?;
    describe("generic").await?;
    scene
        .until("web", "the account", |object| {
            message(object, "Ready").contains("failed to create kubernetes token")
        })
        .await?;
    scene.apply(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer", "namespace": ns}})).await?;
    scene.reconcile("web", "1").await?;
    let text = format!("User \"system:serviceaccount:{ns}:deployer\" cannot list resource \"secrets\"");
    scene
        .until("web", "what the account may not do", |object| message(object, "Ready").contains(&text))
        .await?;
    scene
        .apply(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "deployer", "namespace": ns},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "deployer", "namespace": ns}]}))
        .await?;
    scene
        .patch("web", json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "2"}}}))
        .await?;
    scene.ready("web").await?;
    assert!(scene.record("web", 1).await?.is_some());
    scene.delete("web").await?;
    assert!(scene.object("v1", "ConfigMap", "web").await?.is_none());
    Ok(())
}

//! What a release does to the cluster: definitions, drift, waits, ways of writing.

use anyhow::Result;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::charts;
use super::scene::{Scene, history, message, reason};

/// Cases 36 and 37.
#[tokio::test(flavor = "multi_thread")]
async fn drift_is_told_and_corrected() -> Result<()> {
    let scene = Scene::new().await?;
    let ns = scene.namespace.clone();
    scene.chart("web", &charts::web("1.0.0")?).await?;
    let ignore = json!([{"paths": ["/data/color"], "target": {"kind": "ConfigMap"}}]);
    scene.release("web", json!({"driftDetection": {"mode": "warn", "ignore": ignore}})).await?;
    let object = scene.ready("web").await?;
    assert_eq!(reason(&object, "Drifted"), "NoDriftDetected");
    let services = scene.plane.objects("v1", "Service", Some(&ns))?;
    let configs = scene.plane.objects("v1", "ConfigMap", Some(&ns))?;
    services.delete("web", &Default::default()).await?;
    let patch = json!({"data": {"color": "ignored"}});
    configs.patch("web", &PatchParams::default(), &Patch::Merge(patch)).await?;
    let object = scene.reconcile("web", "1").await?;
    assert_eq!(
        message(&object, "Drifted"),
        format!(
            "Cluster state of release {ns}/web.v1 has drifted from the desired state:\nService/{ns}/web removed"
        )
    );
    assert_eq!(reason(&object, "Ready"), "InstallSucceeded");
    assert!(services.get_opt("web").await?.is_none());
    scene.event("web", "Warning DriftDetected").await?;

    scene.patch("web", json!({"spec": {"driftDetection": {"mode": "enabled", "ignore": []}}})).await?;
    let object =
        scene.until("web", "no drift", |object| reason(object, "Drifted") == "NoDriftDetected").await?;
    assert_eq!(history(&object), ["1 deployed install"], "no new revision");
    assert!(services.get_opt("web").await?.is_some());
    assert_eq!(scene.config("web", "color").await?, "red");
    let events = scene.event("web", "Normal DriftCorrected").await?;
    let text = format!(
        "Normal DriftCorrected Cluster state of release {ns}/web.v1 has been corrected:\nService/{ns}/web created\nConfigMap/{ns}/web configured (1)"
    );
    assert!(events.contains(&text), "{events:#?}");

    let patch = json!({"metadata": {"annotations": {"helm.toolkit.fluxcd.io/driftDetection": "disabled"}}, "data": {"color": "mine"}});
    configs.patch("web", &PatchParams::default(), &Patch::Merge(patch)).await?;
    scene.reconcile("web", "2").await?;
    assert_eq!(scene.config("web", "color").await?, "mine", "excluded by the live object");
    scene.patch("web", json!({"spec": {"driftDetection": null}})).await?;
    scene.until("web", "nothing of drift", |object| reason(object, "Drifted").is_empty()).await?;
    Ok(())
}

fn definition(plural: &str, described: &str) -> String {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("{plural}.e2e.test")},
        "spec": {"group": "e2e.test", "scope": "Namespaced", "names": {"plural": plural, "singular": plural, "kind": "Wheel", "listKind": "WheelList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "description": described, "x-kubernetes-preserve-unknown-fields": true}}}]}})
    .to_string()
}

/// Cases 35 and 42.
#[tokio::test(flavor = "multi_thread")]
async fn definitions_and_their_objects() -> Result<()> {
    let scene = Scene::new().await?;
    let plural = format!("wheels{}", scene.namespace.replace(|c: char| !c.is_ascii_alphanumeric(), ""));
    let chart = |version: &str, described: &str| {
        let metadata = format!("apiVersion: v2\nname: wheels\nversion: {version}\n");
        let definition = definition(&plural, described);
        charts::archive(
            "wheels",
            &[
                ("Chart.yaml", metadata.as_str()),
                ("values.yaml", "color: red\n"),
                ("crds/wheel.json", definition.as_str()),
                ("crds/other.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: never}\n"),
                (
                    "templates/wheel.yaml",
                    "apiVersion: e2e.test/v1\nkind: Wheel\nmetadata: {name: '{{ .Release.Name }}'}\nspec: {turn: true}\n",
                ),
                charts::CONFIG,
            ],
        )
    };
    let definitions = scene.plane.objects("apiextensions.k8s.io/v1", "CustomResourceDefinition", None)?;
    let name = format!("{plural}.e2e.test");
    let described = async || -> Result<Value> {
        let found = serde_json::to_value(definitions.get(&name).await?)?;
        Ok(found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"].clone())
    };
    scene.chart("web", &chart("1.0.0", "one")?).await?;
    let checks = json!([{"apiVersion": "e2e.test/v1", "kind": "Wheel", "current": "status.turns == 1"}]);
    scene.release("web", json!({"healthCheckExprs": checks, "timeout": "1m"})).await?;
    scene
        .until("web", "the wait for the wheel", |object| {
            message(object, "Reconciling").starts_with("Running 'install'")
        })
        .await?;
    // The condition comes before the definition.
    scene.plane.wait_for(&definitions, &name, "the definition", |_| true).await?;
    assert_eq!(described().await?, "one");
    // The kind's plural is the scene's own.
    let wheels = kube::core::ApiResource {
        group: "e2e.test".into(),
        version: "v1".into(),
        api_version: "e2e.test/v1".into(),
        kind: "Wheel".into(),
        plural: plural.clone(),
    };
    let wheels: kube::Api<kube::api::DynamicObject> =
        kube::Api::namespaced_with(scene.plane.client()?, &scene.namespace, &wheels);
    scene.plane.wait_for(&wheels, "web", "the wheel", |_| true).await?;
    wheels
        .patch_status("web", &PatchParams::default(), &Patch::Merge(json!({"status": {"turns": 1}})))
        .await?;
    let object = scene.ready("web").await?;
    assert!(scene.object("v1", "ConfigMap", "never").await?.is_none());
    let inventory: Vec<_> = object["status"]["inventory"]["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect();
    let ns = &scene.namespace;
    assert!(
        inventory.contains(&format!("_{plural}.e2e.test_apiextensions.k8s.io_CustomResourceDefinition")),
        "{inventory:?}"
    );
    assert!(inventory.contains(&format!("{ns}_web__ConfigMap")), "{inventory:?}");

    scene.source("ExternalArtifact", "web", &chart("2.0.0", "two")?, "2").await?;
    scene
        .until("web", "version 2", |object| object["status"]["history"][0]["chartVersion"] == "2.0.0")
        .await?;
    assert_eq!(described().await?, "one", "Create leaves what is there");
    scene.ready("web").await?;
    scene
        .patch("web", json!({"spec": {"upgrade": {"crds": "CreateReplace"}, "values": {"color": "x"}}}))
        .await?;
    scene.until("web", "version 3", |object| object["status"]["history"][0]["version"] == 3).await?;
    assert_eq!(described().await?, "two");
    scene.ready("web").await?;
    scene.delete("web").await?;
    assert_eq!(described().await?, "two", "definitions stay");
    Ok(())
}

/// Cases 40 and 48.
#[tokio::test(flavor = "multi_thread")]
async fn waits_and_ways_of_writing() -> Result<()> {
    let scene = Scene::new().await?;
    scene.chart("app", &charts::app("1.0.0")?).await?;
    let chart = json!({"kind": "ExternalArtifact", "name": "app"});
    let spec = json!({"chartRef": chart, "install": {"disableWait": true, "serverSideApply": false}, "values": {"stuck": true}});
    scene.release("app", spec).await?;
    scene.ready("app").await?;
    let method =
        async |version| -> Result<Value> { Ok(scene.stored("app", version).await?["apply_method"].clone()) };
    assert_eq!(method(1).await?, "csa");
    scene
        .patch("app", json!({"spec": {"upgrade": {"disableWait": true}, "values": {"replicas": 2}}}))
        .await?;
    scene.until("app", "version 2", |object| object["status"]["history"][0]["version"] == 2).await?;
    assert_eq!(method(2).await?, "csa", "as before");
    scene.ready("app").await?;
    scene.patch("app", json!({"spec": {"upgrade": {"disableWait": true, "serverSideApply": "enabled"}, "values": {"replicas": 3}}})).await?;
    scene.until("app", "version 3", |object| object["status"]["history"][0]["version"] == 3).await?;
    assert_eq!(method(3).await?, "ssa");
    let deployment = scene.object("apps/v1", "Deployment", "app").await?.unwrap();
    assert_eq!(deployment["spec"]["replicas"], 3);
    Ok(())
}

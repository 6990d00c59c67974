//! Fields of the spec that concern clients of the API server.

use anyhow::Result;
use serde_json::json;

use super::charts;
use super::scene::{Scene, message};

/// A hook makes a definition, the next one an object of it.
#[tokio::test(flavor = "multi_thread")]
async fn kinds_that_hooks_bring() -> Result<()> {
    let scene = Scene::new().await?;
    for (name, persistent) in [("asks", json!(false)), ("keeps", json!(true))] {
        let plural = format!("{name}{}", scene.namespace.replace(|c: char| !c.is_ascii_alphanumeric(), ""));
        let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.e2e.test"), "annotations": {"helm.sh/hook": "pre-install", "helm.sh/hook-weight": "-1"}},
            "spec": {"group": "e2e.test", "scope": "Namespaced", "names": {"plural": plural, "singular": plural, "kind": format!("K{plural}"), "listKind": format!("K{plural}List")},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
        let object = json!({"apiVersion": "e2e.test/v1", "kind": format!("K{plural}"), "metadata": {"name": "one", "annotations": {"helm.sh/hook": "post-install"}}});
        let files = [
            ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n".to_owned()),
            ("values.yaml", "color: red\n".to_owned()),
            (charts::CONFIG.0, charts::CONFIG.1.to_owned()),
            ("templates/kind.json.yaml", definition.to_string()),
            ("templates/object.yaml", object.to_string()),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        scene.chart(name, &charts::archive("web", &files)?).await?;
        let chart = json!({"kind": "ExternalArtifact", "name": name});
        scene.release(name, json!({"chartRef": chart, "persistentClient": persistent})).await?;
        scene.ready(name).await?;
    }
    Ok(())
}

/// The API server checks the fields whatever `disableOpenAPIValidation` says, as with Flux.
#[tokio::test(flavor = "multi_thread")]
async fn fields_are_checked_by_the_server() -> Result<()> {
    let scene = Scene::new().await?;
    let typo =
        ("templates/typo.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: typo}\ndatta: {a: b}\n");
    let files = [("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"), typo];
    scene.chart("web", &charts::archive("web", &files)?).await?;
    for disabled in [false, true] {
        let name = if disabled { "disabled" } else { "enabled" };
        scene.release(name, json!({"install": {"disableOpenAPIValidation": disabled}})).await?;
        let object = scene.reason(name, "Released", "InstallFailed").await?;
        assert!(message(&object, "Released").contains("datta"), "{}", message(&object, "Released"));
    }
    Ok(())
}

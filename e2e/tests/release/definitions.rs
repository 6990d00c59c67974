//! Custom resource definitions and custom resources.

use std::time::Duration;

use anyhow::Result;
use release::{CrdOptions, CrdPolicy, Method, Waiting, apply_crds, inventory};
use serde_json::{Value, json};

use crate::stage::{Files, Stage, chart};

fn definition(kind: &str, plural: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.release.example.com")},
        "spec": {"group": "release.example.com", "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_are_created_kept_and_replaced() -> Result<()> {
    let stage = Stage::new("crds").await?;
    for (kind, method) in [("Widget", Method::ServerSide), ("Gadget", Method::ClientSide)] {
        let plural = format!("{}s", kind.to_lowercase());
        let crd = definition(kind, &plural);
        let stray = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stray"}});
        let crds = format!("{crd}\n---\n{stray}\n");
        let object = format!(
            "apiVersion: release.example.com/v1\nkind: {kind}\nmetadata: {{name: one}}\nspec: {{a: {{{{ .Values.a }}}}}}\n"
        );
        let files: Files<'_> = &[
            ("Chart.yaml", "apiVersion: v2\nname: defined\nversion: 1.0.0\n"),
            ("values.yaml", "a: 1\n"),
            ("crds/all.yaml", &crds),
            ("templates/object.yaml", &object),
        ];
        let mut options = CrdOptions {
            policy: CrdPolicy::Skip,
            method,
            labels: [("helm.toolkit.fluxcd.io/name".to_owned(), "web".to_owned())].into(),
            waiting: Waiting { timeout: Duration::from_secs(1), ..Waiting::default() },
        };
        let (mut loaded, mut warnings) = (chart(files), Vec::new());
        let apply = async |options: &CrdOptions, loaded: &mut chart::Chart, warnings: &mut Vec<String>| {
            apply_crds(&stage.cluster, loaded, &chart::Table::new(), options, warnings).await.unwrap()
        };
        assert_eq!(apply(&options, &mut loaded, &mut warnings).await, 0);
        let name = format!("{kind}-{}", "x").to_lowercase();
        let missing = stage.do_install(stage.install(&name, files, json!({}))).await.unwrap_err();
        assert_eq!(
            missing.to_string(),
            format!(
                "unable to build kubernetes objects from release manifest: resource mapping not found for name: \"one\" namespace: \"\" from \"\": no matches for kind \"{kind}\" in version \"release.example.com/v1\"\nensure CRDs are installed first"
            )
        );
        options.policy = CrdPolicy::Create;
        assert_eq!(apply(&options, &mut loaded, &mut warnings).await, 1);
        assert!(warnings[0].ends_with(": /ConfigMap/default/stray"), "{warnings:?}");

        // There now: it stays, and is replaced when that is wanted.
        let label = ["label", "crd", &format!("{plural}.release.example.com"), "seen=yes"];
        stage.plane.kubectl().run(&label)?;
        assert_eq!(apply(&options, &mut loaded, &mut warnings).await, 0);
        options.labels.insert("more".to_owned(), "1".to_owned());
        options.policy = CrdPolicy::CreateReplace;
        assert_eq!(apply(&options, &mut loaded, &mut warnings).await, 1);
        let crds = stage.plane.objects("apiextensions.k8s.io/v1", "CustomResourceDefinition", None)?;
        let labels = crds.get(&format!("{plural}.release.example.com")).await?.metadata.labels.unwrap();
        assert_eq!(
            (labels.get("more"), labels.contains_key("app.kubernetes.io/managed-by")),
            (Some(&"1".to_owned()), false)
        );

        // Custom resources are patched two ways by Helm.
        let mut install = stage.install(&name, files, json!({}));
        install.method = method;
        let installed = stage.do_install(install).await.unwrap();
        let upgraded = stage.do_upgrade(stage.upgrade(&name, files, json!({"a": 2}))).await.unwrap();
        assert_eq!(upgraded.release.apply_method, installed.release.apply_method);
        let widgets = stage.plane.objects("release.example.com/v1", kind, Some(&stage.ours))?;
        assert_eq!(widgets.get("one").await?.data["spec"]["a"], 2);
        let (entries, warnings) = inventory(&stage.cluster, &upgraded.release, Some(&loaded)).await.unwrap();
        let ids: Vec<_> = entries.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids[0], format!("{}_one_release.example.com_{kind}", stage.ours));
        assert_eq!(
            ids[1],
            format!("_{plural}.release.example.com_apiextensions.k8s.io_CustomResourceDefinition")
        );
        assert!(warnings.is_empty());
        stage.do_uninstall(&name).await.unwrap();
    }
    Ok(())
}

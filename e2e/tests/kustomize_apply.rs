//! kustomize-controller: applying, drift, pruning, deletion (acceptance cases 54 to 69 of its specification).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod kustomize_support;

use anyhow::Result;
use kube::api::{DeleteParams, Patch, PatchParams};
use kustomize_support::{KS, Stage, config_map, message};
use serde_json::{Value, json};

/// Case 54: what others need comes first, in one pass.
#[tokio::test(flavor = "multi_thread")]
async fn definitions_and_namespaces_come_first() -> Result<()> {
    let stage = Stage::new("ks-stages").await?;
    let (group, other) = (format!("{}.example.test", stage.namespace), format!("{}-inner", stage.namespace));
    let definition = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: widgets.{group}}}\nspec:\n  \
         group: {group}\n  names: {{kind: Widget, plural: widgets}}\n  scope: Namespaced\n  versions:\n  - name: v1\n    served: true\n    \
         storage: true\n    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}\n"
    );
    let widget = format!(
        "apiVersion: {group}/v1\nkind: Widget\nmetadata: {{name: w, namespace: {other}}}\nspec: {{size: 1}}\n"
    );
    let namespace = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {other}}}\n");
    let revision = stage
        .publish("repo", &[("a.yaml", &widget), ("b.yaml", &namespace), ("c.yaml", &definition)])
        .await?;
    stage.kustomization("app", json!({})).await?;
    let object = stage.applied("app", &revision).await?;
    assert_eq!(
        stage.inventory(&object),
        [
            format!("_widgets.{group}_apiextensions.k8s.io_CustomResourceDefinition"),
            format!("_{other}__Namespace"),
            format!("{other}_w_{group}_Widget"),
        ]
    );
    Ok(())
}

/// Case 56 and issue 3: what somebody else changes is put right within moments, without a request.
#[tokio::test(flavor = "multi_thread")]
async fn drift_is_repaired() -> Result<()> {
    let stage = Stage::new("ks-drift").await?;
    let revision = stage.publish("repo", &[("a.yaml", &config_map("a", "1"))]).await?;
    stage.kustomization("app", json!({"targetNamespace": stage.namespace, "interval": "1h"})).await?;
    stage.applied("app", &revision).await?;
    let maps = stage.api("v1", "ConfigMap")?;
    let edit = PatchParams { field_manager: Some("kubectl-edit".into()), ..PatchParams::default() };
    maps.patch("a", &edit, &Patch::Merge(json!({"data": {"key": "edited", "extra": "x"}}))).await?;
    stage.plane.wait_for(&maps, "a", "the edit to be undone", |o| o["data"] == json!({"key": "1"})).await?;

    maps.delete("a", &DeleteParams::default()).await?;
    stage.plane.wait_for(&maps, "a", "the object to come back", |o| o["data"] == json!({"key": "1"})).await?;
    Ok(())
}

/// Case 60: all refusals are listed, nothing of the stage is applied, the inventory stays.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_listed() -> Result<()> {
    let stage = Stage::new("ks-refused").await?;
    let good = config_map("good", "1");
    let bad = |name: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: 99999}}]}}\n"
        )
    };
    let unknown = "apiVersion: example.test/v1\nkind: Nothing\nmetadata: {name: n}\n";
    stage
        .publish(
            "repo",
            &[("a.yaml", &good), ("b.yaml", &bad("one")), ("c.yaml", &bad("two")), ("d.yaml", unknown)],
        )
        .await?;
    stage.kustomization("app", json!({"targetNamespace": stage.namespace})).await?;
    let object = stage.reason("app", "ReconciliationFailed").await?;
    let text = message(&object);
    for name in ["one", "two"] {
        assert!(
            text.contains(&format!("Service/{}/{name} dry-run failed (Invalid): ", stage.namespace)),
            "{text}"
        );
    }
    assert!(text.contains("no matches for kind \"Nothing\" in version \"example.test/v1\""), "{text}");
    assert_eq!(stage.data("good").await?, None);
    assert!(stage.inventory(&object).is_empty());

    let revision = stage.publish("repo", &[("a.yaml", &good)]).await?;
    stage.applied("app", &revision).await?;
    Ok(())
}

/// Case 58: the switches on objects.
#[tokio::test(flavor = "multi_thread")]
async fn switches() -> Result<()> {
    let stage = Stage::new("ks-switch").await?;
    let with = |name: &str, key: &str, value: &str, data: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, annotations: {{kustomize.toolkit.fluxcd.io/{key}: {value}}}}}\n\
             data: {{key: {data:?}}}\n"
        )
    };
    let set = |data: &str| {
        [
            ("a.yaml".to_owned(), with("once", "ssa", "IfNotPresent", data)),
            ("b.yaml".to_owned(), with("ignored", "ssa", "Ignore", data)),
            ("c.yaml".to_owned(), with("off", "reconcile", "disabled", data)),
            ("d.yaml".to_owned(), with("merged", "ssa", "Merge", data)),
            ("e.yaml".to_owned(), with("kept", "prune", "disabled", data)),
        ]
    };
    let borrow = |set: &[(String, String)]| -> Vec<(&'static str, &'static str)> {
        set.iter().map(|(p, c)| (&*p.clone().leak(), &*c.clone().leak())).collect()
    };
    let revision = stage.publish("repo", &borrow(&set("1"))).await?;
    stage.kustomization("app", json!({"targetNamespace": stage.namespace})).await?;
    let object = stage.applied("app", &revision).await?;
    assert_eq!(stage.data("once").await?, Some(json!({"key": "1"})));
    assert_eq!((stage.data("ignored").await?, stage.data("off").await?), (None, None));
    assert_eq!(stage.inventory(&object).len(), 5, "skipped objects are owned all the same");

    let maps = stage.api("v1", "ConfigMap")?;
    let edit = PatchParams { field_manager: Some("kubectl-edit".into()), ..PatchParams::default() };
    maps.patch("merged", &edit, &Patch::Merge(json!({"data": {"extra": "x"}}))).await?;
    let revision = stage.publish("repo", &borrow(&set("2"))).await?;
    stage.applied("app", &revision).await?;
    assert_eq!(stage.data("once").await?, Some(json!({"key": "1"})));
    assert_eq!(stage.data("merged").await?, Some(json!({"key": "2", "extra": "x"})));

    let revision = stage.publish("repo", &[("README", "")]).await?;
    stage.applied("app", &revision).await?;
    assert_eq!(stage.data("once").await?, None);
    assert_eq!(stage.data("kept").await?, Some(json!({"key": "2"})));
    Ok(())
}

/// Case 59: an immutable object is replaced only when that is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn immutable_objects() -> Result<()> {
    let stage = Stage::new("ks-immutable").await?;
    let secret = |value: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nimmutable: true\nstringData: {{key: {value}}}\n"
        )
    };
    let revision = stage.publish("repo", &[("a.yaml", &secret("first-value"))]).await?;
    stage.kustomization("app", json!({"targetNamespace": stage.namespace})).await?;
    stage.applied("app", &revision).await?;
    let before = stage.get("v1", "Secret", "s").await?.unwrap()["metadata"]["uid"].clone();
    let revision = stage.publish("repo", &[("a.yaml", &secret("second-value"))]).await?;
    let object = stage.reason("app", "ReconciliationFailed").await?;
    assert!(
        message(&object).contains("immutable") && !message(&object).contains("second-value"),
        "{}",
        message(&object)
    );
    stage.patch("app", json!({"spec": {"force": true}})).await?;
    stage.applied("app", &revision).await?;
    assert_ne!(stage.get("v1", "Secret", "s").await?.unwrap()["metadata"]["uid"], before);
    Ok(())
}

/// Case 61: common metadata comes and goes.
#[tokio::test(flavor = "multi_thread")]
async fn common_metadata() -> Result<()> {
    let stage = Stage::new("ks-common").await?;
    let revision = stage.publish("repo", &[("a.yaml", &config_map("a", "1"))]).await?;
    let common = json!({"labels": {"team": "shop"}, "annotations": {"note": "x"}});
    stage.kustomization("app", json!({"targetNamespace": stage.namespace, "commonMetadata": common})).await?;
    stage.applied("app", &revision).await?;
    let metadata = stage.get("v1", "ConfigMap", "a").await?.unwrap()["metadata"].clone();
    assert_eq!(
        (&metadata["labels"]["team"], &metadata["annotations"]["note"]),
        (&json!("shop"), &json!("x"))
    );
    stage.kustomization("app", json!({"targetNamespace": stage.namespace})).await?;
    let maps = stage.api("v1", "ConfigMap")?;
    stage
        .plane
        .wait_for(&maps, "a", "the label to go", |o| o["metadata"]["labels"].get("team").is_none())
        .await?;
    Ok(())
}

/// Cases 40 to 46: variables from everywhere.
#[tokio::test(flavor = "multi_thread")]
async fn substitution() -> Result<()> {
    let stage = Stage::new("ks-subst").await?;
    let create = |kind: &str, name: &str, field: &str, pairs: Value| {
        let object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, field: pairs});
        let api = stage.api("v1", kind);
        async move {
            api?.create(&Default::default(), &serde_json::from_value(object)?).await?;
            anyhow::Ok(())
        }
    };
    create("ConfigMap", "vars", "data", json!({"a": "map", "b": "map", "c": "map"})).await?;
    create("Secret", "secrets", "stringData", json!({"b": "secret", "c": "secret"})).await?;
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: out}\ndata:\n  all: ${a}-${b}-${c}\n  default: ${d:=none}\n  literal: $${a} $(b)\n";
    let untouched = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: plain\n  annotations: {kustomize.toolkit.fluxcd.io/substitute: disabled}\ndata: {all: '${a}'}\n";
    let revision = stage.publish("repo", &[("a.yaml", object), ("b.yaml", untouched)]).await?;
    let from = json!([{"kind": "ConfigMap", "name": "vars"}, {"kind": "Secret", "name": "secrets"}, {"kind": "Secret", "name": "gone", "optional": true}]);
    let spec = |from: &Value, inline: Value| json!({"targetNamespace": stage.namespace, "postBuild": {"substituteFrom": from, "substitute": inline}});
    stage.kustomization("app", spec(&from, json!({"c": "inline"}))).await?;
    stage.applied("app", &revision).await?;
    assert_eq!(
        stage.data("out").await?,
        Some(json!({"all": "map-secret-inline", "default": "none", "literal": "${a} $(b)"}))
    );
    assert_eq!(stage.data("plain").await?, Some(json!({"all": "${a}"})));

    stage.kustomization("unset", spec(&json!([]), json!({"other": "x"}))).await?;
    let object = stage.reason("unset", "BuildFailed").await?;
    let text = message(&object);
    assert!(
        text.contains("ConfigMap/")
            && text.contains(
                "envsubst error: variable substitution failed: variable not set (strict mode): \"a\""
            ),
        "{text}"
    );
    stage.kustomization("missing", spec(&json!([{"kind": "ConfigMap", "name": "gone"}]), json!({}))).await?;
    let object = stage.reason("missing", "BuildFailed").await?;
    assert_eq!(message(&object), "substitute from 'ConfigMap/gone' error: configmaps \"gone\" not found");
    stage.kustomization("name", spec(&json!([]), json!({"a-b": "x"}))).await?;
    let object = stage.reason("name", "BuildFailed").await?;
    assert!(message(&object).starts_with("'a-b' var name is invalid, must match"), "{}", message(&object));
    Ok(())
}

/// Case 47: a labelled ConfigMap wakes who uses it.
#[tokio::test(flavor = "multi_thread")]
async fn configuration_wakes_its_users() -> Result<()> {
    let stage = Stage::new("ks-config").await?;
    let maps = stage.api("v1", "ConfigMap")?;
    let labels = json!({"reconcile.fluxcd.io/watch": "Enabled"});
    let vars = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "vars", "labels": labels}, "data": {"a": "1"}});
    maps.create(&Default::default(), &serde_json::from_value(vars)?).await?;
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: out}\ndata: {value: \"x${a}\"}\n";
    let revision = stage.publish("repo", &[("a.yaml", object)]).await?;
    let from = json!([{"kind": "ConfigMap", "name": "vars"}]);
    stage.kustomization("app", json!({"targetNamespace": stage.namespace, "interval": "1h", "postBuild": {"substituteFrom": from}})).await?;
    stage.applied("app", &revision).await?;
    maps.patch("vars", &PatchParams::default(), &Patch::Merge(json!({"data": {"a": "2"}}))).await?;
    stage.plane.wait_for(&maps, "out", "the new value", |o| o["data"] == json!({"value": "x2"})).await?;
    Ok(())
}

/// Case 52 and the scope of this release: ciphertext never reaches the cluster.
#[tokio::test(flavor = "multi_thread")]
async fn ciphertext_is_refused() -> Result<()> {
    let stage = Stage::new("ks-sops").await?;
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: 'ENC[AES256_GCM,data:x]'}\nsops: {mac: 'ENC[x]'}\n";
    stage.publish("repo", &[("a.yaml", secret)]).await?;
    stage.kustomization("app", json!({"targetNamespace": stage.namespace})).await?;
    let object = stage.reason("app", "ReconciliationFailed").await?;
    let expected =
        "Secret/NS/s is SOPS encrypted, configuring decryption is required for this secret to be reconciled";
    assert_eq!(message(&object), expected.replace("NS", &stage.namespace));
    stage.kustomization("decrypting", json!({"decryption": {"provider": "sops"}})).await?;
    let object = stage.reason("decrypting", "BuildFailed").await?;
    assert!(message(&object).contains("spec.decryption"), "{}", message(&object));
    assert!(stage.get("v1", "Secret", "s").await?.is_none());
    Ok(())
}

/// Case 69: what the end of a Kustomization means for its objects.
#[tokio::test(flavor = "multi_thread")]
async fn deletion_policies() -> Result<()> {
    let stage = Stage::new("ks-delete").await?;
    let cases = [
        ("mirror", json!({"prune": true}), false),
        ("unpruned", json!({"prune": false}), true),
        ("delete", json!({"prune": false, "deletionPolicy": "Delete"}), false),
        ("wait", json!({"prune": false, "deletionPolicy": "WaitForTermination"}), false),
        ("orphan", json!({"deletionPolicy": "Orphan"}), true),
        ("resting", json!({}), true),
    ];
    for (name, spec, _) in &cases {
        let source = json!({"kind": "GitRepository", "name": name});
        let revision = stage.publish(name, &[("a.yaml", &config_map(&format!("of-{name}"), "1"))]).await?;
        let mut full = json!({"targetNamespace": stage.namespace, "sourceRef": source});
        for (key, value) in spec.as_object().unwrap() {
            full[key] = value.clone();
        }
        stage.kustomization(name, full).await?;
        stage.applied(name, &revision).await?;
    }
    stage.patch("resting", json!({"spec": {"suspend": true}})).await?;
    let api = stage.api(KS.0, KS.1)?;
    for (name, _, stays) in &cases {
        api.delete(name, &DeleteParams::default()).await?;
        stage.plane.gone(&api, name).await?;
        assert_eq!(stage.data(&format!("of-{name}")).await?.is_some(), *stays, "{name}");
    }
    Ok(())
}

/// Cases 2 and 25: an object that never got anywhere goes without ado.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_never_worked_can_be_deleted() -> Result<()> {
    let stage = Stage::new("ks-early").await?;
    stage.kustomization("app", json!({"dependsOn": [{"name": "never"}]})).await?;
    stage.reason("app", "ArtifactFailed").await?;
    let api = stage.api(KS.0, KS.1)?;
    api.delete("app", &DeleteParams::default()).await?;
    stage.plane.gone(&api, "app").await?;
    Ok(())
}

/// Case 66: an object that is not ours any more is not deleted.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_owner_label_protects() -> Result<()> {
    let stage = Stage::new("ks-lost").await?;
    let revision = stage.publish("repo", &[("a.yaml", &config_map("a", "1"))]).await?;
    stage.kustomization("app", json!({"targetNamespace": stage.namespace, "suspend": false})).await?;
    stage.applied("app", &revision).await?;
    stage.patch("app", json!({"spec": {"suspend": true}})).await?;
    stage
        .wait("app", "the rest to be seen", |o| {
            o["status"]["observedGeneration"] == o["metadata"]["generation"]
        })
        .await?;
    let maps = stage.api("v1", "ConfigMap")?;
    let strip = json!({"metadata": {"labels": {"kustomize.toolkit.fluxcd.io/name": "somebody-else"}}});
    maps.patch("a", &PatchParams::default(), &Patch::Merge(strip)).await?;
    let revision = stage.publish("repo", &[("README", "")]).await?;
    stage.patch("app", json!({"spec": {"suspend": false}})).await?;
    let object = stage.applied("app", &revision).await?;
    assert!(stage.inventory(&object).is_empty());
    assert!(stage.data("a").await?.is_some());
    Ok(())
}

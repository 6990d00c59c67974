//! Stages, refusals, switches, force, plans.

use std::time::Duration;

use anyhow::Result;
use apply::{Action, ApplyOptions};
use object::{InventoryEntry, ObjectRef};
use serde_json::json;

use crate::world::{World, actions, config_map, deployment, secret};

const GROUP: &str = "kustomize.toolkit.fluxcd.io";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_refusals_are_told_and_nothing_is_applied() -> Result<()> {
    let world = World::new("refuse").await?;
    let ns = world.namespace.clone();
    let mut bad = deployment(&ns, "bad", 1);
    bad["spec"]["template"]["metadata"]["labels"] = json!({"app": "other"});
    let mut leak = secret(&ns, "leak", "hunter2hunter2");
    leak["data"]["password"] = json!("hunter2hunter2!");
    let lost = json!({"apiVersion": "example.com/v1", "kind": "Nothing", "metadata": {"name": "x", "namespace": ns}});
    let far = config_map("no-such-namespace", "a", "1");
    let homeless = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "homeless"}});
    let good = config_map(&ns, "good", "1");
    let applied = world.apply(&[bad, leak, lost, far, homeless, good.clone()]).await;
    assert!(applied.entries.is_empty());
    let text = applied.error.unwrap().to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5, "{text}");
    assert!(lines[0].starts_with("ConfigMap/homeless namespace not specified: "), "{text}");
    assert!(
        lines[1].starts_with(
            "ConfigMap/no-such-namespace/a not found: namespaces \"no-such-namespace\" not found"
        ),
        "{text}"
    );
    assert!(lines[2].starts_with(&format!("Deployment/{ns}/bad dry-run failed (Invalid): ")), "{text}");
    assert!(
        lines[3].ends_with("dry-run failed: no matches for kind \"Nothing\" in version \"example.com/v1\""),
        "{text}"
    );
    assert!(lines[4].starts_with(&format!("Secret/{ns}/leak dry-run failed")), "{text}");
    assert!(!text.contains("hunter2"), "a secret value is in the message: {text}");
    assert!(world.get(&good).await.is_err(), "an object of a refused stage was applied");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn modes_and_switches() -> Result<()> {
    let world = World::new("modes").await?;
    let ns = world.namespace.clone();
    let marked = |name: &str, key: &str, value: &str| {
        let mut object = config_map(&ns, name, "1");
        object["metadata"]["annotations"] = json!({format!("{GROUP}/{key}"): value});
        object
    };
    let merge = marked("merge", "ssa", "Merge");
    let once = marked("once", "ssa", "IfNotPresent");
    let ignored = marked("ignored", "ssa", "Ignore");
    let foreign = marked("foreign", "ssa", "IfNotPresent");
    world.plane.apply(&config_map(&ns, "foreign", "theirs").to_string()).await?;
    let objects = [foreign.clone(), ignored.clone(), merge.clone(), once.clone()];
    let applied = world.apply(&objects).await;
    assert_eq!(
        actions(&applied),
        ["ConfigMap skipped", "ConfigMap skipped", "ConfigMap created", "ConfigMap created"]
    );
    assert_eq!(world.get(&foreign).await?["data"]["key"], "theirs");
    assert!(world.get(&ignored).await.is_err());

    world.merge_patch(&merge, "kubectl", json!({"data": {"added": "x"}})).await?;
    world.merge_patch(&once, "kubectl", json!({"data": {"key": "edited"}})).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let applied = world.apply(&objects).await;
    assert_eq!(
        actions(&applied),
        ["ConfigMap skipped", "ConfigMap skipped", "ConfigMap unchanged", "ConfigMap skipped"]
    );
    assert_eq!(world.get(&merge).await?["data"]["added"], "x");
    assert_eq!(world.get(&once).await?["data"]["key"], "edited");

    // The switch on the live object counts too.
    let plain = config_map(&ns, "plain", "1");
    world.apply(std::slice::from_ref(&plain)).await;
    world
        .merge_patch(&plain, "somebody", json!({"metadata": {"annotations": {format!("{GROUP}/reconcile"): "Disabled"}}, "data": {"key": "9"}}))
        .await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(actions(&world.apply(&[config_map(&ns, "plain", "2")]).await), ["ConfigMap skipped"]);
    assert_eq!(world.get(&plain).await?["data"]["key"], "9");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn definitions_namespaces_and_their_content_in_one_pass() -> Result<()> {
    let world = World::new("stages").await?;
    let ns = format!("{}-made", world.namespace);
    let kind = format!("Kind{}", world.unique());
    let plural = format!("{}s", kind.to_lowercase());
    let group = format!("{}.example.com", world.unique());
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {"group": group, "scope": "Cluster", "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
    let custom = json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": {"name": "one", "namespace": ns}, "spec": {"a": 1}});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}});
    let objects = [custom.clone(), config_map(&ns, "a", "1"), crd.clone(), namespace.clone()];
    let applied = world.apply(&objects).await;
    assert!(applied.error.is_none(), "{:?}", applied.error);
    assert_eq!(
        actions(&applied),
        [
            "CustomResourceDefinition created".to_owned(),
            "Namespace created".to_owned(),
            "ConfigMap created".to_owned(),
            format!("{kind} created")
        ]
    );
    // The custom resource is cluster-scoped: the namespace that the manifest names is no part of its identity.
    assert_eq!(applied.entries[3].inventory().id, format!("_one_{group}_{kind}"));
    world.forget_requests();
    assert!(world.apply(&objects).await.entries.iter().all(|e| e.action == Action::Unchanged));
    assert!(world.requests().is_empty(), "{:?}", world.requests());

    // The definition goes away, and with it the kind: its objects count as deleted.
    let inventory: Vec<InventoryEntry> = applied.entries.iter().map(apply::Entry::inventory).collect();
    let pruned = world.target.prune(&world.owner, &inventory[..1]).await;
    assert!(pruned.error.is_none(), "{:?}", pruned.error);
    let definition = ObjectRef::of(&crd)?;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    assert!(world.target.wait_gone(&[definition], deadline).await.is_empty());
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let pruned = world.target.prune(&world.owner, &inventory[1..]).await;
    assert!(pruned.error.is_none(), "{:?}", pruned.error);
    assert_eq!(pruned.entries.len(), 3);
    assert!(pruned.entries.iter().all(|e| e.action == Action::Deleted), "{:?}", pruned.entries);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn immutable_objects_are_recreated_only_when_asked() -> Result<()> {
    let world = World::new("immutable").await?;
    let ns = world.namespace.clone();
    let fixed = |value: &str| {
        let mut object = secret(&ns, "fixed", value);
        object["immutable"] = json!(true);
        object
    };
    world.apply(&[fixed("b2xk")]).await;
    let uid = world.get(&fixed("")).await?["metadata"]["uid"].clone();

    let applied = world.apply(&[fixed("bmV3")]).await;
    let text = applied.error.unwrap().to_string();
    assert!(text.contains("dry-run failed (Invalid)") && text.contains("immutable"), "{text}");

    let options = ApplyOptions { force: true, timeout: Duration::from_secs(30), ..ApplyOptions::default() };
    let applied = world.apply_with(&[fixed("bmV3")], &options).await;
    assert!(applied.error.is_none(), "{:?}", applied.error);
    assert_eq!(actions(&applied), ["Secret created"]);
    let live = world.get(&fixed("")).await?;
    assert_ne!(live["metadata"]["uid"], uid);
    assert_eq!(live["data"]["password"], "bmV3");

    let mut marked = fixed("YWdhaW4=");
    marked["metadata"]["labels"] = json!({format!("{GROUP}/force"): "enabled"});
    assert_eq!(actions(&world.apply(&[marked]).await), ["Secret created"]);

    // A plain validation error never deletes, force or not.
    let mut wrong = secret(&ns, "wrong", "b2xk");
    world.apply(&[wrong.clone()]).await;
    wrong["data"]["password"] = json!("!");
    let applied = world.apply_with(&[wrong.clone()], &options).await;
    assert!(applied.error.is_some());
    assert!(world.get(&wrong).await.is_ok());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intent_is_recorded_before_anything_is_created() -> Result<()> {
    let world = World::new("intent").await?;
    let ns = world.namespace.clone();
    let objects = [config_map(&ns, "a", "1"), config_map(&ns, "b", "1")];
    let refuse = |_: Vec<InventoryEntry>| -> futures::future::BoxFuture<'static, Result<(), String>> {
        Box::pin(async { Err("no".to_owned()) })
    };
    let known = [InventoryEntry { id: format!("{ns}_a__ConfigMap"), version: "v1".into() }];
    let options = ApplyOptions { before_create: Some(&refuse), known: &known, ..ApplyOptions::default() };
    let applied = world.apply_with(&objects, &options).await;
    assert_eq!(applied.error.unwrap().to_string(), "cannot record the objects to be created: no");
    assert!(applied.entries.is_empty() && world.get(&objects[0]).await.is_err());
    assert_eq!(actions(&world.apply_with(&objects[..1], &options).await), ["ConfigMap created"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_write_keeps_what_was_written() -> Result<()> {
    let world = World::new("partial").await?;
    let ns = world.namespace.clone();
    // The quota lets each dry-run pass alone and the second write fail.
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": ns}, "spec": {"hard": {"count/deployments.apps": "1"}}});
    world.plane.apply(&quota.to_string()).await?;
    world.until(&quota, |q| q["status"]["hard"].is_object()).await?;
    let objects = [config_map(&ns, "a", "1"), deployment(&ns, "one", 0), deployment(&ns, "two", 0)];
    let applied = world.apply(&objects).await;
    let text = applied.error.as_ref().unwrap().to_string();
    assert!(text.starts_with(&format!("Deployment/{ns}/two apply failed: ")), "{text}");
    assert_eq!(actions(&applied), ["ConfigMap created", "Deployment created"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_tells_fields_and_writes_nothing() -> Result<()> {
    let world = World::new("plan").await?;
    let ns = world.namespace.clone();
    world.apply(&[config_map(&ns, "same", "1"), deployment(&ns, "web", 1), secret(&ns, "s", "b2xk")]).await;
    world.forget_requests();
    let plan = world
        .plan(&[
            config_map(&ns, "same", "1"),
            config_map(&ns, "new", "1"),
            deployment(&ns, "web", 3),
            secret(&ns, "s", "bmV3"),
            config_map("not-yet", "inside", "1"),
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "not-yet"}}),
            json!({"apiVersion": "example.com/v1", "kind": "Nothing", "metadata": {"name": "x"}}),
        ])
        .await;
    let expected = format!(
        "Namespace/not-yet created\n\
        ConfigMap/not-yet/inside created\n\
        ConfigMap/{ns}/new created\n\
        Secret/{ns}/s configured\n  data.password: \"*** (before)\" -> \"*** (after)\"\n\
        Deployment/{ns}/web configured\n  spec.replicas: 1 -> 3\n\
        Nothing/x dry-run failed: no matches for kind \"Nothing\" in version \"example.com/v1\"\n"
    );
    assert_eq!(plan.to_string(), expected);
    assert!(world.requests().iter().all(|r| !r.starts_with("PATCH") || r.contains("dryRun=All")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_fields_of_built_in_kinds_are_dropped() -> Result<()> {
    let world = World::new("unknown").await?;
    let ns = world.namespace.clone();
    let mut object = deployment(&ns, "web", 1);
    object["spec"]["nope"] = json!(1);
    object["metadata"]["foo"] = json!("bar");
    object["spec"]["template"]["spec"]["containers"][0]["imagePulPolicy"] = json!("Always");
    object["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([{"containerPort": 80, "hots": 1}]);
    let applied = world.apply(&[object.clone(), config_map(&ns, "a", "1")]).await;
    assert!(applied.error.is_none(), "{:?}", applied.error);
    assert_eq!(actions(&applied), ["ConfigMap created", "Deployment created"]);
    world.forget_requests();
    assert_eq!(actions(&world.apply(&[object.clone()]).await), ["Deployment unchanged"]);
    assert!(world.requests().is_empty());
    object["spec"]["replicas"] = json!(2);
    assert_eq!(actions(&world.apply(&[object]).await), ["Deployment configured"]);
    Ok(())
}

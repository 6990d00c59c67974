//! The engine against a real API server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod world;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use apply::{
    Action, ApplyOptions, CustomHealth, FailFast, HealthMember, HealthRequest, IgnoreRule, IgnoreRules,
    Verdict, What,
};
use kstatus::{Health, Status};
use object::{InventoryEntry, ObjectRef};
use serde_json::{Value, json};
use world::{World, actions, config_map, deployment, secret};

const GROUP: &str = "kustomize.toolkit.fluxcd.io";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_apply_sends_nothing() -> Result<()> {
    let mut world = World::new("noop").await?;
    let ns = world.namespace.clone();
    let objects = [config_map(&ns, "a", "1"), secret(&ns, "s", "c2VjcmV0"), deployment(&ns, "web", 1)];
    let first = world.apply(&objects).await;
    assert_eq!(actions(&first), ["ConfigMap created", "Secret created", "Deployment created"]);

    // The Deployment's controllers write to it meanwhile: no drift.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    world.forget_requests();
    let second = world.apply(&objects).await;
    assert_eq!(actions(&second), ["ConfigMap unchanged", "Secret unchanged", "Deployment unchanged"]);
    assert_eq!(world.requests(), Vec::<String>::new());
    assert!(world.heard().is_empty(), "our own writes were taken for drift");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_changed_object_costs_one_request() -> Result<()> {
    let mut world = World::new("one").await?;
    let ns = world.namespace.clone();
    for changed in [config_map(&ns, "a", "2"), deployment(&ns, "web", 2), secret(&ns, "s", "bmV3")] {
        let objects = [config_map(&ns, "a", "1"), secret(&ns, "s", "b2xk"), deployment(&ns, "web", 1)];
        world.apply(&objects).await;
        let kind = changed["kind"].as_str().unwrap().to_owned();
        let next: Vec<Value> = objects
            .iter()
            .map(|o| if o["kind"] == changed["kind"] { changed.clone() } else { o.clone() })
            .collect();
        world.forget_requests();
        let applied = world.apply(&next).await;
        let configured: Vec<String> =
            actions(&applied).into_iter().filter(|a| a.ends_with("configured")).collect();
        assert_eq!(configured, [format!("{kind} configured")], "{:?}", world.requests());
        assert_eq!(world.requests().len(), 1, "{:?}", world.requests());
        assert!(world.requests()[0].starts_with("PATCH"), "{:?}", world.requests());
        world.apply(&objects).await;
    }
    assert!(world.heard().is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_controller_finds_everything_unchanged_and_writes_nothing() -> Result<()> {
    let world = World::new("restart").await?;
    let ns = world.namespace.clone();
    let objects = [config_map(&ns, "a", "1"), deployment(&ns, "web", 1)];
    world.apply(&objects).await;
    let before = world.get(&objects[0]).await?["metadata"]["resourceVersion"].clone();

    let again = world.restarted().await?;
    let applied = again.apply(&objects).await;
    assert_eq!(actions(&applied), ["ConfigMap unchanged", "Deployment unchanged"]);
    assert!(
        again.requests().iter().all(|r| !r.starts_with("PATCH") || r.contains("dryRun=All")),
        "{:?}",
        again.requests()
    );
    assert_eq!(world.get(&objects[0]).await?["metadata"]["resourceVersion"], before);
    again.forget_requests();
    again.apply(&objects).await;
    assert!(again.requests().is_empty());
    Ok(())
}

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
async fn drift_is_heard_and_repaired() -> Result<()> {
    let mut world = World::new("drift").await?;
    let ns = world.namespace.clone();
    let objects = [config_map(&ns, "a", "1"), deployment(&ns, "web", 2)];
    world.apply(&objects).await;

    // Somebody takes a field of ours.
    world.merge_patch(&objects[0], "intruder", json!({"data": {"key": "stolen"}})).await?;
    let change = world.hear().await;
    assert_eq!((change.what, change.object.name.as_str()), (What::Drift, "a"));
    assert_eq!(change.owner, world.owner);
    assert_eq!(change.delay, Duration::ZERO);
    assert_eq!(actions(&world.apply(&objects).await), ["ConfigMap configured", "Deployment unchanged"]);
    assert_eq!(world.get(&objects[0]).await?["data"]["key"], "1");

    // Somebody adds a field that is none of ours: no drift.
    world.merge_patch(&objects[0], "intruder", json!({"data": {"other": "x"}})).await?;
    // kubectl adds a field: we take it over and it goes.
    world
        .merge_patch(
            &objects[1],
            "kubectl-edit",
            json!({"spec": {"template": {"metadata": {"labels": {"x": "y"}}}}}),
        )
        .await?;
    let change = world.hear().await;
    assert_eq!((change.what, change.object.name.as_str()), (What::Drift, "web"));
    assert_eq!(actions(&world.apply(&objects).await), ["ConfigMap unchanged", "Deployment configured"]);
    let live = world.get(&objects[1]).await?;
    assert_eq!(live["spec"]["template"]["metadata"]["labels"], json!({"app": "web"}));

    // The owner label goes: the object looks gone, and comes back.
    world
        .merge_patch(
            &objects[0],
            "intruder",
            json!({"metadata": {"labels": {format!("{GROUP}/name"): null}}}),
        )
        .await?;
    assert_eq!(world.hear().await.what, What::Deleted);
    assert_eq!(actions(&world.apply(&objects).await), ["ConfigMap configured", "Deployment unchanged"]);

    world.delete(&objects[0]).await?;
    let change = world.hear().await;
    assert_eq!((change.what, change.object.name.as_str()), (What::Deleted, "a"));
    assert_eq!(actions(&world.apply(&objects).await), ["ConfigMap created", "Deployment unchanged"]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(world.heard().is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_kubectl_applied_is_taken_over() -> Result<()> {
    let world = World::new("takeover").await?;
    let ns = world.namespace.clone();
    let mut before = config_map(&ns, "a", "1");
    before["data"]["extra"] = json!("from kubectl");
    world.plane.apply(&before.to_string()).await?;
    assert!(world.get(&before).await?["data"]["extra"].is_string());
    world.kubectl_client_side_apply(&before).await?;
    assert_eq!(actions(&world.apply(&[config_map(&ns, "a", "1")]).await), ["ConfigMap configured"]);
    let live = world.get(&before).await?;
    assert_eq!(live["data"], json!({"key": "1"}));
    assert_eq!(live["metadata"]["annotations"], Value::Null);
    world.forget_requests();
    assert_eq!(actions(&world.apply(&[config_map(&ns, "a", "1")]).await), ["ConfigMap unchanged"]);
    assert!(world.requests().is_empty());
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
async fn pruning_leaves_what_is_not_ours() -> Result<()> {
    let mut world = World::new("prune").await?;
    let ns = world.namespace.clone();
    let mut kept = config_map(&ns, "kept", "1");
    kept["metadata"]["annotations"] = json!({format!("{GROUP}/prune"): "disabled"});
    let objects = [
        config_map(&ns, "gone", "1"),
        kept.clone(),
        config_map(&ns, "moved", "1"),
        config_map(&ns, "stale", "1"),
    ];
    let applied = world.apply(&objects).await;
    let inventory: Vec<InventoryEntry> = applied.entries.iter().map(apply::Entry::inventory).collect();
    world
        .merge_patch(
            &objects[2],
            "other",
            json!({"metadata": {"labels": {format!("{GROUP}/name"): "somebody-else"}}}),
        )
        .await?;
    world.delete(&objects[0]).await?;
    assert_eq!(world.hear().await.what, What::Deleted);

    let pruned = world.target.prune(&world.owner, &inventory).await;
    assert!(pruned.error.is_none() && pruned.unsettled.is_empty());
    let lines: Vec<String> = pruned.entries.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            format!("ConfigMap/{ns}/stale deleted"),
            format!("ConfigMap/{ns}/moved skipped"),
            format!("ConfigMap/{ns}/kept skipped"),
            format!("ConfigMap/{ns}/gone deleted")
        ]
    );
    assert!(world.get(&objects[3]).await.is_err());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(world.heard().is_empty(), "our own deletion was taken for drift");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_comes_by_event() -> Result<()> {
    let mut world = World::new("health").await?;
    let ns = world.namespace.clone();
    let objects = [config_map(&ns, "a", "1"), deployment(&ns, "web", 2)];
    let applied = world.apply(&objects).await;
    let members = applied
        .entries
        .iter()
        .map(|e| HealthMember { object: e.object.clone(), job_with_ttl: false })
        .collect();
    world.forget_requests();
    let set = world
        .target
        .watch_health(&world.owner, HealthRequest { objects: members, fail_fast: FailFast::On, custom: None })
        .await;
    while set.verdict() == Verdict::Waiting {
        assert!(
            set.timeout_error()
                .starts_with(&format!("timeout waiting for: [Deployment/{ns}/web status: 'InProgress': "))
        );
        assert_eq!(world.hear().await.what, What::Health);
        set.refresh().await;
    }
    assert_eq!(set.verdict(), Verdict::Healthy);
    assert_eq!(set.recheck_after(), None);
    assert_eq!(world.requests(), Vec::<String>::new(), "waiting cost requests");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_of_objects_of_others() -> Result<()> {
    let mut world = World::new("foreign").await?;
    let ns = world.namespace.clone();
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "never", "namespace": ns}, "spec": {"suspend": true,
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a"}]}}}});
    let absent = deployment(&ns, "absent", 1);
    world.plane.apply(&deployment(&ns, "theirs", 1).to_string()).await?;
    world.plane.apply(&job.to_string()).await?;
    let member =
        |object: &Value| HealthMember { object: ObjectRef::of(object).unwrap(), job_with_ttl: false };
    let objects = vec![member(&deployment(&ns, "theirs", 1)), member(&job), member(&absent)];
    let set = world
        .target
        .watch_health(&world.owner, HealthRequest { objects, fail_fast: FailFast::On, custom: None })
        .await;
    assert_eq!(set.verdict(), Verdict::Waiting);
    let text = set.timeout_error();
    assert!(text.contains(&format!("Deployment/{ns}/absent status: 'NotFound'")), "{text}");
    world.plane.apply(&absent.to_string()).await?;
    while set.verdict() == Verdict::Waiting {
        world.hear().await;
        set.refresh().await;
    }
    assert_eq!(set.verdict(), Verdict::Healthy);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ignored_fields_are_left_alone() -> Result<()> {
    let world = World::new("ignore").await?;
    let ns = world.namespace.clone();
    let web = |replicas: u32, image: &str| {
        let mut object = deployment(&ns, "web", replicas);
        object["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
        object
    };
    let rules = IgnoreRules::compile(&[IgnoreRule {
        paths: vec!["/spec/replicas".into()],
        kind: "Deployment".into(),
        ..IgnoreRule::default()
    }])?;
    let options = ApplyOptions { ignore: Some(&rules), ..ApplyOptions::default() };
    world.apply_with(&[web(1, "a:1")], &options).await;
    world.merge_patch(&web(1, ""), "scaler", json!({"spec": {"replicas": 3}})).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(actions(&world.apply_with(&[web(1, "a:1")], &options).await), ["Deployment unchanged"]);
    world.forget_requests();
    assert_eq!(actions(&world.apply_with(&[web(1, "a:1")], &options).await), ["Deployment unchanged"]);
    assert!(world.requests().is_empty(), "{:?}", world.requests());
    assert_eq!(actions(&world.apply_with(&[web(1, "a:2")], &options).await), ["Deployment configured"]);
    let live = world.get(&web(1, "")).await?;
    assert_eq!(live["spec"]["replicas"], 3);
    assert_eq!(live["spec"]["template"]["spec"]["containers"][0]["image"], "a:2");

    // Without the rules the field is ours again.
    assert_eq!(actions(&world.apply(&[web(1, "a:2")]).await), ["Deployment configured"]);
    assert_eq!(world.get(&web(1, "")).await?["spec"]["replicas"], 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_impersonated_identity_keeps_to_its_rights() -> Result<()> {
    let world = World::new("tenant").await?;
    let ns = world.namespace.clone();
    let objects = [config_map(&ns, "a", "1")];

    // Without rights: a clear refusal.
    let tenant = world.impersonating("tenant").await?;
    let text = tenant.apply(&objects).await.error.unwrap().to_string();
    assert!(text.contains("dry-run failed (Forbidden)"), "{text}");

    // With rights in the namespace: a watch of the namespace, and nothing to ask afterwards.
    world.allow(&ns, "tenant", &["get", "list", "watch", "create", "patch", "delete"]).await?;
    let mut tenant = world.impersonating("tenant").await?;
    assert_eq!(actions(&tenant.apply(&objects).await), ["ConfigMap created"]);
    tenant.forget_requests();
    assert_eq!(actions(&tenant.apply(&objects).await), ["ConfigMap unchanged"]);
    assert!(tenant.requests().is_empty(), "{:?}", tenant.requests());
    world.merge_patch(&objects[0], "intruder", json!({"data": {"key": "x"}})).await?;
    assert_eq!(tenant.hear().await.what, What::Drift);

    // Without the right to watch: each pass reads, and still tells right from wrong.
    world.allow(&ns, "blind", &["get", "create", "patch"]).await?;
    let blind = world.impersonating("blind").await?;
    assert_eq!(actions(&blind.apply(&objects).await), ["ConfigMap configured"]);
    assert_eq!(actions(&blind.apply(&objects).await), ["ConfigMap unchanged"]);
    let member = HealthMember { object: ObjectRef::of(&objects[0])?, job_with_ttl: false };
    let request = HealthRequest { objects: vec![member], fail_fast: FailFast::On, custom: None };
    let set = blind.target.watch_health(&blind.owner, request).await;
    assert_eq!(set.verdict(), Verdict::Healthy);
    assert!(set.recheck_after().is_some());
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stateful_set_fails_with_its_pods() -> Result<()> {
    let mut world = World::new("pods").await?;
    let ns = world.namespace.clone();
    let mut set = deployment(&ns, "db", 1);
    set["kind"] = json!("StatefulSet");
    set["spec"]["serviceName"] = json!("db");
    // No node has this label: nobody but the test writes the Pod's status.
    set["spec"]["template"]["spec"]["nodeSelector"] = json!({"nowhere": "x"});
    world.apply(&[set.clone()]).await;
    let objects = vec![HealthMember { object: ObjectRef::of(&set)?, job_with_ttl: false }];
    let health = world
        .target
        .watch_health(&world.owner, HealthRequest { objects, fail_fast: FailFast::On, custom: None })
        .await;
    assert_eq!(health.verdict(), Verdict::Waiting);
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "db-0", "namespace": ns}});
    world.until_there(&pod).await?;
    let crash = json!({"status": {"phase": "Running", "containerStatuses": [{"name": "app", "image": "app:1", "imageID": "", "ready": false,
        "restartCount": 5, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}});
    world.merge_patch_status(&pod, crash).await?;
    while health.verdict() == Verdict::Waiting {
        world.hear().await;
        health.refresh().await;
    }
    let expected = format!(
        "failed early due to stalled resources: [StatefulSet/{ns}/db status: 'Failed': 1 pods have failed (db-0: containers crash in a loop: app)]"
    );
    assert_eq!(health.verdict(), Verdict::Failed(expected));

    // The Pod recovers, and with it the verdict.
    world.merge_patch_status(&pod, json!({"status": {"containerStatuses": null}})).await?;
    while health.verdict() != Verdict::Waiting {
        world.hear().await;
        health.refresh().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn custom_rules_see_the_whole_object() -> Result<()> {
    let mut world = World::new("custom").await?;
    let ns = world.namespace.clone();
    let objects = [config_map(&ns, "a", "wait")];
    world.apply(&objects).await;
    let custom = CustomHealth {
        covers: Box::new(|kind| kind.kind == "ConfigMap"),
        assess: Box::new(|_, object| {
            let status = match object["data"]["key"].as_str() {
                Some("go") => Status::Current,
                Some("bad") => Status::Failed,
                _ => Status::InProgress,
            };
            Health::new(status, "")
        }),
    };
    let members = vec![HealthMember { object: ObjectRef::of(&objects[0])?, job_with_ttl: false }];
    let request = HealthRequest { objects: members, fail_fast: FailFast::On, custom: Some(Arc::new(custom)) };
    let health = world.target.watch_health(&world.owner, request).await;
    assert_eq!(health.verdict(), Verdict::Waiting);
    assert_eq!(health.recheck_after(), None);
    world.merge_patch(&objects[0], "somebody", json!({"data": {"key": "go"}})).await?;
    while health.verdict() == Verdict::Waiting {
        world.hear().await;
        health.refresh().await;
    }
    assert_eq!(health.verdict(), Verdict::Healthy);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fight_is_slowed_down() -> Result<()> {
    let mut world = World::new("fight").await?;
    let objects = [config_map(&world.namespace, "a", "1")];
    world.apply(&objects).await;
    let mut delays = Vec::new();
    for round in 0..4 {
        world.merge_patch(&objects[0], "rival", json!({"data": {"key": format!("rival {round}")}})).await?;
        delays.push(world.hear().await.delay.as_secs());
        assert_eq!(actions(&world.apply(&objects).await), ["ConfigMap configured"]);
    }
    assert_eq!(delays, [0, 1, 2, 4]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_waits_for_finalizers_on_a_watch() -> Result<()> {
    let world = World::new("gone").await?;
    let mut object = config_map(&world.namespace, "held", "1");
    object["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let applied = world.apply(&[object.clone()]).await;
    let inventory: Vec<InventoryEntry> = applied.entries.iter().map(apply::Entry::inventory).collect();
    let pruned = world.target.prune(&world.owner, &inventory).await;
    assert_eq!(pruned.entries[0].action, Action::Deleted);
    let reference = ObjectRef::of(&object)?;
    let soon = tokio::time::Instant::now() + Duration::from_millis(500);
    assert_eq!(world.target.wait_gone(std::slice::from_ref(&reference), soon).await, [reference.clone()]);

    world.forget_requests();
    let target = world.target.clone();
    let waited = reference.clone();
    let waiting = tokio::spawn(async move {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        target.wait_gone(&[waited], deadline).await
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.merge_patch(&object, "holder", json!({"metadata": {"finalizers": null}})).await?;
    assert!(waiting.await?.is_empty());
    assert!(world.requests().len() <= 1, "{:?}", world.requests());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_while_cut_off_is_not_missed() -> Result<()> {
    let (mut world, proxy) = World::behind_proxy("cut").await?;
    let ns = world.namespace.clone();
    let objects =
        [config_map(&ns, "changed", "1"), config_map(&ns, "gone", "1"), config_map(&ns, "same", "1")];
    world.apply(&objects).await;
    proxy.cut();
    world.merge_patch(&objects[0], "intruder", json!({"data": {"key": "stolen"}})).await?;
    world.delete(&objects[1]).await?;
    let failed = world.apply(&[config_map(&ns, "same", "2")]).await;
    assert!(failed.error.is_some() && failed.entries.iter().all(|e| e.action == Action::Unknown));
    proxy.mend();
    let mut heard = vec![world.hear().await, world.hear().await];
    heard.sort_by(|a, b| a.object.cmp(&b.object));
    let told: Vec<(&str, What)> = heard.iter().map(|c| (c.object.name.as_str(), c.what)).collect();
    assert_eq!(told, [("changed", What::Drift), ("gone", What::Deleted)]);
    let applied = world.apply(&objects).await;
    assert_eq!(actions(&applied), ["ConfigMap configured", "ConfigMap created", "ConfigMap unchanged"]);
    Ok(())
}

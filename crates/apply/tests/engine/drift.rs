//! What is settled costs nothing; what drifts is heard of and repaired.

use std::time::Duration;

use anyhow::Result;
use apply::{Action, ApplyOptions, IgnoreRule, IgnoreRules, What};
use serde_json::{Value, json};

use crate::world::{World, actions, config_map, deployment, secret};

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
    // The cluster's own controllers write to the Deployment for a while; then nothing is asked any more.
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.forget_requests();
        assert_eq!(actions(&world.apply_with(&[web(1, "a:1")], &options).await), ["Deployment unchanged"]);
        if world.requests().is_empty() {
            break;
        }
    }
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
    let mut heard = [world.hear().await, world.hear().await];
    heard.sort_by(|a, b| a.object.cmp(&b.object));
    let told: Vec<(&str, What)> = heard.iter().map(|c| (c.object.name.as_str(), c.what)).collect();
    assert_eq!(told, [("changed", What::Drift), ("gone", What::Deleted)]);
    let applied = world.apply(&objects).await;
    assert_eq!(actions(&applied), ["ConfigMap configured", "ConfigMap created", "ConfigMap unchanged"]);
    Ok(())
}

//! Pruning and waiting for the end.

use std::time::Duration;

use anyhow::Result;
use apply::{Action, What};
use object::{InventoryEntry, ObjectRef};
use serde_json::json;

use crate::world::{World, config_map};

const GROUP: &str = "kustomize.toolkit.fluxcd.io";

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
    assert_eq!(
        world.target.wait_gone(std::slice::from_ref(&reference), soon).await,
        std::slice::from_ref(&reference)
    );

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

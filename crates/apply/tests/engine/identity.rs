//! Impersonation.

use anyhow::Result;
use apply::{FailFast, HealthMember, HealthRequest, Verdict, What};
use object::ObjectRef;
use serde_json::json;

use crate::world::{World, actions, config_map};

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

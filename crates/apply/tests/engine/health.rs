//! Health by event.

use std::sync::Arc;

use anyhow::Result;
use apply::{CustomHealth, FailFast, HealthMember, HealthRequest, Verdict, What};
use kstatus::{Health, Status};
use object::ObjectRef;
use serde_json::{Value, json};

use crate::world::{World, config_map, deployment};

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

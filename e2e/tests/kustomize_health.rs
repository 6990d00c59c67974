//! kustomize-controller: waiting for health (acceptance cases 71 to 76 of its specification).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod kustomize_support;

use anyhow::Result;
use kube::api::{Patch, PatchParams};
use kustomize_support::{Stage, config_map, message};
use serde_json::{Value, json};

/// A deployment whose pods become ready on the simulated nodes, or, with an impossible node selector, never do.
fn deployment(name: &str, possible: bool) -> String {
    let selector = if possible { "" } else { "\n      nodeSelector: {never: matches}" };
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  selector: {{matchLabels: {{app: {name}}}}}\n  \
         template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:{selector}\n      containers: [{{name: c, image: example.test/x:1}}]\n"
    )
}

fn healthy(object: &Value) -> Option<&Value> {
    testkit::condition(object, "Healthy")
}

/// Case 71: health is waited for, told, and forgotten when nobody asks any more.
#[tokio::test(flavor = "multi_thread")]
async fn health_is_waited_for() -> Result<()> {
    let stage = Stage::new("ks-health").await?;
    let revision = stage
        .publish("repo", &[("a.yaml", &deployment("web", true)), ("b.yaml", &config_map("a", "1"))])
        .await?;
    stage
        .kustomization("app", json!({"targetNamespace": stage.namespace, "wait": true, "timeout": "1m"}))
        .await?;
    let object = stage.applied("app", &revision).await?;
    let condition = healthy(&object).expect("Healthy");
    assert_eq!((&condition["status"], &condition["reason"]), (&json!("True"), &json!("Succeeded")));
    assert!(condition["message"].as_str().unwrap().starts_with("Health check passed in "));
    let web = stage.get("apps/v1", "Deployment", "web").await?.unwrap();
    assert_eq!(web["status"]["readyReplicas"], json!(1));

    stage.kustomization("app", json!({"targetNamespace": stage.namespace})).await?;
    stage.wait("app", "Healthy to go", |o| healthy(o).is_none() && testkit::is_ready(o)).await?;
    Ok(())
}

/// Case 71: what does not become healthy fails in words, and is tried again.
#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_names_the_culprit() -> Result<()> {
    let stage = Stage::new("ks-unhealthy").await?;
    let revision = stage.publish("repo", &[("a.yaml", &deployment("web", false))]).await?;
    stage
        .kustomization("app", json!({"targetNamespace": stage.namespace, "wait": true, "timeout": "1s"}))
        .await?;
    let object = stage
        .wait("app", "to say that it waits", |o| {
            testkit::condition(o, "Reconciling")
                .is_some_and(|c| c["message"].as_str().unwrap().starts_with("Running health checks"))
        })
        .await?;
    assert_eq!(healthy(&object).unwrap()["status"], json!("Unknown"));
    assert_eq!(testkit::condition(&object, "Ready").unwrap()["status"], json!("Unknown"));
    // A timeout is never shorter than 30 s.
    let object = stage.reason("app", "HealthCheckFailed").await?;
    let text = message(&object);
    let subject = format!("Deployment/{}/web status: 'InProgress'", stage.namespace);
    assert!(text.starts_with("health check failed after 30") && text.contains(&subject), "{text}");
    assert_eq!(healthy(&object).unwrap()["reason"], json!("HealthCheckFailed"));
    assert_eq!(object["status"]["history"][0]["lastReconciledStatus"], json!("HealthCheckFailed"));
    assert_eq!(object["status"].get("lastAppliedRevision"), None);
    assert_eq!(object["status"]["lastAttemptedRevision"], json!(revision));
    assert_eq!(stage.inventory(&object).len(), 1, "it was applied all the same");
    Ok(())
}

/// Cases 72 and 73: a failed object ends the wait at once; a skipped one is not waited for.
#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_at_once() -> Result<()> {
    let stage = Stage::new("ks-stalled").await?;
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec:\n  suspend: true\n  template:\n    spec: {restartPolicy: Never, containers: [{name: c, image: x}]}\n";
    let skipped = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: never, annotations: {kustomize.toolkit.fluxcd.io/reconcile: disabled}}\nspec:\n  selector: {matchLabels: {a: b}}\n  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: x}]}}\n";
    let claim = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: p}\nspec: {minAvailable: 0, selector: {matchLabels: {a: b}}}\n";
    let revision = stage.publish("repo", &[("a.yaml", job), ("b.yaml", skipped), ("c.yaml", claim)]).await?;
    stage.kustomization("app", json!({"targetNamespace": stage.namespace, "wait": true})).await?;
    stage.applied("app", &revision).await?;

    let failing = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: inner}\nspec: {interval: 1h, prune: true, sourceRef: {kind: ExternalArtifact, name: x}}\n";
    stage.publish("nested", &[("a.yaml", failing)]).await?;
    let source = json!({"kind": "GitRepository", "name": "nested"});
    stage
        .kustomization(
            "outer",
            json!({"targetNamespace": stage.namespace, "wait": true, "sourceRef": source}),
        )
        .await?;
    let object = stage.reason("outer", "HealthCheckFailed").await?;
    let subject = format!(
        "failed early due to stalled resources: [Kustomization/{}/inner status: 'Failed'",
        stage.namespace
    );
    assert!(message(&object).contains(&subject), "{}", message(&object));
    Ok(())
}

/// Case 75: expressions tell the health of what has no rule, and a missing field is no health.
#[tokio::test(flavor = "multi_thread")]
async fn expressions_tell_health() -> Result<()> {
    let stage = Stage::new("ks-exprs").await?;
    let revision = stage.publish("repo", &[("a.yaml", &config_map("a", "wait"))]).await?;
    let checks = json!([{"apiVersion": "v1", "kind": "ConfigMap", "current": "data.state == 'done'"}]);
    let references =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "state", "namespace": stage.namespace}]);
    stage
        .kustomization("app", json!({"targetNamespace": stage.namespace, "healthChecks": references, "healthCheckExprs": checks}))
        .await?;
    stage.wait("app", "to wait", |o| healthy(o).is_some_and(|c| c["status"] == json!("Unknown"))).await?;
    let maps = stage.api("v1", "ConfigMap")?;
    let object = |state: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "state"}, "data": {state: "done"}});
    maps.create(&Default::default(), &serde_json::from_value(object("other"))?).await?;
    maps.patch("state", &PatchParams::default(), &Patch::Merge(json!({"data": {"state": "done"}}))).await?;
    stage.applied("app", &revision).await?;

    let bad = json!([{"apiVersion": "v1", "kind": "ConfigMap", "current": "data."}]);
    stage.kustomization("bad", json!({"targetNamespace": stage.namespace, "healthCheckExprs": bad})).await?;
    let object = stage.reason("bad", "InvalidCELExpression").await?;
    assert!(
        testkit::condition(&object, "Stalled").is_some() && message(&object).contains("healthchecks[0]"),
        "{}",
        message(&object)
    );
    Ok(())
}

/// Case 76: with the gate, a new revision ends a wait that leads nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_revision_can_cancel_a_wait() -> Result<()> {
    let flags = ["--feature-gates=CancelHealthCheckOnNewRevision=true"];
    let (stage, _controller) = Stage::with_flags("ks-cancel", &flags).await?;
    stage.publish("repo", &[("a.yaml", &deployment("web", false))]).await?;
    stage
        .kustomization("app", json!({"targetNamespace": stage.namespace, "wait": true, "timeout": "10m"}))
        .await?;
    stage.wait("app", "to wait", |o| healthy(o).is_some_and(|c| c["status"] == json!("Unknown"))).await?;
    let revision = stage.publish("repo", &[("a.yaml", &deployment("web", true))]).await?;
    let object = stage.applied("app", &revision).await?;
    let statuses = object["status"]["history"].as_array().unwrap();
    assert!(statuses.iter().all(|entry| entry["lastReconciledStatus"] != json!("HealthCheckFailed")));
    Ok(())
}

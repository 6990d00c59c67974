//! What happens when an action fails: counters, remedies, retries, and what a crash leaves behind.

use anyhow::Result;
use serde_json::{Value, json};

use super::charts;
use super::scene::{Scene, history, message, reason};

/// A Deployment that never becomes ready, and little patience.
fn stuck(stuck: bool, more: Value) -> Value {
    let mut spec = json!({"chartRef": {"kind": "ExternalArtifact", "name": "app"}, "timeout": "2s", "values": {"stuck": stuck}});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

/// Cases 13, 19 and 41.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_installation_is_left_for_inspection() -> Result<()> {
    let scene = Scene::new().await?;
    let ns = scene.namespace.clone();
    scene.chart("app", &charts::app("1.0.0")?).await?;
    scene.release("app", stuck(true, json!({}))).await?;
    let object = scene.reason("app", "Stalled", "RetriesExceeded").await?;
    assert_eq!(message(&object, "Stalled"), "Failed to install after 1 attempt(s)");
    let text = message(&object, "Released");
    let begin = format!("Helm install failed for release {ns}/app with chart app@1.0.0: ");
    assert!(
        text.starts_with(&begin)
            && text.contains(&format!("timeout waiting for: [Deployment/{ns}/app status: 'InProgress'")),
        "{text}"
    );
    assert_eq!(
        (reason(&object, "Ready"), &object["status"]["installFailures"]),
        ("InstallFailed", &json!(1))
    );
    assert_eq!(object["status"]["observedGeneration"], object["metadata"]["generation"]);
    assert_eq!(history(&object), ["1 failed install"]);
    assert!(scene.object("apps/v1", "Deployment", "app").await?.is_some());
    let events = scene.event("app", "Warning InstallFailed").await?;
    assert!(events.iter().any(|event| event.contains("Last Helm logs:")), "{events:#?}");

    scene.patch("app", json!({"spec": {"values": {"stuck": false}, "timeout": "30s"}})).await?;
    let object = scene.ready("app").await?;
    assert_eq!(reason(&object, "Ready"), "UpgradeSucceeded");
    assert_eq!(object["status"].get("installFailures"), None);
    Ok(())
}

/// Case 14.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_installation_is_remedied_and_tried_again() -> Result<()> {
    let scene = Scene::new().await?;
    scene.chart("app", &charts::app("1.0.0")?).await?;
    let remedy = |more: Value| stuck(true, json!({"install": {"remediation": more}}));
    scene.release("left", remedy(json!({"retries": 2}))).await?;
    scene.release("gone", remedy(json!({"retries": 1, "remediateLastFailure": true}))).await?;

    let object = scene.reason("left", "Stalled", "RetriesExceeded").await?;
    assert_eq!(message(&object, "Stalled"), "Failed to install after 3 attempt(s)");
    assert_eq!((reason(&object, "Ready"), reason(&object, "Remediated")), ("InstallFailed", ""));
    assert_eq!(object["status"]["installFailures"], 3);
    assert_eq!(history(&object), ["1 failed install"], "each try was the first one");
    assert!(scene.object("apps/v1", "Deployment", "left").await?.is_some(), "the last one is left");
    let remedies = scene.event("left", "Normal UninstallSucceeded").await?;
    let remedies = remedies.iter().filter(|event| event.contains("UninstallSucceeded")).map(|event| {
        event.rsplit_once(" (").and_then(|(_, count)| count.trim_end_matches(')').parse::<u32>().ok())
    });
    assert_eq!(remedies.flatten().sum::<u32>(), 2);

    let object = scene.reason("gone", "Stalled", "RetriesExceeded").await?;
    assert_eq!(message(&object, "Stalled"), "Failed to install after 2 attempt(s)");
    assert_eq!(reason(&object, "Remediated"), "UninstallSucceeded");
    assert!(scene.object("apps/v1", "Deployment", "gone").await?.is_none());
    Ok(())
}

/// Case 41: what has failed is not waited for, however long one could.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_ends_the_wait() -> Result<()> {
    let scene = Scene::new().await?;
    let ns = scene.namespace.clone();
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: '{{ .Release.Name }}'}\nspec:\n  activeDeadlineSeconds: 1\n  template:\n\
               \x20   spec: {restartPolicy: Never, nodeSelector: {no: such-node}, containers: [{name: job, image: job}]}\n";
    let files = [("Chart.yaml", "apiVersion: v2\nname: job\nversion: 1.0.0\n"), ("templates/job.yaml", job)];
    scene.chart("job", &charts::archive("job", &files)?).await?;
    let chart = json!({"kind": "ExternalArtifact", "name": "job"});
    scene.release("job", json!({"chartRef": chart, "timeout": "30m"})).await?;
    let object = scene.reason("job", "Released", "InstallFailed").await?;
    let text = format!(
        "Helm install failed for release {ns}/job with chart job@1.0.0: failed early due to stalled resources: [Job/{ns}/job status: 'Failed'"
    );
    assert!(message(&object, "Released").starts_with(&text), "{}", message(&object, "Released"));
    Ok(())
}

/// Case 15.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_upgrade_is_rolled_back() -> Result<()> {
    let scene = Scene::new().await?;
    let ns = scene.namespace.clone();
    scene.chart("app", &charts::app("1.0.0")?).await?;
    let remedy = json!({"upgrade": {"remediation": {"retries": 1}}});
    scene.release("app", stuck(false, remedy)).await?;
    scene.ready("app").await?;
    scene.patch("app", json!({"spec": {"values": {"stuck": true}}})).await?;
    let object = scene.reason("app", "Stalled", "RetriesExceeded").await?;
    assert_eq!(message(&object, "Stalled"), "Failed to upgrade after 2 attempt(s)");
    assert_eq!(reason(&object, "Ready"), "RollbackSucceeded");
    let text = message(&object, "Remediated");
    assert!(
        text.starts_with(&format!("Helm rollback to previous release {ns}/app.v"))
            && text.ends_with("with chart app@1.0.0 succeeded"),
        "{text}"
    );
    assert_eq!(object["status"]["upgradeFailures"], 2);
    let revisions = scene.helm_json(&["history", "app"]).await?;
    let last = revisions.as_array().unwrap().last().unwrap();
    assert_eq!(last["status"], "deployed");
    assert!(last["description"].as_str().unwrap().starts_with("Rollback to "), "{last}");
    Ok(())
}

/// Case 18.
#[tokio::test(flavor = "multi_thread")]
async fn failures_can_be_tried_again_without_remedy() -> Result<()> {
    let scene = Scene::new().await?;
    scene.chart("app", &charts::app("1.0.0")?).await?;
    let again = json!({"name": "RetryOnFailure", "retryInterval": "2s"});
    scene
        .release("app", stuck(true, json!({"install": {"strategy": again}, "upgrade": {"strategy": again}})))
        .await?;
    let object =
        scene.until("app", "a second try", |object| object["status"]["history"][0]["version"] == 2).await?;
    assert_eq!(reason(&object, "Stalled"), "");
    scene.patch("app", json!({"spec": {"values": {"stuck": false}, "timeout": "30s"}})).await?;
    let object = scene.ready("app").await?;
    assert_eq!(object["status"].get("failures"), None);
    Ok(())
}

/// Case 20.
#[tokio::test(flavor = "multi_thread")]
async fn requests_force_and_reset() -> Result<()> {
    let scene = Scene::new().await?;
    scene.chart("app", &charts::app("1.0.0")?).await?;
    scene.release("app", stuck(true, json!({}))).await?;
    scene.reason("app", "Stalled", "RetriesExceeded").await?;
    let ask = |what: &str, token: &str| json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": token, format!("reconcile.fluxcd.io/{what}"): token}}});
    scene.patch("app", ask("forceAt", "1")).await?;
    let object = scene.handled("app", "1").await?;
    assert_eq!(object["status"]["history"][0]["version"], 2, "an upgrade whatever the counters say");
    let object = scene.reason("app", "Stalled", "RetriesExceeded").await?;
    assert_eq!(object["status"]["installFailures"], 1, "which were not cleared");
    assert_eq!(object["status"]["upgradeFailures"], 1);
    assert_eq!(object["status"]["lastHandledForceAt"], "1");
    scene.patch("app", ask("resetAt", "2")).await?;
    let object = scene.handled("app", "2").await?;
    assert_eq!(object["status"]["lastHandledResetAt"], "2");
    assert_eq!(object["status"]["history"][0]["version"], 3, "one more cycle");
    let object = scene.reason("app", "Stalled", "RetriesExceeded").await?;
    assert_eq!(
        (object["status"].get("installFailures"), &object["status"]["upgradeFailures"]),
        (None, &json!(1)),
        "counted from the beginning"
    );
    scene.reconcile("app", "3").await?;
    let object = scene.get("app").await?;
    assert_eq!(object["status"]["history"][0]["version"], 3, "an old request is none");
    Ok(())
}

/// Cases 12 and 47: a record that was left pending.
#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_was_cut_off_is_unlocked() -> Result<()> {
    let scene = Scene::new().await?;
    let ns = scene.namespace.clone();
    scene.chart("web", &charts::web("1.0.0")?).await?;
    scene.release("web", json!({})).await?;
    scene.ready("web").await?;
    scene.rewrite("web", 1, |record| record["info"]["status"] = json!("pending-upgrade")).await?;
    scene.reconcile("web", "after a crash").await?;
    let object = scene.ready("web").await?;
    assert_eq!(reason(&object, "Ready"), "UpgradeSucceeded");
    let record = scene.stored("web", 1).await?;
    assert_eq!(record["info"]["description"], "Release unlocked from stale 'pending-upgrade' state");
    let text = format!(
        "Normal PendingRelease Unlocked Helm release {ns}/web.v1 with chart web@1.0.0 in pending-upgrade state"
    );
    scene.event("web", &text).await?;
    Ok(())
}

/// Case 16.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_upgrade_is_uninstalled() -> Result<()> {
    let scene = Scene::new().await?;
    scene.chart("app", &charts::app("1.0.0")?).await?;
    let remedy = json!({"upgrade": {"remediation": {"retries": 1, "strategy": "uninstall"}}});
    scene.release("app", stuck(false, remedy)).await?;
    scene.ready("app").await?;
    scene.patch("app", json!({"spec": {"values": {"stuck": true}}})).await?;
    scene.reason("app", "Remediated", "UninstallSucceeded").await?;
    scene.patch("app", json!({"spec": {"values": {"stuck": false}, "timeout": "30s"}})).await?;
    let object = scene.ready("app").await?;
    assert_eq!(
        (history(&object), reason(&object, "Ready")),
        (vec!["1 deployed install".to_owned()], "InstallSucceeded")
    );
    Ok(())
}

/// Case 17.
#[tokio::test(flavor = "multi_thread")]
async fn there_is_nothing_to_return_to() -> Result<()> {
    let scene = Scene::new().await?;
    scene.chart("app", &charts::app("1.0.0")?).await?;
    let remedy = json!({"upgrade": {"remediation": {"retries": 1}}});
    scene.release("app", stuck(true, remedy)).await?;
    scene.reason("app", "Stalled", "RetriesExceeded").await?;
    scene.patch("app", json!({"spec": {"values": {"stuck": true, "replicas": 2}}})).await?;
    let object = scene.reason("app", "Stalled", "MissingRollbackTarget").await?;
    assert_eq!(
        message(&object, "Stalled"),
        "Failed to perform remediation: missing target release for rollback: cannot remediate failed release"
    );
    Ok(())
}

/// Case 53.
#[tokio::test(flavor = "multi_thread")]
async fn long_messages_are_cut() -> Result<()> {
    let scene = Scene::new().await?;
    let long = format!("{{{{- fail \"{}\" }}}}", "x".repeat(40_000));
    let files =
        [("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"), ("templates/a.yaml", long.as_str())];
    scene.chart("web", &charts::archive("web", &files)?).await?;
    scene.release("web", json!({})).await?;
    let object = scene.reason("web", "Released", "InstallFailed").await?;
    let text = message(&object, "Released");
    assert_eq!(text.len(), 32768);
    assert!(text.ends_with("..."));
    assert_eq!(
        object["status"].get("installFailures"),
        None,
        "nothing was stored, so there is nothing to remedy"
    );
    Ok(())
}

//! From creation to deletion.

use anyhow::Result;
use serde_json::json;
use testkit::condition;
use testkit::git::Change;

use super::scene::{Scene, message, reason};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_repository_becomes_a_served_artifact() -> Result<()> {
    let scene = Scene::new().await?;
    scene.apply("shop", json!({})).await?;
    let object = scene.ready("shop").await?;
    let commit = scene.repo.id("main")?;
    let status = &object["status"];
    assert_eq!(object["metadata"]["finalizers"], json!(["finalizers.fluxcd.io"]));
    assert_eq!(status["observedGeneration"], 1);
    assert_eq!(status["artifact"]["revision"], format!("main@sha1:{commit}"));
    assert_eq!(status["artifact"]["path"], format!("gitrepository/{}/shop/{commit}.tar.gz", scene.namespace));
    let expected = format!("stored artifact for revision 'main@sha1:{commit}'");
    for type_ in ["Ready", "ArtifactInStorage"] {
        assert_eq!((reason(&object, type_), message(&object, type_)), ("Succeeded", expected.as_str()));
    }
    assert_eq!(status["conditions"].as_array().map(Vec::len), Some(2), "{status}");
    assert_eq!(
        scene.files(&object).await?,
        [
            ". 750",
            "README.md 600 # Shop",
            "deploy 750",
            "deploy/app.yaml 600 kind: ConfigMap",
            "run.sh 700 #!/bin/sh"
        ]
    );
    let events = scene.event("shop", "Normal NewArtifact").await?;
    assert_eq!(events, ["Normal NewArtifact stored artifact for commit 'The first commit of the shop' (1)"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_changes_nothing_writes_nothing_and_a_request_one_patch() -> Result<()> {
    let scene = Scene::new().await?;
    scene.apply("shop", json!({ "interval": "1s" })).await?;
    let before = scene.ready("shop").await?;
    scene.event("shop", "Normal NewArtifact").await?;
    scene.git.take_requests();
    let runs = || async {
        anyhow::Ok(
            scene
                .source
                .metrics()
                .await?
                .sum("controller_runtime_reconcile_total", &[("result", "requeue_after")]),
        )
    };
    let (start, patches, posts) =
        (runs().await?, scene.requests("PATCH").await?, scene.requests("POST").await?);
    while runs().await? < start + 3.0 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!((scene.requests("PATCH").await?, scene.requests("POST").await?), (patches, posts));
    let asked = scene.git.take_requests();
    assert!(asked.len() >= 3, "{asked:?}");

    scene.patch("shop", json!({ "spec": { "interval": "1h" } })).await?;
    scene
        .until("shop", "the new interval is observed", |object| object["status"]["observedGeneration"] == 2)
        .await?;
    let patches = scene.requests("PATCH").await?;
    let after = scene.reconcile("shop", "now").await?;
    assert_eq!(scene.patches_since(patches).await?, 1.0);
    assert_eq!(scene.requests("POST").await?, posts);
    assert_eq!(after["status"]["artifact"], before["status"]["artifact"]);
    assert_eq!(condition(&after, "Ready").map(|c| &c["status"]), Some(&json!("True")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_commit_arrives_and_a_changed_spec_is_observed_at_the_end() -> Result<()> {
    let scene = Scene::new().await?;
    scene.apply("shop", json!({})).await?;
    let first = scene.ready("shop").await?;
    let commit = scene.repo.commit("main", "Second", &[Change::file("deploy/app.yaml", "kind: Secret\n")])?;
    let second = scene.reconcile("shop", "1").await?;
    assert_eq!(second["status"]["artifact"]["revision"], format!("main@sha1:{commit}"));
    assert!(scene.files(&second).await?.contains(&"deploy/app.yaml 600 kind: Secret".to_owned()));
    // What a consumer has just read about is still there.
    scene.download(&first).await?;

    scene.patch("shop", json!({ "spec": { "ignore": "*.md" } })).await?;
    let third = scene
        .until("shop", "the new ignore rules are observed", |object| {
            object["status"]["observedIgnore"] == "*.md"
        })
        .await?;
    assert_eq!(third["status"]["observedGeneration"], 2);
    assert_eq!(third["status"]["artifact"]["revision"], second["status"]["artifact"]["revision"]);
    assert_ne!(third["status"]["artifact"]["digest"], second["status"]["artifact"]["digest"]);
    // With a pattern of the user the default list is off, but for the files of version control.
    assert_eq!(
        scene.names(&third).await?,
        [".", ".github", ".github/ci.yaml", "deploy", "deploy/app.yaml", "logo.png", "run.sh"]
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resting_object_is_left_alone_and_can_be_deleted() -> Result<()> {
    let scene = Scene::new().await?;
    scene.apply("shop", json!({})).await?;
    let before = scene.ready("shop").await?;
    scene.patch("shop", json!({ "spec": { "suspend": true } })).await?;
    scene.until("shop", "the rest is observed", |object| object["status"]["observedGeneration"] == 2).await?;
    scene.repo.commit("main", "Second", &[Change::delete("README.md")])?;
    scene.git.take_requests();
    let after = scene.reconcile("shop", "now").await?;
    assert_eq!(after["status"]["artifact"], before["status"]["artifact"]);
    assert_eq!(scene.git.take_requests(), []);

    let directory = scene.source.storage().join(format!("gitrepository/{}/shop", scene.namespace));
    assert!(directory.is_dir());
    scene.objects.delete("shop", &Default::default()).await?;
    scene.plane.gone(&scene.objects, "shop").await?;
    assert!(!directory.exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_annotation_lets_an_object_rest_until_it_is_removed_or_its_time_comes() -> Result<()> {
    let scene = Scene::new().await?;
    let suspend = |value: serde_json::Value| json!({ "metadata": { "annotations": { "reconcile.fluxcd.io/suspend": value } } });
    scene.apply("shop", json!({})).await?;
    scene.ready("shop").await?;
    scene.patch("shop", suspend(json!("true"))).await?;
    let resting = scene.until("shop", "it rests", |object| condition(object, "Suspended").is_some()).await?;
    assert!(message(&resting, "Suspended").contains("reconcile.fluxcd.io/suspend"), "{resting}");
    scene.event("shop", "Normal Suspended").await?;
    let commit = scene.repo.commit("main", "Second", &[Change::delete("README.md")])?;
    scene.git.take_requests();
    scene.reconcile("shop", "now").await?;
    assert_eq!(scene.git.take_requests(), []);

    // A rest with an end wakes the object up by itself.
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3);
    scene.patch("shop", suspend(json!(end.to_string()))).await?;
    scene
        .until("shop", "it went on after its rest", |object| {
            condition(object, "Suspended").is_none()
                && object["status"]["artifact"]["revision"] == format!("main@sha1:{commit}")
        })
        .await?;
    scene.event("shop", "Normal Resumed").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_conditions_survive() -> Result<()> {
    let scene = Scene::new().await?;
    scene.apply("shop", json!({})).await?;
    let object = scene.ready("shop").await?;
    let mut conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.push(json!({
        "type": "Audited", "status": "True", "reason": "Seen", "message": "by another controller",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }));
    let patch = kube::api::Patch::Merge(json!({ "status": { "conditions": conditions } }));
    scene.objects.patch_status("shop", &Default::default(), &patch).await?;
    scene.repo.commit("main", "Second", &[Change::delete("README.md")])?;
    let after = scene.reconcile("shop", "now").await?;
    assert_eq!(message(&after, "Audited"), "by another controller");
    assert_eq!(reason(&after, "Ready"), "Succeeded");
    Ok(())
}

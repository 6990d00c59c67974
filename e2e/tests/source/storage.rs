//! What happens to the files, and to the process that writes them.

use anyhow::Result;
use serde_json::json;
use testkit::git::Change;

use super::scene::{Scene, message};

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_or_altered_artifact_comes_back_with_the_same_digest() -> Result<()> {
    let scene = Scene::new().await?;
    scene.apply("shop", json!({})).await?;
    let before = scene.ready("shop").await?;
    let file = scene.source.storage().join(before["status"]["artifact"]["path"].as_str().unwrap_or_default());

    std::fs::remove_file(&file)?;
    let after = scene.reconcile("shop", "1").await?;
    assert_eq!(after["status"]["artifact"]["digest"], before["status"]["artifact"]["digest"]);
    scene.download(&after).await?;

    std::fs::write(&file, b"something else")?;
    let after = scene.reconcile("shop", "2").await?;
    assert_eq!(after["status"]["artifact"]["digest"], before["status"]["artifact"]["digest"]);
    scene.download(&after).await?;
    scene.event("shop", "Warning ArtifactVerificationFailed failed to verify integrity of artifact").await?;

    // A status without digest proves nothing: the artifact is made again.
    let patch = kube::api::Patch::Merge(json!({ "status": { "artifact": { "digest": "sha256:0000" } } }));
    scene.objects.patch_status("shop", &Default::default(), &patch).await?;
    let after = scene.reconcile("shop", "3").await?;
    assert_eq!(after["status"]["artifact"]["digest"], before["status"]["artifact"]["digest"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_learn_of_a_lost_artifact_before_it_is_fetched_again() -> Result<()> {
    let scene = Scene::new().await?;
    scene.apply("shop", json!({ "timeout": "3s" })).await?;
    let before = scene.ready("shop").await?;
    std::fs::remove_file(
        scene.source.storage().join(before["status"]["artifact"]["path"].as_str().unwrap_or_default()),
    )?;
    scene.git.set_fault(testkit::git::Fault::Hang);
    scene.request("shop", "1").await?;
    let object = scene
        .until("shop", "the artifact is withdrawn", |object| object["status"]["artifact"].is_null())
        .await?;
    assert_eq!(message(&object, "Reconciling"), "building artifact: disappeared from storage");
    assert_eq!(message(&object, "Ready"), "building artifact: disappeared from storage");
    scene.git.set_fault(testkit::git::Fault::None);
    let after = scene.ready("shop").await?;
    assert_eq!(after["status"]["artifact"]["digest"], before["status"]["artifact"]["digest"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn old_artifacts_are_collected() -> Result<()> {
    let scene = Scene::with(Default::default(), &["--artifact-retention-ttl=1h"]).await?;
    scene.apply("shop", json!({})).await?;
    scene.ready("shop").await?;
    for number in 1..=4 {
        scene.repo.commit("main", "Next", &[Change::file("number", number.to_string())])?;
        scene.reconcile("shop", &number.to_string()).await?;
    }
    scene.reconcile("shop", "last").await?;
    let directory = scene.source.storage().join(format!("gitrepository/{}/shop", scene.namespace));
    let mut files: Vec<String> = std::fs::read_dir(directory)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    files.retain(|file| !file.ends_with(".lock"));
    files.sort();
    let mut newest =
        [scene.repo.id("main")?, scene.repo.id("main~1")?].map(|commit| format!("{commit}.tar.gz"));
    newest.sort();
    assert_eq!(files, newest);
    scene.event("shop", "Normal GarbageCollectionSucceeded garbage collected 1 artifacts").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_moment_loses_nothing() -> Result<()> {
    let mut scene = Scene::new().await?;
    scene.apply("shop", json!({})).await?;
    scene.ready("shop").await?;
    for round in 0..8_u32 {
        let content = "x".repeat(200_000);
        let commit =
            scene.repo.commit("main", "Next", &[Change::file("big", format!("{round}{content}"))])?;
        scene.request("shop", &round.to_string()).await?;
        // Somewhere between before the fetch and after the status.
        tokio::time::sleep(std::time::Duration::from_millis(u64::from(round) * 25)).await;
        scene.source = scene.source.restart().await?;
        let object = scene
            .until("shop", "the commit arrived after the kill", |object| {
                object["status"]["artifact"]["revision"] == format!("main@sha1:{commit}")
                    && object["status"]["lastHandledReconcileAt"].as_str() == Some(&*round.to_string())
                    && testkit::is_ready(object)
            })
            .await?;
        scene.download(&object).await?;
    }
    Ok(())
}

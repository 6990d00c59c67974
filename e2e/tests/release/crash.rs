//! An action that is cut off anywhere can be followed by another.

use std::time::Duration;

use anyhow::Result;
use chart::Status;
use serde_json::json;

use crate::actions::SHOP;
use crate::stage::Stage;

/// What a controller does about a record that nobody works on any more.
async fn unlock(stage: &Stage, name: &str) -> Option<Status> {
    let storage = stage.storage();
    let mut last = storage.last(name).await.unwrap()?;
    let found = last.info.status;
    if found.is_pending() {
        last.info.status = Status::Failed;
        last.info.description = format!("{} '{}' state", release::UNLOCKED, found.as_str());
        storage.update(&last).await.unwrap();
    }
    Some(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_install_and_an_upgrade_cut_off_anywhere_converge() -> Result<()> {
    let stage = Stage::new("cut").await?;
    let mut seen = Vec::new();
    for step in 0..14 {
        let name = format!("web{step}");
        let moment = Duration::from_millis(step * 20);
        // Dropping an action ends it between two requests, or within one: the API server may have done what was asked.
        let install = stage.do_install(stage.install(&name, SHOP, json!({"replicas": 1})));
        _ = tokio::time::timeout(moment, install).await;
        let found = unlock(&stage, &name).await;
        if found.is_none() {
            stage.do_install(stage.install(&name, SHOP, json!({}))).await.unwrap();
        }
        let upgrade = stage.do_upgrade(stage.upgrade(&name, SHOP, json!({"extra": true, "replicas": 1})));
        _ = tokio::time::timeout(moment, upgrade).await;
        seen.push((found, unlock(&stage, &name).await));
        let done = stage.do_upgrade(stage.upgrade(&name, SHOP, json!({"extra": true, "replicas": 1}))).await;
        assert_eq!(done.unwrap().release.info.status, Status::Deployed);
        let deployed = stage.storage().history(&name).await.unwrap();
        assert_eq!(
            deployed.iter().filter(|revision| revision.status == "deployed").count(),
            1,
            "{deployed:?}"
        );
        _ = tokio::time::timeout(moment, stage.do_uninstall(&name)).await;
        match stage.do_uninstall(&name).await {
            Ok(_) => {}
            Err(gone) => assert_eq!(gone.error.root(), &release::Error::NotFound, "{gone}"),
        }
        let left: Vec<_> =
            stage.names(&stage.ours).into_iter().filter(|object| !object.ends_with("-kept")).collect();
        assert_eq!(left, [""; 0], "after step {step}");
    }
    let pending = seen.iter().filter(|(found, _)| *found == Some(Status::PendingInstall)).count();
    assert!(pending > 0, "no install was cut off while it was pending: {seen:?}");
    Ok(())
}

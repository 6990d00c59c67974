//! Waiting for what was written.

use std::time::Duration;

use anyhow::Result;
use chart::Status;
use release::{Cleanup, Jobs, Rollback, Strategy};
use serde_json::json;

use crate::stage::{Files, Stage};

const SLOW: Files<'static> = &[
    ("Chart.yaml", "apiVersion: v2\nname: slow\nversion: 1.0.0\n"),
    ("values.yaml", "node: \"\"\njob: false\nextra: false\n"),
    (
        "templates/deployment.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  selector:\n    matchLabels:\n      app: web\n  template:\n    metadata:\n      labels:\n        app: web\n    spec:\n      {{- with .Values.node }}\n      nodeSelector:\n        node: {{ . }}\n      {{- end }}\n      containers:\n      - name: web\n        image: web:1\n",
    ),
    (
        "templates/job.yaml",
        "{{- if .Values.job }}\napiVersion: batch/v1\nkind: Job\nmetadata:\n  name: job\nspec:\n  backoffLimit: 0\n  activeDeadlineSeconds: 1\n  template:\n    spec:\n      restartPolicy: Never\n      nodeSelector:\n        node: nowhere\n      containers:\n      - name: c\n        image: job:1\n{{- end }}\n",
    ),
    (
        "templates/extra.yaml",
        "{{- if .Values.extra }}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: extra\n{{- end }}\n",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_become_ready_fails_the_action() -> Result<()> {
    let stage = Stage::new("slow").await?;
    let mut install = stage.install("web", SLOW, json!({"node": "nowhere"}));
    install.waiting.timeout = Duration::from_secs(2);
    let failed = stage.do_install(install.clone()).await.unwrap_err();
    let text = failed.to_string();
    let begin = format!("timeout waiting for: [Deployment/{}/web status: 'InProgress'", stage.ours);
    assert!(text.starts_with(&begin), "{text}");
    assert_eq!(failed.release.unwrap().info.status, Status::Failed);
    stage.do_uninstall("web").await.unwrap();

    // Nobody waits.
    install.waiting.strategy = Strategy::HooksOnly;
    assert_eq!(stage.do_install(install.clone()).await.unwrap().release.info.status, Status::Deployed);
    stage.do_uninstall("web").await.unwrap();

    install.waiting.strategy = Strategy::Legacy;
    let failed = stage.do_install(install.clone()).await.unwrap_err();
    assert_eq!(failed.to_string(), "context deadline exceeded");
    stage.do_uninstall("web").await.unwrap();
    let mut install = stage.install("web", SLOW, json!({}));
    install.waiting.strategy = Strategy::Legacy;
    stage.do_install(install).await.unwrap();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_ends_the_wait_at_once() -> Result<()> {
    let stage = Stage::new("jobs").await?;
    let install = stage.install("web", SLOW, json!({"job": true}));
    let failed = stage.do_install(install.clone()).await.unwrap_err();
    let text = failed.to_string();
    let begin = format!("failed early due to stalled resources: [Job/{}/job status: 'Failed'", stage.ours);
    assert!(text.starts_with(&begin), "{text}");
    stage.do_uninstall("web").await.unwrap();
    let mut install = install;
    install.waiting.jobs = Jobs::Started;
    install.values = crate::stage::table(json!({"job": false}));
    stage.do_install(install).await.unwrap();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_fails_leaves_the_old_revision_deployed() -> Result<()> {
    let stage = Stage::new("failing").await?;
    let folder = stage.folder("slow", SLOW);
    stage.helm(&["install", "web", &folder]);
    stage.do_install(stage.install("web", SLOW, json!({}))).await.unwrap();

    let values = "node=nowhere,extra=true";
    stage
        .helm_in(
            &stage.theirs,
            &["upgrade", "web", &folder, "--set", values, "--wait", "--timeout", "3s", "--cleanup-on-fail"],
        )
        .unwrap_err();
    let mut upgrade = stage.upgrade("web", SLOW, json!({"node": "nowhere", "extra": true}));
    upgrade.waiting.timeout = Duration::from_secs(3);
    upgrade.cleanup = Cleanup::Delete;
    let failed = stage.do_upgrade(upgrade.clone()).await.unwrap_err();
    assert_eq!(failed.writes.len(), 3, "created, the old one again, failed");
    let statuses = |namespace: &str| -> Vec<String> {
        let records = stage.records(namespace, "web");
        records.iter().map(|record| record["release"]["info"]["status"].to_string()).collect()
    };
    assert_eq!(statuses(&stage.ours), [r#""deployed""#, r#""failed""#]);
    assert_eq!(statuses(&stage.ours), statuses(&stage.theirs));
    assert_eq!(stage.names(&stage.ours), ["Deployment/web"]);
    assert_eq!(stage.names(&stage.theirs), ["Deployment/web"]);

    let rolled = Rollback::new("web", 1).run(&stage.cluster, &stage.storage()).await.unwrap();
    assert_eq!(rolled.release.version, 3);
    stage.helm(&["rollback", "web", "1", "--wait"]);
    assert_eq!(statuses(&stage.ours), statuses(&stage.theirs));

    let cancel = upgrade.waiting.cancel.clone();
    upgrade.waiting.timeout = Duration::from_secs(60);
    let later = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        cancel.cancel();
    };
    let (cancelled, ()) = tokio::join!(stage.do_upgrade(upgrade), later);
    let cancelled = cancelled.unwrap_err();
    assert_eq!(cancelled.to_string(), "context canceled");
    let last = stage.storage().last("web").await.unwrap().unwrap();
    assert_eq!(last.info.description, "Upgrade \"web\" failed: context canceled");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_the_last_revision_are_reused() -> Result<()> {
    let stage = Stage::new("reuse").await?;
    let folder = stage.folder("slow", SLOW);
    stage.helm(&["install", "web", &folder, "--set", "extra=true"]);
    stage.do_install(stage.install("web", SLOW, json!({"extra": true}))).await.unwrap();
    stage.helm(&["upgrade", "web", &folder, "--reuse-values", "--set", "more.a=1", "--wait"]);
    let mut upgrade = stage.upgrade("web", SLOW, json!({"more": {"a": 1}}));
    upgrade.old_values = release::OldValues::Reuse;
    stage.do_upgrade(upgrade).await.unwrap();
    stage.compare("web");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_is_not_judged_by_what_was_there_before() -> Result<()> {
    let stage = Stage::new("stale").await?;
    let labelled = |name: &str| crate::requests::origin(name);
    for i in 0..5 {
        let name = format!("web{i}");
        let mut install = stage.install(&name, SLOW, json!({}));
        install.render.post = labelled(&name);
        stage.do_install(install).await.unwrap();
        // The watch of all releases shows the Deployment as it was installed, until it has seen the upgrade.
        let mut upgrade = stage.upgrade(&name, SLOW, json!({"node": "nowhere"}));
        upgrade.render.post = labelled(&name);
        upgrade.waiting.timeout = Duration::from_secs(2);
        let failed = stage.do_upgrade(upgrade).await.unwrap_err();
        assert!(failed.to_string().starts_with("timeout waiting for: ["), "{failed}");
        stage.do_uninstall(&name).await.unwrap();
    }
    Ok(())
}

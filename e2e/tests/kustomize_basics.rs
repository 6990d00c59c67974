//! kustomize-controller: what every pass promises (acceptance cases 1 to 15 of its specification).

mod kustomize_support;

use anyhow::Result;
use kustomize_support::{Stage, config_map, message};
use serde_json::{Value, json};

/// Cases 1 and 4: a new object gets its finalizer, then everything else, and says so in the words that the CLI reads.
#[tokio::test(flavor = "multi_thread")]
async fn a_good_kustomization_becomes_ready() -> Result<()> {
    let stage = Stage::new("ks-good").await?;
    let revision = stage
        .publish("repo", &[("app/a.yaml", &config_map("a", "1")), ("other/b.yaml", &config_map("b", "1"))])
        .await?;
    stage.kustomization("app", json!({"path": "./app", "targetNamespace": stage.namespace})).await?;
    let object = stage.applied("app", &revision).await?;

    assert_eq!(object["metadata"]["finalizers"], json!(["finalizers.fluxcd.io"]));
    let status = &object["status"];
    let ready = testkit::condition(&object, "Ready").unwrap();
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("True"), &json!("ReconciliationSucceeded")));
    assert_eq!(ready["message"], json!(format!("Applied revision: {revision}")));
    assert!(
        testkit::condition(&object, "Reconciling").is_none()
            && testkit::condition(&object, "Stalled").is_none()
    );
    assert_eq!(status["observedGeneration"], object["metadata"]["generation"]);
    assert_eq!(status["lastAttemptedRevision"], json!(revision));
    assert_eq!(stage.inventory(&object), [format!("{}_a__ConfigMap", stage.namespace)]);
    assert_eq!(status["inventory"]["entries"][0]["v"], json!("v1"));
    let history = &status["history"][0];
    assert_eq!(history["lastReconciledStatus"], json!("ReconciliationSucceeded"));
    assert_eq!(history["metadata"]["revision"], json!(revision));

    let applied = stage.get("v1", "ConfigMap", "a").await?.unwrap();
    let labels = &applied["metadata"]["labels"];
    assert_eq!(labels["kustomize.toolkit.fluxcd.io/name"], json!("app"));
    assert_eq!(labels["kustomize.toolkit.fluxcd.io/namespace"], json!(stage.namespace));
    assert_eq!(stage.data("b").await?, None, "only the path is built");
    Ok(())
}

//! Where nothing changed, nothing is written.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use e2e::audit::Request;
use e2e::stage::{Stage, TARGET};
use jiff::Timestamp;
use serde_json::{Value, json};
use testkit::git::Change;

const OURS: [&str; 2] = ["source-controller", "kustomize-controller"];

fn config(name: &str) -> Change {
    let manifest = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": TARGET},
        "data": {"key": "value"}});
    Change::file(format!("app/{name}.json"), manifest.to_string())
}

async fn converged() -> Stage {
    let stage = Stage::set().await.unwrap();
    let kustomization = Change::file(
        "app/kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [one.json, two.json]\n",
    );
    let revision = stage.commit("first", &[kustomization, config("one"), config("two")]).unwrap();
    stage.create_source().await.unwrap();
    stage.create_kustomization("app", json!({"interval": "1h"})).await.unwrap();
    stage.applied("app", &revision).await.unwrap();
    stage
}

fn writes(requests: &[Request]) -> Vec<(&str, &str, &str)> {
    let ours =
        requests.iter().filter(|request| OURS.contains(&request.program.as_str()) && request.is_write());
    ours.map(|request| (request.program.as_str(), request.verb.as_str(), request.resource.as_str())).collect()
}

async fn handled(stage: &Stage, token: &str) {
    let kustomizations = stage.kustomizations().unwrap();
    let what = format!("the request {token} handled");
    let seen = |object: &Value| {
        object.pointer("/status/lastHandledReconcileAt").and_then(Value::as_str) == Some(token)
            && testkit::is_ready(object)
    };
    stage.plane.wait_for(&kustomizations, "app", &what, seen).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_reconcile_without_a_change_writes_one_status_patch() {
    let stage = converged().await;
    // What follows a first apply (events, a last status) is over once a first request has been handled.
    stage.request(&stage.kustomizations().unwrap(), "app", "settle").await.unwrap();
    handled(&stage, "settle").await;

    let from = Timestamp::now();
    stage.request(&stage.kustomizations().unwrap(), "app", "forced").await.unwrap();
    handled(&stage, "forced").await;
    let requests = stage.requests(from).await.unwrap();
    assert_eq!(writes(&requests), [("kustomize-controller", "patch", "kustomizations/status")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_changes_nothing_of_the_path_applies_nothing() {
    let stage = converged().await;
    let from = Timestamp::now();
    let elsewhere = Change::file("elsewhere/readme.md", "nothing of ours");
    let revision = stage.commit("elsewhere", &[elsewhere]).unwrap();
    stage.request(&stage.sources().unwrap(), "apps", "elsewhere").await.unwrap();
    stage.applied("app", &revision).await.unwrap();
    let requests = stage.requests(from).await.unwrap();
    let mut written = writes(&requests);
    written.sort_unstable();
    written.dedup();
    assert_eq!(
        written,
        [
            ("kustomize-controller", "patch", "kustomizations/status"),
            ("source-controller", "patch", "gitrepositories/status"),
        ]
    );
    let applied = requests.iter().any(|r| r.resource == "configmaps" && OURS.contains(&r.program.as_str()));
    assert!(!applied, "{requests:?}");
}

//! kustomize-controller: what every pass promises (acceptance cases 1 to 15 of its specification).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod kustomize_support;

use anyhow::Result;
use kustomize_support::{Stage, config_map, message};
use serde_json::json;
use testkit::git::Change;

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

/// Case 5: a failing build says why, keeps the generation open and what was applied in place, and is tried again.
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_build_says_why_and_recovers() -> Result<()> {
    let stage = Stage::new("ks-broken").await?;
    let broken = [
        ("a.yaml", &*config_map("a", "1")),
        ("b.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [\n"),
    ];
    let revision = stage.publish("repo", &broken).await?;
    stage.kustomization("app", json!({"targetNamespace": stage.namespace})).await?;
    let object = stage.reason("app", "BuildFailed").await?;
    assert!(
        message(&object).contains("failed to decode Kubernetes YAML from b.yaml: yaml: line "),
        "{}",
        message(&object)
    );
    let reconciling = testkit::condition(&object, "Reconciling").unwrap();
    assert_eq!(reconciling["reason"], json!("ProgressingWithRetry"));
    assert_eq!(
        reconciling["message"],
        json!(format!("Building manifests for revision {revision} with a timeout of 9m30s"))
    );
    assert_eq!(object["status"]["observedGeneration"], json!(-1));
    assert_eq!(object["status"]["lastAttemptedRevision"], json!(revision));
    assert_eq!(object["status"].get("lastAppliedRevision"), None);
    assert_eq!(stage.data("a").await?, None);

    let mended = stage.publish("repo", &[("a.yaml", &config_map("a", "1"))]).await?;
    let object = stage.applied("app", &mended).await?;
    assert_eq!(object["status"]["observedGeneration"], json!(1));
    Ok(())
}

/// Cases 6, 11, 12: what is missing is named, a request is answered all the same, and the source's arrival is enough.
#[tokio::test(flavor = "multi_thread")]
async fn sources_are_waited_for() -> Result<()> {
    let stage = Stage::new("ks-nosource").await?;
    stage.kustomization("app", json!({"targetNamespace": stage.namespace, "retryInterval": "1h"})).await?;
    let object = stage.reason("app", "ArtifactFailed").await?;
    assert_eq!(message(&object), "GitRepository.source.toolkit.fluxcd.io \"repo\" not found");
    assert_eq!(object["status"]["observedGeneration"], json!(-1));
    let object = stage.reconcile("app").await?;
    assert_eq!(message(&object), "GitRepository.source.toolkit.fluxcd.io \"repo\" not found");

    stage.source("repo", None).await?;
    stage.reconcile("app").await?;
    stage
        .wait("app", "to miss the artifact", |o| message(o) == "Source artifact not found, retrying in 2s")
        .await?;
    let revision = stage.publish("repo", &[("a.yaml", &config_map("a", "1"))]).await?;
    stage.applied("app", &revision).await?;
    Ok(())
}

/// Cases 13 and 14: a missing file is waited for, and bytes that are not what they should be are refused.
#[tokio::test(flavor = "multi_thread")]
async fn artifacts_are_checked() -> Result<()> {
    let stage = Stage::new("ks-artifact").await?;
    // Content of its own: the controller knows the trees of other tests by their digests.
    let (artifact, revision) = stage.artifact("repo", &[("a.yaml", &config_map("a", &stage.namespace))])?;
    let with = |field: &str, value: String| {
        let mut changed = artifact.clone();
        changed[field] = json!(value);
        changed
    };
    let url = artifact["url"].as_str().unwrap();
    stage.source("repo", Some(with("url", format!("{url}.gone")))).await?;
    stage.kustomization("app", json!({"targetNamespace": stage.namespace})).await?;
    let object = stage.reason("app", "ArtifactFailed").await?;
    assert_eq!(message(&object), "Source is not ready, artifact not found, retrying in 2s");

    stage.source("repo", Some(with("digest", format!("sha256:{:064}", 0)))).await?;
    stage.reconcile("app").await?;
    let object = stage
        .wait("app", "the digest to be refused", |o| message(o).contains("does not match its digest"))
        .await?;
    assert_eq!(object["status"].get("lastAttemptedRevision"), None);
    assert_eq!(stage.data("a").await?, None);

    stage.source("repo", Some(artifact.clone())).await?;
    stage.reconcile("app").await?;
    stage.applied("app", &revision).await?;
    Ok(())
}

/// Cases 15 and 16: a path is looked up in the artifact and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn paths_stay_in_the_artifact() -> Result<()> {
    let stage = Stage::new("ks-path").await?;
    stage.publish("repo", &[("app/a.yaml", &config_map("a", "1"))]).await?;
    for (name, path, shown) in [("missing", "./nope", "nope"), ("outside", "../../etc", "etc")] {
        stage.kustomization(name, json!({"path": path})).await?;
        let object = stage.reason(name, "ArtifactFailed").await?;
        let expected = format!("kustomization path not found: stat {shown}: no such file or directory");
        assert_eq!(message(&object), expected);
        assert_eq!(object["status"].get("lastAttemptedRevision"), None);
    }
    let escaping = [("app/kustomization.yaml", "resources: [../../../etc/passwd]\n")];
    stage.publish("other", &escaping).await?;
    let source = json!({"kind": "GitRepository", "name": "other"});
    stage.kustomization("base", json!({"path": "./app", "sourceRef": source})).await?;
    let object = stage.reason("base", "BuildFailed").await?;
    assert!(message(&object).starts_with("kustomize build failed: "), "{}", message(&object));
    Ok(())
}

/// Cases 8, 28, 55, 66, 68: objects follow the artifact, nothing is touched without need, and the history counts.
#[tokio::test(flavor = "multi_thread")]
async fn objects_follow_the_artifact() -> Result<()> {
    let stage = Stage::new("ks-follow").await?;
    let (one, two) = (config_map("one", "1"), config_map("two", "1"));
    let revision = stage.publish("repo", &[("a.yaml", &one), ("b.yaml", &two)]).await?;
    stage.kustomization("app", json!({"targetNamespace": stage.namespace})).await?;
    stage.applied("app", &revision).await?;
    let version = |object: Option<serde_json::Value>| object.unwrap()["metadata"]["resourceVersion"].clone();
    let before = version(stage.get("v1", "ConfigMap", "one").await?);
    stage.reconcile("app").await?;
    let object = stage.reconcile("app").await?;
    assert_eq!(
        version(stage.get("v1", "ConfigMap", "one").await?),
        before,
        "nothing is written without need"
    );
    let history = object["status"]["history"].as_array().unwrap();
    // A pass that an event of the first apply woke may have come on top of the three that were asked for.
    let total = history[0]["totalReconciliations"].as_u64().unwrap();
    assert_eq!(history.len(), 1);
    assert!((3..=4).contains(&total), "{total} reconciliations");

    // One renamed, one changed, none left.
    let changed = config_map("two", "2");
    let revision =
        stage.publish("repo", &[("a.yaml", &config_map("uno", "1")), ("b.yaml", &changed)]).await?;
    let object = stage.applied("app", &revision).await?;
    assert_eq!(stage.data("one").await?, None);
    assert_eq!(stage.data("two").await?, Some(json!({"key": "2"})));
    let ns = &stage.namespace;
    assert_eq!(stage.inventory(&object), [format!("{ns}_two__ConfigMap"), format!("{ns}_uno__ConfigMap")]);
    assert_eq!(object["status"]["history"].as_array().unwrap().len(), 2);

    let revision = stage.publish("repo", &[("README.md", "nothing here")]).await?;
    let object = stage.applied("app", &revision).await?;
    assert_eq!(object["status"]["inventory"], json!({"entries": []}));
    assert_eq!((stage.data("uno").await?, stage.data("two").await?), (None, None));
    Ok(())
}

/// Cases 9 and issue 3: a resting object is left alone, whoever lets it rest, and goes on afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_resting_object_is_left_alone() -> Result<()> {
    let stage = Stage::new("ks-rest").await?;
    let first = stage.publish("repo", &[("a.yaml", &config_map("a", "1"))]).await?;
    stage.kustomization("app", json!({"targetNamespace": stage.namespace})).await?;
    stage.applied("app", &first).await?;
    stage.patch("app", json!({"metadata": {"annotations": {"reconcile.fluxcd.io/suspend": "true"}}})).await?;
    let resting = |o: &serde_json::Value| {
        testkit::condition(o, "Suspended").is_some_and(|c| c["status"] == json!("True"))
    };
    stage.wait("app", "to say that it rests", resting).await?;
    let second = stage.publish("repo", &[("a.yaml", &config_map("a", "2"))]).await?;
    let object = stage.reconcile("app").await?;
    assert_eq!(object["status"]["lastAppliedRevision"], json!(first));
    assert_eq!(stage.data("a").await?, Some(json!({"key": "1"})));
    assert!(testkit::is_ready(&object), "Ready stays as it was");

    stage.patch("app", json!({"metadata": {"annotations": {"reconcile.fluxcd.io/suspend": null}}})).await?;
    let object = stage.applied("app", &second).await?;
    assert!(testkit::condition(&object, "Suspended").is_none());

    stage.patch("app", json!({"spec": {"suspend": true}})).await?;
    stage.publish("repo", &[("a.yaml", &config_map("a", "3"))]).await?;
    stage.patch("app", json!({"spec": {"force": true}})).await?;
    stage
        .wait("app", "the generation to be seen", |o| {
            o["status"]["observedGeneration"] == o["metadata"]["generation"]
        })
        .await?;
    assert_eq!(stage.data("a").await?, Some(json!({"key": "2"})));
    Ok(())
}

/// Case 10: a condition of somebody else survives.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_conditions_survive() -> Result<()> {
    let stage = Stage::new("ks-foreign").await?;
    let first = stage.publish("repo", &[("a.yaml", &config_map("a", "1"))]).await?;
    stage.kustomization("app", json!({"targetNamespace": stage.namespace})).await?;
    let object = stage.applied("app", &first).await?;
    let mut conditions = object["status"]["conditions"].clone();
    conditions
        .as_array_mut()
        .unwrap()
        .push(json!({"type": "Audited", "status": "True", "reason": "Looked", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z"}));
    let api = stage.api(kustomize_support::KS.0, kustomize_support::KS.1)?;
    let patch = kube::api::Patch::Merge(json!({"status": {"conditions": conditions}}));
    api.patch_status("app", &kube::api::PatchParams::default(), &patch).await?;
    let second = stage.publish("repo", &[("a.yaml", &config_map("a", "2"))]).await?;
    let object = stage.applied("app", &second).await?;
    assert!(testkit::condition(&object, "Audited").is_some());
    Ok(())
}

/// Cases 20 to 23, 26: dependencies hold an object up, release it at once, and a circle is told.
#[tokio::test(flavor = "multi_thread")]
async fn dependencies() -> Result<()> {
    let stage = Stage::new("ks-depends").await?;
    let files = [("a/a.yaml", &*config_map("a", "1")), ("b/b.yaml", &*config_map("b", "1"))];
    let revision = stage.publish("repo", &files).await?;
    let on = |names: &[&str]| names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>();
    let app = |path: &str, depends_on: &[&str]| json!({"path": path, "targetNamespace": stage.namespace, "dependsOn": on(depends_on)});
    stage.kustomization("b", app("b", &["a"])).await?;
    let object = stage.reason("b", "DependencyNotReady").await?;
    let expected = "dependency 'NS/a' not found: kustomizations.kustomize.toolkit.fluxcd.io \"a\" not found";
    assert_eq!(message(&object), expected.replace("NS", &stage.namespace));
    stage.kustomization("a", app("a", &[])).await?;
    stage.applied("a", &revision).await?;
    stage.applied("b", &revision).await?;

    stage.kustomization("x", app("a", &["y"])).await?;
    stage.kustomization("y", app("b", &["x"])).await?;
    let object = stage.reason("x", "DependencyCycle").await?;
    let expected = "dependency cycle NS/x -> NS/y -> NS/x: remove one of these from dependsOn";
    assert_eq!(message(&object), expected.replace("NS", &stage.namespace));

    let mut bad = app("a", &[]);
    bad["dependsOn"] = json!([{"name": "a", "readyExpr": "dep.status.observedGeneration"}]);
    stage.kustomization("bad", bad.clone()).await?;
    let object = stage.reason("bad", "InvalidCELExpression").await?;
    assert!(testkit::condition(&object, "Stalled").is_some());
    assert_eq!(object["status"]["observedGeneration"], json!(1));

    bad["dependsOn"] = json!([{"name": "x", "readyExpr": "!has(dep.status.lastAppliedRevision)"}]);
    stage.kustomization("bad", bad).await?;
    let object = stage.applied("bad", &revision).await?;
    assert!(testkit::condition(&object, "Stalled").is_none());
    Ok(())
}

/// A dependency that gets ready while its dependent is still looking wakes it all the same: nobody waits for the interval.
#[tokio::test(flavor = "multi_thread")]
async fn no_wake_up_is_lost() -> Result<()> {
    let (stage, _controller) = Stage::with_flags("ks-wake", &["--requeue-dependency=1h"]).await?;
    let files = |value: &str| ["a", "b", "c"].map(|name| (format!("{name}/x.yaml"), config_map(name, value)));
    let publish = async |value: &str| {
        let files = files(value);
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
        stage.publish("repo", &files).await
    };
    publish("0").await?;
    for (name, on) in [("a", json!([])), ("b", json!([{"name": "a"}])), ("c", json!([{"name": "b"}]))] {
        let spec = json!({"path": format!("./{name}"), "targetNamespace": stage.namespace, "dependsOn": on});
        stage.kustomization(name, spec).await?;
    }
    for commit in 1..=40 {
        let revision = publish(&commit.to_string()).await?;
        for name in ["a", "b", "c"] {
            stage.applied(name, &revision).await?;
        }
    }
    Ok(())
}

/// Case 37: a base in a Git repository is built like a local one, follows its branch, and is not even asked for with
/// `--no-remote-bases`.
#[tokio::test(flavor = "multi_thread")]
async fn remote_bases() -> Result<()> {
    let server = testkit::git::HttpServer::start().await?;
    let repository = server.create("org/bases")?;
    let commit = |value: &str| {
        let files = [
            Change::file("base/kustomization.yaml", "resources: [../shared/a.yaml, link.yaml]\n"),
            Change::file("shared/a.yaml", config_map("a", value)),
            Change::file("shared/b.yaml", config_map("b", value)),
            Change::symlink("base/link.yaml", "../shared/b.yaml"),
        ];
        repository.commit("main", "change", &files)
    };
    commit("1")?;
    repository.tag("v1", "main")?;
    let refers_to = |repository: &str, reference: &str, file: &str| {
        let base = format!("{}//base?ref={reference}", server.url(repository));
        let file = server.url(file);
        vec![("kustomization.yaml", format!("resources: ['{base}', '{file}']\n"))]
    };
    let files = |reference: &str| refers_to("org/bases", reference, "extra.yaml");
    std::fs::write(server.root().join("extra.yaml"), config_map("c", "1"))?;
    let stage = Stage::new("ks-remote").await?;
    let publish = async |name: &str, files: Vec<(&str, String)>| {
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, content)| (*path, content.as_str())).collect();
        stage.publish(name, &files).await
    };
    let revision = publish("repo", files("main")).await?;
    stage.kustomization("app", json!({"targetNamespace": stage.namespace})).await?;
    stage.applied("app", &revision).await?;
    for name in ["a", "b", "c"] {
        assert_eq!(stage.data(name).await?, Some(json!({"key": "1"})), "{name}");
    }

    // The artifact is the same, and the branch has moved.
    commit("2")?;
    stage.reconcile("app").await?;
    assert_eq!(stage.data("a").await?, Some(json!({"key": "2"})));
    let revision = publish("repo", files("v1")).await?;
    stage.applied("app", &revision).await?;
    assert_eq!(stage.data("a").await?, Some(json!({"key": "1"})));

    publish("repo", files("nope")).await?;
    let object = stage.reason("app", "BuildFailed").await?;
    assert!(message(&object).contains("refs/heads/nope"), "{}", message(&object));
    assert_eq!(stage.data("a").await?, Some(json!({"key": "1"})));

    let (closed, _running) = Stage::with_flags("ks-noremote", &["--no-remote-bases"]).await?;
    // The first stage goes on asking for its own: the names tell them apart.
    let files = refers_to("org/closed", "main", "closed.yaml");
    let files: Vec<(&str, &str)> = files.iter().map(|(path, content)| (*path, content.as_str())).collect();
    closed.publish("repo", &files).await?;
    closed.kustomization("app", json!({"targetNamespace": closed.namespace})).await?;
    let object = closed.reason("app", "BuildFailed").await?;
    assert!(message(&object).contains("remote bases are not fetched"), "{}", message(&object));
    let requests = server.take_requests();
    assert!(requests.iter().any(|request| request.target.contains("bases")), "{requests:?}");
    assert!(!requests.iter().any(|request| request.target.contains("closed")), "{requests:?}");
    Ok(())
}

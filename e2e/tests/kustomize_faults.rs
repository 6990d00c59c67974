//! kustomize-controller: what a crash, bad input and large input do, and how little a pass costs that changes nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod kustomize_support;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use kube::api::ListParams;
use kustomize_support::{Stage, config_map, message};
use serde_json::json;

/// Killed at any moment, the controller comes back to the same state: nothing is orphaned and nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn kill_at_random_moments() -> Result<()> {
    let (stage, mut controller) = Stage::with_flags("ks-kill", &[]).await?;
    stage.kustomization("app", json!({"targetNamespace": stage.namespace, "interval": "1h"})).await?;
    let maps = stage.api("v1", "ConfigMap")?;
    for round in 0..8u64 {
        // Every round has other names, so a crashed pass leaves objects behind that the next one does not mention.
        let files: Vec<(String, String)> = (0..12)
            .map(|n| (format!("{n}.yaml"), config_map(&format!("r{round}-{n}"), &round.to_string())))
            .collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(p, c)| (p.as_str(), c.as_str())).collect();
        let revision = stage.publish("repo", &files).await?;
        // Spread over the length of a pass.
        tokio::time::sleep(Duration::from_millis(round * 17 % 90)).await;
        controller = controller.restart().await?;
        if round % 2 == 1 {
            stage.applied("app", &revision).await?;
        }
    }
    let revision = stage.publish("repo", &[("last.yaml", &config_map("last", "1"))]).await?;
    let object = stage.applied("app", &revision).await?;
    assert_eq!(stage.inventory(&object), [format!("{}_last__ConfigMap", stage.namespace)]);
    let labelled = ListParams::default().labels("kustomize.toolkit.fluxcd.io/name=app");
    let left: BTreeSet<String> =
        maps.list(&labelled).await?.items.into_iter().filter_map(|object| object.metadata.name).collect();
    assert_eq!(left, BTreeSet::from(["last".to_owned()]), "nothing is orphaned");
    Ok(())
}

/// A pass that changes nothing sends nothing; a forced one sends one status patch.
#[tokio::test(flavor = "multi_thread")]
async fn a_no_op_costs_nothing() -> Result<()> {
    let (stage, controller) = Stage::with_flags("ks-noop", &[]).await?;
    let objects = [("a.yaml", &*config_map("a", "1")), ("b.yaml", &*config_map("b", "1"))];
    let revision = stage.publish("repo", &objects).await?;
    stage.kustomization("app", json!({"targetNamespace": stage.namespace, "interval": "1s"})).await?;
    stage.applied("app", &revision).await?;
    let requests = async || anyhow::Ok(controller.metrics().await?.sum("rest_client_requests_total", &[]));
    let passes =
        async || anyhow::Ok(controller.metrics().await?.sum("controller_runtime_reconcile_total", &[]));
    // Let events and watches of the first pass settle.
    let settled = loop {
        let before = requests().await?;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let after = requests().await?;
        if before == after {
            break after;
        }
    };
    let from = passes().await?;
    while passes().await? < from + 3.0 {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(requests().await?, settled, "passes at the interval send nothing");

    let before = stage.get("v1", "ConfigMap", "a").await?;
    stage.reconcile("app").await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(requests().await?, settled + 1.0, "a forced pass writes one status");
    assert_eq!(stage.get("v1", "ConfigMap", "a").await?, before);

    // Another path of the repository changed: ours did not.
    let more = [("app/a.yaml", &*config_map("x", "1")), ("other/b.yaml", &*config_map("y", "1"))];
    stage.publish("repo", &more).await?;
    stage
        .kustomization("app", json!({"targetNamespace": stage.namespace, "interval": "1h", "path": "./app"}))
        .await?;
    let revision = stage.publish("repo", &[more[0], ("other/b.yaml", &config_map("y", "2"))]).await?;
    stage.applied("app", &revision).await?;
    Ok(())
}

/// Large input is applied, or refused in words; nobody else suffers.
#[tokio::test(flavor = "multi_thread")]
async fn large_input() -> Result<()> {
    let stage = Stage::new("ks-large").await?;
    let many: Vec<(String, String)> =
        (0..10_000).map(|n| (format!("docs/{}/{n}.md", n % 100), format!("file {n}"))).collect();
    let small = config_map("a", "1");
    let mut files: Vec<(&str, &str)> = many.iter().map(|(p, c)| (p.as_str(), c.as_str())).collect();
    files.push(("app/a.yaml", &small));
    let revision = stage.publish("repo", &files).await?;
    stage.kustomization("app", json!({"path": "./app", "targetNamespace": stage.namespace})).await?;
    stage.applied("app", &revision).await?;

    // Five megabytes: more than an object may have.
    let huge = config_map("huge", &"x".repeat(5 << 20));
    stage.publish("huge", &[("a.yaml", &huge)]).await?;
    let source = json!({"kind": "GitRepository", "name": "huge"});
    stage.kustomization("huge", json!({"targetNamespace": stage.namespace, "sourceRef": source})).await?;
    let object = stage.reason("huge", "ReconciliationFailed").await?;
    assert!(message(&object).contains("ConfigMap/") && message(&object).len() < 4096, "{}", message(&object));

    // Five megabytes of small objects are no problem.
    let text: String =
        (0..400).map(|n| format!("{}---\n", config_map(&format!("m{n}"), &"y".repeat(12 << 10)))).collect();
    let revision = stage.publish("wide", &[("a.yaml", &text)]).await?;
    let source = json!({"kind": "GitRepository", "name": "wide"});
    stage.kustomization("wide", json!({"targetNamespace": stage.namespace, "sourceRef": source})).await?;
    let object = stage.applied("wide", &revision).await?;
    assert_eq!(stage.inventory(&object).len(), 400);
    Ok(())
}

/// Case 78: without rights nothing is applied, and nobody else's rights are used.
#[tokio::test(flavor = "multi_thread")]
async fn impersonation() -> Result<()> {
    let stage = Stage::new("ks-account").await?;
    let namespace = &stage.namespace;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "tenant"}});
    stage.api("v1", "ServiceAccount")?.create(&Default::default(), &serde_json::from_value(account)?).await?;
    let revision = stage.publish("repo", &[("a.yaml", &config_map("a", "1"))]).await?;
    stage.kustomization("app", json!({"targetNamespace": namespace, "serviceAccountName": "tenant"})).await?;
    let object = stage.reason("app", "ReconciliationFailed").await?;
    let text = message(&object);
    assert!(
        text.contains("forbidden") && text.contains(&format!("system:serviceaccount:{namespace}:tenant")),
        "{text}"
    );
    assert_eq!(stage.data("a").await?, None);
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "tenant"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "tenant", "namespace": namespace}]});
    stage
        .api("rbac.authorization.k8s.io/v1", "RoleBinding")?
        .create(&Default::default(), &serde_json::from_value(binding)?)
        .await?;
    stage.applied("app", &revision).await?;

    let foreign = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\n".to_owned();
    stage.publish("foreign", &[("a.yaml", &foreign)]).await?;
    let source = json!({"kind": "GitRepository", "name": "foreign"});
    stage.kustomization("foreign", json!({"serviceAccountName": "tenant", "sourceRef": source})).await?;
    let object = stage.reason("foreign", "ReconciliationFailed").await?;
    assert!(message(&object).contains("forbidden"), "{}", message(&object));
    Ok(())
}

/// Case 79: the way to another cluster is a Secret, which may come later.
#[tokio::test(flavor = "multi_thread")]
async fn kubeconfig_from_a_secret() -> Result<()> {
    let stage = Stage::new("ks-remote").await?;
    let revision = stage.publish("repo", &[("a.yaml", &config_map("a", "1"))]).await?;
    let reference = json!({"secretRef": {"name": "remote"}});
    stage.kustomization("app", json!({"targetNamespace": stage.namespace, "kubeConfig": reference})).await?;
    let object = stage.reason("app", "ReconciliationFailed").await?;
    let expected = "unable to read KubeConfig secret 'NS/remote' error: secrets \"remote\" not found";
    assert_eq!(message(&object), expected.replace("NS", &stage.namespace));
    // Files that a kubeconfig names are not read: everything has to be inline.
    let kubeconfig = stage.plane.kubectl().run(&["config", "view", "--raw", "--flatten"])?;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "remote"}, "stringData": {"value.yaml": kubeconfig}});
    stage.api("v1", "Secret")?.create(&Default::default(), &serde_json::from_value(secret)?).await?;
    stage.applied("app", &revision).await?;
    assert_eq!(stage.data("a").await?, Some(json!({"key": "1"})));
    Ok(())
}

/// Case 17: sources of other namespaces can be forbidden.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_sources_can_be_forbidden() -> Result<()> {
    let (stage, _controller) = Stage::with_flags("ks-tenant", &["--no-cross-namespace-refs=true"]).await?;
    let source = json!({"kind": "GitRepository", "name": "x", "namespace": "elsewhere"});
    stage.kustomization("app", json!({"sourceRef": source})).await?;
    let object = stage.reason("app", "AccessDenied").await?;
    assert_eq!(
        message(&object),
        "can't access 'GitRepository/elsewhere/x', cross-namespace references have been blocked"
    );
    assert_eq!(testkit::condition(&object, "Stalled").unwrap()["reason"], json!("AccessDenied"));
    Ok(())
}

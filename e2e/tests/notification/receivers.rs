//! Webhooks: cases 60 to 80 and 82.

use anyhow::Result;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use testkit::condition;

use super::scene::{Scene, V1};

fn on(name: &str) -> Value {
    json!([{ "kind": "GitRepository", "name": name }])
}

/// Cases 60 to 63.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_annotates_the_resources() -> Result<()> {
    let scene = Scene::new().await?;
    scene.repository("shop", json!({})).await?;
    scene.secret("token", json!({ "token": "t" })).await?;
    let spec = json!({ "type": "generic", "secretRef": { "name": "token" }, "resources": on("shop") });
    let path = scene.receiver("hook", spec).await?;
    // sha256 of token, name and namespace.
    let expected = sha256(&format!("thook{}", scene.namespace));
    assert_eq!(path, format!("/hook/{expected}"));
    let object = scene.objects(V1, "Receiver")?.get("hook").await?;
    let object = serde_json::to_value(object)?;
    assert_eq!(
        condition(&object, "Ready").unwrap()["message"],
        format!("Receiver initialized for path: {path}")
    );
    assert_eq!(object["metadata"]["finalizers"], json!(["finalizers.fluxcd.io"]));
    let shown = scene.plane.kubectl().run(&["get", "receivers", "--namespace", &scene.namespace])?;
    assert!(shown.contains(&path), "{shown}");

    assert_eq!(scene.hook(&path, &[], "").await?, 200);
    let first = scene.requested("shop").await?;
    assert!(first.is_some());
    assert_eq!(scene.hook(&path, &[], "").await?, 200);
    assert_ne!(scene.requested("shop").await?, first);
    assert_eq!(scene.hook(&format!("{path}?x=1"), &[], "").await?, 404);
    assert_eq!(scene.hook("/hook/unknown", &[], "").await?, 404);

    scene.patch(V1, "Receiver", "hook", json!({ "spec": { "suspend": true } })).await?;
    scene.until_hook(&path, |status| status == 503).await?;
    // Case 82.
    let receivers = scene.objects(V1, "Receiver")?;
    receivers.delete("hook", &DeleteParams::default()).await?;
    scene.plane.gone(&receivers, "hook").await?;
    scene.until_hook(&path, |status| status == 404).await?;
    Ok(())
}

/// Cases 63 and 64: what a path that is still known answers when its Receiver broke, or its Secret is gone unseen.
#[tokio::test(flavor = "multi_thread")]
async fn broken_receivers_keep_their_paths() -> Result<()> {
    let scene = Scene::new().await?;
    scene.repository("shop", json!({})).await?;
    // Without the label of the watch: nobody tells the controller that it goes.
    scene.secret("token", json!({ "token": "t" })).await?;
    let spec = json!({ "type": "generic", "secretRef": { "name": "token" }, "resources": on("shop") });
    let path = scene.receiver("hook", spec).await?;
    scene.objects("v1", "Secret")?.delete("token", &DeleteParams::default()).await?;
    scene.until_hook(&path, |status| status == 400).await?;
    scene.patch(V1, "Receiver", "hook", json!({ "spec": { "resourceFilter": "claims.x" } })).await?;
    let receivers = scene.objects(V1, "Receiver")?;
    let stalled = scene
        .plane
        .wait_for(&receivers, "hook", "Stalled", |object| condition(object, "Stalled").is_some())
        .await?;
    assert_eq!(stalled["status"]["webhookPath"], path);
    scene.until_hook(&path, |status| status == 503).await?;
    Ok(())
}

/// Case 64.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_secret_a_receiver_is_not_ready() -> Result<()> {
    let scene = Scene::new().await?;
    scene.repository("shop", json!({})).await?;
    let secret = || async {
        scene
            .plane
            .apply(&serde_json::to_string(&json!({
                "apiVersion": "v1", "kind": "Secret", "stringData": { "token": "t" },
                "metadata": {
                    "name": "token", "namespace": scene.namespace,
                    "labels": { "reconcile.fluxcd.io/watch": "Enabled" },
                },
            }))?)
            .await
    };
    secret().await?;
    let spec = json!({ "type": "generic", "secretRef": { "name": "token" }, "resources": on("shop") });
    let path = scene.receiver("hook", spec).await?;
    scene.objects("v1", "Secret")?.delete("token", &DeleteParams::default()).await?;
    let receivers = scene.objects(V1, "Receiver")?;
    let lost = scene
        .plane
        .wait_for(&receivers, "hook", "the token is missing", |object| {
            condition(object, "Ready").is_some_and(|ready| ready["reason"] == "TokenNotFound")
        })
        .await?;
    assert!(lost["status"].get("webhookPath").is_none());
    assert_eq!(condition(&lost, "Reconciling").unwrap()["reason"], "ProgressingWithRetry");
    scene.until_hook(&path, |status| status == 404).await?;
    // Case 80, with a broken Secret: the request is handled all the same.
    let request = json!({ "metadata": { "annotations": { "reconcile.fluxcd.io/requestedAt": "now" } } });
    scene.patch(V1, "Receiver", "hook", request).await?;
    scene
        .plane
        .wait_for(&receivers, "hook", "the request is handled", |object| {
            object["status"]["lastHandledReconcileAt"] == "now"
        })
        .await?;
    secret().await?;
    scene.plane.ready(V1, "Receiver", &scene.namespace, "hook").await?;
    scene.until_hook(&path, |status| status == 200).await?;
    Ok(())
}

/// Cases 65 to 71, 73 and 81, end to end; the tables are with the code.
#[tokio::test(flavor = "multi_thread")]
async fn calls_are_verified() -> Result<()> {
    let scene = Scene::new().await?;
    scene.repository("shop", json!({})).await?;
    scene.secret("token", json!({ "token": "t" })).await?;
    let mut paths = Vec::new();
    for kind in [
        "github",
        "gitlab",
        "bitbucket",
        "generic-hmac",
        "harbor",
        "dockerhub",
        "quay",
        "acr",
        "nexus",
        "gcr",
    ] {
        let spec = json!({
            "type": kind, "secretRef": { "name": "token" }, "resources": on("shop"),
            "events": if matches!(kind, "github" | "gitlab") { json!(["push", "Push Hook"]) } else { json!([]) },
        });
        paths.push((kind, scene.receiver(kind, spec).await?));
    }
    let path =
        |kind: &str| paths.iter().find(|(name, _)| *name == kind).map(|(_, path)| path.as_str()).unwrap();
    let json = ("content-type", "application/json");
    // HMAC of `{}` with the key `t`.
    let sha256 = "sha256=1b3ebb28e47a6e47ac6cbf37be19d0dc5f29ea0b0bfc1b4a6aa9a4c40d1b47d6".to_owned();
    let good = format!("sha256={}", hmac("t", "{}"));
    for (kind, headers, body, expected) in [
        ("github", vec![json, ("x-hub-signature-256", good.as_str()), ("x-github-event", "Push")], "{}", 200),
        ("github", vec![json, ("x-hub-signature-256", good.as_str()), ("x-github-event", "ping")], "{}", 400),
        (
            "github",
            vec![json, ("x-hub-signature-256", sha256.as_str()), ("x-github-event", "push")],
            "{}",
            400,
        ),
        ("github", vec![("content-type", "text/plain"), ("x-hub-signature-256", good.as_str())], "{}", 400),
        ("bitbucket", vec![json, ("x-hub-signature", good.as_str())], "{}", 200),
        ("gitlab", vec![("x-gitlab-token", "t"), ("x-gitlab-event", "Push Hook")], "", 200),
        ("gitlab", vec![("x-gitlab-token", "u"), ("x-gitlab-event", "Push Hook")], "", 400),
        ("generic-hmac", vec![("x-signature", good.as_str())], "{}", 200),
        ("generic-hmac", vec![], "{}", 400),
        ("harbor", vec![("authorization", "t")], "", 200),
        ("harbor", vec![("authorization", "Bearer t")], "", 400),
        ("dockerhub", vec![], "{}", 200),
        ("dockerhub", vec![], "x", 400),
        ("quay", vec![], "{}", 200),
        ("acr", vec![], "{}", 200),
        ("nexus", vec![], "{}", 400),
        ("gcr", vec![], "{}", 400),
    ] {
        assert_eq!(scene.hook(path(kind), &headers, body).await?, expected, "{kind} {headers:?}");
    }
    let url = format!("{}{}", scene.controller.hooks_url().unwrap(), "/hook/unknown");
    let over = scene.http.post(url).body(vec![b'x'; 3 * 1024 * 1024 + 1]).send().await;
    assert!(over.is_err() || over.is_ok_and(|answer| answer.status().as_u16() == 413));
    Ok(())
}

/// Cases 74 to 77.
#[tokio::test(flavor = "multi_thread")]
async fn resources_are_selected() -> Result<()> {
    let scene = Scene::new().await?;
    for (name, labels) in
        [("one", json!({ "app": "x" })), ("two", json!({ "app": "x" })), ("three", json!({}))]
    {
        scene.repository(name, labels).await?;
    }
    scene
        .plane
        .apply(&serde_json::to_string(&json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": { "name": "apps", "namespace": scene.namespace },
            "spec": { "interval": "1h", "prune": false, "sourceRef": { "kind": "GitRepository", "name": "one" } },
        }))?)
        .await?;
    scene.secret("token", json!({ "token": "t" })).await?;
    let labelled = |labels: Value| json!([{ "kind": "GitRepository", "name": "*", "matchLabels": labels }]);
    let cases = [
        ("star", json!({ "resources": [{ "kind": "GitRepository", "name": "*" }] }), 500),
        ("nobody", json!({ "resources": labelled(json!({ "app": "y" })) }), 200),
        ("no-version", json!({ "resources": [{ "kind": "Kustomization", "name": "apps" }] }), 500),
        (
            "with-version",
            json!({ "resources": [{ "kind": "Kustomization", "name": "apps", "apiVersion": "kustomize.toolkit.fluxcd.io/v1" }] }),
            200,
        ),
        (
            "one-missing",
            json!({ "resources": [{ "kind": "GitRepository", "name": "gone" }, { "kind": "GitRepository", "name": "three" }] }),
            500,
        ),
        (
            "filtered",
            json!({ "resources": labelled(json!({ "app": "x" })), "resourceFilter": "req.ref == res.metadata.name" }),
            200,
        ),
        ("unguarded", json!({ "resources": on("one"), "resourceFilter": "req.missing == 'x'" }), 500),
        (
            "guarded",
            json!({ "resources": on("three"), "resourceFilter": "has(req.missing) && req.missing == 'x'" }),
            200,
        ),
    ];
    for (name, spec, expected) in cases {
        let mut spec = spec;
        spec["type"] = json!("generic");
        spec["secretRef"] = json!({ "name": "token" });
        let path = scene.receiver(name, spec).await?;
        let headers = [("content-type", "application/json")];
        assert_eq!(scene.hook(&path, &headers, r#"{"ref":"two"}"#).await?, expected, "{name}");
    }
    assert!(scene.requested("one").await?.is_none());
    assert!(scene.requested("two").await?.is_some());
    assert!(scene.requested("three").await?.is_some(), "a missing resource does not stop the others");
    Ok(())
}

/// Cases 78 and 79.
#[tokio::test(flavor = "multi_thread")]
async fn receivers_that_cannot_work_are_told() -> Result<()> {
    let scene = Scene::new().await?;
    scene.secret("token", json!({ "token": "t" })).await?;
    let spec = json!({
        "type": "github", "secretRef": { "name": "token" }, "resources": on("shop"),
        "resourceFilter": "claims.x == 'y'",
    });
    scene.apply(V1, "Receiver", "claims", spec).await?;
    let receivers = scene.objects(V1, "Receiver")?;
    let stalled = scene
        .plane
        .wait_for(&receivers, "claims", "Stalled", |object| condition(object, "Stalled").is_some())
        .await?;
    let ready = condition(&stalled, "Ready").unwrap();
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!("InvalidCELExpression")));
    assert_eq!(stalled["status"]["observedGeneration"], stalled["metadata"]["generation"]);
    scene.complaint("claims", "Warning InvalidCELExpression Reconciliation failed terminally").await?;

    let provider = json!([{ "issuerURL": "https://i.example", "validations": [{ "expression": "true", "message": "m" }] }]);
    for (spec, expected) in [
        (
            json!({ "type": "generic-oidc", "resources": [], "oidcProviders": provider, "secretRef": { "name": "s" } }),
            "secretRef cannot be set when type is generic-oidc",
        ),
        (
            json!({ "type": "generic-oidc", "resources": [] }),
            "generic-oidc receivers must define at least one oidcProvider",
        ),
        (json!({ "type": "github", "resources": [] }), "secretRef is required when type is not generic-oidc"),
    ] {
        let refused = scene.apply(V1, "Receiver", "refused", spec).await.expect_err("refused");
        assert!(format!("{refused:#}").contains(expected), "{refused:#}");
    }
    Ok(())
}

/// Case 76.
#[tokio::test(flavor = "multi_thread")]
async fn other_namespaces_can_be_out_of_reach() -> Result<()> {
    let scene = Scene::with(&["--no-cross-namespace-refs"]).await?;
    scene.repository("shop", json!({})).await?;
    scene.secret("token", json!({ "token": "t" })).await?;
    let resources = json!([
        { "kind": "GitRepository", "name": "shop", "namespace": "elsewhere" }, { "kind": "GitRepository", "name": "shop" },
    ]);
    let spec = json!({ "type": "generic", "secretRef": { "name": "token" }, "resources": resources });
    let path = scene.receiver("hook", spec).await?;
    assert_eq!(scene.hook(&path, &[], "").await?, 500);
    assert!(scene.requested("shop").await?.is_some());
    Ok(())
}

fn sha256(text: &str) -> String {
    digest(&["dgst", "-sha256", "-r"], text)
}

fn hmac(key: &str, text: &str) -> String {
    digest(&["dgst", "-sha256", "-r", "-hmac", key], text)
}

/// Hashes with another implementation than the controller's.
fn digest(arguments: &[&str], text: &str) -> String {
    use std::io::Write as _;
    let mut child = std::process::Command::new("openssl")
        .args(arguments)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

//! Which Alerts an event reaches, and with what metadata: cases 12 to 30.

use anyhow::Result;
use serde_json::{Value, json};

use super::scene::Scene;

/// Cases 12, 13, 14, 16, 17, 18 and 20, as far as they need no second server: each Alert tells its name.
#[tokio::test(flavor = "multi_thread")]
async fn alerts_take_what_they_ask_for() -> Result<()> {
    let scene = Scene::new().await?;
    let source = |name: &str| json!([{ "kind": "Kustomization", "name": name }]);
    let alerts = [
        ("info", json!({})),
        ("error", json!({ "eventSeverity": "error" })),
        ("apps", json!({ "eventSources": source("apps") })),
        (
            "star",
            json!({ "eventSources": [{ "kind": "Kustomization", "name": "*", "namespace": "elsewhere" }] }),
        ),
        ("included", json!({ "inclusionList": ["succeeded$"], "exclusionList": ["test"] })),
        ("bad-inclusion", json!({ "inclusionList": ["("] })),
        ("bad-exclusion", json!({ "exclusionList": ["("] })),
        ("digits", json!({ "inclusionList": ["^\\d+$"] })),
        ("resting", json!({ "suspend": true })),
        ("other-kind", json!({ "eventSources": [{ "kind": "HelmRelease", "name": "*" }] })),
        ("nothing", json!({ "eventSources": [] })),
        ("no-provider", json!({ "providerRef": { "name": "missing" } })),
        ("resting-provider", json!({ "providerRef": { "name": "resting" } })),
    ];
    scene
        .provider("resting", json!({ "type": "generic", "address": scene.recorder.url, "suspend": true }))
        .await?;
    for (name, spec) in alerts {
        let mut spec = spec;
        spec["eventMetadata"] = json!({ "alert": name });
        scene.alert(name, spec).await?;
    }
    scene.settle().await?;
    let cases: [(&str, Value, &[&str]); 7] = [
        ("x succeeded", json!({}), &["apps", "bad-exclusion", "included", "info"]),
        ("test x succeeded", json!({}), &["apps", "bad-exclusion", "info"]),
        ("x failed", json!({ "severity": "error" }), &["apps", "bad-exclusion", "error", "info"]),
        ("traced", json!({ "severity": "trace" }), &["apps", "bad-exclusion", "info"]),
        ("of another", json!({ "involvedObject": { "name": "apps2" } }), &["bad-exclusion", "info"]),
        ("123", json!({}), &["apps", "bad-exclusion", "digits", "info"]),
        ("\u{661}\u{662}", json!({}), &["apps", "bad-exclusion", "info"]),
    ];
    for (message, change, _) in &cases {
        scene.send(message, change.clone()).await?;
    }
    scene.send("of no kind", json!({ "involvedObject": { "kind": "kustomization" } })).await?;
    scene.send("of elsewhere", json!({ "involvedObject": { "namespace": "other" } })).await?;
    scene.settle().await?;
    for (message, _, expected) in &cases {
        let mut reached: Vec<String> = scene
            .recorder
            .seen()
            .iter()
            .map(super::recorder::Received::json)
            .filter(|event| event["message"] == *message)
            .map(|event| event["metadata"]["alert"].as_str().unwrap_or_default().to_owned())
            .collect();
        reached.sort();
        assert_eq!(reached, *expected, "{message}");
    }
    assert!(
        !scene
            .delivered()
            .iter()
            .any(|message| message.starts_with("of no") || message.starts_with("of else"))
    );
    scene.complaint("bad-inclusion", "Warning InvalidConfig failed to compile inclusion regex: (").await?;
    scene.complaint("bad-exclusion", "Warning InvalidConfig failed to compile exclusion regex: (").await?;
    let missing = scene.complaint("no-provider", "NotificationDispatchFailed").await?;
    let id = format!("Kustomization/{}/apps", scene.namespace);
    assert!(
        missing.starts_with(&format!(
            "Warning NotificationDispatchFailed failed to dispatch notification for {id}"
        )) && missing.contains("failed to read provider: "),
        "{missing}"
    );
    assert!(scene.events("resting-provider").await?.is_empty());
    Ok(())
}

/// Case 15.
#[tokio::test(flavor = "multi_thread")]
async fn labels_are_those_of_the_object() -> Result<()> {
    let scene = Scene::new().await?;
    scene.repository("labelled", json!({ "a": "1", "b": "2" })).await?;
    scene.repository("half", json!({ "a": "1" })).await?;
    let source = json!([{ "kind": "GitRepository", "name": "*", "matchLabels": { "a": "1", "b": "2" } }]);
    scene.alert("labels", json!({ "eventSources": source })).await?;
    scene.settle().await?;
    for name in ["labelled", "half", "gone"] {
        let object =
            json!({ "kind": "GitRepository", "name": name, "apiVersion": "source.toolkit.fluxcd.io/v1" });
        scene.send(name, json!({ "involvedObject": object })).await?;
    }
    scene.settle().await?;
    assert_eq!(scene.delivered(), ["labelled"]);
    let expected = format!(
        "Warning SourceFetchFailed error getting source object GitRepository/{}/gone",
        scene.namespace
    );
    scene.complaint("labels", &expected).await?;
    Ok(())
}

/// Case 21.
#[tokio::test(flavor = "multi_thread")]
async fn events_of_other_namespaces_can_be_refused() -> Result<()> {
    let scene = Scene::with(&["--no-cross-namespace-refs"]).await?;
    let source = json!([{ "kind": "Kustomization", "name": "*", "namespace": "elsewhere" }]);
    scene.alert("nosy", json!({ "eventSources": source })).await?;
    scene.settle().await?;
    scene.send("private", json!({ "involvedObject": { "namespace": "elsewhere" } })).await?;
    scene.complaint("nosy", "cross-namespace references have been blocked").await?;
    assert!(scene.delivered().is_empty());
    Ok(())
}

/// Cases 23, 24 and 25.
#[tokio::test(flavor = "multi_thread")]
async fn updates_go_to_commits_only() -> Result<()> {
    let scene = Scene::new().await?;
    let git = super::recorder::Recorder::with(|_, request| match request.method.as_str() {
        "GET" if request.uri.ends_with("/user") => (200, r#"{"login":"me"}"#.to_owned()),
        "GET" => (200, "[]".to_owned()),
        _ => (201, "{}".to_owned()),
    })
    .await?;
    scene.secret("token", json!({ "token": "t" })).await?;
    let repository = format!("{}/org/app", git.url);
    for (name, kind, address) in [
        ("chat", "slack", &scene.recorder.url),
        ("status", "github", &repository),
        ("comment", "githubpullrequestcomment", &repository),
    ] {
        scene
            .provider(name, json!({ "type": kind, "address": address, "secretRef": { "name": "token" } }))
            .await?;
        scene.alert(name, json!({ "providerRef": { "name": name } })).await?;
    }
    scene.alert("all", json!({})).await?;
    scene.settle().await?;
    let sha = "69b59063470310ebbd88a9156325322a124e55a3";
    let revision = format!("main@sha1:{sha}");
    let metadata = |more: Value| {
        let mut metadata = json!({ "kustomize.toolkit.fluxcd.io/revision": revision });
        for (key, value) in more.as_object().into_iter().flatten() {
            metadata[key] = value.clone();
        }
        json!({ "metadata": metadata })
    };
    scene.send("updated", metadata(json!({ "kustomize.toolkit.fluxcd.io/commit_status": "update" }))).await?;
    let generic = scene.recorder.message("updated").await?;
    assert_eq!(generic.json()["metadata"]["commit_status"], "update");
    let post = git.wait("a status", |request| request.method == "POST").await?;
    assert_eq!(post.uri, format!("/api/v3/repos/org/app/statuses/{sha}"));
    assert_eq!(post.json()["state"], "success");
    assert_eq!(post.headers["authorization"], "Bearer t");
    let context = post.json()["context"].as_str().unwrap().to_owned();
    assert!(
        context.starts_with("kustomization/apps/") && context.len() == "kustomization/apps/".len() + 8,
        "{context}"
    );

    scene.send("plain", metadata(json!({}))).await?;
    let mut failed = metadata(json!({}));
    failed["severity"] = json!("error");
    failed["reason"] = json!("HealthCheckFailed");
    scene.send("broken", failed).await?;
    git.wait("a failure", |request| request.json()["state"] == "failure").await?;
    let statuses = |git: &super::recorder::Recorder| {
        git.seen().iter().filter(|request| request.uri.contains("/statuses/")).count()
    };
    assert_eq!(statuses(&git), 2, "the plain event has no commit");
    scene
        .controller
        .logged("the drop", |line| {
            line["msg"] == "event dropped for commit status providers due to missing commit metadata key"
                && line["alerts"] == json!([format!("{}/status", scene.namespace)])
                && line["eventInvolvedObject"]["name"] == "apps"
        })
        .await?;

    let mut request = metadata(json!({ "event.toolkit.fluxcd.io/change_request": "42" }));
    request["reason"] = json!("Progressing");
    scene.send("commented", request).await?;
    let comment = git
        .wait("a comment", |request| request.uri.ends_with("/issues/42/comments") && request.method == "POST")
        .await?;
    assert!(comment.json()["body"].as_str().unwrap().contains("commented"));
    scene.settle().await?;
    let chats =
        scene.recorder.seen().iter().filter(|request| request.json()["attachments"].is_array()).count();
    assert_eq!(chats, 3, "plain, broken and commented");
    Ok(())
}

/// Cases 26 to 30.
#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_merged_for_each_alert() -> Result<()> {
    let scene = Scene::new().await?;
    let added = json!({ "env": "prod", "revision": "mine", "summary": "from metadata" });
    scene.alert("merging", json!({ "eventMetadata": added, "summary": "from spec" })).await?;
    scene.provider("am", json!({ "type": "alertmanager", "address": scene.recorder.url })).await?;
    scene.alert("am", json!({ "providerRef": { "name": "am" } })).await?;
    scene.settle().await?;
    let metadata = json!({
        "event.toolkit.fluxcd.io/env": "dev",
        "kustomize.toolkit.fluxcd.io/revision": "r1",
        "helm.toolkit.fluxcd.io/x": "dropped",
    });
    scene.send("merged", json!({ "metadata": metadata })).await?;
    let event = scene.recorder.message("merged").await?.json();
    assert_eq!(event["metadata"], json!({ "env": "prod", "revision": "r1", "summary": "from spec" }));
    let alerts = scene.recorder.wait("an alert", |request| request.json().is_array()).await?.json();
    assert_eq!(alerts[0]["labels"]["alertname"], "FluxKustomizationReconciliationsucceeded");
    assert_eq!(
        (&alerts[0]["labels"]["env"], &alerts[0]["endsAt"]),
        (&json!("dev"), &json!("0001-01-01T00:00:00Z"))
    );
    scene.complaint("merging", "Warning MetadataAppendFailed metadata key conflicts detected").await?;
    let events = scene.objects("v1", "Event")?.list(&Default::default()).await?;
    let told = events.iter().find_map(|event| event.metadata.annotations.as_ref()?.get("env").cloned());
    assert_eq!(told.as_deref(), Some("involved object annotations, Alert object .spec.eventMetadata"));
    Ok(())
}

//! How deliveries go: cases 22, 32 to 39, 46, 47, 54, 55, 58, and secrets that stay secret.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use testkit::git::{HttpServer, ServerOptions};

use super::recorder::Recorder;
use super::scene::Scene;

/// Case 32. The waits between the attempts are those of Flux: 2, 4, 8 and 16 s.
#[tokio::test(flavor = "multi_thread")]
async fn failing_servers_are_asked_again() -> Result<()> {
    let scene = Scene::new().await?;
    let weak =
        Recorder::with(|number, _| if number < 3 { (500, "later".to_owned()) } else { (200, String::new()) })
            .await?;
    let refusing = Recorder::with(|_, _| (400, "no such channel".to_owned())).await?;
    let broken = Recorder::with(|_, _| (500, "never".to_owned())).await?;
    for (name, url) in [("weak", &weak.url), ("refusing", &refusing.url), ("broken", &broken.url)] {
        scene.provider(name, json!({ "type": "generic", "address": url, "timeout": "60s" })).await?;
        scene.alert(name, json!({ "providerRef": { "name": name } })).await?;
    }
    scene.settle().await?;
    scene.send("persistent", json!({})).await?;
    let complaint = scene.complaint("refusing", "NotificationDispatchFailed").await?;
    let id = format!("Kustomization/{}/apps", scene.namespace);
    assert_eq!(
        complaint,
        format!(
            "Warning NotificationDispatchFailed failed to send notification for {id}: postMessage failed: request failed: request failed with status code 400: no such channel"
        )
    );
    for _ in 0..400 {
        if weak.seen().len() == 4 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    scene.settle().await?;
    assert_eq!((weak.seen().len(), refusing.seen().len()), (4, 1));
    assert!(scene.events("weak").await?.is_empty());
    scene.complaint("broken", "giving up after 5 attempt(s)").await?;
    assert_eq!(broken.seen().len(), 5);
    Ok(())
}

/// Case 33.
#[tokio::test(flavor = "multi_thread")]
async fn hanging_servers_are_given_up() -> Result<()> {
    let scene = Scene::new().await?;
    // Takes connections and says nothing.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    scene.provider("hanging", json!({ "type": "generic", "address": url, "timeout": "1s" })).await?;
    scene.alert("hanging", json!({ "providerRef": { "name": "hanging" } })).await?;
    scene.settle().await?;
    scene.send("patient", json!({})).await?;
    scene.complaint("hanging", "context deadline exceeded").await?;
    Ok(())
}

/// Cases 22, 34, 47, 54 and 58: what is wrong with a Provider is told at its Alert.
#[tokio::test(flavor = "multi_thread")]
async fn providers_that_cannot_work_are_told() -> Result<()> {
    let scene = Scene::new().await?;
    scene.secret("unquoted", json!({ "headers": "X-A: 1" })).await?;
    scene.secret("login", json!({ "username": "user", "password": "password", "token": "token-1" })).await?;
    let address = &scene.recorder.url;
    let cases = [
        (
            "no-secret",
            json!({ "type": "generic", "address": address, "secretRef": { "name": "missing" } }),
            "failed to get secret",
        ),
        (
            "unquoted",
            json!({ "type": "generic", "address": address, "secretRef": { "name": "unquoted" } }),
            "failed to read headers",
        ),
        (
            "zulip",
            json!({ "type": "zulip", "address": address, "channel": "stream", "secretRef": { "name": "login" } }),
            "invalid Zulip channel 'stream'",
        ),
        (
            "identity",
            json!({ "type": "generic", "address": address, "serviceAccountName": "sa" }),
            "ObjectLevelWorkloadIdentity feature gate",
        ),
        (
            "no-address",
            json!({ "type": "generic" }),
            "failed to initialize notifier for provider 'no-address'",
        ),
        (
            "no-key",
            json!({ "type": "github", "address": "https://github.example/org/app", "commitStatusExpr": "event.metadata.missing + ''", "secretRef": { "name": "login" } }),
            "no such key: missing",
        ),
        (
            "no-string",
            json!({ "type": "github", "address": "https://github.example/org/app", "commitStatusExpr": "1", "secretRef": { "name": "login" } }),
            "expected string, got int",
        ),
        (
            "digest",
            json!({ "type": "github", "address": "https://github.example/org/app", "secretRef": { "name": "login" } }),
            "failed to extract commit hash",
        ),
    ];
    for (name, spec, _) in &cases {
        scene.provider(name, spec.clone()).await?;
        scene.alert(name, json!({ "providerRef": { "name": name } })).await?;
    }
    scene.settle().await?;
    let revision = format!("latest@sha256:{}", "a".repeat(64));
    let metadata = json!({ "kustomize.toolkit.fluxcd.io/revision": revision });
    scene.send("wrong", json!({ "severity": "error", "metadata": metadata })).await?;
    for (name, _, text) in &cases {
        let complaint = scene.complaint(name, "NotificationDispatchFailed").await?;
        assert!(complaint.contains(text), "{name}: {complaint}");
    }
    // Case 55: the API server knows which types have commit statuses.
    let refused = scene.provider("slack", json!({ "type": "slack", "commitStatusExpr": "'x'" })).await;
    let refused = format!("{:#}", refused.expect_err("refused"));
    assert!(refused.contains("spec.commitStatusExpr is only supported for the 'github'"), "{refused}");
    Ok(())
}

/// Cases 34 and 35.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_beat_specs() -> Result<()> {
    let scene = Scene::new().await?;
    let proxy = Recorder::start().await?;
    scene
        .secret(
            "both",
            json!({ "address": format!("{}/secret", scene.recorder.url), "headers": "X-A: \"1\"" }),
        )
        .await?;
    scene.secret("proxy", json!({ "address": proxy.url, "username": "u", "password": "p" })).await?;
    let spec =
        json!({ "type": "generic", "address": "http://spec.invalid", "secretRef": { "name": "both" } });
    scene.provider("both", spec).await?;
    let proxied = json!({
        "type": "generic", "address": "http://target.invalid/x", "proxy": "http://127.0.0.1:1",
        "proxySecretRef": { "name": "proxy" },
    });
    scene.provider("proxied", proxied).await?;
    for name in ["both", "proxied"] {
        scene.alert(name, json!({ "providerRef": { "name": name } })).await?;
    }
    scene.settle().await?;
    scene.send("routed", json!({})).await?;
    let received = scene.recorder.message("routed").await?;
    assert_eq!((received.uri.as_str(), received.headers["x-a"].as_str()), ("/secret", "1"));
    let through = proxy.message("routed").await?;
    assert_eq!(through.uri, "http://target.invalid/x");
    assert_eq!(through.headers["proxy-authorization"], "Basic dTpw");
    Ok(())
}

/// Case 36: a server with a CA of its own that wants to see a certificate. It is no chat, so what it answers is an error.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_those_of_the_secret() -> Result<()> {
    let scene = Scene::new().await?;
    let options = ServerOptions { tls: true, client_certificates: true, ..ServerOptions::default() };
    let server = HttpServer::with(options).await?;
    let (certificate, key) = server.client_certificate()?;
    scene.secret("ca", json!({ "ca.crt": server.ca() })).await?;
    scene.secret("pair", json!({ "ca.crt": server.ca(), "tls.crt": certificate, "tls.key": key })).await?;
    scene.secret("half", json!({ "tls.crt": certificate })).await?;
    let cases = [
        ("without", json!(null), "certificate signed by unknown authority"),
        ("ca", json!({ "name": "ca" }), "failed to execute request"),
        ("pair", json!({ "name": "pair" }), "request failed with status code"),
        ("half", json!({ "name": "half" }), "contains 'tls.crt' but missing 'tls.key'"),
    ];
    for (name, reference, _) in &cases {
        let mut spec = json!({ "type": "generic", "address": server.url("x"), "timeout": "1s" });
        if !reference.is_null() {
            spec["certSecretRef"] = reference.clone();
        }
        scene.provider(name, spec).await?;
        scene.alert(name, json!({ "providerRef": { "name": name } })).await?;
    }
    scene.settle().await?;
    scene.send("sealed", json!({})).await?;
    for (name, _, text) in cases {
        let complaint = scene.complaint(name, "NotificationDispatchFailed").await?;
        assert!(complaint.contains(text), "{name}: {complaint}");
    }
    Ok(())
}

/// Case 37, and no secret in any log line, Event or metric.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_stay_secret() -> Result<()> {
    let scene = Scene::with(&["--log-level=trace"]).await?;
    // A server that repeats what it was sent.
    let parrot = Recorder::with(|_, request| {
        (
            400,
            format!(
                "{} {} {}",
                request.uri,
                request.headers.get("authorization").cloned().unwrap_or_default(),
                String::from_utf8_lossy(&request.body)
            ),
        )
    })
    .await?;
    scene
        .secret(
            "canary",
            json!({
                "token": "canary-token", "username": "u", "password": "canary-password",
                "headers": "Authorization: Bearer canary-header",
                "address": format!("{}/canary-path?key=canary-query", parrot.url),
            }),
        )
        .await?;
    let kinds = [
        "generic",
        "generic-hmac",
        "slack",
        "discord",
        "rocket",
        "msteams",
        "googlechat",
        "webex",
        "lark",
        "matrix",
        "opsgenie",
        "alertmanager",
        "grafana",
        "pagerduty",
        "datadog",
        "zoom",
        "incident.io",
        "otel",
        "github",
        "gitlab",
        "gitea",
        "telegram",
        "sentry",
        "azuredevops",
        "bitbucket",
        "bitbucketserver",
        "nats",
        "zulip",
    ];
    for kind in kinds {
        let name = kind.replace('.', "-");
        let spec =
            json!({ "type": kind, "channel": "a/b", "secretRef": { "name": "canary" }, "timeout": "2s" });
        scene.provider(&name, spec).await?;
        scene.alert(&name, json!({ "providerRef": { "name": name } })).await?;
    }
    scene.secret("hook", json!({ "token": "canary-hook" })).await?;
    let receiver = json!({ "type": "gitlab", "secretRef": { "name": "hook" }, "resources": [] });
    let path = scene.receiver("hook", receiver).await?;
    scene.settle().await?;
    let metadata = json!({ "kustomize.toolkit.fluxcd.io/revision": "main@sha1:69b59063470310ebbd88a9156325322a124e55a3" });
    scene.send("sung", json!({ "severity": "error", "metadata": metadata })).await?;
    scene.hook(&path, &[("x-gitlab-token", "canary-guess")], "canary-body").await?;
    for kind in ["generic", "slack", "github", "msteams", "zoom"] {
        let complaint = scene.complaint(kind, "NotificationDispatchFailed").await?;
        assert!(complaint.contains("*****") || kind == "github", "{complaint}");
    }
    scene.settle().await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut told = scene.controller.log();
    for kind in kinds {
        told.extend(scene.events(&kind.replace('.', "-")).await?);
    }
    told.push(reqwest::get(scene.controller.metrics_url()).await?.text().await?);
    let leaks: Vec<&String> = told.iter().filter(|line| line.contains("canary-")).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    Ok(())
}

/// The guard against requests to the inside, which is off by default.
#[tokio::test(flavor = "multi_thread")]
async fn local_addresses_can_be_refused() -> Result<()> {
    let scene = Scene::with(&["--block-local-addresses"]).await?;
    scene.alert("inside", json!({})).await?;
    // The beacon is refused too, so its own complaint shows that the Alerts are known.
    for attempt in 0..200 {
        scene.send(&format!("to the inside {attempt}"), json!({})).await?;
        if scene.events("inside").await?.iter().any(|event| event.contains("it is a loopback address")) {
            assert!(scene.recorder.seen().is_empty());
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("no complaint: {:#?}", scene.events("inside").await?)
}

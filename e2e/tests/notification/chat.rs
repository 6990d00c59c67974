//! All together: a push calls a webhook, the source reconciles at once, its Kustomization is applied or fails, and a chat
//! learns of it.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use testkit::Controller;
use testkit::git::{Change, HttpServer, ServerOptions};

use super::recorder::Received;
use super::scene::Scene;

/// What Slack takes: texts where it wants texts, known colours, fields with titles.
fn is_slack_message(body: &Value) -> Result<()> {
    let texts = |value: &Value, keys: &[&str]| keys.iter().all(|key| value[*key].is_string());
    ensure!(texts(body, &["channel", "username"]), "{body}");
    let attachments = body["attachments"].as_array().filter(|list| list.len() == 1);
    let attachment = attachments.and_then(|list| list.first()).cloned().unwrap_or_default();
    ensure!(texts(&attachment, &["fallback", "color", "author_name", "text"]), "{body}");
    ensure!(matches!(attachment["color"].as_str(), Some("good" | "warning" | "danger")), "{body}");
    ensure!(attachment["mrkdwn_in"] == json!(["text"]), "{body}");
    for field in attachment["fields"].as_array().into_iter().flatten() {
        ensure!(texts(field, &["title", "value"]) && field["short"].is_boolean(), "{body}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_ends_in_a_message() -> Result<()> {
    let scene = Scene::new().await?;
    let events = format!("--events-addr={}", scene.controller.events_url().unwrap());
    let shard = format!("--watch-label-selector=scene={}", scene.namespace);
    let source = Controller::source(scene.plane)?.flag(&events).flag(&shard).start().await?;
    let kustomize = Controller::kustomize(scene.plane)?.flag(&events).flag(&shard).start().await?;
    let git = HttpServer::with(ServerOptions::default()).await?;
    let repo = git.create("shop.git")?;
    let config = |value: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: shop}}\ndata: {{value: {value}}}\n")
    };
    repo.commit("main", "first", &[Change::file("deploy/config.yaml", config("one"))])?;

    scene.secret("slack", json!({ "address": format!("{}/services/T/B/x", scene.recorder.url) })).await?;
    scene
        .provider("slack", json!({ "type": "slack", "channel": "general", "secretRef": { "name": "slack" } }))
        .await?;
    let sources = json!([{ "kind": "Kustomization", "name": "*" }, { "kind": "GitRepository", "name": "*" }]);
    scene.alert("slack", json!({ "providerRef": { "name": "slack" }, "eventSources": sources })).await?;
    scene.secret("token", json!({ "token": "t" })).await?;
    let resources = json!([{ "kind": "GitRepository", "name": "shop" }]);
    scene.settle().await?;
    let labelled = |kind: &str, api_version: &str, spec: Value| {
        json!({
            "apiVersion": api_version, "kind": kind, "spec": spec,
            "metadata": { "name": "shop", "namespace": scene.namespace, "labels": { "scene": scene.namespace } },
        })
        .to_string()
    };
    let repository = json!({ "url": git.url("shop.git"), "interval": "1h", "ref": { "branch": "main" } });
    scene.plane.apply(&labelled("GitRepository", "source.toolkit.fluxcd.io/v1", repository)).await?;
    let kustomization = json!({
        "interval": "1h", "path": "./deploy", "prune": true, "targetNamespace": scene.namespace,
        "sourceRef": { "kind": "GitRepository", "name": "shop" },
    });
    scene.plane.apply(&labelled("Kustomization", "kustomize.toolkit.fluxcd.io/v1", kustomization)).await?;
    scene.plane.ready("kustomize.toolkit.fluxcd.io/v1", "Kustomization", &scene.namespace, "shop").await?;
    let path = scene
        .receiver(
            "push",
            json!({ "type": "generic", "secretRef": { "name": "token" }, "resources": resources }),
        )
        .await?;

    let message = |object: &'static str, color: &'static str, contains: String| {
        move |request: &Received| {
            let body = request.json();
            let attachment = &body["attachments"][0];
            attachment["author_name"].as_str().is_some_and(|name| name.starts_with(object))
                && attachment["color"] == color
                && body.to_string().contains(&contains)
        }
    };
    // A commit that cannot be built, pushed and told by the webhook: an hour is the interval otherwise.
    let broken = repo.commit("main", "broken", &[Change::file("deploy/config.yaml", "kind: [")])?;
    assert_eq!(scene.hook(&path, &[], "").await?, 200);
    let fetched =
        scene.recorder.wait("the artifact", message("gitrepository/shop", "good", broken.clone())).await?;
    is_slack_message(&fetched.json())?;
    let failed = scene.recorder.wait("the failure", message("kustomization/shop", "danger", broken)).await?;
    is_slack_message(&failed.json())?;

    let mended = repo.commit("main", "mended", &[Change::file("deploy/config.yaml", config("two"))])?;
    assert_eq!(scene.hook(&path, &[], "").await?, 200);
    let recovered =
        scene.recorder.wait("the recovery", message("kustomization/shop", "good", mended)).await?;
    is_slack_message(&recovered.json())?;
    let applied = scene.objects("v1", "ConfigMap")?.get("shop").await?;
    assert_eq!(applied.data["data"]["value"], "two");
    drop((source, kustomize));
    Ok(())
}

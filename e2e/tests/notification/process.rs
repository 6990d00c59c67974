//! The process: cases 59, 82, 83, 84 and 85.

use anyhow::Result;
use kube::api::DeleteParams;
use serde_json::json;
use testkit::Controller;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::recorder::Recorder;
use super::scene::{BETA, Scene, V1, plane};

/// Cases 82 and 83.
#[tokio::test(flavor = "multi_thread")]
async fn finalizers_come_and_go() -> Result<()> {
    let scene = Scene::new().await?;
    let providers = scene.objects(BETA, "Provider")?;
    let has =
        |object: &serde_json::Value| object["metadata"]["finalizers"] == json!(["finalizers.fluxcd.io"]);
    scene.plane.wait_for(&providers, "recorder", "a finalizer", has).await?;
    providers.delete("recorder", &DeleteParams::default()).await?;
    scene.plane.gone(&providers, "recorder").await?;
    scene
        .plane
        .apply(&serde_json::to_string(&json!({
            "apiVersion": BETA, "kind": "Alert",
            "metadata": { "name": "old", "namespace": scene.namespace, "finalizers": ["finalizers.fluxcd.io"] },
            "spec": { "providerRef": { "name": "p" }, "eventSources": [] },
        }))?)
        .await?;
    let alerts = scene.objects(BETA, "Alert")?;
    scene
        .plane
        .wait_for(&alerts, "old", "no finalizer", |object| object["metadata"].get("finalizers").is_none())
        .await?;
    scene
        .complaint("old", "Normal Migration removed finalizer from Alert to migrate to static Alert")
        .await?;
    Ok(())
}

/// Case 59: an event that is on its way when the process is asked to stop is taken in and delivered; nobody else gets in.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_its_way_is_finished() -> Result<()> {
    let scene = Scene::with(&[]).await?;
    scene.alert("all", json!({})).await?;
    scene.settle().await?;
    let url = scene.controller.events_url().unwrap();
    let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let body = scene.event("last words", json!({})).to_string();
    let (first, rest) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(&address).await?;
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{first}", body.len());
    stream.write_all(head.as_bytes()).await?;
    // Another request over another connection is answered, so this one has begun.
    scene.send("before", json!({})).await?;
    let ended = async { scene.controller.terminate().await };
    let finish = async {
        for _ in 0..6000 {
            if TcpStream::connect(&address).await.is_err() {
                stream.write_all(rest.as_bytes()).await?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await?;
                return Ok(answer);
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        anyhow::bail!("connections are still accepted")
    };
    let (status, answer) = tokio::try_join!(ended, finish)?;
    assert!(status.success() && answer.starts_with("HTTP/1.1 202 "), "{status} {answer}");
    assert!(scene.delivered().contains(&"last words".to_owned()));
    Ok(())
}

/// Case 82: what was counted for a Provider goes with it.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_cached_and_counted() -> Result<()> {
    let scene = Scene::with(&[]).await?;
    let git = Recorder::with(|_, request| match request.uri.as_str() {
        uri if uri.ends_with("/access_tokens") => (201, r#"{"token":"short-lived"}"#.to_owned()),
        _ => (204, String::new()),
    })
    .await?;
    let key = std::process::Command::new("openssl").args(["genrsa", "2048"]).output()?;
    let key = String::from_utf8(key.stdout)?;
    scene
        .secret(
            "app",
            json!({
                "githubAppID": "1", "githubAppInstallationID": "2", "githubAppPrivateKey": key,
                "githubAppBaseURL": git.url,
            }),
        )
        .await?;
    let spec = json!({ "type": "githubdispatch", "address": format!("{}/org/app", git.url), "secretRef": { "name": "app" } });
    scene.provider("dispatch", spec).await?;
    scene.alert("dispatch", json!({ "providerRef": { "name": "dispatch" } })).await?;
    scene.settle().await?;
    for message in ["first", "second"] {
        scene.send(message, json!({})).await?;
        let dispatched =
            git.wait(message, |request| request.json()["client_payload"]["message"] == message).await?;
        assert_eq!(dispatched.headers["authorization"], "Bearer short-lived");
    }
    let exchanges = git.seen().iter().filter(|request| request.uri.ends_with("/access_tokens")).count();
    assert_eq!(exchanges, 1, "the second event uses the token of the first");
    let events = |samples: &testkit::metrics::Samples, event: &str| {
        samples.sum(
            "gotk_token_cache_events_total",
            &[
                ("event_type", event),
                ("kind", "Provider"),
                ("name", "dispatch"),
                ("namespace", &scene.namespace),
                ("operation", "post"),
            ],
        )
    };
    let samples = scene.controller.metrics().await?;
    assert_eq!((events(&samples, "cache_miss"), events(&samples, "cache_hit")), (1.0, 1.0));
    assert_eq!(samples.sum("gotk_token_cached_items", &[]), 1.0);
    assert_eq!(samples.sum("gotk_token_cache_requests_total", &[("status", "success")]), 2.0);
    let providers = scene.objects(BETA, "Provider")?;
    providers.delete("dispatch", &DeleteParams::default()).await?;
    scene.plane.gone(&providers, "dispatch").await?;
    for _ in 0..600 {
        let text = reqwest::get(scene.controller.metrics_url()).await?.text().await?;
        if !text.contains(r#"name="dispatch""#) {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    anyhow::bail!("the series of a Provider that is gone are still there")
}

/// Cases 59 and 85: what does not lead answers all the same, and one that stops leaves the other the lead.
#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_share_the_work() -> Result<()> {
    let first = Scene::with(&["--enable-leader-election"]).await?;
    let second = Controller::notification(plane().await?)?.flag("--enable-leader-election").start().await?;
    first.repository("shop", json!({})).await?;
    first.secret("token", json!({ "token": "t" })).await?;
    let resources = json!([{ "kind": "GitRepository", "name": "shop" }]);
    let spec = json!({ "type": "generic", "secretRef": { "name": "token" }, "resources": resources });
    let path = first.receiver("hook", spec).await?;
    first.alert("all", json!({})).await?;
    first.settle().await?;
    // The second knows the Alert a little later, perhaps.
    let event_url = second.events_url().unwrap();
    let mut attempt = 0;
    while !first.delivered().iter().any(|message| message.starts_with("to the second")) {
        let event = first.event(&format!("to the second {attempt}"), json!({}));
        let status = first.http.post(&event_url).body(event.to_string()).send().await?.status().as_u16();
        assert_eq!(status, 202);
        attempt += 1;
        anyhow::ensure!(attempt < 600, "the second replica delivers nothing");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let hook = format!("{}{path}", second.hooks_url().unwrap());
    assert_eq!(first.http.post(&hook).send().await?.status().as_u16(), 200);
    let leads = async |metrics: testkit::metrics::Samples| metrics.sum("leader_election_master_status", &[]);
    assert_eq!(leads(first.controller.metrics().await?).await + leads(second.metrics().await?).await, 1.0);
    assert_eq!(leads(second.metrics().await?).await, 0.0);
    assert!(first.controller.terminate().await?.success());
    // The one that is left takes over.
    first
        .patch(
            V1,
            "Receiver",
            "hook",
            json!({ "metadata": { "annotations": { "reconcile.fluxcd.io/requestedAt": "now" } } }),
        )
        .await?;
    let receivers = first.objects(V1, "Receiver")?;
    first
        .plane
        .wait_for(&receivers, "hook", "the second replica leads", |object| {
            object["status"]["lastHandledReconcileAt"] == "now"
        })
        .await?;
    assert!(second.terminate().await?.success());
    Ok(())
}

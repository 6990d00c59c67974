//! Events at the notification endpoint.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::scene::Scene;

type Seen = Arc<Mutex<Vec<Value>>>;

/// An endpoint that answers with the given statuses, the last one for ever.
async fn endpoint(statuses: &[u16]) -> Result<(String, Seen)> {
    let seen = Seen::default();
    let statuses = statuses.to_vec();
    let handler = move |State(seen): State<Seen>, Json(event): Json<Value>| async move {
        let mut seen = seen.lock().unwrap();
        seen.push(event);
        let status = statuses.get(seen.len() - 1).or(statuses.last()).copied().unwrap_or(202);
        StatusCode::from_u16(status).unwrap()
    };
    let router = Router::new().route("/", axum::routing::post(handler)).with_state(Arc::clone(&seen));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("--events-addr=http://{}/", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((url, seen))
}

async fn wait_for(seen: &Seen, count: usize) -> Vec<Value> {
    for _ in 0..600 {
        let events = seen.lock().unwrap().clone();
        if events.len() >= count {
            return events;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    seen.lock().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_posted_in_the_form_of_flux_and_retried() -> Result<()> {
    let (flag, seen) = endpoint(&[503, 202]).await?;
    let scene = Scene::with(Default::default(), &[&flag]).await?;
    scene
        .plane
        .apply(&serde_json::to_string(&json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {
                "name": "shop", "namespace": scene.namespace, "labels": { "scene": scene.namespace },
                "annotations": { "event.toolkit.fluxcd.io/team": "web", "other": "x" },
            },
            "spec": { "url": scene.url(), "interval": "1h", "ref": { "branch": "main" } },
        }))?)
        .await?;
    let object = scene.ready("shop").await?;
    let events = wait_for(&seen, 2).await;
    assert_eq!(events.len(), 2, "the first answer was 503");
    let event = &events[1];
    assert_eq!(event, &events[0]);
    let artifact = &object["status"]["artifact"];
    assert_eq!(event["involvedObject"]["kind"], "GitRepository");
    assert_eq!(event["involvedObject"]["apiVersion"], "source.toolkit.fluxcd.io/v1");
    assert_eq!(event["involvedObject"]["namespace"], scene.namespace);
    assert_eq!(event["involvedObject"]["name"], "shop");
    assert_eq!(event["involvedObject"]["uid"], object["metadata"]["uid"]);
    assert_eq!((&event["severity"], &event["reason"]), (&json!("info"), &json!("NewArtifact")));
    assert_eq!(event["message"], "stored artifact for commit 'The first commit of the shop'");
    assert_eq!(event["reportingController"], "source-controller");
    assert_eq!(
        event["metadata"],
        json!({
            "event.toolkit.fluxcd.io/team": "web",
            "source.toolkit.fluxcd.io/revision": artifact["revision"],
            "source.toolkit.fluxcd.io/digest": artifact["digest"],
        })
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_is_not_posted_again_and_failures_are_errors() -> Result<()> {
    let (flag, seen) = endpoint(&[429]).await?;
    let scene = Scene::with(Default::default(), &[&flag]).await?;
    scene.apply("shop", json!({})).await?;
    scene.ready("shop").await?;
    wait_for(&seen, 1).await;
    scene.apply("bad", json!({ "provider": "github" })).await?;
    scene.unready("bad", "InvalidProviderConfiguration").await?;
    let events = wait_for(&seen, 2).await;
    assert_eq!(events.len(), 2, "429 means known already: {events:?}");
    assert_eq!(
        (&events[1]["severity"], &events[1]["reason"]),
        (&json!("error"), &json!("InvalidProviderConfiguration"))
    );
    assert!(!scene.source.log().iter().any(|line| line.contains("unable to record event")));
    Ok(())
}

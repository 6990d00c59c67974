//! The event endpoint: cases 1 to 11 and 84.

use anyhow::Result;
use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::scene::Scene;

const PREFIX: &str = "kustomize.toolkit.fluxcd.io";

/// Cases 1 to 4.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_delivered_once() -> Result<()> {
    let scene = Scene::new().await?;
    scene.alert("all", json!({})).await?;
    scene.settle().await?;
    let with = |key: &str, value: &str| json!({ "metadata": { format!("{PREFIX}/{key}"): value } });
    let first = scene.event("applied", with("revision", "main@sha1:1"));
    let answer = scene.post(&first).await?;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert_eq!(answer.headers()["x-ratelimit-limit"], "1");
    assert!(answer.headers()["x-ratelimit-reset"].to_str()?.ends_with("UTC"));
    assert_eq!(answer.text().await?, "");
    let received = scene.recorder.message("applied").await?;
    assert_eq!(received.method, "POST");
    assert_eq!(received.headers["gotk-component"], "kustomize-controller");
    assert_eq!(received.headers["content-type"], "application/json");
    assert_eq!(received.json()["metadata"], json!({ "revision": "main@sha1:1" }));

    let again = scene.post(&first).await?;
    assert_eq!(again.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(again.headers().contains_key("retry-after"));
    let status = async |change| {
        Ok::<_, anyhow::Error>(scene.post(&scene.event("applied", change)).await?.status().as_u16())
    };
    assert_eq!(status(with("revision", "main@sha1:2")).await?, 202);
    let mut failed = with("revision", "main@sha1:2");
    failed["severity"] = json!("error");
    assert_eq!(status(failed).await?, 429);
    assert_eq!(status(json!({ "metadata": { format!("{PREFIX}/checksum"): "1" } })).await?, 202);
    assert_eq!(status(json!({ "metadata": { format!("{PREFIX}/checksum"): "2" } })).await?, 429);
    assert_eq!(status(with("token", "secret-1")).await?, 202);
    assert_eq!(status(with("token", "secret-2")).await?, 202);
    scene.settle().await?;
    assert_eq!(scene.delivered().iter().filter(|message| *message == "applied").count(), 5);
    assert!(
        !scene
            .recorder
            .seen()
            .iter()
            .any(|request| String::from_utf8_lossy(&request.body).contains("secret-"))
    );
    Ok(())
}

/// Cases 5, 6, 8 and 84.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_limited_and_read_leniently() -> Result<()> {
    let scene = Scene::with(&["--export-http-path-metrics"]).await?;
    let url = scene.controller.events_url().unwrap();
    let status = async |body: String| {
        Ok::<_, anyhow::Error>(scene.http.post(&url).body(body).send().await?.status().as_u16())
    };
    for body in ["[]", "", "x", r#"{"metadata":{"a":5}}"#] {
        assert_eq!(status(body.to_owned()).await?, 400, "{body}");
    }
    let of_size = |size: usize| {
        let frame = scene.event("", json!({})).to_string();
        scene.event(&"x".repeat(size - frame.len()), json!({})).to_string()
    };
    let limit = 3 * 1024 * 1024;
    assert_eq!(of_size(limit).len(), limit);
    assert_eq!(status(of_size(limit)).await?, 202);
    // The server may hang up before all of it is sent.
    let over = scene.http.post(&url).body(of_size(limit + 1)).send().await;
    assert!(over.is_err() || over.is_ok_and(|answer| answer.status() == StatusCode::PAYLOAD_TOO_LARGE));
    // Any method, any path; no Alert is no error.
    let body = scene.event("by GET", json!({})).to_string();
    assert_eq!(scene.http.get(format!("{url}foo")).body(body).send().await?.status(), StatusCode::ACCEPTED);
    assert_eq!(scene.hook("/hook/nothing", &[], "").await?, 404);
    assert_eq!(scene.hook("/other", &[], "").await?, 404);
    for probe in ["readyz", "healthz"] {
        let url = format!("{}/{probe}", scene.controller.health_url());
        assert_eq!(reqwest::get(url).await?.status(), StatusCode::OK, "{probe}");
    }
    let text = reqwest::get(scene.controller.metrics_url()).await?.text().await?;
    for line in [
        r#"gotk_event_http_request_duration_seconds_count{service="",handler="/foo",method="GET",code="202"} 1"#,
        r#"gotk_event_http_request_duration_seconds_count{service="",handler="/",method="POST",code="400"} 4"#,
        r#"gotk_receiver_http_request_duration_seconds_count{service="",handler="/hook/nothing",method="POST",code="404"} 1"#,
        r#"gotk_event_http_requests_inflight{service="",handler="/"} 0"#,
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    Ok(())
}

/// Case 7.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_for_nobody_counts_too() -> Result<()> {
    let scene = Scene::new().await?;
    let event = scene.event("early", json!({}));
    assert_eq!(scene.post(&event).await?.status(), StatusCode::ACCEPTED);
    scene.alert("all", json!({})).await?;
    scene.settle().await?;
    assert_eq!(scene.post(&event).await?.status(), StatusCode::TOO_MANY_REQUESTS);
    scene.settle().await?;
    assert!(scene.delivered().is_empty());
    Ok(())
}

/// Cases 2 and 9: the window ends by itself. Its exact bounds are a matter of the limiter's own tests.
#[tokio::test(flavor = "multi_thread")]
async fn a_window_ends() -> Result<()> {
    let scene = Scene::with(&["--rate-limit-interval=1s"]).await?;
    let event = scene.event("repeated", json!({}));
    assert_eq!(scene.post(&event).await?.status(), StatusCode::ACCEPTED);
    let mut refused = 0;
    while scene.post(&event).await?.status() == StatusCode::TOO_MANY_REQUESTS {
        refused += 1;
        anyhow::ensure!(refused < 6000, "a window of a second does not end");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Case 10: an account that may read Providers and not Alerts.
#[tokio::test(flavor = "multi_thread")]
async fn without_alerts_an_event_is_accepted() -> Result<()> {
    let plane = super::scene::plane().await?;
    let namespace = plane.namespace("forbidden").await?;
    let role = format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: blind, namespace: {namespace}}}\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: {namespace}}}\nrules:\n\
         - apiGroups: [notification.toolkit.fluxcd.io]\n  resources: [providers, receivers]\n  verbs: [get, list, watch]\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {namespace}}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {namespace}}}\n\
         subjects: [{{kind: ServiceAccount, name: blind, namespace: {namespace}}}]\n"
    );
    plane.apply(&role).await?;
    let token = plane.kubectl().run(&["create", "token", "blind", "--namespace", &namespace])?;
    let administrator = std::fs::read_to_string(plane.kubeconfig())?;
    let login = administrator.lines().find(|line| line.contains("user: {token:")).unwrap();
    let blind = administrator.replace(login, &format!("  user: {{token: {}}}", token.trim()));
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("kubeconfig");
    std::fs::write(&path, blind)?;
    let scene = Scene::of_controller(testkit::Controller::notification(plane)?.kubeconfig(path)).await?;
    assert_eq!(scene.post(&scene.event("unseen", json!({}))).await?.status(), StatusCode::ACCEPTED);
    scene
        .controller
        .logged("the Alerts", |line| {
            line["level"] == "error" && line["msg"] == "failed to dispatch the event in time"
        })
        .await?;
    assert!(scene.recorder.seen().is_empty());
    Ok(())
}

async fn connect(scene: &Scene) -> Result<tokio::net::TcpStream> {
    let address = scene.controller.events_url().unwrap();
    let address = address.trim_start_matches("http://").trim_end_matches('/');
    Ok(tokio::net::TcpStream::connect(address).await?)
}

/// Case 11.
#[tokio::test(flavor = "multi_thread")]
async fn heads_are_limited() -> Result<()> {
    let scene = Scene::new().await?;
    let mut stream = connect(&scene).await?;
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n\r\n", "x".repeat(300 * 1024));
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await?;
    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 431");
    Ok(())
}

/// Case 11, its second half: a head that does not end is not waited for.
#[tokio::test(flavor = "multi_thread")]
async fn slow_heads_are_given_up() -> Result<()> {
    let scene = Scene::new().await?;
    let mut stream = connect(&scene).await?;
    stream.write_all(b"POST / HTTP/1.1\r\nHost: x\r\n").await?;
    let mut rest = Vec::new();
    // Ends when the server hangs up; a server that never does leaves the test to its minute.
    tokio::time::timeout(std::time::Duration::from_secs(60), stream.read_to_end(&mut rest)).await??;
    assert!(!String::from_utf8_lossy(&rest).contains(" 202 "), "{}", String::from_utf8_lossy(&rest));
    Ok(())
}

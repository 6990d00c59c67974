//! Much at once. Measurements, so they run only when asked for: `cargo test --release -p e2e --test notification -- --ignored load --nocapture`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::scene::Scene;

/// A kept connection; one request after another.
struct Connection(BufReader<TcpStream>);

impl Connection {
    async fn open(url: &str) -> Result<Self> {
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The status of the answer.
    async fn post(&mut self, path: &str, headers: &str, body: &str) -> Result<u16> {
        let text = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.write_all(text.as_bytes()).await?;
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            ensure!(self.0.read_line(&mut line).await? > 0, "closed");
            let line = line.trim_end().to_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest.split(' ').next().unwrap_or_default().parse()?;
            } else if let Some(rest) = line.strip_prefix("content-length: ") {
                length = rest.parse()?;
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        Ok(status)
    }
}

/// Sends `rate` events a second for a time, none of them twice. Returns how many were accepted.
async fn events(scene: &Scene, rate: u32, time: Duration) -> Result<usize> {
    const CONNECTIONS: u32 = 16;
    let accepted = Arc::new(AtomicUsize::new(0));
    let url = scene.controller.events_url().unwrap();
    let begun = Instant::now();
    let mut senders = Vec::new();
    for sender in 0..CONNECTIONS {
        let mut connection = Connection::open(&url).await?;
        let template = scene.event("NUMBER", json!({})).to_string();
        let accepted = Arc::clone(&accepted);
        senders.push(tokio::spawn(async move {
            let mut number = 0;
            let pause = Duration::from_secs(1) * CONNECTIONS / rate;
            while begun.elapsed() < time {
                let body = template.replace("NUMBER", &format!("load {sender} {number}"));
                if connection.post("/", "", &body).await? == 202 {
                    accepted.fetch_add(1, Ordering::Relaxed);
                }
                number += 1;
                // Behind schedule, the next one goes at once.
                let due = begun + pause * number;
                tokio::time::sleep_until(due.into()).await;
            }
            anyhow::Ok(())
        }));
    }
    for sender in senders {
        sender.await??;
    }
    Ok(accepted.load(Ordering::Relaxed))
}

async fn all_delivered(scene: &Scene, expected: usize) -> Result<()> {
    for _ in 0..600 {
        let seen = scene.recorder.seen().len();
        if seen >= expected {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("{} of {expected} events were delivered", scene.recorder.seen().len())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn a_thousand_events_a_second_are_all_delivered() -> Result<()> {
    let scene = Scene::with(&["--log-level=error"]).await?;
    scene.alert("all", json!({})).await?;
    scene.settle().await?;
    let before = scene.recorder.seen().len();
    let begun = Instant::now();
    let accepted = events(&scene, 1000, Duration::from_secs(30)).await?;
    let took = begun.elapsed();
    all_delivered(&scene, before + accepted).await?;
    println!(
        "{accepted} events accepted in {:.1} s and delivered in {:.1} s, CPU {:.1} s, peak {} MiB",
        took.as_secs_f64(),
        begun.elapsed().as_secs_f64(),
        scene.controller.process().cpu_seconds().unwrap_or_default(),
        scene.controller.process().peak_rss_kib().unwrap_or_default() / 1024,
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn a_flood_of_bad_calls_does_no_harm() -> Result<()> {
    let scene = Scene::with(&["--log-level=error"]).await?;
    scene.alert("all", json!({})).await?;
    scene.secret("token", json!({ "token": "t" })).await?;
    let path = scene
        .receiver("hook", json!({ "type": "github", "secretRef": { "name": "token" }, "resources": [] }))
        .await?;
    scene.settle().await?;
    let before = scene.recorder.seen().len();
    let calls = Arc::new(AtomicUsize::new(0));
    let url = scene.controller.hooks_url().unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    let mut callers = Vec::new();
    for caller in 0..32 {
        let (url, path, calls) = (url.clone(), path.clone(), Arc::clone(&calls));
        callers.push(tokio::spawn(async move {
            let mut connection = Connection::open(&url).await?;
            // Mostly paths that nobody has; some reach a Receiver and are refused.
            let (path, body) = if caller % 16 == 0 { (path.as_str(), "{") } else { ("/hook/0000", "x") };
            while Instant::now() < end {
                let status = connection.post(path, "Content-Type: application/json\r\n", body).await?;
                ensure!(matches!(status, 400 | 404), "{status}");
                calls.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        }));
    }
    let accepted = events(&scene, 100, Duration::from_secs(10)).await?;
    for caller in callers {
        caller.await??;
    }
    all_delivered(&scene, before + accepted).await?;
    println!(
        "{} bad calls in 10 s beside {accepted} events, all delivered; peak {} MiB",
        calls.load(Ordering::Relaxed),
        scene.controller.process().peak_rss_kib().unwrap_or_default() / 1024,
    );
    Ok(())
}

//! Many releases at rest for a long time. Figures are printed each minute; `FLUX_HELM_CONTROLLER` lets Flux's own
//! controller rest instead of ours, for comparison:
//! `MILLRACE_SOAK=30 cargo test --release -p e2e --test helm_release -- --ignored --nocapture two_hundred`.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use serde_json::json;
use testkit::Running;

use super::charts;
use super::peer::started;
use super::scene::Scene;

const RELEASES: usize = 200;
/// Minutes, unless `MILLRACE_SOAK` says otherwise.
const MINUTES: usize = 30;

/// What a controller has done and holds.
#[derive(Clone, Copy, Debug)]
struct Sample {
    rss_kib: u64,
    cpu_seconds: f64,
    requests: f64,
    writes: f64,
    runs: f64,
}

async fn sample(controller: &Running) -> Result<Sample> {
    let metrics = controller.metrics().await?;
    let requests = |method: &str| metrics.sum("rest_client_requests_total", &[("method", method)]);
    let writes = ["POST", "PUT", "PATCH", "DELETE"].iter().map(|method| requests(method)).sum::<f64>();
    let process = controller.process();
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(Sample {
        rss_kib: line.split_whitespace().next().context("no size")?.parse()?,
        cpu_seconds: process.cpu_seconds().context("the controller is gone")?,
        requests: writes + requests("GET"),
        writes,
        runs: metrics.sum("gotk_reconcile_duration_seconds_count", &[]),
    })
}

/// Case 51.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half an hour"]
async fn two_hundred_releases_at_rest() -> Result<()> {
    let minutes = match std::env::var("MILLRACE_SOAK") {
        Ok(minutes) => minutes.parse()?,
        Err(_) => MINUTES,
    };
    let mut scene = Scene::new().await?;
    if let Ok(path) = std::env::var("FLUX_HELM_CONTROLLER") {
        scene.controller.kill()?;
        scene.controller = started(&scene, Path::new(&path)).await?;
    }
    scene.chart("web", &charts::web("1.0.0")?).await?;
    let scene = &scene;
    futures::stream::iter((0..RELEASES).map(Ok))
        .try_for_each_concurrent(8, async |number| {
            let name = format!("web-{number}");
            scene
                .release(&name, json!({"interval": "1m", "values": {"color": format!("c{number}")}}))
                .await?;
            scene.ready(&name).await.map(|_| ())
        })
        .await?;
    // Whoever was made last has come to rest, and everybody was looked at once more.
    let minute = Duration::from_secs(60);
    tokio::time::sleep(minute * 2).await;

    let begun = Instant::now();
    let mut samples = vec![sample(&scene.controller).await?];
    for number in 1..=minutes {
        tokio::time::sleep_until((begun + minute * u32::try_from(number)?).into()).await;
        let now = sample(&scene.controller).await?;
        let before = samples[samples.len() - 1];
        println!(
            "minute {number}: {:.1} MiB, {:.0} ms CPU, {} runs, {} requests, {} writes",
            now.rss_kib as f64 / 1024.0,
            (now.cpu_seconds - before.cpu_seconds) * 1000.0,
            now.runs - before.runs,
            now.requests - before.requests,
            now.writes - before.writes,
        );
        samples.push(now);
    }
    let (first, last) = (samples[0], samples[samples.len() - 1]);
    let runs = last.runs - first.runs;
    println!(
        "{minutes} minutes: {runs} runs, {:.3} requests and {:.3} ms CPU a run, {} writes, {:.1} to {:.1} MiB",
        (last.requests - first.requests) / runs,
        (last.cpu_seconds - first.cpu_seconds) * 1000.0 / runs,
        last.writes - first.writes,
        first.rss_kib as f64 / 1024.0,
        last.rss_kib as f64 / 1024.0,
    );
    // Each interval is a minute give or take a twentieth.
    let wanted = (RELEASES * minutes) as f64;
    ensure!((runs - wanted).abs() <= wanted * 0.1, "{runs} runs instead of {wanted}");
    let mean = |samples: &[Sample]| {
        samples.iter().map(|sample| sample.rss_kib as f64).sum::<f64>() / samples.len() as f64
    };
    let third = samples.len().div_ceil(3);
    let (early, late) = (mean(&samples[..third]), mean(&samples[samples.len() - third..]));
    ensure!(late <= early * 1.05, "memory grew from {early} to {late} KiB");
    if std::env::var_os("FLUX_HELM_CONTROLLER").is_none() {
        ensure!(last.writes == first.writes, "a release at rest was written");
    }
    Ok(())
}

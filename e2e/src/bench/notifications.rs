//! notification-controller under load: many events at once, and a flood of calls that must not get in.
//!
//! The load comes from this process, which shares the machine: it writes ready-made requests, several at a time, and looks
//! for no more in the answers than it has to. What it costs is printed beside what the controller costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use testkit::{ControlPlane, Controller, Process, Profile, Running, built};
use tokio::time::sleep;

use crate::Notifications;
use crate::wire::{Connection, Sink};

const HOME: &str = "flux-system";
const BETA: &str = "notification.toolkit.fluxcd.io/v1beta3";
const RECEIVERS: (&str, &str) = ("notification.toolkit.fluxcd.io/v1", "Receiver");
/// How long anything may take to settle.
const PATIENCE: Duration = Duration::from_secs(60);
/// Connections that events come over, and that bad calls come over.
const SENDERS: u64 = 8;
const CALLERS: u64 = 32;
/// Bad calls that are written at once.
const AT_ONCE: u64 = 16;

pub(crate) async fn run(options: &Notifications) -> Result<()> {
    let program = match &options.our_bin {
        Some(dir) => dir.join("notification-controller"),
        None => tokio::task::spawn_blocking(|| built("notification-controller", Profile::Release)).await??,
    };
    let plane = ControlPlane::start().await?;
    plane.install_crds().await?;
    plane.apply(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {HOME}}}\n")).await?;
    let controller = Controller::notification_at(&plane, &program)?.start().await?;
    let bench = Bench { sink: Sink::start().await?, plane, controller };
    bench.set_up().await?;
    bench.events(options.rate, Duration::from_secs(options.seconds)).await?;
    bench.flood(options.calls, Duration::from_secs(options.flood_seconds)).await
}

struct Bench {
    plane: ControlPlane,
    controller: Running,
    sink: Sink,
}

/// What a phase cost so far.
struct Cost {
    at: Instant,
    controller: f64,
    own: f64,
}

impl Bench {
    /// A Provider, an Alert, a Receiver; waits until they are known.
    async fn set_up(&self) -> Result<()> {
        let object = |api_version: &str, kind: &str, name: &str, spec: Value| {
            json!({ "apiVersion": api_version, "kind": kind, "spec": spec,
                "metadata": { "name": name, "namespace": HOME } })
            .to_string()
        };
        let provider = json!({ "type": "generic", "address": self.sink.url });
        let source = json!([{ "kind": "Kustomization", "name": "*" }]);
        let alert = json!({ "providerRef": { "name": "sink" }, "eventSources": source });
        let secret = json!({ "apiVersion": "v1", "kind": "Secret", "stringData": { "token": "t" },
            "metadata": { "name": "token", "namespace": HOME } });
        let receiver =
            |kind: &str| json!({ "type": kind, "secretRef": { "name": "token" }, "resources": [] });
        for manifest in [
            object(BETA, "Provider", "sink", provider),
            object(BETA, "Alert", "all", alert),
            secret.to_string(),
            object(RECEIVERS.0, RECEIVERS.1, "signed", receiver("github")),
            object(RECEIVERS.0, RECEIVERS.1, "open", receiver("generic")),
        ] {
            self.plane.apply(&manifest).await?;
        }
        let mut connection = Connection::open(&self.events_url()?).await?;
        let end = Instant::now() + PATIENCE;
        // Numbers from the far end: none of them is used again.
        let mut number = u64::MAX;
        while self.sink.seen() == 0 {
            ensure!(Instant::now() < end, "the controller does not see its Alert");
            connection.exchange(&event(number), 1, "202").await?;
            number -= 1;
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    fn events_url(&self) -> Result<String> {
        self.controller.events_url().context("notification-controller takes no events")
    }

    async fn path(&self, name: &str) -> Result<String> {
        let object = self.plane.ready(RECEIVERS.0, RECEIVERS.1, HOME, name).await?;
        let path = object.pointer("/status/webhookPath").and_then(Value::as_str);
        Ok(path.context("no webhook path")?.to_owned())
    }

    fn cost(&self) -> Cost {
        let own = Process::of("bench", std::process::id());
        Cost {
            at: Instant::now(),
            controller: self.controller.process().cpu_seconds().unwrap_or_default(),
            own: own.cpu_seconds().unwrap_or_default(),
        }
    }

    fn peak_mib(&self) -> u64 {
        self.controller.process().peak_rss_kib().unwrap_or_default() / 1024
    }

    /// Sends events, none twice, and waits until each has been delivered.
    async fn events(&self, rate: u64, time: Duration) -> Result<()> {
        let (peak, before, begun) = (self.peak_mib(), self.sink.seen(), self.cost());
        let accepted = send_events(&self.events_url()?, 0, rate, time).await?;
        let sent = begun.at.elapsed();
        self.delivered(before + accepted).await?;
        let (all, now) = (begun.at.elapsed(), self.cost());
        println!(
            "events: {accepted} accepted in {:.1} s ({:.0}/s), each delivered once, the last after {:.1} s",
            sent.as_secs_f64(),
            per_second(accepted, sent),
            all.as_secs_f64()
        );
        self.print_cost(&begun, &now, accepted, peak);
        Ok(())
    }

    /// Calls webhooks without a right to, while events come in and a caller with a right calls.
    async fn flood(&self, rate: u64, time: Duration) -> Result<()> {
        let (signed, open) = (self.path("signed").await?, self.path("open").await?);
        let url = self.controller.hooks_url().context("notification-controller takes no webhooks")?;
        let (peak, before, begun) = (self.peak_mib(), self.sink.seen(), self.cost());
        let refused = Arc::new(AtomicU64::new(0));
        let wanted = (rate * time.as_secs()).div_ceil(CALLERS * AT_ONCE);
        let mut callers = Vec::new();
        for caller in 0..CALLERS {
            let (url, signed, refused) = (url.clone(), signed.clone(), Arc::clone(&refused));
            callers.push(tokio::spawn(async move {
                let one = bad_call(caller, &signed);
                let batch = one.repeat(usize::try_from(AT_ONCE)?);
                let mut connection = Connection::open(&url).await?;
                let pause = Duration::from_secs(1).mul_f64((CALLERS * AT_ONCE) as f64 / rate as f64);
                let (begun, mut number) = (Instant::now(), 0_u32);
                while u64::from(number) < wanted {
                    connection.exchange(&batch, AT_ONCE, "40").await?;
                    refused.fetch_add(AT_ONCE, Ordering::Relaxed);
                    number += 1;
                    tokio::time::sleep_until((begun + pause * number).into()).await;
                }
                anyhow::Ok(())
            }));
        }
        let events_url = self.events_url()?;
        let events = send_events(&events_url, 1_000_000_000, 100, time);
        let (accepted, slowest) = tokio::try_join!(events, good_calls(&url, &open, time))?;
        for caller in callers {
            caller.await??;
        }
        let took = begun.at.elapsed();
        self.delivered(before + accepted).await?;
        self.controller.wait_until_ready().await?;
        let (now, refused) = (self.cost(), refused.load(Ordering::Relaxed));
        println!(
            "flood: {refused} bad calls refused in {:.1} s ({:.0}/s); beside them {accepted} events, each delivered once, and {} good calls, each answered 200, the slowest after {} ms",
            took.as_secs_f64(),
            per_second(refused, took),
            slowest.0,
            slowest.1.as_millis()
        );
        self.print_cost(&begun, &now, refused, peak);
        Ok(())
    }

    async fn delivered(&self, expected: u64) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while self.sink.seen() < expected {
            ensure!(Instant::now() < end, "{} of {expected} events were delivered", self.sink.seen());
            sleep(Duration::from_millis(10)).await;
        }
        ensure!(
            self.sink.seen() == expected && self.sink.repeated() == 0,
            "{} events were delivered more often than once",
            self.sink.repeated()
        );
        Ok(())
    }

    fn print_cost(&self, before: &Cost, after: &Cost, count: u64, peak: u64) {
        let (controller, own) = (after.controller - before.controller, after.own - before.own);
        println!(
            "  controller {controller:.2} s of CPU ({:.0} us each), peak {peak} -> {} MiB; the load itself {own:.2} s of CPU",
            controller * 1e6 / count.max(1) as f64,
            self.peak_mib()
        );
    }
}

fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// A request with an event of its own.
fn event(number: u64) -> Vec<u8> {
    let body = json!({
        "involvedObject": {
            "kind": "Kustomization", "namespace": HOME, "name": "apps", "uid": "1-2",
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        },
        "severity": "info", "timestamp": "2026-11-21T10:00:00Z", "message": format!("#{number}#"),
        "reason": "ReconciliationSucceeded", "reportingController": "kustomize-controller",
        "metadata": { "kustomize.toolkit.fluxcd.io/revision": "main@sha1:69b59063470310ebbd88a9156325322a124e55a3" },
    })
    .to_string();
    format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Sends `rate` events a second, numbered from `first`. Gives how many there were; each has been accepted.
async fn send_events(url: &str, first: u64, rate: u64, time: Duration) -> Result<u64> {
    let wanted = (rate * time.as_secs()).div_ceil(SENDERS);
    let mut senders = Vec::new();
    for sender in 0..SENDERS {
        let mut connection = Connection::open(url).await?;
        senders.push(tokio::spawn(async move {
            let pause = Duration::from_secs(1).mul_f64(SENDERS as f64 / rate as f64);
            let (begun, mut number) = (Instant::now(), 0_u32);
            while u64::from(number) < wanted {
                connection.exchange(&event(first + u64::from(number) * SENDERS + sender), 1, "202").await?;
                number += 1;
                // Behind schedule, the next one goes at once.
                tokio::time::sleep_until((begun + pause * number).into()).await;
            }
            anyhow::Ok(u64::from(number))
        }));
    }
    let mut sent = 0;
    for sender in senders {
        sent += sender.await??;
    }
    Ok(sent)
}

/// A call that nobody may make: most know no path, some know one and sign nothing or send nonsense.
fn bad_call(caller: u64, signed: &str) -> Vec<u8> {
    let call = |path: &str, headers: &str, body: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
            .into_bytes()
    };
    let unknown = format!("/hook/{}", "0".repeat(64));
    let json = "content-type: application/json\r\n";
    match caller % 8 {
        0 => call(signed, json, "{}"),
        1 => call(signed, &format!("{json}x-hub-signature-256: sha256=00\r\n"), "{\"a\":"),
        2 => call(&unknown, "authorization: Bearer a.b.c\r\n", "["),
        3 => call("/hook/../..%00", json, ""),
        _ => call(&unknown, json, "{\"ref\":\"refs/heads/main\"}"),
    }
}

/// Calls a webhook with the right to, over and over. Gives how often, and the longest wait for an answer.
async fn good_calls(url: &str, path: &str, time: Duration) -> Result<(u64, Duration)> {
    let call = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").into_bytes();
    let mut connection = Connection::open(url).await?;
    let (begun, mut count, mut slowest) = (Instant::now(), 0, Duration::ZERO);
    while begun.elapsed() < time {
        let asked = Instant::now();
        connection.exchange(&call, 1, "200").await?;
        slowest = slowest.max(asked.elapsed());
        count += 1;
        sleep(Duration::from_millis(50)).await;
    }
    Ok((count, slowest))
}

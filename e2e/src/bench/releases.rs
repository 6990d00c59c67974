//! Helm releases from created to Ready, phase by phase.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use artifact::{Algorithm, FileMode, Writer};
use e2e::converge::converge;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use testkit::{
    Audit, ControlPlane, Controller, Options, Process, Profile, Running, Signal, built, is_ready, signal,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Releases;
use crate::fleet::HOME;
use crate::requests::{self, Requests};

/// How long a phase may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// What runs on after the last object is Ready (events, status) belongs to the phase.
const SETTLE: Duration = Duration::from_secs(2);
/// Runs because their time has come: nobody asked, and nothing has changed.
const AT_INTERVAL: &str = "at interval";
/// Runs that somebody asked for, and nothing has changed.
const NO_OP: &str = "no-op";
const INTERVAL: &str = "5s";
const SOURCE: &str = "source.toolkit.fluxcd.io/v1";
const CONTROLLER: &str = "helm-controller";

pub(crate) async fn run(options: &Releases) -> Result<()> {
    let mut runs = Vec::new();
    if let Some(dir) = &options.flux_bin {
        runs.push(shown(measure("Flux", &program(dir)?, options).await?));
    }
    if !options.only_flux {
        let ours = match &options.our_bin {
            Some(dir) => program(dir)?,
            None => built(CONTROLLER, Profile::Release)?,
        };
        runs.push(shown(measure("Millrace", &ours, options).await?));
    }
    if let [peer, ours] = runs.as_slice() {
        println!("\n{} / {}:", peer.title, ours.title);
        for (theirs, phase) in peer.phases.iter().zip(&ours.phases) {
            let ratio = |theirs: f64, ours: f64| theirs / ours.max(0.01);
            let wall = match phase.name {
                AT_INTERVAL => format!("{:>12}", ""),
                _ => format!(" wall {:>6.1}x", ratio(theirs.wall.as_secs_f64(), phase.wall.as_secs_f64())),
            };
            println!(
                "{:<14}{wall}  controller's CPU {:>6.1}x  API server's CPU {:>5.1}x",
                phase.name,
                ratio(theirs.cpu, phase.cpu),
                ratio(theirs.api_server_cpu, phase.api_server_cpu)
            );
        }
        println!("peak RSS {:.1}x", peer.peak_mib / ours.peak_mib);
    }
    Ok(())
}

fn program(dir: &Path) -> Result<std::path::PathBuf> {
    dir.join(CONTROLLER).canonicalize().with_context(|| format!("no {CONTROLLER} in {}", dir.display()))
}

struct Run {
    title: &'static str,
    setup: String,
    phases: Vec<Phase>,
    peak_mib: f64,
}

struct Phase {
    name: &'static str,
    wall: Duration,
    cpu: f64,
    api_server_cpu: f64,
    from: Timestamp,
    to: Timestamp,
    requests: Requests,
}

fn shown(run: Run) -> Run {
    let mut out = format!("\n{}: {}\n", run.title, run.setup);
    let _ = writeln!(out, "{:<14}{:>9}{:>14}{:>13}", "", "wall s", "helm-ctrl CPU", "API srv CPU");
    for phase in &run.phases {
        let wall = phase.wall.as_secs_f64();
        let _ =
            writeln!(out, "{:<14}{wall:>9.2}{:>14.3}{:>13.2}", phase.name, phase.cpu, phase.api_server_cpu);
    }
    let _ = writeln!(out, "peak RSS: {:.1} MiB", run.peak_mib);
    for phase in &run.phases {
        let verbs = phase.requests.get(CONTROLLER).into_iter().flatten();
        let shown: Vec<String> = verbs.map(|(verb, count)| format!("{verb} {count}")).collect();
        let _ = writeln!(out, "requests, {:<13} {}", format!("{}:", phase.name), shown.join(", "));
    }
    print!("{out}");
    run
}

/// A chart of five objects that the cluster does nothing about, so that the controller is what is measured.
fn archive(version: u32) -> Result<Vec<u8>> {
    let metadata = format!("apiVersion: v2\nname: app\nversion: {version}.0.0\nappVersion: '{version}'\n");
    let object = |kind: &str, rest: &str| {
        format!(
            "apiVersion: v1\nkind: {kind}\nmetadata:\n  name: {{{{ .Release.Name }}}}\n  labels: {{app: '{{{{ .Release.Name }}}}', version: '{{{{ .Chart.AppVersion }}}}'}}\n{rest}"
        )
    };
    let files = [
        ("app/Chart.yaml", metadata),
        ("app/templates/account.yaml", object("ServiceAccount", "")),
        ("app/templates/config.yaml", object("ConfigMap", "data: {color: '{{ .Values.color }}', level: info}\n")),
        ("app/templates/deployment.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: '{{ .Release.Name }}'}\nspec:\n  replicas: 0\n  selector: {matchLabels: {app: '{{ .Release.Name }}'}}\n  template:\n    metadata: {labels: {app: '{{ .Release.Name }}'}}\n    spec: {containers: [{name: app, image: 'app:{{ .Chart.AppVersion }}'}]}\n".to_owned()),
        ("app/templates/secret.yaml", object("Secret", "stringData: {token: not-a-secret}\n")),
        ("app/templates/service.yaml", object("Service", "spec: {selector: {app: '{{ .Release.Name }}'}, ports: [{port: 80}]}\n")),
        ("app/values.yaml", "color: blue\n".to_owned()),
    ];
    let mut writer = Writer::new(Vec::new())?;
    for (path, text) in files {
        writer.file(path, FileMode::Regular, text.as_bytes())?;
    }
    Ok(writer.finish()?)
}

/// Serves an archive to whoever asks, and gives the URL.
async fn serve(archive: Vec<u8>) -> Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/chart.tgz", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let archive = archive.clone();
            tokio::spawn(async move {
                let _ = socket.read(&mut [0; 4096]).await;
                let length = archive.len();
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                let _ = socket.write_all(head.as_bytes()).await;
                let _ = socket.write_all(&archive).await;
                let _ = socket.shutdown().await;
            });
        }
    });
    Ok(url)
}

fn name(number: usize) -> String {
    format!("app-{number:04}")
}

async fn create(objects: &Api<DynamicObject>, object: &Value) -> Result<()> {
    let object: DynamicObject = serde_json::from_value(object.clone())?;
    objects.create(&PostParams::default(), &object).await?;
    Ok(())
}

/// Sets the artifact of the HelmChart, as source-controller would.
async fn publish(charts: &Api<DynamicObject>, version: u32) -> Result<()> {
    let archive = archive(version)?;
    let digest = Algorithm::Sha256.digest(&archive).to_string();
    let url = serve(archive).await?;
    let now = "2026-01-01T00:00:00Z";
    let status = json!({"observedGeneration": 1,
        "artifact": {"url": url, "digest": digest, "revision": format!("{version}.0.0"), "path": "chart.tgz", "lastUpdateTime": now},
        "conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored", "lastTransitionTime": now}]});
    charts.patch_status("app", &PatchParams::default(), &Patch::Merge(json!({"status": status}))).await?;
    Ok(())
}

/// Asks for a run of each release, as `flux reconcile` does.
async fn ask(releases: &Api<DynamicObject>, count: usize, token: &str) -> Result<()> {
    let patch = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": token}}});
    let asked =
        stream::iter(0..count).map(|number| {
            let (releases, patch) = (releases.clone(), Patch::Merge(&patch));
            async move {
                releases.patch_metadata(&name(number), &PatchParams::default(), &patch).await.map(|_| ())
            }
        });
    Ok(asked.buffer_unordered(16).try_collect().await?)
}

async fn measure(title: &'static str, program: &Path, options: &Releases) -> Result<Run> {
    let count = options.releases;
    let setup = format!("{count} HelmReleases of 5 objects, {} workers", options.workers);
    eprintln!("{title}: {setup}");
    let plane = ControlPlane::start_with(Options { audit: Audit::Requests, ..Options::default() }).await?;
    plane.install_crds().await?;
    plane.kubectl().run(&["create", "namespace", HOME])?;
    let charts = plane.objects(SOURCE, "HelmChart", Some(HOME))?;
    create(
        &charts,
        &json!({"apiVersion": SOURCE, "kind": "HelmChart", "metadata": {"name": "app", "namespace": HOME},
        "spec": {"chart": "app", "interval": "1h", "sourceRef": {"kind": "HelmRepository", "name": "none"}}}),
    )
    .await?;
    publish(&charts, 1).await?;
    let controller = Controller::helm_at(&plane, program)?
        .flag(format!("--concurrent={}", options.workers))
        .start()
        .await?;
    let releases = plane.objects("helm.toolkit.fluxcd.io/v2", "HelmRelease", Some(HOME))?;
    let meter = Meter { plane: &plane, controller: &controller };
    let at_version = |version: u32| {
        let wanted = format!("{version}.0.0");
        move |object: &Value| {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
            is_ready(object)
                && text("/status/history/0/chartVersion") == Some(&wanted)
                && text("/status/history/0/status") == Some("deployed")
        }
    };
    let mut phases = Vec::new();
    let install = async {
        let created = stream::iter(0..count).map(|number| {
            let (releases, name) = (releases.clone(), name(number));
            async move {
                let object = json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
                    "metadata": {"name": name, "namespace": HOME},
                    "spec": {"interval": "1h", "chartRef": {"kind": "HelmChart", "name": "app"}, "values": {"color": name}}});
                create(&releases, &object).await
            }
        });
        let create_all = async { created.buffer_unordered(16).try_collect::<()>().await };
        tokio::try_join!(create_all, converge(&releases, count, PATIENCE, at_version(1))).map(|_| ())
    };
    phases.push(meter.phase("install", install).await?);
    let upgrade = async {
        publish(&charts, 2).await?;
        converge(&releases, count, PATIENCE, at_version(2)).await
    };
    phases.push(meter.phase("upgrade", upgrade).await?);
    phases.push(meter.no_op(&releases, options).await?);
    let every = |object: &Value| {
        let generation = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
        object.pointer("/spec/interval").and_then(Value::as_str) == Some(INTERVAL)
            && generation("/status/observedGeneration") == generation("/metadata/generation")
            && is_ready(object)
    };
    let often = async {
        for number in 0..count {
            let patch = json!({"spec": {"interval": INTERVAL}});
            releases.patch(&name(number), &PatchParams::default(), &Patch::Merge(&patch)).await?;
        }
        Ok(())
    };
    tokio::try_join!(often, converge(&releases, count, PATIENCE, every))?;
    let rest = async {
        tokio::time::sleep(Duration::from_secs(options.idle)).await;
        Ok(())
    };
    phases.push(meter.phase(AT_INTERVAL, rest).await?);
    let peak_mib = controller.process().peak_rss_kib().context("helm-controller is gone")? as f64 / 1024.0;
    Ok(Run { title, setup, phases: meter.requests(phases).await?, peak_mib })
}

struct Meter<'a> {
    plane: &'a ControlPlane,
    controller: &'a Running,
}

impl Meter<'_> {
    fn cpu(&self) -> Result<(f64, f64)> {
        let record = self.plane.record().context("the plane is ours")?;
        let api_server = record.processes.iter().find(|process| process.name == "kube-apiserver");
        let of = |process: Option<&Process>| {
            process.and_then(Process::cpu_seconds).context("a measured process is gone; see its log")
        };
        Ok((of(Some(self.controller.process()))?, of(api_server)?))
    }

    /// Every release asked for, round after round, while there is nothing to do: what a round takes in the mean.
    ///
    /// The controller pauses while the releases are asked for, which is the benchmark's own work.
    async fn no_op(&self, releases: &Api<DynamicObject>, options: &Releases) -> Result<Phase> {
        let pid = self.controller.process().pid;
        let mut wall = Duration::ZERO;
        let rounds = async {
            for round in 0..options.rounds {
                let token = format!("round {round}");
                signal(pid, Signal::Pause)?;
                let asked = ask(releases, options.releases, &token).await;
                signal(pid, Signal::Continue)?;
                asked?;
                let handled = |object: &Value| {
                    object.pointer("/status/lastHandledReconcileAt").and_then(Value::as_str) == Some(&token)
                        && is_ready(object)
                };
                let begun = Instant::now();
                converge(releases, options.releases, PATIENCE, handled).await?;
                wall += begun.elapsed();
            }
            Ok(())
        };
        let all = self.phase(NO_OP, rounds).await?;
        let mean = |sum: f64| sum / f64::from(options.rounds);
        let (cpu, api_server_cpu) = (mean(all.cpu), mean(all.api_server_cpu));
        Ok(Phase { wall: wall / options.rounds, cpu, api_server_cpu, ..all })
    }

    async fn phase(&self, name: &'static str, work: impl Future<Output = Result<()>>) -> Result<Phase> {
        let (from, before) = (Timestamp::now(), self.cpu()?);
        let begun = Instant::now();
        work.await
            .with_context(|| format!("phase {name}; the log:\n{}", self.controller.log().join("\n")))?;
        let wall = begun.elapsed();
        tokio::time::sleep(SETTLE).await;
        let (to, after) = (Timestamp::now(), self.cpu()?);
        eprintln!("  {name}: {:.2} s", wall.as_secs_f64());
        let (cpu, api_server_cpu) = (after.0 - before.0, after.1 - before.1);
        Ok(Phase { name, wall, cpu, api_server_cpu, from, to, requests: Requests::new() })
    }

    /// Fills in the requests of each phase, once the API server has written them down.
    async fn requests(&self, mut phases: Vec<Phase>) -> Result<Vec<Phase>> {
        tokio::time::sleep(SETTLE).await;
        let log = self.plane.record().context("the plane is ours")?.dir.join("audit.log");
        for phase in &mut phases {
            phase.requests = requests::count(&log, phase.from, phase.to)?;
        }
        Ok(phases)
    }
}

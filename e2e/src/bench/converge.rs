//! From created to Ready, phase by phase.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use e2e::converge::converge;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use testkit::git::HttpServer;
use testkit::{Audit, ControlPlane, Controller, Options, Process, Profile, Running, built, is_ready};

use crate::Converge;
use crate::fleet::{self, HOME};
use crate::report::{self, Phase, Run};
use crate::requests;

/// How long a phase may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// What runs on after the last object is Ready (events, status) belongs to the phase.
const SETTLE: Duration = Duration::from_secs(2);

pub(crate) async fn run(options: &Converge) -> Result<()> {
    let mut runs = Vec::new();
    if let Some(dir) = &options.flux_bin {
        let programs = Programs::of(dir)?;
        runs.push(shown(measure("Flux", &programs, options).await?));
    }
    if !options.only_flux {
        let programs = match &options.our_bin {
            Some(dir) => Programs::of(dir)?,
            None => Programs {
                source: built("source-controller", Profile::Release)?,
                kustomize: built("kustomize-controller", Profile::Release)?,
            },
        };
        runs.push(shown(measure("Millrace", &programs, options).await?));
    }
    if let [peer, ours] = runs.as_slice() {
        print!("{}", report::ratios(peer, ours));
    }
    Ok(())
}

/// A run's table is printed as soon as it is known.
fn shown(run: Run) -> Run {
    print!("{}", report::table(&run));
    run
}

struct Programs {
    source: PathBuf,
    kustomize: PathBuf,
}

impl Programs {
    fn of(dir: &std::path::Path) -> Result<Self> {
        let find = |name: &str| {
            dir.join(name).canonicalize().with_context(|| format!("no {name} in {}", dir.display()))
        };
        Ok(Self { source: find("source-controller")?, kustomize: find("kustomize-controller")? })
    }
}

async fn measure(title: &'static str, programs: &Programs, options: &Converge) -> Result<Run> {
    let (count, objects) = (options.kustomizations, options.objects);
    let setup = format!(
        "{count} Kustomizations of {objects} objects (mix: {:?}), {} workers",
        options.mix, options.workers
    );
    eprintln!("{title}: {setup}");
    let git = HttpServer::start().await?;
    let repository = git.create("fleet")?;
    repository.commit("main", "first", &fleet::files(count, objects, options.mix, 1))?;

    let plane = ControlPlane::start_with(Options { audit: Audit::Requests, ..Options::default() }).await?;
    plane.install_crds().await?;
    plane.kubectl().run(&["create", "namespace", HOME])?;
    plane.kubectl().run(&["create", "namespace", fleet::TARGET])?;
    let workers = format!("--concurrent={}", options.workers);
    let source = Controller::source_at(&plane, &programs.source)?.flag(&workers).start().await?;
    let kustomize = Controller::kustomize_at(&plane, &programs.kustomize)?.flag(&workers).start().await?;

    let sources = plane.objects("source.toolkit.fluxcd.io/v1", "GitRepository", Some(HOME))?;
    let kustomizations = plane.objects("kustomize.toolkit.fluxcd.io/v1", "Kustomization", Some(HOME))?;
    create(&sources, &fleet::source(&git.url("fleet"))).await?;
    plane.ready("source.toolkit.fluxcd.io/v1", "GitRepository", HOME, "fleet").await?;

    let meter = Meter { plane: &plane, source: &source, kustomize: &kustomize };
    let mut phases = Vec::new();
    let at_revision = |commit: String| {
        let revision = format!("main@sha1:{commit}");
        move |object: &Value| {
            is_ready(object)
                && object.pointer("/status/lastAppliedRevision").and_then(Value::as_str)
                    == Some(revision.as_str())
        }
    };

    let first = repository.id("main")?;
    let install = async {
        let created = stream::iter(0..count).map(|number| {
            let kustomizations = kustomizations.clone();
            async move { create(&kustomizations, &fleet::kustomization(number)).await }
        });
        let create_all = async { created.buffer_unordered(16).try_collect::<()>().await };
        let ready = converge(&kustomizations, count, PATIENCE, at_revision(first));
        tokio::try_join!(create_all, ready).map(|_| ())
    };
    phases.push(meter.phase("install", install).await?);

    let second = repository.commit("main", "second", &fleet::files(count, objects, options.mix, 2))?;
    let upgrade = async {
        request(&sources, "fleet", "upgrade").await?;
        converge(&kustomizations, count, PATIENCE, at_revision(second)).await
    };
    phases.push(meter.phase("upgrade", upgrade).await?);

    let forced = async {
        let asked = stream::iter(0..count).map(|number| {
            let kustomizations = kustomizations.clone();
            async move { request(&kustomizations, &fleet::name(number), "forced").await }
        });
        let ask_all = async { asked.buffer_unordered(16).try_collect::<()>().await };
        let handled = |object: &Value| {
            let handled = object.pointer("/status/lastHandledReconcileAt").and_then(Value::as_str);
            handled == Some("forced") && is_ready(object)
        };
        tokio::try_join!(ask_all, converge(&kustomizations, count, PATIENCE, handled)).map(|_| ())
    };
    phases.push(meter.phase("forced no-op", forced).await?);

    let idle = Duration::from_secs(options.idle);
    let rest = async {
        tokio::time::sleep(idle).await;
        Ok(())
    };
    phases.push(meter.phase("idle", rest).await?);

    let peak = |running: &Running| running.process().peak_rss_kib().map(|kib| kib as f64 / 1024.0);
    let run = Run {
        title,
        setup,
        phases: meter.requests(phases).await?,
        source_peak_mib: peak(&source).context("source-controller is gone")?,
        kustomize_peak_mib: peak(&kustomize).context("kustomize-controller is gone")?,
    };
    Ok(run)
}

async fn create(objects: &Api<DynamicObject>, object: &Value) -> Result<()> {
    let object: DynamicObject = serde_json::from_value(object.clone())?;
    objects.create(&PostParams::default(), &object).await?;
    Ok(())
}

/// What `flux reconcile` does.
async fn request(objects: &Api<DynamicObject>, name: &str, token: &str) -> Result<()> {
    let patch = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": token}}});
    objects.patch_metadata(name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    Ok(())
}

struct Meter<'a> {
    plane: &'a ControlPlane,
    source: &'a Running,
    kustomize: &'a Running,
}

/// CPU seconds used so far.
#[derive(Clone, Copy)]
struct Cpu {
    source: f64,
    kustomize: f64,
    api_server: f64,
}

impl Meter<'_> {
    fn cpu(&self) -> Result<Cpu> {
        let record = self.plane.record().context("the plane is ours")?;
        let api_server = record.processes.iter().find(|process| process.name == "kube-apiserver");
        let of = |process: Option<&Process>| {
            process.and_then(Process::cpu_seconds).context("a measured process is gone; see its log")
        };
        Ok(Cpu {
            source: of(Some(self.source.process()))?,
            kustomize: of(Some(self.kustomize.process()))?,
            api_server: of(api_server)?,
        })
    }

    async fn phase(&self, name: &'static str, work: impl Future<Output = Result<()>>) -> Result<Phase> {
        let (from, before) = (Timestamp::now(), self.cpu()?);
        let begun = Instant::now();
        work.await.with_context(|| format!("phase {name}"))?;
        let wall = begun.elapsed();
        tokio::time::sleep(SETTLE).await;
        let (to, after) = (Timestamp::now(), self.cpu()?);
        eprintln!("  {name}: {:.2} s", wall.as_secs_f64());
        Ok(Phase {
            name,
            wall,
            source_cpu: after.source - before.source,
            kustomize_cpu: after.kustomize - before.kustomize,
            api_server_cpu: after.api_server - before.api_server,
            from,
            to,
            requests: requests::Requests::new(),
        })
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

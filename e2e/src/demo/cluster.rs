//! The cluster, the controllers on it, and what all stories do with them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use e2e::converge::converge;
use futures::{StreamExt, pin_mut};
use kube::api::{DeleteParams, DynamicObject};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use testkit::{ControlPlane, Controller, Profile, Running, built, condition, is_ready};
use tokio::task::JoinHandle;

use crate::Options;
use crate::progress::Story;

/// The namespace of the Flux objects: one of the demo's own, so that nothing of the user's is touched.
pub(crate) const HOME: &str = "millrace-demo";
pub(crate) const SOURCES: (&str, &str) = ("source.toolkit.fluxcd.io/v1", "GitRepository");
pub(crate) const KUSTOMIZATIONS: (&str, &str) = ("kustomize.toolkit.fluxcd.io/v1", "Kustomization");
const RECEIVERS: (&str, &str) = ("notification.toolkit.fluxcd.io/v1", "Receiver");
const PROVIDERS: (&str, &str) = ("notification.toolkit.fluxcd.io/v1beta3", "Provider");
const ALERTS: (&str, &str) = ("notification.toolkit.fluxcd.io/v1beta3", "Alert");
/// How long anything may take to converge.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// Our controllers.
pub(crate) struct Programs {
    source: PathBuf,
    kustomize: PathBuf,
    notification: PathBuf,
}

impl Programs {
    /// Builds what is missing: the controllers, and the servers of a cluster.
    pub(crate) async fn ensure(options: &Options) -> Result<Self> {
        let dir = options.controllers.clone();
        tokio::task::spawn_blocking(move || {
            testkit::programs::Servers::ensure()?;
            let program = |name: &str| match &dir {
                Some(dir) => Ok(dir.join(name)),
                None => built(name, Profile::Same),
            };
            Ok(Self {
                source: program("source-controller")?,
                kustomize: program("kustomize-controller")?,
                notification: program("notification-controller")?,
            })
        })
        .await?
    }
}

pub(crate) struct Cluster {
    plane: ControlPlane,
    source: Running,
    kustomize: Running,
    notification: Running,
    /// Whether the cluster is ours to throw away.
    ours: bool,
    /// CRDs that were not there before us.
    new_crds: Vec<String>,
    reporters: Vec<JoinHandle<()>>,
}

impl Cluster {
    pub(crate) async fn prepare(options: &Options, programs: &Programs, story: &mut Story) -> Result<Self> {
        let begun = Instant::now();
        let plane = if options.use_current_context {
            let plane = ControlPlane::existing(&kubeconfig()?).await?;
            story.say("cluster", &format!("the current context: {}", plane.config().cluster_url));
            plane
        } else {
            let plane = ControlPlane::start().await?;
            story.say(
                "cluster",
                &format!("etcd, API server, controllers, scheduler, nodes: {}", plane.config().cluster_url),
            );
            story.measure("to start a cluster", begun.elapsed());
            plane
        };
        let present = plane.kubectl().run(&["get", "crds", "-o", "name"])?;
        plane.install_crds().await?;
        let installed = plane.kubectl().run(&["get", "crds", "-o", "name"])?;
        let new_crds: Vec<String> = installed
            .lines()
            .filter(|name| !present.lines().any(|old| old == *name))
            .map(String::from)
            .collect();
        story.say("CRDs", "installed");
        plane.apply(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {HOME}}}\n")).await?;

        let begun = Instant::now();
        let notification = Controller::notification_at(&plane, &programs.notification)?.start().await?;
        let events = notification.events_url().context("notification-controller takes no events")?;
        let events = format!("--events-addr={events}");
        let source = Controller::source_at(&plane, &programs.source)?.flag(&events).start().await?;
        let kustomize = Controller::kustomize_at(&plane, &programs.kustomize)?.flag(&events).start().await?;
        story.say("controllers", "source-, kustomize- and notification-controller run");
        story.measure("to start the controllers", begun.elapsed());

        let mut cluster = Self {
            plane,
            source,
            kustomize,
            notification,
            ours: !options.use_current_context,
            new_crds,
            reporters: Vec::new(),
        };
        for kind in [SOURCES, KUSTOMIZATIONS] {
            let objects = cluster.objects(kind)?;
            cluster.reporters.push(tokio::spawn(report(objects, kind.1, story.clock())));
        }
        Ok(cluster)
    }

    /// Whether the cluster is ours to break.
    pub(crate) fn ours(&self) -> bool {
        self.ours
    }

    pub(crate) fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    pub(crate) fn objects(&self, kind: (&str, &str)) -> Result<Api<DynamicObject>> {
        self.plane.objects(kind.0, kind.1, Some(HOME))
    }

    /// Creates the source `name` of a repository.
    pub(crate) async fn create_source(&self, name: &str, url: &str, branch: &str) -> Result<()> {
        let source = json!({"apiVersion": SOURCES.0, "kind": SOURCES.1,
            "metadata": {"name": name, "namespace": HOME},
            "spec": {"url": url, "ref": {"branch": branch}, "interval": "10m", "timeout": "60s"}});
        self.plane.apply(&source.to_string()).await
    }

    /// Creates a webhook that makes a source fetch, and gives its address once it can be called.
    pub(crate) async fn create_webhook(&self, source: &str) -> Result<String> {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "webhook", "namespace": HOME},
            "stringData": {"token": "demo"}});
        let receiver = json!({"apiVersion": RECEIVERS.0, "kind": RECEIVERS.1,
            "metadata": {"name": "push", "namespace": HOME},
            "spec": {"type": "generic", "secretRef": {"name": "webhook"},
                "resources": [{"kind": SOURCES.1, "name": source}]}});
        self.plane.apply(&secret.to_string()).await?;
        self.plane.apply(&receiver.to_string()).await?;
        let ready = self.plane.ready(RECEIVERS.0, RECEIVERS.1, HOME, "push").await?;
        let path = ready.pointer("/status/webhookPath").and_then(Value::as_str).context("no webhook path")?;
        let base = self.notification.hooks_url().context("notification-controller takes no webhooks")?;
        Ok(format!("{base}{path}"))
    }

    /// Sends what happens to the Kustomizations to a chat.
    pub(crate) async fn create_alert(&self, chat: &str) -> Result<()> {
        let provider = json!({"apiVersion": PROVIDERS.0, "kind": PROVIDERS.1,
            "metadata": {"name": "chat", "namespace": HOME},
            "spec": {"type": "slack", "channel": "deployments", "address": chat}});
        let alert = json!({"apiVersion": ALERTS.0, "kind": ALERTS.1,
            "metadata": {"name": "chat", "namespace": HOME},
            "spec": {"providerRef": {"name": "chat"},
                "eventSources": [{"kind": KUSTOMIZATIONS.1, "name": "*"}]}});
        self.plane.apply(&provider.to_string()).await?;
        self.plane.apply(&alert.to_string()).await
    }

    /// Waits until `count` Kustomizations have applied `revision` and all they applied is healthy.
    pub(crate) async fn healthy_at(&self, count: usize, revision: &str) -> Result<()> {
        let applied = |object: &Value| {
            let last = object.pointer("/status/lastAppliedRevision").and_then(Value::as_str);
            is_ready(object) && last == Some(revision)
        };
        converge(&self.objects(KUSTOMIZATIONS)?, count, PATIENCE, applied).await
    }

    /// Prints how to reach everything and waits for Ctrl-C.
    pub(crate) async fn keep(&self, story: &Story) -> Result<()> {
        story.chapter("Everything goes on running. In another terminal:");
        println!("  export KUBECONFIG={}", self.plane.kubeconfig().display());
        if let Some(record) = self.plane.record() {
            println!("  {} get gitrepositories,kustomizations -A", record.kubectl.display());
        }
        for running in [&self.source, &self.kustomize, &self.notification] {
            println!("  tail -f {}", running.log_file().display());
        }
        println!("\nCtrl-C stops it and cleans up.");
        tokio::signal::ctrl_c().await?;
        Ok(())
    }

    /// After a failure: what the controllers had to say last.
    pub(crate) fn explain(&self) {
        for (name, running) in [
            ("source-controller", &self.source),
            ("kustomize-controller", &self.kustomize),
            ("notification-controller", &self.notification),
        ] {
            eprintln!("\nlast words of {name}:");
            let log = running.log();
            for line in log.get(log.len().saturating_sub(8)..).unwrap_or_default() {
                eprintln!("  {line}");
            }
        }
    }

    /// Leaves a cluster that is not ours as it was, and stops everything.
    pub(crate) async fn clean_up(self, story: &Story) -> Result<()> {
        if !self.ours {
            story.chapter("Cleaning up");
            for kind in [KUSTOMIZATIONS, SOURCES, RECEIVERS, ALERTS, PROVIDERS] {
                let objects = self.objects(kind)?;
                let names: Vec<String> =
                    objects.list(&Default::default()).await?.iter().map(ResourceExt::name_any).collect();
                for name in &names {
                    objects.delete(name, &DeleteParams::default()).await?;
                }
                for name in &names {
                    self.plane.gone(&objects, name).await?;
                    story.say(&format!("{} {name}", kind.1), "deleted, with all it applied");
                }
            }
            self.plane.kubectl().run(&["delete", "namespace", HOME])?;
        }
        for reporter in &self.reporters {
            reporter.abort();
        }
        self.kustomize.terminate().await?;
        self.source.terminate().await?;
        self.notification.terminate().await?;
        if !self.ours {
            for crd in &self.new_crds {
                self.plane.kubectl().run(&["delete", crd])?;
            }
        }
        Ok(())
    }
}

/// The kubeconfig that kubectl would use.
fn kubeconfig() -> Result<PathBuf> {
    let given = std::env::var_os("KUBECONFIG").and_then(|list| std::env::split_paths(&list).next());
    let home = || std::env::home_dir().map(|home| home.join(".kube/config"));
    let path = given.or_else(home).context("neither KUBECONFIG nor a home directory is set")?;
    if !path.is_file() {
        bail!("no kubeconfig at {}: set KUBECONFIG, or leave out --use-current-context", path.display());
    }
    Ok(path)
}

/// Prints every change of an object's `Ready` condition.
async fn report(objects: Api<DynamicObject>, kind: &'static str, story: Story) {
    let mut said = std::collections::BTreeMap::new();
    let stream = watcher(objects, watcher::Config::default()).default_backoff();
    pin_mut!(stream);
    while let Some(event) = stream.next().await {
        let Ok(Event::Apply(object) | Event::InitApply(object)) = event else { continue };
        let name = object.name_any();
        let Ok(json) = serde_json::to_value(&object) else { continue };
        let Some(ready) = condition(&json, "Ready") else { continue };
        let text = |key: &str| ready.get(key).and_then(Value::as_str).unwrap_or_default();
        let line = match text("status") {
            "True" => text("message").to_owned(),
            "False" => format!("not ready: {}", text("message")),
            _ => "in progress".to_owned(),
        };
        if said.get(&name) != Some(&line) {
            story.say(&format!("{kind} {name}"), &line);
            said.insert(name, line);
        }
    }
}

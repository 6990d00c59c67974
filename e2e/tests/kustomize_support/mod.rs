//! A stage for kustomize-controller: artifacts served over HTTP, sources whose status the test writes itself, and the
//! real controller on the real plane.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use anyhow::{Context, Result};
use artifact::{Algorithm, Error, FileMode, Location, Store};
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use testkit::{ControlPlane, Controller, Running};

/// The kind under test.
pub const KS: (&str, &str) = ("kustomize.toolkit.fluxcd.io/v1", "Kustomization");
const GIT: (&str, &str) = ("source.toolkit.fluxcd.io/v1", "GitRepository");
/// Label that gives a Kustomization to a controller of its own.
const SHARD: &str = "e2e.millrace.dev/shard";

/// Serves artifacts for all tests of a process, on a thread of its own.
struct Shelf {
    store: Store,
    host: String,
}

fn shelf() -> &'static Shelf {
    static SHELF: OnceLock<Shelf> = OnceLock::new();
    SHELF.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap().keep();
        let store = Store::open(&directory).unwrap();
        let app = artifact::server::router(&store);
        let (send, receive) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                send.send(listener.local_addr().unwrap().to_string()).unwrap();
                axum::serve(listener, app).await.unwrap();
            });
        });
        Shelf { store, host: receive.recv().unwrap() }
    })
}

/// A namespace with a controller that looks after it.
pub struct Stage {
    pub plane: &'static ControlPlane,
    pub namespace: String,
    shard: Option<String>,
    revision: AtomicU32,
}

/// Sets up the plane once: CRDs, and the namespace that the controllers run in.
async fn plane() -> Result<&'static ControlPlane> {
    static READY: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    let plane = ControlPlane::shared().await?;
    READY.get_or_try_init(|| plane.install_crds()).await?;
    Ok(plane)
}

/// The controller that all tests of a process share.
async fn shared_controller(plane: &'static ControlPlane) -> Result<()> {
    static SHARED: tokio::sync::OnceCell<Running> = tokio::sync::OnceCell::const_new();
    let start = || async {
        let controller = Controller::kustomize(plane)?.flag(format!("--watch-label-selector=!{SHARD}"));
        controller.flag("--requeue-dependency=2s").flag("--concurrent=8").start().await
    };
    SHARED.get_or_try_init(start).await?;
    Ok(())
}

impl Stage {
    /// A namespace of its own under the shared controller.
    pub async fn new(name: &str) -> Result<Self> {
        let plane = plane().await?;
        shared_controller(plane).await?;
        let namespace = plane.namespace(name).await?;
        Ok(Stage { plane, namespace, shard: None, revision: AtomicU32::new(0) })
    }

    /// A namespace under a controller of its own, with these flags.
    pub async fn with_flags(name: &str, flags: &[&str]) -> Result<(Self, Running)> {
        let plane = plane().await?;
        let namespace = plane.namespace(name).await?;
        let mut controller =
            Controller::kustomize(plane)?.flag(format!("--watch-label-selector={SHARD}={namespace}"));
        for flag in flags {
            controller = controller.flag(*flag);
        }
        let running = controller.start().await?;
        let shard = Some(namespace.clone());
        Ok((Stage { plane, namespace, shard, revision: AtomicU32::new(0) }, running))
    }

    /// The objects of a kind in this namespace.
    pub fn api(&self, api_version: &str, kind: &str) -> Result<Api<DynamicObject>> {
        self.plane.objects(api_version, kind, Some(&self.namespace))
    }

    /// Writes an artifact and puts it into the status of the GitRepository, which is created when missing. Returns the
    /// revision.
    pub async fn publish(&self, repository: &str, files: &[(&str, &str)]) -> Result<String> {
        let (artifact, revision) = self.artifact(repository, files)?;
        self.source(repository, Some(artifact)).await?;
        Ok(revision)
    }

    /// An artifact with these files, as it stands in a status, and its revision.
    pub fn artifact(&self, repository: &str, files: &[(&str, &str)]) -> Result<(Value, String)> {
        let number = self.revision.fetch_add(1, Ordering::SeqCst) + 1;
        let revision = format!("main@sha1:{number:040}");
        let location = Location::new("GitRepository", &self.namespace, repository)?;
        let sorted: BTreeMap<Vec<&str>, &str> =
            files.iter().map(|(path, content)| (path.split('/').collect(), *content)).collect();
        let stored = shelf().store.write_archive::<Error>(
            &location,
            &format!("{number:040}.tar.gz"),
            Algorithm::Sha256,
            |writer| {
                for (path, content) in &sorted {
                    writer.file(&path.join("/"), FileMode::Regular, content.as_bytes())?;
                }
                Ok(())
            },
        )?;
        let artifact = json!({
            "path": stored.path, "url": format!("http://{}/{}", shelf().host, stored.path), "revision": revision,
            "digest": stored.digest.to_string(), "size": stored.size, "lastUpdateTime": "2026-11-21T10:00:00Z",
        });
        Ok((artifact, revision))
    }

    /// Creates a GitRepository when missing and sets its artifact.
    pub async fn source(&self, name: &str, artifact: Option<Value>) -> Result<()> {
        let api = self.api(GIT.0, GIT.1)?;
        if api.get_opt(name).await?.is_none() {
            let object = json!({"apiVersion": GIT.0, "kind": GIT.1, "metadata": {"name": name},
                "spec": {"interval": "1h", "url": "https://example.test/x"}});
            api.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
        }
        let status = json!({"status": {"artifact": artifact, "observedGeneration": 1}});
        api.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await?;
        Ok(())
    }

    /// Creates or changes a Kustomization. Missing required fields of the spec get sensible values.
    pub async fn kustomization(&self, name: &str, spec: Value) -> Result<()> {
        let mut full = json!({"interval": "10m", "retryInterval": "2s", "prune": true, "path": "./",
            "sourceRef": {"kind": "GitRepository", "name": "repo"}});
        merge(&mut full, spec);
        let mut object = json!({"apiVersion": KS.0, "kind": KS.1, "metadata": {"name": name}, "spec": full});
        if let Some(shard) = &self.shard {
            object["metadata"]["labels"] = json!({SHARD: shard});
        }
        let api = self.api(KS.0, KS.1)?;
        let apply = PatchParams::apply("e2e").force();
        api.patch(name, &apply, &Patch::Apply(object)).await?;
        Ok(())
    }

    /// Sends a merge patch to a Kustomization.
    pub async fn patch(&self, name: &str, patch: Value) -> Result<()> {
        self.api(KS.0, KS.1)?.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Asks for a run and waits until it was handled. Returns the object.
    pub async fn reconcile(&self, name: &str) -> Result<Value> {
        static TOKEN: AtomicU32 = AtomicU32::new(0);
        let token = format!("token-{}", TOKEN.fetch_add(1, Ordering::SeqCst));
        self.patch(name, json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": token}}}))
            .await?;
        self.wait(name, "the request to be handled", move |object| {
            object["status"]["lastHandledReconcileAt"] == json!(token)
        })
        .await
    }

    /// Waits until the Kustomization has applied a revision and is ready.
    pub async fn applied(&self, name: &str, revision: &str) -> Result<Value> {
        let revision = revision.to_owned();
        self.wait(name, "the revision to be applied", move |object| {
            object["status"]["lastAppliedRevision"] == json!(revision) && testkit::is_ready(object)
        })
        .await
    }

    /// Waits until Ready has this reason. Returns the object.
    pub async fn reason(&self, name: &str, reason: &str) -> Result<Value> {
        let wanted = reason.to_owned();
        self.wait(name, &format!("Ready to have the reason {reason}"), move |object| {
            testkit::condition(object, "Ready").is_some_and(|ready| ready["reason"] == json!(wanted))
        })
        .await
    }

    /// Waits until the Kustomization fulfils a condition.
    pub async fn wait(&self, name: &str, what: &str, condition: impl Fn(&Value) -> bool) -> Result<Value> {
        self.plane.wait_for(&self.api(KS.0, KS.1)?, name, what, condition).await
    }

    /// An object of this namespace, if it exists.
    pub async fn get(&self, api_version: &str, kind: &str, name: &str) -> Result<Option<Value>> {
        let found = self.api(api_version, kind)?.get_opt(name).await?;
        found.map(|object| serde_json::to_value(&object).context("reading an object")).transpose()
    }

    /// A ConfigMap's data, if it exists.
    pub async fn data(&self, name: &str) -> Result<Option<Value>> {
        Ok(self.get("v1", "ConfigMap", name).await?.map(|object| object["data"].clone()))
    }

    /// The ids of the inventory, in order.
    pub fn inventory(&self, object: &Value) -> Vec<String> {
        let entries = object["status"]["inventory"]["entries"].as_array();
        entries
            .into_iter()
            .flatten()
            .map(|entry| entry["id"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

/// The message of Ready.
pub fn message(object: &Value) -> String {
    testkit::condition(object, "Ready")
        .and_then(|ready| ready["message"].as_str())
        .unwrap_or_default()
        .to_owned()
}

/// A ConfigMap manifest.
pub fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  key: {value:?}\n")
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// Keeps tests that share a controller from being told apart by chance: some must not run together.
pub fn serial() -> &'static Mutex<()> {
    static SERIAL: Mutex<()> = Mutex::new(());
    &SERIAL
}

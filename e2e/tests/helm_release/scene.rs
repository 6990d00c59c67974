//! A namespace, a server of charts, and a helm-controller that sees only this scene's objects; how a test talks to them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::Api;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use testkit::{ControlPlane, Controller, Running, condition};
use tokio::sync::OnceCell;

use super::charts::Server;

pub const HELM: &str = "helm.toolkit.fluxcd.io/v2";
pub const SOURCE: &str = "source.toolkit.fluxcd.io/v1";

pub struct Scene {
    pub plane: &'static ControlPlane,
    pub namespace: String,
    pub controller: Running,
    pub releases: Api<DynamicObject>,
    pub server: Server,
}

pub async fn plane() -> Result<&'static ControlPlane> {
    static READY: OnceCell<()> = OnceCell::const_new();
    let plane = ControlPlane::shared().await?;
    READY.get_or_try_init(|| plane.install_crds()).await?;
    Ok(plane)
}

impl Scene {
    pub async fn new() -> Result<Self> {
        Self::with(&[]).await
    }

    /// A scene whose controller has further flags.
    pub async fn with(flags: &[&str]) -> Result<Self> {
        Self::behind(None, flags).await
    }

    /// A scene whose controller has another kubeconfig than the administrator's, and further flags.
    pub async fn behind(kubeconfig: Option<&Path>, flags: &[&str]) -> Result<Self> {
        let plane = plane().await?;
        let namespace = plane.namespace("helm").await?;
        let controller = Controller::helm(plane)?
            .flag(format!("--watch-label-selector=scene={namespace}"))
            .flag("--feature-gates=ExternalArtifact=true")
            .flag("--http-retry=0");
        let controller = flags.iter().fold(controller, |controller, flag| controller.flag(*flag));
        let controller = match kubeconfig {
            Some(path) => controller.kubeconfig(path),
            None => controller,
        };
        Ok(Self {
            controller: controller.start().await?,
            releases: plane.objects(HELM, "HelmRelease", Some(&namespace))?,
            plane,
            server: Server::start().await?,
            namespace,
        })
    }

    pub async fn apply(&self, object: Value) -> Result<()> {
        self.plane.apply(&object.to_string()).await
    }

    /// An ExternalArtifact with a chart; its revision is the digest.
    pub async fn chart(&self, name: &str, archive: &[u8]) -> Result<()> {
        self.source("ExternalArtifact", name, archive, "1").await
    }

    /// An object that has a chart in a revision, as its controller would leave it.
    pub async fn source(&self, kind: &str, name: &str, archive: &[u8], revision: &str) -> Result<()> {
        let spec = match kind {
            "ExternalArtifact" => json!({}),
            "OCIRepository" => json!({"url": "oci://registry.test/charts/web", "interval": "1h"}),
            _ => {
                json!({"chart": "web", "interval": "1h", "sourceRef": {"kind": "HelmRepository", "name": "none"}})
            }
        };
        self.apply(json!({
            "apiVersion": SOURCE, "kind": kind, "metadata": {"name": name, "namespace": self.namespace}, "spec": spec,
        }))
        .await?;
        let (url, digest) = self.server.publish(archive);
        self.artifact(kind, name, &url, &digest, revision).await
    }

    /// Sets the artifact of a source.
    pub async fn artifact(
        &self,
        kind: &str,
        name: &str,
        url: &str,
        digest: &str,
        revision: &str,
    ) -> Result<()> {
        let objects = self.plane.objects(SOURCE, kind, Some(&self.namespace))?;
        let generation = objects.get(name).await?.metadata.generation;
        let artifact = json!({"url": url, "digest": digest, "revision": revision, "path": "chart.tgz", "lastUpdateTime": "2026-01-01T00:00:00Z"});
        let mut status = json!({"artifact": artifact, "conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded",
            "message": "stored", "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
        if kind != "ExternalArtifact" {
            status["observedGeneration"] = json!(generation);
        }
        objects.patch_status(name, &PatchParams::default(), &Patch::Merge(json!({"status": status}))).await?;
        Ok(())
    }

    /// Applies a HelmRelease on the ExternalArtifact `web`; `spec` goes over that and an interval of an hour.
    pub async fn release(&self, name: &str, spec: Value) -> Result<()> {
        let mut whole = json!({"interval": "1h", "timeout": "20s", "chartRef": {"kind": "ExternalArtifact", "name": "web"}});
        for (key, value) in spec.as_object().into_iter().flatten() {
            match value {
                Value::Null => _ = whole.as_object_mut().expect("an object").remove(key),
                value => whole[key] = value.clone(),
            }
        }
        self.apply(json!({
            "apiVersion": HELM, "kind": "HelmRelease",
            "metadata": {"name": name, "namespace": self.namespace, "labels": {"scene": self.namespace}}, "spec": whole,
        }))
        .await
    }

    pub async fn get(&self, name: &str) -> Result<Value> {
        Ok(serde_json::to_value(self.releases.get(name).await?)?)
    }

    pub async fn until(&self, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
        let waited = self.plane.wait_for(&self.releases, name, what, holds).await;
        waited.with_context(|| format!("the log:\n{}", self.controller.log().join("\n")))
    }

    /// Waits until the object is ready at its generation.
    pub async fn ready(&self, name: &str) -> Result<Value> {
        self.until(name, "Ready", |object| {
            object["status"]["observedGeneration"] == object["metadata"]["generation"]
                && condition(object, "Ready").is_some_and(|ready| ready["status"] == "True")
                && condition(object, "Reconciling").is_none()
        })
        .await
    }

    /// Waits until a condition has a reason.
    pub async fn reason(&self, name: &str, type_: &str, reason: &str) -> Result<Value> {
        self.until(name, &format!("{type_} {reason}"), |object| self::reason(object, type_) == reason).await
    }

    /// Changes a HelmRelease with a merge patch.
    pub async fn patch(&self, name: &str, patch: Value) -> Result<()> {
        self.releases.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Asks for a run, as `flux reconcile` does, and waits until it was handled.
    pub async fn reconcile(&self, name: &str, token: &str) -> Result<Value> {
        let annotations = json!({"reconcile.fluxcd.io/requestedAt": token});
        self.patch(name, json!({"metadata": {"annotations": annotations}})).await?;
        self.handled(name, token).await
    }

    pub async fn handled(&self, name: &str, token: &str) -> Result<Value> {
        self.until(name, "the request is handled", |object| {
            object["status"]["lastHandledReconcileAt"] == token
        })
        .await
    }

    /// Deletes a HelmRelease and waits until it is gone.
    pub async fn delete(&self, name: &str) -> Result<()> {
        if self.releases.get_opt(name).await?.is_some() {
            let _ = self.releases.delete(name, &Default::default()).await;
        }
        self.gone(HELM, "HelmRelease", name).await
    }

    /// Waits until an object is gone.
    pub async fn gone(&self, api_version: &str, kind: &str, name: &str) -> Result<()> {
        for _ in 0..1200 {
            if self.object(api_version, kind, name).await?.is_none() {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        bail!("{kind} {name} is still there; the log:\n{}", self.controller.log().join("\n"))
    }

    /// An object of the scene; `None` when there is none.
    pub async fn object(&self, api_version: &str, kind: &str, name: &str) -> Result<Option<Value>> {
        let objects = self.plane.objects(api_version, kind, Some(&self.namespace))?;
        Ok(objects.get_opt(name).await?.map(serde_json::to_value).transpose()?)
    }

    /// A value in a ConfigMap of the scene.
    pub async fn config(&self, name: &str, key: &str) -> Result<Value> {
        Ok(self
            .object("v1", "ConfigMap", name)
            .await?
            .map_or(Value::Null, |found| found["data"][key].clone()))
    }

    /// The Secret with a record.
    pub async fn record(&self, release: &str, version: i64) -> Result<Option<Value>> {
        self.object("v1", "Secret", &format!("sh.helm.release.v1.{release}.v{version}")).await
    }

    /// What the Secret with a record says.
    pub async fn stored(&self, release: &str, version: i64) -> Result<Value> {
        let found = self.record(release, version).await?.context("there is no record")?;
        let text = STANDARD.decode(found["data"]["release"].as_str().unwrap_or_default())?;
        Ok(serde_json::from_reader(flate2::read::GzDecoder::new(&*STANDARD.decode(text)?))?)
    }

    /// Writes a record anew, with a change.
    pub async fn rewrite(&self, release: &str, version: i64, change: impl FnOnce(&mut Value)) -> Result<()> {
        let mut secret = self.record(release, version).await?.context("there is no record")?;
        let mut record = self.stored(release, version).await?;
        change(&mut record);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, record.to_string().as_bytes())?;
        secret["data"]["release"] = STANDARD.encode(STANDARD.encode(gzip.finish()?)).into();
        secret["metadata"]["labels"]["status"] = record["info"]["status"].clone();
        let name = secret["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let secrets = self.plane.objects("v1", "Secret", Some(&self.namespace))?;
        secrets.replace(&name, &Default::default(), &serde_json::from_value(secret)?).await?;
        Ok(())
    }

    /// The real Helm.
    pub async fn helm(&self, arguments: &[&str]) -> Result<String> {
        self.helm_in(&self.namespace, arguments).await
    }

    /// The real Helm, in another namespace.
    pub async fn helm_in(&self, namespace: &str, arguments: &[&str]) -> Result<String> {
        let home = tempfile::tempdir()?;
        let mut command = Command::new(self.plane.peers().await?.helm);
        command
            .args(arguments)
            .args(["--namespace", namespace])
            .env("KUBECONFIG", self.plane.kubeconfig())
            .env("HOME", home.path());
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "helm {arguments:?}: {error}");
        Ok(String::from_utf8(output.stdout)?)
    }

    pub async fn helm_json(&self, arguments: &[&str]) -> Result<Value> {
        Ok(serde_json::from_str(&self.helm(&[arguments, &["-o", "json"]].concat()).await?)?)
    }

    /// The Kubernetes Events about an object, as `type reason message (count)`.
    pub async fn events(&self, name: &str) -> Result<Vec<String>> {
        let events = self.plane.objects("v1", "Event", Some(&self.namespace))?;
        let selector = ListParams::default().fields(&format!("involvedObject.name={name}"));
        let mut found = Vec::new();
        for event in events.list(&selector).await? {
            let event = serde_json::to_value(event)?;
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            found.push(format!(
                "{} {} {} ({})",
                text("type"),
                text("reason"),
                text("message"),
                event["count"]
            ));
        }
        found.sort();
        Ok(found)
    }

    /// Waits until an Event about an object begins like this, and gives all of them.
    pub async fn event(&self, name: &str, begins: &str) -> Result<Vec<String>> {
        for _ in 0..600 {
            let events = self.events(name).await?;
            if events.iter().any(|event| event.starts_with(begins)) {
                return Ok(events);
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        bail!("no event {begins}; there are {:#?}", self.events(name).await?)
    }

    /// Requests that the controller has sent to the API server with this method.
    pub async fn requests(&self, method: &str) -> Result<f64> {
        Ok(self.controller.metrics().await?.sum("rest_client_requests_total", &[("method", method)]))
    }
}

pub fn reason<'a>(object: &'a Value, type_: &str) -> &'a str {
    condition(object, type_).and_then(|condition| condition["reason"].as_str()).unwrap_or_default()
}

pub fn message<'a>(object: &'a Value, type_: &str) -> &'a str {
    condition(object, type_).and_then(|condition| condition["message"].as_str()).unwrap_or_default()
}

/// `version status action` of each snapshot.
pub fn history(object: &Value) -> Vec<String> {
    let list = object["status"]["history"].as_array().cloned().unwrap_or_default();
    let line = |snapshot: &Value| {
        let text = |key: &str| snapshot[key].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", snapshot["version"], text("status"), text("action"))
    };
    list.iter().map(line).collect()
}

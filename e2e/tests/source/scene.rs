//! A Git server, a repository, a source-controller that sees only this scene's objects, and how a test talks to them.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use kube::Api;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use testkit::git::{Change, HttpServer, Repo, ServerOptions};
use testkit::{ControlPlane, Controller, Running, condition};

pub const API: &str = "source.toolkit.fluxcd.io/v1";

pub struct Scene {
    pub plane: &'static ControlPlane,
    pub namespace: String,
    pub git: HttpServer,
    pub repo: Repo,
    pub source: Running,
    pub objects: Api<DynamicObject>,
}

impl Scene {
    pub async fn new() -> Result<Self> {
        Self::with(ServerOptions::default(), &[]).await
    }

    /// A scene with a repository `shop` that has one commit on `main`.
    pub async fn with(options: ServerOptions, flags: &[&str]) -> Result<Self> {
        let plane = ControlPlane::shared().await?;
        plane.install_crds().await?;
        let namespace = plane.namespace("git").await?;
        let git = HttpServer::with(options).await?;
        let repo = git.create("shop.git")?;
        repo.commit(
            "main",
            "The first commit of the shop",
            &[
                Change::file("deploy/app.yaml", "kind: ConfigMap\n"),
                Change::file("README.md", "# Shop\n"),
                Change::executable("run.sh", "#!/bin/sh\n"),
                Change::symlink("link", "run.sh"),
                Change::file("logo.png", "png"),
                Change::file(".github/ci.yaml", "on: push\n"),
            ],
        )?;
        let source = controller(plane, &namespace, flags)?.start().await?;
        let objects = plane.objects(API, "GitRepository", Some(&namespace))?;
        Ok(Self { plane, namespace, git, repo, source, objects })
    }

    pub fn url(&self) -> String {
        self.git.url("shop.git")
    }

    /// Applies a GitRepository on the scene's repository; `spec` is merged over an interval of an hour and branch `main`.
    pub async fn apply(&self, name: &str, spec: Value) -> Result<()> {
        let mut whole = json!({ "url": self.url(), "interval": "1h", "ref": { "branch": "main" } });
        merge(&mut whole, &spec);
        if whole["ref"].is_null() {
            whole.as_object_mut().expect("an object").remove("ref");
        }
        self.apply_kind("GitRepository", name, whole).await
    }

    /// Applies an object of another kind of source.
    pub async fn apply_kind(&self, kind: &str, name: &str, spec: Value) -> Result<()> {
        self.plane
            .apply(&serde_json::to_string(&json!({
                "apiVersion": API,
                "kind": kind,
                "metadata": { "name": name, "namespace": self.namespace, "labels": { "scene": self.namespace } },
                "spec": spec,
            }))?)
            .await
    }

    pub async fn secret(&self, name: &str, data: &[(&str, &str)]) -> Result<()> {
        let data: serde_json::Map<String, Value> =
            data.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        self.plane
            .apply(&serde_json::to_string(&json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name, "namespace": self.namespace },
                "stringData": data,
            }))?)
            .await
    }

    pub async fn ready(&self, name: &str) -> Result<Value> {
        self.plane.ready(API, "GitRepository", &self.namespace, name).await
    }

    pub async fn until(&self, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
        self.plane.wait_for(&self.objects, name, what, holds).await
    }

    /// Waits until `Ready` is False with this reason.
    pub async fn unready(&self, name: &str, reason: &str) -> Result<Value> {
        self.until(name, &format!("Ready=False {reason}"), |object| {
            condition(object, "Ready")
                .is_some_and(|ready| ready["status"] == "False" && ready["reason"] == reason)
        })
        .await
    }

    /// Changes an object with a merge patch.
    pub async fn patch(&self, name: &str, patch: Value) -> Result<()> {
        self.objects.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Asks for a run, as `flux reconcile` does, and waits until it was handled.
    pub async fn reconcile(&self, name: &str, token: &str) -> Result<Value> {
        self.request(name, token).await?;
        self.until(name, "the request is handled", |object| {
            object["status"]["lastHandledReconcileAt"] == token
        })
        .await
    }

    pub async fn request(&self, name: &str, token: &str) -> Result<()> {
        self.annotate(&self.objects, name, "reconcile.fluxcd.io/requestedAt", token).await
    }

    /// Sets an annotation of an object of any kind.
    pub async fn annotate(
        &self,
        objects: &Api<DynamicObject>,
        name: &str,
        key: &str,
        value: &str,
    ) -> Result<()> {
        let patch = json!({ "metadata": { "annotations": { key: value } } });
        objects.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// The files of an object's artifact, as `path mode content`, after checking digest and size against the status.
    pub async fn files(&self, object: &Value) -> Result<Vec<String>> {
        let bytes = self.download(object).await?;
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&*bytes));
        let mut files = Vec::new();
        for entry in archive.entries()? {
            let mut entry = entry?;
            let mut content = String::new();
            std::io::Read::read_to_string(&mut entry, &mut content)?;
            let path = entry.path()?.display().to_string();
            files.push(
                format!("{path} {:o} {}", entry.header().mode()?, content.trim_end()).trim_end().to_owned(),
            );
        }
        Ok(files)
    }

    /// The names of regular files and directories in an object's artifact.
    pub async fn names(&self, object: &Value) -> Result<Vec<String>> {
        let files = self.files(object).await?;
        Ok(files.iter().map(|file| file.split(' ').next().unwrap_or_default().to_owned()).collect())
    }

    pub async fn download(&self, object: &Value) -> Result<Vec<u8>> {
        let artifact = &object["status"]["artifact"];
        let url = artifact["url"].as_str().unwrap_or_default();
        let bytes = reqwest::get(url).await?.error_for_status()?.bytes().await?.to_vec();
        ensure!(artifact["size"] == bytes.len(), "size of {artifact}");
        let digest = artifact::Algorithm::Sha256.digest(&bytes).to_string();
        ensure!(artifact["digest"] == digest, "digest of {artifact} is {digest}");
        Ok(bytes)
    }

    /// The Kubernetes Events about an object, as `type reason message (count)`, oldest first.
    pub async fn events(&self, name: &str) -> Result<Vec<String>> {
        let events = self.plane.objects("v1", "Event", Some(&self.namespace))?;
        let selector = ListParams::default().fields(&format!("involvedObject.name={name}"));
        let mut found = Vec::new();
        for event in events.list(&selector).await? {
            let event = serde_json::to_value(event)?;
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            let line =
                format!("{} {} {} ({})", text("type"), text("reason"), text("message"), event["count"]);
            found.push((
                event["metadata"]["creationTimestamp"].to_string(),
                event["metadata"]["name"].to_string(),
                line,
            ));
        }
        found.sort();
        Ok(found.into_iter().map(|(.., line)| line).collect())
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
        anyhow::bail!("no event {begins}; there are {:#?}", self.events(name).await?)
    }

    /// Requests that the controller has sent to the API server with this method.
    pub async fn requests(&self, method: &str) -> Result<f64> {
        Ok(self.source.metrics().await?.sum("rest_client_requests_total", &[("method", method)]))
    }

    /// How many PATCH requests there have been since there were so many. The controller counts one when its answer has
    /// come, which may be after a watch has shown what it did: the first is waited for.
    pub async fn patches_since(&self, before: f64) -> Result<f64> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let sent = self.requests("PATCH").await? - before;
            if sent > 0.0 || Instant::now() > deadline {
                return Ok(sent);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A source-controller that looks after the objects of a scene only.
pub fn controller(plane: &ControlPlane, scene: &str, flags: &[&str]) -> Result<Controller> {
    let controller = Controller::source(plane)?.flag(format!("--watch-label-selector=scene={scene}"));
    Ok(flags.iter().fold(controller, |controller, flag| controller.flag(*flag)))
}

pub fn reason<'a>(object: &'a Value, type_: &str) -> &'a str {
    condition(object, type_).and_then(|condition| condition["reason"].as_str()).unwrap_or_default()
}

pub fn message<'a>(object: &'a Value, type_: &str) -> &'a str {
    condition(object, type_).and_then(|condition| condition["message"].as_str()).unwrap_or_default()
}

fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                if key == "ref" {
                    target.insert(key.clone(), value.clone());
                } else {
                    merge(target.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}

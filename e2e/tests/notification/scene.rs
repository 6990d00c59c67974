//! A namespace, a recording server, and a notification-controller; how a test talks to them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{ControlPlane, Controller, Running};
use tokio::sync::OnceCell;

use super::recorder::Recorder;

pub const BETA: &str = "notification.toolkit.fluxcd.io/v1beta3";
pub const V1: &str = "notification.toolkit.fluxcd.io/v1";

pub struct Scene {
    pub plane: &'static ControlPlane,
    pub namespace: String,
    pub recorder: Recorder,
    pub controller: Whose,
    pub http: reqwest::Client,
    beacons: AtomicUsize,
}

/// The controller of all tests, or one with flags of its own.
pub enum Whose {
    Shared(&'static Running),
    Own(Box<Running>),
}

impl std::ops::Deref for Whose {
    type Target = Running;

    fn deref(&self) -> &Running {
        match self {
            Self::Shared(running) => running,
            Self::Own(running) => running,
        }
    }
}

pub async fn plane() -> Result<&'static ControlPlane> {
    static READY: OnceCell<()> = OnceCell::const_new();
    let plane = ControlPlane::shared().await?;
    READY
        .get_or_try_init(|| async {
            plane.install_crds().await?;
            plane.apply("{apiVersion: v1, kind: Namespace, metadata: {name: flux-system}}").await
        })
        .await?;
    Ok(plane)
}

/// The process must end with the test process, whose statics are never dropped: the plane's watchdog sees to that.
async fn shared() -> Result<&'static Running> {
    static RUNNING: OnceCell<Running> = OnceCell::const_new();
    RUNNING.get_or_try_init(|| async { Controller::notification(plane().await?)?.start().await }).await
}

impl Scene {
    pub async fn new() -> Result<Self> {
        let controller = Whose::Shared(shared().await?);
        Self::of(controller).await
    }

    /// A scene whose controller has further flags.
    pub async fn with(flags: &[&str]) -> Result<Self> {
        let controller = Controller::notification(plane().await?)?;
        Self::of_controller(flags.iter().fold(controller, |controller, flag| controller.flag(*flag))).await
    }

    /// A scene of a controller of its own.
    pub async fn of_controller(controller: Controller) -> Result<Self> {
        Self::of(Whose::Own(Box::new(controller.start().await?))).await
    }

    async fn of(controller: Whose) -> Result<Self> {
        let plane = plane().await?;
        let namespace = plane.namespace("notify").await?;
        let scene = Self {
            plane,
            namespace,
            recorder: Recorder::start().await?,
            controller,
            http: reqwest::Client::new(),
            beacons: AtomicUsize::new(0),
        };
        scene.provider("recorder", json!({ "type": "generic", "address": scene.recorder.url })).await?;
        Ok(scene)
    }

    pub fn objects(&self, api_version: &str, kind: &str) -> Result<Api<DynamicObject>> {
        self.plane.objects(api_version, kind, Some(&self.namespace))
    }

    pub async fn apply(&self, api_version: &str, kind: &str, name: &str, spec: Value) -> Result<()> {
        self.plane
            .apply(&serde_json::to_string(&json!({
                "apiVersion": api_version, "kind": kind,
                "metadata": { "name": name, "namespace": self.namespace }, "spec": spec,
            }))?)
            .await
    }

    /// A Provider.
    pub async fn provider(&self, name: &str, spec: Value) -> Result<()> {
        self.apply(BETA, "Provider", name, spec).await
    }

    /// An Alert on all Kustomizations of the namespace for the Provider `recorder`; `spec` is merged over that.
    pub async fn alert(&self, name: &str, spec: Value) -> Result<()> {
        let mut whole = json!({
            "providerRef": { "name": "recorder" }, "eventSources": [{ "kind": "Kustomization", "name": "*" }],
        });
        for (key, value) in spec.as_object().into_iter().flatten() {
            whole[key] = value.clone();
        }
        self.apply(BETA, "Alert", name, whole).await
    }

    pub async fn secret(&self, name: &str, data: Value) -> Result<()> {
        self.plane
            .apply(&serde_json::to_string(&json!({
                "apiVersion": "v1", "kind": "Secret", "stringData": data,
                "metadata": { "name": name, "namespace": self.namespace },
            }))?)
            .await
    }

    /// An event about the Kustomization `apps`; `change` is merged over it.
    pub fn event(&self, message: &str, change: Value) -> Value {
        let mut event = json!({
            "involvedObject": {
                "kind": "Kustomization", "namespace": self.namespace, "name": "apps", "uid": "1-2",
                "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            },
            "severity": "info", "timestamp": "2026-11-21T10:00:00Z", "message": message,
            "reason": "ReconciliationSucceeded", "reportingController": "kustomize-controller",
            "reportingInstance": "pod",
        });
        merge(&mut event, &change);
        event
    }

    pub async fn post(&self, event: &Value) -> Result<reqwest::Response> {
        let url = self.controller.events_url().unwrap();
        Ok(self.http.post(url).body(event.to_string()).send().await?)
    }

    /// Posts an event and expects it to be accepted.
    pub async fn send(&self, message: &str, change: Value) -> Result<()> {
        let status = self.post(&self.event(message, change)).await?.status();
        anyhow::ensure!(status == StatusCode::ACCEPTED, "{message}: {status}");
        Ok(())
    }

    /// Waits until the controller knows every Alert, Provider and label of now, and has dispatched what was sent before:
    /// an Alert that is made last gets an event through.
    pub async fn settle(&self) -> Result<()> {
        let number = self.beacons.fetch_add(1, Ordering::SeqCst);
        let name = format!("beacon-{number}");
        self.provider(&name, json!({ "type": "generic", "address": self.recorder.url })).await?;
        self.alert(
            &name,
            json!({ "providerRef": { "name": name }, "eventSources": [{ "kind": "Bucket", "name": name }] }),
        )
        .await?;
        for attempt in 0..600 {
            let message = format!("{name} {attempt}");
            let change = json!({ "involvedObject": { "kind": "Bucket", "name": name } });
            self.send(&message, change).await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
            if self.recorder.messages().iter().any(|seen| seen.starts_with(&name)) {
                // What was dispatched before the beacon is on its way; it is at home here.
                tokio::time::sleep(Duration::from_millis(100)).await;
                return Ok(());
            }
        }
        bail!("the controller does not see Alerts:\n{}", self.controller.log().join("\n"))
    }

    /// The messages that were delivered, beacons left out.
    pub fn delivered(&self) -> Vec<String> {
        let mut messages = self.recorder.messages();
        messages.retain(|message| !message.starts_with("beacon-"));
        messages
    }

    /// The Kubernetes Events about an object, as `type reason message`.
    pub async fn events(&self, name: &str) -> Result<Vec<String>> {
        let selector = ListParams::default().fields(&format!("involvedObject.name={name}"));
        let mut found = Vec::new();
        for event in self.objects("v1", "Event")?.list(&selector).await? {
            let event = serde_json::to_value(event)?;
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            found.push(format!("{} {} {}", text("type"), text("reason"), text("message")));
        }
        Ok(found)
    }

    /// Waits until an Event about an object contains this.
    pub async fn complaint(&self, name: &str, contains: &str) -> Result<String> {
        for _ in 0..600 {
            if let Some(event) = self.events(name).await?.into_iter().find(|event| event.contains(contains)) {
                return Ok(event);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("no Event about {name} with '{contains}': {:#?}", self.events(name).await?)
    }

    /// Calls a webhook.
    pub async fn hook(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Result<u16> {
        let mut request = self.http.post(format!("{}{path}", self.controller.hooks_url().unwrap()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Ok(request.body(body.to_owned()).send().await?.status().as_u16())
    }

    /// A Receiver, and its path once it is ready and the server knows it.
    pub async fn receiver(&self, name: &str, spec: Value) -> Result<String> {
        self.apply(V1, "Receiver", name, spec).await?;
        let object = self.plane.ready(V1, "Receiver", &self.namespace, name).await?;
        let path = object["status"]["webhookPath"].as_str().unwrap_or_default().to_owned();
        self.until_hook(&path, |status| status != 404).await?;
        Ok(path)
    }

    /// Waits until the server knows of a change: until a call with a wrong method body is answered as expected.
    pub async fn until_hook(&self, path: &str, expected: impl Fn(u16) -> bool) -> Result<()> {
        for _ in 0..600 {
            // Neither token nor signature: types that verify refuse it.
            if expected(self.hook(path, &[], "").await?) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("{path} is still answered otherwise")
    }

    /// A GitRepository for webhooks to reach; nothing reconciles it.
    pub async fn repository(&self, name: &str, labels: Value) -> Result<()> {
        self.plane
            .apply(&serde_json::to_string(&json!({
                "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
                "metadata": { "name": name, "namespace": self.namespace, "labels": labels },
                "spec": { "url": "https://git.example/x", "interval": "1h" },
            }))?)
            .await
    }

    /// The request annotation of a GitRepository.
    pub async fn requested(&self, name: &str) -> Result<Option<String>> {
        let object = self.objects("source.toolkit.fluxcd.io/v1", "GitRepository")?.get(name).await?;
        Ok(object.annotations().get("reconcile.fluxcd.io/requestedAt").cloned())
    }

    pub async fn patch(&self, api_version: &str, kind: &str, name: &str, patch: Value) -> Result<()> {
        self.objects(api_version, kind)?.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }
}

fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(target.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}

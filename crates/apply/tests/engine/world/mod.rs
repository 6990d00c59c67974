//! A namespace, a target whose requests are counted, and what its listener heard.

pub mod proxy;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use apply::{Applied, ApplyOptions, Change, Manifest, Plan, Policy, Preparation, Target};
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::client::ClientBuilder;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use object::{ObjectRef, Owner};
use serde_json::{Value, json};
use testkit::ControlPlane;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tower::util::MapRequestLayer;

use proxy::Proxy;

pub struct World {
    pub plane: &'static ControlPlane,
    pub namespace: String,
    pub owner: Owner,
    pub target: Target,
    policy: Policy,
    client: Client,
    requests: Arc<Mutex<Vec<String>>>,
    changes: UnboundedReceiver<Change>,
}

impl World {
    pub async fn new(name: &str) -> Result<Self> {
        // Shown for tests that fail.
        let log = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG);
        let _ = log.with_test_writer().try_init();
        let plane = ControlPlane::shared().await?;
        let namespace = plane.namespace(name).await?;
        Self::of(plane, namespace, plane.config()).await
    }

    /// A target that reaches the API server through a relay.
    pub async fn behind_proxy(name: &str) -> Result<(Self, Proxy)> {
        let plane = ControlPlane::shared().await?;
        let namespace = plane.namespace(name).await?;
        let mut config = plane.config();
        let authority = config.cluster_url.authority().context("no server")?.to_string();
        let proxy = Proxy::start(authority.parse()?).await?;
        config.cluster_url = format!("https://{}", proxy.address).parse()?;
        Ok((Self::of(plane, namespace, config).await?, proxy))
    }

    async fn of(plane: &'static ControlPlane, namespace: String, mut config: kube::Config) -> Result<Self> {
        let client = plane.client()?;
        config.default_retry = false;
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = requests.clone();
        let count = MapRequestLayer::new(move |request: http::Request<kube::client::Body>| {
            let line = format!("{} {}", request.method(), request.uri());
            if !line.contains("watch=true") {
                seen.lock().unwrap().push(line);
            }
            request
        });
        let counted = ClientBuilder::try_from(config)?.with_layer(&count).build();
        let policy = Policy::new("kustomize-controller", "kustomize.toolkit.fluxcd.io");
        let (send, changes) = unbounded_channel();
        let target = Target::new(
            Arc::new(policy.clone()),
            Arc::new(move |change| {
                let _ = send.send(change);
            }),
            counted,
        );
        let owner = Owner { namespace: namespace.clone(), name: "apps".to_owned() };
        Ok(Self { plane, namespace, owner, target, policy, client, requests, changes })
    }

    /// A controller that has just started, in the same place.
    pub async fn restarted(&self) -> Result<Self> {
        Self::of(self.plane, self.namespace.clone(), self.plane.config()).await
    }

    /// The same under a service account of the namespace.
    pub async fn impersonating(&self, account: &str) -> Result<Self> {
        let user = format!("system:serviceaccount:{}:{account}", self.namespace);
        let mut config = self.plane.config();
        config.auth_info.impersonate = Some(user);
        Self::of(self.plane, self.namespace.clone(), config).await
    }

    pub async fn allow(&self, namespace: &str, account: &str, verbs: &[&str]) -> Result<()> {
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": account, "namespace": namespace},
            "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": verbs}]});
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": account, "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}]});
        self.plane.apply(&role.to_string()).await?;
        self.plane.apply(&binding.to_string()).await?;
        // The authorizer follows by a watch of its own.
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(())
    }

    pub async fn apply(&self, objects: &[Value]) -> Applied {
        self.apply_with(objects, &ApplyOptions::default()).await
    }

    pub async fn plan(&self, objects: &[Value]) -> Plan {
        self.target.plan(&self.owner, &self.manifests(objects), &ApplyOptions::default()).await
    }

    pub async fn apply_with(&self, objects: &[Value], options: &ApplyOptions<'_>) -> Applied {
        self.target.apply(&self.owner, &self.manifests(objects), options).await
    }

    fn manifests(&self, objects: &[Value]) -> Vec<Manifest> {
        let none = BTreeMap::new();
        let preparation =
            Preparation { policy: &self.policy, owner: &self.owner, labels: &none, annotations: &none };
        objects.iter().map(|o| Manifest::prepare(o.clone(), &preparation).unwrap()).collect()
    }

    /// Requests other than watches since the last [`World::forget_requests`].
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub fn forget_requests(&self) {
        self.requests.lock().unwrap().clear();
    }

    /// The next change that the listener hears of.
    pub async fn hear(&mut self) -> Change {
        tokio::time::timeout(Duration::from_secs(30), self.changes.recv())
            .await
            .expect("nothing was heard")
            .expect("the target is gone")
    }

    /// Everything heard so far and not asked for.
    pub fn heard(&mut self) -> Vec<Change> {
        std::iter::from_fn(|| self.changes.try_recv().ok()).collect()
    }

    fn api(&self, object: &Value) -> Result<(Api<DynamicObject>, String)> {
        let reference = ObjectRef::of(object)?;
        let gvk = GroupVersionKind::gvk(&reference.gvk.group, &reference.gvk.version, &reference.gvk.kind);
        let resource = ApiResource::from_gvk(&gvk);
        let api = if reference.namespace.is_empty() {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), &reference.namespace, &resource)
        };
        Ok((api, reference.name))
    }

    pub async fn get(&self, object: &Value) -> Result<Value> {
        let (api, name) = self.api(object)?;
        Ok(serde_json::to_value(api.get(&name).await?)?)
    }

    pub async fn until(&self, object: &Value, done: impl Fn(&Value) -> bool) -> Result<Value> {
        for _ in 0..300 {
            let live = self.get(object).await?;
            if done(&live) {
                return Ok(live);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("{object} did not become as expected")
    }

    pub async fn until_there(&self, object: &Value) -> Result<Value> {
        for _ in 0..300 {
            if let Ok(live) = self.get(object).await {
                return Ok(live);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("{object} did not come")
    }

    pub async fn merge_patch_status(&self, object: &Value, patch: Value) -> Result<()> {
        let (api, name) = self.api(object)?;
        api.patch_status(&name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    pub async fn merge_patch(&self, object: &Value, manager: &str, patch: Value) -> Result<()> {
        let (api, name) = self.api(object)?;
        let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
        api.patch(&name, &params, &Patch::Merge(patch)).await?;
        Ok(())
    }

    pub async fn delete(&self, object: &Value) -> Result<()> {
        let (api, name) = self.api(object)?;
        api.delete(&name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// What `kubectl apply` without `--server-side` leaves behind.
    pub async fn kubectl_client_side_apply(&self, object: &Value) -> Result<()> {
        let last = object.to_string();
        let mut patch = object.clone();
        patch["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": last});
        patch["data"]["late"] = json!("also from kubectl");
        self.merge_patch(object, "kubectl-client-side-apply", patch).await.context("kubectl apply")
    }

    /// A short text that no other test has.
    pub fn unique(&self) -> String {
        self.namespace.chars().filter(char::is_ascii_alphanumeric).collect()
    }
}

/// `Kind action` of each entry.
pub fn actions(applied: &Applied) -> Vec<String> {
    applied.entries.iter().map(|e| format!("{} {}", e.object.gvk.kind, e.action)).collect()
}

pub fn config_map(namespace: &str, name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": {"key": value}})
}

pub fn secret(namespace: &str, name: &str, base64: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": {"password": base64}})
}

pub fn deployment(namespace: &str, name: &str, replicas: u32) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}}})
}

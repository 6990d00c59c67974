//! The repository that is deployed and the objects that deploy it.

use clap::ValueEnum;
use serde_json::{Value, json};
use testkit::git::Change;

/// The namespace that everything is deployed to.
pub(crate) const TARGET: &str = "fleet";
/// The namespace of the Flux objects.
pub(crate) const HOME: &str = "flux-system";

/// Name and folder of the Kustomization with that number.
pub(crate) fn name(number: usize) -> String {
    format!("app-{number:04}")
}

/// Every file of the repository in its `version`; from one version to the next, one object of each Kustomization
/// changes.
pub(crate) fn files(kustomizations: usize, objects: usize, mix: Mix, version: u32) -> Vec<Change> {
    let mut files = Vec::new();
    for number in 0..kustomizations {
        let name = name(number);
        let mut listed = String::new();
        for object in 0..objects {
            let file = format!("{object}.json");
            listed.push_str(&format!("- {file}\n"));
            let content = manifest(&name, object, mix, version).to_string();
            files.push(Change::file(format!("{name}/{file}"), content));
        }
        let kustomization =
            format!("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{listed}");
        files.push(Change::file(format!("{name}/kustomization.yaml"), kustomization));
    }
    files
}

/// What the Kustomizations consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mix {
    /// ConfigMaps, a ServiceAccount and a Secret: the cluster does nothing about them, so that the controllers are what is
    /// measured
    Config,
    /// A ConfigMap, a ServiceAccount, a Service, a Deployment (without pods) and a Secret: the cluster's own controllers
    /// answer with as many writes again, on the same processors
    Service,
}

/// One object of an app; the first differs from version to version.
fn manifest(app: &str, object: usize, mix: Mix, version: u32) -> Value {
    let labels = json!({"app": app});
    let meta =
        |suffix: &str| json!({"name": format!("{app}{suffix}"), "namespace": TARGET, "labels": labels});
    match (object, mix) {
        (0, _) => json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta(""),
            "data": {"version": version.to_string(), "settings": "level=info\ncolour=blue\nlimit=10\n"}}),
        (1, _) => json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta("")}),
        (2, _) => json!({"apiVersion": "v1", "kind": "Secret", "metadata": meta(""), "type": "Opaque",
            "stringData": {"token": "not-a-secret"}}),
        (3, Mix::Service) => {
            json!({"apiVersion": "v1", "kind": "Service", "metadata": meta(""),
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}})
        }
        (4, Mix::Service) => json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta(""),
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels},
                "spec": {"serviceAccountName": app, "containers": [{
                    "name": "app", "image": "registry.example.org/app:1.0.0",
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "envFrom": [{"configMapRef": {"name": app}}],
                    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}]}}}}),
        (more, _) => json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta(&format!("-{more}")),
            "data": {"number": more.to_string()}}),
    }
}

/// The source; it is asked for, never polled.
pub(crate) fn source(url: &str) -> Value {
    json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": {"name": "fleet", "namespace": HOME},
        "spec": {"url": url, "ref": {"branch": "main"}, "interval": "1h", "timeout": "60s"}})
}

pub(crate) fn kustomization(number: usize) -> Value {
    let name = name(number);
    json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": name, "namespace": HOME},
        "spec": {"interval": "1h", "path": format!("./{name}"), "prune": true, "wait": false,
            "sourceRef": {"kind": "GitRepository", "name": "fleet"}}})
}

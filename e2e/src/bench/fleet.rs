//! The repository that is deployed and the objects that deploy it.

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
pub(crate) fn files(kustomizations: usize, objects: usize, version: u32) -> Vec<Change> {
    let mut files = Vec::new();
    for number in 0..kustomizations {
        let name = name(number);
        let mut listed = String::new();
        for object in 0..objects {
            let file = format!("{object}.json");
            listed.push_str(&format!("- {file}\n"));
            let content = manifest(&name, object, version).to_string();
            files.push(Change::file(format!("{name}/{file}"), content));
        }
        let kustomization =
            format!("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{listed}");
        files.push(Change::file(format!("{name}/kustomization.yaml"), kustomization));
    }
    files
}

/// What a small service consists of; beyond five objects, more configuration.
fn manifest(app: &str, object: usize, version: u32) -> Value {
    let labels = json!({"app": app});
    let meta =
        |suffix: &str| json!({"name": format!("{app}{suffix}"), "namespace": TARGET, "labels": labels});
    match object {
        0 => json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta(""),
            "data": {"version": version.to_string(), "settings": "level=info\ncolour=blue\nlimit=10\n"}}),
        1 => json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta("")}),
        2 => json!({"apiVersion": "v1", "kind": "Service", "metadata": meta(""),
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}}),
        // No pods: their life is the cluster's work, not the controllers'.
        3 => json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta(""),
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels},
                "spec": {"serviceAccountName": app, "containers": [{
                    "name": "app", "image": "registry.example.org/app:1.0.0",
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "envFrom": [{"configMapRef": {"name": app}}],
                    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}]}}}}),
        4 => json!({"apiVersion": "v1", "kind": "Secret", "metadata": meta(""), "type": "Opaque",
            "stringData": {"token": "not-a-secret"}}),
        more => json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta(&format!("-{more}")),
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

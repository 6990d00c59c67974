//! What a namespace holds, and what bears its name outside of it: objects and records, without what differs from run to
//! run, so that two namespaces can be compared.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::api::{Api, DynamicObject, ListParams};
use kube::discovery::{Discovery, Scope, verbs};
use serde_json::{Value, json};
use testkit::ControlPlane;

use crate::compare::{plain, timeless};

/// What others make of objects, and what concerns no release.
const ELSEWHERE: [&str; 14] = [
    "events.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "apiregistration.k8s.io",
    "certificates.k8s.io",
    "resource.k8s.io",
    "internal.apiserver.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "source.toolkit.fluxcd.io",
    "helm.toolkit.fluxcd.io",
    "kustomize.toolkit.fluxcd.io",
    "notification.toolkit.fluxcd.io",
];
const BY_OTHERS: [&str; 7] =
    ["Event", "Endpoints", "Namespace", "Node", "ControllerRevision", "ReplicaSet", "ComponentStatus"];

/// A look at one namespace again and again.
pub struct Holdings {
    plane: &'static ControlPlane,
    pub namespace: String,
    /// Data of Secrets that is random, as `NAME/KEY`, and the values seen so far: a value that comes again is known.
    random: Vec<&'static str>,
    seen: BTreeMap<String, String>,
}

impl Holdings {
    pub fn of(plane: &'static ControlPlane, namespace: &str, random: &[&'static str]) -> Self {
        Self { plane, namespace: namespace.to_owned(), random: random.to_vec(), seen: BTreeMap::new() }
    }

    /// The objects, and the records of the release with what these hold.
    pub async fn look(&mut self) -> Result<(Vec<Value>, Vec<Value>)> {
        let (mut objects, mut records) = (Vec::new(), Vec::new());
        for object in self.settled().await? {
            if object["kind"] == "Secret" && object["type"] == "helm.sh/release.v1" {
                records.push(record(&object)?);
            } else {
                objects.push(object);
            }
        }
        for object in &objects {
            self.note_random(object);
        }
        let mut objects: Vec<Value> = objects.into_iter().map(bare).collect();
        objects.sort_by_key(|object| format!("{}/{}", object["kind"], object["metadata"]["name"]));
        records.sort_by_key(|record| record["release"]["version"].as_i64());
        Ok((self.anonymous(objects)?, self.anonymous(records)?))
    }

    /// What there is once everything is gone that is deleted: a rollback does not wait for that.
    async fn settled(&self) -> Result<Vec<Value>> {
        for _ in 0..600 {
            let found = self.all().await?;
            if found.iter().all(|object| object["metadata"].get("deletionTimestamp").is_none()) {
                return Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("something in {} is deleted, and does not go", self.namespace)
    }

    async fn all(&self) -> Result<Vec<Value>> {
        let client = self.plane.client()?;
        let discovery = Discovery::new(client.clone()).exclude(&ELSEWHERE).run_aggregated().await?;
        let mut found = Vec::new();
        for (resource, capabilities) in discovery.groups().flat_map(|group| group.recommended_resources()) {
            if BY_OTHERS.contains(&resource.kind.as_str()) || !capabilities.supports_operation(verbs::LIST) {
                continue;
            }
            let objects: Api<DynamicObject> = match capabilities.scope {
                Scope::Namespaced => Api::namespaced_with(client.clone(), &self.namespace, &resource),
                Scope::Cluster => Api::all_with(client.clone(), &resource),
            };
            // A kind may go while it is listed.
            let Ok(list) = objects.list(&ListParams::default()).await else { continue };
            for object in list {
                let mut object = serde_json::to_value(object)?;
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                let ours = match capabilities.scope {
                    Scope::Namespaced => !["default", "kube-root-ca.crt"].contains(&name),
                    Scope::Cluster => bears(name, &self.namespace),
                };
                if ours && object["metadata"].get("ownerReferences").is_none() {
                    (object["apiVersion"], object["kind"]) =
                        (resource.api_version.clone().into(), resource.kind.clone().into());
                    found.push(object);
                }
            }
        }
        Ok(found)
    }

    fn note_random(&mut self, object: &Value) {
        for place in &self.random {
            let Some((name, key)) = place.split_once('/') else { continue };
            if object["kind"] == "Secret"
                && object["metadata"]["name"] == name
                && let Some(value) = object["data"][key].as_str()
            {
                let count = self.seen.values().filter(|label| label.starts_with(place)).count();
                self.seen.entry(value.to_owned()).or_insert(format!("{place} {count}"));
            }
        }
    }

    fn anonymous(&self, found: Vec<Value>) -> Result<Vec<Value>> {
        let text = serde_json::to_string(&found)?.replace(&self.namespace, "NAMESPACE");
        let text = self.seen.iter().fold(text, |text, (value, label)| text.replace(value, label));
        Ok(serde_json::from_str(&text)?)
    }
}

/// Whether a name has the namespace's in it, and not that of one with a longer number.
fn bears(name: &str, namespace: &str) -> bool {
    name.match_indices(namespace)
        .any(|(at, _)| !name[at + namespace.len()..].starts_with(|next: char| next.is_ascii_digit()))
}

/// An object without what the API server, controllers and the kind of the tool add.
fn bare(mut object: Value) -> Value {
    plain(&mut object);
    let of_storage =
        ["PersistentVolume", "PersistentVolumeClaim"].contains(&object["kind"].as_str().unwrap());
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.remove("managedFields");
    if of_storage {
        metadata.remove("finalizers");
        metadata.remove("annotations");
    }
    if let Some(claim) = object["spec"].get_mut("claimRef").and_then(Value::as_object_mut) {
        claim.retain(|key, _| ["namespace", "name"].contains(&key.as_str()));
    }
    unmarked(object)
}

/// An object without the labels by which helm-controller finds its own.
fn unmarked(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
        && let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut)
    {
        labels.retain(|key, _| !key.starts_with("helm.toolkit.fluxcd.io/"));
        if labels.is_empty() {
            metadata.remove("labels");
        }
    }
    object
}

/// A record, with its manifests as objects: comments and the order of keys are not those of Helm.
fn record(secret: &Value) -> Result<Value> {
    let packed = STANDARD.decode(secret["data"]["release"].as_str().context("no release")?)?;
    let release: Value = serde_json::from_reader(flate2::read::GzDecoder::new(&*STANDARD.decode(packed)?))?;
    let mut release = timeless(release);
    let mut labels = secret["metadata"]["labels"].clone();
    labels.as_object_mut().unwrap().retain(|key, _| !["createdAt", "modifiedAt"].contains(&key.as_str()));
    release["manifest"] = objects(release["manifest"].as_str().unwrap_or_default())?;
    for hook in release["hooks"].as_array_mut().into_iter().flatten() {
        hook["manifest"] = objects(hook["manifest"].as_str().unwrap_or_default())?;
    }
    for files in ["templates", "files", "schema"] {
        for file in release["chart"][files].as_array_mut().into_iter().flatten() {
            let data = STANDARD.decode(file["data"].as_str().unwrap_or_default())?;
            file["data"] = String::from_utf8_lossy(&data).into_owned().into();
        }
    }
    Ok(json!({"name": secret["metadata"]["name"], "labels": labels, "release": release}))
}

/// The objects of a manifest, those in lists on their own: taken apart before they are sorted or after, as who does it
/// likes, so that their order says nothing here.
fn objects(manifest: &str) -> Result<Value> {
    let mut found = Vec::new();
    for text in format!("\n{manifest}").split("\n---") {
        let Value::Object(object) = Value::Object(chart::read_values(text.as_bytes())?) else { continue };
        let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
        match object.get("items").and_then(Value::as_array) {
            Some(items) if kind.ends_with("List") => found.extend(items.iter().cloned().map(unmarked)),
            _ if object.is_empty() => {}
            _ => found.push(unmarked(Value::Object(object))),
        }
    }
    found.sort_by_key(|object| format!("{}/{}", object["kind"], object["metadata"]["name"]));
    Ok(found.into())
}

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::Timestamp;
use kstatus::Health;
use object::{Gvk, Owner, Switches};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::policy::Policy;
use crate::takeover;

/// What is kept of an object that the API server showed us: who it is, and enough to tell whether it is still as we left
/// it and how it is doing. A few hundred bytes, whatever the object's size.
#[derive(Debug, Clone)]
pub(crate) struct Observation {
    pub namespace: Box<str>,
    pub name: Box<str>,
    pub uid: Box<str>,
    /// `metadata.resourceVersion`; versions of one object grow.
    pub version: u64,
    pub deleting: bool,
    pub owner: Option<Owner>,
    pub switches: Switches,
    /// Hash of our entry in `managedFields`, with its time; 0 when we have none.
    pub ours: u64,
    /// It carries fields or marks of other managers that an apply cleans up first.
    pub cleanup: bool,
    /// Hash of labels, annotations and all that is outside `metadata` and `status`, in the server's own spelling;
    /// `None` when only metadata was shown.
    pub content: Option<u64>,
    pub health: Health,
}

/// Objects whose content never enters our memory through a watch.
pub(crate) fn metadata_only(gvk: &Gvk) -> bool {
    gvk.group.is_empty() && matches!(gvk.kind.as_str(), "Secret" | "ConfigMap")
}

/// How much of an object an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Whole,
    Metadata,
}

impl Observation {
    /// Reads an object's JSON text.
    pub fn parse(
        json: &[u8],
        gvk: &Gvk,
        shown: Shown,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Self, serde_json::Error> {
        let thin: Thin<'_> = serde_json::from_slice(json)?;
        Ok(thin.observe(gvk, shown, policy, now))
    }
}

/// An object with only the parts parsed that matter here; borrowed from the text.
#[derive(Default)]
pub(crate) struct Thin<'a> {
    pub metadata: Metadata<'a>,
    spec: Option<&'a RawValue>,
    status: Option<&'a RawValue>,
    rest: u64,
    /// Set when the text is an API status instead of an object (in a watch).
    pub code: Option<u16>,
    pub message: Option<Cow<'a, str>>,
    pub reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Metadata<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    namespace: Cow<'a, str>,
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(borrow)]
    pub resource_version: Cow<'a, str>,
    generation: Option<i64>,
    #[serde(borrow)]
    deletion_timestamp: Option<Cow<'a, str>>,
    #[serde(borrow)]
    creation_timestamp: Option<Cow<'a, str>>,
    #[serde(borrow)]
    labels: Option<&'a RawValue>,
    #[serde(borrow)]
    annotations: Option<&'a RawValue>,
    #[serde(borrow)]
    managed_fields: Option<Vec<ManagedFields<'a>>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ManagedFields<'a> {
    #[serde(borrow)]
    manager: Cow<'a, str>,
    #[serde(borrow)]
    operation: Cow<'a, str>,
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    fields_v1: Option<&'a RawValue>,
    #[serde(borrow)]
    subresource: Cow<'a, str>,
}

type Texts<'a> = HashMap<Cow<'a, str>, Cow<'a, str>>;

/// `HashMap<Cow, Cow>` owns its strings when deserialised; these two borrow.
#[derive(Deserialize, PartialEq, Eq, Hash)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

fn texts(raw: Option<&RawValue>) -> Texts<'_> {
    let Some(raw) = raw else {
        return Texts::new();
    };
    serde_json::from_str::<HashMap<Borrowed<'_>, Borrowed<'_>>>(raw.get())
        .map(|map| map.into_iter().map(|(k, v)| (k.0, v.0)).collect())
        .unwrap_or_default()
}

impl<'de: 'a, 'a> Deserialize<'de> for Thin<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ThinVisitor)
    }
}

struct ThinVisitor;

impl<'de> Visitor<'de> for ThinVisitor {
    type Value = Thin<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kubernetes object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut thin = Thin::default();
        let mut rest = DefaultHasher::new();
        while let Some(Borrowed(key)) = map.next_key::<Borrowed<'de>>()? {
            match key.as_ref() {
                "metadata" => thin.metadata = map.next_value()?,
                "status" => thin.status = map.next_value()?,
                "kind" | "apiVersion" => {
                    map.next_value::<IgnoredAny>()?;
                }
                // These two are fields of an API status; objects that happen to have them are hashed all the same.
                "code" | "message" | "reason" => {
                    let value: &RawValue = map.next_value()?;
                    hash_field(&mut rest, &key, value);
                    match key.as_ref() {
                        "code" => thin.code = serde_json::from_str(value.get()).ok(),
                        "message" => thin.message = read_text(value),
                        _ => thin.reason = read_text(value),
                    }
                }
                _ => {
                    let value: &RawValue = map.next_value()?;
                    hash_field(&mut rest, &key, value);
                    if key == "spec" {
                        thin.spec = Some(value);
                    }
                }
            }
        }
        thin.rest = rest.finish();
        Ok(thin)
    }
}

fn hash_field(hasher: &mut DefaultHasher, key: &str, value: &RawValue) {
    key.hash(hasher);
    value.get().hash(hasher);
}

fn read_text(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Borrowed<'_>>(value.get()).ok().map(|b| b.0)
}

impl Thin<'_> {
    /// `namespace/name`.
    pub fn key(&self) -> String {
        crate::cache::key_of(&self.metadata.namespace, &self.metadata.name)
    }

    pub fn observe(&self, gvk: &Gvk, shown: Shown, policy: &Policy, now: Timestamp) -> Observation {
        let metadata = &self.metadata;
        let labels = texts(metadata.labels);
        let annotations = texts(metadata.annotations);

        let mut switches = Switches::default();
        for (key, value) in labels.iter().chain(annotations.iter()) {
            switches.read(&policy.group, key, value);
        }
        let keys = policy.owner_labels();
        let owner = match (labels.get(keys.namespace.as_str()), labels.get(keys.name.as_str())) {
            (Some(namespace), Some(name)) => {
                Some(Owner { namespace: namespace.to_string(), name: name.to_string() })
            }
            _ => None,
        };

        let entries = metadata.managed_fields.as_deref().unwrap_or_default();
        let ours = entries
            .iter()
            .find(|e| e.manager == policy.field_manager && e.operation == "Apply" && e.subresource.is_empty())
            .map_or(0, |e| {
                let mut hasher = DefaultHasher::new();
                e.api_version.hash(&mut hasher);
                e.time.hash(&mut hasher);
                e.fields_v1.map(RawValue::get).hash(&mut hasher);
                hasher.finish().max(1)
            });
        let cleanup =
            entries.iter().any(|e| takeover::takes(policy, &e.manager, &e.operation, &e.subresource))
                || annotations.keys().any(|k| takeover::stale_annotation(k))
                || labels.keys().any(|k| takeover::stale_label(k));

        let content = (shown == Shown::Whole).then(|| {
            let mut hasher = DefaultHasher::new();
            metadata.labels.map(RawValue::get).hash(&mut hasher);
            metadata.annotations.map(RawValue::get).hash(&mut hasher);
            self.rest.hash(&mut hasher);
            hasher.finish()
        });
        Observation {
            namespace: metadata.namespace.as_ref().into(),
            name: metadata.name.as_ref().into(),
            uid: metadata.uid.as_ref().into(),
            version: metadata.resource_version.parse().unwrap_or(0),
            deleting: metadata.deletion_timestamp.is_some(),
            owner,
            switches,
            ours,
            cleanup,
            content,
            health: kstatus::assess(&self.for_health(gvk), now),
        }
    }

    /// The parts of the object that the health rules read.
    fn for_health(&self, gvk: &Gvk) -> Value {
        let mut metadata = Map::new();
        if let Some(generation) = self.metadata.generation {
            metadata.insert("generation".to_owned(), generation.into());
        }
        let times = [
            ("deletionTimestamp", &self.metadata.deletion_timestamp),
            ("creationTimestamp", &self.metadata.creation_timestamp),
        ];
        for (key, value) in times {
            if let Some(value) = value {
                metadata.insert(key.to_owned(), Value::String(value.to_string()));
            }
        }
        let mut object = Map::new();
        object.insert("apiVersion".to_owned(), Value::String(gvk.api_version()));
        object.insert("kind".to_owned(), Value::String(gvk.kind.clone()));
        object.insert("metadata".to_owned(), Value::Object(metadata));
        if let Some(status) = self.status.and_then(|s| serde_json::from_str(s.get()).ok()) {
            object.insert("status".to_owned(), status);
        }
        let wanted = self.spec.and_then(|s| serde_json::from_str::<SpecOfRules>(s.get()).ok());
        if let Some(spec) = wanted {
            object.insert("spec".to_owned(), Value::Object(spec.0));
        }
        Value::Object(object)
    }
}

/// The `spec` fields that the health rules read; everything else is skipped without being built.
struct SpecOfRules(Map<String, Value>);

impl<'de> Deserialize<'de> for SpecOfRules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SpecVisitor;
        impl<'de> Visitor<'de> for SpecVisitor {
            type Value = SpecOfRules;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a spec")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut found = Map::new();
                while let Some(Borrowed(key)) = map.next_key::<Borrowed<'de>>()? {
                    match key.as_ref() {
                        "replicas"
                        | "progressDeadlineSeconds"
                        | "updateStrategy"
                        | "suspend"
                        | "type"
                        | "clusterIP" => {
                            let value = map.next_value()?;
                            found.insert(key.into_owned(), value);
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(SpecOfRules(found))
            }
        }
        deserializer.deserialize_map(SpecVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kstatus::Status;
    use serde_json::json;

    fn policy() -> Policy {
        Policy::new("kustomize-controller", "kustomize.toolkit.fluxcd.io")
    }

    fn observe(object: &Value) -> Observation {
        let gvk = Gvk::new(object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
        let text = object.to_string();
        Observation::parse(text.as_bytes(), &gvk, Shown::Whole, &policy(), Timestamp::UNIX_EPOCH).unwrap()
    }

    fn deployment() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "a\"b", "namespace": "shop", "uid": "u", "resourceVersion": "42", "generation": 1,
                "labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
                    "kustomize.toolkit.fluxcd.io/prune": "disabled"},
                "annotations": {"note": "with \"quotes\" and \u{e9}"},
                "managedFields": [
                    {"manager": "kustomize-controller", "operation": "Apply", "apiVersion": "apps/v1", "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}},
                    {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "fieldsV1": {}}]},
            "spec": {"replicas": 1, "template": {"spec": {}}},
            "status": {"observedGeneration": 1, "replicas": 1}})
    }

    #[test]
    fn reads_what_matters() {
        let seen = observe(&deployment());
        assert_eq!((&*seen.namespace, &*seen.name, seen.version), ("shop", "a\"b", 42));
        assert_eq!(seen.owner.unwrap().name, "apps");
        assert!(seen.switches.prune_disabled && !seen.deleting && !seen.cleanup && seen.ours != 0);
        assert_eq!(seen.health.status, Status::InProgress);
        assert_eq!(seen.health.message, "0 of 1 replicas updated");
    }

    #[test]
    fn content_leaves_status_and_bookkeeping_out() {
        let base = observe(&deployment());
        let mut other = deployment();
        other["status"] = json!({"replicas": 7});
        other["metadata"]["resourceVersion"] = json!("43");
        other["metadata"]["managedFields"][1]["time"] = json!("x");
        let seen = observe(&other);
        assert_eq!((seen.content, seen.ours), (base.content, base.ours));

        let edits: [fn(&mut Value); 3] = [
            |o| o["spec"]["replicas"] = json!(2),
            |o| o["metadata"]["annotations"]["note"] = json!("x"),
            |o| o["data"] = json!({}),
        ];
        for edit in edits {
            let mut changed = deployment();
            edit(&mut changed);
            assert_ne!(observe(&changed).content, base.content);
        }
    }

    #[test]
    fn our_entry_and_foreign_managers() {
        let base = observe(&deployment());
        let mut stolen = deployment();
        stolen["metadata"]["managedFields"][0]["fieldsV1"] = json!({"f:spec": {"f:x": {}}});
        assert_ne!(observe(&stolen).ours, base.ours);

        let mut edited = deployment();
        edited["metadata"]["managedFields"]
            .as_array_mut()
            .unwrap()
            .push(json!({"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {}}));
        assert!(observe(&edited).cleanup);
        let mut applied = deployment();
        applied["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = json!("{}");
        assert!(observe(&applied).cleanup);
    }

    #[test]
    fn an_api_status_is_told_apart() {
        let text = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old","reason":"Expired","code":410}"#;
        let thin: Thin<'_> = serde_json::from_str(text).unwrap();
        assert_eq!(thin.code, Some(410));
        assert_eq!(thin.reason.as_deref(), Some("Expired"));
    }
}

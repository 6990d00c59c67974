//! `spec.ignore`: fields whose drift is none of our business.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use object::{LabelSelector, ObjectRef};
use regex::Regex;
use serde_json::{Map, Value};
use thiserror::Error as ThisError;

use crate::policy::Policy;

/// One rule as written: JSON pointers, and the objects they hold for.
#[derive(Debug, Clone, Default, Hash)]
pub struct IgnoreRule {
    /// JSON pointers such as `/spec/replicas`.
    pub paths: Vec<String>,
    /// Anchored regular expression for the group; empty matches all. So do the next four.
    pub group: String,
    /// For the version.
    pub version: String,
    /// For the kind.
    pub kind: String,
    /// For the name.
    pub name: String,
    /// For the namespace.
    pub namespace: String,
    /// Kubernetes label selector; empty matches all.
    pub label_selector: String,
    /// The same over annotations.
    pub annotation_selector: String,
}

/// A rule that cannot be read.
#[derive(Debug, ThisError)]
#[error("invalid ignore rule: {field} '{text}': {problem}")]
pub struct IgnoreError {
    field: &'static str,
    text: String,
    problem: String,
}

/// Rules ready for use.
#[derive(Debug, Clone, Default)]
pub struct IgnoreRules {
    rules: Vec<Compiled>,
    hash: u64,
}

#[derive(Debug, Clone)]
struct Compiled {
    paths: Vec<String>,
    patterns: [Option<Regex>; 5],
    labels: LabelSelector,
    annotations: LabelSelector,
}

impl IgnoreRules {
    /// Compiles the rules of an owner.
    ///
    /// # Errors
    /// Names the field of the first rule whose expression or selector cannot be read.
    pub fn compile(rules: &[IgnoreRule]) -> Result<Self, IgnoreError> {
        let mut hasher = DefaultHasher::new();
        rules.hash(&mut hasher);
        Ok(Self {
            hash: if rules.is_empty() { 0 } else { hasher.finish() },
            rules: rules.iter().map(Compiled::new).collect::<Result<_, _>>()?,
        })
    }

    /// Other rules, other hash: what was left alone under the old rules is looked at again under the new ones.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The pointers that hold for an object.
    pub fn paths(&self, object: &Value) -> Vec<&str> {
        self.rules
            .iter()
            .filter(|rule| rule.matches(object))
            .flat_map(|rule| rule.paths.iter().map(String::as_str))
            .collect()
    }

    /// True when there is no rule at all.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

impl Compiled {
    fn new(rule: &IgnoreRule) -> Result<Self, IgnoreError> {
        let pattern = |field, text: &str| -> Result<Option<Regex>, IgnoreError> {
            if text.is_empty() {
                return Ok(None);
            }
            Regex::new(&format!("^(?:{text})$")).map(Some).map_err(|e| IgnoreError {
                field,
                text: text.to_owned(),
                problem: e.to_string(),
            })
        };
        let selector = |field, text: &str| -> Result<LabelSelector, IgnoreError> {
            text.parse().map_err(|e: object::Error| IgnoreError {
                field,
                text: text.to_owned(),
                problem: e.to_string(),
            })
        };
        Ok(Self {
            paths: rule.paths.clone(),
            patterns: [
                pattern("target.group", &rule.group)?,
                pattern("target.version", &rule.version)?,
                pattern("target.kind", &rule.kind)?,
                pattern("target.name", &rule.name)?,
                pattern("target.namespace", &rule.namespace)?,
            ],
            labels: selector("target.labelSelector", &rule.label_selector)?,
            annotations: selector("target.annotationSelector", &rule.annotation_selector)?,
        })
    }

    fn matches(&self, object: &Value) -> bool {
        let Ok(reference) = ObjectRef::of(object) else {
            return false;
        };
        let gvk = &reference.gvk;
        let texts = [&gvk.group, &gvk.version, &gvk.kind, &reference.name, &reference.namespace];
        let map =
            |field: &str| -> Option<&Map<String, Value>> { object.get("metadata")?.get(field)?.as_object() };
        self.patterns
            .iter()
            .zip(texts)
            .all(|(pattern, text)| pattern.as_ref().is_none_or(|p| p.is_match(text)))
            && self.labels.matches(map("labels"))
            && self.annotations.matches(map("annotations"))
    }
}

/// Removes the value at a pointer; a pointer to nothing does nothing.
pub fn remove(object: &mut Value, pointer: &str) {
    let Some((parent, last)) = pointer.rsplit_once('/') else {
        return;
    };
    let key = last.replace("~1", "/").replace("~0", "~");
    match object.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            map.shift_remove(&key);
        }
        Some(Value::Array(items)) => {
            if let Ok(i) = key.parse::<usize>()
                && i < items.len()
            {
                items.remove(i);
            }
        }
        _ => {}
    }
}

/// Adapts a payload that is applied for other reasons, so that ignored fields stay as they are: a field that another
/// Apply manager owns leaves the payload, any other takes the live value.
pub(crate) fn adopt(payload: &mut Value, live: &Value, next: &Value, paths: &[&str], policy: &Policy) {
    for path in paths {
        let (now, then) = (live.pointer(path), next.pointer(path));
        if now == then {
            continue;
        }
        match now {
            Some(now) if !owned_by_another(live, path, policy) => put(payload, path, now.clone()),
            _ => remove(payload, path),
        }
    }
}

/// Sets the value at a pointer whose parent exists; list items only where they are already there.
fn put(object: &mut Value, pointer: &str, value: Value) {
    let Some((parent, last)) = pointer.rsplit_once('/') else {
        return;
    };
    let key = last.replace("~1", "/").replace("~0", "~");
    match object.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            map.insert(key, value);
        }
        Some(Value::Array(items)) => {
            if let Some(item) = key.parse::<usize>().ok().and_then(|i| items.get_mut(i)) {
                *item = value;
            }
        }
        _ => {}
    }
}

/// Whether an Apply manager other than ours owns the field at a pointer.
fn owned_by_another(live: &Value, pointer: &str, policy: &Policy) -> bool {
    let entries = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    entries.into_iter().flatten().any(|entry| {
        let text = |key| entry.get(key).and_then(Value::as_str).unwrap_or("");
        text("operation") == "Apply"
            && text("subresource").is_empty()
            && text("manager") != policy.field_manager
            && entry.get("fieldsV1").is_some_and(|fields| owns(fields, live, pointer))
    })
}

/// Walks a field set along a pointer through the live object. List items are found by the key fields or the value that
/// the field set names them with.
fn owns(fields: &Value, live: &Value, pointer: &str) -> bool {
    let (mut fields, mut at) = (fields, live);
    for segment in pointer.split('/').skip(1) {
        let key = segment.replace("~1", "/").replace("~0", "~");
        let next = match at {
            Value::Object(map) => {
                let Some(value) = map.get(&key) else { return false };
                at = value;
                fields.get(format!("f:{key}"))
            }
            Value::Array(items) => {
                let Some(item) = key.parse::<usize>().ok().and_then(|i| items.get(i)) else {
                    return false;
                };
                at = item;
                item_fields(fields, item)
            }
            _ => None,
        };
        match next {
            Some(found) => fields = found,
            None => return false,
        }
    }
    true
}

fn item_fields<'a>(fields: &'a Value, item: &Value) -> Option<&'a Value> {
    fields.as_object()?.iter().find_map(|(key, inner)| {
        let named = |prefix: &str| serde_json::from_str::<Value>(key.strip_prefix(prefix)?).ok();
        let by_key = named("k:").is_some_and(|k| {
            k.as_object().is_some_and(|k| k.iter().all(|(field, value)| item.get(field) == Some(value)))
        });
        let by_value = || named("v:").is_some_and(|v| v == *item);
        (by_key || by_value()).then_some(inner)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy() -> Policy {
        Policy::new("kustomize-controller", "kustomize.toolkit.fluxcd.io")
    }

    fn deployment() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"},
            "managedFields": [
                {"manager": "hpa", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:containers": {"k:{\"name\":\"app\"}": {"f:image": {}}}}}},
                {"manager": "kustomize-controller", "operation": "Apply", "fieldsV1": {"f:spec": {"f:paused": {}}}}]},
            "spec": {"replicas": 5, "paused": true, "containers": [{"name": "side"}, {"name": "app", "image": "x"}]}})
    }

    #[test]
    fn rules_pick_objects() {
        let rule = |edit: fn(&mut IgnoreRule)| {
            let mut rule = IgnoreRule { paths: vec!["/spec/replicas".into()], ..IgnoreRule::default() };
            edit(&mut rule);
            IgnoreRules::compile(&[rule]).unwrap().paths(&deployment()).len()
        };
        assert_eq!(rule(|_| {}), 1);
        assert_eq!(rule(|r| r.kind = "Deploy.*".into()), 1);
        assert_eq!(rule(|r| r.kind = "Deploy".into()), 0);
        assert_eq!(rule(|r| r.namespace = "shop|x".into()), 1);
        assert_eq!(rule(|r| r.label_selector = "app in (web)".into()), 1);
        assert_eq!(rule(|r| r.annotation_selector = "note".into()), 0);
        let bad = IgnoreRule { kind: "(".into(), ..IgnoreRule::default() };
        assert!(IgnoreRules::compile(&[bad]).unwrap_err().to_string().contains("target.kind"));
    }

    #[test]
    fn foreign_fields_leave_the_payload_and_others_stay_live() {
        let live = deployment();
        let mut next = deployment();
        next["spec"]["replicas"] = json!(1);
        next["spec"]["paused"] = json!(false);
        next["spec"]["containers"][1]["image"] = json!("y");
        let mut payload = json!({"spec": {"replicas": 1, "paused": false, "containers": [{"name": "side"}, {"name": "app", "image": "y"}]}});
        let paths = ["/spec/replicas", "/spec/paused", "/spec/containers/1/image", "/spec/none", "bad"];
        adopt(&mut payload, &live, &next, &paths, &policy());
        assert_eq!(
            payload,
            json!({"spec": {"paused": true, "containers": [{"name": "side"}, {"name": "app"}]}})
        );
    }

    #[test]
    fn removal_of_nothing_is_nothing() {
        let mut object = json!({"a": [1, 2], "b/c": 1});
        for pointer in ["/x/y", "/a/7", "nope", "/b~1c", "/a/0"] {
            remove(&mut object, pointer);
        }
        assert_eq!(object, json!({"a": [2]}));
    }
}

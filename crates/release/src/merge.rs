//! Three-way merges: what the last manifest had and the new one has not goes away, what the new one has is set, and what
//! others added to the live object stays.
//!
//! Helm sends such a merge as a strategic patch, whose directives the API server carries out. Here the merged object is
//! computed, and sent as a JSON merge patch that holds for this version of the object only; the outcome is the same.

use schema::{Node, Schema};
use serde_json::{Map, Value};

/// Groups of kinds that Helm's client knows by type: these are merged strategically, all others as plain JSON.
const TYPED: &[&str] = &[
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// How objects of custom kinds are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Custom {
    /// What changed between the manifests is changed; what others did is not looked at.
    TwoWay,
    /// As built-in kinds, but lists are replaced.
    ThreeWay,
}

/// The JSON merge patch that brings a live object from one manifest to another; `None` when there is nothing to change.
pub(crate) fn patch(original: &Value, target: &Value, live: &Value, custom: Custom) -> Option<Value> {
    let text = |pointer: &str| target.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let api_version = text("/apiVersion");
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let typed = TYPED.contains(&group);
    if !typed && custom == Custom::TwoWay {
        return difference(original, target);
    }
    let schema = Schema::builtin();
    let node = if typed { schema.lookup(group, version, text("/kind")) } else { None };
    let place = Place { node, typed, retain: false };
    let mut patch = difference(live, &three_way(place, original, target, live))?;
    // The merge holds for what was read.
    if let (Some(version), Some(patch)) = (live.pointer("/metadata/resourceVersion"), patch.as_object_mut()) {
        let metadata = patch.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert("resourceVersion".to_owned(), version.clone());
        }
    }
    Some(patch)
}

/// The JSON merge patch (RFC 7386) from one value to another.
fn difference(from: &Value, to: &Value) -> Option<Value> {
    let (Value::Object(from), Value::Object(to)) = (from, to) else {
        return (from != to).then(|| to.clone());
    };
    let mut patch = Map::new();
    for key in from.keys().filter(|key| !to.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, new) in to {
        match from.get(key) {
            Some(old) => {
                if let Some(change) = difference(old, new) {
                    patch.insert(key.clone(), change);
                }
            }
            None => _ = patch.insert(key.clone(), new.clone()),
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// What is known of a place in an object.
#[derive(Clone, Copy)]
struct Place<'s> {
    /// Its type, as far as lists below it merge.
    node: Option<Node<'s>>,
    /// Its kind is built in.
    typed: bool,
    /// Its fields exclude each other: those that the manifest has not go away.
    retain: bool,
}

impl<'s> Place<'s> {
    fn field(self, key: &str) -> Place<'s> {
        let node = self.node.and_then(|node| node.field(key));
        // The strategy of Deployments is the only mapping of this sort that is no item of a list.
        Place { node, retain: self.typed && key == "strategy", ..self }
    }

    fn item(self, list: Node<'s>) -> Place<'s> {
        let retain = list.patch_strategy().split(',').any(|word| word == "retainKeys");
        Place { node: list.items(), retain, ..self }
    }
}

fn three_way(place: Place<'_>, original: &Value, target: &Value, live: &Value) -> Value {
    match (target, live) {
        (Value::Object(target), Value::Object(live)) => {
            let empty = Map::new();
            let original = original.as_object().unwrap_or(&empty);
            Value::Object(maps(place, original, target, live))
        }
        (Value::Array(target), Value::Array(live)) => {
            let original = original.as_array().map(Vec::as_slice).unwrap_or_default();
            match place.node.filter(|node| node.merges()) {
                Some(node) => Value::Array(lists(place, node, original, target, live)),
                None => Value::Array(target.clone()),
            }
        }
        _ => target.clone(),
    }
}

fn maps(
    place: Place<'_>,
    original: &Map<String, Value>,
    target: &Map<String, Value>,
    live: &Map<String, Value>,
) -> Map<String, Value> {
    let mut merged = Map::new();
    for (key, old) in live {
        match target.get(key) {
            // A null in a manifest takes the field away.
            Some(Value::Null) if key != "creationTimestamp" => {}
            Some(Value::Null) => _ = merged.insert(key.clone(), old.clone()),
            Some(new) => {
                let before = original.get(key).unwrap_or(&Value::Null);
                merged.insert(key.clone(), three_way(place.field(key), before, new, old));
            }
            None if place.retain || original.get(key).is_some_and(|before| !before.is_null()) => {}
            None => _ = merged.insert(key.clone(), old.clone()),
        }
    }
    for (key, new) in target {
        if !live.contains_key(key) && !new.is_null() {
            merged.insert(key.clone(), new.clone());
        }
    }
    merged
}

/// Lists that merge: those of mappings by their keys, others by their values. What others added comes before what is new,
/// and keeps its place among the rest.
fn lists(
    place: Place<'_>,
    node: Node<'_>,
    original: &[Value],
    target: &[Value],
    live: &[Value],
) -> Vec<Value> {
    let keys = node.merge_keys();
    let same = |a: &Value, b: &Value| match keys {
        [] => a == b,
        keys => keys.iter().all(|key| key_of(a, key) == key_of(b, key)),
    };
    let find = |list: &[Value], item: &Value| list.iter().position(|other| same(other, item));
    let mut others = live
        .iter()
        .enumerate()
        .filter(|(_, item)| find(target, item).is_none() && find(original, item).is_none())
        .peekable();
    let mut merged = Vec::with_capacity(target.len());
    for item in target {
        let at = find(live, item);
        while let Some((other, added)) = others.peek()
            && at.is_none_or(|at| *other < at)
        {
            merged.push((*added).clone());
            others.next();
        }
        let before = find(original, item).and_then(|at| original.get(at)).unwrap_or(&Value::Null);
        merged.push(match at.and_then(|at| live.get(at)) {
            Some(old) => three_way(place.item(node), before, item, old),
            None => item.clone(),
        });
    }
    merged.extend(others.map(|(_, item)| item.clone()));
    merged
}

/// A key of an item. Ports without a protocol are TCP's.
fn key_of<'v>(item: &'v Value, key: &str) -> Option<&'v Value> {
    static TCP: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| Value::String("TCP".to_owned()));
    item.get(key).or_else(|| (key == "protocol").then_some(&*TCP))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(spec: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec})
    }

    fn merged(original: Value, target: Value, live: Value) -> Option<Value> {
        let mut patch = patch(&deployment(original), &deployment(target), &deployment(live), Custom::TwoWay)?;
        Some(patch["spec"].take())
    }

    #[test]
    fn what_left_the_manifest_goes_and_what_others_added_stays() {
        let found = merged(
            json!({"replicas": 1, "minReadySeconds": 5}),
            json!({"replicas": 2}),
            json!({"replicas": 1, "minReadySeconds": 5, "paused": true}),
        );
        assert_eq!(found, Some(json!({"replicas": 2, "minReadySeconds": null})));
        assert_eq!(
            merged(json!({"replicas": 1}), json!({"replicas": 1}), json!({"replicas": 1, "x": 1})),
            None
        );
        // Drift is corrected, other than with a two-way patch.
        assert_eq!(
            merged(json!({"replicas": 1}), json!({"replicas": 1}), json!({"replicas": 7})),
            Some(json!({"replicas": 1}))
        );
    }

    #[test]
    fn lists_merge_by_their_keys() {
        let template = |containers: Value| json!({"template": {"spec": {"containers": containers}}});
        let found = merged(
            template(json!([{"name": "a", "image": "a:1", "ports": [{"containerPort": 80}]}, {"name": "b"}])),
            template(json!([{"name": "a", "image": "a:2", "ports": [{"containerPort": 80}]}])),
            template(json!([
                {"name": "sidecar"},
                {"name": "a", "image": "a:1", "imagePullPolicy": "Always", "ports": [{"containerPort": 80, "protocol": "TCP"}]},
                {"name": "b"},
            ])),
        )
        .unwrap();
        assert_eq!(
            found["template"]["spec"]["containers"],
            json!([
                {"name": "sidecar"},
                {"name": "a", "image": "a:2", "imagePullPolicy": "Always", "ports": [{"containerPort": 80, "protocol": "TCP"}]},
            ])
        );
    }

    #[test]
    fn what_is_new_comes_last() {
        let env = |names: &[&str]| {
            let env: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
            json!({"template": {"spec": {"containers": [{"name": "a", "env": env}]}}})
        };
        let found =
            merged(env(&["old", "kept"]), env(&["new", "kept"]), env(&["old", "kept", "other"])).unwrap();
        let names = &found["template"]["spec"]["containers"][0]["env"];
        assert_eq!(*names, json!([{"name": "other"}, {"name": "new"}, {"name": "kept"}]));
    }

    #[test]
    fn fields_that_exclude_each_other_are_retained_by_key() {
        let found = merged(
            json!({}),
            json!({"strategy": {"type": "Recreate"}}),
            json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}),
        );
        assert_eq!(found, Some(json!({"strategy": {"type": "Recreate", "rollingUpdate": null}})));
    }

    #[test]
    fn custom_kinds_are_merged_two_ways_unless_told_otherwise() {
        let object = |spec: Value| json!({"apiVersion": "example.com/v1", "kind": "Widget", "spec": spec});
        let (old, new) = (object(json!({"a": 1, "b": 1})), object(json!({"a": 2})));
        let live = json!({"apiVersion": "example.com/v1", "kind": "Widget", "spec": {"a": 2, "b": 1, "c": 3}, "metadata": {"resourceVersion": "9"}});
        assert_eq!(patch(&old, &new, &live, Custom::TwoWay), Some(json!({"spec": {"a": 2, "b": null}})));
        assert_eq!(
            patch(&old, &new, &live, Custom::ThreeWay),
            Some(json!({"spec": {"b": null}, "metadata": {"resourceVersion": "9"}}))
        );
    }

    #[test]
    fn a_merge_holds_for_what_was_read() {
        let live = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "resourceVersion": "7"}, "data": {"a": "1"}});
        let old = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "creationTimestamp": null}, "data": {"a": "1"}});
        let mut new = old.clone();
        assert_eq!(patch(&old, &new, &live, Custom::TwoWay), None);
        new["data"]["a"] = json!(null);
        assert_eq!(
            patch(&old, &new, &live, Custom::TwoWay),
            Some(json!({"metadata": {"resourceVersion": "7"}, "data": {"a": null}}))
        );
    }
}

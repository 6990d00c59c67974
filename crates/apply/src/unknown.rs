//! Fields of built-in kinds that the API server does not know.
//!
//! Flux reads built-in kinds into its own types, which drops unknown fields in silence. A server-side apply refuses them
//! and names each one; here exactly those that it names are dropped, with a warning, and the apply is tried again. So the
//! schema that counts is the target cluster's own, and custom resources keep their strictness.

use object::Gvk;
use serde_json::Value;

/// How the API server words it, at the end of a line that begins with the field's path.
const COMPLAINT: &str = ": field not declared in schema";

/// Groups whose kinds Flux knows by type.
const GROUPS: [&str; 21] = [
    "",
    "admissionregistration.k8s.io",
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
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// Removes the fields that a refusal names. Returns their paths; empty when it is about something else, or about a kind
/// whose unknown fields count.
pub fn prune(object: &mut Value, gvk: &Gvk, message: &str) -> Vec<String> {
    let role =
        gvk.group == "rbac.authorization.k8s.io" && matches!(gvk.kind.as_str(), "Role" | "ClusterRole");
    if role || !GROUPS.contains(&gvk.group.as_str()) || !message.contains(COMPLAINT) {
        return Vec::new();
    }
    let mut removed = Vec::new();
    for line in message.lines() {
        let Some((before, _)) = line.split_once(COMPLAINT) else {
            continue;
        };
        // A single complaint follows the introduction on the same line.
        let path = match before.rfind(" .") {
            Some(at) => before.get(at + 1..).unwrap_or_default(),
            None => before.trim(),
        };
        if segments(path).is_some_and(|segments| remove(object, &segments)) {
            removed.push(path.to_owned());
        }
    }
    removed
}

#[derive(Debug, PartialEq)]
enum Segment {
    Field(String),
    Index(usize),
    /// The item with these values.
    Keys(Vec<(String, Value)>),
}

/// Reads `.spec.containers[name="app"].foo`.
fn segments(path: &str) -> Option<Vec<Segment>> {
    let mut segments = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, tail) = after.split_at(end);
            segments.push(Segment::Field(name.to_owned()));
            rest = tail;
        } else {
            let inner = rest.strip_prefix('[')?;
            let end = closing(inner)?;
            let (keys, tail) = inner.split_at(end);
            rest = tail.strip_prefix(']')?;
            segments.push(match keys.parse() {
                Ok(index) => Segment::Index(index),
                Err(_) => Segment::Keys(pairs(keys)?),
            });
        }
    }
    (!segments.is_empty()).then_some(segments)
}

/// Where the bracket closes that was opened before `text`.
fn closing(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ']' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// Reads `containerPort=80,protocol="TCP"`.
fn pairs(text: &str) -> Option<Vec<(String, Value)>> {
    let mut pairs = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let mut values = serde_json::Deserializer::from_str(after).into_iter::<Value>();
        let value = values.next()?.ok()?;
        let used = values.byte_offset();
        rest = after.get(used..)?.trim_start_matches(',');
        pairs.push((key.to_owned(), value));
    }
    (!pairs.is_empty()).then_some(pairs)
}

fn remove(object: &mut Value, path: &[Segment]) -> bool {
    match path {
        [Segment::Field(last)] => object.as_object_mut().is_some_and(|map| map.shift_remove(last).is_some()),
        [first, rest @ ..] => {
            let child = match (first, object) {
                (Segment::Field(name), Value::Object(map)) => map.get_mut(name),
                (Segment::Index(i), Value::Array(items)) => items.get_mut(*i),
                (Segment::Keys(keys), Value::Array(items)) => {
                    items.iter_mut().find(|item| keys.iter().all(|(k, v)| item.get(k) == Some(v)))
                }
                _ => None,
            };
            child.is_some_and(|child| remove(child, rest))
        }
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment() -> Value {
        json!({"metadata": {"name": "bad", "foo": "bar"}, "spec": {"nope": {}, "containers": [
            {"name": "side"}, {"name": "a]pp", "typo": 1, "ports": [{"containerPort": 80, "protocol": "TCP", "hots": 1}]}],
            "tolerations": [{"key": "a", "opp": 1}]}})
    }

    #[test]
    fn many_complaints() {
        let message = "failed to create typed patch object (default/bad; apps/v1, Kind=Deployment): errors:\n  .metadata.foo: field not declared in schema\n  .spec.containers[name=\"a]pp\"].typo: field not declared in schema\n  .spec.containers[name=\"a]pp\"].ports[containerPort=80,protocol=\"TCP\"].hots: field not declared in schema\n  .spec.tolerations[0].opp: field not declared in schema\n  .spec.nope: field not declared in schema";
        let mut object = deployment();
        let removed = prune(&mut object, &Gvk::new("apps/v1", "Deployment"), message);
        assert_eq!(removed.len(), 5, "{removed:?}");
        let expected = json!({"metadata": {"name": "bad"}, "spec": {"containers": [
            {"name": "side"}, {"name": "a]pp", "ports": [{"containerPort": 80, "protocol": "TCP"}]}],
            "tolerations": [{"key": "a"}]}});
        assert_eq!(object, expected);
    }

    #[test]
    fn one_complaint_on_one_line() {
        let message = "failed to create typed patch object (a/b; /v1, Kind=Service): .spec.nope: field not declared in schema";
        let mut object = deployment();
        assert_eq!(prune(&mut object, &Gvk::new("v1", "Service"), message), [".spec.nope"]);
    }

    #[test]
    fn custom_kinds_and_roles_stay_strict() {
        let message = ".spec.nope: field not declared in schema";
        for gvk in [Gvk::new("example.com/v1", "Widget"), Gvk::new("rbac.authorization.k8s.io/v1", "Role")] {
            let mut object = deployment();
            assert!(prune(&mut object, &gvk, message).is_empty());
            assert_eq!(object, deployment());
        }
    }

    #[test]
    fn what_cannot_be_found_is_left() {
        let gvk = Gvk::new("v1", "Service");
        for message in [
            ".spec.other.nope: field not declared in schema",
            ".spec.containers[name=\"x\"].a: field not declared in schema",
            "[: field not declared in schema",
            ": field not declared in schema",
            "spec: Invalid value",
        ] {
            let mut object = deployment();
            assert!(prune(&mut object, &gvk, message).is_empty(), "{message}");
        }
    }
}

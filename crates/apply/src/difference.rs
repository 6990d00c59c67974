//! Comparing a live object with what an apply would make of it.

use serde_json::{Map, Value};

/// One field that an apply would change.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// Such as `spec.template.spec.containers[0].image`.
    pub path: String,
    /// The live value; `None` when the field is new.
    pub before: Option<Value>,
    /// The value to come; `None` when the field goes away.
    pub after: Option<Value>,
}

impl std::fmt::Display for FieldChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "{}: {before} -> {after}", self.path),
            (None, Some(after)) => write!(f, "{}: + {after}", self.path),
            (Some(before), None) => write!(f, "{}: - {before}", self.path),
            (None, None) => write!(f, "{}", self.path),
        }
    }
}

/// Whether an apply would change labels, annotations or anything outside `metadata` and `status`.
pub(crate) fn drifted(live: &Value, next: &Value) -> bool {
    let mut changes = Vec::new();
    compare_objects(live, next, &mut changes, 1);
    !changes.is_empty()
}

/// The fields that differ, without bookkeeping and status. Values of Secrets are masked.
pub fn changes(live: &Value, next: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare_objects(live, next, &mut changes, usize::MAX);
    if live.get("kind").and_then(Value::as_str) == Some("Secret") {
        for change in &mut changes {
            if change.path.starts_with("data") || change.path.starts_with("stringData") {
                let differ = change.before.is_some() && change.after.is_some();
                let mask = |text: &str| Some(Value::String(text.to_owned()));
                if change.before.is_some() {
                    change.before = mask(if differ { "*** (before)" } else { "***" });
                }
                if change.after.is_some() {
                    change.after = mask(if differ { "*** (after)" } else { "***" });
                }
            }
        }
    }
    changes
}

fn compare_objects(live: &Value, next: &Value, found: &mut Vec<FieldChange>, limit: usize) {
    for field in ["labels", "annotations"] {
        let of = |object: &Value| {
            object.get("metadata").and_then(|m| m.get(field)).cloned().unwrap_or(Value::Null)
        };
        compare(&format!("metadata.{field}"), &of(live), &of(next), found, limit);
    }
    let empty = Map::new();
    let fields = |object: &Value| -> Map<String, Value> {
        object
            .as_object()
            .unwrap_or(&empty)
            .iter()
            .filter(|(k, _)| !matches!(k.as_str(), "metadata" | "status"))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    };
    let (mut live, mut next) = (fields(live), fields(next));
    if live.get("kind").and_then(Value::as_str) == Some("HorizontalPodAutoscaler") {
        drop_odd_metrics(&mut live);
        drop_odd_metrics(&mut next);
    }
    compare_maps("", &live, &next, found, limit);
}

/// Old API servers answer a dry-run of an autoscaler with doubled metrics and with metrics without a type.
fn drop_odd_metrics(object: &mut Map<String, Value>) {
    let metrics = object.get_mut("spec").and_then(|s| s.get_mut("metrics")).and_then(Value::as_array_mut);
    if let Some(metrics) = metrics {
        let mut kept: Vec<Value> = Vec::new();
        for metric in metrics.drain(..) {
            let typed = metric.get("type").and_then(Value::as_str).is_some_and(|t| !t.is_empty());
            if typed && !kept.contains(&metric) {
                kept.push(metric);
            }
        }
        *metrics = kept;
    }
}

/// An empty list or mapping equals null.
fn is_void(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn compare(path: &str, live: &Value, next: &Value, found: &mut Vec<FieldChange>, limit: usize) {
    if found.len() >= limit || live == next || (is_void(live) && is_void(next)) {
        return;
    }
    match (live, next) {
        (Value::Object(live), Value::Object(next)) => compare_maps(path, live, next, found, limit),
        (Value::Array(live), Value::Array(next)) if live.len() == next.len() => {
            for (i, (a, b)) in live.iter().zip(next).enumerate() {
                compare(&format!("{path}[{i}]"), a, b, found, limit);
            }
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
        _ => found.push(FieldChange {
            path: path.to_owned(),
            before: Some(live.clone()),
            after: Some(next.clone()),
        }),
    }
}

fn compare_maps(
    path: &str,
    live: &Map<String, Value>,
    next: &Map<String, Value>,
    found: &mut Vec<FieldChange>,
    limit: usize,
) {
    let join = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else if key.contains(['.', '/']) {
            format!("{path}[{key}]")
        } else {
            format!("{path}.{key}")
        }
    };
    for (key, before) in live {
        if found.len() >= limit {
            return;
        }
        match next.get(key) {
            Some(after) => compare(&join(key), before, after, found, limit),
            None => found.push(FieldChange { path: join(key), before: Some(before.clone()), after: None }),
        }
    }
    for (key, after) in next.iter().filter(|(k, _)| !live.contains_key(*k)) {
        if found.len() >= limit {
            return;
        }
        found.push(FieldChange { path: join(key), before: None, after: Some(after.clone()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bookkeeping_and_status_do_not_count() {
        let live = json!({"kind": "X", "metadata": {"resourceVersion": "1", "managedFields": [], "labels": {"a": "b"}}, "spec": {"l": []}, "status": {"x": 1}});
        let next =
            json!({"kind": "X", "metadata": {"generation": 2, "labels": {"a": "b"}}, "spec": {"l": null}});
        assert!(!drifted(&live, &next));
    }

    #[test]
    fn a_missing_key_differs_from_an_empty_one_except_of_metadata_maps() {
        assert!(drifted(&json!({"spec": {}}), &json!({"spec": {"a": null}})));
        assert!(!drifted(&json!({"metadata": {"labels": {}}}), &json!({"metadata": {}})));
    }

    #[test]
    fn lines_name_paths() {
        let live = json!({"kind": "Deployment", "metadata": {"annotations": {"example.com/a": "1"}}, "spec": {"replicas": 1, "c": [{"image": "a:1"}], "old": true}});
        let next = json!({"kind": "Deployment", "metadata": {"annotations": {"example.com/a": "2"}}, "spec": {"replicas": 1, "c": [{"image": "a:2"}], "new": 1}});
        let lines: Vec<String> = changes(&live, &next).iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "metadata.annotations[example.com/a]: \"1\" -> \"2\"",
                "spec.c[0].image: \"a:1\" -> \"a:2\"",
                "spec.old: - true",
                "spec.new: + 1"
            ]
        );
    }

    #[test]
    fn secrets_are_masked() {
        let live = json!({"kind": "Secret", "data": {"a": "b2xk", "b": "eA=="}});
        let next = json!({"kind": "Secret", "data": {"a": "bmV3", "c": "eQ=="}});
        let text = format!("{:?}", changes(&live, &next));
        assert!(text.contains("(before)") && !text.contains("b2xk") && !text.contains("eQ=="), "{text}");
    }

    #[test]
    fn doubled_metrics_are_one() {
        let hpa = |metrics: Value| json!({"kind": "HorizontalPodAutoscaler", "spec": {"metrics": metrics}});
        let cpu = json!({"type": "Resource", "resource": {"name": "cpu"}});
        assert!(!drifted(&hpa(json!([cpu])), &hpa(json!([cpu, cpu, {"type": ""}]))));
    }
}

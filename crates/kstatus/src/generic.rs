use jiff::Timestamp;
use serde_json::Value;

use crate::{Health, Status, rules};

/// The health of an object at `now`.
///
/// First hit wins: a Job's own rule (it looks at nothing else); deletion; generation not yet observed; condition
/// `Reconciling`, then `Stalled`, in list order; the rule of the kind; condition `Ready`; Current.
pub fn assess(object: &Value, now: Timestamp) -> Health {
    let kind = text(object, &["kind"]);
    let group = text(object, &["apiVersion"]).rsplit_once('/').map_or("", |(group, _)| group);
    if group == "batch" && kind == "Job" {
        return rules::job(object);
    }
    if let Some(health) = universal(object, kind) {
        return health;
    }
    if let Some(health) = rules::of_kind(object, group, kind, now) {
        return health;
    }
    for condition in conditions(object) {
        if condition.is("Ready") {
            match condition.status {
                "True" => return Health::new(Status::Current, "Resource is Ready"),
                "False" | "Unknown" => return Health::in_progress(condition.explain()),
                _ => {}
            }
        }
    }
    Health::current()
}

fn universal(object: &Value, kind: &str) -> Option<Health> {
    let deleting = at(object, &["metadata", "deletionTimestamp"]).is_some_and(|v| !v.is_null());
    if deleting {
        return Some(Health::new(Status::Terminating, "marked for deletion and waiting for its finalizers"));
    }
    let generation = int(object, &["metadata", "generation"]);
    let observed = int(object, &["status", "observedGeneration"]);
    if let (Some(generation), Some(observed)) = (generation, observed)
        && generation != observed
    {
        return Some(Health::in_progress(format!(
            "{kind} generation is {generation}, but latest observed generation is {observed}"
        )));
    }
    conditions(object).find_map(|condition| match (condition.kind, condition.status) {
        ("Reconciling", "True") => Some(Health::in_progress(condition.explain())),
        ("Stalled", "True") => Some(Health::failed(condition.explain())),
        _ => None,
    })
}

pub(crate) struct Condition<'a> {
    pub kind: &'a str,
    pub status: &'a str,
    pub reason: &'a str,
    pub message: &'a str,
}

impl Condition<'_> {
    pub fn is(&self, kind: &str) -> bool {
        self.kind == kind
    }

    /// Its message, else its reason, else its type.
    pub fn explain(&self) -> String {
        let first = [self.message, self.reason].into_iter().find(|t| !t.is_empty());
        first.map_or_else(|| format!("condition {} is {}", self.kind, self.status), str::to_owned)
    }
}

pub(crate) fn conditions(object: &Value) -> impl Iterator<Item = Condition<'_>> {
    at(object, &["status", "conditions"]).and_then(Value::as_array).into_iter().flatten().map(|c| Condition {
        kind: text(c, &["type"]),
        status: text(c, &["status"]),
        reason: text(c, &["reason"]),
        message: text(c, &["message"]),
    })
}

pub(crate) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |v, key| v.get(key))
}

pub(crate) fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    at(value, path).and_then(Value::as_str).unwrap_or("")
}

/// An integer; a value of another type reads as absent.
pub(crate) fn int(value: &Value, path: &[&str]) -> Option<i64> {
    at(value, path).and_then(Value::as_i64)
}

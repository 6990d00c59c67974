//! Drift: objects of a release that are not as its manifest wants them, and their correction.

mod difference;

use apply::{Accept, Content, IgnoreRules};
use chart::Release;
use futures::{StreamExt as _, stream};
use object::{ObjectRef, apply_order};
use serde_json::{Map, Value};

use crate::cluster::Cluster;
use crate::error::Error;
use crate::managers;
use crate::objects::{Built, build, read, resolve};
use crate::ownership::mark;
use crate::write::masked;

pub use difference::{Action, Operation};

/// What does not count as drift.
#[derive(Debug, Clone)]
pub struct DriftOptions<'a> {
    /// Fields and objects that are left alone.
    pub ignore: &'a IgnoreRules,
    /// Key and value of the label or annotation by which an object is left out, such as
    /// `helm.toolkit.fluxcd.io/driftDetection` and `disabled`.
    pub exclusion: (&'a str, &'a str),
    /// Field managers whose fields are taken over before the comparison: a write to the objects that they wrote to.
    pub override_managers: &'a [String],
}

/// An object of a release, compared with the cluster.
#[derive(Debug, Clone)]
pub struct ObjectDrift {
    object: Built,
    /// What was found.
    pub found: Found,
}

/// How an object differs.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// Not at all.
    Same,
    /// Nobody looked.
    Excluded,
    /// It is not there.
    Missing,
    /// By these operations.
    Changed(Vec<Operation>),
}

impl ObjectDrift {
    /// The object.
    pub fn reference(&self) -> &ObjectRef {
        &self.object.reference
    }

    /// Whether there is something to correct.
    pub fn is_drift(&self) -> bool {
        matches!(self.found, Found::Missing | Found::Changed(_))
    }

    /// The operations for people: without the values of a Secret.
    pub fn shown(&self) -> Vec<Operation> {
        let Found::Changed(operations) = &self.found else { return Vec::new() };
        let mut operations = operations.clone();
        if self.object.resource.gvk.is("", "Secret") {
            for operation in &mut operations {
                let both = operation.value.is_some() && operation.old.is_some();
                let mask = |value: &Value, text: &str| hidden(value, text);
                let (old, new) = if both { ("*** (before)", "*** (after)") } else { ("***", "***") };
                operation.old = operation.old.as_ref().map(|value| mask(value, old));
                operation.value = operation.value.as_ref().map(|value| mask(value, new));
            }
        }
        operations
    }
}

fn hidden(value: &Value, text: &str) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), hidden(value, text))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|value| hidden(value, text)).collect()),
        _ => text.into(),
    }
}

/// How many objects are compared at a time.
const CONCURRENCY: usize = 8;

/// Compares the manifest of a release with the cluster. What could not be compared is an error beside the rest.
///
/// # Errors
/// When the manifest cannot be read.
pub async fn diff(
    cluster: &Cluster,
    release: &Release,
    options: &DriftOptions<'_>,
) -> Result<(Vec<ObjectDrift>, Vec<Error>), Error> {
    let mut problems = Vec::new();
    let mut objects = match build(cluster, &release.manifest, &release.namespace).await {
        Ok(objects) => objects,
        // One kind that is not served does not hide the drift of the others.
        Err(_) => {
            let documents = read(&release.manifest).map_err(|problem| {
                Error::Build(format!("failed to read objects from release manifest: {problem}"))
            })?;
            let mut objects = Vec::new();
            for document in documents {
                let kind = object::string_at(&document, &["kind"]).unwrap_or_default().to_owned();
                match resolve(cluster, vec![document], &release.namespace).await {
                    Ok(built) => objects.extend(built),
                    Err(error) => problems
                        .push(error.during(format!("failed to determine if {kind} is namespace scoped"))),
                }
            }
            objects
        }
    };
    for object in &mut objects {
        object::normalise(&mut object.value);
        mark(&mut object.value, &release.name, &release.namespace);
    }
    let compared: Vec<_> = stream::iter(objects)
        .map(|object| compare(cluster, object, options))
        .buffered(CONCURRENCY)
        .collect()
        .await;
    let mut found = Vec::with_capacity(compared.len());
    for result in compared {
        match result {
            Ok(drift) => found.push(drift),
            Err(error) => problems.push(error),
        }
    }
    Ok((found, problems))
}

fn excluded(object: &Value, (key, value): (&str, &str)) -> bool {
    let is = |found: Option<&str>| found.is_some_and(|found| found.eq_ignore_ascii_case(value));
    is(object::label(object, key)) || is(object::annotation(object, key))
}

async fn compare(
    cluster: &Cluster,
    mut object: Built,
    options: &DriftOptions<'_>,
) -> Result<ObjectDrift, Error> {
    let paths: Vec<String> = options.ignore.paths(&object.value).into_iter().map(str::to_owned).collect();
    if excluded(&object.value, options.exclusion) || paths.iter().any(String::is_empty) {
        return Ok(ObjectDrift { object, found: Found::Excluded });
    }
    let failed = |object: &Built, text: String| Error::Wait(format!("{}: {text}", object.reference));
    let live = cluster
        .read(&object, Accept::Object)
        .await
        .map_err(|failure| Error::of(&failure, |text| failed(&object, text)))?;
    let Some(mut live) = live else {
        return Ok(ObjectDrift { object, found: Found::Missing });
    };
    if excluded(&live, options.exclusion) {
        return Ok(ObjectDrift { object, found: Found::Excluded });
    }
    if let Some(patch) = managers::takeover(&live, cluster.manager(), options.override_managers) {
        let patched = cluster.patch(&object, Content::JsonPatch, &patch).await;
        live = patched
            .map_err(|failure| {
                Error::of(&failure, Error::Write).during("failed to clean-up disallowed field managers")
            })?
            .value;
    }
    let mut next = match cluster.dry_run(&object).await {
        Ok(next) => next,
        // Fields of built-in kinds that the API server does not know are dropped, as Flux drops them.
        Err(failure) => {
            let dropped = apply::drop_unknown(&mut object.value, &object.reference.gvk, &failure.message);
            let again = if dropped.is_empty() { Err(failure) } else { cluster.dry_run(&object).await };
            again.map_err(|failure| {
                let reason =
                    if failure.reason.is_empty() { String::new() } else { format!(" ({})", failure.reason) };
                Error::Write(format!(
                    "{} dry-run failed{reason}: {}",
                    object.reference,
                    masked(&object, &failure)
                ))
            })?
        }
    };
    for path in &paths {
        apply::remove_pointer(&mut live, path);
        apply::remove_pointer(&mut next, path);
    }
    let operations = operations(&live, &next);
    let found = if operations.is_empty() { Found::Same } else { Found::Changed(operations) };
    Ok(ObjectDrift { object, found })
}

/// What differs: labels and annotations that are new or other, and everything outside metadata and status.
fn operations(live: &Value, next: &Value) -> Vec<Operation> {
    let mut found = difference::difference(&outside(live), &outside(next));
    let own = difference::difference(&labels(live), &labels(next));
    found.splice(0..0, own.into_iter().filter(|operation| operation.action != Action::Remove));
    found
}

fn labels(object: &Value) -> Value {
    let metadata = object.get("metadata").and_then(Value::as_object);
    let kept: Map<String, Value> = metadata
        .into_iter()
        .flatten()
        .filter(|(key, _)| matches!(key.as_str(), "labels" | "annotations" | "name"))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    serde_json::json!({"metadata": kept})
}

fn outside(object: &Value) -> Value {
    let fields = object.as_object().into_iter().flatten();
    Value::Object(
        fields
            .filter(|(key, _)| !matches!(key.as_str(), "metadata" | "status"))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    )
}

/// One line for each object that was not found to be the same.
pub fn summary(drift: &[ObjectDrift]) -> String {
    let lines: Vec<String> = drift
        .iter()
        .filter_map(|one| {
            let object = one.reference();
            match &one.found {
                Found::Same => None,
                Found::Excluded => Some(format!("{object} excluded")),
                Found::Missing => Some(format!("{object} removed")),
                Found::Changed(operations) => {
                    let count = |action: Action| operations.iter().filter(|one| one.action == action).count();
                    Some(format!(
                        "{object} changed ({} additions, {} changes, {} removals)",
                        count(Action::Add),
                        count(Action::Replace),
                        count(Action::Remove)
                    ))
                }
            }
        })
        .collect();
    lines.join("\n")
}

/// The counts in one line.
pub fn brief(drift: &[ObjectDrift]) -> String {
    let count = |wanted: fn(&Found) -> bool| drift.iter().filter(|one| wanted(&one.found)).count();
    format!(
        "removed: {}, changed: {}, excluded: {}",
        count(|found| matches!(found, Found::Missing)),
        count(|found| matches!(found, Found::Changed(_))),
        count(|found| matches!(found, Found::Excluded))
    )
}

/// What a correction did.
#[derive(Debug, Clone, Default)]
pub struct Corrected {
    /// Each object that was corrected, in order.
    pub done: Vec<(ObjectRef, Correction)>,
    /// What could not be corrected.
    pub errors: Vec<Error>,
}

/// What was done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correction {
    /// It was missing.
    Created,
    /// It was changed.
    Configured,
}

impl std::fmt::Display for Corrected {
    /// One line for each object that was corrected: `Kind/ns/name configured`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (object, correction)) in self.done.iter().enumerate() {
            let word = match correction {
                Correction::Created => "created",
                Correction::Configured => "configured",
            };
            write!(f, "{}{object} {word}", if i > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

/// Creates what is missing, then patches what is changed, each in Flux's order.
pub async fn correct(cluster: &Cluster, drift: &[ObjectDrift]) -> Corrected {
    let mut corrected = Corrected::default();
    let mut drift: Vec<&ObjectDrift> = drift.iter().filter(|one| one.is_drift()).collect();
    drift.sort_by(|a, b| {
        let changed = |one: &ObjectDrift| one.found != Found::Missing;
        changed(a).cmp(&changed(b)).then_with(|| apply_order(a.reference(), b.reference()))
    });
    for one in drift {
        let object = &one.object;
        let reference = object.reference.clone();
        match &one.found {
            Found::Missing => match cluster.create(object).await {
                Ok(_) => corrected.done.push((reference, Correction::Created)),
                Err(failure) => corrected.errors.push(Error::Write(format!(
                    "{reference} creation failure: {}",
                    masked(object, &failure)
                ))),
            },
            Found::Changed(operations) => {
                let patch = Value::Array(operations.iter().map(Operation::to_json).collect());
                match cluster.patch(object, Content::JsonPatch, &patch).await {
                    Ok(_) => corrected.done.push((reference, Correction::Configured)),
                    Err(failure) => {
                        let text = masked(object, &failure);
                        corrected.errors.push(Error::Write(format!("{reference} patch failure: {text}")));
                    }
                }
            }
            Found::Same | Found::Excluded => {}
        }
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_of_others_are_no_drift() {
        let live = json!({"kind": "A", "metadata": {"name": "a", "labels": {"a": "1", "other": "x"}, "generation": 2}, "status": {"x": 1}});
        let next = json!({"kind": "A", "metadata": {"name": "a", "labels": {"a": "1"}}, "status": {"x": 2}});
        assert_eq!(operations(&live, &next), []);
        let long = "0123456789".repeat(20);
        let live = json!({"kind": "A", "metadata": {"name": "a", "labels": {"a": "1", "other": long}}});
        let next = json!({"kind": "A", "metadata": {"name": "a", "labels": {"a": "2", "other": long}}, "data": {"b": 1}});
        let texts: Vec<_> = operations(&live, &next).iter().map(|one| one.to_json().to_string()).collect();
        assert_eq!(
            texts,
            [
                r#"{"op":"replace","path":"/metadata/labels/a","value":"2"}"#,
                r#"{"op":"add","path":"/data","value":{"b":1}}"#
            ]
        );
    }

    #[test]
    fn exclusion_is_by_label_or_annotation() {
        let key = ("x/driftDetection", "disabled");
        assert!(excluded(&json!({"metadata": {"labels": {"x/driftDetection": "Disabled"}}}), key));
        assert!(excluded(&json!({"metadata": {"annotations": {"x/driftDetection": "disabled"}}}), key));
        assert!(!excluded(&json!({"metadata": {"labels": {"x/driftDetection": "enabled"}}}), key));
    }
}

//! What is done with rendered documents before they are applied: patches, images, labels and annotations.

use std::collections::{BTreeMap, HashSet};

use chart::Stream;
use kustomize::{MemoryFileSystem, Options};
use serde_json::{Value as Json, json};
use yaml::{ReadLimits, Value};

/// A chain of changes to all documents of a release.
#[derive(Debug, Clone)]
pub struct PostRender {
    /// Which documents go through it.
    pub stream: Stream,
    /// The changes, in order.
    pub steps: Vec<Step>,
}

/// One change to the documents.
#[derive(Debug, Clone)]
pub enum Step {
    /// A build by Kustomize, with patches and images.
    Kustomize {
        /// Entries of `patches`: objects with `patch` and, if wanted, `target`.
        patches: Vec<Json>,
        /// Entries of `images`: objects with `name`, `newName`, `newTag`, `digest`.
        images: Vec<Json>,
    },
    /// Labels and annotations for every object.
    Metadata {
        /// Labels.
        labels: BTreeMap<String, String>,
        /// Annotations.
        annotations: BTreeMap<String, String>,
    },
}

impl PostRender {
    /// Runs the chain over a stream of documents.
    pub(crate) fn run(&self, text: &str) -> Result<String, String> {
        let mut text = text.to_owned();
        let mut rest = self.steps.as_slice();
        while let Some((step, behind)) = rest.split_first() {
            rest = behind;
            text = match step {
                Step::Kustomize { patches, images } => kustomized(text, patches, images)?,
                Step::Metadata { .. } => {
                    // All steps of this kind in one go: the documents are read and written once.
                    let more = behind.iter().take_while(|step| matches!(step, Step::Metadata { .. })).count();
                    let (same, behind) = behind.split_at(more);
                    rest = behind;
                    labelled(&text, std::iter::once(step).chain(same))?
                }
            };
        }
        Ok(text)
    }
}

fn kustomized(text: String, patches: &[Json], images: &[Json]) -> Result<String, String> {
    const INPUT: &str = "helm-output.yaml";
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [INPUT],
        "patches": patches,
        "images": images,
    });
    let mut files = MemoryFileSystem::new();
    files.insert(INPUT, text).insert("kustomization.yaml", kustomization.to_string());
    let built = kustomize::build(&files, "", &Options::default()).map_err(|errors| errors.to_string())?;
    Ok(built.to_yaml())
}

fn labelled<'a>(text: &str, steps: impl Iterator<Item = &'a Step>) -> Result<String, String> {
    let documents =
        yaml::read_documents(text.as_bytes(), &ReadLimits::default()).map_err(|error| error.to_string())?;
    let mut objects = Vec::with_capacity(documents.len());
    for document in documents {
        expand(document, &mut objects);
    }
    let mut seen = HashSet::new();
    for object in &objects {
        let id = identity(object);
        if !seen.insert(id.clone()) {
            return Err(format!("may not add resource with an already registered id: {id}"));
        }
    }
    for step in steps {
        let Step::Metadata { labels, annotations } = step else { continue };
        for object in &mut objects {
            for (field, pairs) in [("labels", labels), ("annotations", annotations)] {
                if pairs.is_empty() {
                    continue;
                }
                let place = object
                    .ensure_map(&["metadata", field])
                    .ok_or_else(|| format!("metadata.{field} is no mapping"))?;
                for (key, value) in pairs {
                    place.insert(key.as_str(), Value::str(value.as_str()));
                }
            }
        }
    }
    let mut out = String::with_capacity(text.len() + objects.len() * 64);
    for object in &objects {
        if !out.is_empty() {
            out.push_str("---\n");
        }
        yaml::write_yaml(object, &mut out).map_err(|error| error.to_string())?;
    }
    Ok(out)
}

fn expand(document: Value, objects: &mut Vec<Value>) {
    let is_list = document.get("kind").and_then(Value::text).is_some_and(|kind| kind.ends_with("List"));
    match document.get("items").and_then(Value::as_seq) {
        Some(items) if is_list => items.iter().cloned().for_each(|item| expand(item, objects)),
        _ if document.is_null_or_empty() => {}
        _ => objects.push(document),
    }
}

/// As Kustomize writes it: `Deployment.v1.apps/name.namespace`.
fn identity(object: &Value) -> String {
    let text = |path: &[&str]| object.at(path).and_then(Value::text).unwrap_or_default().to_owned();
    let api_version = text(&["apiVersion"]);
    let (group, version) = api_version.split_once('/').unwrap_or(("[noGrp]", &api_version));
    let part = |text: String, absent: &str| if text.is_empty() { absent.to_owned() } else { text };
    format!(
        "{}.{}.{group}/{}.{}",
        text(&["kind"]),
        part(version.to_owned(), "[noVer]"),
        part(text(&["metadata", "name"]), "[noName]"),
        part(text(&["metadata", "namespace"]), "[noNs]"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Step {
        let map =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Step::Metadata { labels: map(labels), annotations: map(annotations) }
    }

    #[test]
    fn metadata_reaches_every_object() {
        let chain = PostRender {
            stream: Stream::Combined,
            steps: vec![metadata(&[("a", "1"), ("o", "x")], &[("n", "2")]), metadata(&[("o", "wins")], &[])],
        };
        let text = "kind: A\napiVersion: v1\nmetadata: {name: a, labels: {z: y}}\n---\nkind: List\napiVersion: v1\nitems:\n- {kind: B, apiVersion: g/v1, metadata: {name: b}}\n";
        assert_eq!(
            chain.run(text).unwrap(),
            "apiVersion: v1\nkind: A\nmetadata:\n  annotations:\n    \"n\": \"2\"\n  labels:\n    a: \"1\"\n    o: wins\n    z: \"y\"\n  name: a\n---\n\
             apiVersion: g/v1\nkind: B\nmetadata:\n  annotations:\n    \"n\": \"2\"\n  labels:\n    a: \"1\"\n    o: wins\n  name: b\n"
        );
    }

    #[test]
    fn an_object_may_not_come_twice() {
        let chain = PostRender { stream: Stream::Combined, steps: vec![metadata(&[("a", "1")], &[])] };
        let twice = "kind: A\napiVersion: v1\nmetadata: {name: a}\n---\nkind: A\napiVersion: v1\nmetadata: {name: a}\n";
        assert_eq!(
            chain.run(twice).unwrap_err(),
            "may not add resource with an already registered id: A.v1.[noGrp]/a.[noNs]"
        );
    }

    #[test]
    fn kustomize_patches_and_sets_images() {
        let chain = PostRender {
            stream: Stream::Combined,
            steps: vec![Step::Kustomize {
                patches: vec![
                    json!({"patch": "- {op: add, path: /spec/replicas, value: 3}", "target": {"kind": "Deployment"}}),
                ],
                images: vec![json!({"name": "app", "newTag": "2"})],
            }],
        };
        let text = "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: c, image: app:1}]}}}\n";
        let found = chain.run(text).unwrap();
        assert!(found.contains("replicas: 3") && found.contains("image: app:2"), "{found}");
    }
}

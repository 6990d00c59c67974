//! Manifests into objects that the cluster knows.

use std::sync::Arc;

use apply::{NoMapping, Resource};
use object::{Gvk, ObjectRef};
use serde_json::{Map, Number, Value};
use yaml::{Profile, ReadLimits, Resolved, Scalar};

use crate::cluster::Cluster;
use crate::error::Error;

/// An object of a manifest, and how the API server serves its kind.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    pub resource: Arc<Resource>,
    /// With the namespace it goes to; without one when the kind has none. The name is empty when it is to be generated.
    pub reference: ObjectRef,
    pub value: Value,
}

/// The objects that are not among others.
pub(crate) fn without<'b>(objects: &'b [Built], others: &'b [Built]) -> impl Iterator<Item = &'b Built> {
    objects.iter().filter(|object| !others.iter().any(|other| other.same(object)))
}

impl Built {
    /// The same object, whatever its version.
    pub fn same(&self, other: &Built) -> bool {
        self.reference.same_object(&other.reference)
    }

    /// Whether the API server makes up the name.
    pub fn is_nameless(&self) -> bool {
        self.reference.name.is_empty()
    }

    /// As Helm's errors name it.
    pub fn label(&self) -> String {
        format!(
            "{} \"{}\" in namespace \"{}\"",
            self.resource.gvk.kind, self.reference.name, self.reference.namespace
        )
    }
}

/// Reads a manifest, takes lists apart, and finds how each kind is served. Objects of namespaced kinds without a
/// namespace get `namespace`.
pub(crate) async fn build(cluster: &Cluster, manifest: &str, namespace: &str) -> Result<Vec<Built>, Error> {
    resolve(cluster, read(manifest).map_err(Error::Build)?, namespace).await
}

/// As [`build`], with kinds that the cluster does not serve yet.
pub(crate) async fn build_with(
    cluster: &Cluster,
    manifest: &str,
    namespace: &str,
    coming: &[Arc<Resource>],
) -> Result<Vec<Built>, Error> {
    resolve_with(cluster, read(manifest).map_err(Error::Build)?, namespace, coming).await
}

/// As [`build`], of objects that are read already.
pub(crate) async fn resolve(
    cluster: &Cluster,
    objects: Vec<Value>,
    namespace: &str,
) -> Result<Vec<Built>, Error> {
    resolve_with(cluster, objects, namespace, &[]).await
}

async fn resolve_with(
    cluster: &Cluster,
    objects: Vec<Value>,
    namespace: &str,
    coming: &[Arc<Resource>],
) -> Result<Vec<Built>, Error> {
    let mut found = Vec::with_capacity(objects.len());
    let mut problems: Vec<String> = Vec::new();
    for mut value in objects {
        let text =
            |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let gvk = Gvk::new(&text("/apiVersion"), &text("/kind"));
        let resolved = match coming.iter().find(|resource| resource.gvk == gvk) {
            Some(resource) => Ok(Arc::clone(resource)),
            None => cluster.resolve(&gvk).await,
        };
        let resource = match resolved {
            Ok(resource) => resource,
            Err(NoMapping::Discovery(failure)) => {
                return Err(Error::of(&failure, |text| {
                    Error::Build(format!("API discovery failed: {text}"))
                }));
            }
            Err(missing) => {
                let problem = match missing {
                    NoMapping::NoMatch(_) => format!(
                        "resource mapping not found for name: \"{}\" namespace: \"{}\" from \"\": {missing}\nensure CRDs are installed first",
                        text("/metadata/name"),
                        text("/metadata/namespace")
                    ),
                    other => format!("unable to recognize \"\": {other}"),
                };
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
                continue;
            }
        };
        let mut reference =
            ObjectRef { gvk, namespace: text("/metadata/namespace"), name: text("/metadata/name") };
        if resource.namespaced && reference.namespace.is_empty() {
            reference.namespace = namespace.to_owned();
        } else if !resource.namespaced {
            reference.namespace.clear();
        }
        if let Some(metadata) = metadata(&mut value) {
            if resource.namespaced {
                metadata.insert("namespace".to_owned(), reference.namespace.clone().into());
            } else {
                metadata.shift_remove("namespace");
            }
        }
        found.push(Built { resource, reference, value });
    }
    match problems.len() {
        0 => Ok(found),
        1 => Err(Error::Build(problems.concat())),
        _ => Err(Error::Build(format!("[{}]", problems.join(", ")))),
    }
}

/// The metadata of an object, made when it has none.
pub(crate) fn metadata(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let metadata = object.as_object_mut()?.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if metadata.is_null() {
        *metadata = Value::Object(Map::new());
    }
    metadata.as_object_mut()
}

/// The objects of a stream of documents; lists are taken apart, documents without content are left out.
pub(crate) fn read(manifest: &str) -> Result<Vec<Value>, String> {
    let mut objects = Vec::new();
    for document in documents(manifest) {
        let tree =
            yaml::read_first(document.as_bytes(), Profile::V2, &ReadLimits::default()).map_err(|error| {
                format!("error parsing : error converting YAML to JSON: {}", sprig::yaml_error_text(&error))
            })?;
        let Some(tree) = tree else { continue };
        let value = json(&tree).map_err(|error| format!("error parsing : {error}"))?;
        flatten(value, &mut objects)?;
    }
    Ok(objects)
}

fn flatten(value: Value, objects: &mut Vec<Value>) -> Result<(), String> {
    let Value::Object(mut map) = value else {
        return match value {
            Value::Null => Ok(()),
            other => Err(format!("error parsing : json: cannot unmarshal {other} into an object")),
        };
    };
    if map.is_empty() {
        return Ok(());
    }
    let has = |key: &str| map.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    for (key, name) in [("kind", "Kind"), ("apiVersion", "apiVersion")] {
        if !has(key) {
            // Values of Secrets must not be shown.
            return Err(format!("unable to decode \"\": Object '{name}' is missing"));
        }
    }
    let is_list = map.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
    match map.shift_remove("items") {
        Some(Value::Array(items)) if is_list => items.into_iter().try_for_each(|item| flatten(item, objects)),
        Some(items) => {
            map.insert("items".to_owned(), items);
            objects.push(Value::Object(map));
            Ok(())
        }
        None => {
            objects.push(Value::Object(map));
            Ok(())
        }
    }
}

/// Cuts a manifest at lines of `---`, with nothing behind it but blanks and a remark. The newline before such a line
/// belongs to the document: it may end a text in it.
pub(crate) fn documents(manifest: &str) -> impl Iterator<Item = &str> {
    let separates = |line: &str| {
        line.strip_prefix("---").is_some_and(|behind| {
            let behind = behind.trim();
            behind.is_empty() || behind.starts_with('#')
        })
    };
    let mut rest = manifest;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = 0;
        for line in rest.split_inclusive('\n') {
            if separates(line) {
                let (document, behind) = rest.split_at(end);
                rest = behind.get(line.len()..).unwrap_or_default();
                return Some(document);
            }
            end += line.len();
        }
        Some(std::mem::take(&mut rest))
    })
    .filter(|document| !document.trim().is_empty())
}

/// A tree as JSON; whole numbers stay whole.
pub(crate) fn json(tree: &yaml::Value) -> Result<Value, String> {
    Ok(match tree {
        yaml::Value::Scalar(scalar) => json_scalar(scalar)?,
        yaml::Value::Seq(items) => Value::Array(items.iter().map(json).collect::<Result<_, _>>()?),
        yaml::Value::Map(map) => {
            let mut out = Map::with_capacity(map.len());
            for entry in map.entries() {
                let key = match entry.key.as_str() {
                    Some(text) => text.to_owned(),
                    None => sprig::yaml_key(&entry.key)?.text().into_owned(),
                };
                out.insert(key, json(&entry.value)?);
            }
            Value::Object(out)
        }
    })
}

fn json_scalar(scalar: &Scalar) -> Result<Value, String> {
    let problem = |text: &str| format!("error converting YAML to JSON: {text}");
    Ok(match scalar.resolve().map_err(|error| problem(&error.to_string()))? {
        Resolved::Null => Value::Null,
        Resolved::Bool(value) => Value::Bool(value),
        Resolved::Int(value) => value.into(),
        Resolved::UInt(value) => value.into(),
        // Go's JSON writes a float without a fraction as a whole number.
        Resolved::Float(value) if value.fract() == 0.0 && value.abs() < 9e15 => {
            Value::Number((value as i64).into())
        }
        Resolved::Float(value) => Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| problem(&format!("json: unsupported value: {value}")))?,
        Resolved::Str(text) => Value::String(text.into_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_manifest_is_a_stream_of_objects() {
        let manifest = "---\n# Source: a\napiVersion: v1\nkind: A\nspec: {a: 1, b: 1.5, c: yes, d: 2.0, e: \"1\"}\n---\n# nothing\n\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: B}\n- {apiVersion: v1, kind: CList, items: [{apiVersion: v1, kind: C}]}\n";
        let objects = read(manifest).unwrap();
        assert_eq!(objects[0]["spec"], json!({"a": 1, "b": 1.5, "c": true, "d": 2, "e": "1"}));
        let kinds: Vec<_> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["A", "B", "C"]);
        assert_eq!(read("").unwrap(), Vec::<Value>::new());
    }

    #[test]
    fn the_newline_before_a_separator_belongs_to_the_text() {
        let manifest =
            "apiVersion: v1\nkind: A\ndata: |\n  {}\n--- # next\napiVersion: v1\nkind: B\ndata: |\n  {}";
        let objects = read(manifest).unwrap();
        assert_eq!((&objects[0]["data"], &objects[1]["data"]), (&json!("{}\n"), &json!("{}")));
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        assert!(read("a: [").unwrap_err().starts_with("error parsing : error converting YAML to JSON: "));
        assert_eq!(read("a: b").unwrap_err(), "unable to decode \"\": Object 'Kind' is missing");
        assert!(read("- a").is_err());
    }
}

//! Generate: the kustomization file that a build reads, made from the spec and from the file in the artifact, if any.
//!
//! The result is laid over the artifact in memory; the artifact itself is never touched.

use api::kustomize::{BuildMetadata, KustomizationSpec, Selector};
use kustomize::{FileSystem, base_name};
use serde_json::{Map, Value, json};

use super::documents;

/// The names that make a directory a kustomization, in the order in which they are looked for.
const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
/// Files and directories looked at when a file is generated, at most.
const MAX_ENTRIES: usize = 200_000;
/// Directories within directories, at most.
const MAX_DEPTH: usize = 100;

/// Why no file could be generated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file in the artifact cannot be read.
    #[error("failed to read {path}: {reason}")]
    Unreadable {
        /// Its path in the artifact.
        path: String,
        /// Why, with a line where known.
        reason: String,
    },
    /// `spec.components` has an entry that is no path inside the artifact.
    #[error("component path '{0}' must be local and relative")]
    Component(String),
    /// The directory has more in it than can be looked at.
    #[error(
        "{0} holds too many files or directories to generate a kustomization.yaml: add one, or narrow spec.path"
    )]
    TooMany(String),
}

/// A kustomization file for a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Path of the file in the artifact.
    pub path: String,
    /// Its content. JSON, which is YAML.
    pub content: String,
    /// Whether there was no file, so that everything below the directory counts.
    pub walked: bool,
}

/// Makes the file for the directory `root`.
///
/// # Errors
/// See [`Error`].
pub fn generate(files: &dyn FileSystem, root: &str, spec: &KustomizationSpec) -> Result<Generated, Error> {
    let existing = FILE_NAMES.iter().map(|name| join(root, name)).find(|path| files.is_file(path));
    let walked = existing.is_none();
    let (path, mut content) = match existing {
        Some(path) => {
            let content = read(files, &path)?;
            (path, content)
        }
        None => (join(root, "kustomization.yaml"), scan(files, root)?),
    };
    default(&mut content, "apiVersion", "kustomize.config.k8s.io/v1beta1");
    default(&mut content, "kind", "Kustomization");
    if !walked && list(&content, "resources").is_none_or(Vec::is_empty) {
        set(&mut content, "buildMetadata", json!(["originAnnotations"]));
    }
    merge(files, root, spec, &mut content)?;
    Ok(Generated { path, content: Value::Object(content).to_string(), walked })
}

/// The first document of an existing file. Only its root has to be a mapping; its fields are the build's business.
fn read(files: &dyn FileSystem, path: &str) -> Result<Map<String, Value>, Error> {
    let unreadable = |reason: String| Error::Unreadable { path: path.to_owned(), reason };
    let bytes = files.read(path).map_err(|error| unreadable(error.to_string()))?;
    match documents::first(&bytes).map_err(unreadable)? {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        _ => Err(unreadable("it is not a mapping".to_owned())),
    }
}

/// A file that lists everything below a directory: YAML files, and directories that have a file of their own.
fn scan(files: &dyn FileSystem, root: &str) -> Result<Map<String, Value>, Error> {
    let mut resources = Vec::new();
    let mut budget = MAX_ENTRIES;
    walk(files, root, "", 0, &mut budget, &mut resources)
        .ok_or_else(|| Error::TooMany(shown(root).to_owned()))?;
    let mut content = Map::new();
    if resources.is_empty() {
        // A file without any content is an error, and an empty directory is not.
        content.insert("namespace".to_owned(), json!("_placeholder"));
    } else {
        content.insert("resources".to_owned(), json!(resources));
    }
    Ok(content)
}

/// Lexical order, hidden entries included. `None` when there is too much.
fn walk(
    files: &dyn FileSystem,
    root: &str,
    below: &str,
    depth: usize,
    budget: &mut usize,
    found: &mut Vec<String>,
) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    for name in files.list(&join(root, below)).unwrap_or_default() {
        *budget = budget.checked_sub(1)?;
        let relative = if below.is_empty() { name } else { format!("{below}/{name}") };
        let path = join(root, &relative);
        if files.is_dir(&path) {
            if FILE_NAMES.iter().any(|name| files.is_file(&join(&path, name))) {
                found.push(format!("./{relative}"));
            } else {
                walk(files, root, &relative, depth + 1, budget, found)?;
            }
        } else if is_yaml(base_name(&path)) {
            found.push(format!("./{relative}"));
        }
    }
    Some(())
}

fn is_yaml(name: &str) -> bool {
    name.ends_with(".yaml") || name.ends_with(".yml")
}

fn shown(path: &str) -> &str {
    if path.is_empty() { "the artifact" } else { path }
}

/// Puts what the spec says into the file.
fn merge(
    files: &dyn FileSystem,
    root: &str,
    spec: &KustomizationSpec,
    content: &mut Map<String, Value>,
) -> Result<(), Error> {
    let texts = [
        ("namespace", &spec.target_namespace),
        ("namePrefix", &spec.name_prefix),
        ("nameSuffix", &spec.name_suffix),
    ];
    for (field, value) in texts {
        if let Some(value) = value {
            set(content, field, json!(value));
        }
    }
    append(
        content,
        "patches",
        spec.patches.iter().map(|patch| {
            let mut entry = json!({"patch": patch.patch});
            if let (Some(target), Some(entry)) = (&patch.target, entry.as_object_mut()) {
                entry.insert("target".to_owned(), selector(target));
            }
            entry
        }),
    );
    let mut components = Vec::new();
    for component in &spec.components {
        if !is_local(component) {
            return Err(Error::Component(component.clone()));
        }
        let path = join(root, component);
        if !spec.ignore_missing_components || files.is_dir(&path) || files.is_file(&path) {
            components.push(json!(component));
        }
    }
    append(content, "components", components.into_iter());
    if !spec.images.is_empty() {
        let mut images = list(content, "images").cloned().unwrap_or_default();
        for image in &spec.images {
            override_image(&mut images, image);
        }
        set(content, "images", Value::Array(images));
    }
    if !spec.build_metadata.is_empty() {
        let names: Vec<&str> = spec
            .build_metadata
            .iter()
            .map(|name| match name {
                BuildMetadata::OriginAnnotations => "originAnnotations",
                BuildMetadata::TransformerAnnotations => "transformerAnnotations",
            })
            .collect();
        set(content, "buildMetadata", json!(names));
    }
    Ok(())
}

/// Relative, and nothing that a build could take for a remote.
fn is_local(path: &str) -> bool {
    let looks_remote =
        path.contains("://") || path.contains("::") || path.starts_with("git@") || path.contains("?ref=");
    !path.is_empty() && !path.starts_with('/') && !looks_remote
}

fn selector(target: &Selector) -> Value {
    let fields = [
        ("group", &target.group),
        ("version", &target.version),
        ("kind", &target.kind),
        ("name", &target.name),
        ("namespace", &target.namespace),
        ("labelSelector", &target.label_selector),
        ("annotationSelector", &target.annotation_selector),
    ];
    let given =
        fields.into_iter().filter_map(|(field, value)| Some((field.to_owned(), json!(value.as_ref()?))));
    Value::Object(given.collect())
}

/// An image of the spec wins field by field, but tag and digest are one pair: giving one clears the other.
fn override_image(images: &mut Vec<Value>, image: &api::kustomize::Image) {
    let position = images.iter().position(|entry| {
        entry.as_object().is_some_and(|entry| get(entry, "name").and_then(Value::as_str) == Some(&image.name))
    });
    let given = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
    let mut entry = match position.and_then(|at| images.get(at)) {
        Some(Value::Object(entry)) => entry.clone(),
        _ => Map::from_iter([("name".to_owned(), json!(image.name))]),
    };
    if let Some(name) = given(&image.new_name) {
        set(&mut entry, "newName", json!(name));
    }
    let (tag, digest) = (given(&image.new_tag), given(&image.digest));
    if tag.is_some() || digest.is_some() {
        for (field, value) in [("newTag", tag), ("digest", digest)] {
            match value {
                Some(value) => set(&mut entry, field, json!(value)),
                None => entry.retain(|key, _| !key.eq_ignore_ascii_case(field)),
            }
        }
    }
    match position.and_then(|at| images.get_mut(at)) {
        Some(slot) => *slot = Value::Object(entry),
        None => images.push(Value::Object(entry)),
    }
}

/// A path below a directory. What leads out of the artifact stays a path, at which nothing is.
fn join(dir: &str, path: &str) -> String {
    kustomize::join(dir, path).unwrap_or_else(|| format!("{dir}/{path}"))
}

// Field names of a kustomization file match whatever their case.

fn get<'a>(map: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    map.iter().find(|(key, _)| key.eq_ignore_ascii_case(field)).map(|(_, value)| value)
}

fn list<'a>(map: &'a Map<String, Value>, field: &str) -> Option<&'a Vec<Value>> {
    get(map, field).and_then(Value::as_array)
}

fn set(map: &mut Map<String, Value>, field: &str, value: Value) {
    match map.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(field)) {
        Some((_, slot)) => *slot = value,
        None => {
            map.insert(field.to_owned(), value);
        }
    }
}

fn default(map: &mut Map<String, Value>, field: &str, value: &str) {
    if get(map, field).is_none_or(|found| found.is_null() || found.as_str() == Some("")) {
        set(map, field, json!(value));
    }
}

fn append(map: &mut Map<String, Value>, field: &str, values: impl Iterator<Item = Value>) {
    let mut values = values.peekable();
    if values.peek().is_none() {
        return;
    }
    let mut all = list(map, field).cloned().unwrap_or_default();
    all.extend(values);
    set(map, field, Value::Array(all));
}

/// What is wrong with the YAML files that a generated file lists, if anything: asked only after a build failed, since the
/// build reads them all anyway.
pub fn undecodable(files: &dyn FileSystem, root: &str, generated: &Generated) -> Option<String> {
    let content: Value = serde_json::from_str(&generated.content).ok()?;
    let resources = content.get("resources")?.as_array()?;
    resources.iter().filter_map(Value::as_str).find_map(|resource| {
        let path = join(root, resource);
        if !files.is_file(&path) {
            return None;
        }
        let why = match files.read(&path) {
            Ok(bytes) => documents::why_not_kubernetes(&bytes)?,
            Err(error) => error.to_string(),
        };
        Some(format!("failed to decode Kubernetes YAML from {path}: {why}"))
    })
}

#[cfg(test)]
mod tests;

//! An object on its way through a build: its tree, its identity now and before, and what kustomize keeps about it.

use yaml::{Map, Scalar, Style, Value};

use super::{Gvk, ResourceId, effective_namespace};
use crate::origin::Origin;

/// An identity that an object had before a transformer changed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Previous {
    pub(crate) kind: String,
    pub(crate) name: String,
    /// Effective, see [`ResourceId::effective_namespace`].
    pub(crate) namespace: String,
}

/// How a generated object meets one that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Behavior {
    #[default]
    Create,
    Merge,
    Replace,
}

/// One object of a build.
#[derive(Debug, Clone)]
pub struct Resource {
    value: Value,
    id: ResourceId,
    pub(crate) previous: Vec<Previous>,
    pub(crate) prefixes: Vec<String>,
    pub(crate) suffixes: Vec<String>,
    pub(crate) needs_hash: bool,
    pub(crate) behavior: Behavior,
    pub(crate) origin: Option<Origin>,
    pub(crate) transformations: Vec<Origin>,
    /// Names of the `vars` that take their value from this object.
    pub(crate) var_names: Vec<String>,
}

impl Resource {
    /// The object as a tree.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The object as a tree, without the resource around it.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.value
    }

    /// Its identity.
    #[must_use]
    pub fn id(&self) -> &ResourceId {
        &self.id
    }

    pub(crate) fn new(value: Value, cluster_scoped: impl Fn(&Gvk) -> bool) -> Self {
        let mut resource = Self {
            value,
            id: ResourceId::default(),
            previous: Vec::new(),
            prefixes: Vec::new(),
            suffixes: Vec::new(),
            needs_hash: false,
            behavior: Behavior::default(),
            origin: None,
            transformations: Vec::new(),
            var_names: Vec::new(),
        };
        resource.refresh_id(cluster_scoped);
        resource
    }

    /// The tree, to change. Call [`Resource::refresh_id`] after a change of kind, name or namespace.
    pub(crate) fn value_mut(&mut self) -> &mut Value {
        &mut self.value
    }

    /// Reads the identity from the tree again. Returns whether it changed.
    pub(crate) fn refresh_id(&mut self, cluster_scoped: impl Fn(&Gvk) -> bool) -> bool {
        let api_version = text_of(&self.value, "apiVersion");
        let kind = text_of(&self.value, "kind");
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let gvk = &self.id.gvk;
        let same_type = gvk.kind == kind && gvk.version == version && gvk.group == group;
        let metadata = self.value.get("metadata");
        let field = |name| {
            let value = metadata.and_then(|metadata| metadata.get(name));
            value.filter(|value| !value.is_null_or_empty()).and_then(Value::text).unwrap_or_default()
        };
        let (name, namespace) = (field("name"), field("namespace"));
        let same = same_type && self.id.name == name && self.id.namespace == namespace;
        if !same {
            let (name, namespace) = (name.to_owned(), namespace.to_owned());
            if !same_type {
                let gvk = Gvk::new(api_version, kind);
                self.id.cluster_scoped = cluster_scoped(&gvk);
                self.id.gvk = gvk;
            }
            self.id.name = name;
            self.id.namespace = namespace;
        }
        !same
    }

    /// Remembers the identity of now.
    pub(crate) fn store_previous(&mut self) {
        let id = &self.id;
        self.previous.push(Previous {
            kind: id.gvk.kind.clone(),
            name: id.name.clone(),
            namespace: id.effective_namespace().to_owned(),
        });
    }

    /// Kind, name and effective namespace that the object had when it was loaded.
    pub(crate) fn original(&self) -> (&str, &str, &str) {
        match self.previous.first() {
            Some(first) => (&first.kind, &first.name, &first.namespace),
            None => (&self.id.gvk.kind, &self.id.name, self.id.effective_namespace()),
        }
    }

    /// The type that the object had when it was loaded.
    pub(crate) fn original_gvk(&self) -> Gvk {
        Gvk { kind: self.original().0.to_owned(), ..self.id.gvk.clone() }
    }

    /// All identities: the previous ones, then the current one.
    pub(crate) fn all_ids(&self) -> impl Iterator<Item = ResourceId> + '_ {
        let previous = self.previous.iter().map(|previous| ResourceId {
            gvk: Gvk { kind: previous.kind.clone(), ..self.id.gvk.clone() },
            name: previous.name.clone(),
            namespace: previous.namespace.clone(),
            cluster_scoped: false,
        });
        previous.chain(std::iter::once_with(|| self.id.clone()))
    }

    /// Whether the object has, or had, this identity.
    pub(crate) fn was(&self, id: &ResourceId) -> bool {
        let namespace = id.effective_namespace();
        let same_group = self.id.gvk.group == id.gvk.group && self.id.gvk.version == id.gvk.version;
        self.id.same(id)
            || same_group
                && self.previous.iter().any(|previous| {
                    previous.kind == id.gvk.kind
                        && previous.name == id.name
                        && effective_namespace(&previous.namespace, false) == namespace
                })
    }

    pub(crate) fn annotation(&self, name: &str) -> Option<&str> {
        self.value.at(&["metadata", "annotations"])?.get(name).map(|value| value.text().unwrap_or_default())
    }

    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.value.at(&["metadata", "labels"])?.get(name).map(|value| value.text().unwrap_or_default())
    }

    /// Rewrites `metadata.annotations` as kustomize does: without those of its own, all values strings, gone if
    /// nothing remains.
    pub(crate) fn finish_annotations(&mut self) {
        let Some(metadata) = self.value.ensure_map(&["metadata"]) else { return };
        let Some(annotations) = metadata.get_mut("annotations") else { return };
        let before = std::mem::take(annotations);
        let entries = if let Value::Map(map) = before { map } else { Map::new() };
        let mut after = Map::with_capacity(entries.len());
        for entry in entries {
            let name = entry.key.text();
            if INTERNAL.contains(&name) || name.strip_prefix(INTERNAL_DOMAIN).is_some_and(is_internal) {
                continue;
            }
            let text = entry.value.as_scalar().map(Scalar::shared_text).unwrap_or_default();
            after.insert_entry(yaml::Entry { key: Scalar::plain(name), value: string(text) });
        }
        if after.is_empty() {
            metadata.remove("annotations");
        } else {
            *annotations = Value::Map(after);
        }
    }

    /// Takes over what other tools left in annotations: previous identities, and what generators ask for.
    pub(crate) fn read_marks(&mut self) {
        let marked = |name: &str| self.annotation(&format!("{INTERNAL_DOMAIN}{name}")).map(str::to_owned);
        let list = |name: &str| -> Vec<String> {
            marked(name).map(|text| text.split(',').map(str::to_owned).collect()).unwrap_or_default()
        };
        if !self.value.at(&["metadata", "annotations"]).is_some_and(|map| {
            map.as_map().is_some_and(|map| map.keys().any(|name| name.starts_with(INTERNAL_DOMAIN)))
        }) {
            return;
        }
        let (kinds, names) = (list("previousKinds"), list("previousNames"));
        let namespaces = list("previousNamespaces");
        let (prefixes, suffixes) = (list("prefixes"), list("suffixes"));
        let needs_hash = marked("needsHashSuffix").as_deref() == Some("enabled");
        let behavior = match marked("generatorBehavior").as_deref() {
            Some("merge") => Behavior::Merge,
            Some("replace") => Behavior::Replace,
            _ => Behavior::Create,
        };
        if kinds.len() == names.len() && names.len() == namespaces.len() {
            self.previous = (kinds.into_iter().zip(names).zip(namespaces))
                .map(|((kind, name), namespace)| Previous { kind, name, namespace })
                .collect();
        }
        (self.prefixes, self.suffixes) = (prefixes, suffixes);
        (self.needs_hash, self.behavior) = (needs_hash, behavior);
    }

    /// Sets one annotation, in place or at the end.
    pub(crate) fn set_annotation(&mut self, name: &str, text: &str) {
        if let Some(annotations) = self.value.ensure_map(&["metadata", "annotations"]) {
            annotations.insert(name, string(text));
        }
    }
}

/// A string as kustomize makes it: a literal block if it has several lines.
pub(crate) fn string(text: impl Into<yaml::Text>) -> Value {
    let scalar = Scalar::str(text);
    let style = if scalar.text().contains('\n') { Style::Literal } else { Style::Plain };
    Value::Scalar(scalar.with_style(style))
}

const INTERNAL_DOMAIN: &str = "internal.config.kubernetes.io/";

/// Annotations outside of the internal domain that tools leave for each other.
const INTERNAL: &[&str] = &[
    "config.kubernetes.io/origin",
    "alpha.config.kubernetes.io/transformations",
    "config.kubernetes.io/path",
    "config.kubernetes.io/index",
    "config.k8s.io/id",
];

fn is_internal(name: &str) -> bool {
    [
        "previousKinds",
        "previousNames",
        "previousNamespaces",
        "prefixes",
        "suffixes",
        "allowNameChange",
        "allowKindChange",
        "refBy",
        "generatorBehavior",
        "needsHashSuffix",
        "path",
        "index",
        "seqindent",
        "id",
        "annotations-migration-resource-id",
        "helm-generated",
    ]
    .contains(&name)
}

fn text_of<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::text).unwrap_or_default()
}

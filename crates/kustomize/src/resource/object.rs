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
    /// Whether a generator made the object.
    pub(crate) generated: bool,
    /// Whether a chart made the object, which then has its namespace already.
    pub(crate) from_chart: bool,
    pub(crate) behavior: Behavior,
    pub(crate) origin: Option<Origin>,
    pub(crate) transformations: Vec<Origin>,
    /// Numbers of shared nodes: those from here on are in use. See [`Resource::new_share`].
    shares: std::ops::Range<u32>,
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
            generated: false,
            from_chart: false,
            behavior: Behavior::default(),
            origin: None,
            transformations: Vec::new(),
            shares: 0..0,
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

    /// A number for a node that is about to be put into several places at once.
    ///
    /// Kustomize puts one and the same node into every place where a label or annotation is new; whoever sets it later in
    /// one place sets it in all, until something writes the object anew.
    pub(crate) fn new_share(&mut self) -> u32 {
        self.shares.end += 1;
        self.shares.end - 1
    }

    /// Gives all places of a shared node what one of them was set to.
    pub(crate) fn set_share(&mut self, number: u32, scalar: &Scalar) {
        if self.shares.contains(&number) {
            set_share(&mut self.value, number, scalar);
        }
    }

    /// What shared nodes hold.
    pub(crate) fn shared(&self) -> Vec<(u32, Scalar)> {
        let mut found = Vec::new();
        if !self.shares.is_empty() {
            collect_shared(&self.value, &self.shares, &mut found);
        }
        found
    }

    /// Gives all places of shared nodes what one of them was set to since `before`.
    pub(crate) fn settle_shared(&mut self, before: &[(u32, Scalar)]) {
        for (number, scalar) in self.shared() {
            if !before.iter().any(|(known, before)| *known == number && *before == scalar) {
                self.set_share(number, &scalar);
            }
        }
    }

    /// Leaves a mark among the annotations, where kustomize keeps what it knows about an object: a patch sees that there
    /// are annotations, and may lose what is known. Returns whether there was anything to mark.
    pub(crate) fn mark_state(&mut self) -> bool {
        let stateless = self.previous.is_empty()
            && self.prefixes.is_empty()
            && self.suffixes.is_empty()
            && !self.generated
            && self.origin.is_none();
        if stateless {
            return false;
        }
        let Some(annotations) = self.value.ensure_map(&["metadata", "annotations"]) else { return false };
        annotations.insert(STATE_MARK, string("enabled"));
        true
    }

    /// Removes the mark. Returns whether it was still there.
    pub(crate) fn unmark_state(&mut self) -> bool {
        let Some(Value::Map(metadata)) = self.value.get_mut("metadata") else { return false };
        let Some(Value::Map(annotations)) = metadata.get_mut("annotations") else { return false };
        let found = annotations.remove(STATE_MARK).is_some();
        if found && annotations.is_empty() {
            metadata.remove("annotations");
        }
        found
    }

    /// Forgets where the object comes from.
    pub(crate) fn forget_origin(&mut self) {
        self.origin = None;
        self.transformations.clear();
    }

    /// Forgets what kustomize keeps in annotations.
    pub(crate) fn forget_state(&mut self) {
        self.forget_origin();
        self.previous.clear();
        self.prefixes.clear();
        self.suffixes.clear();
        self.needs_hash = false;
        self.generated = false;
        self.from_chart = false;
        self.behavior = Behavior::default();
    }

    /// Ends all sharing: the object was written anew.
    pub(crate) fn unshare(&mut self) {
        self.shares.start = self.shares.end;
    }

    /// Remembers the identity of now.
    pub(crate) fn store_previous(&mut self) {
        if !self.shares.is_empty()
            && let Some(Value::Map(annotations)) = self.value.at_mut(&["metadata", "annotations"])
        {
            // Kustomize keeps this in annotations, which it makes anew.
            for scalar in annotations.values_mut().filter_map(Value::as_scalar_mut) {
                *scalar = Scalar::new(scalar.shared_text(), scalar.tag()).with_style(scalar.style());
            }
        }
        if let Some(Value::Map(metadata)) = self.value.get_mut("metadata")
            && metadata.get("annotations").is_some_and(|annotations| annotations.as_map().is_none())
        {
            // Kustomize puts its own there.
            metadata.remove("annotations");
        }
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
        // They may stand there several times: the first of each name counts.
        let all = std::iter::from_fn(|| metadata.remove("annotations"));
        let maps = all.filter_map(|value| if let Value::Map(map) = value { Some(map) } else { None });
        let mut after = Map::new();
        for entry in maps.flatten() {
            let name = entry.key.text();
            let internal =
                INTERNAL.contains(&name) || name.strip_prefix(INTERNAL_DOMAIN).is_some_and(is_internal);
            if internal || after.contains_key(name) {
                continue;
            }
            let text = entry.value.as_scalar().map(Scalar::shared_text).unwrap_or_default();
            after.insert_entry(yaml::Entry { key: Scalar::plain(name), value: string(text) });
        }
        if !after.is_empty() {
            metadata.insert("annotations", Value::Map(after));
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

    /// Whether `metadata.annotations` is neither a mapping nor null.
    pub(crate) fn has_odd_annotations(&self) -> bool {
        let annotations = self.value.at(&["metadata", "annotations"]);
        annotations.is_some_and(|value| value.as_map().is_none() && !value.is_null())
    }

    /// Sets one annotation, in place or at the end.
    pub(crate) fn set_annotation(&mut self, name: &str, text: &str) {
        if let Some(annotations) = self.value.ensure_map(&["metadata", "annotations"]) {
            annotations.insert(name, string(text));
        }
    }
}

/// A string as kustomize makes it: a literal block if it has several lines, in quotes if YAML 1.1 took it for something
/// else, which matters when a patch puts a value in its place.
pub(crate) fn string(text: impl Into<yaml::Text>) -> Value {
    let scalar = Scalar::str(text);
    let style = match scalar.text() {
        text if text.contains('\n') => Style::Literal,
        text if !yaml::reads_as_string(text, yaml::Profile::V2) => Style::DoubleQuoted,
        _ => Style::Plain,
    };
    Value::Scalar(scalar.with_style(style))
}

/// See [`Resource::mark_state`]: one of kustomize's own annotations.
const STATE_MARK: &str = "internal.config.kubernetes.io/needsHashSuffix";

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

fn set_share(value: &mut Value, number: u32, wanted: &Scalar) {
    match value {
        Value::Scalar(scalar) if scalar.share() == Some(number) => {
            *scalar = wanted.clone().shared_as(number);
        }
        Value::Scalar(_) => {}
        Value::Seq(items) => items.iter_mut().for_each(|item| set_share(item, number, wanted)),
        Value::Map(map) => map.values_mut().for_each(|value| set_share(value, number, wanted)),
    }
}

fn collect_shared(value: &Value, live: &std::ops::Range<u32>, found: &mut Vec<(u32, Scalar)>) {
    match value {
        Value::Scalar(scalar) => {
            if let Some(number) = scalar.share().filter(|number| live.contains(number)) {
                found.push((number, scalar.clone()));
            }
        }
        Value::Seq(items) => items.iter().for_each(|item| collect_shared(item, live, found)),
        Value::Map(map) => map.values().for_each(|value| collect_shared(value, live, found)),
    }
}

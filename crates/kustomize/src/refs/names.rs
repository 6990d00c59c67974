//! Name references: a field that holds the former name of an object gets its current one.

use std::collections::{HashMap, HashSet};

use patch::{Create, FieldError, set_field_text, set_text};
use yaml::{Map, Value};

use crate::config::BackReference;
use crate::resource::{Gvk, Previous, Resource, ResourceMap, effective_namespace};
use crate::transform::World;

/// Updates every reference in every object.
///
/// # Errors
/// Every ambiguous or malformed reference.
pub(crate) fn update_names(
    world: &World<'_>,
    references: &[BackReference],
    map: &mut ResourceMap,
) -> Result<(), Vec<String>> {
    let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, resource) in map.iter().enumerate() {
        for previous in &resource.previous {
            let places = by_name.entry(previous.name.clone()).or_default();
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
    }
    let homes: HashSet<Home> = map.iter().map(Home::of).collect();
    let mut errors = Vec::new();
    for place in 0..map.len() {
        let Some(referrer) = map.get_mut(place) else { continue };
        let view = match Referrer::of(referrer) {
            Ok(view) => view,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        let mut value = std::mem::take(referrer.value_mut());
        for reference in references {
            for spec in &reference.referrers {
                if !view.original.is_selected_by(&spec.gvk) {
                    continue;
                }
                let role_ref =
                    spec.path.text().ends_with("roleRef/name").then_some(view.role_ref.as_ref()).flatten();
                let search = Search {
                    map,
                    by_name: &by_name,
                    homes: &homes,
                    referrer: &view,
                    place,
                    target: &reference.target,
                    role_ref,
                };
                let done = spec.path.each::<Failure>(&mut value, Create::No, &mut |node| search.update(node));
                if let Err(Failure(error)) = done {
                    let id = map.get(place).map(|resource| resource.id().to_string()).unwrap_or_default();
                    errors.push(format!("{id}: field {}: {error}", spec.path.text()));
                }
            }
        }
        if let Some(referrer) = map.get_mut(place) {
            *referrer.value_mut() = value;
        }
    }
    let mut changed = false;
    for resource in map.iter_mut() {
        changed |= resource.refresh_id(|gvk| world.is_cluster_scoped(gvk));
    }
    if changed {
        map.ids_changed();
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Where objects were and are; few objects differ in it.
#[derive(PartialEq, Eq, Hash)]
struct Home {
    original: String,
    current: String,
    cluster_scoped: bool,
}

impl Home {
    fn of(resource: &Resource) -> Self {
        Self {
            original: resource.original().2.to_owned(),
            current: resource.id().namespace.clone(),
            cluster_scoped: resource.id().cluster_scoped,
        }
    }
}

struct Failure(String);

impl From<FieldError> for Failure {
    fn from(error: FieldError) -> Self {
        Self(error.to_string())
    }
}

/// What a search needs to know of the referring object, whose tree is being changed meanwhile.
struct Referrer {
    original: Gvk,
    /// Type that `roleRef` names.
    role_ref: Option<Gvk>,
    /// Namespaces of the service accounts among the subjects of a RoleBinding.
    subject_namespaces: HashSet<String>,
}

impl Referrer {
    fn of(resource: &Resource) -> Result<Self, String> {
        let value = resource.value();
        let role_ref = value.get("roleRef").and_then(|role| {
            let text = |name| role.get(name).and_then(Value::text).map(str::to_owned);
            Some(Gvk { group: text("apiGroup")?, version: String::new(), kind: text("kind")? })
        });
        let mut subject_namespaces = HashSet::new();
        if resource.id().gvk.kind == "RoleBinding" {
            for subject in value.get("subjects").and_then(Value::as_seq).into_iter().flatten() {
                if subject.get("kind").and_then(Value::text) != Some("ServiceAccount") {
                    continue;
                }
                match subject.get("namespace").map(Value::as_str) {
                    None => {}
                    Some(Some(namespace)) => {
                        subject_namespaces.insert(namespace.to_owned());
                    }
                    Some(None) => {
                        return Err(format!("{}: the namespace of a subject is blank", resource.id()));
                    }
                }
            }
        }
        Ok(Self { original: resource.original_gvk(), role_ref, subject_namespaces })
    }
}

/// The search for the object that one field refers to.
struct Search<'a> {
    map: &'a ResourceMap,
    by_name: &'a HashMap<String, Vec<usize>>,
    homes: &'a HashSet<Home>,
    referrer: &'a Referrer,
    place: usize,
    target: &'a Gvk,
    role_ref: Option<&'a Gvk>,
}

impl Search<'_> {
    fn update(&self, node: &mut Value) -> Result<(), Failure> {
        match node {
            Value::Scalar(scalar) if scalar.is_null() => Ok(()),
            Value::Scalar(_) => self.scalar(node),
            Value::Map(map) => self.mapping(map),
            Value::Seq(items) => items.iter_mut().try_for_each(|item| match item {
                Value::Scalar(scalar) if scalar.is_null() => Ok(()),
                Value::Scalar(_) => self.scalar(item),
                Value::Map(map) => self.mapping(map),
                Value::Seq(_) => Err(Failure("expected a name or a mapping, found a list".to_owned())),
            }),
        }
    }

    fn scalar(&self, node: &mut Value) -> Result<(), Failure> {
        let name = node.text().unwrap_or_default();
        let candidates = self.candidates(name, |_| true);
        let Some(found) = self.choose(name, candidates, |one, other| one.id().name == other.id().name)?
        else {
            return Ok(());
        };
        if found.id().name != name {
            set_text(node, &found.id().name)?;
        }
        Ok(())
    }

    fn mapping(&self, map: &mut Map) -> Result<(), Failure> {
        let Some(name) = map.get("name") else {
            return Err(Failure("the reference has no name".to_owned()));
        };
        let name = name.text().unwrap_or_default();
        let namespace = map.get("namespace").map(|value| value.text().unwrap_or_default());
        let candidates = match namespace {
            None => self.candidates(name, |_| true),
            // A namespace may be the original or the current one; if any object was there, the original counts.
            Some(namespace) => {
                let cluster = namespace == "_non_namespaceable_";
                let was_home = |home: &Home| {
                    home.original == namespace && !cluster && self.is_near(home.cluster_scoped, &home.current)
                };
                if self.homes.iter().any(was_home) {
                    self.candidates(name, |resource| resource.original().2 == namespace)
                } else {
                    self.candidates(name, |resource| {
                        !resource.id().cluster_scoped && resource.id().effective_namespace() == namespace
                    })
                }
            }
        };
        let same = |one: &Resource, other: &Resource| {
            one.id().name == other.id().name && one.id().namespace == other.id().namespace
        };
        let Some(found) = self.choose(name, candidates, same)? else { return Ok(()) };
        let (new_name, new_namespace) = (&found.id().name, &found.id().namespace);
        if new_name == name && new_namespace.is_empty() {
            return Ok(());
        }
        set_field_text(map, "name", new_name);
        if !new_namespace.is_empty() {
            set_field_text(map, "namespace", new_namespace);
        }
        Ok(())
    }

    fn own(&self) -> Option<&Resource> {
        self.map.get(self.place)
    }

    /// Whether the referring object can refer to another at all: it is in the same namespace or in none.
    fn is_visible(&self, resource: &Resource) -> bool {
        self.is_near(resource.id().cluster_scoped, &resource.id().namespace)
    }

    fn is_near(&self, cluster_scoped: bool, namespace: &str) -> bool {
        let Some(own) = self.own() else { return false };
        cluster_scoped
            || own.id().cluster_scoped
            || own.id().effective_namespace() == effective_namespace(namespace, false)
            || self.referrer.subject_namespaces.contains(namespace)
    }

    /// Objects that once had the name and the type, and are in reach.
    fn candidates(&self, name: &str, keep: impl Fn(&Resource) -> bool) -> Vec<&Resource> {
        let Some(own) = self.own() else { return Vec::new() };
        let was = |resource: &Resource, wanted: &Gvk| {
            let gvk = &resource.id().gvk;
            resource.previous.iter().any(|Previous { kind, .. }| {
                (wanted.kind.is_empty() || wanted.kind == *kind)
                    && (wanted.group.is_empty() || wanted.group == gvk.group)
                    && (wanted.version.is_empty() || wanted.version == gvk.version)
            })
        };
        (self.by_name.get(name).into_iter().flatten())
            .filter_map(|place| self.map.get(*place))
            .filter(|resource| self.is_visible(resource) && keep(resource) && was(resource, self.target))
            .filter(|resource| self.role_ref.is_none_or(|role_ref| was(resource, role_ref)))
            .filter(|resource| {
                own.id().cluster_scoped
                    || resource.id().cluster_scoped
                    || resource.id().gvk.kind == "ServiceAccount"
                    || own.id().effective_namespace() == resource.id().effective_namespace()
            })
            .collect()
    }

    /// The one object that is meant, if any: of several, those with the prefixes and suffixes of the referrer.
    fn choose<'r>(
        &self,
        name: &str,
        mut candidates: Vec<&'r Resource>,
        same: impl Fn(&Resource, &Resource) -> bool,
    ) -> Result<Option<&'r Resource>, Failure> {
        if let [one] = candidates.as_slice() {
            return Ok(Some(one));
        }
        let Some(own) = self.own() else { return Ok(None) };
        candidates.retain(|resource| affixes_agree(resource, own, true));
        if candidates.len() > 1 {
            candidates.retain(|resource| affixes_agree(resource, own, false));
        }
        let Some(first) = candidates.first().copied() else { return Ok(None) };
        if candidates.iter().all(|resource| same(first, resource)) {
            return Ok(Some(first));
        }
        let ids: Vec<String> = candidates.iter().map(|resource| resource.id().to_string()).collect();
        Err(Failure(format!("{name} is ambiguous, it can be any of {}", ids.join(", "))))
    }
}

fn affixes_agree(one: &Resource, other: &Resource, allow_empty: bool) -> bool {
    let agree = |one: &[String], other: &[String]| {
        allow_empty && (one.is_empty() || other.is_empty()) || same_ending(one, other)
    };
    agree(&one.prefixes, &other.prefixes) && agree(&one.suffixes, &other.suffixes)
}

/// Whether the shorter list ends the longer one; an empty list only ends an empty one.
fn same_ending(one: &[String], other: &[String]) -> bool {
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    if short.is_empty() { long.is_empty() } else { long.ends_with(short) }
}

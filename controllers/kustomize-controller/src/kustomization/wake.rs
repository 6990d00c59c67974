//! Who is woken by what: pure functions over the Kustomizations at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::condition::Type;
use api::kustomize::{Kustomization, SubstituteReferenceKind};
use api::source::ArtifactKind;
use runtime::Key;
use runtime::configs::ConfigKind;

use super::gate::{is_ready, namespace, source_namespace};

/// What an object refers to, so that a change of it wakes the object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reference {
    /// A source.
    Source(ArtifactKind, Key),
    /// An object of configuration.
    Config(ConfigKind, Key),
    /// Another Kustomization.
    Dependency(Key),
}

/// Everything that a Kustomization refers to.
pub fn references(kustomization: &Kustomization) -> BTreeSet<Reference> {
    let own = namespace(kustomization);
    let spec = &kustomization.spec;
    let config = |kind, name: &str| Reference::Config(kind, Key::new(own, name));
    let mut found = BTreeSet::new();
    found.insert(Reference::Source(
        spec.source_ref.kind,
        Key::new(source_namespace(kustomization), &spec.source_ref.name),
    ));
    for dependency in &spec.depends_on {
        let namespace = dependency.namespace.as_deref().filter(|n| !n.is_empty()).unwrap_or(own);
        found.insert(Reference::Dependency(Key::new(namespace, &dependency.name)));
    }
    for reference in spec.post_build.iter().flat_map(|post_build| &post_build.substitute_from) {
        let kind = match reference.kind {
            SubstituteReferenceKind::ConfigMap => ConfigKind::ConfigMap,
            SubstituteReferenceKind::Secret => ConfigKind::Secret,
        };
        found.insert(config(kind, &reference.name));
    }
    if let Some(kube_config) = &spec.kube_config {
        found.extend(kube_config.config_map_ref.iter().map(|r| config(ConfigKind::ConfigMap, &r.name)));
        found.extend(kube_config.secret_ref.iter().map(|r| config(ConfigKind::Secret, &r.name)));
    }
    let keys = spec.decryption.iter().filter_map(|decryption| decryption.secret_ref.as_ref());
    found.extend(keys.map(|r| config(ConfigKind::Secret, &r.name)));
    found
}

/// The Kustomizations at hand and who refers to what.
#[derive(Debug, Default)]
pub struct Index {
    objects: BTreeMap<Key, Arc<Kustomization>>,
    referrers: BTreeMap<Reference, BTreeSet<Key>>,
}

impl Index {
    /// Takes in an object as the watch saw it. Returns whether its dependents have something to look at: it became ready,
    /// or its applied revision moved.
    pub fn apply(&mut self, object: Arc<Kustomization>) -> bool {
        let key = Key::of(&*object);
        let before = self.objects.insert(key.clone(), Arc::clone(&object));
        let news = is_news(before.as_deref(), &object);
        if before.as_ref().is_none_or(|before| before.spec != object.spec) {
            if let Some(before) = &before {
                self.drop_references(&key, before);
            }
            for reference in references(&object) {
                self.referrers.entry(reference).or_default().insert(key.clone());
            }
        }
        news
    }

    /// Forgets an object that is gone.
    pub fn remove(&mut self, key: &Key) -> Option<Arc<Kustomization>> {
        let object = self.objects.remove(key)?;
        self.drop_references(key, &object);
        Some(object)
    }

    fn drop_references(&mut self, key: &Key, object: &Kustomization) {
        for reference in references(object) {
            if let Some(keys) = self.referrers.get_mut(&reference) {
                keys.remove(key);
                if keys.is_empty() {
                    self.referrers.remove(&reference);
                }
            }
        }
    }

    /// Those who refer to something, dependencies before dependents. Objects on a circle come last, in key order.
    pub fn referrers(&self, reference: &Reference) -> Vec<Key> {
        self.referrers
            .get(reference)
            .map(|keys| self.ordered(keys.iter().cloned().collect()))
            .unwrap_or_default()
    }

    /// Those who have to look at a new revision of a source: all but the ones that are at it or past it already.
    pub fn behind(&self, kind: ArtifactKind, source: &Key, revision: &str) -> Vec<Key> {
        let reference = Reference::Source(kind, source.clone());
        let keys = self.referrers.get(&reference).into_iter().flatten();
        let behind = keys.filter(|key| self.objects.get(key).is_some_and(|object| !is_at(object, revision)));
        self.ordered(behind.cloned().collect())
    }

    /// The names on a circle of dependencies through `key`, beginning and ending with it.
    pub fn cycle(&self, key: &Key, first: &Key) -> Option<Vec<String>> {
        let mut path = vec![(first.clone(), self.dependencies(first))];
        let mut seen = BTreeSet::from([first.clone()]);
        while let Some((_, pending)) = path.last_mut() {
            let Some(next) = pending.pop() else {
                path.pop();
                continue;
            };
            if next == *key {
                let between = path.iter().map(|(key, _)| key.to_string());
                return Some(
                    std::iter::once(key.to_string()).chain(between).chain([key.to_string()]).collect(),
                );
            }
            if seen.insert(next.clone()) {
                let pending = self.dependencies(&next);
                path.push((next, pending));
            }
        }
        (first == key).then(|| vec![key.to_string(), key.to_string()])
    }

    fn dependencies(&self, key: &Key) -> Vec<Key> {
        let Some(object) = self.objects.get(key) else { return Vec::new() };
        let own = namespace(object);
        let dependencies = object.spec.depends_on.iter().rev();
        dependencies
            .map(|d| Key::new(d.namespace.as_deref().filter(|n| !n.is_empty()).unwrap_or(own), &d.name))
            .collect()
    }

    /// Dependencies first; stable otherwise. What a circle leaves over is put at the end.
    fn ordered(&self, keys: BTreeSet<Key>) -> Vec<Key> {
        let mut waiting: BTreeMap<Key, usize> = BTreeMap::new();
        let mut dependents: BTreeMap<Key, Vec<Key>> = BTreeMap::new();
        for key in &keys {
            let inside: BTreeSet<Key> =
                self.dependencies(key).into_iter().filter(|d| keys.contains(d)).collect();
            waiting.insert(key.clone(), inside.len());
            for dependency in inside {
                dependents.entry(dependency).or_default().push(key.clone());
            }
        }
        let mut ready: BTreeSet<Key> =
            waiting.iter().filter(|(_, n)| **n == 0).map(|(key, _)| key.clone()).collect();
        let mut ordered = Vec::with_capacity(keys.len());
        while let Some(key) = ready.pop_first() {
            for dependent in dependents.remove(&key).unwrap_or_default() {
                if let Some(count) = waiting.get_mut(&dependent) {
                    *count -= 1;
                    if *count == 0 {
                        ready.insert(dependent);
                    }
                }
            }
            waiting.remove(&key);
            ordered.push(key);
        }
        ordered.extend(waiting.into_keys());
        ordered
    }
}

/// Whether the object is at a revision: it handled it, or is at work on it.
fn is_at(object: &Kustomization, revision: &str) -> bool {
    object.status.as_ref().is_some_and(|status| {
        (status.conditions.is_true(Type::Ready) || status.conditions.is_true(Type::Reconciling))
            && status.last_attempted_revision.as_deref() == Some(revision)
    })
}

/// An expression may look at anything, but what changes without Ready or revision is left to the deadline.
fn is_news(before: Option<&Kustomization>, after: &Kustomization) -> bool {
    let state = |object: &Kustomization| {
        let applied = object.status.as_ref().and_then(|status| status.last_applied_revision.clone());
        (is_ready(object), applied)
    };
    is_ready(after) && before.is_none_or(|before| state(before) != state(after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(name: &str, depends_on: &[&str]) -> Arc<Kustomization> {
        let depends_on: Vec<_> = depends_on.iter().map(|name| json!({"name": name})).collect();
        let value = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": name, "namespace": "ns", "generation": 1},
            "spec": {"interval": "1m", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "repo"}, "dependsOn": depends_on},
        });
        Arc::new(serde_json::from_value(value).unwrap())
    }

    fn with(
        mut object: Arc<Kustomization>,
        change: impl FnOnce(&mut serde_json::Value),
    ) -> Arc<Kustomization> {
        let mut value = serde_json::to_value(&*object).unwrap();
        change(&mut value);
        object = Arc::new(serde_json::from_value(value).unwrap());
        object
    }

    fn index(objects: &[(&str, &[&str])]) -> Index {
        let mut index = Index::default();
        for (name, depends_on) in objects {
            index.apply(object(name, depends_on));
        }
        index
    }

    fn repo() -> Key {
        Key::new("ns", "repo")
    }

    fn names(keys: Vec<Key>) -> Vec<String> {
        keys.iter().map(|key| key.name().to_owned()).collect()
    }

    #[test]
    fn dependencies_are_woken_before_dependents() {
        let index = index(&[("a", &["b"]), ("b", &["c"]), ("c", &[]), ("d", &["elsewhere"])]);
        assert_eq!(names(index.behind(ArtifactKind::GitRepository, &repo(), "r")), ["c", "b", "a", "d"]);
        assert!(index.behind(ArtifactKind::Bucket, &repo(), "r").is_empty());
        let dependents = index.referrers(&Reference::Dependency(Key::new("ns", "c")));
        assert_eq!(names(dependents), ["b"]);
    }

    #[test]
    fn a_circle_holds_nobody_else_up() {
        let index = index(&[("a", &["b"]), ("b", &["a"]), ("c", &["a"]), ("d", &[])]);
        assert_eq!(names(index.behind(ArtifactKind::GitRepository, &repo(), "r")), ["d", "a", "b", "c"]);
        let key = |name| Key::new("ns", name);
        assert_eq!(index.cycle(&key("a"), &key("b")).unwrap(), ["ns/a", "ns/b", "ns/a"]);
        assert_eq!(index.cycle(&key("c"), &key("a")), None, "c is not on the circle");
        let own = self::index(&[("a", &["a"])]);
        assert_eq!(own.cycle(&key("a"), &key("a")).unwrap(), ["ns/a", "ns/a", "ns/a"]);
    }

    #[test]
    fn who_is_at_the_revision_is_left_alone() {
        let mut index = Index::default();
        let status = |ready: &str, revision: &str| {
            json!({"lastAttemptedRevision": revision, "conditions": [{"type": "Ready", "status": ready, "reason": "X",
                "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]})
        };
        for (name, ready, revision) in
            [("at", "True", "r2"), ("behind", "True", "r1"), ("failed", "False", "r2")]
        {
            index.apply(with(object(name, &[]), |v| v["status"] = status(ready, revision)));
        }
        assert_eq!(names(index.behind(ArtifactKind::GitRepository, &repo(), "r2")), ["behind", "failed"]);
    }

    #[test]
    fn becoming_ready_wakes_dependents() {
        let mut index = Index::default();
        let ready = |revision: &str| {
            with(object("a", &[]), |v| {
                v["status"] = json!({"observedGeneration": 1, "lastAppliedRevision": revision, "conditions": [{"type": "Ready",
                    "status": "True", "reason": "X", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
            })
        };
        assert!(!index.apply(object("a", &[])));
        assert!(index.apply(ready("r1")));
        assert!(!index.apply(ready("r1")));
        assert!(index.apply(ready("r2")));
        assert!(!index.apply(object("a", &[])));
    }

    #[test]
    fn references_follow_the_spec() {
        let mut index = Index::default();
        let config = |name: &str| {
            let name = name.to_owned();
            with(object("a", &[]), move |v| {
                v["spec"]["postBuild"] = json!({"substituteFrom": [{"kind": "Secret", "name": name}]});
            })
        };
        let secret = |name| Reference::Config(ConfigKind::Secret, Key::new("ns", name));
        index.apply(config("one"));
        assert_eq!(names(index.referrers(&secret("one"))), ["a"]);
        index.apply(config("two"));
        assert!(index.referrers(&secret("one")).is_empty());
        assert_eq!(names(index.referrers(&secret("two"))), ["a"]);
        index.remove(&Key::new("ns", "a"));
        assert!(index.referrers(&secret("two")).is_empty());
        assert!(index.referrers.is_empty());
    }
}

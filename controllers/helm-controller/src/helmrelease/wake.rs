//! Who is woken by what: the references of all HelmReleases, and pure functions over them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::condition::{Conditions, Type};
use api::helm::{ChartReferenceKind, HelmRelease, ValuesReferenceKind};
use runtime::Key;
use runtime::configs::ConfigKind;
use runtime::controller::References;

use super::dependencies::is_ready;
use super::names::{helm_chart, namespace, source};
use super::sources::News;

/// What an object refers to, so that a change of it wakes the object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// The object that its chart comes from.
    Source(ChartReferenceKind, Key),
    /// An object of configuration.
    Config(ConfigKind, Key),
    /// Another HelmRelease.
    Dependency(Key),
}

/// The releases that an object depends on.
pub fn dependencies(release: &HelmRelease) -> impl Iterator<Item = Key> {
    let own = namespace(release);
    release.spec.depends_on.iter().map(move |dependency| {
        let namespace = dependency.namespace.as_deref().filter(|n| !n.is_empty()).unwrap_or(own);
        Key::new(namespace, &dependency.name)
    })
}

/// Everything that a release refers to.
pub fn references(release: &HelmRelease) -> Vec<Reference> {
    let own = namespace(release);
    let config = |kind, name: &str| Reference::Config(kind, Key::new(own, name));
    let mut found: Vec<Reference> = dependencies(release).map(Reference::Dependency).collect();
    found.extend(source(release).map(|(kind, key)| Reference::Source(kind, key)));
    // Before its name stands in the status.
    found.extend(helm_chart(release).map(|key| Reference::Source(ChartReferenceKind::HelmChart, key)));
    for reference in &release.spec.values_from {
        let kind = match reference.kind {
            ValuesReferenceKind::Secret => ConfigKind::Secret,
            ValuesReferenceKind::ConfigMap => ConfigKind::ConfigMap,
        };
        found.push(config(kind, &reference.name));
    }
    if let Some(kube_config) = &release.spec.kube_config {
        found.extend(kube_config.config_map_ref.iter().map(|r| config(ConfigKind::ConfigMap, &r.name)));
        found.extend(kube_config.secret_ref.iter().map(|r| config(ConfigKind::Secret, &r.name)));
    }
    found
}

/// The HelmReleases at hand and who refers to what.
#[derive(Debug, Default)]
pub struct Index {
    objects: BTreeMap<Key, Arc<HelmRelease>>,
    references: References<Reference>,
}

impl Index {
    /// Takes in an object as the watch saw it. Returns whether its dependents have something to look at.
    pub fn apply(&mut self, object: Arc<HelmRelease>) -> bool {
        let key = Key::of(&*object);
        self.references.set(&key, references(&object));
        let before = self.objects.insert(key, Arc::clone(&object));
        let state = |object: &HelmRelease| {
            let status = object.status.as_ref();
            (
                is_ready(object),
                status.and_then(|status| status.history.first().map(|last| last.digest.clone())),
            )
        };
        before.is_none_or(|before| state(&before) != state(&object))
    }

    /// Forgets an object that is gone.
    pub fn remove(&mut self, key: &Key) {
        self.objects.remove(key);
        self.references.set(key, Vec::new());
    }

    /// Those who refer to something.
    pub fn referrers(&self, reference: &Reference) -> Vec<Key> {
        self.references.to(reference).to_vec()
    }

    /// Those who have to look at the news of a source: all but the ones that have tried that very revision, and are ready
    /// or at work.
    pub fn behind(&self, news: &News) -> Vec<Key> {
        let reference = Reference::Source(news.kind, news.key.clone());
        let keys = self.references.to(&reference).iter();
        keys.filter(|key| self.objects.get(key).is_some_and(|object| !is_at(object, news))).cloned().collect()
    }

    /// The names on a circle of dependencies through `key` by way of `first`, beginning and ending with `key`.
    pub fn cycle(&self, key: &Key, first: &Key) -> Option<Vec<String>> {
        let mut seen = BTreeSet::new();
        let mut paths = vec![vec![first.clone()]];
        while let Some(path) = paths.pop() {
            let Some(last) = path.last() else { continue };
            if last == key {
                let names = path.iter().map(ToString::to_string);
                return Some(std::iter::once(key.to_string()).chain(names).collect());
            }
            if !seen.insert(last.clone()) {
                continue;
            }
            let next = self.objects.get(last).map(|object| dependencies(object).collect::<Vec<_>>());
            for dependency in next.into_iter().flatten() {
                paths.push(path.iter().cloned().chain([dependency]).collect());
            }
        }
        None
    }
}

fn is_at(release: &HelmRelease, news: &News) -> bool {
    let Some(status) = &release.status else { return false };
    let settled =
        |conditions: &Conditions| conditions.is_true(Type::Ready) || conditions.is_true(Type::Reconciling);
    let digest = news.revision.rsplit('@').next().unwrap_or_default();
    let tried = |text: &Option<String>, revision: &str| text.as_deref() == Some(revision);
    let same = match news.kind {
        ChartReferenceKind::HelmChart => tried(&status.last_attempted_revision, &news.revision),
        _ => {
            tried(&status.last_attempted_revision_digest, digest)
                || tried(&status.last_attempted_revision_digest, &news.revision)
                || tried(&status.last_attempted_revision, &news.revision)
        }
    };
    // One that waits for the source has not tried what it made.
    same && settled(&status.conditions)
        && status.observed_generation == release.metadata.generation.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn object(name: &str, spec: Json, status: Json) -> Arc<HelmRelease> {
        let mut value = json!({"metadata": {"name": name, "namespace": "ns", "generation": 1}, "spec": {"interval": "1m"}, "status": status});
        value["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        Arc::new(serde_json::from_value(value).unwrap())
    }

    fn status(ready: &str, revision: &str) -> Json {
        json!({"observedGeneration": 1, "lastAttemptedRevision": revision, "lastAttemptedRevisionDigest": "sha256:1",
            "conditions": [{"type": "Ready", "status": ready, "reason": "X", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]})
    }

    fn names(keys: Vec<Key>) -> Vec<String> {
        keys.iter().map(|key| key.name().to_owned()).collect()
    }

    #[test]
    fn who_tried_a_revision_is_left_alone() {
        let mut index = Index::default();
        let oci = json!({"chartRef": {"kind": "OCIRepository", "name": "o"}});
        for (name, ready, revision) in [("at", "True", "1.0.0"), ("failed", "False", "1.0.0")] {
            index.apply(object(name, oci.clone(), status(ready, revision)));
        }
        let news = |revision: &str| News {
            kind: ChartReferenceKind::OCIRepository,
            key: Key::new("ns", "o"),
            revision: revision.into(),
        };
        assert_eq!(names(index.behind(&news("1.0.0@sha256:1"))), ["failed"]);
        assert_eq!(names(index.behind(&news("1.0.0@sha256:2"))), ["at", "failed"]);
        index.remove(&Key::new("ns", "failed"));
        assert_eq!(names(index.behind(&news("1.0.0@sha256:2"))), ["at"]);
    }

    #[test]
    fn references_follow_spec_and_status() {
        let template = json!({"chart": {"spec": {"chart": "c", "sourceRef": {"kind": "HelmRepository", "name": "r", "namespace": "flux"}}},
            "valuesFrom": [{"kind": "ConfigMap", "name": "v"}], "dependsOn": [{"name": "d"}]});
        let found = references(&object("a", template, json!({})));
        assert_eq!(
            found,
            [
                Reference::Dependency(Key::new("ns", "d")),
                Reference::Source(ChartReferenceKind::HelmChart, Key::new("flux", "ns-a")),
                Reference::Config(ConfigKind::ConfigMap, Key::new("ns", "v")),
            ]
        );
    }

    #[test]
    fn circles_are_found() {
        let mut index = Index::default();
        for (name, on) in [("a", "b"), ("b", "a"), ("c", "a"), ("d", "d")] {
            index.apply(object(name, json!({"dependsOn": [{"name": on}]}), json!({})));
        }
        let key = |name| Key::new("ns", name);
        assert_eq!(index.cycle(&key("a"), &key("b")).unwrap(), ["ns/a", "ns/b", "ns/a"]);
        assert_eq!(index.cycle(&key("c"), &key("a")), None, "c is not on the circle");
        assert_eq!(index.cycle(&key("d"), &key("d")).unwrap(), ["ns/d", "ns/d"]);
    }

    #[test]
    fn becoming_ready_is_news_for_dependents() {
        let mut index = Index::default();
        let plain = json!({});
        assert!(index.apply(object("a", plain.clone(), status("False", "1"))));
        assert!(!index.apply(object("a", plain.clone(), status("False", "2"))));
        assert!(index.apply(object("a", plain, status("True", "2"))));
    }
}

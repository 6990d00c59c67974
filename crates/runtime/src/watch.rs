//! Watching a kind: a cache of its objects, and what changed about each.
//!
//! A [`Store`] holds the newest known version of each object. It is fed by a watch, and by [`Store::absorb`] with what the
//! API server answered to our own patches, so that a run never sees an object older than what the controller wrote.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError, RwLock};

use futures::StreamExt as _;
use k8s_openapi::NamespaceResourceScope;
use kube::core::ObjectMeta;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::Key;

/// A namespaced kind that can be watched. With `PartialObjectMeta<K>` only the metadata is asked for.
pub trait Watched:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}

impl<K> Watched for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

/// Which objects of a kind are watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only this namespace; all when `None`.
    pub namespace: Option<String>,
    /// Label selector; empty selects all.
    pub labels: String,
}

/// A change of an object.
#[derive(Debug)]
pub struct Change<K> {
    /// The object.
    pub key: Key,
    /// The version known before, if any.
    pub before: Option<Arc<K>>,
    /// The version now; `None` when it is gone.
    pub after: Option<Arc<K>>,
    /// How the change became known.
    pub cause: Cause,
}

/// How a change became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The list at start-up, or after the watch was interrupted.
    List,
    /// The watch.
    Watch,
    /// The answer to our own patch.
    Own,
}

/// The newest known version of each object of a kind.
#[derive(Debug)]
pub struct Store<K>(Arc<Shared<K>>);

#[derive(Debug)]
struct Shared<K> {
    objects: RwLock<HashMap<Key, Arc<K>>>,
    listed: tokio::sync::watch::Sender<bool>,
}

impl<K> Clone for Store<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> Default for Store<K> {
    fn default() -> Self {
        Self(Arc::new(Shared { objects: RwLock::default(), listed: tokio::sync::watch::Sender::new(false) }))
    }
}

impl<K: Resource<DynamicType = ()>> Store<K> {
    /// The object, if it is known.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.read().get(key).cloned()
    }

    /// All objects, in no order.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<K>> {
        self.read().values().cloned().collect()
    }

    /// The number of objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether no object is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the first list is complete: only then does absence mean that an object does not exist.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        *self.0.listed.borrow()
    }

    /// Waits until the first list is complete.
    pub async fn listed(&self) {
        // Fails only when the sender is gone, which this store holds.
        let _ = self.0.listed.subscribe().wait_for(|listed| *listed).await;
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<Key, Arc<K>>> {
        self.0.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<Key, Arc<K>>> {
        self.0.objects.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a version of an object. `None` when it is not newer than what is known.
    #[must_use]
    pub fn absorb(&self, after: Arc<K>, cause: Cause) -> Option<Change<K>> {
        let key = Key::of(&*after);
        let mut objects = self.write();
        let before = objects.get(&key).cloned();
        if let Some(known) = &before {
            if is_known(after.meta(), known.meta()) {
                return None;
            }
        } else if cause == Cause::Own {
            // The answer to a patch arrived after the news that the object is gone, or it left the scope.
            return None;
        }
        objects.insert(key.clone(), Arc::clone(&after));
        Some(Change { key, before, after: Some(after), cause })
    }

    /// Whether that version of an object, or a newer one, is in here.
    fn knows(&self, key: &Key, version: &ObjectMeta) -> bool {
        self.read().get(key).is_some_and(|known| is_known(version, known.meta()))
    }

    fn remove(&self, key: &Key, cause: Cause) -> Option<Change<K>> {
        let before = self.write().remove(key)?;
        Some(Change { key: key.clone(), before: Some(before), after: None, cause })
    }

    /// Ends a list: what it did not contain is gone.
    fn settle(&self, seen: &HashSet<Key>) -> Vec<Change<K>> {
        let mut objects = self.write();
        let gone: Vec<Key> = objects.keys().filter(|key| !seen.contains(*key)).cloned().collect();
        gone.into_iter()
            .filter_map(|key| {
                let before = objects.remove(&key)?;
                Some(Change { key, before: Some(before), after: None, cause: Cause::List })
            })
            .collect()
    }
}

/// Whether `version` brings nothing to who knows `known`: it is the same object, and not newer.
fn is_known(version: &ObjectMeta, known: &ObjectMeta) -> bool {
    known.uid == version.uid
        && !is_newer(version.resource_version.as_deref(), known.resource_version.as_deref())
}

/// Whether a resource version is newer than another. They are opaque by contract, but every API server so far counts
/// upwards, and since Kubernetes 1.35 the contract says so; where they are not numbers, any difference counts as newer.
fn is_newer(version: Option<&str>, than: Option<&str>) -> bool {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
    match (number(version), number(than)) {
        (Some(version), Some(than)) => version > than,
        _ => version != than,
    }
}

/// Watches a kind until the future is dropped. Interruptions are mended; `on_change` is called for each change in order,
/// and must not block. Objects that cannot be decoded are reported once per version and treated as absent.
pub async fn run<K: Watched>(
    client: Client,
    scope: Scope,
    store: Store<K>,
    mut on_change: impl FnMut(Change<K>) + Send,
) {
    let path = crate::client::collection_path::<K>(scope.namespace.as_deref());
    let api: Api<Unread<K>> = match &scope.namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    // The list is a consistent one, which API servers since 1.31 answer from their cache: an older version of our own
    // status could make us forget what we own.
    let mut config = watcher::Config::default();
    if !scope.labels.is_empty() {
        config = config.labels(&scope.labels);
    }
    let mut events = std::pin::pin!(watcher::watcher(api, config).default_backoff());
    let mut seen: Option<HashSet<Key>> = None;
    let mut failing = false;
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if std::mem::take(&mut failing) {
                    tracing::info!(path, "watch is back");
                }
                feed(&store, event, &mut seen, &mut on_change);
            }
            Err(error) => {
                // Its retries have a growing delay; only the first failure in a row is news.
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(path, error = %error, "watch failed, retrying");
                }
            }
        }
    }
}

fn feed<K: Watched>(
    store: &Store<K>,
    event: Event<Unread<K>>,
    seen: &mut Option<HashSet<Key>>,
    on_change: &mut impl FnMut(Change<K>),
) {
    let mut take_in = |object: Unread<K>, cause| {
        let key = Key::of(&object);
        if store.knows(&key, object.meta()) {
            return; // mostly the echo of what we wrote
        }
        match object.read() {
            Ok(mut object) => {
                object.managed_fields_mut().clear();
                if let Some(change) = store.absorb(Arc::new(object), cause) {
                    on_change(change);
                }
            }
            Err(error) => {
                tracing::error!(
                    controllerKind = %K::kind(&()), namespace = key.namespace(), name = key.name(), %error,
                    "object cannot be read, it is ignored until it is corrected"
                );
                if let Some(change) = store.remove(&key, cause) {
                    on_change(change);
                }
            }
        }
    };
    match event {
        Event::Init => *seen = Some(HashSet::new()),
        Event::InitApply(object) => {
            if let Some(seen) = seen {
                seen.insert(Key::of(&object));
            }
            take_in(object, Cause::List);
        }
        Event::InitDone => {
            for change in store.settle(&seen.take().unwrap_or_default()) {
                on_change(change);
            }
            store.0.listed.send_replace(true);
        }
        Event::Apply(object) => take_in(object, Cause::Watch),
        Event::Delete(object) => {
            if let Some(change) = store.remove(&Key::of(&object), Cause::Watch) {
                on_change(change);
            }
        }
    }
}

/// An object as the watch brought it: of its metadata only what tells which version of which object it is, the rest as
/// text. It may be known already; and it may not have the shape of its kind, which must not stall the watch of all.
#[derive(Debug, Clone)]
struct Unread<K> {
    version: Box<ObjectMeta>,
    text: Box<str>,
    kind: PhantomData<K>,
}

impl<K: DeserializeOwned> Unread<K> {
    fn read(self) -> serde_json::Result<K> {
        serde_json::from_str(&self.text)
    }
}

impl<'de, K> Deserialize<'de> for Unread<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Version {
            name: Option<String>,
            namespace: Option<String>,
            uid: Option<String>,
            resource_version: Option<String>,
        }
        #[derive(Deserialize)]
        struct Object {
            #[serde(default)]
            metadata: Version,
        }
        let raw = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
        let text = match crate::client::without_managed_fields(raw.get()) {
            Cow::Borrowed(_) => raw.into(),
            Cow::Owned(text) => text.into_boxed_str(),
        };
        let object: Object = serde_json::from_str(&text).map_err(serde::de::Error::custom)?;
        let Version { name, namespace, uid, resource_version } = object.metadata;
        let version = ObjectMeta { name, namespace, uid, resource_version, ..ObjectMeta::default() };
        Ok(Self { version: Box::new(version), text, kind: PhantomData })
    }
}

impl<K: Resource<DynamicType = ()>> Resource for Unread<K> {
    type DynamicType = ();
    type Scope = K::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn metadata_api() -> bool {
        K::metadata_api()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.version
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.version
    }
}

#[cfg(test)]
mod tests {
    use api::source::GitRepository;

    use super::*;

    fn text(name: &str, version: &str, interval: &str) -> String {
        format!(
            r#"{{"metadata":{{"name":"{name}","namespace":"n","uid":"u-{name}","resourceVersion":"{version}","managedFields":[{{"manager":"m"}}]}},
               "spec":{{"url":"https://example.test","interval":{interval}}}}}"#
        )
    }

    fn object(name: &str, version: &str) -> Unread<GitRepository> {
        serde_json::from_str(&text(name, version, "\"1m\"")).unwrap()
    }

    fn valid(name: &str, version: &str) -> Arc<GitRepository> {
        Arc::new(object(name, version).read().unwrap())
    }

    /// Feeds events and returns the changes as `name before>after`.
    fn feed_all(store: &Store<GitRepository>, events: Vec<Event<Unread<GitRepository>>>) -> Vec<String> {
        let mut seen = None;
        let mut changes = Vec::new();
        for event in events {
            feed(store, event, &mut seen, &mut |change| {
                let version = |object: &Option<Arc<GitRepository>>| {
                    object.as_ref().and_then(|object| object.resource_version()).unwrap_or_default()
                };
                changes.push(format!(
                    "{} {}>{}",
                    change.key.name(),
                    version(&change.before),
                    version(&change.after)
                ));
            });
        }
        changes
    }

    #[test]
    fn versions_are_ordered_as_numbers() {
        assert!(
            is_newer(Some("10"), Some("9"))
                && !is_newer(Some("9"), Some("10"))
                && !is_newer(Some("9"), Some("9"))
        );
        assert!(is_newer(Some("x"), Some("9")) && !is_newer(Some("x"), Some("x")));
    }

    #[test]
    fn a_list_ends_with_what_is_gone() {
        let store = Store::default();
        let list = |names: &[&str]| {
            let mut events = vec![Event::Init];
            events.extend(names.iter().map(|name| Event::InitApply(object(name, "1"))));
            events.push(Event::InitDone);
            events
        };
        assert!(!store.is_listed());
        assert_eq!(feed_all(&store, list(&["a", "b"])), ["a >1", "b >1"]);
        assert!(store.is_listed());
        assert_eq!(store.get(&Key::new("n", "a")).unwrap().managed_fields(), []);
        assert_eq!(feed_all(&store, list(&["b"])), ["a 1>"]);
        assert_eq!(store.len(), 1);
    }

    #[test]
    fn what_we_wrote_is_known_before_the_watch_tells_it() {
        let store = Store::default();
        assert!(
            store.absorb(valid("a", "5"), Cause::Own).is_none(),
            "an object that is not watched, or is gone"
        );
        feed_all(&store, vec![Event::Apply(object("a", "4"))]);
        assert!(store.absorb(valid("a", "5"), Cause::Own).is_some());
        assert_eq!(feed_all(&store, vec![Event::Apply(object("a", "5"))]), Vec::<String>::new(), "the echo");
        assert_eq!(
            feed_all(&store, vec![Event::Apply(object("a", "4"))]),
            Vec::<String>::new(),
            "a late one"
        );
        assert_eq!(feed_all(&store, vec![Event::Apply(object("a", "6"))]), ["a 5>6"]);
    }

    #[test]
    fn an_unreadable_object_is_absent_and_harms_no_other() {
        let store = Store::default();
        let broken: Unread<GitRepository> = serde_json::from_str(&text("a", "2", "7")).unwrap();
        assert_eq!(Key::of(&broken).name(), "a");
        let events =
            vec![Event::Apply(object("a", "1")), Event::Apply(broken), Event::Apply(object("b", "3"))];
        assert_eq!(feed_all(&store, events), ["a >1", "a 1>", "b >3"]);
        assert_eq!(feed_all(&store, vec![Event::Apply(object("a", "4"))]), ["a >4"]);
    }
}

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use object::{GroupKind, Gvk, ObjectRef, Owner};
use tokio::time::Instant;

use crate::http::Http;
use crate::hub::Hub;
use crate::lock;
use crate::mapping::{Mapping, Resource};
use crate::policy::{Listener, Policy};
use crate::watch::{Phase, Running, Selection, Watch};

/// The targets of a controller by cluster and identity. Two owners that act as the same identity on the same cluster
/// share one target: its connection, its discovery and its watches.
pub struct Targets {
    policy: Arc<Policy>,
    listener: Listener,
    targets: Mutex<HashMap<String, (Target, Instant)>>,
}

/// A target that nobody asked for this long is dropped with its watches, unless somebody still holds it.
const UNUSED: Duration = Duration::from_secs(3 * 3600);

impl Targets {
    /// An empty registry. The listener hears of changes in all targets.
    pub fn new(policy: Policy, listener: Listener) -> Self {
        Self { policy: Arc::new(policy), listener, targets: Mutex::default() }
    }

    /// The policy that all targets share.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The target of a key that is known.
    pub fn find(&self, key: &str) -> Option<Target> {
        let mut targets = lock(&self.targets);
        let (target, used) = targets.get_mut(key)?;
        *used = Instant::now();
        Some(target.clone())
    }

    /// The target of a key, which names the cluster and the identity (such as a hash of the kubeconfig and the
    /// impersonated user; never a credential in clear). `connect` is called when the key is new.
    pub fn get(&self, key: &str, connect: impl FnOnce() -> kube::Client) -> Target {
        let now = Instant::now();
        let mut targets = lock(&self.targets);
        targets.retain(|k, (_, used)| k == key || now - *used < UNUSED);
        let (target, used) = targets
            .entry(key.to_owned())
            .or_insert_with(|| (Target::new(self.policy.clone(), self.listener.clone(), connect()), now));
        *used = now;
        target.clone()
    }
}

/// One cluster under one identity. Cheap to clone; the watches end with the last clone.
#[derive(Clone)]
pub struct Target(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub hub: Arc<Hub>,
    pub mapping: Mapping,
    owned: Mutex<HashMap<(Gvk, String), Arc<Running>>>,
    narrow: Mutex<HashMap<(Gvk, Selection), Weak<Running>>>,
}

/// A watch that was refused is tried again after this long: rights may have been granted.
const REFUSED_FOR: Duration = Duration::from_secs(60);

impl Target {
    /// A target of its own, outside a registry.
    pub fn new(policy: Arc<Policy>, listener: Listener, client: kube::Client) -> Self {
        let http = Http::new(client);
        Self(Arc::new(Inner {
            mapping: Mapping::new(http.clone()),
            hub: Arc::new(Hub::new(policy, http, listener)),
            owned: Mutex::default(),
            narrow: Mutex::default(),
        }))
    }

    /// Which kinds the cluster serves.
    pub fn mapping(&self) -> &Mapping {
        &self.0.mapping
    }

    /// Raw requests to the cluster.
    pub fn http(&self) -> &Http {
        &self.0.hub.http
    }

    /// The keys of the labels that mark owned objects.
    pub fn policy_labels(&self) -> object::OwnerLabels {
        self.policy().owner_labels()
    }

    /// Waits, until a deadline, for the watch of owned objects to show an object with owner labels that was just written,
    /// in that `metadata.resourceVersion` or a later one: whoever waits for its health is spared a watch of its own, and
    /// is not told how the object was before.
    pub async fn wait_shown(&self, object: &ObjectRef, version: u64, deadline: Instant) {
        if let Ok(resource) = self.0.mapping.resolve(&object.gvk).await
            && let Some(watch) = self.owned_watch(&resource, &object.namespace).await
        {
            let key = crate::cache::key_of(&object.namespace, &object.name);
            watch
                .wait_until(deadline, |cache| {
                    cache.observed(&key).is_some_and(|seen| seen.version >= version)
                })
                .await;
        }
    }

    /// Forgets an owner that leaves its objects in the cluster: their changes are no business of ours any more.
    pub fn forget(&self, owner: &Owner) {
        for running in lock(&self.0.owned).values() {
            running.watch.with(|cache| cache.disown_all(owner));
        }
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.0.hub.policy
    }

    /// The synced watch that covers the owned objects of a kind in a namespace, started when needed. `None` when the
    /// identity may neither watch the whole cluster nor the namespace, or the API server does not answer: then the
    /// caller asks for each object.
    pub(crate) async fn owned_watch(&self, resource: &Arc<Resource>, namespace: &str) -> Option<Arc<Watch>> {
        let everywhere = self.owned_running(resource, "");
        match everywhere.watch.settled_phase().await {
            Phase::Synced => return Some(everywhere.watch.clone()),
            Phase::Forbidden if resource.namespaced && !namespace.is_empty() => {}
            _ => return None,
        }
        let within = self.owned_running(resource, namespace);
        (within.watch.settled_phase().await == Phase::Synced).then(|| within.watch.clone())
    }

    fn owned_running(&self, resource: &Arc<Resource>, namespace: &str) -> Arc<Running> {
        let mut owned = lock(&self.0.owned);
        let key = (resource.gvk.clone(), namespace.to_owned());
        if let Some(running) = owned.get(&key) {
            let ended = match running.watch.phase() {
                Phase::Behind | Phase::Synced => false,
                Phase::Forbidden => running.since.elapsed() > REFUSED_FOR,
                Phase::Absent | Phase::Stopped => true,
            };
            // A definition that was made anew may serve the kind under another path.
            if !ended && *running.watch.resource == **resource {
                return running.clone();
            }
        }
        let selection = Selection::Owned { namespace: namespace.to_owned() };
        let running = Arc::new(Watch::start(self.0.hub.clone(), resource.clone(), selection, None));
        owned.insert(key, running.clone());
        running
    }

    /// The running owned watches of a kind, in whatever version.
    pub(crate) fn owned_watches(&self, kind: &GroupKind) -> Vec<Arc<Watch>> {
        lock(&self.0.owned)
            .iter()
            .filter(|((gvk, _), _)| gvk.kind == kind.kind && gvk.group == kind.group)
            .map(|(_, running)| running.watch.clone())
            .collect()
    }

    /// A watch of a few objects that ends with its last holder.
    pub(crate) fn narrow_watch(
        &self,
        resource: &Arc<Resource>,
        selection: Selection,
        stands_for: Option<ObjectRef>,
    ) -> Arc<Running> {
        let mut narrow = lock(&self.0.narrow);
        narrow.retain(|_, running| running.strong_count() > 0);
        let key = (resource.gvk.clone(), selection.clone());
        let alive = narrow
            .get(&key)
            .and_then(Weak::upgrade)
            .filter(|r| matches!(r.watch.phase(), Phase::Behind | Phase::Synced));
        if let Some(running) = alive {
            return running;
        }
        let running = Arc::new(Watch::start(self.0.hub.clone(), resource.clone(), selection, stands_for));
        narrow.insert(key, Arc::downgrade(&running));
        running
    }

    /// A watch that follows one object, whoever owns it.
    pub(crate) fn object_watch(&self, resource: &Arc<Resource>, object: &ObjectRef) -> Arc<Running> {
        let selection = Selection::Named { namespace: object.namespace.clone(), name: object.name.clone() };
        self.narrow_watch(resource, selection, None)
    }
}

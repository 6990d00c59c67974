//! Changes of ConfigMaps and Secrets that objects refer to: only metadata is watched, and only where a label says so.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::PartialObjectMeta;
use kube::{Client, Resource};

use crate::Key;
use crate::watch::{Cause, Change, Scope, Store, Watched};

/// The kind of a configuration object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConfigKind {
    /// ConfigMap.
    ConfigMap,
    /// Secret.
    Secret,
}

/// Watches until the future is dropped. `on_change` hears of everything but what exists at start-up, which the runs of
/// start-up read.
pub async fn watch(client: &Client, scope: &Scope, on_change: impl Fn(ConfigKind, &Key) + Send + Sync) {
    tokio::join!(
        one::<ConfigMap>(client, scope, |key| on_change(ConfigKind::ConfigMap, key)),
        one::<Secret>(client, scope, |key| on_change(ConfigKind::Secret, key)),
    );
}

async fn one<K>(client: &Client, scope: &Scope, on_change: impl Fn(&Key) + Send + Sync)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Send + Sync + 'static,
    PartialObjectMeta<K>: Watched,
{
    let report = |change: Change<PartialObjectMeta<K>>| {
        if change.cause != Cause::List || change.before.is_some() {
            on_change(&change.key);
        }
    };
    crate::watch::run(client.clone(), scope.clone(), Store::<PartialObjectMeta<K>>::default(), report).await;
}

//! Finalizers of Providers, which get one, and of Alerts, which had one in old releases.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use api::meta::FINALIZER;
use api::notification::{Alert, Provider};
use kube::{Client, ResourceExt as _};
use runtime::client::{merge_patch, object_path};
use runtime::watch::{Store, Watched};
use runtime::{Key, Recorder, Severity};
use serde_json::json;
use tokio::sync::mpsc;

use crate::flags::BINARY;

/// Time before a write that failed is tried again.
const PAUSE: Duration = Duration::from_secs(5);

/// What is to happen to the finalizer of an object.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    Add,
    Remove,
}

fn has(finalizers: &[String]) -> bool {
    finalizers.iter().any(|finalizer| finalizer == FINALIZER)
}

fn of_provider(provider: &Provider) -> Option<Change> {
    match (provider.metadata.deletion_timestamp.is_some(), has(provider.finalizers())) {
        (true, true) => Some(Change::Remove),
        (false, false) => Some(Change::Add),
        _ => None,
    }
}

fn of_alert(alert: &Alert) -> Option<Change> {
    let leave = alert.spec.suspend && alert.metadata.deletion_timestamp.is_none();
    (has(alert.finalizers()) && !leave).then_some(Change::Remove)
}

/// Keeps the finalizers of Providers.
pub async fn providers(client: &Client, store: &Store<Provider>, changed: mpsc::UnboundedReceiver<Key>) {
    keep(client, store, changed, of_provider, |_| {}).await;
}

/// Removes the finalizers of Alerts.
pub async fn alerts(
    client: &Client,
    store: &Store<Alert>,
    changed: mpsc::UnboundedReceiver<Key>,
    events: &Recorder,
) {
    let done = |alert: &Alert| {
        events.emit(
            alert,
            Severity::Normal,
            "Migration",
            "removed finalizer from Alert to migrate to static Alert",
            BTreeMap::new(),
        );
    };
    keep(client, store, changed, of_alert, done).await;
}

async fn keep<K: Watched>(
    client: &Client,
    store: &Store<K>,
    mut changed: mpsc::UnboundedReceiver<Key>,
    wanted: impl Fn(&K) -> Option<Change>,
    done: impl Fn(&K),
) {
    let mut failed: Vec<Key> = Vec::new();
    loop {
        let keys = tokio::select! {
            key = changed.recv() => match key {
                Some(key) => vec![key],
                None => return,
            },
            () = tokio::time::sleep(PAUSE), if !failed.is_empty() => std::mem::take(&mut failed),
        };
        for key in keys {
            let Some(object) = store.get(&key) else { continue };
            let Some(change) = wanted(&object) else { continue };
            match write(client, &*object, &key, &change).await {
                Ok(()) => done(&object),
                Err(error) if error.is_not_found() || error.is_conflict() => {
                    // Gone, or changed since: the watch tells.
                }
                Err(error) => {
                    tracing::error!(
                        controllerKind = %K::kind(&()), namespace = key.namespace(), name = key.name(),
                        error = %error, "Reconciler error"
                    );
                    failed.push(key);
                }
            }
        }
    }
}

async fn write<K: Watched>(
    client: &Client,
    object: &K,
    key: &Key,
    change: &Change,
) -> Result<(), runtime::Error> {
    let mut list = object.finalizers().to_vec();
    match change {
        Change::Add => list.push(FINALIZER.to_owned()),
        Change::Remove => list.retain(|finalizer| finalizer != FINALIZER),
    }
    let patch = json!({ "metadata": {
        "uid": object.uid(), "resourceVersion": object.resource_version(), "finalizers": list,
    }});
    merge_patch::<serde::de::IgnoredAny>(client, &object_path::<K>(key), BINARY.name, &patch)
        .await
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object<K: serde::de::DeserializeOwned>(finalizer: bool, deleting: bool, spec: &str) -> K {
        let finalizers = if finalizer { r#"["finalizers.fluxcd.io"]"# } else { "[]" };
        let deleted = if deleting { r#","deletionTimestamp":"2026-11-21T10:00:00Z""# } else { "" };
        serde_json::from_str(&format!(
            r#"{{"metadata":{{"name":"x","finalizers":{finalizers}{deleted}}},"spec":{spec}}}"#
        ))
        .expect("an object")
    }

    #[test]
    fn providers_have_a_finalizer_and_alerts_lose_theirs() {
        let provider = |finalizer, deleting| of_provider(&object(finalizer, deleting, r#"{"type":"slack"}"#));
        assert_eq!(provider(false, false), Some(Change::Add));
        assert_eq!(provider(true, false), None);
        assert_eq!(provider(true, true), Some(Change::Remove));
        assert_eq!(provider(false, true), None);
        let spec = |suspend: bool| {
            format!(r#"{{"providerRef":{{"name":"p"}},"eventSources":[],"suspend":{suspend}}}"#)
        };
        let alert = |finalizer, deleting, suspend| of_alert(&object(finalizer, deleting, &spec(suspend)));
        assert_eq!(alert(true, false, false), Some(Change::Remove));
        assert_eq!(alert(true, false, true), None);
        assert_eq!(alert(true, true, true), Some(Change::Remove));
        assert_eq!(alert(false, false, false), None);
    }
}

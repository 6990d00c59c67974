//! Memory: what is kept between two runs over an object, so that a run that has nothing to do finds that out without a
//! request. All of it can be lost.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::PartialObjectMeta;
use runtime::Key;
use runtime::watch::{Scope, Store};

/// What a release in order depends on. While none of it changes, the release stays in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// The object: a new one of the same name begins anew.
    pub uid: String,
    /// The spec.
    pub generation: i64,
    /// Digest of the chart's archive, and the revision of its source.
    pub chart: (String, String),
    /// Digest of the values.
    pub config: String,
    /// Cluster and identity.
    pub identity: String,
    /// The last record.
    pub record: Record,
}

/// A record as the watch, or the answer to a write, knows it. The default is that of no record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The revision.
    pub version: i64,
    /// Version of the Secret that holds it.
    pub resource_version: String,
}

/// What is known of one object.
#[derive(Debug, Default)]
pub struct Memory {
    /// The release was found in order with this.
    pub in_order: Option<Fingerprint>,
}

/// The last record of each release in this cluster, by metadata alone.
#[derive(Default)]
pub struct Records {
    newest: Mutex<HashMap<Key, HashMap<i64, String>>>,
}

impl Records {
    fn newest(&self) -> MutexGuard<'_, HashMap<Key, HashMap<i64, String>>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches until the future is dropped.
    pub async fn watch(&self, client: &kube::Client, scope: &Scope) {
        let scope = Scope { labels: "owner=helm".to_owned(), ..scope.clone() };
        let store = Store::<PartialObjectMeta<Secret>>::default();
        runtime::watch::run(client.clone(), scope, store, |change| {
            let meta = change.after.as_ref().or(change.before.as_ref());
            let Some((name, version)) = meta.and_then(|meta| release_of(meta)) else { return };
            let release = Key::new(change.key.namespace(), &name);
            let mut newest = self.newest();
            match &change.after {
                Some(record) => {
                    let resource_version = record.resource_version().unwrap_or_default();
                    newest.entry(release).or_default().insert(version, resource_version);
                }
                None => {
                    let gone = newest.get_mut(&release).is_some_and(|versions| {
                        versions.remove(&version);
                        versions.is_empty()
                    });
                    if gone {
                        newest.remove(&release);
                    }
                }
            }
        })
        .await;
    }

    /// The last record of a release by namespace and name.
    pub fn last(&self, release: &Key) -> Option<Record> {
        let newest = self.newest();
        let (version, resource_version) = newest.get(release)?.iter().max_by_key(|(version, _)| **version)?;
        Some(Record { version: *version, resource_version: resource_version.clone() })
    }
}

/// Name and revision of the release whose record a Secret holds.
fn release_of(meta: &PartialObjectMeta<Secret>) -> Option<(String, i64)> {
    let labels = meta.labels();
    Some((labels.get("name")?.clone(), labels.get("version")?.parse().ok()?))
}

//! Release records in the cluster: Secrets, exactly as Helm's driver keeps them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use apply::{Accept, Answer, Content};
use bytes::Bytes;
use chart::{Driver, Release, Stamp, Status};
use http::Method;
use jiff::Timestamp;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::error::Error;

/// The records in one namespace.
#[derive(Clone)]
pub struct Storage {
    cluster: Cluster,
    namespace: String,
    /// Versions of the Secrets that were written through this value and its clones, by release and revision.
    versions: Arc<Mutex<BTreeMap<(String, i64), String>>>,
}

/// A record that was written or deleted, in the order in which that happened. What failed is not there.
#[derive(Debug, Clone)]
pub enum Written {
    /// It is new.
    Created(Arc<Release>),
    /// It replaced what was there.
    Updated(Arc<Release>),
    /// It is gone.
    Deleted {
        /// Name of the release.
        name: String,
        /// The revision.
        version: i64,
    },
}

/// A record as its labels tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The revision.
    pub version: i64,
    /// Helm's word for where it stands, such as `deployed`.
    pub status: String,
}

impl Storage {
    /// The records in a namespace.
    pub fn new(cluster: &Cluster, namespace: &str) -> Storage {
        Storage { cluster: cluster.clone(), namespace: namespace.to_owned(), versions: Arc::default() }
    }

    /// `metadata.resourceVersion` of the Secret that holds a revision, as the last write through this value or a clone of
    /// it left it. `None` when there was none.
    pub fn written(&self, name: &str, version: i64) -> Option<String> {
        self.versions().get(&(name.to_owned(), version)).cloned()
    }

    fn versions(&self) -> MutexGuard<'_, BTreeMap<(String, i64), String>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, release: &Release, answer: &Answer) {
        let metadata: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let key = (release.name.clone(), release.version);
        match metadata.pointer("/metadata/resourceVersion").and_then(Value::as_str) {
            Some(version) => _ = self.versions().insert(key, version.to_owned()),
            None => _ = self.versions().remove(&key),
        }
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// All revisions of a release, oldest first, by their labels alone; empty when there are none.
    ///
    /// # Errors
    /// When the API server does not tell.
    pub async fn history(&self, name: &str) -> Result<Vec<Revision>, Error> {
        let path = format!("{}?labelSelector=name%3D{name}%2Cowner%3Dhelm", self.collection());
        let answer = self.cluster.http().get(&path, Accept::MetadataList).await.map_err(|failure| {
            Error::of(&failure, |text| Error::Storage(format!("query: failed to query with labels: {text}")))
        })?;
        let list: Value = serde_json::from_slice(&answer.body)
            .map_err(|error| Error::Storage(format!("query: failed to query with labels: {error}")))?;
        let mut found: Vec<Revision> = list
            .get("items")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|item| {
                let labels = item.pointer("/metadata/labels")?;
                let label = |key: &str| labels.get(key).and_then(Value::as_str).unwrap_or_default();
                Some(Revision { version: label("version").parse().ok()?, status: label("status").to_owned() })
            })
            .collect();
        found.sort_by_key(|revision| revision.version);
        Ok(found)
    }

    /// A revision; `None` when it is not there.
    ///
    /// # Errors
    /// When the API server does not tell, or the record cannot be read.
    pub async fn get(&self, name: &str, version: i64) -> Result<Option<Release>, Error> {
        let key = key(name, version);
        let answer = match self.cluster.http().get(&self.item(&key), Accept::Object).await {
            Ok(answer) => answer,
            Err(failure) if failure.is_not_found() => return Ok(None),
            Err(failure) => {
                return Err(Error::of(&failure, |text| {
                    Error::Storage(format!("get: failed to get \"{key}\": {text}"))
                }));
            }
        };
        let problem = |error: &dyn std::fmt::Display| {
            Error::Storage(format!("get: failed to decode data \"{key}\": {error}"))
        };
        let object: Value = serde_json::from_slice(&answer.body).map_err(|error| problem(&error))?;
        Release::from_object(&object).map(Some).map_err(|error| problem(&error))
    }

    /// The newest revision that can be read; `None` when there is no release.
    ///
    /// # Errors
    /// When the API server does not tell.
    pub async fn last(&self, name: &str) -> Result<Option<Release>, Error> {
        self.newest(name, &self.history(name).await?, |_| true).await
    }

    /// The newest of some revisions that can be read and that is wanted.
    pub(crate) async fn newest(
        &self,
        name: &str,
        history: &[Revision],
        wanted: impl Fn(&Revision) -> bool,
    ) -> Result<Option<Release>, Error> {
        for revision in history.iter().rev().filter(|revision| wanted(revision)) {
            match self.get(name, revision.version).await {
                Ok(Some(release)) => return Ok(Some(release)),
                Ok(None) => {}
                // As Helm does: a record that cannot be read is as good as none.
                Err(error @ Error::Storage(_)) => {
                    tracing::warn!(release = name, revision = revision.version, %error, "skipping a release record");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Adds a revision.
    ///
    /// # Errors
    /// [`Error::Exists`] when it is there, which is the only lock between two that work on a release.
    pub async fn create(&self, release: &Release) -> Result<(), Error> {
        let problem = |text: String| Error::Storage(format!("create: failed to create: {text}"));
        let body = self.body(release, Stamp::Created(Timestamp::now().as_second()), "create")?;
        let path = self.collection();
        match self.cluster.http().send(Method::POST, &path, Accept::Metadata, Content::Json, body).await {
            Ok(answer) => {
                self.note(release, &answer);
                Ok(())
            }
            Err(failure) if failure.code == 409 => {
                // A request that was sent again after its connection broke finds its own record.
                let own = self.get(&release.name, release.version).await?;
                if own
                    .as_ref()
                    .is_some_and(|own| own.info == release.info && own.manifest == release.manifest)
                {
                    return Ok(());
                }
                Err(Error::Exists)
            }
            Err(failure) => Err(Error::of(&failure, problem)),
        }
    }

    /// Replaces a revision, whatever it was.
    ///
    /// # Errors
    /// When it is not there, or the API server refuses.
    pub async fn update(&self, release: &Release) -> Result<(), Error> {
        let problem = |text: String| Error::Storage(format!("update: failed to update: {text}"));
        let body = self.body(release, Stamp::Modified(Timestamp::now().as_second()), "update")?;
        let path = self.item(&release.object_name());
        let sent = self.cluster.http().send(Method::PUT, &path, Accept::Metadata, Content::Json, body).await;
        sent.map(|answer| self.note(release, &answer)).map_err(|failure| Error::of(&failure, problem))
    }

    /// Deletes a revision.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not there.
    pub async fn delete(&self, name: &str, version: i64) -> Result<(), Error> {
        let path = self.item(&key(name, version));
        let sent = self
            .cluster
            .http()
            .send(Method::DELETE, &path, Accept::Metadata, Content::None, Bytes::new())
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(failure) if failure.is_not_found() => Err(Error::NotFound),
            Err(failure) => Err(Error::of(&failure, Error::Storage)),
        }
    }

    fn body(&self, release: &Release, stamp: Stamp, step: &str) -> Result<Bytes, Error> {
        let object = release.object(Driver::Secret, &self.namespace, stamp).map_err(|error| {
            Error::Storage(format!("{step}: failed to encode release \"{}\": {error}", release.name))
        })?;
        Ok(object.to_string().into())
    }

    fn collection(&self) -> String {
        format!("/api/v1/namespaces/{}/secrets", self.namespace)
    }

    fn item(&self, key: &str) -> String {
        format!("{}/{key}", self.collection())
    }
}

fn key(name: &str, version: i64) -> String {
    format!("sh.helm.release.v1.{name}.v{version}")
}

/// What is known of the last revision of a release.
#[derive(Debug, Clone, Default)]
pub enum Last {
    /// Nothing: the action reads it.
    #[default]
    Ask,
    /// The caller has just seen that there is none.
    Absent,
    /// The caller has just read it.
    Is(Box<Release>),
}

/// Revisions to delete so that at most `most` are left, oldest first; the newest deployed one stays.
pub(crate) fn surplus(history: &[Revision], most: usize) -> Vec<i64> {
    let deployed = history.iter().rev().find(|revision| revision.status == Status::Deployed.as_str());
    let spare =
        history.iter().filter(|revision| deployed.is_none_or(|kept| kept.version != revision.version));
    spare.take(history.len().saturating_sub(most)).map(|revision| revision.version).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_and_the_deployed_one_stays() {
        let revision = |version: i64, status: &str| Revision { version, status: status.to_owned() };
        let history = [
            revision(1, "superseded"),
            revision(2, "deployed"),
            revision(3, "failed"),
            revision(4, "failed"),
        ];
        assert_eq!(surplus(&history, 4), [0i64; 0]);
        assert_eq!(surplus(&history, 3), [1]);
        assert_eq!(surplus(&history, 2), [1, 3]);
        assert_eq!(surplus(&history, 1), [1, 3, 4]);
        assert_eq!(surplus(&history, 0), [1, 3, 4]);
    }
}

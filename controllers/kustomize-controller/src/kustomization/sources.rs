//! Sources: the newest known state of every object that has artifacts.

use api::meta::Artifact;
use api::source::{ArtifactKind, Bucket, ExternalArtifact, GitRepository, OCIRepository};
use kube::Client;
use runtime::Key;
use runtime::watch::{Change, Scope, Store, Watched};

use super::gate::Source;

/// A kind with artifacts.
pub trait HasArtifact: Watched {
    /// Which one.
    const KIND: ArtifactKind;

    /// `status.artifact`.
    fn artifact(&self) -> Option<&Artifact>;
}

macro_rules! has_artifact {
    ($($kind:ident),*) => {$(
        impl HasArtifact for $kind {
            const KIND: ArtifactKind = ArtifactKind::$kind;

            fn artifact(&self) -> Option<&Artifact> {
                self.status.as_ref()?.artifact.as_ref()
            }
        }
    )*};
}

has_artifact!(GitRepository, OCIRepository, Bucket, ExternalArtifact);

/// News of a source: its kind, its name and, unless it has none, its artifact's revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Kind of the source.
    pub kind: ArtifactKind,
    /// Name of the source.
    pub key: Key,
    /// Revision of its artifact.
    pub revision: String,
}

/// The sources of a cluster.
#[derive(Clone)]
pub struct Sources {
    client: Client,
    direct: bool,
    git: Store<GitRepository>,
    oci: Store<OCIRepository>,
    bucket: Store<Bucket>,
    external: Option<Store<ExternalArtifact>>,
}

impl Sources {
    /// No sources yet. `direct` reads each time from the API server; `external` takes ExternalArtifacts in.
    pub fn new(client: Client, direct: bool, external: bool) -> Self {
        Sources {
            client,
            direct,
            git: Store::default(),
            oci: Store::default(),
            bucket: Store::default(),
            external: external.then(Store::default),
        }
    }

    /// Watches until the future is dropped; `on_news` hears of every new revision.
    pub async fn watch(&self, namespace: Option<String>, on_news: impl Fn(News) + Clone + Send) {
        let scope = Scope { namespace, labels: String::new() };
        let external = async {
            match &self.external {
                Some(store) => watch(&self.client, &scope, store, on_news.clone()).await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(
            watch(&self.client, &scope, &self.git, on_news.clone()),
            watch(&self.client, &scope, &self.oci, on_news.clone()),
            watch(&self.client, &scope, &self.bucket, on_news.clone()),
            external,
        );
    }

    /// What a source has produced.
    pub async fn get(&self, kind: ArtifactKind, key: &Key) -> Source {
        match kind {
            ArtifactKind::GitRepository => self.find(&self.git, key).await,
            ArtifactKind::OCIRepository => self.find(&self.oci, key).await,
            ArtifactKind::Bucket => self.find(&self.bucket, key).await,
            ArtifactKind::ExternalArtifact => match &self.external {
                Some(store) => self.find(store, key).await,
                None => Source::Missing,
            },
        }
    }

    /// From the watch, else from the API server: one that is not known may be younger than the watch.
    async fn find<K: HasArtifact>(&self, store: &Store<K>, key: &Key) -> Source {
        let known = if self.direct { None } else { store.get(key) };
        let found = |object: &K| match object.artifact() {
            Some(artifact) => Source::Produced(Box::new(artifact.clone())),
            None => Source::WithoutArtifact,
        };
        match known {
            Some(object) => found(&object),
            None => {
                let path = runtime::client::object_path::<K>(key);
                match runtime::client::get::<K>(&self.client, &path).await {
                    Ok(Some(object)) => found(&object),
                    Ok(None) => Source::Missing,
                    Err(error) => Source::Unreadable(error.to_string()),
                }
            }
        }
    }
}

async fn watch<K: HasArtifact>(
    client: &Client,
    scope: &Scope,
    store: &Store<K>,
    on_news: impl Fn(News) + Send,
) {
    let report = move |change: Change<K>| {
        if let Some(news) = news(&change) {
            on_news(news);
        }
    };
    runtime::watch::run(client.clone(), scope.clone(), store.clone(), report).await;
}

/// Whether a change of a source concerns those who use it: its artifact appeared or has another revision, or the object
/// came or went while it had one.
fn news<K: HasArtifact>(change: &Change<K>) -> Option<News> {
    let revision = |object: &K| object.artifact().map(|artifact| artifact.revision.clone());
    let before = change.before.as_deref().and_then(revision);
    let after = change.after.as_deref().and_then(revision);
    let gone = change.after.is_none();
    let revision = if gone { before } else { after.filter(|after| before.as_ref() != Some(after)) }?;
    Some(News { kind: K::KIND, key: change.key.clone(), revision })
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::watch::Cause;
    use serde_json::json;
    use std::sync::Arc;

    fn repository(revision: Option<&str>) -> Option<Arc<GitRepository>> {
        let artifact = revision.map(|revision| {
            json!({"path": "p", "url": "http://x", "revision": revision, "digest": "sha256:00", "lastUpdateTime": "2026-01-01T00:00:00Z"})
        });
        let mut value = json!({"metadata": {"name": "a", "namespace": "ns"}, "spec": {"url": "https://x", "interval": "1m"}, "status": {}});
        if let Some(artifact) = artifact {
            value["status"]["artifact"] = artifact;
        }
        Some(Arc::new(serde_json::from_value(value).unwrap()))
    }

    #[test]
    fn only_artifacts_are_news() {
        let cases = [
            (None, repository(None), None),
            (None, repository(Some("1")), Some("1")),
            (repository(None), repository(Some("1")), Some("1")),
            (repository(Some("1")), repository(Some("1")), None),
            (repository(Some("1")), repository(Some("2")), Some("2")),
            (repository(Some("1")), repository(None), None),
            (repository(Some("1")), None, Some("1")),
            (repository(None), None, None),
        ];
        for (before, after, expected) in cases {
            let change = Change { key: Key::new("ns", "a"), before, after, cause: Cause::Watch };
            assert_eq!(news(&change).map(|news| news.revision).as_deref(), expected);
        }
    }
}

//! Sources: the newest known state of every object that has a chart.

use api::condition::{Conditions, Type};
use api::helm::ChartReferenceKind;
use api::meta::Artifact;
use api::object::Reconciled;
use api::source::{ExternalArtifact, HelmChart, OCIRepository};
use kube::Client;
use runtime::Key;
use runtime::watch::{Cause, Change, Scope, Store, Watched};

/// A source object as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// It does not exist, or cannot be read: the words of the API server.
    Unreadable(String),
    /// It has not come to an end with what its spec says now, for this reason.
    NotReady(String),
    /// What it made.
    Ready(Box<Artifact>),
}

/// A kind with charts.
pub trait HasChart: Watched {
    /// Which one.
    const KIND: ChartReferenceKind;
    /// Plural and group, as the API server names the kind.
    const RESOURCE: &'static str;

    /// `status.artifact`.
    fn artifact(&self) -> Option<&Artifact>;

    /// `status.conditions`.
    fn state(&self) -> Option<&Conditions>;

    /// Whether what the status says is about the current spec.
    fn is_observed(&self) -> bool;
}

macro_rules! has_chart {
    ($kind:ident, $resource:literal, $object:ident => $observed:expr) => {
        impl HasChart for $kind {
            const KIND: ChartReferenceKind = ChartReferenceKind::$kind;
            const RESOURCE: &'static str = $resource;

            fn artifact(&self) -> Option<&Artifact> {
                self.status.as_ref()?.artifact.as_ref()
            }

            fn state(&self) -> Option<&Conditions> {
                self.status.as_ref().map(|status| &status.conditions)
            }

            fn is_observed(&self) -> bool {
                let $object = self;
                $observed
            }
        }
    };
}

has_chart!(HelmChart, "helmcharts.source.toolkit.fluxcd.io", o => o.metadata.generation == Some(o.observed_generation()));
has_chart!(OCIRepository, "ocirepositories.source.toolkit.fluxcd.io", o => o.metadata.generation == Some(o.observed_generation()));
// Nothing says what it observed: an artifact is all that is asked for.
has_chart!(ExternalArtifact, "externalartifacts.source.toolkit.fluxcd.io", _o => true);

fn judge<K: HasChart>(object: &K, key: &Key) -> Source {
    let not_ready = |why: &str| Source::NotReady(format!("{} '{key}' is not ready: {why}", K::KIND.as_str()));
    let stalled =
        K::KIND != ChartReferenceKind::ExternalArtifact && object.state().is_some_and(Conditions::is_stalled);
    match (object.is_observed(), object.artifact()) {
        (false, _) => not_ready(match object.state() {
            Some(state) if state.is_false(Type::Ready) => state.message(Type::Ready),
            _ => "latest generation of object has not been reconciled",
        }),
        _ if stalled => not_ready(object.state().map_or("", |state| state.message(Type::Stalled))),
        (true, None) => not_ready("does not have an artifact"),
        (true, Some(artifact)) => Source::Ready(Box::new(artifact.clone())),
    }
}

/// News of a source: it made another artifact, or is ready again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Kind of the source.
    pub kind: ChartReferenceKind,
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
    charts: Store<HelmChart>,
    oci: Store<OCIRepository>,
    external: Option<Store<ExternalArtifact>>,
}

impl Sources {
    /// No sources yet. `direct` reads each time from the API server; `external` takes ExternalArtifacts in.
    pub fn new(client: Client, direct: bool, external: bool) -> Self {
        Sources {
            client,
            direct,
            charts: Store::default(),
            oci: Store::default(),
            external: external.then(Store::default),
        }
    }

    /// Watches until the future is dropped; `on_news` hears of what concerns those who use a source.
    pub async fn watch(&self, namespace: Option<String>, on_news: impl Fn(News) + Clone + Send) {
        let scope = Scope { namespace, labels: String::new() };
        let external = async {
            match &self.external {
                Some(store) => watch(&self.client, &scope, store, on_news.clone()).await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(
            watch(&self.client, &scope, &self.charts, on_news.clone()),
            watch(&self.client, &scope, &self.oci, on_news.clone()),
            external,
        );
    }

    /// What a source has made.
    pub async fn get(&self, kind: ChartReferenceKind, key: &Key) -> Source {
        match kind {
            ChartReferenceKind::HelmChart => self.find(&self.charts, key).await,
            ChartReferenceKind::OCIRepository => self.find(&self.oci, key).await,
            ChartReferenceKind::ExternalArtifact => match &self.external {
                Some(store) => self.find(store, key).await,
                None => Source::Unreadable(not_found::<ExternalArtifact>(key)),
            },
        }
    }

    /// A HelmChart as the watch knows it.
    pub fn helm_chart(&self, key: &Key) -> Option<std::sync::Arc<HelmChart>> {
        self.charts.get(key)
    }

    /// Takes in a HelmChart as we wrote it, so that no older one is used.
    pub fn wrote(&self, chart: HelmChart) {
        let _ = self.charts.absorb(std::sync::Arc::new(chart), Cause::Own);
    }

    /// From the watch, else from the API server: one that is not known may be younger than the watch.
    async fn find<K: HasChart>(&self, store: &Store<K>, key: &Key) -> Source {
        let known = if self.direct { None } else { store.get(key) };
        if let Some(object) = known {
            return judge(&*object, key);
        }
        let path = runtime::client::object_path::<K>(key);
        match runtime::client::get::<K>(&self.client, &path).await {
            Ok(Some(object)) => judge(&object, key),
            Ok(None) => Source::Unreadable(not_found::<K>(key)),
            Err(error) => Source::Unreadable(error.to_string()),
        }
    }
}

fn not_found<K: HasChart>(key: &Key) -> String {
    format!("{} \"{}\" not found", K::RESOURCE, key.name())
}

async fn watch<K: HasChart>(client: &Client, scope: &Scope, store: &Store<K>, on_news: impl Fn(News) + Send) {
    let report = move |change: Change<K>| {
        if let Some(news) = news(&change) {
            on_news(news);
        }
    };
    runtime::watch::run(client.clone(), scope.clone(), store.clone(), report).await;
}

/// Whether a change of a source concerns those who use it: it is usable with another artifact than before, or is usable
/// again, or came to a stall that they should tell of.
fn news<K: HasChart>(change: &Change<K>) -> Option<News> {
    let after = change.after.as_deref()?;
    let revision = |object: &K| object.artifact().map(|artifact| artifact.revision.clone());
    let usable = |object: &K| matches!(judge(object, &change.key), Source::Ready(_));
    let ready = |object: &K| object.state().is_some_and(|state| state.is_true(Type::Ready));
    let before = change.before.as_deref();
    let is_new = before.is_none_or(|before| {
        revision(before) != revision(after)
            || (!usable(before) && usable(after))
            || (!ready(before) && ready(after))
    });
    Some(News { kind: K::KIND, key: change.key.clone(), revision: revision(after)? }).filter(|_| is_new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};
    use std::sync::Arc;

    fn chart(
        generation: i64,
        observed: i64,
        revision: Option<&str>,
        conditions: &[(&str, &str)],
    ) -> HelmChart {
        let conditions: Vec<Json> = conditions
            .iter()
            .map(|(type_, status)| json!({"type": type_, "status": status, "reason": "R", "message": format!("{type_} {status}"), "lastTransitionTime": "2026-01-01T00:00:00Z"}))
            .collect();
        let artifact = revision.map(|revision| {
            json!({"path": "p", "url": "http://x", "revision": revision, "digest": "sha256:00", "lastUpdateTime": "2026-01-01T00:00:00Z"})
        });
        let mut status = json!({"observedGeneration": observed, "conditions": conditions});
        if let Some(artifact) = artifact {
            status["artifact"] = artifact;
        }
        let value = json!({"metadata": {"name": "a", "namespace": "ns", "generation": generation},
            "spec": {"chart": "c", "interval": "1m", "sourceRef": {"kind": "HelmRepository", "name": "r"}}, "status": status});
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_can_be_used() {
        let key = Key::new("ns", "a");
        let why = |chart: HelmChart| match judge(&chart, &key) {
            Source::NotReady(why) => why,
            Source::Ready(artifact) => artifact.revision,
            Source::Unreadable(why) => panic!("{why}"),
        };
        let begin = "HelmChart 'ns/a' is not ready: ";
        assert_eq!(
            why(chart(1, 1, Some("1.0.0"), &[("Ready", "False")])),
            "1.0.0",
            "the old artifact is used"
        );
        assert_eq!(
            why(chart(2, 1, Some("1.0.0"), &[])),
            format!("{begin}latest generation of object has not been reconciled")
        );
        assert_eq!(why(chart(2, 1, Some("1.0.0"), &[("Ready", "False")])), format!("{begin}Ready False"));
        assert_eq!(why(chart(1, 1, Some("1.0.0"), &[("Stalled", "True")])), format!("{begin}Stalled True"));
        assert_eq!(why(chart(1, 1, None, &[])), format!("{begin}does not have an artifact"));
    }

    #[test]
    fn what_is_news() {
        let is_news = |before: Option<HelmChart>, after: Option<HelmChart>| {
            let change = Change {
                key: Key::new("ns", "a"),
                before: before.map(Arc::new),
                after: after.map(Arc::new),
                cause: Cause::Watch,
            };
            news(&change).is_some()
        };
        let made = |revision| Some(chart(1, 1, Some(revision), &[("Ready", "True")]));
        assert!(is_news(None, made("1")));
        assert!(is_news(made("1"), made("2")));
        assert!(!is_news(made("1"), made("1")));
        assert!(!is_news(made("1"), None));
        assert!(!is_news(None, Some(chart(1, 1, None, &[]))));
        assert!(is_news(Some(chart(1, 1, Some("1"), &[("Ready", "False")])), made("1")));
        assert!(is_news(
            Some(chart(2, 1, Some("1"), &[("Ready", "True")])),
            Some(chart(2, 2, Some("1"), &[("Ready", "True")]))
        ));
    }
}

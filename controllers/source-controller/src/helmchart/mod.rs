//! HelmChart: a chart from a repository, or packed from the files of another source, becomes an artifact.
//!
//! The steps of an attempt are in [`attempt`]; [`repository`] fetches charts, [`folder`] loads them from the artifacts of
//! other sources, [`dependencies`] fetches the sub-charts that those lack, and [`build`] has the words for what came of it.

mod attempt;
mod build;
mod dependencies;
mod folder;
mod repository;
mod source;
mod values;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use api::condition::{Scope, Type};
use api::source::{ChartSourceKind, GitRepository, HelmChart, HelmRepository, Source};
use kube::Client;
use runtime::Key;
use runtime::controller::{Handle, References};
use runtime::queue::Priority;
use runtime::watch::{Cause, Change, Store, Watched};

use crate::source::{Attempt, Failure, Kind, Success, artifact_digest};
use attempt::Making;

/// What attempts work with.
pub(crate) struct HelmCharts {
    /// Reads Secrets, and the sources that nobody watches.
    pub client: Client,
    /// Download charts.
    pub clients: net::Clients,
    /// The repositories of charts.
    pub repositories: Store<HelmRepository>,
    /// Sources of files.
    pub git: Store<GitRepository>,
    /// What charts may weigh.
    pub limits: Limits,
    /// What the charts that are as they should be were made of.
    pub settled: Settled,
}

/// What charts may weigh, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// An index of charts.
    pub index: u64,
    /// The archive of a chart.
    pub chart: u64,
    /// A file in a chart.
    pub file: u64,
}

impl Limits {
    fn archive(&self) -> chart::ArchiveLimits {
        chart::ArchiveLimits { file: self.file, ..Default::default() }
    }
}

impl Kind for HelmCharts {
    type Object = HelmChart;

    const SCOPE: Scope = Scope::HELM_CHART;
    const FAILURES: &'static [Type] = &[Type::BuildFailed, Type::FetchFailed, Type::StorageOperationFailed];
    const LINK: Option<&'static str> = Some("latest.tar.gz");

    async fn attempt(&self, attempt: &mut Attempt<'_, Self>) -> Result<Success, Failure> {
        Making { charts: self, attempt }.run().await
    }

    fn forget(&self, key: &Key) {
        self.settled.forget(key);
    }
}

/// What the charts that are as they should be were made of: nothing else can come of the same again.
#[derive(Debug, Default)]
pub(crate) struct Settled(Mutex<HashMap<Key, Ingredients>>);

/// What decides over a chart, as far as it is here.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ingredients {
    /// Generation of the chart.
    generation: i64,
    /// Digest of its source.
    source: String,
    /// Digest of the chart's artifact.
    artifact: String,
}

impl Settled {
    fn is(&self, key: &Key, ingredients: &Ingredients) -> bool {
        self.lock().get(key) == Some(ingredients)
    }

    fn set(&self, key: &Key, ingredients: Ingredients) {
        self.lock().insert(key.clone(), ingredients);
    }

    fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Ingredients>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The charts that are made from each source: wakes them when it changes. Clones share them.
#[derive(Clone)]
pub(crate) struct Dependents {
    charts: Handle,
    references: std::sync::Arc<Mutex<References<(ChartSourceKind, Key)>>>,
}

impl Dependents {
    /// Nobody depends on anything yet. `charts` wakes charts.
    pub(crate) fn new(charts: Handle) -> Self {
        Self { charts, references: std::sync::Arc::default() }
    }

    /// Notes what a chart that changed is made from.
    pub(crate) fn note(&self, change: &Change<HelmChart>) {
        let source = change.after.as_ref().map(|chart| {
            let source = &chart.spec.source_ref;
            (source.kind, Key::new(change.key.namespace(), &source.name))
        });
        self.lock().set(&change.key, source.into_iter().collect());
    }

    /// Wakes the charts of a source that has something else for them now, or that may let them in now.
    pub(crate) fn wake<O: Watched + Source>(&self, kind: ChartSourceKind, change: &Change<O>) {
        let Some(after) = &change.after else { return };
        let digest = artifact_digest(&**after);
        let is_news = match &change.before {
            // At the start the charts look for themselves.
            None => change.cause != Cause::List,
            Some(before) => {
                let generation = |object: &O| object.meta().generation;
                let is_new = digest.is_some() && digest != artifact_digest(&**before);
                is_new || generation(before) != generation(after)
            }
        };
        if is_news {
            for chart in self.lock().to(&(kind, change.key.clone())) {
                self.charts.enqueue(chart, Priority::High);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, References<(ChartSourceKind, Key)>> {
        self.references.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Attempt: everything that a run works with once its prerequisites are met. It does not change while the run goes on.

use std::sync::Arc;

use ::release::{Cluster, Storage};
use api::helm::{HelmRelease, PostRenderStrategy, WaitStrategyName};
use api::meta::keys;
use artifact::Algorithm;
use cel::HealthChecks;
use chart::{Chart, Stream, Table};
use runtime::Recorder;
use tokio_util::sync::CancellationToken;

use super::names::{name, namespace, release_name, release_namespace, shortened};
use super::texts::Attempted;

/// What is to be released, and where.
pub struct Attempt {
    /// The object.
    pub release: Arc<HelmRelease>,
    /// The chart, with its version as it is recorded.
    pub chart: Chart,
    /// The values.
    pub values: Table,
    /// Digest of the values.
    pub config_digest: String,
    /// Digest of the chart, if it came from OCI; else empty.
    pub oci_digest: String,
    /// Where it is released.
    pub cluster: Cluster,
    /// Where its records are.
    pub storage: Storage,
    /// The parsed `healthCheckExprs`.
    pub checks: Arc<HealthChecks>,
    /// Ends waits when the process has no more time.
    pub cancel: CancellationToken,
    /// Ends the wait for objects when there is something new to look at.
    pub interrupt: CancellationToken,
    /// The algorithm of digests.
    pub algorithm: Algorithm,
    /// Gate `UseHelm3Defaults`.
    pub helm_3: bool,
    /// Gate `AllowDNSLookups`.
    pub dns: bool,
    /// Gate `DefaultToRetryOnFailure`.
    pub retry_by_default: bool,
    /// `--override-manager`.
    pub override_managers: Vec<String>,
    /// Where events go.
    pub events: Recorder,
}

impl Attempt {
    /// Name of the release, as Helm has it.
    pub fn name(&self) -> String {
        shortened(&release_name(&self.release))
    }

    /// Namespace of the release.
    pub fn namespace(&self) -> &str {
        release_namespace(&self.release)
    }

    /// Says of a release that failed before it was recorded what it was to be.
    pub fn named<T>(&self, say: impl FnOnce(Attempted<'_>) -> T) -> T {
        say(Attempted {
            namespace: self.namespace(),
            name: &release_name(&self.release),
            chart: self.chart.name(),
            version: &self.chart.metadata.version,
        })
    }

    /// How readiness is awaited, unless an action does not wait.
    pub fn wait_strategy(&self) -> WaitStrategyName {
        match &self.release.spec.wait_strategy {
            Some(strategy) => strategy.name,
            None if self.helm_3 => WaitStrategyName::Legacy,
            None => WaitStrategyName::Poller,
        }
    }

    /// Which documents go through post-renderers.
    pub fn stream(&self) -> Stream {
        match self.release.spec.post_render_strategy {
            Some(PostRenderStrategy::NoHooks) => Stream::NoHooks,
            Some(PostRenderStrategy::Separate) => Stream::Separate,
            Some(PostRenderStrategy::Combined) => Stream::Combined,
            None if self.helm_3 => Stream::NoHooks,
            None => Stream::Combined,
        }
    }

    /// The labels by which every object tells whose it is.
    pub fn origin(&self) -> std::collections::BTreeMap<String, String> {
        let pairs =
            [(keys::helm::NAME, name(&self.release)), (keys::helm::NAMESPACE, namespace(&self.release))];
        pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }
}

//! What the kinds that publish artifacts have in common.

use std::time::Duration;

use serde::Serialize;

use super::{
    Bucket, BucketStatus, GitRepository, GitRepositoryStatus, HelmChart, HelmChartStatus, HelmRepository,
    HelmRepositoryStatus, OCIRepository, OCIRepositoryStatus,
};
use crate::{condition::Conditions, meta::Artifact, object::Reconciled};

/// An object that publishes an artifact.
pub trait Source: Reconciled {
    /// Its status.
    type Status: SourceStatus;

    /// `status`.
    fn status(&self) -> Option<&Self::Status>;

    /// How often upstream is asked for changes.
    fn interval(&self) -> Duration;
}

/// The status of an object that publishes an artifact.
pub trait SourceStatus: Clone + Default + PartialEq + Serialize + Send + Sync + 'static {
    /// `conditions`.
    fn conditions(&self) -> &Conditions;

    /// `conditions`, to be changed.
    fn conditions_mut(&mut self) -> &mut Conditions;

    /// `artifact`.
    fn artifact(&self) -> Option<&Artifact>;

    /// `artifact`, to be changed.
    fn artifact_mut(&mut self) -> &mut Option<Artifact>;

    /// `url`, the lasting address of the current artifact, to be changed; `None` for the kind that has none.
    fn url_mut(&mut self) -> Option<&mut Option<String>>;

    /// `observedGeneration`, to be changed.
    fn observed_generation_mut(&mut self) -> &mut i64;

    /// Sets `lastHandledReconcileAt`.
    fn set_last_handled_reconcile_at(&mut self, value: &str);
}

macro_rules! source {
    ($kind:ty, $status:ty, $object:ident => $interval:expr, $slot:ident => $url:expr) => {
        impl Source for $kind {
            type Status = $status;

            fn status(&self) -> Option<&$status> {
                self.status.as_ref()
            }

            fn interval(&self) -> Duration {
                let $object = self;
                $interval
            }
        }

        impl SourceStatus for $status {
            fn conditions(&self) -> &Conditions {
                &self.conditions
            }

            fn conditions_mut(&mut self) -> &mut Conditions {
                &mut self.conditions
            }

            fn artifact(&self) -> Option<&Artifact> {
                self.artifact.as_ref()
            }

            fn artifact_mut(&mut self) -> &mut Option<Artifact> {
                &mut self.artifact
            }

            fn url_mut(&mut self) -> Option<&mut Option<String>> {
                let $slot = self;
                $url
            }

            fn observed_generation_mut(&mut self) -> &mut i64 {
                &mut self.observed_generation
            }

            fn set_last_handled_reconcile_at(&mut self, value: &str) {
                self.last_handled_reconcile_at = Some(value.to_owned());
            }
        }
    };
}

source!(
    GitRepository,
    GitRepositoryStatus,
    object => object.spec.interval.to_std(),
    _status => None
);
source!(
    OCIRepository,
    OCIRepositoryStatus,
    object => object.spec.interval.to_std(),
    status => Some(&mut status.url)
);
source!(
    Bucket,
    BucketStatus,
    object => object.spec.interval.to_std(),
    status => Some(&mut status.url)
);
source!(
    HelmRepository,
    HelmRepositoryStatus,
    object => object.spec.interval(),
    status => Some(&mut status.url)
);
source!(
    HelmChart,
    HelmChartStatus,
    object => object.spec.interval.to_std(),
    status => Some(&mut status.url)
);

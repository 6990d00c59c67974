//! What a chart is made from.

use std::sync::Arc;

use api::condition::Reason;
use api::meta::Artifact;
use api::source::{Bucket, ChartSourceKind, HelmRepository, HelmRepositoryType, Source as _};
use kube::ResourceExt as _;
use runtime::Key;
use runtime::client::{get, object_path};

use super::attempt::Making;
use crate::source::{Class, Failure, blocking};
use crate::storage::Condition;

/// What a chart is made from.
pub(super) enum Source {
    /// A repository of charts over HTTP, and its index.
    Index(Arc<HelmRepository>, Artifact),
    /// A repository of charts in a registry.
    Registry(Arc<HelmRepository>),
    /// Files.
    Files(Artifact),
}

impl Source {
    /// Its artifact in storage.
    pub(super) fn artifact(&self) -> Option<&Artifact> {
        match self {
            Self::Index(_, artifact) | Self::Files(artifact) => Some(artifact),
            Self::Registry(_) => None,
        }
    }
}

impl Making<'_, '_> {
    /// The source, as far as it can be used.
    pub(super) async fn source(&mut self) -> Result<Source, Failure> {
        let reference = &self.attempt.object.spec.source_ref;
        let key = Key::new(&self.attempt.object.namespace().unwrap_or_default(), &reference.name);
        let absent = |kind: &str| {
            Failure::fetch(
                Reason::SourceUnavailable,
                format!(
                    "failed to get source: {kind}.source.toolkit.fluxcd.io \"{}\" not found",
                    reference.name
                ),
            )
        };
        // Who makes the artifact, and whether its appearance wakes the chart.
        let (kind, artifact, repository, is_watched) = match reference.kind {
            ChartSourceKind::HelmRepository => {
                self.charts.repositories.listed().await;
                let object = self.charts.repositories.get(&key).ok_or_else(|| absent("HelmRepository"))?;
                if object.spec.kind() == HelmRepositoryType::Oci {
                    return Ok(Source::Registry(object));
                }
                let artifact = object.status.as_ref().and_then(|status| status.artifact.clone());
                ("HelmRepository", artifact, Some(object), true)
            }
            ChartSourceKind::GitRepository => {
                self.charts.git.listed().await;
                let object = self.charts.git.get(&key).ok_or_else(|| absent("GitRepository"))?;
                let artifact = object.status().and_then(|status| status.artifact.clone());
                ("GitRepository", artifact, None, true)
            }
            ChartSourceKind::Bucket => {
                let object: Option<Bucket> =
                    get(&self.charts.client, &object_path::<Bucket>(&key)).await.map_err(|error| {
                        let message = format!("failed to get source: {error}");
                        Failure::fetch(Reason::SourceUnavailable, message)
                    })?;
                let object = object.ok_or_else(|| absent("Bucket"))?;
                ("Bucket", object.status.and_then(|status| status.artifact), None, false)
            }
        };
        if let Some(artifact) = artifact
            && self.is_stored(&artifact).await?
        {
            return Ok(match repository {
                Some(object) => Source::Index(object, artifact),
                None => Source::Files(artifact),
            });
        }
        let message = format!("no artifact available for {kind} source '{}'", reference.name);
        let class = if is_watched { Class::Await } else { Class::Wait };
        Err(Failure { class, ..Failure::fetch(Reason::NoSourceArtifact, message) })
    }

    /// Whether the storage has an artifact as it was published.
    async fn is_stored(&self, artifact: &Artifact) -> Result<bool, Failure> {
        let (storage, artifact) = (self.attempt.storage.clone(), artifact.clone());
        let found = blocking(move || storage.inspect(&artifact)).await?;
        Ok(matches!(found, Ok(Condition::Intact)))
    }
}

//! References to objects of any Flux kind.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Objects that an Alert listens to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventSource {
    /// API version of the objects. Accepted and not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind of the objects.
    pub kind: ObjectKind,
    /// Name of the object; `*` stands for all names.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Namespace of the objects, by default that of the referring object. Has no wildcard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub namespace: Option<String>,
    /// Labels that the objects have to carry.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
}

/// Kinds that events come from and that webhooks reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ObjectKind {
    /// Bucket.
    Bucket,
    /// GitRepository.
    GitRepository,
    /// Kustomization.
    Kustomization,
    /// HelmRelease.
    HelmRelease,
    /// HelmChart.
    HelmChart,
    /// HelmRepository.
    HelmRepository,
    /// ImageRepository.
    ImageRepository,
    /// ImagePolicy.
    ImagePolicy,
    /// ImageUpdateAutomation.
    ImageUpdateAutomation,
    /// OCIRepository.
    OCIRepository,
    /// ArtifactGenerator.
    ArtifactGenerator,
    /// ExternalArtifact.
    ExternalArtifact,
}

impl ObjectKind {
    /// The kind as it stands in `kind:`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bucket => "Bucket",
            Self::GitRepository => "GitRepository",
            Self::Kustomization => "Kustomization",
            Self::HelmRelease => "HelmRelease",
            Self::HelmChart => "HelmChart",
            Self::HelmRepository => "HelmRepository",
            Self::ImageRepository => "ImageRepository",
            Self::ImagePolicy => "ImagePolicy",
            Self::ImageUpdateAutomation => "ImageUpdateAutomation",
            Self::OCIRepository => "OCIRepository",
            Self::ArtifactGenerator => "ArtifactGenerator",
            Self::ExternalArtifact => "ExternalArtifact",
        }
    }
}

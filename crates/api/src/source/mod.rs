//! `source.toolkit.fluxcd.io/v1`: where content comes from.

mod bucket;
mod external_artifact;
mod git_repository;
mod helm_chart;
mod helm_repository;
mod oci_repository;
mod status;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

pub use bucket::{Bucket, BucketSpec, BucketStatus, BucketSts, StsProvider};
pub use external_artifact::{ExternalArtifact, ExternalArtifactSpec, ExternalArtifactStatus};
pub use git_repository::{
    GitInclude, GitProvider, GitReference, GitRepository, GitRepositorySpec, GitRepositoryStatus,
    GitVerification, GitVerificationMode,
};

pub use helm_chart::{
    ChartSourceKind, ChartSourceReference, ChartVerification, HelmChart, HelmChartSpec, HelmChartStatus,
    ReconcileStrategy,
};
pub use helm_repository::{
    AccessFrom, HelmRepository, HelmRepositorySpec, HelmRepositoryStatus, HelmRepositoryType,
    NamespaceSelector,
};
pub use oci_repository::{
    OCIRepository, OCIRepositorySpec, OCIRepositoryStatus, OciLayerOperation, OciLayerSelector, OciReference,
    OciVerification,
};
pub use status::{Source, SourceStatus};

/// The group.
pub const GROUP: &str = "source.toolkit.fluxcd.io";
/// The group and version.
pub const API_VERSION: &str = "source.toolkit.fluxcd.io/v1";
/// Timeout of operations of a source that says none: 60 s.
pub const DEFAULT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// Kinds that have an artifact for a Kustomization.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum ArtifactKind {
    /// An OCI repository.
    OCIRepository,
    /// A Git repository.
    #[default]
    GitRepository,
    /// A bucket of an object store.
    Bucket,
    /// An artifact that a third-party controller makes.
    ExternalArtifact,
}

impl ArtifactKind {
    /// The kind as it stands in `kind:`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OCIRepository => "OCIRepository",
            Self::GitRepository => "GitRepository",
            Self::Bucket => "Bucket",
            Self::ExternalArtifact => "ExternalArtifact",
        }
    }
}

impl std::fmt::Display for ArtifactKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A platform whose workload identity gives credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CloudProvider {
    /// None: credentials come from a Secret, or there are none.
    #[default]
    Generic,
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure.
    Azure,
    /// Google Cloud.
    Gcp,
}

/// Schema of the provider of a Bucket, which lists the same values in another order.
fn bucket_provider(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["generic", "aws", "gcp", "azure"]})
}

/// The tool that made signatures of an OCI artifact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VerificationProvider {
    /// Sigstore's cosign.
    #[default]
    Cosign,
    /// Notary's notation.
    Notation,
}

/// Identity of a keyless signature.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OidcIdentity {
    /// Regular expression for the issuer.
    pub issuer: String,
    /// Regular expression for the subject.
    pub subject: String,
}

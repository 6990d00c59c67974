//! `source.toolkit.fluxcd.io/v1`: where content comes from.

mod git_repository;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use git_repository::{
    GitInclude, GitProvider, GitReference, GitRepository, GitRepositorySpec, GitRepositoryStatus,
    GitVerification, GitVerificationMode,
};

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

//! The vocabulary of condition and event reasons.

use std::fmt;

/// Why a condition has its status, or an event was sent. One list for all controllers; the words are part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    // Shared by all controllers.
    /// The run succeeded.
    Succeeded,
    /// The run failed.
    Failed,
    /// Work is going on.
    Progressing,
    /// The last attempt failed and another follows.
    ProgressingWithRetry,
    /// The object rests.
    Suspended,
    /// The time until which the object rested has passed.
    SuspendExpired,
    /// The object no longer rests.
    Resumed,
    /// The suspend annotation has a value that is neither true nor a time.
    InvalidSuspendAnnotation,
    /// An object that this one depends on is not ready.
    DependencyNotReady,
    /// A path does not exist or leads outside.
    InvalidPath,
    /// A URL cannot be used.
    InvalidUrl,
    /// Plain HTTP is not allowed here.
    InsecureConnectionsDisallowed,
    /// The scheme of a URL is not supported.
    UnsupportedConnectionType,
    /// Deleting objects failed.
    PruneFailed,
    /// The source has no artifact, or it cannot be fetched or read.
    ArtifactFailed,
    /// The objects could not be built.
    BuildFailed,
    /// Applied objects did not become healthy.
    HealthCheckFailed,
    /// A newer run ended the health check.
    HealthCheckCanceled,
    /// The run succeeded.
    ReconciliationSucceeded,
    /// Applying the objects failed.
    ReconciliationFailed,
    /// A CEL expression does not compile or evaluate.
    InvalidCelExpression,
    /// A field needs a feature gate that is off.
    FeatureGateDisabled,
    /// A reference to another namespace, or an identity, is not allowed.
    AccessDenied,
    /// A temporary directory could not be made.
    DirCreationFailed,
    /// Objects depend on each other in a circle.
    DependencyCycle,
    // Sources.
    /// A new artifact was stored.
    NewArtifact,
    /// The stored artifact is that of the current revision.
    ArtifactUpToDate,
    /// A stored artifact does not have its digest.
    ArtifactVerificationFailed,
    /// Packing the artifact failed.
    ArchiveOperationFailed,
    /// The artifact is locked by another writer.
    AcquireLockFailed,
    /// Credentials are missing, malformed or refused.
    AuthenticationFailed,
    /// Listing or reading a bucket failed.
    BucketOperationFailed,
    /// Listing and reading a bucket succeeded.
    BucketOperationSucceeded,
    /// A cache could not be used.
    CacheOperationFailed,
    /// Packaging a chart failed.
    ChartPackageError,
    /// A chart was packaged.
    ChartPackageSucceeded,
    /// Pulling a chart failed.
    ChartPullError,
    /// A chart was pulled.
    ChartPullSucceeded,
    /// Verifying a chart failed.
    ChartVerificationError,
    /// Copying a file failed.
    CopyFailure,
    /// Building the dependencies of a chart failed.
    DependencyBuildError,
    /// A directory could not be made.
    DirectoryCreationFailed,
    /// The repository has no commit.
    EmptyGitRepository,
    /// Deleting old artifacts failed.
    GarbageCollectionFailed,
    /// Old artifacts were deleted.
    GarbageCollectionSucceeded,
    /// A Git operation failed.
    GitOperationFailed,
    /// A Git operation succeeded.
    GitOperationSucceeded,
    /// A path leads outside of its root.
    IllegalPath,
    /// An included artifact changed.
    IncludeChange,
    /// Reading a chart index failed.
    IndexationFailed,
    /// A chart reference is malformed.
    InvalidChartReference,
    /// The signature of a commit does not verify.
    InvalidCommitSignature,
    /// A Git object is malformed.
    InvalidGitObject,
    /// The fields of a cloud provider contradict each other.
    InvalidProviderConfiguration,
    /// The STS fields contradict the provider.
    InvalidStsConfiguration,
    /// The signature of a tag does not verify.
    InvalidTagSignature,
    /// The verification mode needs a reference that is not set.
    InvalidVerificationMode,
    /// A new chart was built.
    NewChart,
    /// Upstream has a new revision.
    NewRevision,
    /// The object has no artifact.
    NoArtifact,
    /// The source has no artifact yet.
    NoSourceArtifact,
    /// An object that is needed does not exist.
    NotFound,
    /// Resolving an OCI artifact failed.
    OciArtifactFailed,
    /// Reading a layer of an OCI artifact failed.
    OciArtifactLayerOperationFailed,
    /// Pulling an OCI artifact failed.
    OciArtifactPullFailed,
    /// Writing the status failed.
    PatchOperationFailed,
    /// Reading a file failed.
    ReadOperationFailed,
    /// The dependencies of a chart were resolved.
    ResolvedDependencies,
    /// The ignore rules cannot be read.
    SourceIgnoreError,
    /// The source cannot be read.
    SourceUnavailable,
    /// A file or directory does not exist or cannot be examined.
    StatOperationFailed,
    /// The link of the status URL could not be updated.
    SymlinkUpdateFailed,
    /// The version of a chart cannot carry metadata.
    MetadataPatchError,
    /// A chart could not be made for a reason that has no word of its own.
    Unknown,
    /// The kind of source is not supported.
    UnsupportedSourceKind,
    /// A URL cannot be used.
    UrlInvalid,
    /// Merging values files of a chart failed.
    ValuesFilesError,
    /// Verifying a signature failed.
    VerificationError,
    /// A file operation in the storage failed.
    StorageOperationFailed,
    // HelmRelease.
    /// The tests of the release have not run yet.
    AwaitingTests,
    /// The version of the chart could not be adjusted.
    ChartMutateError,
    /// Helm could not be configured.
    ConfigFactoryErr,
    /// Drift was corrected.
    DriftCorrected,
    /// Correcting drift failed.
    DriftCorrectionFailed,
    /// The cluster differs from the release.
    DriftDetected,
    /// Helm could not be set up.
    FactoryError,
    /// Another manager owns a field.
    FieldManagerConflict,
    /// The last release could not be read.
    GetLastReleaseFailed,
    /// The HelmChart was updated.
    HelmChartConfigured,
    /// The HelmChart was created.
    HelmChartCreated,
    /// The HelmChart was deleted.
    HelmChartDeleted,
    /// Writing the HelmChart failed.
    HelmChartSyncErr,
    /// The run could not begin.
    InitFailed,
    /// The installation failed.
    InstallFailed,
    /// The release was installed.
    InstallSucceeded,
    /// The inventory of the release could not be made.
    InventoryBuildFailed,
    /// There is no earlier release to return to.
    MissingRollbackTarget,
    /// The scope of an object could not be told.
    NamespaceCheckSkipped,
    /// The cluster equals the release.
    NoDriftDetected,
    /// An earlier run left the release in the middle of an action.
    PendingRelease,
    /// The run failed.
    ReconcileError,
    /// The client for the applied objects could not be made.
    ResourceManagerError,
    /// The client for the target cluster could not be made.
    RestClientError,
    /// All retries were used up.
    RetriesExceeded,
    /// The rollback failed.
    RollbackFailed,
    /// The release was rolled back.
    RollbackSucceeded,
    /// The source of the chart is not ready.
    SourceNotReady,
    /// The state of the release could not be told.
    StateError,
    /// A test of the release failed.
    TestFailed,
    /// The tests of the release passed.
    TestSucceeded,
    /// The release could not be uninstalled.
    UninstallFailed,
    /// The release was uninstalled.
    UninstallSucceeded,
    /// The upgrade failed.
    UpgradeFailed,
    /// The release was upgraded.
    UpgradeSucceeded,
    /// The values could not be composed.
    ValuesError,
    // Notifications.
    /// The object was set up.
    Initialized,
    /// An Alert has a malformed expression or label.
    InvalidConfig,
    /// Event metadata conflicts.
    MetadataAppendFailed,
    /// The object was brought to its current form.
    Migration,
    /// An event could not be delivered.
    NotificationDispatchFailed,
    /// The object of an event cannot be read.
    SourceFetchFailed,
    /// The Secret with the token is missing or malformed.
    TokenNotFound,
    /// Fields contradict each other.
    ValidationFailed,
}

impl Reason {
    /// The word as it stands in conditions and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Progressing => "Progressing",
            Self::ProgressingWithRetry => "ProgressingWithRetry",
            Self::Suspended => "Suspended",
            Self::SuspendExpired => "SuspendExpired",
            Self::Resumed => "Resumed",
            Self::InvalidSuspendAnnotation => "InvalidSuspendAnnotation",
            Self::DependencyNotReady => "DependencyNotReady",
            Self::InvalidPath => "InvalidPath",
            Self::InvalidUrl => "InvalidURL",
            Self::InsecureConnectionsDisallowed => "InsecureConnectionsDisallowed",
            Self::UnsupportedConnectionType => "UnsupportedConnectionType",
            Self::PruneFailed => "PruneFailed",
            Self::ArtifactFailed => "ArtifactFailed",
            Self::BuildFailed => "BuildFailed",
            Self::HealthCheckFailed => "HealthCheckFailed",
            Self::HealthCheckCanceled => "HealthCheckCanceled",
            Self::ReconciliationSucceeded => "ReconciliationSucceeded",
            Self::ReconciliationFailed => "ReconciliationFailed",
            Self::InvalidCelExpression => "InvalidCELExpression",
            Self::FeatureGateDisabled => "FeatureGateDisabled",
            Self::AccessDenied => "AccessDenied",
            Self::DirCreationFailed => "DirCreationFailed",
            Self::DependencyCycle => "DependencyCycle",
            Self::NewArtifact => "NewArtifact",
            Self::ArtifactUpToDate => "ArtifactUpToDate",
            Self::ArtifactVerificationFailed => "ArtifactVerificationFailed",
            Self::ArchiveOperationFailed => "ArchiveOperationFailed",
            Self::AcquireLockFailed => "AcquireLockFailed",
            Self::AuthenticationFailed => "AuthenticationFailed",
            Self::BucketOperationFailed => "BucketOperationFailed",
            Self::BucketOperationSucceeded => "BucketOperationSucceeded",
            Self::CacheOperationFailed => "CacheOperationFailed",
            Self::ChartPackageError => "ChartPackageError",
            Self::ChartPackageSucceeded => "ChartPackageSucceeded",
            Self::ChartPullError => "ChartPullError",
            Self::ChartPullSucceeded => "ChartPullSucceeded",
            Self::ChartVerificationError => "ChartVerificationError",
            Self::CopyFailure => "CopyFailure",
            Self::DependencyBuildError => "DependencyBuildError",
            Self::DirectoryCreationFailed => "DirectoryCreationFailed",
            Self::EmptyGitRepository => "EmptyGitRepository",
            Self::GarbageCollectionFailed => "GarbageCollectionFailed",
            Self::GarbageCollectionSucceeded => "GarbageCollectionSucceeded",
            Self::GitOperationFailed => "GitOperationFailed",
            Self::GitOperationSucceeded => "GitOperationSucceeded",
            Self::IllegalPath => "IllegalPath",
            Self::IncludeChange => "IncludeChange",
            Self::IndexationFailed => "IndexationFailed",
            Self::InvalidChartReference => "InvalidChartReference",
            Self::InvalidCommitSignature => "InvalidCommitSignature",
            Self::InvalidGitObject => "InvalidGitObject",
            Self::InvalidProviderConfiguration => "InvalidProviderConfiguration",
            Self::InvalidStsConfiguration => "InvalidSTSConfiguration",
            Self::InvalidTagSignature => "InvalidTagSignature",
            Self::InvalidVerificationMode => "InvalidVerificationMode",
            Self::NewChart => "NewChart",
            Self::NewRevision => "NewRevision",
            Self::NoArtifact => "NoArtifact",
            Self::NoSourceArtifact => "NoSourceArtifact",
            Self::NotFound => "NotFound",
            Self::OciArtifactFailed => "OCIArtifactFailed",
            Self::OciArtifactLayerOperationFailed => "OCIArtifactLayerOperationFailed",
            Self::OciArtifactPullFailed => "OCIArtifactPullFailed",
            Self::PatchOperationFailed => "PatchOperationFailed",
            Self::ReadOperationFailed => "ReadOperationFailed",
            Self::ResolvedDependencies => "ResolvedDependencies",
            Self::SourceIgnoreError => "SourceIgnoreError",
            Self::SourceUnavailable => "SourceUnavailable",
            Self::StatOperationFailed => "StatOperationFailed",
            Self::SymlinkUpdateFailed => "SymlinkUpdateFailed",
            Self::MetadataPatchError => "MetadataPatchError",
            Self::Unknown => "Unknown",
            Self::UnsupportedSourceKind => "UnsupportedSourceKind",
            Self::UrlInvalid => "URLInvalid",
            Self::ValuesFilesError => "ValuesFilesError",
            Self::VerificationError => "VerificationError",
            Self::StorageOperationFailed => "StorageOperationFailed",
            Self::AwaitingTests => "AwaitingTests",
            Self::ChartMutateError => "ChartMutateError",
            Self::ConfigFactoryErr => "ConfigFactoryErr",
            Self::DriftCorrected => "DriftCorrected",
            Self::DriftCorrectionFailed => "DriftCorrectionFailed",
            Self::DriftDetected => "DriftDetected",
            Self::FactoryError => "FactoryError",
            Self::FieldManagerConflict => "FieldManagerConflict",
            Self::GetLastReleaseFailed => "GetLastReleaseFailed",
            Self::HelmChartConfigured => "HelmChartConfigured",
            Self::HelmChartCreated => "HelmChartCreated",
            Self::HelmChartDeleted => "HelmChartDeleted",
            Self::HelmChartSyncErr => "HelmChartSyncErr",
            Self::InitFailed => "InitFailed",
            Self::InstallFailed => "InstallFailed",
            Self::InstallSucceeded => "InstallSucceeded",
            Self::InventoryBuildFailed => "InventoryBuildFailed",
            Self::MissingRollbackTarget => "MissingRollbackTarget",
            Self::NamespaceCheckSkipped => "NamespaceCheckSkipped",
            Self::NoDriftDetected => "NoDriftDetected",
            Self::PendingRelease => "PendingRelease",
            Self::ReconcileError => "ReconcileError",
            Self::ResourceManagerError => "ResourceManagerError",
            Self::RestClientError => "RESTClientError",
            Self::RetriesExceeded => "RetriesExceeded",
            Self::RollbackFailed => "RollbackFailed",
            Self::RollbackSucceeded => "RollbackSucceeded",
            Self::SourceNotReady => "SourceNotReady",
            Self::StateError => "StateError",
            Self::TestFailed => "TestFailed",
            Self::TestSucceeded => "TestSucceeded",
            Self::UninstallFailed => "UninstallFailed",
            Self::UninstallSucceeded => "UninstallSucceeded",
            Self::UpgradeFailed => "UpgradeFailed",
            Self::UpgradeSucceeded => "UpgradeSucceeded",
            Self::ValuesError => "ValuesError",
            Self::Initialized => "Initialized",
            Self::InvalidConfig => "InvalidConfig",
            Self::MetadataAppendFailed => "MetadataAppendFailed",
            Self::Migration => "Migration",
            Self::NotificationDispatchFailed => "NotificationDispatchFailed",
            Self::SourceFetchFailed => "SourceFetchFailed",
            Self::TokenNotFound => "TokenNotFound",
            Self::ValidationFailed => "ValidationFailed",
        }
    }

    /// Every reason, for documentation and tests.
    pub const ALL: &'static [Self] = &[
        Self::Succeeded,
        Self::Failed,
        Self::Progressing,
        Self::ProgressingWithRetry,
        Self::Suspended,
        Self::SuspendExpired,
        Self::Resumed,
        Self::InvalidSuspendAnnotation,
        Self::DependencyNotReady,
        Self::InvalidPath,
        Self::InvalidUrl,
        Self::InsecureConnectionsDisallowed,
        Self::UnsupportedConnectionType,
        Self::PruneFailed,
        Self::ArtifactFailed,
        Self::BuildFailed,
        Self::HealthCheckFailed,
        Self::HealthCheckCanceled,
        Self::ReconciliationSucceeded,
        Self::ReconciliationFailed,
        Self::InvalidCelExpression,
        Self::FeatureGateDisabled,
        Self::AccessDenied,
        Self::DirCreationFailed,
        Self::DependencyCycle,
        Self::NewArtifact,
        Self::ArtifactUpToDate,
        Self::ArtifactVerificationFailed,
        Self::ArchiveOperationFailed,
        Self::AcquireLockFailed,
        Self::AuthenticationFailed,
        Self::BucketOperationFailed,
        Self::BucketOperationSucceeded,
        Self::CacheOperationFailed,
        Self::ChartPackageError,
        Self::ChartPackageSucceeded,
        Self::ChartPullError,
        Self::ChartPullSucceeded,
        Self::ChartVerificationError,
        Self::CopyFailure,
        Self::DependencyBuildError,
        Self::DirectoryCreationFailed,
        Self::EmptyGitRepository,
        Self::GarbageCollectionFailed,
        Self::GarbageCollectionSucceeded,
        Self::GitOperationFailed,
        Self::GitOperationSucceeded,
        Self::IllegalPath,
        Self::IncludeChange,
        Self::IndexationFailed,
        Self::InvalidChartReference,
        Self::InvalidCommitSignature,
        Self::InvalidGitObject,
        Self::InvalidProviderConfiguration,
        Self::InvalidStsConfiguration,
        Self::InvalidTagSignature,
        Self::InvalidVerificationMode,
        Self::NewChart,
        Self::NewRevision,
        Self::NoArtifact,
        Self::NoSourceArtifact,
        Self::NotFound,
        Self::OciArtifactFailed,
        Self::OciArtifactLayerOperationFailed,
        Self::OciArtifactPullFailed,
        Self::PatchOperationFailed,
        Self::ReadOperationFailed,
        Self::ResolvedDependencies,
        Self::SourceIgnoreError,
        Self::SourceUnavailable,
        Self::StatOperationFailed,
        Self::SymlinkUpdateFailed,
        Self::MetadataPatchError,
        Self::Unknown,
        Self::UnsupportedSourceKind,
        Self::UrlInvalid,
        Self::ValuesFilesError,
        Self::VerificationError,
        Self::StorageOperationFailed,
        Self::AwaitingTests,
        Self::ChartMutateError,
        Self::ConfigFactoryErr,
        Self::DriftCorrected,
        Self::DriftCorrectionFailed,
        Self::DriftDetected,
        Self::FactoryError,
        Self::FieldManagerConflict,
        Self::GetLastReleaseFailed,
        Self::HelmChartConfigured,
        Self::HelmChartCreated,
        Self::HelmChartDeleted,
        Self::HelmChartSyncErr,
        Self::InitFailed,
        Self::InstallFailed,
        Self::InstallSucceeded,
        Self::InventoryBuildFailed,
        Self::MissingRollbackTarget,
        Self::NamespaceCheckSkipped,
        Self::NoDriftDetected,
        Self::PendingRelease,
        Self::ReconcileError,
        Self::ResourceManagerError,
        Self::RestClientError,
        Self::RetriesExceeded,
        Self::RollbackFailed,
        Self::RollbackSucceeded,
        Self::SourceNotReady,
        Self::StateError,
        Self::TestFailed,
        Self::TestSucceeded,
        Self::UninstallFailed,
        Self::UninstallSucceeded,
        Self::UpgradeFailed,
        Self::UpgradeSucceeded,
        Self::ValuesError,
        Self::Initialized,
        Self::InvalidConfig,
        Self::MetadataAppendFailed,
        Self::Migration,
        Self::NotificationDispatchFailed,
        Self::SourceFetchFailed,
        Self::TokenNotFound,
        Self::ValidationFailed,
    ];
}

impl AsRef<str> for Reason {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn words_are_distinct_and_fit_the_schema() {
        let words: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
        assert!(words.iter().all(|word| word.bytes().all(|b| b.is_ascii_alphabetic())));
    }
}

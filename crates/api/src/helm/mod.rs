//! `helm.toolkit.fluxcd.io/v2`: Helm releases.

mod action;
mod helm_release;
mod status;

pub use action::{
    ChartNameChangeStrategy, CrdPolicy, DeletionPropagation, FailureStrategy, Install, InstallRemediation,
    InstallStrategy, RemediationStrategy, Rollback, ServerSideApply, Test, TestFilter, Uninstall, Upgrade,
    UpgradeRemediation, UpgradeStrategy,
};
pub use helm_release::{
    ChartReference, ChartReferenceKind, ChartSource, ChartTemplate, ChartTemplateMetadata, ChartTemplateSpec,
    ChartTemplateVerification, DriftDetection, DriftDetectionMode, HelmRelease, HelmReleaseSpec,
    KustomizeRenderer, PostRenderStrategy, PostRenderer, ValuesReference, ValuesReferenceKind, WaitStrategy,
    WaitStrategyName,
};
pub use status::{HelmReleaseStatus, ReleaseAction, ReleaseSnapshot, TestHookStatus};

/// The group.
pub const GROUP: &str = "helm.toolkit.fluxcd.io";
/// The group and version.
pub const API_VERSION: &str = "helm.toolkit.fluxcd.io/v2";

//! `kustomize.toolkit.fluxcd.io/v1`: what is applied from a source.

mod kustomization;
mod patch;

pub use kustomization::{
    BuildMetadata, CommonMetadata, Decryption, DecryptionProvider, DeletionPolicy, Inventory, InventoryEntry,
    Kustomization, KustomizationSpec, KustomizationStatus, PostBuild, SubstituteReference,
    SubstituteReferenceKind, SubstituteStrategy,
};
pub use patch::{CustomHealthCheck, IgnoreRule, Image, Patch, Selector};

/// The group.
pub const GROUP: &str = "kustomize.toolkit.fluxcd.io";
/// The group and version.
pub const API_VERSION: &str = "kustomize.toolkit.fluxcd.io/v1";

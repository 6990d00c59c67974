//! Annotation and label keys that users, the CLI and the controllers agree on.

/// Annotation: a changed value asks for a run now.
pub const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
/// Annotation: with the value of [`REQUESTED_AT`], forces one run (HelmRelease: upgrade even without a change).
pub const FORCE_AT: &str = "reconcile.fluxcd.io/forceAt";
/// Annotation: with the value of [`REQUESTED_AT`], resets the failure counters of a HelmRelease.
pub const RESET_AT: &str = "reconcile.fluxcd.io/resetAt";
/// Annotation: `true`, or an RFC 3339 time until which the object rests. See [`crate::suspend`].
pub const SUSPEND: &str = "reconcile.fluxcd.io/suspend";
/// Label on a Secret or ConfigMap: with [`WATCH_ENABLED`], a change runs the objects that refer to it.
pub const WATCH: &str = "reconcile.fluxcd.io/watch";
/// The value of [`WATCH`] that takes effect.
pub const WATCH_ENABLED: &str = "Enabled";
/// Prefix of annotations on any Flux object that are copied into the metadata of its events.
pub const EVENT_PREFIX: &str = "event.toolkit.fluxcd.io/";
/// Label: the conventional key to divide objects between replicas with `--watch-label-selector`.
pub const SHARD: &str = "sharding.fluxcd.io/shard";
/// Label that `flux create tenant` sets.
pub const TENANT: &str = "toolkit.fluxcd.io/tenant";
/// The value that turns off the switches `prune`, `reconcile`, `substitute`, `decrypt` and drift detection.
pub const DISABLED: &str = "disabled";
/// The value that turns on the switch `force`.
pub const ENABLED: &str = "enabled";

/// Keys of `kustomize.toolkit.fluxcd.io/…`. Unless noted, a switch is read from annotations and labels alike, and its
/// value is compared without regard to case.
pub mod kustomize {
    /// Label on applied objects: name of the owning Kustomization.
    pub const NAME: &str = "kustomize.toolkit.fluxcd.io/name";
    /// Label on applied objects: namespace of the owning Kustomization.
    pub const NAMESPACE: &str = "kustomize.toolkit.fluxcd.io/namespace";
    /// Switch: `disabled` keeps the object from ever being deleted by the controller.
    pub const PRUNE: &str = "kustomize.toolkit.fluxcd.io/prune";
    /// Switch: `disabled` leaves the object alone, though it stays in the inventory.
    pub const RECONCILE: &str = "kustomize.toolkit.fluxcd.io/reconcile";
    /// Switch: how the object is applied: `Override`, `Merge`, `IfNotPresent` or `Ignore`.
    pub const SSA: &str = "kustomize.toolkit.fluxcd.io/ssa";
    /// Switch: `enabled` recreates the object when an immutable field changes.
    pub const FORCE: &str = "kustomize.toolkit.fluxcd.io/force";
    /// Switch: `disabled` excludes the object from post-build substitution. The value is case-sensitive.
    pub const SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";
    /// Annotation: `disabled` excludes the object from decryption.
    pub const DECRYPT: &str = "kustomize.toolkit.fluxcd.io/decrypt";
    /// Annotation of old releases, removed on apply.
    pub const CHECKSUM: &str = "kustomize.toolkit.fluxcd.io/checksum";
}

/// Keys of `helm.toolkit.fluxcd.io/…`.
pub mod helm {
    /// Label on release objects: name of the owning HelmRelease.
    pub const NAME: &str = "helm.toolkit.fluxcd.io/name";
    /// Label on release objects: namespace of the owning HelmRelease.
    pub const NAMESPACE: &str = "helm.toolkit.fluxcd.io/namespace";
    /// Annotation on a release object: `disabled` excludes it from drift detection.
    pub const DRIFT_DETECTION: &str = "helm.toolkit.fluxcd.io/driftDetection";
}

/// Keys of artifact metadata that controllers read.
pub mod artifact {
    /// URL of the repository that an OCI artifact was made from.
    pub const ORIGIN_SOURCE: &str = "org.opencontainers.image.source";
    /// Git revision that an OCI artifact was made from.
    pub const ORIGIN_REVISION: &str = "org.opencontainers.image.revision";
}

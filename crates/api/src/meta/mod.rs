//! Types and names shared by all groups.

mod artifact;
mod duration;
mod history;
pub mod keys;
mod reference;
mod revision;

pub use artifact::Artifact;
pub use duration::{Duration, DurationError, go_duration};
pub use history::{History, Snapshot};
pub use reference::{
    ConfigMapReference, CrossNamespaceSourceReference, DependencyReference, KubeConfigReference,
    LocalObjectReference, NamespacedObjectKindReference, NamespacedObjectReference, SecretKeyReference,
};
pub use revision::Revision;

/// A point in time as Kubernetes writes it: RFC 3339 in UTC, whole seconds.
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
/// The clock type that every function taking a time expects.
pub use k8s_openapi::jiff::Timestamp;

/// Finalizer of every kind of the four groups.
pub const FINALIZER: &str = "finalizers.fluxcd.io";

/// `now` as it is stored in an object: fractions of a second are cut off.
pub fn stored_time(now: Timestamp) -> Time {
    Time(Timestamp::from_second(now.as_second()).unwrap_or(now))
}

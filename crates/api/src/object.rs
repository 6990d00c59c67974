//! What the kinds have in common.

use k8s_openapi::NamespaceResourceScope;
use kube::{Resource, ResourceExt};

use crate::{
    condition::Conditions,
    meta::{Timestamp, keys},
    suspend,
};

/// An object that a controller reconciles.
pub trait Reconciled: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Sized {
    /// `status.conditions`, if there is a status.
    fn conditions(&self) -> Option<&Conditions>;

    /// `status.observedGeneration`; -1 without a status.
    fn observed_generation(&self) -> i64;

    /// `status.lastHandledReconcileAt`.
    fn last_handled_reconcile_at(&self) -> Option<&str>;

    /// `spec.suspend`.
    fn suspended_by_spec(&self) -> bool;

    /// The value of the annotation that asks for a run.
    fn requested_at(&self) -> Option<&str> {
        self.annotations().get(keys::REQUESTED_AT).map(String::as_str)
    }

    /// Whether the annotation asks for a run that has not taken place.
    fn is_requested(&self) -> bool {
        self.requested_at().is_some_and(|value| Some(value) != self.last_handled_reconcile_at())
    }

    /// Whether the object rests at this time.
    fn suspend_state(&self, now: Timestamp) -> suspend::State {
        suspend::state(self.annotations(), self.suspended_by_spec(), now)
    }
}

macro_rules! reconciled {
    ($($kind:ty),* $(,)?) => {$(
        impl Reconciled for $kind {
            fn conditions(&self) -> Option<&Conditions> {
                self.status.as_ref().map(|status| &status.conditions)
            }

            fn observed_generation(&self) -> i64 {
                self.status.as_ref().map_or(-1, |status| status.observed_generation)
            }

            fn last_handled_reconcile_at(&self) -> Option<&str> {
                self.status.as_ref()?.last_handled_reconcile_at.as_deref()
            }

            fn suspended_by_spec(&self) -> bool {
                self.spec.suspend
            }
        }
    )*};
}

reconciled!(
    crate::source::GitRepository,
    crate::source::OCIRepository,
    crate::source::Bucket,
    crate::source::HelmRepository,
    crate::source::HelmChart,
    crate::kustomize::Kustomization,
    crate::helm::HelmRelease,
    crate::notification::Receiver,
);

//! Why an attempt did not succeed: what it says on the object, and when the next one is due.

use api::condition::{Attempt, Conditions, Reason, Stamp, Type};

/// What becomes of an object whose attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Tried again with back-off.
    Retry,
    /// Only a change of the object can help.
    Stall,
    /// Something else has to come first; looked at again after the dependency interval, without back-off.
    Wait,
    /// Something else has to come first, and will wake the object; the interval is a safety net.
    Await,
}

/// A failed step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The condition that reports it; `None` when the step reports elsewhere.
    pub condition: Option<Type>,
    /// Reason of condition and event.
    pub reason: Reason,
    /// Message of condition and event.
    pub message: String,
    /// What follows.
    pub class: Class,
}

impl Failure {
    /// Fetching, resolving or authenticating failed.
    pub(crate) fn fetch(reason: Reason, message: impl Into<String>) -> Self {
        Self { condition: Some(Type::FetchFailed), reason, message: message.into(), class: Class::Retry }
    }

    /// A file operation failed.
    pub(crate) fn storage(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            condition: Some(Type::StorageOperationFailed),
            reason,
            message: message.into(),
            class: Class::Retry,
        }
    }

    /// An included repository cannot be used yet.
    pub(crate) fn include(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            condition: Some(Type::IncludeUnavailable),
            reason,
            message: message.into(),
            class: Class::Wait,
        }
    }

    /// A feature that this release does not serve: nothing is published that should have been verified and was not.
    pub(crate) fn unverified() -> Self {
        let message = "spec.verify is not supported by this release: the signature cannot be verified and no new artifact is published";
        let failure = Self::plain(Reason::VerificationError, message);
        Self { condition: Some(Type::SourceVerified), ..failure }.terminal()
    }

    /// `spec.serviceAccountName` needs a feature gate that is off.
    pub(crate) fn identity_gate() -> Self {
        Self::plain(
            Reason::FeatureGateDisabled,
            "to use spec.serviceAccountName for provider authentication please enable the ObjectLevelWorkloadIdentity \
             feature gate in the controller",
        )
        .terminal()
    }

    /// Writing an artifact failed; `what` could not be done.
    pub(crate) fn writing(what: &str, error: &artifact::Error) -> Self {
        match error {
            artifact::Error::Lock(_) => Self::plain(Reason::Failed, error.to_string()),
            error => Self::storage(Reason::ArchiveOperationFailed, format!("{what}: {error}")),
        }
    }

    /// A failure without a condition of its own.
    pub(crate) fn plain(reason: Reason, message: impl Into<String>) -> Self {
        Self { condition: None, reason, message: message.into(), class: Class::Retry }
    }

    /// The same failure, but only a change of the object can help.
    pub(crate) fn terminal(self) -> Self {
        Self { class: Class::Stall, ..self }
    }

    /// Puts the failure on the object and tells what ends the attempt. `wait` is the dependency interval.
    pub(crate) fn record(
        &self,
        conditions: &mut Conditions,
        wait: std::time::Duration,
        stamp: Stamp,
    ) -> Attempt {
        match self.condition {
            // A negative answer about a signature is a statement of its own, not an abnormal state.
            Some(Type::SourceVerified) => {
                conditions.mark_false(Type::SourceVerified, self.reason, self.message.clone(), stamp);
            }
            Some(type_) => conditions.mark_true(type_, self.reason, self.message.clone(), stamp),
            None => {}
        }
        match self.class {
            Class::Retry => Attempt::Failed(self.message.clone()),
            Class::Stall => Attempt::Stalled { reason: self.reason, message: self.message.clone() },
            Class::Wait => Attempt::Waiting { after: Some(wait) },
            Class::Await => Attempt::Waiting { after: None },
        }
    }
}

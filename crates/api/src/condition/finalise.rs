//! The end of a run: what its outcome means for conditions, generation and requeue.

use std::time::Duration;

use super::{Conditions, Reason, Scope, Stamp, Status, Type};

/// When the next run of a source is due, if nothing happens before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// Not at all.
    Never,
    /// As soon as the back-off of the object allows.
    Now,
    /// After the interval of the object.
    AtInterval,
}

impl Requeue {
    /// The result of two steps together: one that wants to run again now wins, then one that is content.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Now, _) | (_, Self::Now) => Self::Now,
            (Self::AtInterval, _) | (_, Self::AtInterval) => Self::AtInterval,
            (Self::Never, Self::Never) => Self::Never,
        }
    }
}

/// How an attempt of a source ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Without error.
    Done(Requeue),
    /// With an error that only a change of the object, or of what it refers to, can cure.
    Stalled {
        /// Reason of the `Stalled` condition.
        reason: Reason,
        /// Message of the `Stalled` condition.
        message: String,
    },
    /// With a need for something that is not there yet.
    Waiting {
        /// When to look again; `None` means at the interval.
        after: Option<Duration>,
    },
    /// With an error that a retry may cure.
    Failed(String),
}

/// What the queue does after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Waits for a change.
    Rest,
    /// Runs the object again as soon as its back-off allows.
    Now,
    /// Runs the object again after its interval.
    AtInterval,
    /// Runs the object again after this time.
    After(Duration),
    /// Records the error and runs the object again as soon as its back-off allows.
    Fail(String),
}

/// Ends an attempt of a source: settles `Stalled` and `Reconciling`, summarises into `Ready`, and moves
/// `observed_generation` when the generation was handled to its end.
///
/// A false condition of a type in `bipolar` (a failed verification) overrides `Ready` whatever else failed. An attempt
/// that ends without error but leaves the object unready is turned into an error with the Ready message, so that it is
/// retried.
pub fn finish_attempt(
    conditions: &mut Conditions,
    observed_generation: &mut i64,
    scope: &Scope,
    bipolar: &[Type],
    attempt: Attempt,
    stamp: Stamp,
) -> Resolution {
    if attempt == Attempt::Done(Requeue::AtInterval) {
        conditions.delete(Type::Reconciling);
    }
    retry_reason(conditions, stamp);

    let handled = match &attempt {
        Attempt::Stalled { reason, message } => {
            conditions.mark_stalled(reason, message, stamp);
            true
        }
        Attempt::Done(Requeue::Now) | Attempt::Waiting { .. } | Attempt::Failed(_) => {
            conditions.delete(Type::Stalled);
            false
        }
        Attempt::Done(_) => {
            conditions.delete(Type::Stalled);
            true
        }
    };

    conditions.summarise(scope, stamp);
    let refuted = bipolar.iter().find(|type_| conditions.is_false(**type_)).copied();
    if let Some(condition) = refuted.and_then(|type_| conditions.get(type_)).cloned() {
        conditions.set(Type::Ready, Status::False, condition.reason, condition.message, stamp);
    }
    if handled && !conditions.is_empty() {
        *observed_generation = stamp.generation;
    }

    match attempt {
        Attempt::Done(Requeue::AtInterval) if !conditions.is_ready() && !conditions.is_stalled() => {
            Resolution::Fail(conditions.message(Type::Ready).to_owned())
        }
        Attempt::Done(Requeue::AtInterval) | Attempt::Waiting { after: None } => Resolution::AtInterval,
        Attempt::Done(Requeue::Now) => Resolution::Now,
        Attempt::Done(Requeue::Never) | Attempt::Stalled { .. } => Resolution::Rest,
        Attempt::Waiting { after: Some(after) } => Resolution::After(after),
        Attempt::Failed(error) => Resolution::Fail(error),
    }
}

/// Ends a pass of a Kustomization or Receiver, of every kind: finished, failed, suspended or deleting.
///
/// A ready object is no longer reconciling and has handled its generation; one that is not ready but was being worked on
/// is to be retried. A request by annotation counts as handled in any case.
pub fn finish_pass(
    conditions: &mut Conditions,
    observed_generation: &mut i64,
    last_handled_reconcile_at: &mut Option<String>,
    requested_at: Option<&str>,
    stamp: Stamp,
) {
    if let Some(requested_at) = requested_at {
        *last_handled_reconcile_at = Some(requested_at.to_owned());
    }
    if conditions.is_true(Type::Ready) {
        conditions.delete(Type::Reconciling);
        *observed_generation = stamp.generation;
    } else if conditions.is_false(Type::Ready) {
        retry_reason(conditions, stamp);
    }
}

/// Says of work that did not come to its end that it will be tried again; its message stays.
fn retry_reason(conditions: &mut Conditions, stamp: Stamp) {
    if let Some(condition) = conditions.get(Type::Reconciling).cloned() {
        conditions.set(
            Type::Reconciling,
            condition.status,
            Reason::ProgressingWithRetry,
            condition.message,
            stamp,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::{Drift, Moment, check};
    use k8s_openapi::jiff::Timestamp;

    const STAMP: Stamp = Stamp { generation: 3, now: Timestamp::UNIX_EPOCH };
    const BIPOLAR: &[Type] = &[Type::SourceVerified];

    struct Ended {
        conditions: Conditions,
        observed_generation: i64,
        resolution: Resolution,
    }

    /// Runs an attempt that sets the given conditions on a fresh object, and checks the result for conformance.
    fn attempt(given: &[(Type, Status, &str)], attempt: Attempt) -> Ended {
        let mut conditions = Conditions::default();
        let mut observed_generation = -1;
        conditions.mark_progress(Drift::None, "reconciliation in progress", STAMP);
        for (type_, status, message) in given {
            conditions.set(*type_, *status, Reason::GitOperationFailed, *message, STAMP);
        }
        let resolution = finish_attempt(
            &mut conditions,
            &mut observed_generation,
            &Scope::GIT_REPOSITORY,
            BIPOLAR,
            attempt,
            STAMP,
        );
        let violations =
            check(&conditions, observed_generation, 3, Some(&Scope::GIT_REPOSITORY), Moment::AtRest);
        assert_eq!(violations, [], "{conditions:#?}");
        Ended { conditions, observed_generation, resolution }
    }

    #[test]
    fn success_leaves_a_ready_object() {
        let ended = attempt(
            &[(Type::ArtifactInStorage, Status::True, "stored artifact")],
            Attempt::Done(Requeue::AtInterval),
        );
        assert!(ended.conditions.is_ready());
        assert_eq!(ended.conditions.message(Type::Ready), "stored artifact");
        assert_eq!((ended.observed_generation, ended.resolution), (3, Resolution::AtInterval));
    }

    #[test]
    fn a_transient_failure_is_retried_and_does_not_move_the_generation() {
        let ended = attempt(
            &[(Type::FetchFailed, Status::True, "connection refused")],
            Attempt::Failed("connection refused".into()),
        );
        assert!(ended.conditions.is_false(Type::Ready));
        assert_eq!(ended.conditions.message(Type::Ready), "connection refused");
        assert_eq!(ended.conditions.reason(Type::Reconciling), "ProgressingWithRetry");
        assert_eq!(ended.conditions.message(Type::Reconciling), "reconciliation in progress");
        assert_eq!(ended.observed_generation, -1);
        assert_eq!(ended.resolution, Resolution::Fail("connection refused".into()));
    }

    #[test]
    fn a_terminal_failure_stalls_and_moves_the_generation() {
        let stalled = || Attempt::Stalled { reason: Reason::UrlInvalid, message: "bad URL".into() };
        let ended = attempt(&[(Type::FetchFailed, Status::True, "bad URL")], stalled());
        assert!(ended.conditions.is_stalled() && ended.conditions.is_false(Type::Ready));
        assert!(!ended.conditions.has(Type::Reconciling));
        assert_eq!((ended.observed_generation, ended.resolution), (3, Resolution::Rest));

        let mirrored = attempt(&[], stalled());
        assert_eq!(mirrored.conditions.reason(Type::Ready), "URLInvalid");
    }

    #[test]
    fn waiting_comes_back_without_an_error() {
        let given = [(Type::IncludeUnavailable, Status::True, "no artifact available for include")];
        let after = Duration::from_secs(30);
        let ended = attempt(&given, Attempt::Waiting { after: Some(after) });
        assert_eq!((ended.observed_generation, ended.resolution), (-1, Resolution::After(after)));
        assert_eq!(ended.conditions.reason(Type::Reconciling), "ProgressingWithRetry");
        let ended = attempt(&given, Attempt::Waiting { after: None });
        assert_eq!(ended.resolution, Resolution::AtInterval);
    }

    #[test]
    fn a_requeue_does_not_move_the_generation() {
        let ended = attempt(&[], Attempt::Done(Requeue::Now));
        assert_eq!((ended.observed_generation, ended.resolution), (-1, Resolution::Now));
        assert!(ended.conditions.is_false(Type::Ready));
    }

    #[test]
    fn a_failed_verification_decides_over_other_failures() {
        let mut conditions = Conditions::default();
        conditions.mark_true(Type::FetchFailed, Reason::GitOperationFailed, "no route", STAMP);
        conditions.mark_false(Type::SourceVerified, Reason::InvalidCommitSignature, "bad signature", STAMP);
        let scope = Scope::GIT_REPOSITORY;
        let failed = Attempt::Failed("no route".into());
        finish_attempt(&mut conditions, &mut 0, &scope, BIPOLAR, failed, STAMP);
        assert_eq!(conditions.message(Type::Ready), "bad signature");
    }

    #[test]
    fn success_with_an_unready_object_is_an_error() {
        let mut conditions = Conditions::default();
        conditions.mark_true(Type::ArtifactInStorage, Reason::Succeeded, "stored", STAMP);
        conditions.mark_true(Type::ArtifactOutdated, Reason::NewRevision, "new revision", STAMP);
        let done = Attempt::Done(Requeue::AtInterval);
        let resolution =
            finish_attempt(&mut conditions, &mut 0, &Scope::GIT_REPOSITORY, BIPOLAR, done, STAMP);
        assert_eq!(resolution, Resolution::Fail("new revision".into()));
    }

    #[test]
    fn without_any_condition_the_generation_stays() {
        let (mut conditions, mut observed_generation) = (Conditions::default(), -1);
        let done = Attempt::Done(Requeue::Never);
        let scope = Scope::GIT_REPOSITORY;
        finish_attempt(&mut conditions, &mut observed_generation, &scope, BIPOLAR, done, STAMP);
        assert_eq!((observed_generation, conditions.is_empty()), (-1, true));
    }

    #[test]
    fn the_most_urgent_step_decides_the_requeue() {
        use Requeue::{AtInterval, Never, Now};
        assert_eq!(Now.and(AtInterval), Now);
        assert_eq!(Never.and(AtInterval), AtInterval);
        assert_eq!(AtInterval.and(Never).and(Now), Now);
        assert_eq!(Never.and(Never), Never);
    }

    #[test]
    fn a_pass_ends_by_its_ready_condition() {
        let mut conditions = Conditions::default();
        let (mut observed_generation, mut handled) = (-1, None);
        conditions.mark_reconciling(Reason::Progressing, "Building manifests", STAMP);
        conditions.mark_false(Type::Ready, Reason::BuildFailed, "broken", STAMP);
        finish_pass(&mut conditions, &mut observed_generation, &mut handled, Some("now"), STAMP);
        assert_eq!(conditions.reason(Type::Reconciling), "ProgressingWithRetry");
        assert_eq!(conditions.message(Type::Reconciling), "Building manifests");
        assert_eq!((observed_generation, handled.as_deref()), (-1, Some("now")));

        conditions.mark_true(Type::Ready, Reason::ReconciliationSucceeded, "Applied revision: x", STAMP);
        finish_pass(&mut conditions, &mut observed_generation, &mut handled, None, STAMP);
        assert!(conditions.is_ready() && !conditions.has(Type::Reconciling));
        assert_eq!((observed_generation, handled.as_deref()), (3, Some("now")));
    }
}

//! Ledger: the status of one object while a run works on it, and its writing. One patch an outcome; one more when an
//! action takes its time, and one before an installation, so that a crash in it leaves a trace.

use std::sync::Arc;
use std::time::Duration;

use api::condition::{Reason, Stamp, Type};
use api::helm::{HelmRelease, HelmReleaseStatus};
use api::meta::Timestamp;
use api::object::Reconciled as _;
use artifact::Algorithm;
use runtime::status::{Writer, Written};

use super::summary::summarise;
use super::texts;

/// An action that takes longer says so.
const PATIENCE: Duration = Duration::from_secs(1);

/// The condition types that this controller decides about.
const OWNED: [Type; 8] = [
    Type::Ready,
    Type::Released,
    Type::TestSuccess,
    Type::Remediated,
    Type::Drifted,
    Type::Reconciling,
    Type::Stalled,
    Type::Suspended,
];

/// Whether the generation was handled to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// It was, for better or worse.
    Fully,
    /// Something is still to be done about it.
    NotYet,
}

/// The status of an object during a run.
pub struct Ledger {
    /// The object as the run found it: what the run answers to, whatever is written meanwhile.
    pub subject: Arc<HelmRelease>,
    /// The newest version of the object.
    pub object: Arc<HelmRelease>,
    /// What its status will be.
    pub status: HelmReleaseStatus,
    algorithm: Algorithm,
    writer: Writer<HelmRelease>,
}

/// A status could not be written. The text names the request, not the status.
#[derive(Debug, thiserror::Error)]
#[error("failed to write status: {0}")]
pub struct WriteError(#[from] runtime::Error);

impl Ledger {
    /// Opens the ledger of an object.
    pub fn open(object: Arc<HelmRelease>, writer: Writer<HelmRelease>, algorithm: Algorithm) -> Self {
        let status = object
            .status
            .clone()
            .unwrap_or_else(|| HelmReleaseStatus { observed_generation: -1, ..Default::default() });
        Ledger { subject: Arc::clone(&object), object, status, algorithm, writer }
    }

    /// A stamp for changes to the conditions now.
    pub fn stamp(&self) -> Stamp {
        Stamp { generation: self.subject.metadata.generation.unwrap_or_default(), now: Timestamp::now() }
    }

    /// The run is at work.
    pub fn working(&mut self, message: &str) {
        let stamp = self.stamp();
        self.status.conditions.mark_reconciling(Reason::Progressing, message, stamp);
    }

    /// The run will be tried again.
    pub fn trying_again(&mut self, message: &str) {
        let stamp = self.stamp();
        self.status.conditions.mark_reconciling(Reason::ProgressingWithRetry, message, stamp);
    }

    /// Something stands in the way.
    pub fn not_ready(&mut self, reason: Reason, message: &str) {
        let stamp = self.stamp();
        self.status.conditions.mark_false(Type::Ready, reason, message, stamp);
    }

    /// Nobody knows yet.
    pub fn unknown(&mut self, message: &str) {
        let stamp = self.stamp();
        self.status.conditions.mark_unknown(Type::Ready, Reason::Progressing, message, stamp);
    }

    /// What stood in the way before does so no longer.
    pub fn passed(&mut self, reasons: &[Reason]) {
        let reason = self.status.conditions.reason(Type::Ready);
        if reasons.iter().any(|passed| passed.as_str() == reason) {
            self.unknown(texts::IN_PROGRESS);
        }
    }

    /// Only a change helps.
    pub fn stalled(&mut self, reason: Reason, message: &str) {
        let stamp = self.stamp();
        self.status.conditions.mark_stalled(reason, message, stamp);
    }

    /// Sets a condition of the release.
    pub fn mark(&mut self, type_: Type, holds: api::condition::Status, reason: Reason, message: &str) {
        let stamp = self.stamp();
        self.status.conditions.set(type_, holds, reason, message, stamp);
    }

    /// Summarises the conditions in Ready.
    pub fn summarise(&mut self) {
        let stamp = self.stamp();
        summarise(&self.subject, &mut self.status, self.algorithm, stamp);
    }

    /// Ends the run, however it went.
    ///
    /// # Errors
    /// What the API server answers, or that it does not.
    pub async fn close(&mut self, handled: Handled) -> Result<(), WriteError> {
        if let Some(requested_at) = self.subject.requested_at() {
            self.status.last_handled_reconcile_at = Some(requested_at.to_owned());
        }
        if handled == Handled::Fully {
            self.status.observed_generation = self.stamp().generation;
        }
        self.write().await
    }

    /// Whether the object says something else than it did before the run.
    pub fn has_news(&self) -> bool {
        let conditions = |status: &HelmReleaseStatus| {
            let all = status.conditions.0.iter();
            all.map(|c| (c.type_.clone(), c.status, c.reason.clone(), c.message.clone())).collect::<Vec<_>>()
        };
        self.subject.status.as_ref().map(conditions) != Some(conditions(&self.status))
    }

    /// Writes what changed.
    ///
    /// # Errors
    /// What the API server answers, or that it does not.
    pub async fn write(&mut self) -> Result<(), WriteError> {
        self.keep_times();
        let object = Arc::clone(&self.object);
        let before = object.status.as_ref();
        if before == Some(&self.status) {
            return Ok(());
        }
        match self.writer.status(&object, before, &self.status, &OWNED).await? {
            Written::Object(object) => {
                // Another client's conditions came back with it; the next write is compared with them.
                if let Some(status) = &object.status {
                    self.status.conditions = status.conditions.clone();
                }
                self.object = object;
                Ok(())
            }
            Written::Gone => Ok(()),
        }
    }

    /// A condition that came and went within the run, and is what it was, is as old as it was.
    fn keep_times(&mut self) {
        let Some(before) = &self.object.status else { return };
        for condition in &mut self.status.conditions.0 {
            let same = before.conditions.0.iter().find(|old| {
                old.type_ == condition.type_
                    && old.status == condition.status
                    && old.reason == condition.reason
                    && old.message == condition.message
            });
            if let Some(old) = same {
                condition.last_transition_time = old.last_transition_time.clone();
            }
        }
    }

    /// Runs an action; when it takes its time, the object says that it is at work. That cannot fail the action.
    pub async fn during<T>(&mut self, action: impl Future<Output = T>) -> T {
        tokio::pin!(action);
        tokio::select! {
            outcome = &mut action => return outcome,
            () = tokio::time::sleep(PATIENCE) => {}
        }
        let (outcome, written) = tokio::join!(&mut action, self.write());
        if let Err(error) = written {
            tracing::warn!(%error, "progress is not shown");
        }
        outcome
    }
}

//! Ledger: the status of one object while a pass works on it, and its writing. One patch an outcome; one more when the
//! outcome takes its time, or when objects are about to be created that the inventory does not hold yet.

use std::sync::Arc;
use std::time::Duration;

use api::condition::{Reason, Stamp, Type};
use api::kustomize::{Kustomization, KustomizationStatus};
use api::meta::Timestamp;
use api::object::Reconciled as _;
use object::InventoryEntry;
use runtime::status::{Writer, Written};
use tokio::time::Instant;

use super::status::{Draft, Phase, union};

/// A pass that takes longer says so.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// The condition types that this controller decides about.
pub const OWNED: [Type; 5] = [Type::Ready, Type::Healthy, Type::Reconciling, Type::Stalled, Type::Suspended];

/// The status of an object during a pass.
#[derive(Clone)]
pub struct Ledger {
    /// The object as the pass found it: what the pass answers to, whatever is written meanwhile.
    pub subject: Arc<Kustomization>,
    /// The newest version of the object.
    pub object: Arc<Kustomization>,
    /// What its status will be.
    pub draft: Draft,
    /// When the pass began.
    pub begun: Instant,
    /// Where the pass is, once it has come past the gate.
    pub phase: Option<Phase>,
    /// The revision at work.
    pub revision: String,
    writer: Writer<Kustomization>,
    told: bool,
    writes: u32,
}

/// A status could not be written. The text names the request, not the status.
#[derive(Debug, thiserror::Error)]
#[error("failed to write status: {0}")]
pub struct WriteError(#[from] runtime::Error);

impl Ledger {
    /// Opens the ledger of an object.
    pub fn open(object: Arc<Kustomization>, writer: Writer<Kustomization>) -> Self {
        let draft = Draft::new(object.status.as_ref(), stamp(&object));
        Ledger {
            subject: Arc::clone(&object),
            object,
            draft,
            begun: Instant::now(),
            phase: None,
            revision: String::new(),
            writer,
            told: false,
            writes: 0,
        }
    }

    /// Whether anything was written.
    pub fn wrote(&self) -> bool {
        self.writes > 0
    }

    /// Enters a phase; a pass that has said that it is at work says so again.
    pub async fn enter(&mut self, phase: Phase) -> Result<(), WriteError> {
        self.phase = Some(phase);
        if self.told || self.begun.elapsed() > PATIENCE { self.tell().await } else { Ok(()) }
    }

    /// Says that the pass is at work.
    pub async fn tell(&mut self) -> Result<(), WriteError> {
        self.told = true;
        if let Some(phase) = self.phase {
            self.draft.at(stamp(&self.subject));
            self.draft.progress(phase, &self.revision, self.subject.spec.timeout());
            self.write().await?;
        }
        Ok(())
    }

    /// Writes down what is about to be created, before it is. The inventory then holds more than what exists, never less.
    pub async fn intend(&mut self, entries: &[InventoryEntry]) -> Result<(), WriteError> {
        let owned = self.draft.owned();
        let all = union(&owned, entries);
        if all.len() == owned.len()
            && self.object.status.as_ref().is_some_and(|status| status.inventory.is_some())
        {
            return Ok(());
        }
        self.draft.own(&all);
        self.tell().await
    }

    /// Whether the object says that it is at work.
    pub fn has_progress(&self) -> bool {
        self.draft.status.conditions.has(Type::Reconciling)
    }

    /// Whether the object says that it is at work in this phase, on this revision.
    pub fn says(&self, phase: Phase) -> bool {
        let message = phase.message(&self.revision, self.subject.spec.timeout());
        self.object.status.as_ref().is_some_and(|status| {
            status.conditions.reason(Type::Reconciling) == Reason::Progressing.as_str()
                && status.conditions.message(Type::Reconciling) == message
        })
    }

    /// The message of the phase that the pass is in; empty before the gate.
    pub fn phase_message(&self) -> String {
        let message = |phase: Phase| phase.message(&self.revision, self.subject.spec.timeout());
        self.phase.map(message).unwrap_or_default()
    }

    /// The pass failed.
    pub fn fail(&mut self, reason: Reason, message: impl Into<String>) {
        self.draft.at(stamp(&self.subject));
        let phase = self.phase_message();
        self.draft.failed(reason, message, &phase);
    }

    /// A copy for a task that writes while the pass waits for it.
    pub fn lend(&self) -> Ledger {
        self.clone()
    }

    /// Takes in what that task wrote.
    pub fn take_back(&mut self, lent: &Ledger) {
        self.clone_from(lent);
    }

    /// Ends the pass: settles the conditions and writes what changed.
    pub async fn close(&mut self) -> Result<(), WriteError> {
        self.draft.at(stamp(&self.subject));
        self.draft.finish(self.subject.requested_at());
        self.write().await
    }

    /// Whether closing would write anything but the history.
    pub fn has_news(&self) -> bool {
        let mut draft = self.draft.clone();
        draft.finish(self.subject.requested_at());
        let plain = |status: &KustomizationStatus| KustomizationStatus {
            history: Default::default(),
            ..status.clone()
        };
        self.object.status.as_ref().map(plain) != Some(plain(&draft.status))
    }

    async fn write(&mut self) -> Result<(), WriteError> {
        let before = self.object.status.clone();
        if before.as_ref() == Some(&self.draft.status) {
            return Ok(());
        }
        self.writes += 1;
        match self.writer.status(&self.object, before.as_ref(), &self.draft.status, &OWNED).await? {
            Written::Object(object) => {
                // Another client's conditions came back with it; the next write is compared with them.
                if let Some(status) = &object.status {
                    self.draft.status.conditions = status.conditions.clone();
                }
                self.object = object;
                Ok(())
            }
            Written::Gone => Ok(()),
        }
    }
}

/// A stamp for changes to an object's conditions now.
pub fn stamp(object: &Kustomization) -> Stamp {
    Stamp { generation: object.metadata.generation.unwrap_or_default(), now: Timestamp::now() }
}

//! The health of an object: from its own fields, by its kind, the way Flux and kstatus decide it.
//!
//! [`assess`] is pure. It reads the metadata (`generation`, `deletionTimestamp`, `creationTimestamp`), `status` and for
//! some kinds a few `spec` fields, so a caller may pass an object that holds only these.

mod generic;
mod pods;
mod rules;
mod set;

pub use generic::assess;
pub use pods::{Deleting, PodCensus, with_pods};
pub use set::{Tally, tally};

use std::fmt;

use jiff::Timestamp;

/// What an object is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// On its way.
    InProgress,
    /// Will not get there without a change from outside.
    Failed,
    /// As asked.
    Current,
    /// Being deleted.
    Terminating,
    /// Not in the cluster.
    NotFound,
    /// Could not be read or computed.
    Unknown,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InProgress => "InProgress",
            Self::Failed => "Failed",
            Self::Current => "Current",
            Self::Terminating => "Terminating",
            Self::NotFound => "NotFound",
            Self::Unknown => "Unknown",
        })
    }
}

/// An object's status and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The verdict.
    pub status: Status,
    /// What holds it up, or what is true of it; empty when there is nothing to say. Holds no times.
    pub message: String,
    /// When the verdict changes by time alone (an unschedulable Pod becomes Failed).
    pub changes_at: Option<Timestamp>,
    /// A Pod that no node has room for: not the fault of its owner.
    pub unschedulable: bool,
}

impl Health {
    /// A verdict that stands until the object changes.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), changes_at: None, unschedulable: false }
    }

    pub(crate) fn current() -> Self {
        Self::new(Status::Current, "")
    }

    pub(crate) fn in_progress(message: impl Into<String>) -> Self {
        Self::new(Status::InProgress, message)
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Status::Failed, message)
    }
}

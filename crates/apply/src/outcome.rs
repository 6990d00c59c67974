use std::fmt;

use object::{InventoryEntry, ObjectRef};

use crate::error::Error;

/// What was done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// It did not exist before.
    Created,
    /// It existed and was changed.
    Configured,
    /// It was as desired.
    Unchanged,
    /// A switch said to leave it alone.
    Skipped,
    /// It was deleted, or was gone already.
    Deleted,
    /// Not known, because the answer was lost.
    Unknown,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Skipped => "skipped",
            Self::Deleted => "deleted",
            Self::Unknown => "unknown",
        })
    }
}

/// An object and what was done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The object, with the namespace that its kind's scope allows.
    pub object: ObjectRef,
    /// What was done.
    pub action: Action,
}

impl Entry {
    /// Its line in `status.inventory`.
    pub fn inventory(&self) -> InventoryEntry {
        InventoryEntry::of(&self.object)
    }

    /// Created, configured or deleted: worth an event.
    pub fn changed(&self) -> bool {
        matches!(self.action, Action::Created | Action::Configured | Action::Deleted)
    }
}

impl fmt::Display for Entry {
    /// `Kind/ns/name created`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.object, self.action)
    }
}

/// The outcome of an apply.
#[derive(Debug, Default)]
pub struct Applied {
    /// In apply order. With no error: the whole change set, which is the new inventory. With an error: what was settled
    /// before it (finished stages, and what was written of the failed one), to be added to the old inventory.
    pub entries: Vec<Entry>,
    /// Why it ended early.
    pub error: Option<Error>,
}

/// The outcome of deleting objects.
#[derive(Debug, Default)]
pub struct Pruned {
    /// Deleted and skipped objects, in the order of deletion.
    pub entries: Vec<Entry>,
    /// Objects whose deletion was not confirmed: they stay in the inventory.
    pub unsettled: Vec<InventoryEntry>,
    /// All errors in one: `delete failed, errors: …`.
    pub error: Option<Error>,
}

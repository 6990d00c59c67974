//! The actions on a release, a file each: options from the spec, and conditions, history and events from the outcome.

mod adopt;
pub mod drift;
mod install;
mod inventory;
mod options;
mod plan;
mod record;
mod report;
mod rollback;
mod test;
mod uninstall;
mod unlock;
mod upgrade;

pub use adopt::{adopt, catch_up, found};
pub use install::install;
pub use plan::{Planned, plan};
pub use rollback::rollback;
pub use test::test;
pub use uninstall::{remove, uninstall};
pub use unlock::{note_unlocked, unlock, unlocked};
pub use upgrade::upgrade;

use api::helm::ReleaseSnapshot;
use chart::Release;

use crate::helmrelease::{SnapshotError, history};

/// An action that did nothing that a remedy could undo: it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Helm's error.
    #[error("{0}")]
    Failed(#[from] Box<release::Failed>),
    /// A step before or after the action itself.
    #[error("{0}")]
    Step(String),
    /// The release of which the history knows nothing.
    #[error("no latest release: required {0}")]
    NoLatest(&'static str),
    /// There is nothing to return to.
    #[error("missing target release for rollback: required to rollback")]
    NoTarget,
    /// The action was one on another release.
    #[error("release mismatch: {0}")]
    Mismatch(String),
    /// The objects are gone, but the record says otherwise.
    #[error("uninstall completed with error: release not updated in Helm storage")]
    NoStorageUpdate,
    /// A record that cannot be written down.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// Namespace, name and revision of a record.
fn record_name(record: &Release) -> String {
    format!("{}/{}.v{}", record.namespace, record.name, record.version)
}

/// Fails when a record is not that of the release that the history knows as the last one.
fn expect_target(
    record: Option<&Release>,
    current: &ReleaseSnapshot,
    what: &str,
    known: &str,
) -> Result<(), Error> {
    match record {
        Some(record) if !history::targets(current, record) => Err(Error::Mismatch(format!(
            "{what} release {} != current release {known}{}",
            record_name(record),
            history::full_name(current)
        ))),
        _ => Ok(()),
    }
}

//! Records that an action wrote, taken into the history. A write that failed is not among them.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::helm::HelmReleaseStatus;
use chart::Release;
use release::Written;

use super::Error;
use crate::helmrelease::{Attempt, Maker, history};

/// The records that were created or updated, in order.
pub fn stored(writes: &[Written]) -> impl Iterator<Item = &Arc<Release>> {
    writes.iter().filter_map(|write| match write {
        Written::Created(record) | Written::Updated(record) => Some(record),
        Written::Deleted { .. } => None,
    })
}

/// Takes in what an installation or an upgrade wrote: the new revision comes first, and the one it superseded is brought
/// up to date.
pub fn made(
    attempt: &Attempt,
    status: &mut HelmReleaseStatus,
    writes: &[Written],
    maker: Maker,
) -> Result<(), Error> {
    let last: BTreeMap<i64, &Arc<Release>> = stored(writes).map(|record| (record.version, record)).collect();
    let mut newest_first = last.into_values().rev();
    let Some(new) = newest_first.next() else { return Ok(()) };
    let snapshot = history::snapshot(attempt.algorithm, new, Some(maker.as_str()), &attempt.oci_digest)?;
    status.history.insert(0, snapshot);
    for older in newest_first {
        if history::update(&mut status.history, attempt.algorithm, older, None)? {
            break;
        }
    }
    Ok(())
}

/// Takes in what an action on existing revisions wrote: each of them is brought up to date. A revision that is new comes
/// first, if the action makes one.
pub fn updated(
    attempt: &Attempt,
    status: &mut HelmReleaseStatus,
    writes: &[Written],
    maker: Maker,
) -> Result<(), Error> {
    for record in stored(writes) {
        let known = history::update(&mut status.history, attempt.algorithm, record, Some(maker.as_str()))?;
        if !known && maker == Maker::Rollback {
            status.history.insert(0, history::snapshot(attempt.algorithm, record, None, "")?);
        }
    }
    Ok(())
}

//! Unlock: the end of an action that was cut off. Its record says that it failed, which it did.

use api::condition::{Reason, Status, Type};
use api::helm::HelmReleaseStatus;
use artifact::Algorithm;
use chart::Release;
use release::Last;

use super::Error;
use super::report::{self, Subject};
use crate::helmrelease::{Attempt, Ledger, history, texts};

/// Unlocks the release.
pub async fn unlock(attempt: &Attempt, ledger: &mut Ledger, last: Option<Release>) -> Result<Last, Error> {
    let result = run(attempt, ledger, last).await;
    ledger.summarise();
    result
}

async fn run(attempt: &Attempt, ledger: &mut Ledger, last: Option<Release>) -> Result<Last, Error> {
    let Some(mut record) = last.filter(|last| last.info.status.is_pending()) else { return Ok(Last::Ask) };
    let pending = record.info.status.as_str();
    let history = &ledger.status.history;
    let known = history.iter().find(|snapshot| history::targets(snapshot, &record)).cloned();
    let oci_digest = known.as_ref().and_then(|known| known.oci_digest.clone()).unwrap_or_default();
    let current = history::snapshot(attempt.algorithm, &record, None, &oci_digest)?;
    record = unlocked(record);
    if let Err(error) = attempt.storage.update(&record).await {
        let message = texts::unlock_failed(&current, pending, &error.to_string());
        let subject = Subject::of(&current);
        report::failure(attempt, ledger, Type::Released, Reason::PendingRelease, &message, "", subject);
        return Err(Error::Step(error.to_string()));
    }
    note_unlocked(attempt.algorithm, &mut ledger.status, &record)?;
    let message = texts::unlocked(&current, pending);
    let condition = (Type::Released, Status::False);
    let subject = Subject::of(&current);
    report::success(attempt, ledger, condition, Reason::PendingRelease, &message, subject);
    Ok(Last::Is(Box::new(record)))
}

/// A pending record as it is once it is unlocked.
pub fn unlocked(mut record: Release) -> Release {
    let pending = record.info.status.as_str();
    record.info.description = format!("{} '{pending}' state", release::UNLOCKED);
    record.info.status = chart::Status::Failed;
    record
}

/// Brings what the history knows of a record up to date.
pub fn note_unlocked(
    algorithm: Algorithm,
    status: &mut HelmReleaseStatus,
    record: &Release,
) -> Result<(), Error> {
    if let Some(entry) = status.history.iter_mut().find(|snapshot| history::targets(snapshot, record)) {
        let (action, digest) = (entry.action.clone(), entry.oci_digest.clone().unwrap_or_default());
        *entry = history::snapshot(algorithm, record, action.as_deref(), &digest)?;
    }
    Ok(())
}

//! Adopt: a release that was made for the object, though a crash kept it out of the history.

use std::sync::Arc;

use api::condition::{Reason, Status, Type};
use api::helm::{ReleaseAction, ReleaseSnapshot};
use chart::Release;
use release::{Storage, Written};

use super::report::{self, Subject};
use super::{Error, install};
use crate::helmrelease::state::{RETURNED, is_marked, is_missed, is_returned};
use crate::helmrelease::{Attempt, Ledger, Maker, history, texts};

/// Takes a release into the history and says that it was made, as its action would have done.
pub async fn adopt(attempt: &Attempt, ledger: &mut Ledger, record: &Release) -> Result<(), Error> {
    let before = ledger.status.history.first().map(|snapshot| (snapshot.name.clone(), snapshot.version));
    let action = if before.is_some() { ReleaseAction::Upgrade } else { ReleaseAction::Install };
    let mut writes = Vec::new();
    if let Some((name, version)) = before {
        let superseded = attempt.storage.get(&name, version).await;
        let superseded = superseded.map_err(|error| Error::Step(error.to_string()))?;
        writes.extend(superseded.map(|record| Written::Updated(Arc::new(record))));
    }
    writes.push(Written::Updated(Arc::new(record.clone())));
    ledger.status.last_attempted_release_action = Some(action);
    super::upgrade::forget_outcomes(ledger);
    install::note(attempt, ledger, action, &writes).await?;
    install::succeeded(attempt, ledger, action);
    ledger.summarise();
    Ok(())
}

/// Takes revisions into the history that a crash kept out of it, so that what follows knows what there was before: what
/// to return to, above all.
pub async fn catch_up(attempt: &Attempt, ledger: &mut Ledger, last: &Release) -> Result<(), Error> {
    if !is_missed(last, &ledger.status.history, &attempt.release) {
        return Ok(());
    }
    let known = ledger.status.history.iter().map(|snapshot| snapshot.version).max();
    let failed = |error: release::Error| Error::Step(error.to_string());
    let mut records = Vec::new();
    for revision in attempt.storage.history(&last.name).await.map_err(failed)? {
        if revision.version < last.version && known.is_none_or(|known| revision.version > known) {
            records.extend(attempt.storage.get(&last.name, revision.version).await.map_err(failed)?);
        }
    }
    let newest = ledger.status.history.iter().max_by_key(|snapshot| snapshot.version);
    let before = records.last().map(|record| record.info.status.as_str());
    let before = before.or_else(|| newest.map(|snapshot| snapshot.status.as_str()));
    let returned = is_returned(last);
    if records.iter().any(|record| !is_marked(record, &attempt.release))
        || (returned && before != Some(chart::Status::Failed.as_str()))
    {
        // Somebody else was there, too.
        return Ok(());
    }
    records.push(last.clone());
    for known in &mut ledger.status.history {
        supersede(attempt, known).await?;
    }
    for record in &records {
        let maker = maker(record);
        let digest = if maker.is_some() { attempt.oci_digest.as_str() } else { "" };
        let snapshot = history::snapshot(attempt.algorithm, record, maker, digest)?;
        ledger.status.history.insert(0, snapshot);
    }
    tracing::info!("{} revisions are taken into the history", records.len());
    let target = last.info.description.strip_prefix(RETURNED).and_then(|version| version.parse::<i64>().ok());
    let entries = &ledger.status.history;
    if returned && let Some(target) = entries.iter().find(|entry| Some(entry.version) == target).cloned() {
        let subject = Subject::of(&target).with_token_of(attempt);
        let condition = (Type::Remediated, Status::True);
        let message = texts::rolled_back(&target);
        report::success(attempt, ledger, condition, Reason::RollbackSucceeded, &message, subject);
        ledger.summarise();
    }
    Ok(())
}

/// Brings a snapshot up to date whose revision was superseded, and was not changed otherwise.
async fn supersede(attempt: &Attempt, snapshot: &mut ReleaseSnapshot) -> Result<(), Error> {
    if snapshot.status != chart::Status::Deployed.as_str() {
        return Ok(());
    }
    let found = attempt.storage.get(&snapshot.name, snapshot.version).await;
    let Some(record) = found.map_err(|error| Error::Step(error.to_string()))? else { return Ok(()) };
    let mut before = record.clone();
    before.info.status = chart::Status::Deployed;
    if record.info.status == chart::Status::Superseded
        && history::verify(snapshot, &before)? == history::Verification::Same
    {
        let action = snapshot.action.clone();
        history::update(std::slice::from_mut(snapshot), attempt.algorithm, &record, action.as_deref())?;
    }
    Ok(())
}

/// What made a revision, by what its record says.
fn maker(record: &Release) -> Option<&'static str> {
    let text = record.info.description.as_str();
    let is_rollback = record.info.status == chart::Status::PendingRollback
        || text.starts_with(RETURNED)
        || text.contains(chart::Status::PendingRollback.as_str());
    let maker = if record.version == 1 { Maker::Install } else { Maker::Upgrade };
    (!is_rollback).then_some(maker.as_str())
}

/// Takes the release of an object that is being deleted into the history, in whatever state a crash left it, if its
/// objects are marked as the object's.
pub async fn found(attempt: &Attempt, storage: &Storage, ledger: &mut Ledger) -> Result<(), Error> {
    let last = storage.last(&attempt.name()).await.map_err(|error| Error::Step(error.to_string()))?;
    if let Some(record) = last.filter(|record| is_marked(record, &attempt.release)) {
        let maker = Some(Maker::Install.as_str());
        ledger.status.history.push(history::snapshot(attempt.algorithm, &record, maker, "")?);
    }
    Ok(())
}

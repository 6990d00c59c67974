//! Adopt: a release that was made for the object, though a crash kept it out of the history.

use std::sync::Arc;

use api::helm::ReleaseAction;
use chart::Release;
use release::{Storage, Written};

use super::{Error, install};
use crate::helmrelease::state::is_marked;
use crate::helmrelease::{Attempt, Ledger, Maker, history};

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

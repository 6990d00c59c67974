//! Uninstall: the end of a release that is no longer wanted, or of one that failed.

use api::condition::{Reason, Status, Type};
use api::helm::{HelmReleaseStatus, ReleaseSnapshot};
use release::{Error as HelmError, Failed, History, Last, Outcome, Storage, Uninstall};

use super::options::{self, Waits};
use super::report::{self, Subject};
use super::{Error, expect_target, record};
use crate::helmrelease::{Action, Attempt, Ledger, Maker, history, texts};

/// Helm's action, as the spec has it.
pub fn action(attempt: &Attempt, name: &str) -> Uninstall {
    let spec = attempt.release.spec.uninstall.clone().unwrap_or_default();
    let waits = Waits { off: spec.disable_wait, jobs_off: false };
    Uninstall {
        waiting: options::waiting(attempt, Action::Uninstall.timeout(&attempt.release), waits),
        hooks: options::hooks(spec.disable_hooks),
        history: if spec.keep_history { History::Keep } else { History::Purge },
        propagation: options::propagation(spec.deletion_propagation),
        ..Uninstall::new(name)
    }
}

fn latest(status: &mut HelmReleaseStatus) -> Option<ReleaseSnapshot> {
    history::sort(&mut status.history);
    status.history.first().cloned()
}

/// Takes in what was written, and says whether the action was one on the release that is known, and left a trace.
fn note(
    attempt: &Attempt,
    ledger: &mut Ledger,
    ran: Result<Outcome, Box<Failed>>,
    current: &ReleaseSnapshot,
    maker: Maker,
) -> Result<Result<(), Box<Failed>>, Error> {
    let (writes, record) = match &ran {
        Ok(outcome) => (&outcome.writes, Some(&outcome.release)),
        Err(failed) => (&failed.writes, None),
    };
    record::updated(attempt, &mut ledger.status, writes, maker)?;
    expect_target(record, current, "uninstalled", "")?;
    match ran {
        Err(failed) => Ok(Err(failed)),
        Ok(outcome) => {
            report::warnings(&outcome.warnings);
            Ok(Ok(()))
        }
    }
}

/// Uninstalls the release that the history knows, from a storage. Without one there is nothing to do.
pub async fn uninstall(attempt: &Attempt, storage: &Storage, ledger: &mut Ledger) -> Result<(), Error> {
    let Some(current) = latest(&mut ledger.status) else {
        ledger.summarise();
        return Ok(());
    };
    let result = end(attempt, storage, ledger, &current).await;
    ledger.summarise();
    result
}

async fn end(
    attempt: &Attempt,
    storage: &Storage,
    ledger: &mut Ledger,
    current: &ReleaseSnapshot,
) -> Result<(), Error> {
    let keeps = attempt.release.spec.uninstall.as_ref().is_some_and(|uninstall| uninstall.keep_history);
    let ran = ledger.during(Box::pin(action(attempt, &current.name).run(&attempt.cluster, storage))).await;
    let over = match &ran {
        Err(failed) => match failed.error.root() {
            HelmError::NotFound => Some(texts::not_found(current)),
            HelmError::AlreadyDeleted(_) if keeps => Some(texts::uninstalled_before(current)),
            _ => None,
        },
        Ok(_) => None,
    };
    if let Some(message) = over {
        ledger.mark(Type::Released, Status::False, Reason::UninstallSucceeded, &message);
        return Ok(());
    }
    let mut log = String::new();
    let purged = ran.as_ref().is_ok_and(|outcome| {
        outcome.writes.iter().any(|write| matches!(write, release::Written::Deleted { .. }))
    });
    let noted = note(attempt, ledger, ran, current, Maker::Uninstall);
    let result = match noted {
        Ok(Ok(())) => {
            let same = latest(&mut ledger.status).is_some_and(|latest| latest.digest == current.digest);
            // One that was uninstalled before only loses its record.
            if same && !purged { Err(Error::NoStorageUpdate) } else { Ok(()) }
        }
        Ok(Err(failed)) => {
            log = failed.log.to_string();
            Err(Error::Failed(failed))
        }
        Err(error) => Err(error),
    };
    let known = latest(&mut ledger.status).unwrap_or_else(|| current.clone());
    let subject = Subject::of(&known);
    match &result {
        Ok(()) => {
            ledger.status.inventory = None;
            let message = texts::uninstalled(&known);
            let condition = (Type::Released, Status::False);
            report::success(attempt, ledger, condition, Reason::UninstallSucceeded, &message, subject);
        }
        Err(error) => {
            let message = texts::uninstall_failed(&known, &error.to_string());
            report::failure(
                attempt,
                ledger,
                Type::Released,
                Reason::UninstallFailed,
                &message,
                &log,
                subject,
            );
        }
    }
    result
}

/// Removes a failed release. An error means that the record is as it was.
pub async fn remove(attempt: &Attempt, ledger: &mut Ledger) -> Result<Last, Error> {
    let Some(current) = latest(&mut ledger.status) else { return Err(Error::NoLatest("to uninstall")) };
    let ran =
        ledger.during(Box::pin(action(attempt, &current.name).run(&attempt.cluster, &attempt.storage))).await;
    let mut log = String::new();
    let noted = note(attempt, ledger, ran, &current, Maker::UninstallRemediation);
    let known = latest(&mut ledger.status).unwrap_or_else(|| current.clone());
    let same = known.digest == current.digest;
    let result = match noted {
        Ok(Ok(())) if same => Err(Error::NoStorageUpdate),
        Ok(Ok(())) => Ok(()),
        Ok(Err(failed)) => {
            log = failed.log.to_string();
            Err(Error::Failed(failed))
        }
        Err(error) => Err(error),
    };
    let subject = Subject::of(&known);
    match result {
        Ok(()) => {
            let message = texts::removed(&known);
            let condition = (Type::Remediated, Status::True);
            report::success(attempt, ledger, condition, Reason::UninstallSucceeded, &message, subject);
            Ok(Last::Ask)
        }
        Err(error) => {
            let message = texts::removal_failed(&known, &error.to_string());
            report::failure(
                attempt,
                ledger,
                Type::Remediated,
                Reason::UninstallFailed,
                &message,
                &log,
                subject,
            );
            if same { Err(error) } else { Ok(Last::Ask) }
        }
    }
}

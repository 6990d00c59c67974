//! Rollback: the return to the last good revision after an upgrade that failed.

use api::condition::{Reason, Status, Type};
use api::helm::{ReleaseAction, ReleaseSnapshot};
use release::{Last, Rollback};

use super::options::{self, Waits};
use super::report::{self, Subject};
use super::{Error, inventory, record};
use crate::helmrelease::{Action, Attempt, Ledger, Maker, Remediation, history, texts};

/// Returns to the last good revision. An error means that nothing was stored.
pub async fn rollback(attempt: &Attempt, ledger: &mut Ledger) -> Result<Last, Error> {
    let result = run(attempt, ledger).await;
    ledger.summarise();
    result
}

/// Helm's action to return to a revision, as the spec has it.
pub fn action(attempt: &Attempt, target: &ReleaseSnapshot) -> Rollback {
    let spec = attempt.release.spec.rollback.clone().unwrap_or_default();
    let waits = Waits { off: spec.disable_wait, jobs_off: spec.disable_wait_for_jobs };
    Rollback {
        waiting: options::waiting(attempt, Action::Rollback.timeout(&attempt.release), waits),
        method: options::method_choice(spec.server_side_apply),
        hooks: options::hooks(spec.disable_hooks),
        change: options::change(spec.force),
        cleanup: options::cleanup(spec.cleanup_on_fail),
        max_history: options::max_history(attempt),
        ..Rollback::new(&target.name, target.version)
    }
}

async fn run(attempt: &Attempt, ledger: &mut Ledger) -> Result<Last, Error> {
    history::sort(&mut ledger.status.history);
    let ignore_tests = Remediation::of(&attempt.release, ReleaseAction::Upgrade).ignore_test_failures;
    let current = ledger.status.history.first().cloned();
    let target = history::previous(&ledger.status.history, ignore_tests).cloned();
    let (Some(current), Some(target)) = (current, target) else { return Err(Error::NoTarget) };
    if target.name != current.name || target.namespace != current.namespace {
        return Err(Error::Mismatch(format!(
            "previous release name or namespace {} does not match current {}",
            history::full_name(&target),
            history::full_name(&current)
        )));
    }
    let rollback = action(attempt, &target);
    let ran = ledger.during(Box::pin(rollback.run(&attempt.cluster, &attempt.storage))).await;
    let subject = Subject::of(&target).with_token_of(attempt);
    match ran {
        Ok(outcome) => {
            report::warnings(&outcome.warnings);
            inventory::note(attempt, ledger, &outcome.writes).await;
            record::updated(attempt, &mut ledger.status, &outcome.writes, Maker::Rollback)?;
            let message = texts::rolled_back(&target);
            let condition = (Type::Remediated, Status::True);
            report::success(attempt, ledger, condition, Reason::RollbackSucceeded, &message, subject);
            Ok(Last::Is(Box::new(outcome.release)))
        }
        Err(failed) => {
            report::warnings(&failed.warnings);
            inventory::note(attempt, ledger, &failed.writes).await;
            record::updated(attempt, &mut ledger.status, &failed.writes, Maker::Rollback)?;
            let message = texts::rollback_failed(&target, &failed.error.to_string());
            let log = failed.log.to_string();
            report::failure(
                attempt,
                ledger,
                Type::Remediated,
                Reason::RollbackFailed,
                &message,
                &log,
                subject,
            );
            history::sort(&mut ledger.status.history);
            let same = ledger.status.history.first().is_none_or(|latest| latest.digest == current.digest);
            if same { Err(Error::Failed(failed)) } else { Ok(Last::Ask) }
        }
    }
}

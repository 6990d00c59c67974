//! Test: the test hooks of the last revision.

use api::condition::{Reason, Status, Type};
use api::helm::ReleaseAction;
use release::{Last, Test};

use super::options::{self, Waits};
use super::report::{self, Subject};
use super::{Error, expect_target, record};
use crate::helmrelease::{Action, Attempt, Ledger, Remediation, history, texts};

/// Runs the tests. An error means that no test has run.
pub async fn test(attempt: &Attempt, ledger: &mut Ledger) -> Result<Last, Error> {
    let result = run(attempt, ledger).await;
    ledger.summarise();
    result
}

/// Helm's action, as the spec has it.
pub fn action(attempt: &Attempt) -> Test {
    let spec = attempt.release.spec.test.clone().unwrap_or_default();
    let names = |exclude: bool| {
        let filters = spec.filters.iter().filter(move |filter| filter.exclude == exclude);
        filters.map(|filter| filter.name.clone()).collect()
    };
    let mut waiting = options::waiting(attempt, Action::Test.timeout(&attempt.release), Waits::default());
    // Tests are awaited by the rules of Flux whatever the spec says.
    waiting.strategy = release::Strategy::Watch;
    Test { waiting, include: names(false), exclude: names(true), ..Test::new(&attempt.name()) }
}

async fn run(attempt: &Attempt, ledger: &mut Ledger) -> Result<Last, Error> {
    history::sort(&mut ledger.status.history);
    let Some(current) = ledger.status.history.first().cloned() else {
        return Err(Error::NoLatest("for test"));
    };
    let spec = attempt.release.spec.test.clone().unwrap_or_default();
    let test = action(attempt);
    let ran = ledger.during(Box::pin(test.run(&attempt.cluster, &attempt.storage))).await;
    let (writes, record, error) = match ran {
        Ok(outcome) => (outcome.writes, Some(outcome.release), None),
        Err(failed) => {
            let release::Failed { error, release, writes, .. } = *failed;
            (writes, release.map(|release| *release), Some(error.to_string()))
        }
    };
    for record in record::stored(&writes) {
        let Some(latest) = ledger.status.history.first_mut() else { break };
        if history::targets(latest, record) {
            let oci_digest = latest.oci_digest.clone().unwrap_or_default();
            let action = latest.action.clone();
            *latest = history::snapshot(attempt.algorithm, record, action.as_deref(), &oci_digest)?;
            latest.test_hooks = Some(history::tests(record, &spec.filters));
        }
    }
    let mismatch = expect_target(record.as_ref(), &current, "tested", "");
    let error = match mismatch {
        Ok(()) => error,
        Err(mismatch) => Some(mismatch.to_string()),
    };
    let Some(latest) = ledger.status.history.first().cloned() else {
        return Err(Error::NoLatest("for test"));
    };
    let Some(error) = error else {
        let message = texts::tested(&latest);
        let subject = Subject::of(&latest);
        let condition = (Type::TestSuccess, Status::True);
        report::success(attempt, ledger, condition, Reason::TestSucceeded, &message, subject);
        return Ok(record.map_or(Last::Ask, |record| Last::Is(Box::new(record))));
    };
    let message = texts::test_failed(&latest, &error);
    let subject = Subject::of(&latest);
    report::failure(attempt, ledger, Type::TestSuccess, Reason::TestFailed, &message, "", subject);
    if !history::is_tested(&latest) {
        return Err(Error::Step(error));
    }
    let action = ledger.status.last_attempted_release_action;
    if let Some(active) = action.map(|action: ReleaseAction| Remediation::of(&attempt.release, action))
        && !active.ignore_test_failures
    {
        active.count_failure(&mut ledger.status);
    }
    Ok(Last::Ask)
}

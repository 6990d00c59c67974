//! Install: the first revision of a release. Whatever the history says is over.

use api::condition::{Reason, Status, Type};
use api::helm::ReleaseAction;
use api::meta::go_duration;
use chart::Release;
use release::{CrdOptions, Install, Last, Namespaces, Reuse};
use tokio::time::Instant;

use super::options::{self, Waits};
use super::record;
use super::report::{self, Subject};
use super::{Error, inventory, upgrade};
use crate::helmrelease::{Attempt, Ledger, Maker, Remediation, clear_failures, history, retry, texts};

/// Installs the chart. An error means that nothing was stored.
pub async fn install(attempt: &Attempt, ledger: &mut Ledger, last: Option<Release>) -> Result<Last, Error> {
    ledger.status.last_attempted_release_action = Some(ReleaseAction::Install);
    ledger.status.history.clear();
    ledger.status.inventory = None;
    upgrade::forget_outcomes(ledger);
    let begun = Instant::now();
    let outcome = ledger.during(Box::pin(run(attempt, last))).await;
    ledger.status.last_attempted_release_action_duration = Some(go_duration(begun.elapsed()));
    let result = upgrade::conclude(attempt, ledger, ReleaseAction::Install, outcome).await;
    ledger.summarise();
    result
}

async fn run(attempt: &Attempt, last: Option<Release>) -> upgrade::Ran {
    let install = action(attempt, last);
    upgrade::crds(attempt, definitions(attempt, &install)).await?;
    Box::pin(install.run(&attempt.cluster, &attempt.storage)).await.map_err(upgrade::Stopped::Failed)
}

/// What is done with the definitions of the chart before.
pub fn definitions(attempt: &Attempt, install: &Install) -> CrdOptions {
    let policy = attempt.release.spec.install.as_ref().and_then(|spec| spec.crds);
    options::definitions(attempt, policy, install.method, &install.waiting)
}

/// Helm's action, as the spec has it.
pub fn action(attempt: &Attempt, last: Option<Release>) -> Install {
    let release = &attempt.release;
    let spec = release.spec.install.clone().unwrap_or_default();
    let timeout = crate::helmrelease::timeout_of(release, ReleaseAction::Install);
    let waits = Waits { off: spec.disable_wait, jobs_off: spec.disable_wait_for_jobs };
    let creates = spec.create_namespace && release.spec.target_namespace.is_some();
    Install {
        render: options::render(attempt, spec.disable_schema_validation),
        waiting: options::waiting(attempt, timeout, waits),
        method: options::method(attempt, spec.server_side_apply),
        ownership: options::ownership(spec.disable_take_ownership),
        hooks: options::hooks(spec.disable_hooks),
        reuse: if spec.replace { Reuse::AfterEnd } else { Reuse::Never },
        namespaces: if creates { Namespaces::Create } else { Namespaces::Expect },
        last: last.map_or(Last::Absent, |last| Last::Is(Box::new(last))),
        ..Install::new(&attempt.name(), attempt.namespace(), attempt.chart.clone(), attempt.values.clone())
    }
}

/// A release was made: says so.
pub fn succeeded(attempt: &Attempt, ledger: &mut Ledger, action: ReleaseAction) {
    history::sort(&mut ledger.status.history);
    let Some(current) = ledger.status.history.first().cloned() else { return };
    let reason = match action {
        ReleaseAction::Install => Reason::InstallSucceeded,
        ReleaseAction::Upgrade => Reason::UpgradeSucceeded,
    };
    let message = texts::released(action, &current);
    let subject = Subject::of(&current);
    report::success(attempt, ledger, (Type::Released, Status::True), reason, &message, subject);
    let tests = attempt.release.spec.test.as_ref().is_some_and(|test| test.enable);
    if tests && !history::is_tested(&current) {
        let message = texts::awaiting_tests(&current);
        ledger.mark(Type::TestSuccess, Status::Unknown, Reason::AwaitingTests, &message);
    }
    if retry(&attempt.release, action, attempt.retry_by_default).is_some() {
        clear_failures(&mut ledger.status);
    }
}

/// A release was not made: says so, and counts it when something was stored.
pub fn failed(
    attempt: &Attempt,
    ledger: &mut Ledger,
    action: ReleaseAction,
    error: &str,
    log: &str,
    stored: bool,
) {
    let reason = match action {
        ReleaseAction::Install => Reason::InstallFailed,
        ReleaseAction::Upgrade => Reason::UpgradeFailed,
    };
    let message = attempt.named(|tried| texts::not_released(action, tried, error));
    let subject = Subject::attempted(attempt);
    report::failure(attempt, ledger, Type::Released, reason, &message, log, subject);
    if stored {
        Remediation::of(&attempt.release, action).count_failure(&mut ledger.status);
    }
}

/// Takes in what was written, and what the release holds.
pub async fn note(
    attempt: &Attempt,
    ledger: &mut Ledger,
    action: ReleaseAction,
    writes: &[release::Written],
) -> Result<(), Error> {
    let maker = match action {
        ReleaseAction::Install => Maker::Install,
        ReleaseAction::Upgrade => Maker::Upgrade,
    };
    inventory::note(attempt, ledger, writes).await;
    record::made(attempt, &mut ledger.status, writes, maker)
}

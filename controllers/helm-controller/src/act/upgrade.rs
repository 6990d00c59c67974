//! Upgrade: the next revision of a release.

use api::condition::Type;
use api::helm::ReleaseAction;
use api::meta::go_duration;
use chart::Release;
use release::{CrdOptions, Failed, Last, Method, MethodChoice, OldValues, Outcome, Upgrade, apply_crds};
use tokio::time::Instant;

use super::options::{self, Waits};
use super::{Error, install, report};
use crate::helmrelease::{Attempt, Ledger};

/// What became of the steps of an action.
pub type Ran = Result<Outcome, Stopped>;

/// Where an action stopped.
pub enum Stopped {
    /// Before Helm's action: nothing was stored.
    Before(String),
    /// In it.
    Failed(Box<Failed>),
}

/// Upgrades the release. An error means that nothing was stored.
pub async fn upgrade(attempt: &Attempt, ledger: &mut Ledger, last: Option<Release>) -> Result<Last, Error> {
    ledger.status.last_attempted_release_action = Some(ReleaseAction::Upgrade);
    forget_outcomes(ledger);
    let begun = Instant::now();
    let outcome = ledger.during(Box::pin(run(attempt, last))).await;
    ledger.status.last_attempted_release_action_duration = Some(go_duration(begun.elapsed()));
    let result = conclude(attempt, ledger, ReleaseAction::Upgrade, outcome).await;
    ledger.summarise();
    result
}

/// What was said of the last revision does not hold for the next one.
pub fn forget_outcomes(ledger: &mut Ledger) {
    ledger.status.conditions.delete(Type::TestSuccess);
    ledger.status.conditions.delete(Type::Remediated);
}

async fn run(attempt: &Attempt, last: Option<Release>) -> Ran {
    let upgrade = action(attempt, last);
    crds(attempt, definitions(attempt, &upgrade)).await?;
    Box::pin(upgrade.run(&attempt.cluster, &attempt.storage)).await.map_err(Stopped::Failed)
}

/// What is done with the definitions of the chart before.
pub fn definitions(attempt: &Attempt, upgrade: &Upgrade) -> CrdOptions {
    let policy = attempt.release.spec.upgrade.as_ref().and_then(|spec| spec.crds);
    let method = match (&upgrade.last, upgrade.method) {
        (Last::Is(last), choice) => choice.after(last),
        (_, MethodChoice::Is(method)) => method,
        (_, MethodChoice::Follow) => Method::ServerSide,
    };
    options::definitions(attempt, policy, method, &upgrade.waiting)
}

/// Helm's action, as the spec has it.
pub fn action(attempt: &Attempt, last: Option<Release>) -> Upgrade {
    let spec = attempt.release.spec.upgrade.clone().unwrap_or_default();
    let timeout = crate::helmrelease::timeout_of(&attempt.release, ReleaseAction::Upgrade);
    let waits = Waits { off: spec.disable_wait, jobs_off: spec.disable_wait_for_jobs };
    Upgrade {
        old_values: if spec.preserve_values { OldValues::Reuse } else { OldValues::Reset },
        render: options::render(attempt, spec.disable_schema_validation),
        waiting: options::waiting(attempt, timeout, waits),
        method: options::method_choice(spec.server_side_apply),
        ownership: options::ownership(spec.disable_take_ownership),
        hooks: options::hooks(spec.disable_hooks),
        change: options::change(spec.force),
        cleanup: options::cleanup(spec.cleanup_on_fail),
        max_history: options::max_history(attempt),
        last: last.map_or(Last::Ask, |last| Last::Is(Box::new(last))),
        ..Upgrade::new(&attempt.name(), attempt.chart.clone(), attempt.values.clone())
    }
}

/// Writes the custom resource definitions of the chart.
pub async fn crds(attempt: &Attempt, options: CrdOptions) -> Result<(), Stopped> {
    let (mut chart, mut warnings) = (attempt.chart.clone(), Vec::new());
    let applied =
        Box::pin(apply_crds(&attempt.cluster, &mut chart, &attempt.values, &options, &mut warnings)).await;
    report::warnings(&warnings);
    match applied {
        Ok(_) => Ok(()),
        Err(error) => Err(Stopped::Before(no_definitions(&error))),
    }
}

/// Why an action did not begin.
pub fn no_definitions(error: &release::Error) -> String {
    format!("failed to apply CustomResourceDefinitions: {error}")
}

/// Takes in what became of an installation or an upgrade.
pub async fn conclude(
    attempt: &Attempt,
    ledger: &mut Ledger,
    action: ReleaseAction,
    ran: Ran,
) -> Result<Last, Error> {
    match ran {
        Ok(outcome) => {
            report::warnings(&outcome.warnings);
            install::note(attempt, ledger, action, &outcome.writes).await?;
            install::succeeded(attempt, ledger, action);
            Ok(Last::Is(Box::new(outcome.release)))
        }
        Err(Stopped::Before(text)) => {
            install::failed(attempt, ledger, action, &text, "", false);
            Err(Error::Step(text))
        }
        Err(Stopped::Failed(failed)) => {
            report::warnings(&failed.warnings);
            let stored = !failed.writes.is_empty();
            install::note(attempt, ledger, action, &failed.writes).await?;
            let (error, log) = (failed.error.to_string(), failed.log.to_string());
            install::failed(attempt, ledger, action, &error, &log, stored);
            if stored { Ok(Last::Ask) } else { Err(Error::Failed(failed)) }
        }
    }
}

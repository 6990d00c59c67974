//! Plan: what an action would do, for people. The options are those of the action itself.

use api::helm::HelmReleaseStatus;
use chart::{Event, Release};
use release::{Definitions, Plan, PlannedHook, hooks_of, plan_crds};

use super::{install, rollback, test, uninstall, upgrade};
use crate::helmrelease::{Action, Attempt, rollback_target};

/// What an action would do.
#[derive(Debug)]
pub struct Planned {
    /// With the definitions of the chart.
    pub definitions: Definitions,
    /// With the release and its hooks; none for an action that touches neither.
    pub plan: Option<Plan>,
    /// The tests that would run after it.
    pub tests: Vec<PlannedHook>,
}

/// Looks at what an action would do. `last` is the last record, if there is one.
///
/// # Errors
/// The text with which the action would fail before it touches anything.
pub async fn plan(
    action: Action,
    attempt: &Attempt,
    status: &HelmReleaseStatus,
    last: Option<Release>,
) -> Result<Planned, String> {
    let mut definitions = Definitions::default();
    let plan = match action {
        Action::Install => {
            let install = install::action(attempt, last);
            let warnings = crds(attempt, &install::definitions(attempt, &install), &mut definitions).await?;
            let planned = Box::pin(install.plan(&attempt.cluster, &attempt.storage, &definitions)).await;
            Some(with(planned, warnings)?)
        }
        Action::Upgrade => {
            let upgrade = upgrade::action(attempt, last);
            let warnings = crds(attempt, &upgrade::definitions(attempt, &upgrade), &mut definitions).await?;
            let planned = Box::pin(upgrade.plan(&attempt.cluster, &attempt.storage, &definitions)).await;
            Some(with(planned, warnings)?)
        }
        Action::Rollback => match rollback_target(&attempt.release, status) {
            Some(target) => {
                let rollback = rollback::action(attempt, target);
                Some(with(Box::pin(rollback.plan(&attempt.cluster, &attempt.storage)).await, Vec::new())?)
            }
            None => None,
        },
        Action::Uninstall | Action::UninstallRemediation => match last {
            Some(last) => {
                let uninstall = uninstall::action(attempt, &last.name);
                let planned = uninstall.plan(&attempt.cluster, last).await;
                Some(planned.map_err(|error| error.to_string())?)
            }
            None => None,
        },
        Action::Test => {
            return Ok(Planned {
                definitions,
                plan: None,
                tests: last.as_ref().map_or_else(Vec::new, |last| tests(attempt, last)),
            });
        }
        Action::Unlock | Action::CorrectDrift => None,
    };
    let makes = matches!(action, Action::Install | Action::Upgrade);
    let enabled = attempt.release.spec.test.as_ref().is_some_and(|test| test.enable);
    let tested = plan.as_ref().filter(|_| makes && enabled);
    let tests = tested.map_or_else(Vec::new, |plan| tests(attempt, &plan.release));
    Ok(Planned { definitions, plan, tests })
}

async fn crds(
    attempt: &Attempt,
    options: &release::CrdOptions,
    definitions: &mut Definitions,
) -> Result<Vec<String>, String> {
    let (mut chart, mut warnings) = (attempt.chart.clone(), Vec::new());
    let planned = plan_crds(&attempt.cluster, &mut chart, &attempt.values, options, &mut warnings).await;
    *definitions = planned.map_err(|error| upgrade::no_definitions(&error))?;
    Ok(warnings)
}

fn with(planned: Result<Plan, Box<release::Failed>>, warnings: Vec<String>) -> Result<Plan, String> {
    let mut plan = planned.map_err(|failed| failed.to_string())?;
    plan.warnings.splice(0..0, warnings);
    Ok(plan)
}

fn tests(attempt: &Attempt, release: &Release) -> Vec<PlannedHook> {
    let test = test::action(attempt);
    let selected = |name: &str| release.hooks.iter().any(|hook| hook.name == name && test.selects(hook));
    hooks_of(release, Event::Test).into_iter().filter(|hook| selected(&hook.name)).collect()
}

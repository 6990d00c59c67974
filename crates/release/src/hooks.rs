//! Running the hooks of an event.

use chart::{Event, Hook, Release};
use serde_json::Value;

use crate::action::{Method, Session, now};
use crate::error::Error;
use crate::objects::{Built, build};
use crate::wait::Strategy;
use crate::write::{Conflicts, Deletion, Migrate, Propagation, masked};

const BEFORE: &str = "before-hook-creation";
const SUCCEEDED: &str = "hook-succeeded";
const FAILED: &str = "hook-failed";
/// The events of an uninstallation.
const ENDINGS: [Event; 2] = [Event::PreDelete, Event::PostDelete];

/// The hooks of an event by their place, in the order in which they run: by weight, then by name. One that names the
/// event twice runs twice.
pub(crate) fn order(hooks: &[Hook], event: Event) -> Vec<usize> {
    let mut found = Vec::new();
    for (i, hook) in hooks.iter().enumerate() {
        found.extend(hook.events.iter().filter(|own| **own == event).map(|_| (hook.weight, &hook.name, i)));
    }
    found.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    found.into_iter().map(|(_, _, i)| i).collect()
}

/// Runs the hooks of an event, and writes into the release how each went.
pub(crate) async fn run(
    session: &mut Session<'_>,
    release: &mut Release,
    event: Event,
    method: Method,
) -> Result<(), Error> {
    let order = order(&release.hooks, event);
    for (done, place) in order.iter().enumerate() {
        if let Err(error) = run_one(session, release, *place, event, method).await {
            let Stop::Clean(error) = error else {
                let Stop::AsIs(error) = error else { continue };
                return Err(error);
            };
            // The one that failed goes by its policy, and so do those that had succeeded. What fails on the way is not
            // what the user needs to know.
            if let Err(error) = delete_by_policy(session, release, *place, FAILED).await {
                session
                    .log
                    .warn("error deleting the hook resource on hook failure", &[text("error", &error)]);
            }
            for place in order.iter().take(done) {
                if let Err(error) = delete_by_policy(session, release, *place, SUCCEEDED).await {
                    session.log.warn("error deleting a hook resource", &[text("error", &error)]);
                    break;
                }
            }
            return Err(error);
        }
    }
    let goes = |place: &usize| {
        release.hooks.get(*place).is_some_and(|hook| hook.delete_policies.iter().any(|own| own == SUCCEEDED))
    };
    if ENDINGS.contains(&event) && order.iter().any(goes) {
        // An uninstallation that is cut off goes on with the same record: what leaves no other trace is written down.
        session.record(release).await;
    }
    for place in order.iter().rev() {
        delete_by_policy(session, release, *place, SUCCEEDED).await?;
    }
    Ok(())
}

/// Whether all hooks of an event have succeeded since a time: an uninstallation that was cut off does not run them again.
pub(crate) fn are_done(hooks: &[Hook], event: Event, since: Option<chart::Time>) -> bool {
    let order = order(hooks, event);
    let Some(since) = since.filter(|_| !order.is_empty()) else { return false };
    order.iter().filter_map(|place| hooks.get(*place)).all(|hook| {
        let completed = hook.last_run.completed_at.map(|time| time.timestamp());
        // One that belongs to both events may have run for the other one.
        hook.last_run.phase == "Succeeded"
            && completed >= Some(since.timestamp())
            && !ENDINGS.iter().all(|ending| hook.events.contains(ending))
    })
}

fn text<'k>(key: &'k str, value: &impl ToString) -> (&'k str, Value) {
    (key, value.to_string().into())
}

/// How a hook stopped the others.
enum Stop {
    /// Hooks are deleted by their policies.
    Clean(Error),
    /// Everything is left as it is.
    AsIs(Error),
}

async fn run_one(
    session: &mut Session<'_>,
    release: &mut Release,
    place: usize,
    event: Event,
    method: Method,
) -> Result<(), Stop> {
    if let Some(hook) = release.hooks.get_mut(place)
        && hook.delete_policies.is_empty()
    {
        hook.delete_policies = vec![BEFORE.to_owned()];
    }
    delete_by_policy(session, release, place, BEFORE).await.map_err(Stop::AsIs)?;
    let Some(hook) = release.hooks.get_mut(place) else { return Ok(()) };
    let (path, name) = (hook.path.clone(), event_name(event));
    let built = build(session.cluster, &hook.manifest, &release.namespace).await.map_err(|error| {
        Stop::AsIs(error.during(format!("unable to build kubernetes object for {name} hook {path}")))
    })?;
    hook.last_run.started_at = Some(now());
    hook.last_run.completed_at = None;
    hook.last_run.phase = "Running".to_owned();
    session.log.debug("running hook", &[text("event", &name), text("path", &path)]);
    session.record(release).await;
    set(release, place, "Unknown", None);
    let live = match create(session, &built, method).await {
        Ok(live) => live,
        Err(error) => {
            set(release, place, "Failed", Some(now()));
            return Err(Stop::AsIs(error.during(format!("warning: Hook {name} {path} failed"))));
        }
    };
    let objects: Vec<(&Built, &Value)> = built.iter().zip(&live).collect();
    let owner = session.owner.clone();
    match session.waiting.hook_done(session.cluster, &owner, &objects).await {
        Ok(()) => {
            if built.iter().any(|object| object.resource.gvk.kind == "CustomResourceDefinition") {
                // The next hook may be an object of it.
                session.cluster.mapping().invalidate();
            }
            set(release, place, "Succeeded", Some(now()));
            Ok(())
        }
        Err(error) => {
            set(release, place, "Failed", Some(now()));
            // When the action is cancelled, nobody waits for deletions either.
            Err(if error == Error::Cancelled { Stop::AsIs(error) } else { Stop::Clean(error) })
        }
    }
}

fn set(release: &mut Release, place: usize, phase: &str, completed: Option<chart::Time>) {
    if let Some(hook) = release.hooks.get_mut(place) {
        hook.last_run.phase = phase.to_owned();
        hook.last_run.completed_at = completed;
    }
}

async fn create(session: &Session<'_>, built: &[Built], method: Method) -> Result<Vec<Value>, Error> {
    let mut live = Vec::with_capacity(built.len());
    for object in built {
        let made = match method {
            Method::ServerSide => session.cluster.apply(object, Conflicts::Report, Migrate::No).await?,
            Method::ClientSide => session
                .cluster
                .create(object)
                .await
                .map_err(|failure| Error::of(&failure, |_| Error::Write(masked(object, &failure))))?,
        };
        live.push(made.value);
    }
    Ok(live)
}

/// Deletes what a hook made if it has a policy that says so, and waits until it is gone.
async fn delete_by_policy(
    session: &mut Session<'_>,
    release: &Release,
    place: usize,
    policy: &str,
) -> Result<(), Error> {
    let Some(hook) = release.hooks.get(place) else { return Ok(()) };
    let wanted = hook.delete_policies.iter().any(|own| own == policy);
    // Definitions are never deleted: that would delete all objects of their kinds.
    if hook.kind == "CustomResourceDefinition" || !wanted {
        return Ok(());
    }
    let built = build(session.cluster, &hook.manifest, &release.namespace).await.map_err(|error| {
        error.during(format!("unable to build kubernetes object for deleting hook {}", hook.path))
    })?;
    let (mut underway, mut problems) = (Vec::new(), Vec::new());
    for object in built.iter().filter(|object| !object.is_nameless()) {
        match session.cluster.delete(object, Propagation::Background).await {
            Ok(Deletion::Gone) => {}
            Ok(Deletion::Underway) => underway.push(object),
            Err(failure) => problems.push(Error::of(&failure, Error::Write)),
        }
    }
    if let Some(error) = Error::joined(problems, "; ") {
        return Err(error);
    }
    // What is to be created anew must be gone before, whatever the strategy.
    if session.waiting.strategy == Strategy::HooksOnly && policy != BEFORE {
        return Ok(());
    }
    session.waiting.gone(session.cluster, &underway).await
}

/// Helm's word for an event.
pub(crate) fn event_name(event: Event) -> &'static str {
    match event {
        Event::PreInstall => "pre-install",
        Event::PostInstall => "post-install",
        Event::PreDelete => "pre-delete",
        Event::PostDelete => "post-delete",
        Event::PreUpgrade => "pre-upgrade",
        Event::PostUpgrade => "post-upgrade",
        Event::PreRollback => "pre-rollback",
        Event::PostRollback => "post-rollback",
        Event::Test => "test",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(name: &str, weight: i64, events: &[Event]) -> Hook {
        let json = serde_json::json!({"name": name, "weight": weight});
        let mut hook: Hook = serde_json::from_value(json).unwrap();
        hook.events = events.to_vec();
        hook
    }

    #[test]
    fn hooks_that_have_run_since_are_done() {
        let time = |second: u8| {
            serde_json::from_value(serde_json::json!(format!("2026-01-01T00:00:0{second}Z"))).ok()
        };
        let ran = |phase: &str, second: u8, events: &[Event]| {
            let mut hook = hook("a", 0, events);
            hook.last_run.phase = phase.to_owned();
            hook.last_run.completed_at = time(second);
            hook
        };
        let done = |hooks: &[Hook]| are_done(hooks, Event::PreDelete, time(5));
        let ending = [Event::PreDelete];
        assert!(done(&[ran("Succeeded", 6, &ending), ran("Failed", 6, &[Event::PostDelete])]));
        assert!(!done(&[ran("Succeeded", 6, &ending), ran("Failed", 6, &ending)]));
        assert!(!done(&[ran("Succeeded", 4, &ending)]), "at another time");
        assert!(!done(&[ran("Succeeded", 6, &ENDINGS)]), "for which of them?");
        assert!(!done(&[]));
        assert!(!are_done(&[ran("Succeeded", 6, &ending)], Event::PreDelete, None));
    }

    #[test]
    fn hooks_run_by_weight_then_name() {
        let hooks = [
            hook("b", 0, &[Event::Test]),
            hook("late", 5, &[Event::Test, Event::PreInstall]),
            hook("a", 0, &[Event::Test, Event::Test]),
            hook("first", -3, &[Event::PreInstall, Event::Test]),
            hook("other", -9, &[Event::PostInstall]),
        ];
        let names: Vec<_> = order(&hooks, Event::Test).into_iter().map(|i| hooks[i].name.as_str()).collect();
        assert_eq!(names, ["first", "a", "a", "b", "late"]);
        assert_eq!(order(&hooks, Event::PostDelete), [0usize; 0]);
    }
}

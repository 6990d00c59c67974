//! What to do with one object: pure decisions on what is known.

use object::{SsaMode, Switches};

use crate::observation::Observation;
use crate::outcome::Action;

/// What is known of an object before anything is asked.
#[derive(Debug)]
pub(crate) enum Known<'a> {
    /// Nothing: no watch covers it.
    Nothing,
    /// A synced watch does not show it. An object without our labels may still exist under the name.
    Absent,
    /// A synced watch shows it; `settled` when it is as an apply of the same manifest left it.
    Present { observed: &'a Observation, settled: bool },
}

/// What of the options and the manifest bears on the decision.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wish {
    /// The manifest's switches.
    pub switches: Switches,
    /// Ignore rules exist, or managed fields are to be migrated: the live object must be read.
    pub needs_live: bool,
}

/// The next thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    /// Nothing is to be asked nor written.
    Settled(Action),
    /// Ask for a dry-run; what is known of the live object is enough to compare with.
    DryRun,
    /// Read the live object first.
    Read,
}

/// What to do first with an object.
pub(crate) fn first(known: &Known<'_>, wish: Wish) -> First {
    if wish.switches.apply_disabled() {
        return First::Settled(Action::Skipped);
    }
    let (observed, settled) = match known {
        Known::Nothing => return First::Read,
        Known::Absent => return First::DryRun,
        Known::Present { observed, settled } => (observed, *settled),
    };
    if skipped(wish.switches, observed.switches) {
        return First::Settled(Action::Skipped);
    }
    if settled {
        return First::Settled(Action::Unchanged);
    }
    let cleanup = observed.cleanup && cleans(wish.switches, observed.switches);
    if cleanup || wish.needs_live || observed.content.is_none() { First::Read } else { First::DryRun }
}

/// Whether a live object with these switches is left alone.
pub(crate) fn skipped(desired: Switches, live: Switches) -> bool {
    desired.apply_disabled() || live.apply_disabled() || desired.ssa == SsaMode::IfNotPresent
}

/// Whether marks and fields of other managers are cleaned up before the apply.
pub(crate) fn cleans(desired: Switches, live: Switches) -> bool {
    desired.ssa != SsaMode::Merge && live.ssa != SsaMode::Merge
}

/// What a dry-run's answer says, given what a watch showed. `None` when the live object must be read to tell.
pub(crate) fn after_dry_run(known: &Known<'_>, created: bool, next: Option<&Observation>) -> Option<Action> {
    if created {
        return Some(Action::Created);
    }
    let (Known::Present { observed, .. }, Some(next)) = (known, next) else {
        return None;
    };
    let same_object = observed.uid == next.uid;
    match (observed.content, next.content) {
        (Some(before), Some(after)) if same_object && before == after => Some(Action::Unchanged),
        // The comparison was with an older state: somebody has just written.
        (Some(_), Some(_)) if same_object && observed.version == next.version => Some(Action::Configured),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kstatus::{Health, Status};

    fn observed() -> Observation {
        Observation {
            namespace: "a".into(),
            name: "b".into(),
            uid: "u".into(),
            version: 3,
            deleting: false,
            owner: None,
            switches: Switches::default(),
            ours: 1,
            cleanup: false,
            content: Some(7),
            health: Health::new(Status::Current, ""),
        }
    }

    fn wish(ssa: SsaMode) -> Wish {
        Wish { switches: Switches { ssa, ..Switches::default() }, needs_live: false }
    }

    #[test]
    fn first_steps() {
        let plain = observed();
        let present = |observed, settled| Known::Present { observed, settled };
        let default = wish(SsaMode::Override);

        assert_eq!(first(&Known::Nothing, default), First::Read);
        assert_eq!(first(&Known::Absent, default), First::DryRun);
        assert_eq!(first(&present(&plain, true), default), First::Settled(Action::Unchanged));
        assert_eq!(first(&present(&plain, false), default), First::DryRun);
        assert_eq!(first(&Known::Nothing, wish(SsaMode::Ignore)), First::Settled(Action::Skipped));
        assert_eq!(first(&Known::Absent, wish(SsaMode::IfNotPresent)), First::DryRun);
        assert_eq!(
            first(&present(&plain, false), wish(SsaMode::IfNotPresent)),
            First::Settled(Action::Skipped)
        );

        let mut secret = observed();
        secret.content = None;
        assert_eq!(first(&present(&secret, false), default), First::Read);

        let mut edited = observed();
        edited.cleanup = true;
        assert_eq!(first(&present(&edited, false), default), First::Read);
        assert_eq!(first(&present(&edited, false), wish(SsaMode::Merge)), First::DryRun);

        let mut resting = observed();
        resting.switches.reconcile_disabled = true;
        assert_eq!(first(&present(&resting, true), default), First::Settled(Action::Skipped));
        let live = Wish { needs_live: true, ..default };
        assert_eq!(first(&present(&plain, false), live), First::Read);
    }

    #[test]
    fn dry_run_answers() {
        let before = observed();
        let known = Known::Present { observed: &before, settled: false };
        let mut next = observed();
        assert_eq!(after_dry_run(&known, false, Some(&next)), Some(Action::Unchanged));
        next.content = Some(8);
        assert_eq!(after_dry_run(&known, false, Some(&next)), Some(Action::Configured));
        next.version = 4;
        assert_eq!(after_dry_run(&known, false, Some(&next)), None);
        next.uid = "v".into();
        assert_eq!(after_dry_run(&known, false, Some(&next)), None);
        assert_eq!(after_dry_run(&Known::Absent, true, None), Some(Action::Created));
        assert_eq!(after_dry_run(&Known::Absent, false, Some(&next)), None);
    }
}

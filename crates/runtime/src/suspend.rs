//! What all controllers do about an object that rests.

use std::collections::BTreeMap;
use std::time::Duration;

use api::condition::{Conditions, Stamp};
use api::meta::Timestamp;
use api::object::Reconciled;
use api::suspend::State;

use crate::Outcome;
use crate::events::{Recorder, Severity};

/// What a run does after the look at the object's rest.
#[derive(Debug)]
pub enum Gate {
    /// The object does not rest: the run goes on.
    Open,
    /// The object rests: after its status is written, the run ends with this outcome. It wakes up by itself when the rest
    /// has an end.
    Resting(Outcome),
}

/// Looks whether an object rests, keeps its `Suspended` condition in line, and sends the event when that changed. The
/// caller writes the status: at once when the object rests, with its outcome otherwise.
pub fn check<K: Reconciled>(
    object: &K,
    conditions: &mut Conditions,
    events: &Recorder,
    stamp: Stamp,
) -> Gate {
    let state = object.suspend_state(stamp.now);
    if let Some((reason, message)) = state.apply(conditions, stamp) {
        let severity =
            if matches!(state, State::Invalid { .. }) { Severity::Warning } else { Severity::Normal };
        events.emit(object, severity, reason, message, BTreeMap::new());
    }
    if !state.is_suspended() {
        return Gate::Open;
    }
    tracing::info!("Reconciliation is suspended for this object");
    Gate::Resting(state.until().map_or(Outcome::Done, |until| Outcome::After(remaining(until.0, stamp.now))))
}

fn remaining(until: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_ends_at_its_time() {
        let (now, until) =
            ("2026-11-21T10:00:00.5Z".parse().unwrap(), "2026-11-21T10:00:02Z".parse().unwrap());
        assert_eq!(remaining(until, now), Duration::from_millis(1500));
        assert_eq!(remaining(now, until), Duration::ZERO);
    }
}

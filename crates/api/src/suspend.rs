//! When an object rests.
//!
//! An object rests while `spec.suspend` is true, or while the annotation [`keys::SUSPEND`] says so: `true` means until it
//! is removed, an RFC 3339 time means until then. An annotation can be set without touching the spec, which a Git
//! repository may own, and a time cannot be forgotten. `spec.suspend: true` wins over the annotation; `spec.suspend:
//! false` is the default and does not contradict it.

use std::{collections::BTreeMap, fmt};

use crate::{
    condition::{Conditions, Reason, Stamp, Status, Type},
    meta::{Time, Timestamp, keys, stored_time},
};

/// Who lets the object rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// `spec.suspend: true`.
    Spec,
    /// The annotation [`keys::SUSPEND`].
    Annotation,
}

/// Whether the object rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It does not.
    Active,
    /// It does.
    Suspended {
        /// When the rest ends by itself. `None` when only a change of the object ends it.
        until: Option<Time>,
        /// Who says so.
        by: By,
    },
    /// The annotation has a value without meaning. The object is reconciled as if it were absent, and says so: an object
    /// that rests for good because of a typing error would go unnoticed.
    Invalid {
        /// The value.
        value: String,
    },
}

/// Tells whether an object rests at the time `now`. A time in the past counts as absent, as do the values `false` and
/// the empty one.
pub fn state(annotations: &BTreeMap<String, String>, spec_suspend: bool, now: Timestamp) -> State {
    if spec_suspend {
        return State::Suspended { until: None, by: By::Spec };
    }
    let Some(value) = annotations.get(keys::SUSPEND) else {
        return State::Active;
    };
    match value.trim() {
        text if text.eq_ignore_ascii_case("true") => State::Suspended { until: None, by: By::Annotation },
        text if text.is_empty() || text.eq_ignore_ascii_case("false") => State::Active,
        text => match parse_time(text) {
            // Objects store whole seconds; rounding up keeps a rest from ending early.
            Some(end) if end > now => State::Suspended { until: Some(round_up(end)), by: By::Annotation },
            Some(_) => State::Active,
            None => State::Invalid { value: value.clone() },
        },
    }
}

/// An RFC 3339 time: date, time of day and offset are all required.
fn parse_time(text: &str) -> Option<Timestamp> {
    // jiff's parser takes more forms than the standard: a space for the `T`, no seconds, a zone in brackets.
    let rfc3339 = text.len() >= "2026-01-01T00:00:00Z".len()
        && matches!(text.as_bytes().get(10), Some(b'T' | b't'))
        && matches!(text.as_bytes().get(16), Some(b':'))
        && !text.contains('[');
    if rfc3339 { text.parse().ok() } else { None }
}

fn round_up(time: Timestamp) -> Time {
    let fraction = i64::from(time.subsec_nanosecond() != 0);
    Timestamp::from_second(time.as_second() + fraction).map_or(stored_time(time), Time)
}

impl State {
    /// Whether the object rests.
    pub fn is_suspended(&self) -> bool {
        matches!(self, Self::Suspended { .. })
    }

    /// When to look at the object again because its rest ends by itself.
    pub fn until(&self) -> Option<&Time> {
        match self {
            Self::Suspended { until, .. } => until.as_ref(),
            _ => None,
        }
    }

    /// Reason for condition and event.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Active => Reason::Resumed,
            Self::Suspended { .. } => Reason::Suspended,
            Self::Invalid { .. } => Reason::InvalidSuspendAnnotation,
        }
    }

    /// Brings the `Suspended` condition in line, and returns the event to send when that changed it: its reason and message.
    ///
    /// The condition is True while the annotation lets the object rest, False while the annotation is invalid, and absent
    /// otherwise. `spec.suspend` sets no condition and sends no event, as in Flux.
    pub fn apply(&self, conditions: &mut Conditions, stamp: Stamp) -> Option<(Reason, String)> {
        let before = conditions.get(Type::Suspended).map(|old| (old.status, old.message.clone()));
        let status = match self {
            Self::Suspended { by: By::Annotation, .. } => Some(Status::True),
            Self::Invalid { .. } => Some(Status::False),
            Self::Suspended { by: By::Spec, .. } | Self::Active => None,
        };
        let message = self.to_string();
        match (status, before) {
            (Some(status), before) => {
                conditions.set(Type::Suspended, status, self.reason(), message.clone(), stamp);
                let changed = before.is_none_or(|before| before != (status, message.clone()));
                changed.then(|| (self.reason(), message))
            }
            (None, Some((old, _))) => {
                conditions.delete(Type::Suspended);
                // Only the end of a rest is news; that of an invalid annotation is not, nor is a change of who suspends.
                (old == Status::True && *self == Self::Active).then(|| (self.reason(), message))
            }
            (None, None) => None,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Active => f.write_str("Reconciliation is resumed"),
            Self::Suspended { by: By::Spec, .. } => {
                f.write_str("Reconciliation is suspended by spec.suspend")
            }
            Self::Suspended { by: By::Annotation, until: None } => {
                write!(f, "Reconciliation is suspended by annotation {}: remove it to resume", keys::SUSPEND)
            }
            Self::Suspended { by: By::Annotation, until: Some(until) } => write!(
                f,
                "Reconciliation is suspended by annotation {} until {}: remove it to resume earlier",
                keys::SUSPEND,
                until.0
            ),
            Self::Invalid { value } => write!(
                f,
                "Annotation {} is neither \"true\" nor an RFC 3339 time such as 2026-12-31T18:00:00Z: {value:?}. \
                 It is ignored and reconciliation goes on",
                keys::SUSPEND
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-21T10:00:00Z";

    fn of(value: Option<&str>, spec_suspend: bool) -> State {
        let annotations =
            value.map(|value| (keys::SUSPEND.to_owned(), value.to_owned())).into_iter().collect();
        state(&annotations, spec_suspend, NOW.parse().unwrap())
    }

    fn until(text: &str) -> State {
        State::Suspended { until: Some(Time(text.parse().unwrap())), by: By::Annotation }
    }

    #[test]
    fn the_annotation_is_read() {
        let resting = State::Suspended { until: None, by: By::Annotation };
        for (value, expected) in [
            (None, State::Active),
            (Some("true"), resting.clone()),
            (Some("True"), resting.clone()),
            (Some(" true "), resting),
            (Some("false"), State::Active),
            (Some(""), State::Active),
            (Some("2026-11-21T10:00:01Z"), until("2026-11-21T10:00:01Z")),
            (Some("2026-11-21T12:00:00+02:00"), State::Active),
            (Some("2026-11-21T12:00:01.5+02:00"), until("2026-11-21T10:00:02Z")),
            (Some("2027-01-01t00:00:00z"), until("2027-01-01T00:00:00Z")),
            (Some(NOW), State::Active),
            (Some("2020-01-01T00:00:00Z"), State::Active),
        ] {
            assert_eq!(of(value, false), expected, "{value:?}");
        }
        for value in
            ["yes", "1", "2026-11-22", "2026-11-22T10:00:00", "2026-11-22 10:00:00Z", "tomorrow", "2h"]
        {
            assert_eq!(of(Some(value), false), State::Invalid { value: value.into() }, "{value:?}");
        }
    }

    #[test]
    fn the_spec_wins() {
        for value in [None, Some("true"), Some("false"), Some("nonsense"), Some("2027-01-01T00:00:00Z")] {
            assert_eq!(of(value, true), State::Suspended { until: None, by: By::Spec });
        }
    }

    #[test]
    fn a_rest_is_announced_once_in_each_direction() {
        let mut conditions = Conditions::default();
        let stamp = Stamp { generation: 1, now: NOW.parse().unwrap() };
        let resting = of(Some("2026-11-21T18:00:00Z"), false);

        let (reason, message) = resting.apply(&mut conditions, stamp).unwrap();
        assert_eq!(reason, Reason::Suspended);
        assert_eq!(
            message,
            "Reconciliation is suspended by annotation reconcile.fluxcd.io/suspend until 2026-11-21T18:00:00Z: \
             remove it to resume earlier"
        );
        assert_eq!(conditions.message(Type::Suspended), message);
        assert_eq!(resting.apply(&mut conditions, stamp), None);
        assert!(of(Some("2026-11-21T19:00:00Z"), false).apply(&mut conditions, stamp).is_some());

        let event = of(None, false).apply(&mut conditions, stamp);
        assert_eq!(event, Some((Reason::Resumed, "Reconciliation is resumed".into())));
        assert!(!conditions.has(Type::Suspended));
        assert_eq!(of(None, false).apply(&mut conditions, stamp), None);
    }

    #[test]
    fn an_invalid_annotation_is_announced_and_does_not_suspend() {
        let mut conditions = Conditions::default();
        let stamp = Stamp { generation: 1, now: NOW.parse().unwrap() };
        let invalid = of(Some("yes"), false);
        assert!(!invalid.is_suspended());
        let (reason, message) = invalid.apply(&mut conditions, stamp).unwrap();
        assert_eq!(reason, Reason::InvalidSuspendAnnotation);
        assert!(message.contains("\"yes\"") && conditions.is_false(Type::Suspended));
        assert_eq!(invalid.apply(&mut conditions, stamp), None);
        assert_eq!(of(None, false).apply(&mut conditions, stamp), None);
        assert!(!conditions.has(Type::Suspended));
    }

    #[test]
    fn the_spec_takes_over_silently() {
        let mut conditions = Conditions::default();
        let stamp = Stamp { generation: 1, now: NOW.parse().unwrap() };
        of(Some("true"), false).apply(&mut conditions, stamp);
        assert_eq!(of(Some("true"), true).apply(&mut conditions, stamp), None);
        assert!(!conditions.has(Type::Suspended));
    }
}

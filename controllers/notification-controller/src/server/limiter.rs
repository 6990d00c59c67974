//! De-duplication: the same event passes once an interval.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::alert::metadata;
use crate::digest::sha256;
use crate::event::Event;

/// Most events that are remembered, about 30 MiB of them. Beyond that the older half is forgotten, and could be told twice.
const MOST_WINDOWS: usize = 1 << 18;

/// Whether an event passes, and when its next one would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it passes.
    pub passes: bool,
    /// When the window ends, on the clock that was given.
    pub reset: Duration,
}

/// Windows of an interval, each beginning with the first occurrence of an event. Time is that since any fixed moment.
pub struct Limiter {
    interval: Duration,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    windows: HashMap<[u8; 32], Window>,
    purged: Duration,
}

struct Window {
    start: Duration,
    last_tick: u128,
}

impl Limiter {
    /// Without memory.
    pub fn new(interval: Duration) -> Self {
        Self { interval: interval.max(Duration::from_nanos(1)), seen: Mutex::default() }
    }

    /// Takes an event in.
    pub fn take(&self, event: &Event, now: Duration) -> Decision {
        let key = key(event);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        self.purge(&mut seen, now);
        let window = seen.windows.get_mut(&key);
        let (passes, start, tick) = match window {
            Some(window) if now >= window.start => {
                let tick = (now - window.start).as_nanos() / self.interval.as_nanos();
                let passes = tick > window.last_tick;
                window.last_tick = window.last_tick.max(tick);
                (passes, window.start, tick)
            }
            // Never seen, or the clock went back.
            _ => {
                make_room(&mut seen.windows, MOST_WINDOWS);
                seen.windows.insert(key, Window { start: now, last_tick: 0 });
                (true, now, 0)
            }
        };
        let ticks = u32::try_from(tick + 1).unwrap_or(u32::MAX);
        Decision { passes, reset: start.saturating_add(self.interval.saturating_mul(ticks)) }
    }

    /// Forgets what was last seen two intervals ago.
    fn purge(&self, seen: &mut Seen, now: Duration) {
        if now.saturating_sub(seen.purged) < self.interval {
            return;
        }
        seen.purged = now;
        let interval = self.interval;
        seen.windows.retain(|_, window| {
            let ticks = u32::try_from(window.last_tick).unwrap_or(u32::MAX);
            let last = window.start.saturating_add(interval.saturating_mul(ticks));
            last.saturating_add(interval * 2) >= now
        });
        seen.windows.shrink_to_fit();
    }
}

/// Forgets the older half when there are so many.
fn make_room(windows: &mut HashMap<[u8; 32], Window>, most: usize) {
    if windows.len() < most {
        return;
    }
    let mut starts: Vec<Duration> = windows.values().map(|window| window.start).collect();
    let middle = starts.len() / 2;
    let (_, median, _) = starts.select_nth_unstable(middle);
    let median = *median;
    windows.retain(|_, window| window.start > median);
}

fn key(event: &Event) -> [u8; 32] {
    let object = &event.involved;
    let mut text = format!(
        "event/name={}/namespace={}/kind={}/message={}",
        object.name, object.namespace, object.kind, event.message
    );
    for name in ["originRevision", "revision", "token"] {
        if let Some(value) = metadata::own(event, name) {
            text.push_str(&format!("/{name}={value}"));
        }
    }
    sha256(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(message: &str, metadata: &[(&str, &str)]) -> Event {
        let mut event =
            Event { message: message.to_owned(), severity: "info".to_owned(), ..Event::default() };
        event.involved.api_version = "kustomize.toolkit.fluxcd.io/v1".to_owned();
        for (key, value) in metadata {
            event.metadata.insert(format!("kustomize.toolkit.fluxcd.io/{key}"), (*value).to_owned());
        }
        event
    }

    #[test]
    fn windows_begin_with_the_first_occurrence() {
        let limiter = Limiter::new(Duration::from_secs(1));
        let start = Duration::from_millis(1234);
        for (at, passes) in
            [(0, true), (900, false), (1050, true), (1900, false), (2000, true), (3500, true), (3600, false)]
        {
            let decision = limiter.take(&event("m", &[]), start + Duration::from_millis(at));
            assert_eq!(decision.passes, passes, "{at}");
        }
        let reset = limiter.take(&event("m", &[]), start + Duration::from_millis(3700)).reset;
        assert_eq!(reset, start + Duration::from_secs(4));
    }

    #[test]
    fn what_counts_is_object_message_and_revisions() {
        let limiter = Limiter::new(Duration::from_secs(300));
        let passes = |event: &Event| limiter.take(event, Duration::from_secs(1)).passes;
        assert!(passes(&event("m", &[("revision", "1")])));
        assert!(passes(&event("m", &[("revision", "2")])));
        assert!(passes(&event("m", &[("revision", "")])));
        assert!(passes(&event("m", &[])));
        assert!(passes(&event("m", &[("token", "1")])));
        assert!(passes(&event("n", &[])));
        assert!(!passes(&event("m", &[("other", "1")])));
        let failed = Event { severity: "error".to_owned(), reason: "R".to_owned(), ..event("m", &[]) };
        assert!(!passes(&failed));
    }

    #[test]
    fn memory_has_a_bound() {
        let mut windows = HashMap::new();
        for number in 0..=255_u8 {
            make_room(&mut windows, 100);
            let start = Duration::from_secs(number.into());
            windows.insert([number; 32], Window { start, last_tick: 0 });
            assert!(windows.len() <= 100);
        }
        assert!(windows.contains_key(&[255; 32]) && windows.contains_key(&[220; 32]));
        assert!(!windows.contains_key(&[0; 32]));
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let limiter = Limiter::new(Duration::from_secs(1));
        for number in 0..100 {
            limiter.take(&event(&number.to_string(), &[]), Duration::ZERO);
        }
        limiter.take(&event("x", &[]), Duration::from_secs(10));
        assert_eq!(limiter.seen.lock().expect("a lock").windows.len(), 1);
    }
}

//! The work queue: which object runs next, and when an object that failed may run again.
//!
//! [`Queue`] is a plain value with the time as a parameter. A key waits as an entry in a map and a timer tree, never as
//! a task. The rules: a key is queued once however often it is added; a key never runs twice at once, and what happens
//! during its run makes it run once more afterwards; an event beats a delay; an earlier delay replaces a later one;
//! failures double a key's delay until it succeeds; the start-up list yields to events without starving.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

/// Time since the queue was made. The driver reads the clock.
pub type Instant = Duration;

/// How urgent an addition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// The list at start-up: everything that exists, most of it unchanged.
    Low,
    /// Somebody or something waits for it.
    High,
}

/// When a key runs again after a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Only when something happens. Failures are forgotten.
    Event,
    /// After a delay, unless something happens first. Failures are forgotten.
    After(Duration),
    /// After the key's back-off, which doubles with each failure in a row.
    Backoff,
}

/// The delays between failures of one key.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// Delay after the first failure.
    pub min: Duration,
    /// The delay never exceeds this.
    pub max: Duration,
}

impl Backoff {
    /// The delay after `failures` failures in a row, the first being number 0.
    #[must_use]
    pub fn delay(self, failures: u32) -> Duration {
        self.min.saturating_mul(1u32.checked_shl(failures.min(31)).unwrap_or(u32::MAX)).min(self.max)
    }
}

/// Every how many runs the low lane goes first although the high lane has work.
const LOW_LANE_TURN: u32 = 8;

#[derive(Debug)]
struct Entry {
    /// The number of the ticket in a lane that is the valid one.
    ready: Option<(Priority, u64, Instant)>,
    running: Option<Instant>,
    /// Something happened during the run.
    dirty: Option<Priority>,
    due: Option<(Instant, u64)>,
    failures: u32,
}

/// Keys that wait, are ready, or run.
#[derive(Debug)]
pub struct Queue<K> {
    entries: HashMap<K, Entry>,
    high: VecDeque<(u64, K)>,
    low: VecDeque<(u64, K)>,
    timers: BTreeMap<(Instant, u64), K>,
    tickets: u64,
    turns: u32,
    backoff: Backoff,
}

/// A key that was taken from the queue.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken<K> {
    /// The key; it stays marked as running until [`Queue::finish`].
    pub key: K,
    /// How long it was ready before it was taken.
    pub waited: Duration,
}

impl<K: Clone + Eq + Hash> Queue<K> {
    /// An empty queue.
    #[must_use]
    pub fn new(backoff: Backoff) -> Self {
        Self {
            entries: HashMap::new(),
            high: VecDeque::new(),
            low: VecDeque::new(),
            timers: BTreeMap::new(),
            tickets: 0,
            turns: 0,
            backoff,
        }
    }

    /// Something happened to the key: it runs as soon as a worker is free. Returns whether this changed anything.
    pub fn add(&mut self, key: &K, priority: Priority, now: Instant) -> bool {
        let ticket = self.ticket();
        let entry = entry(&mut self.entries, key);
        if entry.running.is_some() {
            let changed = entry.dirty < Some(priority);
            entry.dirty = entry.dirty.max(Some(priority));
            return changed;
        }
        if let Some(due) = entry.due.take() {
            self.timers.remove(&due);
        }
        match entry.ready {
            Some((held, ..)) if held >= priority => false,
            Some((.., since)) => {
                // The ticket in the low lane goes stale and is skipped when it comes up.
                entry.ready = Some((priority, ticket, since));
                self.high.push_back((ticket, key.clone()));
                true
            }
            None => {
                entry.ready = Some((priority, ticket, now));
                self.lane(priority).push_back((ticket, key.clone()));
                true
            }
        }
    }

    /// The key runs at `due` at the latest. Ignored when it is ready, already due earlier, or will run again anyway.
    /// For a running key it has no effect: how the run ends decides.
    pub fn add_at(&mut self, key: &K, due: Instant) {
        let ticket = self.ticket();
        let entry = entry(&mut self.entries, key);
        if entry.running.is_some() || entry.ready.is_some() {
            return;
        }
        match entry.due {
            Some((held, _)) if held <= due => return,
            Some(held) => {
                self.timers.remove(&held);
            }
            None => {}
        }
        entry.due = Some((due, ticket));
        self.timers.insert((due, ticket), key.clone());
    }

    /// The next key to run, if any is ready. It counts as running until [`Queue::finish`].
    pub fn take(&mut self, now: Instant) -> Option<Taken<K>> {
        self.ripen(now);
        self.turns = self.turns.wrapping_add(1);
        let low_first = self.turns.is_multiple_of(LOW_LANE_TURN);
        let order = if low_first { [Priority::Low, Priority::High] } else { [Priority::High, Priority::Low] };
        for lane in order {
            while let Some((ticket, key)) = self.lane(lane).pop_front() {
                let Some(entry) = self.entries.get_mut(&key) else { continue };
                match entry.ready {
                    Some((_, valid, since)) if valid == ticket => {
                        entry.ready = None;
                        entry.running = Some(now);
                        return Some(Taken { key, waited: now.saturating_sub(since) });
                    }
                    _ => {}
                }
            }
        }
        None
    }

    /// The run of a taken key ended. Returns whether the key was queued again at once.
    pub fn finish(&mut self, key: &K, next: Next, now: Instant) -> bool {
        let Some(entry) = self.entries.get_mut(key) else { return false };
        entry.running = None;
        let dirty = entry.dirty.take();
        let delay = match next {
            Next::Event => {
                entry.failures = 0;
                None
            }
            Next::After(delay) => {
                entry.failures = 0;
                Some(delay)
            }
            Next::Backoff => {
                let delay = self.backoff.delay(entry.failures);
                entry.failures = entry.failures.saturating_add(1);
                Some(delay)
            }
        };
        match (dirty, delay) {
            (Some(priority), _) => {
                self.add(key, priority, now);
                true
            }
            (None, Some(delay)) => {
                self.add_at(key, now.saturating_add(delay));
                false
            }
            (None, None) => {
                self.entries.remove(key);
                false
            }
        }
    }

    /// The object is gone: its delay and its failures are forgotten. A run in progress finishes; a ready key runs once
    /// more and finds nothing.
    pub fn forget(&mut self, key: &K) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if let Some(due) = entry.due.take() {
            self.timers.remove(&due);
        }
        entry.failures = 0;
        if entry.running.is_none() && entry.ready.is_none() {
            self.entries.remove(key);
        }
    }

    /// When the earliest delay ends, if any key waits.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.timers.first_key_value().map(|((due, _), _)| *due)
    }

    /// How many keys are ready, by priority: (high, low).
    #[must_use]
    pub fn depth(&self) -> (usize, usize) {
        self.entries.values().filter_map(|entry| entry.ready).fold((0, 0), |(high, low), (priority, ..)| {
            match priority {
                Priority::High => (high + 1, low),
                Priority::Low => (high, low + 1),
            }
        })
    }

    /// Start times of the runs in progress.
    pub fn running(&self) -> impl Iterator<Item = Instant> + '_ {
        self.entries.values().filter_map(|entry| entry.running)
    }

    /// Whether the key is running.
    #[must_use]
    pub fn is_running(&self, key: &K) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.running.is_some())
    }

    /// Failures in a row of a key.
    #[must_use]
    pub fn failures(&self, key: &K) -> u32 {
        self.entries.get(key).map_or(0, |entry| entry.failures)
    }

    fn ripen(&mut self, now: Instant) {
        while let Some(first) = self.timers.first_entry() {
            if first.key().0 > now {
                break;
            }
            let ((due, ticket), key) = first.remove_entry();
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.due = None;
                entry.ready = Some((Priority::High, ticket, due));
                self.high.push_back((ticket, key));
            }
        }
    }

    fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    fn lane(&mut self, priority: Priority) -> &mut VecDeque<(u64, K)> {
        match priority {
            Priority::High => &mut self.high,
            Priority::Low => &mut self.low,
        }
    }
}

fn entry<'a, K: Clone + Eq + Hash>(entries: &'a mut HashMap<K, Entry>, key: &K) -> &'a mut Entry {
    entries.entry(key.clone()).or_insert(Entry {
        ready: None,
        running: None,
        dirty: None,
        due: None,
        failures: 0,
    })
}

#[cfg(test)]
mod tests;

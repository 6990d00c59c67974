//! Folding events, by the rules of client-go's recorder: an event equal to an earlier one raises its count; more than ten
//! that differ only in their message become one; and an object that never stops is cut off.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::{Event, Severity};

/// Distinct messages of one reason before they are combined.
const SIMILAR: usize = 10;
/// How long messages count as similar.
const SIMILAR_WINDOW: Duration = Duration::from_secs(600);
/// Events of an object that may come at once.
const BURST: f64 = 25.0;
/// Time until one more is allowed.
const REFILL: Duration = Duration::from_secs(300);
/// Entries of each table; the oldest go first.
const CAPACITY: usize = 4096;

/// What to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Send {
    /// A new Event.
    Create {
        /// Its message.
        message: String,
        /// The number under which its name is to be remembered.
        id: u64,
    },
    /// An earlier Event happened again.
    Repeat {
        /// Name of the Event in the API server.
        name: String,
        /// Its message now.
        message: String,
        /// Its count now.
        count: u32,
        /// As in [`Send::Create`].
        id: u64,
    },
    /// Nothing: the object is too noisy.
    Nothing,
}

type Group = (String, String, String, String, Severity, String);

/// What was sent before.
#[derive(Debug, Default)]
pub(super) struct Correlator {
    buckets: Table<String, Bucket>,
    similar: Table<Group, Similar>,
    sent: Table<(Group, String), Sent>,
    ids: HashMap<u64, (Group, String)>,
    next: u64,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Duration,
}

#[derive(Debug, Default)]
struct Similar {
    messages: HashSet<String>,
    last: Duration,
}

#[derive(Debug)]
struct Sent {
    name: Option<String>,
    count: u32,
    id: u64,
}

impl Correlator {
    /// Decides about an event. `now` is time since an arbitrary start.
    pub(super) fn decide(&mut self, event: &Event, now: Duration) -> Send {
        let involved = &event.involved;
        if !self.allowed(format!("{}/{}", involved.uid, involved.name), now) {
            return Send::Nothing;
        }
        let group: Group = (
            involved.kind.clone(),
            involved.namespace.clone(),
            involved.name.clone(),
            involved.uid.clone(),
            event.severity,
            event.reason.clone(),
        );
        let similar = self.similar.entry(group.clone(), Similar::default);
        if now.saturating_sub(similar.last) > SIMILAR_WINDOW {
            similar.messages.clear();
        }
        similar.last = now;
        similar.messages.insert(event.message.clone());
        let (key, message) = if similar.messages.len() > SIMILAR {
            // All share one entry; only the text is that of the last.
            ((group, String::new()), format!("(combined from similar events): {}", event.message))
        } else {
            ((group, event.message.clone()), event.message.clone())
        };
        let next = &mut self.next;
        let sent = self.sent.entry(key.clone(), || {
            *next += 1;
            Sent { name: None, count: 0, id: *next }
        });
        sent.count += 1;
        let id = sent.id;
        if self.ids.len() > CAPACITY {
            self.ids.clear();
        }
        self.ids.insert(id, key);
        match &sent.name {
            Some(name) => Send::Repeat { name: name.clone(), message, count: sent.count, id },
            None => {
                sent.count = 1;
                Send::Create { message, id }
            }
        }
    }

    /// Remembers the name of the Event that was created, or forgets it when it could not be or has vanished.
    pub(super) fn named(&mut self, id: u64, name: Option<String>) {
        if let Some(sent) = self.ids.get(&id).and_then(|key| self.sent.get_mut(key)) {
            if name.is_none() || sent.name.is_none() {
                sent.count = 1;
            }
            sent.name = name;
        }
    }

    fn allowed(&mut self, object: String, now: Duration) -> bool {
        let bucket = self.buckets.entry(object, || Bucket { tokens: BURST, filled: now });
        let refill = now.saturating_sub(bucket.filled).as_secs_f64() / REFILL.as_secs_f64();
        bucket.filled = now;
        bucket.tokens = (bucket.tokens + refill).min(BURST);
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= 1.0;
        }
        allowed
    }
}

/// A map that forgets its oldest entries.
#[derive(Debug)]
struct Table<K, V> {
    entries: HashMap<K, V>,
    order: std::collections::VecDeque<K>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), order: std::collections::VecDeque::new() }
    }
}

impl<K: Clone + Eq + std::hash::Hash, V> Table<K, V> {
    fn entry(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        if !self.entries.contains_key(&key) {
            self.order.push_back(key.clone());
            if self.order.len() > CAPACITY
                && let Some(oldest) = self.order.pop_front()
            {
                self.entries.remove(&oldest);
            }
        }
        self.entries.entry(key).or_insert_with(make)
    }

    fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key)
    }
}

#[cfg(test)]
mod tests {
    use api::meta::Timestamp;

    use super::*;
    use crate::events::Involved;

    fn event(name: &str, message: &str) -> Event {
        Event {
            involved: Involved {
                kind: "GitRepository".into(),
                namespace: "apps".into(),
                name: name.into(),
                uid: format!("uid-{name}"),
                api_version: "source.toolkit.fluxcd.io/v1".into(),
                resource_version: "1".into(),
            },
            severity: Severity::Warning,
            reason: "GitOperationFailed".into(),
            message: message.into(),
            metadata: std::collections::BTreeMap::new(),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    fn create(correlator: &mut Correlator, event: &Event, at: u64) -> u64 {
        match correlator.decide(event, Duration::from_secs(at)) {
            Send::Create { id, .. } => id,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn equal_events_are_counted() {
        let mut correlator = Correlator::default();
        let id = create(&mut correlator, &event("a", "no route"), 0);
        correlator.named(id, Some("a.1".into()));
        for count in 2..5 {
            let Send::Repeat { name, count: counted, .. } =
                correlator.decide(&event("a", "no route"), Duration::ZERO)
            else {
                panic!()
            };
            assert_eq!((name.as_str(), counted), ("a.1", count));
        }
        create(&mut correlator, &event("b", "no route"), 0);
        correlator.named(id, None);
        create(&mut correlator, &event("a", "no route"), 0);
    }

    #[test]
    fn many_similar_events_become_one() {
        let mut correlator = Correlator::default();
        for number in 0..10 {
            let id = create(&mut correlator, &event("a", &format!("attempt {number}")), 0);
            correlator.named(id, Some(format!("a.{number}")));
        }
        let Send::Create { message, id } = correlator.decide(&event("a", "attempt 10"), Duration::ZERO)
        else {
            panic!()
        };
        assert_eq!(message, "(combined from similar events): attempt 10");
        correlator.named(id, Some("a.combined".into()));
        let Send::Repeat { name, message, count, .. } =
            correlator.decide(&event("a", "attempt 11"), Duration::ZERO)
        else {
            panic!()
        };
        assert_eq!((name.as_str(), count), ("a.combined", 2));
        assert_eq!(message, "(combined from similar events): attempt 11");
        // After the window they are different again.
        create(&mut correlator, &event("a", "attempt 12"), 601);
    }

    #[test]
    fn a_noisy_object_is_cut_off_and_others_are_not() {
        let mut correlator = Correlator::default();
        let id = create(&mut correlator, &event("a", "x"), 0);
        correlator.named(id, Some("a.1".into()));
        let passed =
            (0..40).filter(|_| correlator.decide(&event("a", "x"), Duration::ZERO) != Send::Nothing).count();
        assert_eq!(passed, 24);
        assert_ne!(correlator.decide(&event("a", "x"), Duration::from_secs(301)), Send::Nothing);
        create(&mut correlator, &event("b", "x"), 0);
    }
}

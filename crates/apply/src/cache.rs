//! What is known of the objects of one watch: what the API server showed last, and what we applied last.

use std::collections::HashMap;
use std::time::Duration;

use object::Owner;
use tokio::time::Instant;

use crate::observation::Observation;
use crate::policy::What;

/// The state that an apply left behind; while it still holds, applying the same manifest again would change nothing.
#[derive(Debug, Clone)]
pub(crate) struct Applied {
    /// Hash of the manifest.
    pub manifest: u64,
    /// Hash of our managed-fields entry afterwards.
    pub ours: u64,
    pub uid: Box<str>,
    pub owner: Owner,
}

#[derive(Debug, Default)]
struct Record {
    observed: Option<Observation>,
    applied: Option<Applied>,
    /// Writes of ours under way: their events are no drift.
    writing: u32,
    drifts: u32,
    last_drift: Option<Instant>,
}

/// An owner to tell, and how long it should wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub owner: Owner,
    pub what: What,
    pub delay: Duration,
}

/// `namespace/name`, the key of an object within its kind.
pub(crate) fn key_of(namespace: &str, name: &str) -> String {
    let mut key = String::with_capacity(namespace.len() + name.len() + 1);
    key.push_str(namespace);
    key.push('/');
    key.push_str(name);
    key
}

/// The objects of one watch.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    records: HashMap<Box<str>, Record>,
}

/// A pause after which an object that drifted before counts as calm again.
const CALM: Duration = Duration::from_secs(600);
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(300);

impl Cache {
    /// What the API server showed last.
    pub fn observed(&self, key: &str) -> Option<&Observation> {
        self.records.get(key)?.observed.as_ref()
    }

    /// Everything there is.
    pub fn all(&self) -> impl Iterator<Item = &Observation> {
        self.records.values().filter_map(|r| r.observed.as_ref())
    }

    /// True when the object is as an earlier apply of the same manifest for the same owner left it.
    pub fn is_settled(&self, key: &str, manifest: u64, owner: &Owner) -> bool {
        let Some(record) = self.records.get(key) else {
            return false;
        };
        match (&record.observed, &record.applied) {
            (Some(observed), Some(applied)) => {
                record.writing == 0
                    && applied.manifest == manifest
                    && applied.owner == *owner
                    && applied.ours == observed.ours
                    && applied.uid == observed.uid
                    && !needs_cleanup(observed)
            }
            _ => false,
        }
    }

    /// Takes in an object that a watch showed.
    pub fn see(&mut self, key: &str, seen: Observation) -> Seen {
        let record = self.records.entry(key.into()).or_default();
        let previous = record.observed.as_ref();
        if previous.is_some_and(|p| p.version >= seen.version) {
            return Seen::default();
        }
        // Each state is reported once: an owner that could not repair it has its own retries.
        let news = previous.is_none_or(|p| {
            p.ours != seen.ours || p.uid != seen.uid || needs_cleanup(p) != needs_cleanup(&seen)
        });
        record.observed = Some(seen);
        Seen { fresh: true, notice: if news { record.drift() } else { None } }
    }

    /// Takes in that an object is gone, or left the selection, at a version of the cluster.
    pub fn lose(&mut self, key: &str, version: u64) -> Seen {
        let Some(record) = self.records.get_mut(key) else {
            return Seen::default();
        };
        // Made again since.
        if record.observed.as_ref().is_none_or(|o| o.version > version) {
            return Seen::default();
        }
        record.observed = None;
        let notice = record
            .applied
            .take()
            .filter(|_| record.writing == 0)
            .map(|applied| record.notice(applied.owner, What::Deleted));
        if record.writing == 0 && notice.is_none() {
            self.records.remove(key);
        }
        Seen { fresh: true, notice }
    }

    /// The keys that a list of the given version did not show although it should have.
    pub fn missing_from(&self, shown: &std::collections::HashSet<String>, version: u64) -> Vec<String> {
        self.records
            .iter()
            .filter(|(key, record)| {
                !shown.contains(&***key) && record.observed.as_ref().is_some_and(|o| o.version <= version)
            })
            .map(|(key, _)| key.to_string())
            .collect()
    }

    /// A write of ours begins.
    pub fn begin(&mut self, key: &str) {
        self.records.entry(key.into()).or_default().writing += 1;
    }

    /// A write of ours ended with an answer.
    pub fn finish(&mut self, key: &str, answer: Observation, manifest: u64, owner: &Owner) -> Seen {
        let record = self.records.entry(key.into()).or_default();
        record.writing = record.writing.saturating_sub(1);
        record.applied =
            Some(Applied { manifest, ours: answer.ours, uid: answer.uid.clone(), owner: owner.clone() });
        match record.observed.as_mut() {
            Some(observed) if observed.version > answer.version => Seen {
                fresh: false,
                // Somebody wrote after us, and the event came first.
                notice: record.drift(),
            },
            Some(observed) if observed.version == answer.version => {
                observed.content = observed.content.or(answer.content);
                Seen::default()
            }
            _ => {
                record.observed = Some(answer);
                Seen { fresh: true, notice: None }
            }
        }
    }

    /// A write of ours ended without an answer that tells what is there now.
    pub fn abort(&mut self, key: &str) {
        if let Some(record) = self.records.get_mut(key) {
            record.writing = record.writing.saturating_sub(1);
            record.applied = None;
        }
    }

    /// Takes in an object that was read on purpose. What it tells is news to nobody.
    pub fn learn(&mut self, key: &str, read: Observation) {
        let record = self.records.entry(key.into()).or_default();
        match record.observed.as_mut() {
            Some(observed) if observed.version > read.version => {}
            Some(observed) if observed.version == read.version => {
                observed.content = observed.content.or(read.content);
            }
            _ => record.observed = Some(read),
        }
    }

    /// A dry-run or a comparison showed that the manifest would change nothing of the object as it is at `version`.
    pub fn settle(&mut self, key: &str, version: u64, manifest: u64, owner: &Owner) {
        if let Some(record) = self.records.get_mut(key)
            && let Some(observed) = &record.observed
            && observed.version == version
        {
            record.applied = Some(Applied {
                manifest,
                ours: observed.ours,
                uid: observed.uid.clone(),
                owner: owner.clone(),
            });
        }
    }

    /// Forgets what was applied: the object's absence will be no surprise.
    pub fn disown(&mut self, key: &str) {
        if let Some(record) = self.records.get_mut(key) {
            record.applied = None;
            if record.observed.is_none() && record.writing == 0 {
                self.records.remove(key);
            }
        }
    }

    /// Forgets everything that was applied for an owner.
    pub fn disown_all(&mut self, owner: &Owner) {
        self.records.retain(|_, record| {
            if record.applied.as_ref().is_some_and(|a| a.owner == *owner) {
                record.applied = None;
            }
            record.applied.is_some() || record.observed.is_some() || record.writing > 0
        });
    }

    /// Whether anything here was applied by us and is still of interest.
    pub fn in_use(&self) -> bool {
        self.records.values().any(|r| r.applied.is_some() || r.writing > 0)
    }
}

/// What an event meant.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// It told something new: somebody who waits for the object should look.
    pub fresh: bool,
    /// Somebody who owns the object should look.
    pub notice: Option<Notice>,
}

fn needs_cleanup(observed: &Observation) -> bool {
    observed.cleanup && observed.switches.ssa != object::SsaMode::Merge
}

impl Record {
    /// A notice when the object is not as we left it.
    fn drift(&mut self) -> Option<Notice> {
        let (observed, applied) = (self.observed.as_ref()?, self.applied.as_ref()?);
        let as_left =
            observed.ours == applied.ours && observed.uid == applied.uid && !needs_cleanup(observed);
        let taken_by_another = observed.owner.as_ref().is_some_and(|o| *o != applied.owner);
        if as_left || self.writing > 0 || taken_by_another {
            return None;
        }
        let owner = applied.owner.clone();
        Some(self.notice(owner, What::Drift))
    }

    fn notice(&mut self, owner: Owner, what: What) -> Notice {
        let now = Instant::now();
        if self.last_drift.is_some_and(|last| now - last > CALM) {
            self.drifts = 0;
        }
        let delay = match self.drifts {
            0 => Duration::ZERO,
            n => FIRST_DELAY.saturating_mul(1_u32.checked_shl(n - 1).unwrap_or(u32::MAX)).min(LONGEST_DELAY),
        };
        self.drifts = self.drifts.saturating_add(1);
        self.last_drift = Some(now);
        Notice { owner, what, delay }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kstatus::{Health, Status};
    use object::Switches;

    fn owner() -> Owner {
        Owner { namespace: "flux-system".into(), name: "apps".into() }
    }

    fn seen(version: u64, ours: u64) -> Observation {
        Observation {
            namespace: "a".into(),
            name: "b".into(),
            uid: "u".into(),
            version,
            deleting: false,
            owner: Some(owner()),
            switches: Switches::default(),
            ours,
            cleanup: false,
            content: Some(1),
            health: Health::new(Status::Current, ""),
        }
    }

    /// An object applied as manifest 9, at version 10, with our fields hashing to 5.
    fn applied() -> Cache {
        let mut cache = Cache::default();
        cache.begin("a/b");
        cache.finish("a/b", seen(10, 5), 9, &owner());
        cache
    }

    #[test]
    fn settled_until_our_fields_change() {
        let mut cache = applied();
        assert!(cache.is_settled("a/b", 9, &owner()));
        assert!(!cache.is_settled("a/b", 8, &owner()));
        assert_eq!(cache.see("a/b", seen(11, 5)).notice, None);
        assert!(cache.is_settled("a/b", 9, &owner()));
        let notice = cache.see("a/b", seen(12, 6)).notice.unwrap();
        assert_eq!((notice.what, notice.delay), (What::Drift, Duration::ZERO));
        assert!(!cache.is_settled("a/b", 9, &owner()));
    }

    #[test]
    fn one_drift_is_told_once() {
        let mut cache = applied();
        assert!(cache.see("a/b", seen(12, 6)).notice.is_some());
        assert_eq!(cache.see("a/b", seen(13, 6)).notice, None);
    }

    #[test]
    fn events_of_our_own_write_are_no_drift() {
        // The event comes before the answer.
        let mut cache = applied();
        cache.begin("a/b");
        assert_eq!(cache.see("a/b", seen(11, 7)).notice, None);
        assert_eq!(cache.finish("a/b", seen(11, 7), 10, &owner()), Seen::default());
        assert!(cache.is_settled("a/b", 10, &owner()));
        // The event comes after the answer.
        cache.begin("a/b");
        cache.finish("a/b", seen(12, 8), 11, &owner());
        assert_eq!(cache.see("a/b", seen(12, 8)), Seen::default());
        // An old event is ignored.
        assert_eq!(cache.see("a/b", seen(11, 7)), Seen::default());
    }

    #[test]
    fn a_foreign_write_between_ours_and_its_answer_is_drift() {
        let mut cache = applied();
        cache.begin("a/b");
        assert_eq!(cache.see("a/b", seen(12, 99)).notice, None);
        let end = cache.finish("a/b", seen(11, 7), 10, &owner());
        assert_eq!(end.notice.unwrap().what, What::Drift);
    }

    #[test]
    fn deletion_is_told_unless_it_is_ours_or_old() {
        let mut cache = applied();
        assert_eq!(cache.lose("a/b", 9), Seen::default());
        assert_eq!(cache.lose("a/b", 11).notice.unwrap().what, What::Deleted);
        assert!(!cache.is_settled("a/b", 9, &owner()));

        let mut cache = applied();
        cache.disown("a/b");
        assert_eq!(cache.lose("a/b", 11).notice, None);
        assert!(!cache.in_use());
    }

    #[test]
    fn a_list_finds_what_vanished_but_not_what_is_newer() {
        let mut cache = applied();
        cache.see("a/c", seen(20, 0));
        assert_eq!(cache.missing_from(&Default::default(), 15), ["a/b"]);
    }

    #[test]
    fn a_fight_slows_down() {
        let mut cache = applied();
        let mut delays = Vec::new();
        for round in 0..5_u64 {
            let version = 20 + round * 2;
            let notice = cache.see("a/b", seen(version, 100 + round)).notice.unwrap();
            delays.push(notice.delay.as_secs());
            cache.begin("a/b");
            cache.finish("a/b", seen(version + 1, 5), 9, &owner());
        }
        assert_eq!(delays, [0, 1, 2, 4, 8]);
    }

    #[test]
    fn fields_to_take_over_are_drift() {
        let mut cache = applied();
        let mut edited = seen(12, 5);
        edited.cleanup = true;
        assert!(cache.see("a/b", edited.clone()).notice.is_some());
        let mut cache = applied();
        edited.switches.ssa = object::SsaMode::Merge;
        assert_eq!(cache.see("a/b", edited).notice, None);
    }

    #[test]
    fn another_owner_took_the_object() {
        let mut cache = applied();
        let mut moved = seen(12, 6);
        moved.owner = Some(Owner { namespace: "x".into(), name: "y".into() });
        assert_eq!(cache.see("a/b", moved).notice, None);
    }

    #[test]
    fn a_lost_answer_settles_nothing() {
        let mut cache = applied();
        cache.begin("a/b");
        cache.abort("a/b");
        assert!(!cache.is_settled("a/b", 9, &owner()));
        cache.settle("a/b", 9, 9, &owner());
        assert!(!cache.is_settled("a/b", 9, &owner()), "settled at another version");
        cache.settle("a/b", 10, 9, &owner());
        assert!(cache.is_settled("a/b", 9, &owner()));
    }
}

//! Interrupts: what ends the wait of a run in progress once its object has something new to look at. With gate
//! `CancelHealthCheckOnNewRevision`; the words are Flux's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::Key;

/// Message of the condition that tells of a cancelled wait. `trigger` is `Kind/namespace/name` of what is new.
#[must_use]
pub fn message(trigger: &str) -> String {
    format!("New reconciliation triggered by {trigger}")
}

/// Text of the event that tells of it.
#[must_use]
pub fn event(trigger: &str) -> String {
    format!("Health checks canceled due to new reconciliation triggered by {trigger}")
}

#[derive(Default)]
struct Running {
    token: CancellationToken,
    trigger: Option<String>,
}

/// The runs in progress that can be interrupted. Cheap to clone.
#[derive(Clone, Default)]
pub struct Interrupts(Arc<Mutex<HashMap<Key, Running>>>);

/// A run in progress; it is over when this is dropped.
pub struct Interruptible {
    interrupts: Interrupts,
    key: Key,
}

impl Drop for Interruptible {
    fn drop(&mut self) {
        self.interrupts.running().remove(&self.key);
    }
}

impl Interrupts {
    fn running(&self) -> MutexGuard<'_, HashMap<Key, Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run over an object begins.
    #[must_use]
    pub fn begin(&self, key: &Key) -> Interruptible {
        self.running().insert(key.clone(), Running::default());
        Interruptible { interrupts: self.clone(), key: key.clone() }
    }

    /// Something happened that the next run over an object has to look at: waits of the run in progress, if there is one,
    /// end.
    pub fn interrupt(&self, key: &Key, trigger: impl FnOnce() -> String) {
        if let Some(running) = self.running().get_mut(key) {
            running.trigger.get_or_insert_with(trigger);
            running.token.cancel();
        }
    }

    /// Cancelled when the run over an object is interrupted.
    #[must_use]
    pub fn token(&self, key: &Key) -> CancellationToken {
        self.running().get(key).map(|running| running.token.clone()).unwrap_or_default()
    }

    /// What interrupted the run over an object first, if anything did.
    #[must_use]
    pub fn trigger(&self, key: &Key) -> Option<String> {
        self.running().get(key)?.trigger.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_interrupted_by_what_comes_first_and_only_while_it_lasts() {
        let (interrupts, key) = (Interrupts::default(), Key::new("ns", "a"));
        interrupts.interrupt(&key, || "early".to_owned());
        let run = interrupts.begin(&key);
        let token = interrupts.token(&key);
        assert!(!token.is_cancelled() && interrupts.trigger(&key).is_none());
        interrupts.interrupt(&Key::new("ns", "b"), || "other".to_owned());
        assert!(!token.is_cancelled());
        interrupts.interrupt(&key, || "HelmChart/ns/c".to_owned());
        interrupts.interrupt(&key, || "Secret/ns/s".to_owned());
        assert!(token.is_cancelled());
        assert_eq!(interrupts.trigger(&key).as_deref(), Some("HelmChart/ns/c"));
        drop(run);
        assert!(interrupts.trigger(&key).is_none() && !interrupts.token(&key).is_cancelled());
    }
}

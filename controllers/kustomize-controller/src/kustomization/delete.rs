//! Delete: the end of a Kustomization, and by its policy that of what it owns.

use std::sync::Arc;

use api::kustomize::{DeletionPolicy, Kustomization};
use api::meta::Timestamp;
use api::object::Reconciled as _;
use apply::{Action, Target};
use object::ObjectRef;
use runtime::{Key, Outcome, Priority, Severity};
use tokio::time::Instant;

use super::Kustomizations;
use super::deliver::owner;
use super::ledger::{Ledger, WriteError};
use super::memory::Termination;

/// Whether the end of an object is the end of what it owns.
pub fn takes_objects_along(kustomization: &Kustomization, now: Timestamp) -> bool {
    let by_policy = match kustomization.spec.deletion_policy() {
        DeletionPolicy::MirrorPrune => kustomization.spec.prune,
        DeletionPolicy::Delete | DeletionPolicy::WaitForTermination => true,
        DeletionPolicy::Orphan => false,
    };
    by_policy && !kustomization.suspend_state(now).is_suspended()
}

impl Kustomizations {
    pub(super) async fn delete(
        &self,
        object: &Arc<Kustomization>,
        key: &Key,
        ledger: &mut Ledger,
    ) -> Result<Outcome, WriteError> {
        match self.remember(key, |memory| {
            memory.parked = None;
            memory.termination.clone()
        }) {
            Some(Termination::Waiting) => return Ok(Outcome::Done),
            Some(Termination::Over(left)) => {
                if left > 0 {
                    self.emit(ledger, Severity::Warning, "failed to wait for resources termination", None);
                }
                return self.release(object).await;
            }
            None => {}
        }
        let owned = ledger.draft.owned();
        if owned.is_empty() || !takes_objects_along(object, Timestamp::now()) {
            return self.release(object).await;
        }
        if !self.identities.can_act(object).await {
            let list: Vec<String> =
                owned.iter().filter_map(|entry| entry.parse().ok()).map(|o| o.to_string()).collect();
            let text = format!("unable to prune objects: \n{}", list.join("\n"));
            tracing::error!("{text}");
            self.emit(ledger, Severity::Warning, &text, None);
            return self.release(object).await;
        }
        let identity = match self.identities.of(object).await {
            Ok(identity) => identity,
            Err(text) => return Ok(Outcome::Failed(text.into())),
        };
        let pruned = identity.target.prune(&owner(object), &owned).await;
        if let Some(error) = pruned.error {
            self.emit(ledger, Severity::Warning, "pruning for deleted resource failed", None);
            return Ok(Outcome::Failed(error.into()));
        }
        let lines: Vec<String> = pruned.entries.iter().map(ToString::to_string).collect();
        tracing::info!(output = lines.join("\n"), "garbage collection completed");
        self.emit(ledger, Severity::Normal, &lines.join("\n"), None);
        if object.spec.deletion_policy() == DeletionPolicy::WaitForTermination {
            let deleted = pruned.entries.into_iter().filter(|entry| entry.action == Action::Deleted);
            self.await_termination(object, key, identity.target, deleted.map(|entry| entry.object).collect());
            return Ok(Outcome::Done);
        }
        self.release(object).await
    }

    /// Waits on watches, in a task that wakes the object at the end.
    fn await_termination(&self, object: &Kustomization, key: &Key, target: Target, objects: Vec<ObjectRef>) {
        self.remember(key, |memory| memory.termination = Some(Termination::Waiting));
        let (memory, wake, key) = (Arc::clone(&self.memory), self.wake.clone(), key.clone());
        let deadline = Instant::now() + object.spec.timeout();
        tokio::spawn(async move {
            let left = target.wait_gone(&objects, deadline).await.len();
            memory
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .entry(key.clone())
                .or_default()
                .termination = Some(Termination::Over(left));
            wake.enqueue(&key, Priority::High);
        });
    }

    async fn release(&self, object: &Arc<Kustomization>) -> Result<Outcome, WriteError> {
        self.writer.remove_finalizer(object).await?;
        Ok(Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn policies() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let taken = |prune: bool, policy: Option<&str>, suspend: bool| {
            let mut spec = json!({"interval": "1m", "prune": prune, "suspend": suspend, "sourceRef": {"kind": "Bucket", "name": "b"}});
            if let Some(policy) = policy {
                spec["deletionPolicy"] = json!(policy);
            }
            let object = json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": "a"}, "spec": spec});
            takes_objects_along(&serde_json::from_value(object).unwrap(), now)
        };
        for (prune, policy, expected) in [
            (true, None, true),
            (false, None, false),
            (true, Some("MirrorPrune"), true),
            (false, Some("Delete"), true),
            (false, Some("WaitForTermination"), true),
            (true, Some("Orphan"), false),
        ] {
            assert_eq!(taken(prune, policy, false), expected, "{prune} {policy:?}");
            assert!(!taken(prune, policy, true), "a resting object leaves everything as it is");
        }
    }
}

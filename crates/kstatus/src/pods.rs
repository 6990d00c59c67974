use crate::{Health, Status};

/// What the Pods of a StatefulSet or ReplicaSet say about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodCensus {
    failed: Vec<String>,
}

impl PodCensus {
    /// Counts a Pod, given its own health. Pods being deleted and Pods that only wait for a node do not count.
    pub fn add(&mut self, name: &str, deleting: Deleting, health: &Health) {
        if health.status == Status::Failed && deleting == Deleting::No && !health.unschedulable {
            self.failed.push(format!("{name}: {}", health.message));
        }
    }
}

/// Whether a Pod is being deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleting {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// How many failed Pods a message names.
const NAMED_PODS: usize = 3;

/// The health of a StatefulSet or ReplicaSet in the light of its Pods: one that is in progress while a Pod has failed
/// has failed itself.
pub fn with_pods(owner: Health, census: &PodCensus) -> Health {
    if owner.status != Status::InProgress || census.failed.is_empty() {
        return owner;
    }
    let mut named = census.failed.clone();
    named.sort();
    let count = named.len();
    named.truncate(NAMED_PODS);
    Health::failed(format!("{count} pods have failed ({})", named.join("; ")))
}

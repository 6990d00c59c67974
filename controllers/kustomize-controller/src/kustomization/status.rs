//! Status: what a pass leaves behind on the object. Pure: the time comes in with the stamp.

use std::collections::BTreeMap;
use std::time::Duration;

use api::condition::{Reason, Stamp, Status, Type, finish_pass};
use api::kustomize::{Inventory, InventoryEntry, KustomizationStatus};
use api::meta::{Artifact, go_duration, keys};

/// How far a pass got; the text stands in the Reconciling condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Downloading the artifact.
    Fetching,
    /// Building the objects.
    Building,
    /// Comparing with the cluster, and applying.
    Detecting,
    /// Waiting for health.
    Checking,
}

impl Phase {
    /// The message of the Reconciling condition.
    pub fn message(self, revision: &str, timeout: Duration) -> String {
        let doing = match self {
            Phase::Fetching => "Fetching manifests",
            Phase::Building => "Building manifests",
            Phase::Detecting => "Detecting drift",
            Phase::Checking => "Running health checks",
        };
        format!("{doing} for revision {revision} with a timeout of {}", go_duration(timeout))
    }
}

/// What is said about a source's origin: set on success, absent when the artifact does not say.
pub fn origin_revision(artifact: &Artifact) -> Option<&str> {
    artifact.metadata.get(keys::artifact::ORIGIN_REVISION).map(String::as_str).filter(|text| !text.is_empty())
}

/// The status while a pass works on it.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What will be written.
    pub status: KustomizationStatus,
    stamp: Stamp,
}

impl Draft {
    /// Starts from what the object says now.
    pub fn new(status: Option<&KustomizationStatus>, stamp: Stamp) -> Self {
        let status = status
            .cloned()
            .unwrap_or_else(|| KustomizationStatus { observed_generation: -1, ..Default::default() });
        Draft { status, stamp }
    }

    /// Moves the clock on.
    pub fn at(&mut self, stamp: Stamp) {
        self.stamp = stamp;
    }

    /// Marks that the pass is at work in a phase.
    pub fn progress(&mut self, phase: Phase, revision: &str, timeout: Duration) {
        let message = phase.message(revision, timeout);
        let conditions = &mut self.status.conditions;
        conditions.mark_unknown(Type::Ready, Reason::Progressing, "Reconciliation in progress", self.stamp);
        conditions.mark_reconciling(Reason::Progressing, message.clone(), self.stamp);
        if phase == Phase::Checking {
            conditions.mark_unknown(Type::Healthy, Reason::Progressing, message, self.stamp);
        }
    }

    /// Something has to happen first: Reconciling stays as it was.
    pub fn not_ready(&mut self, reason: Reason, message: impl Into<String>) {
        self.status.conditions.mark_false(Type::Ready, reason, message, self.stamp);
    }

    /// The pass failed. Reconciling stays, with the phase that the pass got to.
    pub fn failed(&mut self, reason: Reason, message: impl Into<String>, phase: &str) {
        if !phase.is_empty() {
            self.status.conditions.mark_reconciling(Reason::ProgressingWithRetry, phase, self.stamp);
        }
        self.not_ready(reason, message);
    }

    /// Only a change of the configuration helps. The generation counts as handled, so that readers see a failure and not
    /// an endless wait.
    pub fn stalled(&mut self, reason: Reason, message: &str) {
        self.not_ready(reason, message);
        self.status.conditions.mark_stalled(reason, message, self.stamp);
        self.status.observed_generation = self.stamp.generation;
    }

    /// The pass succeeded.
    pub fn succeeded(&mut self, artifact: &Artifact) {
        let conditions = &mut self.status.conditions;
        conditions.delete(Type::Reconciling);
        conditions.delete(Type::Stalled);
        let message = format!("Applied revision: {}", artifact.revision);
        conditions.mark_true(Type::Ready, Reason::ReconciliationSucceeded, message, self.stamp);
        self.status.last_applied_revision = Some(artifact.revision.clone());
        self.status.last_applied_origin_revision = origin_revision(artifact).map(str::to_owned);
    }

    /// All objects are healthy after a wait.
    pub fn healthy(&mut self, waited: Duration) {
        // Whole milliseconds: the time is for people, and changes the condition each time.
        let waited = Duration::from_millis(waited.as_millis().try_into().unwrap_or(u64::MAX));
        let message = format!("Health check passed in {}", go_duration(waited));
        self.status.conditions.mark_true(Type::Healthy, Reason::Succeeded, message, self.stamp);
    }

    /// Health failed.
    pub fn unhealthy(&mut self, reason: Reason, message: impl Into<String>) {
        self.status.conditions.mark_false(Type::Healthy, reason, message, self.stamp);
    }

    /// Health is not asked for.
    pub fn forget_health(&mut self) {
        self.status.conditions.delete(Type::Healthy);
    }

    /// Takes the pass into the history.
    pub fn record(&mut self, digest: &str, reason: Reason, took: Duration, artifact: &Artifact) {
        let mut metadata = BTreeMap::from([("revision".to_owned(), artifact.revision.clone())]);
        if let Some(origin) = origin_revision(artifact) {
            metadata.insert("originRevision".to_owned(), origin.to_owned());
        }
        self.status.history.upsert(digest, reason.as_str(), self.stamp.now, took, metadata);
    }

    /// Sets the inventory.
    pub fn own(&mut self, entries: &[object::InventoryEntry]) {
        self.status.inventory = Some(Inventory { entries: entries.iter().map(written).collect() });
    }

    /// What the object owns.
    pub fn owned(&self) -> Vec<object::InventoryEntry> {
        owned(&self.status)
    }

    /// Ends the pass, however it went.
    pub fn finish(&mut self, requested_at: Option<&str>) {
        let status = &mut self.status;
        finish_pass(
            &mut status.conditions,
            &mut status.observed_generation,
            &mut status.last_handled_reconcile_at,
            requested_at,
            self.stamp,
        );
    }

    /// Whether Healthy is true.
    pub fn was_healthy(&self) -> bool {
        self.status.conditions.get(Type::Healthy).is_some_and(|condition| condition.status == Status::True)
    }
}

/// What an object owns by its status.
pub fn owned(status: &KustomizationStatus) -> Vec<object::InventoryEntry> {
    let entries = status.inventory.iter().flat_map(|inventory| &inventory.entries);
    entries.map(|entry| object::InventoryEntry { id: entry.id.clone(), version: entry.v.clone() }).collect()
}

fn written(entry: &object::InventoryEntry) -> InventoryEntry {
    InventoryEntry { id: entry.id.clone(), v: entry.version.clone() }
}

/// `old` and whatever of `new` is not in it: what has to be written down before anything new is created.
pub fn union(old: &[object::InventoryEntry], new: &[object::InventoryEntry]) -> Vec<object::InventoryEntry> {
    let mut all = object::difference(old, new);
    all.extend_from_slice(new);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stamp(generation: i64, now: &str) -> Stamp {
        Stamp { generation, now: now.parse().unwrap() }
    }

    fn artifact(revision: &str, origin: Option<&str>) -> Artifact {
        let metadata = origin.map(|o| json!({"org.opencontainers.image.revision": o})).unwrap_or(json!({}));
        let value = json!({"path": "p", "url": "http://x", "revision": revision, "digest": "sha256:00",
            "lastUpdateTime": "2026-01-01T00:00:00Z", "metadata": metadata});
        serde_json::from_value(value).unwrap()
    }

    const T: &str = "2026-11-21T10:00:00Z";

    fn reasons(draft: &Draft) -> Vec<(String, String, Status)> {
        draft.status.conditions.0.iter().map(|c| (c.type_.clone(), c.reason.clone(), c.status)).collect()
    }

    #[test]
    fn success() {
        let mut draft = Draft::new(None, stamp(1, T));
        assert_eq!(draft.status.observed_generation, -1);
        draft.progress(Phase::Fetching, "main@sha1:1", Duration::from_secs(60));
        assert_eq!(
            draft.status.conditions.message(Type::Reconciling),
            "Fetching manifests for revision main@sha1:1 with a timeout of 1m0s"
        );
        assert!(!draft.status.conditions.has(Type::Healthy));
        draft.succeeded(&artifact("main@sha1:1", Some("abc")));
        draft.finish(Some("x"));
        assert_eq!(reasons(&draft), [("Ready".into(), "ReconciliationSucceeded".into(), Status::True)]);
        assert_eq!(draft.status.conditions.message(Type::Ready), "Applied revision: main@sha1:1");
        assert_eq!(
            (draft.status.observed_generation, draft.status.last_handled_reconcile_at.as_deref()),
            (1, Some("x"))
        );
        assert_eq!(draft.status.last_applied_origin_revision.as_deref(), Some("abc"));
        draft.succeeded(&artifact("main@sha1:2", None));
        assert_eq!(draft.status.last_applied_origin_revision, None);
    }

    #[test]
    fn failure_keeps_the_generation_and_the_phase() {
        let mut draft = Draft::new(None, stamp(1, T));
        let phase = Phase::Building.message("r", Duration::from_secs(30));
        draft.progress(Phase::Fetching, "r", Duration::from_secs(30));
        draft.failed(Reason::BuildFailed, "no", &phase);
        draft.finish(None);
        assert_eq!(
            reasons(&draft),
            [
                ("Reconciling".into(), "ProgressingWithRetry".into(), Status::True),
                ("Ready".into(), "BuildFailed".into(), Status::False),
            ]
        );
        assert_eq!(draft.status.conditions.message(Type::Reconciling), phase);
        assert_eq!(draft.status.observed_generation, -1);
    }

    #[test]
    fn waiting_touches_nothing_else() {
        let mut draft = Draft::new(None, stamp(1, T));
        draft.not_ready(Reason::ArtifactFailed, "not there");
        draft.finish(Some("x"));
        assert_eq!(reasons(&draft), [("Ready".into(), "ArtifactFailed".into(), Status::False)]);
        assert_eq!(draft.status.observed_generation, -1);
        assert_eq!(draft.status.last_handled_reconcile_at.as_deref(), Some("x"));
    }

    #[test]
    fn a_stall_is_final() {
        let mut draft = Draft::new(None, stamp(3, T));
        draft.progress(Phase::Fetching, "r", Duration::from_secs(30));
        draft.stalled(Reason::InvalidCelExpression, "bad");
        draft.finish(None);
        assert_eq!(
            reasons(&draft),
            [
                ("Stalled".into(), "InvalidCELExpression".into(), Status::True),
                ("Ready".into(), "InvalidCELExpression".into(), Status::False),
            ]
        );
        assert_eq!(draft.status.observed_generation, 3);
    }

    #[test]
    fn a_second_success_changes_nothing_but_the_history() {
        let mut draft = Draft::new(None, stamp(1, T));
        draft.succeeded(&artifact("r", None));
        draft.record(
            "sha256:1",
            Reason::ReconciliationSucceeded,
            Duration::from_millis(5),
            &artifact("r", None),
        );
        draft.finish(None);
        let mut again = Draft::new(Some(&draft.status), stamp(1, "2026-11-21T11:00:00Z"));
        again.succeeded(&artifact("r", None));
        again.finish(None);
        assert_eq!(again.status, draft.status);
        again.record(
            "sha256:1",
            Reason::ReconciliationSucceeded,
            Duration::from_millis(5),
            &artifact("r", None),
        );
        assert_eq!(again.status.history.latest().unwrap().total_reconciliations, 2);
    }

    #[test]
    fn the_union_loses_nothing() {
        let entry = |id: &str| object::InventoryEntry { id: id.into(), version: "v1".into() };
        let ids =
            |entries: &[object::InventoryEntry]| entries.iter().map(|e| e.id.clone()).collect::<Vec<_>>();
        let union = union(&[entry("a"), entry("b")], &[entry("b"), entry("c")]);
        assert_eq!(ids(&union), ["a", "b", "c"]);
    }
}

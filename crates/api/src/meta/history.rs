//! The last outcomes of an object.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Time, Timestamp, go_duration, stored_time};

/// The most recent outcomes, newest first, at most [`History::LIMIT`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct History(pub Vec<Snapshot>);

/// One outcome, counted for as long as it repeats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Digest of what was reconciled, `<algorithm>:<hex>`.
    pub digest: String,
    /// When this outcome was first seen.
    pub first_reconciled: Time,
    /// When this outcome was last seen.
    pub last_reconciled: Time,
    /// How long the last run took.
    #[schemars(schema_with = "crate::schema::string")]
    pub last_reconciled_duration: String,
    /// Reason of the Ready condition after the run.
    pub last_reconciled_status: String,
    /// How often this outcome was seen.
    pub total_reconciliations: i64,
    /// More about the run, such as the revision.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl History {
    /// How many outcomes are kept.
    pub const LIMIT: usize = 5;

    /// Records an outcome. One with the digest and status of an earlier one continues it: its times, metadata and count
    /// are updated and it moves to the front. Any other becomes a new first entry.
    pub fn upsert(
        &mut self,
        digest: &str,
        status: &str,
        now: Timestamp,
        took: std::time::Duration,
        metadata: BTreeMap<String, String>,
    ) {
        let now = stored_time(now);
        let earlier =
            self.0.iter().position(|entry| entry.digest == digest && entry.last_reconciled_status == status);
        let (first_reconciled, count) = match earlier.map(|index| self.0.remove(index)) {
            Some(entry) => (entry.first_reconciled, entry.total_reconciliations),
            None => (now.clone(), 0),
        };
        self.0.insert(
            0,
            Snapshot {
                digest: digest.to_owned(),
                first_reconciled,
                last_reconciled: now,
                last_reconciled_duration: go_duration(took),
                last_reconciled_status: status.to_owned(),
                total_reconciliations: count + 1,
                metadata,
            },
        );
        self.0.truncate(Self::LIMIT);
    }

    /// The latest outcome.
    pub fn latest(&self) -> Option<&Snapshot> {
        self.0.first()
    }

    /// Whether nothing was recorded yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upsert(history: &mut History, digest: &str, status: &str, second: i64) {
        let metadata = BTreeMap::from([("at".to_owned(), second.to_string())]);
        let now = Timestamp::new(second, 999).unwrap();
        history.upsert(digest, status, now, std::time::Duration::from_millis(1500), metadata);
    }

    #[test]
    fn the_same_outcome_is_counted_and_moves_to_the_front() {
        let mut history = History::default();
        upsert(&mut history, "sha256:a", "Ok", 1);
        upsert(&mut history, "sha256:b", "Ok", 2);
        upsert(&mut history, "sha256:a", "Failed", 3);
        upsert(&mut history, "sha256:a", "Ok", 4);
        let seen: Vec<_> = history
            .0
            .iter()
            .map(|s| (s.digest.as_str(), s.last_reconciled_status.as_str(), s.total_reconciliations))
            .collect();
        assert_eq!(seen, [("sha256:a", "Ok", 2), ("sha256:a", "Failed", 1), ("sha256:b", "Ok", 1)]);
        assert_eq!(
            serde_json::to_value(history.latest()).unwrap(),
            serde_json::json!({
                "digest": "sha256:a",
                "firstReconciled": "1970-01-01T00:00:01Z",
                "lastReconciled": "1970-01-01T00:00:04Z",
                "lastReconciledDuration": "1.5s",
                "lastReconciledStatus": "Ok",
                "totalReconciliations": 2,
                "metadata": {"at": "4"},
            })
        );
    }

    #[test]
    fn five_outcomes_are_kept() {
        let mut history = History::default();
        for second in 1..=7 {
            upsert(&mut history, &format!("sha256:{second}"), "Ok", second);
        }
        let digests: Vec<_> = history.0.iter().map(|s| s.digest.as_str()).collect();
        assert_eq!(digests, ["sha256:7", "sha256:6", "sha256:5", "sha256:4", "sha256:3"]);
    }
}

//! Conditions: what an object reports about itself.
//!
//! [`Conditions`] is the list in a status. Its methods keep the rules that Flux's readers rely on: the list is sorted,
//! `Reconciling` and `Stalled` exclude each other, messages fit the schema, and `lastTransitionTime` moves when status,
//! reason *or message* changes (plain Kubernetes practice looks at the status only; the CLI shows the time as that of the
//! last reconciliation).

mod conformance;
mod finalise;
mod reason;
mod summary;

use std::{cmp::Reverse, fmt};

use k8s_openapi::jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    meta::{Time, stored_time},
    schema::is_zero,
};

pub use conformance::{Moment, Violation, check};
pub use finalise::{Attempt, Requeue, Resolution, finish_attempt, finish_pass};
pub use reason::Reason;
pub use summary::{Polarity, Scope};

/// The longest message in bytes.
pub const MESSAGE_LIMIT: usize = 32768;

/// Types of conditions that the controllers write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Summary of the object: the one condition most people read.
    Ready,
    /// Work is in progress, or failed and is being retried. Present only while true.
    Reconciling,
    /// Nothing will change until the object, or what it refers to, is changed. Present only while true.
    Stalled,
    /// The applied objects are healthy (Kustomization).
    Healthy,
    /// The object rests by annotation, see [`crate::suspend`]. Present only while that needs saying.
    Suspended,
    /// The artifact of the status is in storage (sources).
    ArtifactInStorage,
    /// The signature of the source was verified; true and false both have a meaning (sources).
    SourceVerified,
    /// Upstream or the configuration moved on from the stored artifact (sources). Present only while true.
    ArtifactOutdated,
    /// Fetching, resolving or authenticating failed (sources). Present only while true.
    FetchFailed,
    /// Building the chart failed (HelmChart). Present only while true.
    BuildFailed,
    /// A file operation failed (sources). Present only while true.
    StorageOperationFailed,
    /// An included repository has no artifact (GitRepository). Present only while true.
    IncludeUnavailable,
    /// The release was installed, upgraded or uninstalled (HelmRelease).
    Released,
    /// The tests of the release passed (HelmRelease).
    TestSuccess,
    /// A failed release was remedied (HelmRelease).
    Remediated,
    /// The cluster differs from the release (HelmRelease).
    Drifted,
}

impl Type {
    /// The type as it stands in a condition.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::Healthy => "Healthy",
            Self::Suspended => "Suspended",
            Self::ArtifactInStorage => "ArtifactInStorage",
            Self::SourceVerified => "SourceVerified",
            Self::ArtifactOutdated => "ArtifactOutdated",
            Self::FetchFailed => "FetchFailed",
            Self::BuildFailed => "BuildFailed",
            Self::StorageOperationFailed => "StorageOperationFailed",
            Self::IncludeUnavailable => "IncludeUnavailable",
            Self::Released => "Released",
            Self::TestSuccess => "TestSuccess",
            Self::Remediated => "Remediated",
            Self::Drifted => "Drifted",
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Status {
    /// The condition holds.
    True,
    /// The condition does not hold.
    False,
    /// Not known yet.
    Unknown,
}

/// One condition of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Type, see [`Type`]. Other clients may add types of their own.
    #[serde(rename = "type")]
    #[schemars(
        length(max = 316),
        regex(
            pattern = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
        )
    )]
    pub type_: String,
    /// Whether the condition holds.
    pub status: Status,
    /// `metadata.generation` of the object when the condition was set. Zero stands for "not said".
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0))]
    pub observed_generation: i64,
    /// When status, reason or message last changed.
    pub last_transition_time: Time,
    /// The cause as one word, see [`Reason`].
    #[schemars(length(min = 1, max = 1024), regex(pattern = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"))]
    pub reason: String,
    /// The cause in words.
    #[schemars(length(max = 32768))]
    pub message: String,
}

/// The conditions of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Conditions(pub Vec<Condition>);

/// What a change of conditions is stamped with.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// `metadata.generation` of the object that the change was computed from.
    pub generation: i64,
    /// The clock.
    pub now: Timestamp,
}

impl Conditions {
    /// The condition of a type.
    pub fn get(&self, type_: Type) -> Option<&Condition> {
        self.0.iter().find(|condition| condition.type_ == type_.as_str())
    }

    /// Whether no condition is present.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a condition of this type is present.
    pub fn has(&self, type_: Type) -> bool {
        self.get(type_).is_some()
    }

    /// Whether the condition is present and true.
    pub fn is_true(&self, type_: Type) -> bool {
        self.get(type_).is_some_and(|condition| condition.status == Status::True)
    }

    /// Whether the condition is present and false.
    pub fn is_false(&self, type_: Type) -> bool {
        self.get(type_).is_some_and(|condition| condition.status == Status::False)
    }

    /// Whether the condition is unknown, or absent.
    pub fn is_unknown(&self, type_: Type) -> bool {
        self.get(type_).is_none_or(|condition| condition.status == Status::Unknown)
    }

    /// Reason of a condition, empty when it is absent.
    pub fn reason(&self, type_: Type) -> &str {
        self.get(type_).map_or("", |condition| &condition.reason)
    }

    /// Message of a condition, empty when it is absent.
    pub fn message(&self, type_: Type) -> &str {
        self.get(type_).map_or("", |condition| &condition.message)
    }

    /// Whether the object is ready: `Ready` is true and it is neither stalled nor reconciling.
    pub fn is_ready(&self) -> bool {
        self.is_true(Type::Ready) && !self.is_stalled() && !self.is_reconciling()
    }

    /// Whether the object waits for a change: `Stalled` is true and `Reconciling` is not.
    pub fn is_stalled(&self) -> bool {
        self.is_true(Type::Stalled) && !self.is_true(Type::Reconciling)
    }

    /// Whether the object is being worked on: `Reconciling` is true and `Stalled` is not.
    pub fn is_reconciling(&self) -> bool {
        self.is_true(Type::Reconciling) && !self.is_true(Type::Stalled)
    }

    /// Sets a condition. Its generation is always renewed; its time only when status, reason or message changed.
    /// A message above [`MESSAGE_LIMIT`] is cut.
    pub fn set(
        &mut self,
        type_: Type,
        status: Status,
        reason: impl AsRef<str>,
        message: impl Into<String>,
        stamp: Stamp,
    ) {
        let mut next = Condition {
            type_: type_.as_str().to_owned(),
            status,
            observed_generation: stamp.generation,
            last_transition_time: stored_time(stamp.now),
            reason: reason.as_ref().to_owned(),
            message: trim_message(message.into()),
        };
        match self.0.iter_mut().find(|condition| condition.type_ == next.type_) {
            Some(current) => {
                if current.status == next.status
                    && current.reason == next.reason
                    && current.message == next.message
                {
                    next.last_transition_time = current.last_transition_time.clone();
                }
                *current = next;
            }
            None => self.0.push(next),
        }
        self.sort();
    }

    /// Sets a condition to true.
    pub fn mark_true(
        &mut self,
        type_: Type,
        reason: impl AsRef<str>,
        message: impl Into<String>,
        stamp: Stamp,
    ) {
        self.set(type_, Status::True, reason, message, stamp);
    }

    /// Sets a condition to false.
    pub fn mark_false(
        &mut self,
        type_: Type,
        reason: impl AsRef<str>,
        message: impl Into<String>,
        stamp: Stamp,
    ) {
        self.set(type_, Status::False, reason, message, stamp);
    }

    /// Sets a condition to unknown.
    pub fn mark_unknown(
        &mut self,
        type_: Type,
        reason: impl AsRef<str>,
        message: impl Into<String>,
        stamp: Stamp,
    ) {
        self.set(type_, Status::Unknown, reason, message, stamp);
    }

    /// Marks the object as being worked on, which ends a stall.
    pub fn mark_reconciling(&mut self, reason: impl AsRef<str>, message: impl Into<String>, stamp: Stamp) {
        self.delete(Type::Stalled);
        self.mark_true(Type::Reconciling, reason, message, stamp);
    }

    /// Marks the object as waiting for a change, which ends the work on it.
    pub fn mark_stalled(&mut self, reason: impl AsRef<str>, message: impl Into<String>, stamp: Stamp) {
        self.delete(Type::Reconciling);
        self.mark_true(Type::Stalled, reason, message, stamp);
    }

    /// Removes a condition.
    pub fn delete(&mut self, type_: Type) {
        self.0.retain(|condition| condition.type_ != type_.as_str());
    }

    /// Marks progress in the middle of an attempt (sources): ends a stall, sets `Reconciling`, and makes `Ready` unknown
    /// when the object drifted from upstream or its readiness was not known.
    pub fn mark_progress(&mut self, drift: Drift, message: &str, stamp: Stamp) {
        self.mark_reconciling(Reason::Progressing, message, stamp);
        if drift == Drift::Found || self.is_unknown(Type::Ready) {
            self.mark_unknown(Type::Ready, Reason::Progressing, message, stamp);
        }
    }

    /// Sorts the list: `Stalled`, `Reconciling`, `Ready` first, then by newest generation, then by type. Readers that scan
    /// in list order (kstatus) then meet a stall first.
    pub fn sort(&mut self) {
        self.0.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    }
}

/// Whether an attempt found that the object differs from what upstream offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    /// It differs: the stored artifact is out of date or gone.
    Found,
    /// It does not differ, as far as is known.
    None,
}

fn sort_key(condition: &Condition) -> (u8, Reverse<i64>, &str) {
    match condition.type_.as_str() {
        "Stalled" => (0, Reverse(0), ""),
        "Reconciling" => (1, Reverse(0), ""),
        "Ready" => (2, Reverse(0), ""),
        other => (3, Reverse(condition.observed_generation), other),
    }
}

/// Cuts a message to [`MESSAGE_LIMIT`] bytes at a character boundary, and shows that it was cut.
fn trim_message(mut message: String) -> String {
    const ELLIPSIS: &str = "...";
    if message.len() > MESSAGE_LIMIT {
        message.truncate(message.floor_char_boundary(MESSAGE_LIMIT - ELLIPSIS.len()));
        message.push_str(ELLIPSIS);
    }
    message
}

#[cfg(test)]
mod tests;

//! Memory: what is kept between two passes over an object, so that the second one does only what is new. All of it can
//! be lost: a pass without memory does the same work as the first one, and comes to the same end.

use std::sync::Arc;
use std::time::Duration;

use apply::{HealthSet, Manifest};
use tokio::time::Instant;

use super::files::Footprint;
use super::wait::Applied;

/// Manifests of one object are kept up to this many bytes; larger sets are built again when needed.
pub const KEPT_BYTES: usize = 1 << 20;

/// What a build depended on beside the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// The object: a new one of the same name begins anew.
    pub uid: String,
    /// The spec.
    pub generation: i64,
    /// The hash of all variables; `None` when nothing is substituted.
    pub variables: Option<[u8; 32]>,
    /// Cluster and identity.
    pub identity: String,
}

/// The last build.
#[derive(Debug, Clone)]
pub struct Memo {
    /// What it depended on beside the files.
    pub fingerprint: Fingerprint,
    /// The files it was made from.
    pub artifact: String,
    /// What it depended on among them.
    pub footprint: Footprint,
    /// Digest for the history.
    pub digest: String,
    /// The objects, ready to be sent.
    pub manifests: Vec<Manifest>,
}

/// A wait for health. It costs this entry, its watches, and a place in the queue for its deadline.
#[derive(Clone)]
pub struct Parked {
    /// The object's uid.
    pub uid: String,
    /// The generation that was applied.
    pub generation: i64,
    /// What was applied.
    pub applied: Arc<Applied>,
    /// When the wait began.
    pub since: Instant,
    /// When the pass began.
    pub begun: Instant,
    /// When it is given up.
    pub deadline: Instant,
    /// Whether Healthy was true before.
    pub was_healthy: bool,
    /// The objects that are waited for.
    pub set: Arc<HealthSet>,
}

impl Parked {
    /// How long until the deadline.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// A deleted object's wait for the end of what it owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Termination {
    /// A task waits, and wakes the object.
    Waiting,
    /// It is over; so many objects are left.
    Over(usize),
}

/// What is known of one object.
#[derive(Default)]
pub struct Memory {
    /// The last build that was applied.
    pub memo: Option<Memo>,
    /// The wait that goes on.
    pub parked: Option<Parked>,
    /// The wait for the end of what it owned.
    pub termination: Option<Termination>,
    /// Whether something that was applied has changed since.
    pub drifted: bool,
    /// Passes that changed nothing and were not written into the history yet.
    pub quiet: u32,
}

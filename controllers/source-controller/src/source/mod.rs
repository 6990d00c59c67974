//! What all kinds of sources do alike: observe → gate → attempt → status → events.
//!
//! A kind brings its attempt ([`Kind::attempt`]); everything around it is here: finalizer, deletion, suspension, the look
//! at the storage, progress of slow attempts, the summary, the events.

mod attempt;
mod failure;
mod reconcile;
mod secret;

use std::future::Future;
use std::time::Duration;

use api::condition::{Reason, Scope, Type};
use api::source::{Source, SourceStatus};
use runtime::Key;
use runtime::events::Recorder;
use runtime::status::Writer;
use runtime::watch::Watched;

use crate::storage::Storage;

pub(crate) use attempt::{Attempt, blocking};
pub(crate) use failure::{Class, Failure};
pub(crate) use secret::{NamedSecret, read_named, read_secret};

/// The status of a kind.
pub(crate) type StatusOf<K> = <<K as Kind>::Object as Source>::Status;

/// A kind of source.
pub(crate) trait Kind: Send + Sync + Sized + 'static {
    /// Its objects.
    type Object: Watched + Source;

    /// The conditions that make up `Ready`.
    const SCOPE: Scope;
    /// Conditions whose end is worth an event.
    const FAILURES: &'static [Type];
    /// The file name that always leads to the current artifact; `None` where there is no such link.
    const LINK: Option<&'static str>;

    /// From upstream to the artifact in storage. Changes the status in memory and collects events; writes neither.
    fn attempt(
        &self,
        attempt: &mut Attempt<'_, Self>,
    ) -> impl Future<Output = Result<Success, Failure>> + Send;

    /// Whether there is nothing to do for an object but to remove what earlier versions of it left behind.
    fn is_static(_object: &Self::Object) -> bool {
        false
    }

    /// The object is gone: drops what is held for it. Must not block.
    fn forget(&self, _key: &Key) {}
}

/// How an attempt succeeded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Success {
    /// What the event says, should there be one.
    pub message: String,
    /// Reason of the event about a new artifact.
    pub stored: Reason,
    /// Reason of the event about a recovery.
    pub recovered: Reason,
}

impl Success {
    /// A success with the usual reasons.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), stored: Reason::NewArtifact, recovered: Reason::Succeeded }
    }
}

/// The condition types that the controller of a kind decides about: what makes up `Ready`, that itself, and the rest.
pub(crate) fn owned<K: Kind>() -> Vec<Type> {
    let parts = K::SCOPE.0.iter().map(|(type_, _)| *type_);
    parts.chain([Type::Ready, Type::Suspended]).collect()
}

/// Reconciles the sources of a kind.
pub(crate) struct Sources<K: Kind> {
    /// What the kind brings.
    pub kind: K,
    /// The artifacts.
    pub storage: Storage,
    /// Writes statuses and finalizers.
    pub writer: Writer<K::Object>,
    /// The condition types to write, those of [`owned`].
    pub owned: Vec<Type>,
    /// Takes events.
    pub events: Recorder,
    /// When an object that waits for another looks again.
    pub requeue_dependency: Duration,
}

/// Whether an object published an artifact, and which: what others that refer to it look at.
pub(crate) fn artifact_digest<O: Source>(object: &O) -> Option<&str> {
    Some(&object.status()?.artifact()?.digest)
}

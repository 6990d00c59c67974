//! One attempt: the status in the making, the events to send, and the look at the storage that comes first.

use api::condition::{Conditions, Drift, Reason, Stamp, Type};
use api::meta::Artifact;
use api::source::SourceStatus as _;
use artifact::Location;
use runtime::events::Severity;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::{Failure, Kind, StatusOf};
use crate::storage::{Condition, Storage};

/// Something to tell about an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub severity: Severity,
    pub reason: Reason,
    pub message: String,
}

/// An attempt in the making.
pub(crate) struct Attempt<'a, K: Kind> {
    /// The object as it was when the attempt began.
    pub object: &'a K::Object,
    /// The artifacts.
    pub storage: &'a Storage,
    /// Where the object's artifacts lie.
    pub location: Location,
    /// Generation and clock of the attempt.
    pub stamp: Stamp,
    /// The status as it will be.
    pub status: StatusOf<K>,
    /// The events to send, in order.
    pub(super) notices: Vec<Notice>,
    /// The status as it should be shown, should the attempt take long from here on.
    pub(super) shown: watch::Sender<StatusOf<K>>,
}

impl<'a, K: Kind> Attempt<'a, K> {
    /// Begins with the status of the object, marked as being worked on. `observed` is the generation last handled.
    pub(super) fn begin(
        object: &'a K::Object,
        storage: &'a Storage,
        mut status: StatusOf<K>,
        location: Location,
        stamp: Stamp,
    ) -> Self {
        status.conditions_mut().mark_progress(Drift::None, "reconciliation in progress", stamp);
        let observed = *status.observed_generation_mut();
        if observed != stamp.generation {
            let message = format!("processing object: new generation {observed} -> {}", stamp.generation);
            status.conditions_mut().mark_progress(Drift::None, &message, stamp);
        }
        let shown = watch::Sender::new(status.clone());
        Self { object, storage, location, stamp, status, notices: Vec::new(), shown }
    }

    /// The conditions in the making.
    pub(crate) fn conditions(&mut self) -> &mut Conditions {
        self.status.conditions_mut()
    }

    /// Sends an event when the attempt is over.
    pub(crate) fn notice(&mut self, severity: Severity, reason: Reason, message: impl Into<String>) {
        self.notices.push(Notice { severity, reason, message: message.into() });
    }

    /// The status as it is now is worth showing.
    pub(crate) fn show(&self) {
        self.shown.send_replace(self.status.clone());
    }

    /// The current artifact.
    pub(crate) fn artifact(&self) -> Option<&Artifact> {
        self.status.artifact()
    }

    /// Whether the artifact is of this revision.
    pub(crate) fn has_revision(&self, revision: &str) -> bool {
        Artifact::has_revision(self.status.artifact(), revision)
    }

    /// Upstream has something else than the artifact: `what`, shown as long as the work on it takes.
    pub(crate) fn outdated(&mut self, reason: Reason, what: &str) {
        let stamp = self.stamp;
        if self.artifact().is_some() {
            self.conditions().mark_true(Type::ArtifactOutdated, reason, what.to_owned(), stamp);
        }
        self.conditions().mark_progress(Drift::Found, &format!("building artifact: {what}"), stamp);
        self.show();
    }

    /// Records what was written to the storage. `what` is what the event about an artifact that did not change says.
    pub(crate) fn publish(&mut self, artifact: Artifact, what: &str) {
        if Artifact::has_digest(self.artifact(), &artifact.digest) {
            self.notice(
                Severity::Trace,
                Reason::ArtifactUpToDate,
                format!("artifact up-to-date with remote revision: '{what}'"),
            );
        }
        *self.status.artifact_mut() = Some(artifact);
        self.link();
    }

    /// The artifact in storage is that of upstream.
    pub(crate) fn stored(&mut self, reason: Reason, message: String) {
        let stamp = self.stamp;
        self.conditions().delete(Type::ArtifactOutdated);
        self.conditions().delete(Type::StorageOperationFailed);
        self.conditions().mark_true(Type::ArtifactInStorage, reason, message, stamp);
    }

    /// Points the lasting address at the current artifact. That it cannot is not worth failing for.
    fn link(&mut self) {
        let (Some(link), Some(artifact)) = (K::LINK, self.status.artifact().cloned()) else { return };
        match self.storage.link(&self.location, file_name(&artifact), link) {
            Ok(url) => {
                if let Some(slot) = self.status.url_mut() {
                    *slot = Some(url);
                }
            }
            Err(error) => {
                let message = format!("failed to update status URL symlink: {error}");
                self.notice(Severity::Trace, Reason::SymlinkUpdateFailed, message);
            }
        }
    }

    /// Looks after what is on disk: removes old files, and drops an artifact that is not there as it was published.
    /// Returns whether consumers have to learn at once that their artifact is gone.
    pub(super) async fn check_storage(&mut self) -> Result<bool, Failure> {
        let (storage, location, artifact) =
            (self.storage.clone(), self.location.clone(), self.artifact().cloned());
        let (collected, found) = blocking(move || {
            let Some(artifact) = &artifact else { return (Ok(0), Ok(None)) };
            let collected = storage.collect(&location, file_name(artifact));
            (collected, inspect(&storage, &location, artifact).map(Some))
        })
        .await?;
        match collected {
            Ok(0) => {}
            Ok(count) => self.notice(
                Severity::Trace,
                Reason::GarbageCollectionSucceeded,
                format!("garbage collected {count} artifacts"),
            ),
            // Not worth failing for: the next run tries again.
            Err(error) => tracing::error!(error = %error, "garbage collection failed"),
        }
        let found =
            found.map_err(|error| Failure::storage(Reason::StorageOperationFailed, error.to_string()))?;
        let message = match found {
            Some(Condition::Intact) => {
                self.readvertise();
                return Ok(false);
            }
            None => "building artifact",
            Some(Condition::Altered) => {
                self.notice(
                    Severity::Warning,
                    Reason::ArtifactVerificationFailed,
                    "failed to verify integrity of artifact: its bytes do not match the digest in status.artifact",
                );
                DISAPPEARED
            }
            Some(Condition::Missing) => DISAPPEARED,
        };
        let stamp = self.stamp;
        *self.status.artifact_mut() = None;
        if let Some(url) = self.status.url_mut() {
            *url = None;
        }
        self.conditions().delete(Type::ArtifactInStorage);
        self.conditions().mark_progress(Drift::Found, message, stamp);
        Ok(found.is_some())
    }

    /// A renamed Service or a new address heals the URLs.
    fn readvertise(&mut self) {
        let storage = self.storage;
        if let Some(artifact) = self.status.artifact_mut() {
            artifact.url = storage.url(&artifact.path);
        }
        let link = K::LINK.and_then(|link| self.location.path(link).ok());
        if let (Some(path), Some(Some(url))) = (link, self.status.url_mut().map(Option::as_mut)) {
            *url = storage.url(&path);
        }
    }
}

const DISAPPEARED: &str = "building artifact: disappeared from storage";

/// The file of an artifact in its object's directory.
fn file_name(artifact: &Artifact) -> &str {
    artifact.path.rsplit('/').next().unwrap_or_default()
}

fn inspect(
    storage: &Storage,
    location: &Location,
    artifact: &Artifact,
) -> Result<Condition, artifact::Error> {
    let found = storage.inspect(artifact)?;
    if found == Condition::Altered {
        storage.remove(location, file_name(artifact))?;
    }
    Ok(found)
}

/// Work that blocks on the disk or takes long on a processor.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    spawn_blocking(work)
        .await
        .map_err(|error| Failure::plain(Reason::Failed, format!("the archive worker failed: {error}")))
}

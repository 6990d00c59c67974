//! One attempt: observe, fetch, archive. Changes the status in memory and collects events; writes neither.

use std::sync::Arc;

use api::condition::{Conditions, Drift, Reason, Stamp, Type};
use api::meta::Artifact;
use api::source::{GitRepository, GitRepositoryStatus};
use artifact::{Limits, Location, Tree};
use git::{Resolved, Snapshot, Submodules};
use kube::ResourceExt as _;
use runtime::Key;
use runtime::client::Secret;
use runtime::events::Severity;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::archive::{self, Overlay};
use super::failure::Failure;
use super::request::{self, NamedSecret};
use super::{Services, change};
use crate::storage::{Condition, Storage};

/// Something to tell about an object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub severity: Severity,
    pub reason: Reason,
    pub message: String,
}

/// How an attempt succeeded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Success {
    /// Upstream is where it was, and so is the artifact.
    Unchanged,
    /// There is a new artifact; what the event says about it.
    Stored(String),
}

/// An attempt in the making.
pub(crate) struct Attempt<'a> {
    services: &'a Services,
    object: &'a GitRepository,
    location: Location,
    stamp: Stamp,
    /// The status as it will be.
    pub status: GitRepositoryStatus,
    /// The events to send, in order.
    pub notices: Vec<Notice>,
    /// The status as it should be shown, should the attempt take long from here on.
    pub shown: watch::Sender<GitRepositoryStatus>,
}

impl<'a> Attempt<'a> {
    /// Begins with the status of the object, marked as being worked on.
    pub(crate) fn begin(
        services: &'a Services,
        object: &'a GitRepository,
        mut status: GitRepositoryStatus,
        location: Location,
        stamp: Stamp,
    ) -> Self {
        status.conditions.mark_progress(Drift::None, "reconciliation in progress", stamp);
        if status.observed_generation != stamp.generation {
            let message = format!(
                "processing object: new generation {} -> {}",
                status.observed_generation, stamp.generation
            );
            status.conditions.mark_progress(Drift::None, &message, stamp);
        }
        let shown = watch::Sender::new(status.clone());
        Self { services, object, location, stamp, status, notices: Vec::new(), shown }
    }

    fn conditions(&mut self) -> &mut Conditions {
        &mut self.status.conditions
    }

    fn notice(&mut self, severity: Severity, reason: Reason, message: impl Into<String>) {
        self.notices.push(Notice { severity, reason, message: message.into() });
    }

    /// Looks after what is on disk: removes old files, and drops an artifact that is not there as it was published.
    /// Returns whether consumers have to learn at once that their artifact is gone.
    pub(crate) async fn check_storage(&mut self) -> Result<bool, Failure> {
        let (storage, location, artifact) =
            (self.services.storage.clone(), self.location.clone(), self.status.artifact.clone());
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
        self.status.artifact = None;
        self.conditions().delete(Type::ArtifactInStorage);
        self.conditions().mark_progress(Drift::Found, message, stamp);
        Ok(found.is_some())
    }

    /// A renamed Service or a new address heals the URL.
    fn readvertise(&mut self) {
        if let Some(artifact) = &mut self.status.artifact {
            artifact.url = self.services.storage.url(&artifact.path);
        }
    }

    /// From the Git server to the artifact.
    pub(crate) async fn run(&mut self) -> Result<Success, Failure> {
        let (spec, stamp) = (&self.object.spec, self.stamp);
        if self.status.conditions.is_false(Type::SourceVerified) {
            self.conditions().delete(Type::SourceVerified);
        }
        request::check_supported(spec, self.services.object_identity)?;
        let remote = self.remote().await?;
        let includes = self.includes()?;
        if change::includes_changed(&self.status, &includes) && !self.status.included_artifacts.is_empty() {
            let message = "building artifact: included artifacts differ from last observed includes";
            self.conditions().mark_progress(Drift::Found, message, stamp);
            self.show();
        }
        self.conditions().delete(Type::ArtifactOutdated);

        let resolved = self
            .services
            .stores
            .resolve(&remote, &request::reference(spec))
            .await
            .map_err(|error| self.listing_failed(error))?;
        let same_revision = Artifact::has_revision(self.status.artifact.as_ref(), &resolved.revision);
        let same_config = !change::content_config_changed(spec, &self.status, &includes);
        self.check_verification()?;
        if same_revision && same_config {
            self.conditions().delete(Type::FetchFailed);
            // Flux records this as a Kubernetes Event too. An attempt that changes nothing writes nothing here.
            tracing::info!("no changes since last reconciliation: observed revision '{}'", resolved.revision);
            self.stored(&resolved.revision);
            return Ok(Success::Unchanged);
        }
        if !same_revision {
            self.outdated(&resolved);
        }
        let submodules = if spec.recurse_submodules { Submodules::Recurse } else { Submodules::Skip };
        let snapshot =
            self.services.stores.fetch(&remote, &resolved, submodules).await.map_err(checkout_failed)?;
        self.conditions().delete(Type::FetchFailed);
        self.archive(&resolved, &snapshot, includes).await
    }

    /// Without an artifact Flux clones at once, so that there a listing that fails shows as a failed clone.
    fn listing_failed(&self, error: git::Error) -> Failure {
        checkout_failed(match error {
            git::Error::List { url, source } if self.status.artifact.is_none() => {
                git::Error::Clone { url, source }
            }
            error => error,
        })
    }

    async fn remote(&mut self) -> Result<git::Remote, Failure> {
        let secret = self.secret(self.object.spec.secret_ref.as_ref().map(|secret| &*secret.name)).await?;
        let proxy =
            self.secret(self.object.spec.proxy_secret_ref.as_ref().map(|secret| &*secret.name)).await?;
        let remote = request::remote(&self.object.spec, secret.as_ref(), proxy.as_ref())?;
        if let (git::Auth::Ssh(login), Some(secret)) = (&remote.auth, &secret)
            && login.passphrase.is_none()
            && git::is_encrypted_identity(login.identity.expose())
        {
            return Err(Failure::fetch(
                Reason::AuthenticationFailed,
                format!(
                    "SSH identity key is encrypted but no 'password' field was provided in the secret '{}'",
                    secret.name
                ),
            ));
        }
        Ok(remote)
    }

    async fn secret(&self, name: Option<&str>) -> Result<Option<NamedSecret>, Failure> {
        let Some(name) = name else { return Ok(None) };
        let namespace = self.object.namespace().unwrap_or_default();
        let secret = Secret::read(&self.services.client, &namespace, name).await.map_err(|error| {
            Failure::fetch(
                Reason::AuthenticationFailed,
                format!("failed to get secret '{namespace}/{name}': {error}"),
            )
        })?;
        let data =
            secret.keys().filter_map(|key| Some((key.to_owned(), secret.bytes(key)?.to_vec()))).collect();
        Ok(Some(NamedSecret { name: secret.id(), data }))
    }

    /// The artifacts to copy in, in the order of the spec.
    fn includes(&mut self) -> Result<Vec<Artifact>, Failure> {
        let namespace = self.object.namespace().unwrap_or_default();
        let mut found = Vec::new();
        for include in &self.object.spec.include {
            let name = &include.repository.name;
            let Some(repository) = self.services.objects.get(&Key::new(&namespace, name)) else {
                return Err(Failure::include(
                    Reason::NotFound,
                    format!(
                        "could not get resource for include '{name}': GitRepository.source.toolkit.fluxcd.io \"{name}\" not found"
                    ),
                ));
            };
            match repository.status.as_ref().and_then(|status| status.artifact.clone()) {
                Some(artifact) => found.push(artifact),
                None => {
                    let message = format!("no artifact available for include '{name}'");
                    return Err(Failure::include(Reason::NoArtifact, message));
                }
            }
        }
        self.conditions().delete(Type::IncludeUnavailable);
        Ok(found)
    }

    /// Nothing is published that should have been verified and was not.
    fn check_verification(&mut self) -> Result<(), Failure> {
        if self.object.spec.verify.is_none() {
            self.conditions().delete(Type::SourceVerified);
            self.status.source_verification_mode = None;
            return Ok(());
        }
        let message = "spec.verify is not supported by this release: the signature cannot be verified and no new artifact is published";
        let failure = Failure::plain(Reason::VerificationError, message);
        Err(Failure { condition: Some(Type::SourceVerified), ..failure }.terminal())
    }

    fn outdated(&mut self, resolved: &Resolved) {
        let (stamp, had_artifact) = (self.stamp, self.status.artifact.is_some());
        let message = format!("new upstream revision '{}'", resolved.revision);
        if had_artifact {
            self.conditions().mark_true(Type::ArtifactOutdated, Reason::NewRevision, message.clone(), stamp);
        }
        self.conditions().mark_progress(Drift::Found, &format!("building artifact: {message}"), stamp);
        self.show();
    }

    /// The status as it is now is worth showing.
    pub(crate) fn show(&self) {
        self.shown.send_replace(self.status.clone());
    }

    async fn archive(
        &mut self,
        resolved: &Resolved,
        snapshot: &Snapshot,
        includes: Vec<Artifact>,
    ) -> Result<Success, Failure> {
        let spec = &self.object.spec;
        let work = Archiving {
            storage: self.services.storage.clone(),
            location: self.location.clone(),
            snapshot: snapshot.clone(),
            resolved: resolved.clone(),
            sparse: spec.sparse_checkout.clone(),
            ignore: spec.ignore.clone(),
            includes: spec
                .include
                .iter()
                .zip(&includes)
                .map(|(include, artifact)| {
                    (
                        include.repository.name.clone(),
                        artifact.clone(),
                        include.from_path().to_owned(),
                        include.to_path().to_owned(),
                    )
                })
                .collect(),
            now: self.stamp.now,
        };
        let artifact = blocking(move || work.run()).await??;
        self.conditions().delete(Type::StorageOperationFailed);
        let changed = !Artifact::has_digest(self.status.artifact.as_ref(), &artifact.digest);
        if !changed {
            self.notice(
                Severity::Trace,
                Reason::ArtifactUpToDate,
                format!("artifact up-to-date with remote revision: '{}'", resolved.revision),
            );
        }
        self.status.artifact = Some(artifact);
        change::observe(spec, &mut self.status, includes);
        self.stored(&resolved.revision);
        Ok(Success::Stored(format!("stored artifact for commit '{}'", snapshot.commit().subject())))
    }

    fn stored(&mut self, revision: &str) {
        let stamp = self.stamp;
        self.conditions().delete(Type::ArtifactOutdated);
        self.conditions().delete(Type::StorageOperationFailed);
        let message = format!("stored artifact for revision '{revision}'");
        self.conditions().mark_true(Type::ArtifactInStorage, Reason::Succeeded, message, stamp);
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

fn checkout_failed(error: git::Error) -> Failure {
    match error {
        git::Error::EmptyRepository => Failure::fetch(Reason::EmptyGitRepository, error.to_string()),
        error => Failure::fetch(
            Reason::GitOperationFailed,
            format!("failed to checkout and determine revision: {error}"),
        ),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    spawn_blocking(work)
        .await
        .map_err(|error| Failure::plain(Reason::Failed, format!("the archive worker failed: {error}")))
}

/// What the making of an artifact needs, on a thread of its own.
struct Archiving {
    storage: Storage,
    location: Location,
    snapshot: Snapshot,
    resolved: Resolved,
    sparse: Vec<String>,
    ignore: Option<String>,
    /// Name, artifact, path from, path to.
    includes: Vec<(String, Artifact, String, String)>,
    now: api::meta::Timestamp,
}

impl Archiving {
    fn run(self) -> Result<Artifact, Failure> {
        self.check_sparse()?;
        let overlays =
            self.includes.iter().map(|include| self.overlay(include)).collect::<Result<Vec<_>, _>>()?;
        let rules = self.rules(&overlays)?;
        let ignored = |path: &str, directory: bool| rules.ignores(path, directory);
        let file = format!("{}.tar.gz", self.resolved.commit);
        self.storage
            .archive(&self.location, &file, &self.resolved.revision, self.now, |writer| {
                archive::write(writer, &self.snapshot, &self.sparse, &overlays, &ignored)
            })
            .map_err(|error: archive::Error| match error {
                archive::Error::Artifact(artifact::Error::Lock(_)) => {
                    Failure::plain(Reason::Failed, error.to_string())
                }
                archive::Error::Git(error) => checkout_failed(error),
                error => Failure::storage(
                    Reason::ArchiveOperationFailed,
                    format!("unable to archive artifact to storage: {error}"),
                ),
            })
    }

    fn check_sparse(&self) -> Result<(), Failure> {
        for path in &self.sparse {
            if !self.snapshot.contains(path).map_err(checkout_failed)? {
                return Err(Failure::fetch(
                    Reason::GitOperationFailed,
                    format!(
                        "failed to sparse checkout directories : sparse checkout dir '{path}' does not exist in \
                         repository: no such file or directory"
                    ),
                ));
            }
        }
        Ok(())
    }

    fn overlay(
        &self,
        (name, artifact, from, to): &(String, Artifact, String, String),
    ) -> Result<Overlay, Failure> {
        let failed = |why: String| {
            Failure::storage(
                Reason::CopyFailure,
                format!("failed to copy '{name}' include from {from} to {to}: {why}"),
            )
        };
        let file =
            self.storage.open(artifact).ok_or_else(|| failed("its artifact is not in storage".to_owned()))?;
        let tree = Tree::read(file, Limits::default()).map_err(|error| failed(error.to_string()))?;
        let from = confined(from);
        if tree.kind(&from).is_none() {
            return Err(failed("no such file or directory".to_owned()));
        }
        Ok(Overlay { tree: Arc::new(tree), from, to: confined(to) })
    }

    /// The ignore rules: those of the files in the artifact, then those of the spec.
    fn rules(&self, overlays: &[Overlay]) -> Result<sourceignore::Rules, Failure> {
        let failed = |error: archive::Error| Failure::storage(Reason::SourceIgnoreError, error.to_string());
        let files = archive::ignore_files(&self.snapshot, &self.sparse, overlays).map_err(failed)?;
        Ok(sourceignore::Rules::new(&files, self.ignore.as_deref()))
    }
}

/// A path that cannot leave the root: `..` at the root stays there, as in a chroot.
fn confined(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::confined;

    #[test]
    fn paths_stay_below_the_root() {
        assert_eq!(confined("../../../etc"), "etc");
        assert_eq!(confined("./a//b/../c/"), "a/c");
        assert_eq!(confined("/"), "");
    }
}

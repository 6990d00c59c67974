//! One attempt: observe, fetch, archive.

use std::sync::Arc;

use api::condition::{Conditions, Drift, Reason, Type};
use api::meta::Artifact;
use artifact::{Limits, Location, Tree};
use git::{Resolved, Snapshot, Submodules};
use kube::ResourceExt as _;
use runtime::Key;

use super::archive::{self, Overlay};
use super::{GitRepositories, change, request};
use crate::source::{Attempt, Failure, NamedSecret, Success, blocking, read_secret};
use crate::storage::Storage;

/// An attempt in the making.
pub(super) struct Checkout<'a, 'o> {
    pub git: &'a GitRepositories,
    pub attempt: &'a mut Attempt<'o, GitRepositories>,
}

impl Checkout<'_, '_> {
    fn conditions(&mut self) -> &mut Conditions {
        self.attempt.conditions()
    }

    /// From the Git server to the artifact.
    pub(super) async fn run(&mut self) -> Result<Success, Failure> {
        let (spec, stamp) = (&self.attempt.object.spec, self.attempt.stamp);
        if self.attempt.status.conditions.is_false(Type::SourceVerified) {
            self.conditions().delete(Type::SourceVerified);
        }
        request::check_supported(spec, self.git.object_identity)?;
        let remote = self.remote().await?;
        let includes = self.includes()?;
        if change::includes_changed(&self.attempt.status, &includes)
            && !self.attempt.status.included_artifacts.is_empty()
        {
            let message = "building artifact: included artifacts differ from last observed includes";
            self.conditions().mark_progress(Drift::Found, message, stamp);
            self.attempt.show();
        }
        self.conditions().delete(Type::ArtifactOutdated);

        let resolved = self
            .git
            .stores
            .resolve(&remote, &request::reference(spec))
            .await
            .map_err(|error| self.listing_failed(error))?;
        let same_revision = self.attempt.has_revision(&resolved.revision);
        let same_config = !change::content_config_changed(spec, &self.attempt.status, &includes);
        self.check_verification()?;
        if same_revision && same_config {
            self.conditions().delete(Type::FetchFailed);
            // Flux records this as a Kubernetes Event too. An attempt that changes nothing writes nothing here.
            tracing::info!("no changes since last reconciliation: observed revision '{}'", resolved.revision);
            self.stored(&resolved.revision);
            return Ok(Success::new(format!("stored artifact for commit '{}'", resolved.revision)));
        }
        if !same_revision {
            let what = format!("new upstream revision '{}'", resolved.revision);
            self.attempt.outdated(Reason::NewRevision, &what);
        }
        let submodules = if spec.recurse_submodules { Submodules::Recurse } else { Submodules::Skip };
        let snapshot =
            self.git.stores.fetch(&remote, &resolved, submodules).await.map_err(checkout_failed)?;
        self.conditions().delete(Type::FetchFailed);
        self.archive(&resolved, &snapshot, includes).await
    }

    /// Without an artifact Flux clones at once, so that there a listing that fails shows as a failed clone.
    fn listing_failed(&self, error: git::Error) -> Failure {
        checkout_failed(match error {
            git::Error::List { url, source } if self.attempt.artifact().is_none() => {
                git::Error::Clone { url, source }
            }
            error => error,
        })
    }

    async fn remote(&mut self) -> Result<git::Remote, Failure> {
        let spec = &self.attempt.object.spec;
        let secret = self.secret(spec.secret_ref.as_ref().map(|secret| &*secret.name)).await?;
        let proxy = self.secret(spec.proxy_secret_ref.as_ref().map(|secret| &*secret.name)).await?;
        let remote = request::remote(spec, secret.as_ref(), proxy.as_ref())?;
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
        let namespace = self.attempt.object.namespace().unwrap_or_default();
        read_secret(&self.git.client, &namespace, name).await
    }

    /// The artifacts to copy in, in the order of the spec.
    fn includes(&mut self) -> Result<Vec<Artifact>, Failure> {
        let namespace = self.attempt.object.namespace().unwrap_or_default();
        let mut found = Vec::new();
        for include in &self.attempt.object.spec.include {
            let name = &include.repository.name;
            let Some(repository) = self.git.objects.get(&Key::new(&namespace, name)) else {
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
        if self.attempt.object.spec.verify.is_none() {
            self.conditions().delete(Type::SourceVerified);
            self.attempt.status.source_verification_mode = None;
            return Ok(());
        }
        Err(Failure::unverified())
    }

    async fn archive(
        &mut self,
        resolved: &Resolved,
        snapshot: &Snapshot,
        includes: Vec<Artifact>,
    ) -> Result<Success, Failure> {
        let spec = &self.attempt.object.spec;
        let work = Archiving {
            storage: self.attempt.storage.clone(),
            location: self.attempt.location.clone(),
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
            now: self.attempt.stamp.now,
        };
        let artifact = blocking(move || work.run()).await??;
        self.conditions().delete(Type::StorageOperationFailed);
        self.attempt.publish(artifact, &resolved.revision);
        change::observe(spec, &mut self.attempt.status, includes);
        self.stored(&resolved.revision);
        Ok(Success::new(format!("stored artifact for commit '{}'", snapshot.commit().subject())))
    }

    fn stored(&mut self, revision: &str) {
        self.attempt.stored(Reason::Succeeded, format!("stored artifact for revision '{revision}'"));
    }
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
            .map_err(|error: archive::Error| {
                let what = "unable to archive artifact to storage";
                match error {
                    archive::Error::Git(error) => checkout_failed(error),
                    archive::Error::Artifact(error) => Failure::writing(what, &error),
                    error @ archive::Error::Clash { .. } => {
                        Failure::storage(Reason::ArchiveOperationFailed, format!("{what}: {error}"))
                    }
                }
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

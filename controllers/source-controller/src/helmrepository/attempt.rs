//! One attempt: download the index, and store it in order when it is another.

use std::fs::File;
use std::io::{self, Seek as _};

use api::condition::{Reason, Type};
use api::meta::Artifact;
use artifact::{Algorithm, Digest, Location};
use chart::IndexError;

use super::HelmRepositories;
use super::{Access, index};
use crate::source::{Attempt, Failure, Success, blocking};
use crate::storage::Storage;

/// An attempt in the making.
pub(super) struct Download<'a, 'o> {
    pub repositories: &'a HelmRepositories,
    pub attempt: &'a mut Attempt<'o, HelmRepositories>,
}

impl Download<'_, '_> {
    /// From the repository to the artifact.
    pub(super) async fn run(&mut self) -> Result<Success, Failure> {
        let object = self.attempt.object;
        let access = Access::read(&self.repositories.client, object).await?;
        let index = self.download(&access).await?;
        let old = self.attempt.artifact().map(|artifact| artifact.revision.clone());
        let algorithm = self.attempt.storage.algorithm();
        let (index, revision) = blocking(move || identify(index, old.as_deref(), algorithm))
            .await?
            .map_err(|error| unreadable(&error))?;
        self.attempt.conditions().delete(Type::FetchFailed);
        self.attempt.conditions().delete(Type::ArtifactOutdated);
        if !self.attempt.has_revision(&revision) {
            let artifact = self.store(index, &revision).await?;
            self.attempt.conditions().delete(Type::StorageOperationFailed);
            self.attempt.publish(artifact, &revision);
        }
        self.attempt.stored(Reason::Succeeded, format!("stored artifact: revision '{revision}'"));
        let size = self.attempt.artifact().and_then(|artifact| artifact.size).map_or_else(
            || "unknown size".to_owned(),
            |size| format!("size {}", human_size(u64::try_from(size).unwrap_or_default())),
        );
        Ok(Success::new(format!("stored fetched index of {size} from '{}'", object.spec.url)))
    }

    /// The index as the repository serves it.
    async fn download(&self, access: &Access) -> Result<File, Failure> {
        let (clients, limit) = (&self.repositories.clients, self.repositories.index_max_size);
        index::download(access, clients, limit).await.map_err(|error| {
            Failure::fetch(Reason::Failed, format!("failed to fetch Helm repository index: {error}"))
        })
    }

    async fn store(&mut self, index: File, revision: &str) -> Result<Artifact, Failure> {
        let work = Storing {
            storage: self.attempt.storage.clone(),
            location: self.attempt.location.clone(),
            index,
            revision: revision.to_owned(),
            now: self.attempt.stamp.now,
        };
        let conditions = self.attempt.status.conditions.clone();
        self.attempt.outdated(Reason::NewRevision, &format!("new index revision '{revision}'"));
        let stored = blocking(move || work.write()).await?;
        if let Err(Failure { reason: Reason::IndexationFailed, .. }) = stored {
            // An index that cannot be read is no news.
            self.attempt.status.conditions = conditions;
        }
        stored
    }
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::fetch(Reason::Failed, format!("failed to calculate index digest: {error}"))
}

/// The revision of an index: the digest of its bytes, with the algorithm of the artifact there is, so that another
/// algorithm alone makes no new artifact.
fn identify(mut index: File, old: Option<&str>, algorithm: Algorithm) -> io::Result<(File, String)> {
    let old = old.and_then(|revision| revision.parse::<Digest>().ok());
    let mut digest = |algorithm: Algorithm| {
        index.rewind()?;
        Ok::<_, io::Error>(algorithm.digest_reader(&mut index)?.0)
    };
    let found = match old {
        Some(old) => {
            let found = digest(old.algorithm())?;
            if found == old || old.algorithm() == algorithm { found } else { digest(algorithm)? }
        }
        None => digest(algorithm)?,
    };
    Ok((index, found.to_string()))
}

/// What the making of an artifact needs, on a thread of its own.
struct Storing {
    storage: Storage,
    location: Location,
    index: File,
    revision: String,
    now: api::meta::Timestamp,
}

impl Storing {
    fn write(self) -> Result<Artifact, Failure> {
        let hex = self.revision.split_once(':').map_or(&*self.revision, |(_, hex)| hex);
        let file = format!("index-{hex}.yaml");
        let fill = |sink: &mut dyn io::Write| Ok(index::normalise(&self.index, sink)?);
        let written = self.storage.file(&self.location, &file, &self.revision, self.now, fill);
        written.map_err(|error: Writing| match error {
            Writing::Index(error) => {
                // The lock of the file that never came would stay for ever.
                if let Err(error) = self.storage.remove(&self.location, &file) {
                    tracing::error!(error = %error, "cannot remove the lock of an index");
                }
                let message = format!("failed to load Helm repository from index YAML: {error}");
                Failure::fetch(Reason::IndexationFailed, message)
            }
            Writing::Storage(error) => Failure::writing("unable to save artifact to storage", &error),
        })
    }
}

/// Why an index was not written.
#[derive(Debug, thiserror::Error)]
enum Writing {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Storage(#[from] artifact::Error),
}

/// A size as people read it: four digits, powers of a thousand.
fn human_size(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let whole = if value >= 1000.0 {
        4
    } else if value >= 100.0 {
        3
    } else if value >= 10.0 {
        2
    } else {
        1
    };
    let text = format!("{value:.*}", 4 - whole);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{}", units.get(unit).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn sizes_have_four_digits() {
        for (bytes, text) in [
            (0, "0B"),
            (999, "999B"),
            (1000, "1kB"),
            (30_884, "30.88kB"),
            (1_234_567, "1.235MB"),
            (26_000_000, "26MB"),
            (123_456_789, "123.5MB"),
        ] {
            assert_eq!(human_size(bytes), text);
        }
    }

    #[test]
    fn another_algorithm_alone_is_no_new_revision() {
        let index = || {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(b"apiVersion: v1\n").unwrap();
            file
        };
        let revision = |old: Option<&str>, algorithm| identify(index(), old, algorithm).unwrap().1;
        let (sha256, sha512) = (revision(None, Algorithm::Sha256), revision(None, Algorithm::Sha512));
        assert!(sha256.starts_with("sha256:") && sha512.starts_with("sha512:"));
        assert_eq!(revision(Some(&sha256), Algorithm::Sha512), sha256);
        let other = sha256.replace(&sha256[60..], "00000000000");
        assert_eq!(revision(Some(&other), Algorithm::Sha512), sha512);
        assert_eq!(revision(Some("not a digest"), Algorithm::Sha256), sha256);
    }
}

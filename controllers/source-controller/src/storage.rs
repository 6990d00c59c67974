//! The artifacts of this process: where they lie, how they are addressed, and when they go.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use api::meta::{Artifact, Timestamp, stored_time};
use artifact::{Algorithm, Digest, Error, Location, Retention, Store, Stored, Writer};

/// The artifact storage. Clones share it. Everything here blocks on the disk.
#[derive(Clone)]
pub(crate) struct Storage {
    store: Store,
    /// What URLs begin with: `http://host`, without a slash at the end.
    base: Arc<str>,
    algorithm: Algorithm,
    retention: Retention,
    /// Files whose digest was checked by this process, with the modification time and size they had then.
    checked: Arc<Mutex<HashMap<String, Checked>>>,
}

#[derive(Clone, PartialEq)]
struct Checked {
    digest: String,
    modified: SystemTime,
    size: u64,
}

/// What is on disk for an artifact of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// The file is there, with the bytes that were published.
    Intact,
    /// The file is not there.
    Missing,
    /// The file is there with other bytes, or the status does not say which bytes it should have.
    Altered,
}

impl Storage {
    /// `host` is the address that consumers reach the file server at, with or without a scheme.
    pub(crate) fn new(store: Store, host: &str, algorithm: Algorithm, retention: Retention) -> Self {
        let host = host.trim_end_matches('/');
        let base = if host.starts_with("http://") || host.starts_with("https://") {
            host.to_owned()
        } else {
            format!("http://{host}")
        };
        Self { store, base: base.into(), algorithm, retention, checked: Arc::default() }
    }

    /// The URL of a path in the store.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    /// Tells what is on disk for `artifact`. Bytes are read once; after that only if the file changed.
    pub(crate) fn inspect(&self, artifact: &Artifact) -> Result<Condition, Error> {
        let Some(file) = self.store.resolve(&artifact.path) else { return Ok(Condition::Missing) };
        let Ok(digest) = artifact.digest.parse::<Digest>() else { return Ok(Condition::Altered) };
        let Ok(metadata) = std::fs::metadata(&file) else { return Ok(Condition::Missing) };
        let seen = Checked {
            digest: artifact.digest.clone(),
            modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            size: metadata.len(),
        };
        if self.checked().get(&artifact.path) == Some(&seen) {
            return Ok(Condition::Intact);
        }
        if !self.store.verify(&artifact.path, &digest)? {
            return Ok(Condition::Altered);
        }
        self.checked().insert(artifact.path.clone(), seen);
        Ok(Condition::Intact)
    }

    /// Writes a tar.gz and describes it for the status.
    pub(crate) fn archive<E: From<Error>>(
        &self,
        location: &Location,
        file: &str,
        revision: &str,
        now: Timestamp,
        fill: impl FnOnce(&mut Writer<&mut dyn Write>) -> Result<(), E>,
    ) -> Result<Artifact, E> {
        let _lock = self.store.lock(location, file)?;
        let stored = self.store.write_archive(location, file, self.algorithm, fill)?;
        Ok(self.describe(stored, revision, now))
    }

    /// Writes a file, as `fill` gives it, and describes it for the status.
    pub(crate) fn file<E: From<Error>>(
        &self,
        location: &Location,
        file: &str,
        revision: &str,
        now: Timestamp,
        fill: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<Artifact, E> {
        let _lock = self.store.lock(location, file)?;
        let stored = self.store.write_file(location, file, self.algorithm, fill)?;
        Ok(self.describe(stored, revision, now))
    }

    /// Points `link` in the object's directory at `file`, and gives its URL.
    pub(crate) fn link(&self, location: &Location, file: &str, link: &str) -> Result<String, Error> {
        self.store.link(location, file, link)?;
        Ok(self.url(&location.path(link)?))
    }

    /// The algorithm of artifact digests.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn describe(&self, stored: Stored, revision: &str, now: Timestamp) -> Artifact {
        let digest = stored.digest.to_string();
        self.checked().insert(
            stored.path.clone(),
            Checked { digest: digest.clone(), modified: stored.modified, size: stored.size },
        );
        Artifact {
            url: self.url(&stored.path),
            path: stored.path,
            revision: revision.to_owned(),
            digest,
            last_update_time: stored_time(now),
            size: i64::try_from(stored.size).ok(),
            metadata: Default::default(),
        }
    }

    /// Opens a stored artifact for reading.
    pub(crate) fn open(&self, artifact: &Artifact) -> Option<std::fs::File> {
        std::fs::File::open(self.store.resolve(&artifact.path)?).ok()
    }

    /// Removes what the retention no longer covers; `current` is never removed. Returns how many went.
    pub(crate) fn collect(&self, location: &Location, current: &str) -> Result<usize, Error> {
        let gone = self.store.collect(location, current, self.retention, SystemTime::now())?;
        let mut checked = self.checked();
        gone.iter().for_each(|path| {
            checked.remove(path);
        });
        Ok(gone.len())
    }

    /// Every object that has a directory in the store.
    pub(crate) fn locations(&self) -> Result<Vec<Location>, Error> {
        self.store.locations()
    }

    /// Removes one file.
    pub(crate) fn remove(&self, location: &Location, file: &str) -> Result<(), Error> {
        self.store.remove(location, file)
    }

    /// Removes everything of an object.
    pub(crate) fn remove_all(&self, location: &Location) -> Result<(), Error> {
        let prefix = location.path("-").unwrap_or_default();
        let prefix = prefix.trim_end_matches('-');
        self.checked().retain(|path, _| !path.starts_with(prefix));
        self.store.remove_all(location)
    }

    fn checked(&self) -> std::sync::MutexGuard<'_, HashMap<String, Checked>> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(root: &std::path::Path, host: &str) -> Storage {
        Storage::new(Store::open(root).expect("a store"), host, Algorithm::Sha256, Retention::default())
    }

    #[test]
    fn urls_take_the_scheme_of_the_host() {
        let directory = tempfile::tempdir().expect("a directory");
        assert_eq!(storage(directory.path(), "sc.flux.svc.").url("a/b"), "http://sc.flux.svc./a/b");
        assert_eq!(storage(directory.path(), "https://sc/").url("a/b"), "https://sc/a/b");
    }

    #[test]
    fn a_file_that_vanished_or_changed_is_noticed() {
        let directory = tempfile::tempdir().expect("a directory");
        let storage = storage(directory.path(), "host");
        let location = Location::new("GitRepository", "apps", "shop").expect("a location");
        let artifact = storage
            .archive(&location, "x.tar.gz", "main@sha1:1", Timestamp::UNIX_EPOCH, |writer| {
                writer.file("a.yaml", artifact::FileMode::Regular, b"a: 1\n")
            })
            .expect("an artifact");
        assert_eq!(artifact.path, "gitrepository/apps/shop/x.tar.gz");
        assert_eq!(storage.inspect(&artifact).expect("inspected"), Condition::Intact);
        let unnamed = Artifact { digest: String::new(), ..artifact.clone() };
        assert_eq!(storage.inspect(&unnamed).expect("inspected"), Condition::Altered);
        let path = directory.path().join(&artifact.path);
        std::fs::write(&path, b"other").expect("written");
        assert_eq!(storage.inspect(&artifact).expect("inspected"), Condition::Altered);
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(storage.inspect(&artifact).expect("inspected"), Condition::Missing);
    }
}

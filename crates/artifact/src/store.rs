//! Artifacts on disk: `{root}/{kind}/{namespace}/{name}/{file}`.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::{Algorithm, Candidate, Digest, Error, HashingWriter, Result, Retention, Writer};

/// At most so many files of one object are looked at in one collection.
const COLLECT_MAX: usize = 1000;
const LOCK_SUFFIX: &str = ".lock";
/// Unfinished files begin with a dot, which no artifact does; neither the server nor the collector takes them for one.
const TEMPORARY_PREFIX: &str = ".tmp-";

/// The directory of one object's artifacts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    kind: String,
    namespace: String,
    name: String,
}

impl Location {
    /// Checks that each part is a single path component; the kind is lower-cased.
    pub fn new(kind: &str, namespace: &str, name: &str) -> Result<Self> {
        let kind = kind.to_ascii_lowercase();
        for part in [&*kind, namespace, name] {
            component(part)?;
        }
        Ok(Location { kind, namespace: namespace.into(), name: name.into() })
    }

    /// The path of `file` relative to the store's root, which is `status.artifact.path`.
    pub fn path(&self, file: &str) -> Result<String> {
        component(file)?;
        Ok(format!("{}/{}/{}/{file}", self.kind, self.namespace, self.name))
    }

    /// The object's kind in lower case.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The object's namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The object's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn directory(&self, root: &Path) -> PathBuf {
        root.join(&self.kind).join(&self.namespace).join(&self.name)
    }
}

/// A finished artifact file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Path relative to the store's root.
    pub path: String,
    /// Digest of the file's bytes.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    /// Modification time of the file.
    pub modified: SystemTime,
}

/// An exclusive lock on one artifact, released on drop. It protects against a second process on a shared volume.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The artifact store of one source-controller. All calls block; run them off the async workers.
///
/// Files are written under a temporary name, synced and renamed, so a crash never leaves half a file under a final name.
/// Directories are created 0700 and files 0600.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens the store at `root`, which must be a directory.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root: PathBuf = root.into();
        match fs::canonicalize(&root) {
            Ok(path) if path.is_dir() => Ok(Store { root: path }),
            _ => Err(Error::NoStorage(root)),
        }
    }

    /// The directory everything is in, without symbolic links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Writes a tree as tar.gz: `fill` adds the entries. Nothing is published when `fill` fails.
    pub fn write_archive<E: From<Error>>(
        &self,
        location: &Location,
        file: &str,
        algorithm: Algorithm,
        fill: impl FnOnce(&mut Writer<&mut dyn Write>) -> std::result::Result<(), E>,
    ) -> std::result::Result<Stored, E> {
        self.write_file(location, file, algorithm, |sink| {
            let mut writer = Writer::new(sink)?;
            fill(&mut writer)?;
            writer.finish()?;
            Ok(())
        })
    }

    /// Writes a file: `fill` writes its bytes. Nothing is published when `fill` fails.
    pub fn write_file<E: From<Error>>(
        &self,
        location: &Location,
        file: &str,
        algorithm: Algorithm,
        fill: impl FnOnce(&mut dyn Write) -> std::result::Result<(), E>,
    ) -> std::result::Result<Stored, E> {
        let path = location.path(file)?;
        let directory = self.create_directory(location)?;
        let target = directory.join(file);
        let temporary = tempfile::Builder::new()
            .prefix(TEMPORARY_PREFIX)
            .tempfile_in(&directory)
            .map_err(Error::io("create a file in", &directory))?;
        let mut writer = HashingWriter::new(algorithm, BufWriter::with_capacity(64 * 1024, temporary));
        fill(&mut writer)?;
        let (buffered, digest, size) = writer.finish();
        let temporary = buffered.into_inner().map_err(|e| Error::io("write", &target)(e.into_error()))?;
        temporary.as_file().sync_all().map_err(Error::io("sync", &target))?;
        let file = temporary.persist(&target).map_err(|e| Error::io("rename to", &target)(e.error))?;
        sync_directory(&directory)?;
        let modified = file.metadata().and_then(|m| m.modified()).map_err(Error::io("stat", &target))?;
        Ok(Stored { path, digest, size, modified })
    }

    #[cfg(test)]
    pub(crate) fn write_bytes(
        &self,
        location: &Location,
        file: &str,
        algorithm: Algorithm,
        bytes: &[u8],
    ) -> Result<Stored> {
        self.write_file(location, file, algorithm, |sink| {
            sink.write_all(bytes).map_err(Error::io("write", Path::new(file)))
        })
    }

    /// Takes the lock of an artifact, waiting for it. Its directory is created when missing.
    pub fn lock(&self, location: &Location, file: &str) -> Result<Lock> {
        component(file)?;
        let path = self.create_directory(location)?.join(format!("{file}{LOCK_SUFFIX}"));
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        file.lock().map_err(Error::Lock)?;
        Ok(Lock { _file: file })
    }

    /// The absolute path of an artifact given by its `status.artifact.path`, when it is a regular file in the store.
    pub fn resolve(&self, path: &str) -> Option<PathBuf> {
        resolve(&self.root, path)
    }

    /// Whether the artifact at `path` is there and its bytes match `digest`.
    pub fn verify(&self, path: &str, digest: &Digest) -> Result<bool> {
        let Some(path) = self.resolve(path) else { return Ok(false) };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Error::io("open", &path)(error)),
        };
        let (found, _) = digest.algorithm().digest_reader(file).map_err(Error::io("read", &path))?;
        Ok(found == *digest)
    }

    /// Removes one artifact file and its lock file. Missing files are no error.
    pub fn remove(&self, location: &Location, file: &str) -> Result<()> {
        component(file)?;
        let path = location.directory(&self.root).join(file);
        remove_file(&path)?;
        remove_file(&with_suffix(&path, LOCK_SUFFIX))
    }

    /// Removes everything of one object. A missing directory is no error.
    pub fn remove_all(&self, location: &Location) -> Result<()> {
        let directory = location.directory(&self.root);
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove", &directory)(error))
            }
            _ => Ok(()),
        }
    }

    /// Removes the old artifacts of one object by `retention`, and what crashes left behind. Returns the paths removed,
    /// relative to the root.
    pub fn collect(
        &self,
        location: &Location,
        current: &str,
        retention: Retention,
        now: SystemTime,
    ) -> Result<Vec<String>> {
        let directory = location.directory(&self.root);
        let listing = match fs::read_dir(&directory) {
            Ok(listing) => listing,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io("list", &directory)(error)),
        };
        let mut candidates = Vec::new();
        for entry in listing.take(COLLECT_MAX) {
            let entry = entry.map_err(Error::io("list", &directory))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Ok(metadata) = fs::symlink_metadata(entry.path()) else { continue };
            if !metadata.is_file() || name.ends_with(LOCK_SUFFIX) {
                continue;
            }
            let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if name.starts_with(TEMPORARY_PREFIX) {
                if now.duration_since(modified).is_ok_and(|age| age.as_secs() > 3600) {
                    remove_file(&entry.path())?;
                }
                continue;
            }
            candidates.push(Candidate { name, modified });
        }
        let mut removed = Vec::new();
        for name in retention.select(&candidates, current, now) {
            self.remove(location, &name)?;
            removed.push(location.path(&name)?);
        }
        Ok(removed)
    }

    /// Points the symbolic link `link` in the object's directory at `file`, atomically.
    pub fn link(&self, location: &Location, file: &str, link: &str) -> Result<()> {
        component(file)?;
        component(link)?;
        let directory = self.create_directory(location)?;
        let (target, path) = (directory.join(file), directory.join(link));
        let temporary = directory.join(format!("{TEMPORARY_PREFIX}{link}"));
        remove_file(&temporary)?;
        std::os::unix::fs::symlink(&target, &temporary).map_err(Error::io("link", &temporary))?;
        fs::rename(&temporary, &path).map_err(Error::io("rename to", &path))
    }

    /// Every object directory in the store, so that those of vanished objects can be removed at start-up.
    pub fn locations(&self) -> Result<Vec<Location>> {
        let mut found = Vec::new();
        for kind in directories(&self.root)? {
            for namespace in directories(&self.root.join(&kind))? {
                for name in directories(&self.root.join(&kind).join(&namespace))? {
                    if let Ok(location) = Location::new(&kind, &namespace, &name) {
                        found.push(location);
                    }
                }
            }
        }
        Ok(found)
    }

    fn create_directory(&self, location: &Location) -> Result<PathBuf> {
        let directory = location.directory(&self.root);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .map_err(Error::io("create", &directory))?;
        Ok(directory)
    }
}

/// A regular file under `root` named by a clean relative path, following links that stay inside. Lock files, unfinished
/// files and anything hidden are not there.
pub(crate) fn resolve(root: &Path, path: &str) -> Option<PathBuf> {
    let mut joined = root.to_owned();
    for part in path.split('/') {
        component(part).ok()?;
        joined.push(part);
    }
    if joined.extension() == Some(OsStr::new("lock")) {
        return None;
    }
    let real = fs::canonicalize(&joined).ok()?;
    (real.starts_with(root) && real.is_file()).then_some(real)
}

/// A single, visible path component.
fn component(name: &str) -> Result<()> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) || name.len() > 255 {
        return Err(Error::InvalidName(name.escape_default().to_string()));
    }
    Ok(())
}

fn directories(path: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(Error::io("list", path))? {
        let entry = entry.map_err(Error::io("list", path))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir())
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    Ok(names)
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn sync_directory(path: &Path) -> Result<()> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(Error::io("sync", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileMode;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    fn store() -> (tempfile::TempDir, Store, Location) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        (directory, store, Location::new("GitRepository", "ns", "repo").unwrap())
    }

    #[test]
    fn an_archive_is_published_whole_and_verifies() {
        let (_guard, store, at) = store();
        let write = |contents: &[u8]| {
            store.write_archive::<Error>(&at, "abc.tar.gz", Algorithm::Sha256, |w| {
                w.file("f", FileMode::Regular, contents)
            })
        };
        let stored = write(b"1").unwrap();
        assert_eq!(stored.path, "gitrepository/ns/repo/abc.tar.gz");
        let path = store.resolve(&stored.path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), stored.size);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(store.verify(&stored.path, &stored.digest).unwrap());
        assert_eq!(write(b"1").unwrap().digest, stored.digest, "the same tree gives the same digest");
        assert_ne!(write(b"2").unwrap().digest, stored.digest);
        assert!(!store.verify(&stored.path, &stored.digest).unwrap());
        assert!(!store.verify("gitrepository/ns/repo/other", &stored.digest).unwrap());
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let (_guard, store, at) = store();
        let result = store.write_archive(&at, "abc.tar.gz", Algorithm::Sha256, |w| w.directory("../x"));
        assert!(result.is_err());
        assert_eq!(fs::read_dir(at.directory(store.root())).unwrap().count(), 0);
    }

    #[test]
    fn names_cannot_leave_the_store() {
        let (_guard, store, at) = store();
        for bad in ["", ".", "..", "a/b", "..\\x", ".hidden"] {
            assert!(Location::new("GitRepository", bad, "x").is_err(), "{bad}");
            assert!(at.path(bad).is_err(), "{bad}");
            assert!(store.write_bytes(&at, bad, Algorithm::Sha256, b"").is_err(), "{bad}");
        }
        let outside = tempfile::NamedTempFile::new().unwrap();
        store.write_bytes(&at, "f", Algorithm::Sha256, b"x").unwrap();
        let link = at.directory(store.root()).join("escape");
        std::os::unix::fs::symlink(outside.path(), link).unwrap();
        assert_eq!(store.resolve("gitrepository/ns/repo/escape"), None);
        assert_eq!(store.resolve("gitrepository/../gitrepository/ns/repo/f"), None);
        assert!(store.resolve("gitrepository/ns/repo/f").is_some());
    }

    #[test]
    fn collection_keeps_the_current_and_takes_locks_along() {
        let (_guard, store, at) = store();
        for name in ["a", "b", "c"] {
            store.write_bytes(&at, name, Algorithm::Sha256, b"x").unwrap();
            drop(store.lock(&at, name).unwrap());
        }
        store.link(&at, "a", "latest.tar.gz").unwrap();
        let later = SystemTime::now() + Duration::from_secs(120);
        let mut removed = store.collect(&at, "a", Retention::default(), later).unwrap();
        removed.sort();
        assert_eq!(removed, ["gitrepository/ns/repo/b", "gitrepository/ns/repo/c"]);
        let mut left: Vec<_> = fs::read_dir(at.directory(store.root()))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["a", "a.lock", "latest.tar.gz"]);
        assert!(store.resolve("gitrepository/ns/repo/latest.tar.gz").is_some());
        assert_eq!(store.locations().unwrap(), std::slice::from_ref(&at));
        store.remove_all(&at).unwrap();
        store.remove_all(&at).unwrap();
        assert!(store.locations().unwrap().is_empty());
    }

    #[test]
    fn a_lock_excludes_another() {
        let (_guard, store, at) = store();
        let held = store.lock(&at, "a").unwrap();
        let path = at.directory(store.root()).join("a.lock");
        let other = File::open(&path).unwrap();
        assert!(other.try_lock().is_err());
        drop(held);
        assert!(other.try_lock().is_ok());
    }
}

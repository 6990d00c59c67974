//! A directory on disk, with every access confined to it.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use super::{FileSystem, FsError, clean};

/// A directory of the host. Every path is resolved through its symlinks and must end inside the directory.
#[derive(Debug, Clone)]
pub struct DiskFileSystem {
    root: PathBuf,
}

impl DiskFileSystem {
    /// Opens a directory.
    ///
    /// # Errors
    /// If it does not exist, is no directory, or its path cannot be resolved.
    pub fn open(root: impl AsRef<Path>) -> io::Result<Self> {
        let root = root.as_ref().canonicalize()?;
        if root.is_dir() {
            Ok(Self { root })
        } else {
            Err(io::Error::new(io::ErrorKind::NotADirectory, "the root must be a directory"))
        }
    }

    fn real(&self, path: &str) -> Result<PathBuf, FsError> {
        let joined = if path.is_empty() { self.root.clone() } else { self.root.join(path) };
        let real = joined.canonicalize().map_err(|error| failed(path, &error))?;
        if real.starts_with(&self.root) { Ok(real) } else { Err(FsError::Outside { path: path.to_owned() }) }
    }
}

fn failed(path: &str, error: &io::Error) -> FsError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FsError::NotFound { path: path.to_owned() },
        _ => FsError::Io { path: path.to_owned(), reason: error.kind().to_string() },
    }
}

impl FileSystem for DiskFileSystem {
    fn read(&self, path: &str) -> Result<Cow<'_, [u8]>, FsError> {
        let real = self.real(path)?;
        if !real.is_file() {
            return Err(FsError::WrongKind { path: path.to_owned(), expected: "file" });
        }
        std::fs::read(real).map(Cow::Owned).map_err(|error| failed(path, &error))
    }

    fn size(&self, path: &str) -> Option<u64> {
        std::fs::metadata(self.real(path).ok()?).ok().map(|metadata| metadata.len())
    }

    fn is_file(&self, path: &str) -> bool {
        self.real(path).is_ok_and(|real| real.is_file())
    }

    fn is_dir(&self, path: &str) -> bool {
        self.real(path).is_ok_and(|real| real.is_dir())
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, FsError> {
        let entries = std::fs::read_dir(self.real(dir)?).map_err(|error| failed(dir, &error))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| failed(dir, &error))?;
            names.extend(entry.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn resolve(&self, path: &str) -> Result<String, FsError> {
        let real = self.real(path)?;
        let outside = || FsError::Outside { path: path.to_owned() };
        let inner = real.strip_prefix(&self.root).map_err(|_| outside())?;
        inner.to_str().map(str::to_owned).ok_or_else(outside)
    }

    fn relative(&self, absolute: &str) -> Option<String> {
        clean(Path::new(absolute).strip_prefix(&self.root).ok()?.to_str()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn symlinks_cannot_leave_the_root() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("root");
        std::fs::create_dir_all(root.join("a")).unwrap();
        std::fs::write(outer.path().join("secret"), "s").unwrap();
        std::fs::write(root.join("a/in.yaml"), "i").unwrap();
        std::os::unix::fs::symlink("../../secret", root.join("a/out.yaml")).unwrap();
        std::os::unix::fs::symlink("a", root.join("link")).unwrap();
        let fs = DiskFileSystem::open(&root).unwrap();
        assert!(matches!(fs.read("a/out.yaml"), Err(FsError::Outside { .. })));
        assert!(!fs.is_file("a/out.yaml"));
        assert_eq!(fs.read("link/in.yaml").unwrap().as_ref(), b"i");
        assert_eq!(fs.resolve("link/in.yaml").unwrap(), "a/in.yaml");
        assert_eq!(fs.list("").unwrap(), ["a", "link"]);
        assert!(matches!(fs.read("a"), Err(FsError::WrongKind { .. })));
        assert!(matches!(fs.read("nope"), Err(FsError::NotFound { .. })));
    }
}

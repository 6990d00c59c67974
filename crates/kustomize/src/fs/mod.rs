//! The file system a build reads from: clean, `/`-separated paths relative to a root that nothing can leave.

mod disk;
mod memory;
mod overlay;
mod path;

use std::borrow::Cow;

pub use disk::DiskFileSystem;
pub use memory::MemoryFileSystem;
pub use overlay::OverlayFileSystem;
pub use path::{base_name, clean, join, parent};

/// Read access to a tree of files.
///
/// Paths are clean (see [`clean`]), `/`-separated and relative to the root, which is `""`. An implementation never
/// resolves a path to anything outside its root, whatever symlinks it meets.
pub trait FileSystem: Send + Sync {
    /// The content of the file at `path`.
    ///
    /// # Errors
    /// [`FsError`] if there is no such file, it lies outside the root, or it cannot be read.
    fn read(&self, path: &str) -> Result<Cow<'_, [u8]>, FsError>;

    /// The size of a file in bytes, where it is known without reading it.
    fn size(&self, _path: &str) -> Option<u64> {
        None
    }

    /// Whether `path` is a regular file (after symlinks) inside the root.
    fn is_file(&self, path: &str) -> bool;

    /// Whether `path` is a directory (after symlinks) inside the root. The root itself is one.
    fn is_dir(&self, path: &str) -> bool;

    /// The names (not paths) of the entries of a directory, sorted bytewise.
    ///
    /// # Errors
    /// [`FsError`] if there is no such directory.
    fn list(&self, dir: &str) -> Result<Vec<String>, FsError>;

    /// The path of an existing entry with every symlink resolved, still relative to the root. File systems without
    /// symlinks keep the default, which returns the path as it is.
    ///
    /// # Errors
    /// [`FsError::Outside`] if the path leads out of the root, [`FsError::NotFound`] if nothing is there.
    fn resolve(&self, path: &str) -> Result<String, FsError> {
        if self.is_file(path) || self.is_dir(path) {
            Ok(path.to_owned())
        } else {
            Err(FsError::NotFound { path: path.to_owned() })
        }
    }

    /// An absolute host path as a path relative to the root, if it lies inside. File systems that have no place on
    /// the host keep the default, which knows none.
    fn relative(&self, _absolute: &str) -> Option<String> {
        None
    }
}

/// Why a path could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FsError {
    /// Nothing exists at the path.
    #[error("no such file or directory: {}", shown(path))]
    NotFound {
        /// The path asked for, relative to the root.
        path: String,
    },
    /// The path, or a symlink on its way, leads out of the root.
    #[error("path {} is outside the source root", shown(path))]
    Outside {
        /// The path asked for.
        path: String,
    },
    /// A directory where a file was expected, or the reverse.
    #[error("{} is not a {expected}", shown(path))]
    WrongKind {
        /// The path asked for.
        path: String,
        /// What was expected: `file` or `directory`.
        expected: &'static str,
    },
    /// The file system failed.
    #[error("cannot read {}: {reason}", shown(path))]
    Io {
        /// The path asked for.
        path: String,
        /// The operating system's reason.
        reason: String,
    },
}

/// How a root-relative path is printed: the root itself as `.`.
fn shown(path: &str) -> &str {
    if path.is_empty() { "." } else { path }
}

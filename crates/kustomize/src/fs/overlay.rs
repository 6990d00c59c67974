//! Generated files laid over another file system.

use std::borrow::Cow;

use super::{FileSystem, FsError, MemoryFileSystem};

/// `upper` laid over `lower`: a file of `upper` hides the entry of the same path below.
pub struct OverlayFileSystem<'a> {
    lower: &'a dyn FileSystem,
    upper: MemoryFileSystem,
}

impl<'a> OverlayFileSystem<'a> {
    /// Lays `upper` over `lower`.
    #[must_use]
    pub fn new(lower: &'a dyn FileSystem, upper: MemoryFileSystem) -> Self {
        Self { lower, upper }
    }
}

impl FileSystem for OverlayFileSystem<'_> {
    fn read(&self, path: &str) -> Result<Cow<'_, [u8]>, FsError> {
        if self.upper.is_file(path) { self.upper.read(path) } else { self.lower.read(path) }
    }

    fn size(&self, path: &str) -> Option<u64> {
        if self.upper.is_file(path) { self.upper.size(path) } else { self.lower.size(path) }
    }

    fn is_file(&self, path: &str) -> bool {
        self.upper.is_file(path) || self.lower.is_file(path)
    }

    fn is_dir(&self, path: &str) -> bool {
        !self.upper.is_file(path) && (self.upper.is_dir(path) || self.lower.is_dir(path))
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, FsError> {
        let mut names = match (self.upper.list(dir), self.lower.list(dir)) {
            (Ok(mut upper), Ok(lower)) => {
                upper.extend(lower);
                upper
            }
            (Ok(names), Err(_)) | (Err(_), Ok(names)) => names,
            (Err(_), Err(error)) => return Err(error),
        };
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn resolve(&self, path: &str) -> Result<String, FsError> {
        if self.upper.is_file(path) { Ok(path.to_owned()) } else { self.lower.resolve(path) }
    }

    fn relative(&self, absolute: &str) -> Option<String> {
        self.lower.relative(absolute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upper_file_wins() {
        let mut lower = MemoryFileSystem::new();
        lower.insert("a/kustomization.yaml", "old").insert("a/b.yaml", "b");
        let mut upper = MemoryFileSystem::new();
        upper.insert("a/kustomization.yaml", "new");
        let fs = OverlayFileSystem::new(&lower, upper);
        assert_eq!(fs.read("a/kustomization.yaml").unwrap().as_ref(), b"new");
        assert_eq!(fs.read("a/b.yaml").unwrap().as_ref(), b"b");
        assert_eq!(fs.list("a").unwrap(), ["b.yaml", "kustomization.yaml"]);
    }
}

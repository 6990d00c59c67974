//! A tree of files in memory.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::{FileSystem, FsError, clean, parent};

/// Files held in memory, for tests and for generated trees.
#[derive(Debug, Clone, Default)]
pub struct MemoryFileSystem {
    files: BTreeMap<String, Vec<u8>>,
    directories: BTreeSet<String>,
}

impl MemoryFileSystem {
    /// An empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a file, and creates its directories. A path that leaves the root is ignored.
    pub fn insert(&mut self, path: &str, content: impl Into<Vec<u8>>) -> &mut Self {
        if let Some(path) = clean(path).filter(|path| !path.is_empty()) {
            self.insert_dir(parent(&path).to_owned().as_str());
            self.files.insert(path, content.into());
        }
        self
    }

    /// Adds an empty directory and its parents.
    pub fn insert_dir(&mut self, path: &str) -> &mut Self {
        let Some(path) = clean(path) else { return self };
        let mut rest = path.as_str();
        while !rest.is_empty() {
            if !self.directories.insert(rest.to_owned()) {
                break;
            }
            rest = parent(rest);
        }
        self
    }
}

impl FileSystem for MemoryFileSystem {
    fn read(&self, path: &str) -> Result<Cow<'_, [u8]>, FsError> {
        match self.files.get(path) {
            Some(content) => Ok(Cow::Borrowed(content)),
            None if self.is_dir(path) => Err(FsError::WrongKind { path: path.to_owned(), expected: "file" }),
            None => Err(FsError::NotFound { path: path.to_owned() }),
        }
    }

    fn is_file(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    fn is_dir(&self, path: &str) -> bool {
        path.is_empty() || self.directories.contains(path)
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, FsError> {
        if !self.is_dir(dir) {
            return Err(FsError::NotFound { path: dir.to_owned() });
        }
        let names: BTreeSet<&str> = (self.files.keys().chain(&self.directories))
            .filter(|path| parent(path) == dir && !path.is_empty())
            .map(|path| super::base_name(path))
            .collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_files_and_directories() {
        let mut fs = MemoryFileSystem::new();
        fs.insert("a/b/c.yaml", "x").insert("a/d.yaml", "y").insert_dir("a/empty");
        assert_eq!(fs.list("a").unwrap(), ["b", "d.yaml", "empty"]);
        assert_eq!(fs.list("").unwrap(), ["a"]);
        assert!(fs.is_dir("a/b") && fs.is_file("a/b/c.yaml") && !fs.is_file("a/b"));
        assert_eq!(fs.read("a/d.yaml").unwrap().as_ref(), b"y");
        assert!(matches!(fs.read("a/b"), Err(FsError::WrongKind { .. })));
        assert!(matches!(fs.list("nope"), Err(FsError::NotFound { .. })));
    }
}

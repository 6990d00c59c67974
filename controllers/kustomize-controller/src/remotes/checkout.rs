//! A commit as files: nothing is written to the disk, and contents are read when they are asked for.

use std::collections::{BTreeMap, VecDeque};

use git::{Kind, Selection, Snapshot};
use kustomize::FsError;

/// Symbolic links on the way to one path.
const LINKS: usize = 40;

/// The files of a commit, with symbolic links followed as long as they stay in the repository.
pub struct Checkout {
    snapshot: Snapshot,
    kinds: BTreeMap<String, Kind>,
    /// Targets of symbolic links.
    links: BTreeMap<String, String>,
}

/// Where a path leads.
enum Found {
    At(String, Kind),
    Outside,
    Nothing,
}

impl Checkout {
    /// The files of a snapshot.
    ///
    /// # Errors
    /// If the objects of the repository are damaged.
    pub fn new(snapshot: Snapshot) -> Result<Self, git::Error> {
        let mut kinds = BTreeMap::new();
        let mut walk = snapshot.walk(&Selection::default())?;
        let mut links = BTreeMap::new();
        while let Some(entry) = walk.next_entry()? {
            if entry.kind == Kind::Symlink {
                let target = String::from_utf8_lossy(walk.read(&entry)?).into_owned();
                links.insert(entry.path.clone(), target);
            }
            kinds.insert(entry.path, entry.kind);
        }
        Ok(Self { snapshot, kinds, links })
    }

    fn find(&self, path: &str) -> Found {
        let mut at = String::new();
        let mut rest: VecDeque<String> = path.split('/').map(str::to_owned).collect();
        let mut links = 0;
        while let Some(part) = rest.pop_front() {
            match part.as_str() {
                "" | "." => continue,
                ".." if at.is_empty() => return Found::Outside,
                ".." => {
                    at.truncate(at.rfind('/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let next = if at.is_empty() { part } else { format!("{at}/{part}") };
            match self.kinds.get(&next) {
                None => return Found::Nothing,
                Some(Kind::Symlink) => {
                    links += 1;
                    let Some(target) = self.links.get(&next) else { return Found::Nothing };
                    if target.starts_with('/') || links > LINKS {
                        return Found::Outside;
                    }
                    for part in target.split('/').rev() {
                        rest.push_front(part.to_owned());
                    }
                }
                Some(_) => at = next,
            }
        }
        let kind = if at.is_empty() { Some(Kind::Directory) } else { self.kinds.get(&at).copied() };
        kind.map_or(Found::Nothing, |kind| Found::At(at, kind))
    }

    /// The path that `path` leads to, which is shown as `shown`.
    pub fn resolve(&self, shown: &str, path: &str) -> Result<String, FsError> {
        match self.find(path) {
            Found::At(at, _) => Ok(at),
            Found::Outside => Err(FsError::Outside { path: shown.to_owned() }),
            Found::Nothing => Err(FsError::NotFound { path: shown.to_owned() }),
        }
    }

    /// The content of a file.
    pub fn read(&self, shown: &str, path: &str) -> Result<Vec<u8>, FsError> {
        let at = self.resolve(shown, path)?;
        if !self.is_file(path) {
            return Err(FsError::WrongKind { path: shown.to_owned(), expected: "file" });
        }
        match self.snapshot.read_file(&at) {
            Ok(Some(content)) => Ok(content),
            Ok(None) => Err(FsError::NotFound { path: shown.to_owned() }),
            Err(error) => Err(FsError::Io { path: shown.to_owned(), reason: error.to_string() }),
        }
    }

    pub fn is_file(&self, path: &str) -> bool {
        matches!(self.find(path), Found::At(_, Kind::File | Kind::Executable))
    }

    pub fn is_dir(&self, path: &str) -> bool {
        matches!(self.find(path), Found::At(_, Kind::Directory))
    }

    /// The names in a directory.
    pub fn list(&self, shown: &str, path: &str) -> Result<Vec<String>, FsError> {
        let at = self.resolve(shown, path)?;
        if !self.is_dir(path) {
            return Err(FsError::WrongKind { path: shown.to_owned(), expected: "directory" });
        }
        let prefix = if at.is_empty() { at } else { format!("{at}/") };
        let below = self.kinds.range(prefix.clone()..).map_while(|(path, _)| path.strip_prefix(&prefix));
        Ok(below.filter(|name| !name.contains('/')).map(str::to_owned).collect())
    }
}

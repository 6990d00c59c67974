//! Charts in folders.

use crate::archive::ArchiveLimits;
use crate::error::Error;
use crate::file::File;
use crate::ignore::{IgnoreRules, PathKind};
use crate::time::Time;

/// What an entry of a folder is, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file, or a link to one.
    File,
    /// A folder, or a link to one.
    Folder,
    /// A device, a socket or the like.
    Irregular,
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name within the folder.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Size of a file, in bytes.
    pub size: u64,
    /// When it was last changed, if known.
    pub modified: Option<Time>,
}

/// A folder with a chart: the only way by which this crate sees a disk.
pub trait FileTree {
    /// The entries of a folder, in any order. The path is relative to the chart, with `/`; the chart itself is empty.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn entries(&self, folder: &str) -> Result<Vec<Entry>, String>;
    /// The content of a file.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;
}

/// Folders within folders that are followed; deeper ones are an error, as a link may point to its own parent.
const DEEPEST: usize = 64;

/// Reads the files of a chart that `.helmignore` does not leave out, in the order of their paths.
///
/// # Errors
/// A file that cannot be read, is no regular file or is too large; a `.helmignore` that cannot be used.
pub fn read_folder(tree: &dyn FileTree, limits: &ArchiveLimits) -> Result<Vec<File>, Error> {
    let rules = match entries(tree, "")?.iter().find(|entry| entry.name == ".helmignore") {
        Some(entry) if entry.kind == EntryKind::File => tree.read(".helmignore").map_err(Error::Load)?,
        _ => Vec::new(),
    };
    let mut reader = Reader { tree, rules: IgnoreRules::parse(&rules)?, limits, total: 0, files: Vec::new() };
    reader.folder("", 0)?;
    Ok(reader.files)
}

fn entries(tree: &dyn FileTree, folder: &str) -> Result<Vec<Entry>, Error> {
    let mut entries = tree.entries(folder).map_err(Error::Load)?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

struct Reader<'a> {
    tree: &'a dyn FileTree,
    rules: IgnoreRules,
    limits: &'a ArchiveLimits,
    total: u64,
    files: Vec<File>,
}

impl Reader<'_> {
    fn folder(&mut self, folder: &str, depth: usize) -> Result<(), Error> {
        if depth > DEEPEST {
            let problem =
                format!("{folder}: more than {DEEPEST} folders deep; does a link point to its parent?");
            return Err(Error::Load(problem));
        }
        for entry in entries(self.tree, folder)? {
            let path =
                if folder.is_empty() { entry.name.clone() } else { format!("{folder}/{}", entry.name) };
            let kind = if entry.kind == EntryKind::Folder { PathKind::Folder } else { PathKind::File };
            if self.rules.ignores(&path, kind) {
                continue;
            }
            match entry.kind {
                EntryKind::Folder => self.folder(&path, depth + 1)?,
                EntryKind::File => self.file(path, &entry)?,
                EntryKind::Irregular => {
                    return Err(Error::Load(format!(
                        "cannot load irregular file {path} as it has file mode type bits set"
                    )));
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, path: String, entry: &Entry) -> Result<(), Error> {
        let (name, most) = (&entry.name, self.limits.file);
        let too_large =
            || Error::Load(format!("chart file {name:?} is larger than the maximum file size {most}"));
        if entry.size > most {
            return Err(too_large());
        }
        let data = self
            .tree
            .read(&path)
            .map_err(|problem| Error::Load(format!("error reading {path}: {problem}")))?;
        if data.len() as u64 > most {
            return Err(too_large());
        }
        self.total += data.len() as u64;
        if self.total > self.limits.total {
            let most = self.limits.total;
            return Err(Error::Load(format!("chart is larger than the maximum size {most}")));
        }
        self.files.push(File::new(path, &data).modified(entry.modified));
        Ok(())
    }
}

/// A chart in memory: paths and contents.
impl FileTree for [(&str, &str)] {
    fn entries(&self, folder: &str) -> Result<Vec<Entry>, String> {
        let mut found: Vec<Entry> = Vec::new();
        for (path, content) in self {
            let rest = match folder {
                "" => Some(*path),
                folder => path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')),
            };
            let Some(rest) = rest else { continue };
            let (name, kind) = match rest.split_once('/') {
                Some((name, _)) => (name, EntryKind::Folder),
                None => (rest, EntryKind::File),
            };
            if !found.iter().any(|entry| entry.name == name) {
                found.push(Entry { name: name.to_owned(), kind, size: content.len() as u64, modified: None });
            }
        }
        Ok(found)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let found = self.iter().find(|(name, _)| *name == path);
        found.map(|(_, content)| content.as_bytes().to_vec()).ok_or_else(|| "no such file".to_owned())
    }
}

impl FileTree for &[(&str, &str)] {
    fn entries(&self, folder: &str) -> Result<Vec<Entry>, String> {
        (**self).entries(folder)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        (**self).read(path)
    }
}

impl<const N: usize> FileTree for [(&str, &str); N] {
    fn entries(&self, folder: &str) -> Result<Vec<Entry>, String> {
        self.as_slice().entries(folder)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.as_slice().read(path)
    }
}

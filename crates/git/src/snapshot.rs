//! The files of one commit, read from the object store.

use std::collections::BTreeMap;
use std::sync::Arc;

use gix_hash::ObjectId;

use crate::Error;
use crate::generation::{ObjectKind, Objects, Reader};
use crate::object::{Commit, Kind, Mode, Tag, TreeEntry, parse_tree};
use crate::remote::Resolved;

/// A commit with its tree. It keeps its objects on disk for as long as it exists; clones share them.
/// Everything here blocks on the disk.
#[derive(Clone)]
pub struct Snapshot(Arc<Inner>);

struct Inner {
    resolved: Resolved,
    commit: Commit,
    tag: Option<Tag>,
    tree: ObjectId,
    objects: Objects,
    /// Submodules by their path.
    submodules: BTreeMap<String, Snapshot>,
}

/// How deep directories may be nested.
const DEEPEST: usize = 512;

impl Snapshot {
    pub(crate) fn open(resolved: &Resolved, objects: Objects) -> Result<Self, Error> {
        let reader = objects.reader();
        let mut buffer = Vec::new();
        let id = hex(&resolved.commit)?;
        let commit = Commit::parse(&id, reader.read(&id, ObjectKind::Commit, &mut buffer)?)?;
        let tag = match &resolved.tag {
            Some(tag) => {
                let id = hex(tag)?;
                Some(Tag::parse(&id, reader.read(&id, ObjectKind::Tag, &mut buffer)?))
            }
            None => None,
        };
        let tree = hex(&commit.tree)?;
        reader.read(&tree, ObjectKind::Tree, &mut buffer)?;
        let inner =
            Inner { resolved: resolved.clone(), commit, tag, tree, objects, submodules: BTreeMap::new() };
        Ok(Self(Arc::new(inner)))
    }

    /// The same commit with its submodules filled in.
    pub(crate) fn with_submodules(&self, submodules: BTreeMap<String, Snapshot>) -> Self {
        let inner = &self.0;
        Self(Arc::new(Inner {
            resolved: inner.resolved.clone(),
            commit: inner.commit.clone(),
            tag: inner.tag.clone(),
            tree: inner.tree,
            objects: inner.objects.clone(),
            submodules,
        }))
    }

    /// What was asked for, and what it led to.
    pub fn resolved(&self) -> &Resolved {
        &self.0.resolved
    }

    /// The commit.
    pub fn commit(&self) -> &Commit {
        &self.0.commit
    }

    /// The annotated tag that led to the commit.
    pub fn tag(&self) -> Option<&Tag> {
        self.0.tag.as_ref()
    }

    /// Begins a walk over the files and directories.
    pub fn walk<'a>(&self, selection: &Selection<'a>) -> Result<Walk<'a>, Error> {
        Walk::new(self.clone(), *selection)
    }

    /// Whether there is a file or directory at `path`. A leading `./` is ignored.
    ///
    /// # Errors
    /// The store is damaged.
    pub fn contains(&self, path: &str) -> Result<bool, Error> {
        Ok(self.find(path)?.is_some())
    }

    /// The id of the tree or blob at `path`: the hash of everything below it, the same in every commit that did not change
    /// it. Submodules count by the commit they are pinned to.
    ///
    /// # Errors
    /// The store is damaged.
    pub fn content_id(&self, path: &str) -> Result<Option<String>, Error> {
        Ok(self.find(path)?.map(|(_, entry)| entry.id.to_string()))
    }

    /// The content of the file at `path`.
    ///
    /// # Errors
    /// The store is damaged.
    pub fn read_file(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some((objects, TreeEntry { mode: Mode::Blob(Kind::File | Kind::Executable), id, .. })) =
            self.find(path)?
        else {
            return Ok(None);
        };
        let mut buffer = Vec::new();
        objects.reader().read(&id, ObjectKind::Blob, &mut buffer)?;
        Ok(Some(buffer))
    }

    /// The entry at `path`, and where its objects are.
    fn find(&self, path: &str) -> Result<Option<(Objects, TreeEntry)>, Error> {
        let mut snapshot = self.clone();
        let mut entry = TreeEntry { name: String::new(), mode: Mode::Tree, id: snapshot.0.tree };
        let mut walked = String::new();
        let mut buffer = Vec::new();
        for name in path.split('/').filter(|name| !name.is_empty() && *name != ".") {
            if entry.mode == Mode::Submodule {
                let Some(inner) = snapshot.0.submodules.get(&walked).cloned() else { return Ok(None) };
                snapshot = inner;
                walked.clear();
                entry = TreeEntry { name: String::new(), mode: Mode::Tree, id: snapshot.0.tree };
            }
            if entry.mode != Mode::Tree {
                return Ok(None);
            }
            let reader = snapshot.0.objects.reader();
            let data = reader.read(&entry.id, ObjectKind::Tree, &mut buffer)?;
            let found = parse_tree(&entry.id, data, &walked)?.into_iter().find(|child| child.name == name);
            let Some(found) = found else { return Ok(None) };
            if !walked.is_empty() {
                walked.push('/');
            }
            walked.push_str(name);
            entry = found;
        }
        Ok(Some((snapshot.0.objects.clone(), entry)))
    }

    /// The commit that the submodule at `path` is pinned to.
    pub(crate) fn submodule_commit(&self, path: &str) -> Result<Option<ObjectId>, Error> {
        Ok(self.find(path)?.filter(|(_, entry)| entry.mode == Mode::Submodule).map(|(_, entry)| entry.id))
    }
}

fn hex(id: &str) -> Result<ObjectId, Error> {
    ObjectId::from_hex(id.as_bytes()).map_err(|_| Error::object(id, "this is no object id"))
}

/// Which files of a snapshot a walk visits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selection<'a> {
    /// Only files whose path starts with one of these strings, as Flux's sparse checkout does: `app` also selects
    /// `apple/x`. A leading `./` is ignored. Empty: all files.
    pub sparse: &'a [String],
}

impl Selection<'_> {
    fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.sparse.iter().map(|prefix| prefix.strip_prefix("./").unwrap_or(prefix))
    }

    fn selects(&self, path: &str) -> bool {
        self.sparse.is_empty() || self.prefixes().any(|prefix| path.starts_with(prefix))
    }

    /// Whether anything below the directory `path` may be selected.
    fn reaches(&self, path: &str) -> bool {
        let directory = format!("{path}/");
        self.sparse.is_empty()
            || self.prefixes().any(|prefix| directory.starts_with(prefix) || prefix.starts_with(&directory))
    }
}

/// A file or directory of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path from the root, `/`-separated. Bytes that are not UTF-8 are replaced.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    id: ObjectId,
}

impl Entry {
    /// The id of the blob or tree: the hash of the content.
    pub fn content_id(&self) -> String {
        self.id.to_string()
    }
}

/// A walk over a snapshot: depth first, a directory before its content, names in byte order. The root itself is no entry.
/// A directory is an entry only if something below it is, submodules that are not there excepted. No content is read
/// before [`Walk::read`] asks for it.
pub struct Walk<'a> {
    selection: Selection<'a>,
    stack: Vec<Level>,
    /// Directories on the way down that are not told yet: they are once something below them is.
    pending: std::collections::VecDeque<Entry>,
    ready: std::collections::VecDeque<Entry>,
    readers: Vec<(Snapshot, Reader)>,
    current: usize,
    buffer: Vec<u8>,
}

struct Level {
    /// What is left of the directory, the next one last.
    entries: Vec<TreeEntry>,
    /// The path, empty or ending in `/`.
    path: String,
    /// The path inside its repository, empty or ending in `/`.
    inner_path: String,
    /// Which of the readers.
    reader: usize,
}

impl<'a> Walk<'a> {
    fn new(snapshot: Snapshot, selection: Selection<'a>) -> Result<Self, Error> {
        let tree = snapshot.0.tree;
        let reader = snapshot.0.objects.reader();
        let mut walk = Self {
            selection,
            stack: Vec::new(),
            pending: Default::default(),
            ready: Default::default(),
            readers: vec![(snapshot, reader)],
            current: 0,
            buffer: Vec::new(),
        };
        walk.enter(0, tree, String::new(), String::new())?;
        Ok(walk)
    }

    fn enter(
        &mut self,
        reader: usize,
        tree: ObjectId,
        path: String,
        inner_path: String,
    ) -> Result<(), Error> {
        if self.stack.len() >= DEEPEST {
            return Err(Error::UnsafePath { path });
        }
        let Some((_, objects)) = self.readers.get(reader) else { return Ok(()) };
        let data = objects.read(&tree, ObjectKind::Tree, &mut self.buffer)?;
        let mut entries = parse_tree(&tree, data, &path)?;
        entries.reverse();
        self.stack.push(Level { entries, path, inner_path, reader });
        Ok(())
    }

    /// The next entry; `None` at the end.
    ///
    /// # Errors
    /// The store is damaged, or a tree holds a name that cannot be a file's.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Ok(Some(entry));
            }
            let Some(level) = self.stack.last_mut() else { return Ok(None) };
            let Some(entry) = level.entries.pop() else {
                let left = self.stack.pop();
                // A directory that nothing was selected from stays untold.
                if let Some(left) = left
                    && self
                        .pending
                        .back()
                        .is_some_and(|pending| left.path.strip_suffix('/') == Some(&*pending.path))
                {
                    self.pending.pop_back();
                }
                continue;
            };
            let path = format!("{}{}", level.path, entry.name);
            let inner_path = format!("{}{}", level.inner_path, entry.name);
            let reader = level.reader;
            match entry.mode {
                Mode::Tree if self.selection.reaches(&path) => {
                    self.pending.push_back(Entry { path: path.clone(), kind: Kind::Directory, id: entry.id });
                    self.enter(reader, entry.id, path + "/", inner_path + "/")?;
                }
                Mode::Submodule if self.selection.reaches(&path) || self.selection.selects(&path) => {
                    self.pending.push_back(Entry { path: path.clone(), kind: Kind::Directory, id: entry.id });
                    let inner = self
                        .readers
                        .get(reader)
                        .and_then(|(snapshot, _)| snapshot.0.submodules.get(&inner_path));
                    match inner.cloned() {
                        Some(inner) => {
                            let tree = inner.0.tree;
                            let objects = inner.0.objects.reader();
                            self.readers.push((inner, objects));
                            self.enter(self.readers.len() - 1, tree, path + "/", String::new())?;
                        }
                        None => self.ready.append(&mut self.pending),
                    }
                }
                Mode::Blob(kind) if self.selection.selects(&path) => {
                    self.current = reader;
                    self.ready.append(&mut self.pending);
                    self.ready.push_back(Entry { path, kind, id: entry.id });
                }
                _ => {}
            }
        }
    }

    /// The content of the file that was last returned by [`Walk::next_entry`]; of a symbolic link, its target. The buffer
    /// is used again for the next file, so that memory stays that of the largest one.
    ///
    /// # Errors
    /// The store is damaged, or `entry` is a directory.
    pub fn read(&mut self, entry: &Entry) -> Result<&[u8], Error> {
        if entry.kind == Kind::Directory {
            return Err(Error::object(entry.id, "a directory has no content"));
        }
        match self.readers.get(self.current) {
            Some((_, reader)) => reader.read(&entry.id, ObjectKind::Blob, &mut self.buffer),
            None => Err(Error::object(entry.id, "it does not belong to this walk")),
        }
    }
}

//! The hardened reader: an archive becomes a [`Tree`] in one unlinked temporary file, never a directory on disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use crate::{Error, FileMode, Result};

/// What the reader accepts. Archives come from other machines; every limit is checked while reading, before memory or
/// disk is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the compressed file. Default 1 GiB.
    pub download_bytes: u64,
    /// Bytes of all files together. Default 4 GiB.
    pub unpacked_bytes: u64,
    /// Entries of any kind. Default 500,000.
    pub entries: u64,
    /// Components of a path. Default 128.
    pub depth: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { download_bytes: 1 << 30, unpacked_bytes: 4 << 30, entries: 500_000, depth: 128 }
    }
}

/// What a path in a [`Tree`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
}

/// The files of one artifact, read-only.
///
/// Paths are relative, `/`-separated and clean; `""` and `"."` are the root. Symbolic links of the archive are not
/// there at all. Contents live in an unlinked temporary file and are read by offset, so a tree is cheap to share between
/// threads (`Arc<Tree>`) and costs memory only for its names and hashes.
#[derive(Debug)]
pub struct Tree {
    file: File,
    root: Directory,
    files: usize,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Directory {
    children: BTreeMap<Box<str>, Node>,
    hash: [u8; 32],
}

#[derive(Debug)]
enum Node {
    Directory(Directory),
    File { offset: u64, size: u64, hash: [u8; 32], mode: FileMode },
}

impl Tree {
    /// Reads a gzip-compressed tar. The caller has checked the digest of `compressed` before.
    ///
    /// Directories and regular files are kept; symbolic links, global PAX headers and names that are not UTF-8 are left
    /// out; any other entry type is an error, and so is a name that is absolute or has `..` or a backslash in it.
    pub fn read(compressed: impl Read, limits: Limits) -> Result<Tree> {
        let file =
            tempfile::tempfile().map_err(Error::io("create a temporary file in", &std::env::temp_dir()))?;
        let mut builder =
            Builder { out: BufWriter::new(file), at: 0, root: Directory::default(), files: 0, limits };
        let decoder = MultiGzDecoder::new(BufReader::with_capacity(64 * 1024, compressed));
        // The tar format pads with zeros: the limit on files is exact, this one stops a bomb made of padding or headers.
        let ceiling = limits.unpacked_bytes.saturating_add(limits.entries.saturating_mul(4096));
        let mut archive = tar::Archive::new(decoder.take(ceiling));
        let mut seen = 0;
        for entry in archive.entries().map_err(Error::Malformed)? {
            seen += 1;
            if seen > limits.entries {
                return Err(Error::LimitExceeded { what: "entries", limit: limits.entries });
            }
            builder.entry(entry.map_err(Error::Malformed)?)?;
        }
        builder.finish()
    }

    /// Number of regular files.
    pub fn files(&self) -> usize {
        self.files
    }

    /// Bytes of all files together, which is what the tree takes on disk.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What `path` is, if it exists.
    pub fn kind(&self, path: &str) -> Option<Kind> {
        match self.node(path)? {
            Found::Directory(_) => Some(Kind::Directory),
            Found::File { .. } => Some(Kind::File),
        }
    }

    /// The contents of a file.
    pub fn contents(&self, path: &str) -> Result<Vec<u8>> {
        match self.node(path) {
            Some(Found::File { offset, size, .. }) => {
                let length = usize::try_from(size).map_err(|_| Error::LimitExceeded {
                    what: "bytes in one file",
                    limit: usize::MAX as u64,
                })?;
                let mut contents = vec![0; length];
                self.file
                    .read_exact_at(&mut contents, offset)
                    .map_err(Error::io("read", std::path::Path::new(path)))?;
                Ok(contents)
            }
            Some(Found::Directory(_)) => Err(Error::WrongKind { path: path.to_owned(), expected: "file" }),
            None => Err(Error::NoSuchFile(path.to_owned())),
        }
    }

    /// Size of a file in bytes, if `path` is one.
    pub fn size(&self, path: &str) -> Option<u64> {
        match self.node(path)? {
            Found::File { size, .. } => Some(size),
            Found::Directory(_) => None,
        }
    }

    /// The names in a directory with their kinds, in byte order.
    pub fn list(&self, path: &str) -> Result<Vec<(&str, Kind)>> {
        match self.node(path) {
            Some(Found::Directory(directory)) => Ok(directory.entries().collect()),
            Some(Found::File { .. }) => {
                Err(Error::WrongKind { path: path.to_owned(), expected: "directory" })
            }
            None => Err(Error::NoSuchFile(path.to_owned())),
        }
    }

    /// Whether a file may be executed, if `path` is one.
    pub fn mode(&self, path: &str) -> Option<FileMode> {
        match self.node(path)? {
            Found::File { mode, .. } => Some(mode),
            Found::Directory(_) => None,
        }
    }

    /// Everything below a directory, in the order of an archive, by path from there.
    pub fn walk(&self, path: &str) -> Result<Vec<(String, Kind)>> {
        fn collect(directory: &Directory, prefix: &str, found: &mut Vec<(String, Kind)>) {
            for (name, node) in &directory.children {
                let path = if prefix.is_empty() { name.to_string() } else { format!("{prefix}/{name}") };
                match node {
                    Node::File { .. } => found.push((path, Kind::File)),
                    Node::Directory(inner) => {
                        found.push((path.clone(), Kind::Directory));
                        collect(inner, &path, found);
                    }
                }
            }
        }
        let mut found = Vec::new();
        match self.node(path) {
            Some(Found::Directory(directory)) => collect(directory, "", &mut found),
            Some(Found::File { .. }) => {
                return Err(Error::WrongKind { path: path.to_owned(), expected: "directory" });
            }
            None => return Err(Error::NoSuchFile(path.to_owned())),
        }
        Ok(found)
    }

    /// SHA-256 of a file's contents, or of the names, kinds and hashes below a directory: equal hashes mean equal trees.
    pub fn hash(&self, path: &str) -> Option<[u8; 32]> {
        match self.node(path)? {
            Found::Directory(directory) => Some(directory.hash),
            Found::File { hash, .. } => Some(hash),
        }
    }

    fn node(&self, path: &str) -> Option<Found<'_>> {
        let mut directory = &self.root;
        let mut parts = path.split('/').filter(|part| !matches!(*part, "" | ".")).peekable();
        while let Some(part) = parts.next() {
            match directory.children.get(part)? {
                Node::Directory(inner) => directory = inner,
                Node::File { offset, size, hash, mode } if parts.peek().is_none() => {
                    return Some(Found::File { offset: *offset, size: *size, hash: *hash, mode: *mode });
                }
                Node::File { .. } => return None,
            }
        }
        Some(Found::Directory(directory))
    }
}

enum Found<'a> {
    Directory(&'a Directory),
    File { offset: u64, size: u64, hash: [u8; 32], mode: FileMode },
}

impl Directory {
    fn entries(&self) -> impl Iterator<Item = (&str, Kind)> {
        self.children.iter().map(|(name, node)| {
            let kind = match node {
                Node::Directory(_) => Kind::Directory,
                Node::File { .. } => Kind::File,
            };
            (&**name, kind)
        })
    }

    /// Fills in the hashes from the leaves up. Depth is bounded by [`Limits::depth`].
    fn seal(&mut self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        for (name, node) in &mut self.children {
            let (mark, hash) = match node {
                Node::Directory(inner) => (b'd', inner.seal()),
                Node::File { hash, .. } => (b'f', *hash),
            };
            hasher.update([mark]);
            hasher.update(name.as_bytes());
            hasher.update([0]);
            hasher.update(hash);
        }
        self.hash = hasher.finalize().into();
        self.hash
    }
}

struct Builder {
    out: BufWriter<File>,
    at: u64,
    root: Directory,
    files: usize,
    limits: Limits,
}

impl Builder {
    fn entry(&mut self, mut entry: tar::Entry<'_, impl Read>) -> Result<()> {
        let kind = entry.header().entry_type();
        if kind.is_symlink() || kind.is_pax_global_extensions() {
            return Ok(());
        }
        let name = entry.path_bytes();
        let Ok(name) = std::str::from_utf8(&name).map(str::to_owned) else { return Ok(()) };
        let parts = clean(&name, self.limits.depth)?;
        if kind.is_dir() {
            self.root.at(&parts, &name)?;
            return Ok(());
        }
        if !(kind.is_file() || kind.is_contiguous()) {
            return Err(Error::EntryRefused {
                name,
                reason: "only files, directories and symbolic links may be there",
            });
        }
        let Some((last, parents)) = parts.split_last() else {
            return Err(Error::EntryRefused { name, reason: "the root must be a directory" });
        };
        let executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
        let mode = if executable { FileMode::Executable } else { FileMode::Regular };
        let node = self.store(&mut entry, mode)?;
        let directory = self.root.at(parents, &name)?;
        match directory.children.insert((*last).into(), node) {
            None => self.files += 1,
            Some(Node::File { .. }) => {}
            Some(Node::Directory(_)) => {
                return Err(Error::EntryRefused { name, reason: "it is also a directory" });
            }
        }
        Ok(())
    }

    /// Copies one file's bytes to the end of the temporary file, hashing them on the way.
    fn store(&mut self, contents: &mut impl Read, mode: FileMode) -> Result<Node> {
        let mut hasher = Sha256::new();
        let mut buffer = [0u8; 16 * 1024];
        let offset = self.at;
        loop {
            let read = match contents.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::Malformed(error)),
            };
            let bytes = buffer.get(..read).unwrap_or(&[]);
            self.at += read as u64;
            if self.at > self.limits.unpacked_bytes {
                return Err(Error::LimitExceeded { what: "bytes", limit: self.limits.unpacked_bytes });
            }
            hasher.update(bytes);
            self.out
                .write_all(bytes)
                .map_err(Error::io("write a temporary file in", &std::env::temp_dir()))?;
        }
        let hash = hasher.finalize().into();
        Ok(Node::File { offset, size: self.at - offset, hash, mode })
    }

    fn finish(mut self) -> Result<Tree> {
        self.root.seal();
        let file = self.out.into_inner().map_err(|error| {
            Error::io("write a temporary file in", &std::env::temp_dir())(error.into_error())
        })?;
        Ok(Tree { file, root: self.root, files: self.files, bytes: self.at })
    }
}

impl Directory {
    /// The directory at `parts`, made where it is missing.
    fn at(&mut self, parts: &[&str], name: &str) -> Result<&mut Directory> {
        let mut directory = self;
        for part in parts {
            let node = directory
                .children
                .entry((*part).into())
                .or_insert_with(|| Node::Directory(Directory::default()));
            match node {
                Node::Directory(inner) => directory = inner,
                Node::File { .. } => {
                    return Err(Error::EntryRefused {
                        name: name.to_owned(),
                        reason: "a parent of it is a file",
                    });
                }
            }
        }
        Ok(directory)
    }
}

/// The components of an entry name, or why it is refused.
fn clean(name: &str, depth: u64) -> Result<Vec<&str>> {
    let refuse = |reason| Err(Error::EntryRefused { name: name.escape_default().to_string(), reason });
    if name.is_empty() {
        return refuse("it is empty");
    }
    if name.starts_with('/') {
        return refuse("it is absolute");
    }
    if name.contains(['\\', '\0']) {
        return refuse("it has a backslash or a NUL in it");
    }
    let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return refuse("it has '..' in it");
    }
    if parts.len() as u64 > depth {
        return Err(Error::LimitExceeded { what: "path components", limit: depth });
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Writer;
    use proptest::prelude::*;

    fn gzip(tar: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(tar).unwrap();
        encoder.finish().unwrap()
    }

    /// An archive with raw names, which no honest writer would make.
    fn hostile(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, contents) in entries {
            let mut header = tar::Header::new_ustar();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(contents.len() as u64);
            header.set_mode(0o644);
            if kind.is_symlink() || kind.is_hard_link() {
                header.set_link_name("target").unwrap();
            }
            header.set_cksum();
            builder.append(&header, *contents).unwrap();
        }
        gzip(&builder.into_inner().unwrap())
    }

    use tar::EntryType as T;

    #[test]
    fn reads_what_the_writer_wrote() {
        let mut writer = Writer::new(Vec::new()).unwrap();
        writer.directory("empty").unwrap();
        writer.file("x/a.yaml", FileMode::Regular, b"a").unwrap();
        writer.file("x/b/c.yaml", FileMode::Regular, b"cc").unwrap();
        let bytes = writer.finish().unwrap();
        let tree = Tree::read(&bytes[..], Limits::default()).unwrap();
        assert_eq!((tree.files(), tree.bytes()), (2, 3));
        assert_eq!(tree.list("").unwrap(), [("empty", Kind::Directory), ("x", Kind::Directory)]);
        assert_eq!(tree.list("x").unwrap(), [("a.yaml", Kind::File), ("b", Kind::Directory)]);
        assert_eq!(tree.contents("x/b/c.yaml").unwrap(), b"cc");
        assert_eq!(tree.contents("./x//a.yaml").unwrap(), b"a");
        assert!(matches!(tree.contents("x"), Err(Error::WrongKind { .. })));
        assert!(matches!(tree.contents("nope"), Err(Error::NoSuchFile(_))));
        assert_eq!(tree.kind("x/a.yaml/z"), None);
    }

    #[test]
    fn hash_of_a_directory_is_the_hash_of_what_is_below() {
        let read = |files: &[(&str, &str)]| {
            let mut writer = Writer::new(Vec::new()).unwrap();
            for (name, contents) in files {
                writer.file(name, FileMode::Regular, contents.as_bytes()).unwrap();
            }
            Tree::read(&writer.finish().unwrap()[..], Limits::default()).unwrap()
        };
        let one = read(&[("a/x", "1"), ("b/y", "2")]);
        let two = read(&[("a/x", "1"), ("b/y", "3")]);
        assert_eq!(one.hash("a"), two.hash("a"));
        assert_ne!(one.hash("b"), two.hash("b"));
        assert_ne!(one.hash(""), two.hash("."));
        assert_ne!(read(&[("a/x", "1")]).hash(""), read(&[("a", "x1")]).hash(""));
    }

    #[test]
    fn bad_names_are_refused() {
        for name in ["/etc/passwd", "../x", "a/../../x", "a\\b", "a/.."] {
            let bytes = hostile(&[(name, T::Regular, b"x")]);
            let result = Tree::read(&bytes[..], Limits::default());
            assert!(matches!(result, Err(Error::EntryRefused { .. })), "{name}: {result:?}");
        }
    }

    #[test]
    fn links_are_skipped_and_other_types_refused() {
        let bytes = hostile(&[("link", T::Symlink, b""), ("a", T::Regular, b"x")]);
        let tree = Tree::read(&bytes[..], Limits::default()).unwrap();
        assert_eq!(tree.list("").unwrap(), [("a", Kind::File)]);
        for kind in [T::Link, T::Fifo, T::Block, T::Char] {
            let bytes = hostile(&[("a", kind, b"")]);
            assert!(
                matches!(Tree::read(&bytes[..], Limits::default()), Err(Error::EntryRefused { .. })),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_file_is_never_a_directory() {
        for entries in [[("a", T::Regular), ("a/b", T::Regular)], [("a/b", T::Regular), ("a", T::Regular)]] {
            let bytes = hostile(&entries.map(|(name, kind)| (name, kind, &b"x"[..])));
            assert!(matches!(Tree::read(&bytes[..], Limits::default()), Err(Error::EntryRefused { .. })));
        }
        let twice = hostile(&[("a", T::Regular, b"1"), ("a", T::Regular, b"22")]);
        let tree = Tree::read(&twice[..], Limits::default()).unwrap();
        assert_eq!((tree.contents("a").unwrap(), tree.files()), (b"22".to_vec(), 1));
    }

    #[test]
    fn limits_hold() {
        let bytes = hostile(&[("a", T::Regular, &[0; 5000]), ("b/c/d", T::Regular, b"")]);
        let limited = |limits: Limits| match Tree::read(&bytes[..], limits) {
            Err(Error::LimitExceeded { what, .. }) => what,
            other => panic!("{other:?}"),
        };
        let default = Limits::default();
        assert_eq!(limited(Limits { unpacked_bytes: 4999, ..default }), "bytes");
        assert_eq!(limited(Limits { entries: 1, ..default }), "entries");
        assert_eq!(limited(Limits { depth: 2, ..default }), "path components");
        assert!(
            Tree::read(&bytes[..], Limits { unpacked_bytes: 5000, entries: 2, depth: 3, ..default }).is_ok()
        );
    }

    #[test]
    fn a_bomb_ends_at_the_limit() {
        // 64 MiB of zeros compress to some 64 KiB.
        let zeros = vec![0u8; 64 << 20];
        let bytes = hostile(&[("bomb", T::Regular, &zeros)]);
        assert!(bytes.len() < 1 << 20);
        let result = Tree::read(&bytes[..], Limits { unpacked_bytes: 1 << 20, ..Limits::default() });
        assert!(matches!(result, Err(Error::LimitExceeded { .. })));
    }

    #[test]
    fn garbage_and_truncation_are_errors() {
        assert!(matches!(Tree::read(&b"not gzip"[..], Limits::default()), Err(Error::Malformed(_))));
        let bytes = hostile(&[("a", T::Regular, &[7; 100_000])]);
        assert!(matches!(Tree::read(&bytes[..bytes.len() / 2], Limits::default()), Err(Error::Malformed(_))));
    }

    fn files() -> impl Strategy<Value = BTreeMap<Vec<String>, Vec<u8>>> {
        let name =
            proptest::collection::vec("[a-cé. -]{1,4}".prop_filter("clean", |s| s != "." && s != ".."), 1..4);
        proptest::collection::btree_map(name, proptest::collection::vec(any::<u8>(), 0..2000), 0..12)
    }

    proptest! {
        #[test]
        fn any_tree_survives_the_round_trip(files in files()) {
            // A path that is also a parent of another cannot exist in a tree.
            let files: BTreeMap<_, _> = files
                .iter()
                .filter(|(path, _)| !files.keys().any(|other| other.len() > path.len() && other.starts_with(path)))
                .collect();
            let mut writer = Writer::new(Vec::new()).unwrap();
            for (path, contents) in &files {
                writer.file(&path.join("/"), FileMode::Regular, contents).unwrap();
            }
            let tree = Tree::read(&writer.finish().unwrap()[..], Limits::default()).unwrap();
            prop_assert_eq!(tree.files(), files.len());
            for (path, contents) in &files {
                prop_assert_eq!(&&tree.contents(&path.join("/")).unwrap(), contents);
            }
        }

        #[test]
        fn no_bytes_crash_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let limits = Limits { unpacked_bytes: 1 << 16, entries: 64, ..Limits::default() };
            let _ = Tree::read(&gzip(&bytes)[..], limits);
            let _ = Tree::read(&bytes[..], limits);
        }
    }
}

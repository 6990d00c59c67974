//! The artifact of a commit: its files, the included artifacts over them, less what is ignored. Streamed; blocks.

use std::cmp::Ordering;
use std::io::Write;
use std::sync::Arc;

use artifact::{FileMode, Tree, Writer};
use git::{Entry, Kind, Selection, Snapshot, Walk};

/// An artifact that is copied into another.
pub(crate) struct Overlay {
    /// The files of the included artifact.
    pub tree: Arc<Tree>,
    /// The path in it to copy from; empty for all.
    pub from: String,
    /// The clean, relative path to copy to; empty for the root.
    pub to: String,
}

/// Why an archive could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The commit could not be read.
    #[error(transparent)]
    Git(#[from] git::Error),
    /// The archive could not be written, or an included artifact not be read.
    #[error(transparent)]
    Artifact(#[from] artifact::Error),
    /// What is copied in does not fit what is there.
    #[error("'{path}' is a directory in one source of the artifact and a file in another")]
    Clash {
        /// Path in the artifact.
        path: String,
    },
}

/// Writes the archive. `ignored` tells, by path and whether it is a directory, what is left out; the entries below an
/// ignored directory are asked for one by one, so that a later rule can take them in again.
pub(crate) fn write<W: Write>(
    writer: &mut Writer<W>,
    snapshot: &Snapshot,
    sparse: &[String],
    overlays: &[Overlay],
    ignored: &dyn Fn(&str, bool) -> bool,
) -> Result<(), Error> {
    let mut walk = snapshot.walk(&Selection { sparse })?;
    let mut included = files_of(overlays)?.into_iter().peekable();
    let mut committed = walk.next_entry()?;
    loop {
        let order = match (&committed, included.peek()) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(committed), Some(included)) => by_component(&committed.path, &included.path),
        };
        if order != Ordering::Less
            && let Some(included) = included.next()
        {
            // The same path twice: the include lies over the commit.
            if order == Ordering::Equal {
                if let Some(committed) = &committed
                    && (committed.kind == Kind::Directory) != included.source.is_none()
                {
                    return Err(Error::Clash { path: included.path });
                }
                committed = walk.next_entry()?;
            }
            write_included(writer, &included, ignored)?;
        } else if let Some(entry) = committed.take() {
            write_committed(writer, &mut walk, &entry, ignored)?;
            committed = walk.next_entry()?;
        }
    }
}

fn write_committed<W: Write>(
    writer: &mut Writer<W>,
    walk: &mut Walk<'_>,
    entry: &Entry,
    ignored: &dyn Fn(&str, bool) -> bool,
) -> Result<(), Error> {
    match entry.kind {
        Kind::Directory if !ignored(&entry.path, true) => writer.directory(&entry.path)?,
        Kind::File | Kind::Executable if !ignored(&entry.path, false) => {
            let mode = if entry.kind == Kind::Executable { FileMode::Executable } else { FileMode::Regular };
            writer.file(&entry.path, mode, walk.read(entry)?)?;
        }
        // Symbolic links are no part of an artifact.
        _ => {}
    }
    Ok(())
}

fn write_included<W: Write>(
    writer: &mut Writer<W>,
    included: &Included<'_>,
    ignored: &dyn Fn(&str, bool) -> bool,
) -> Result<(), Error> {
    match &included.source {
        _ if ignored(&included.path, included.source.is_none()) => {}
        None => writer.directory(&included.path)?,
        Some((tree, from)) => {
            let mode = tree.mode(from).unwrap_or(FileMode::Regular);
            writer.file(&included.path, mode, &tree.contents(from)?)?;
        }
    }
    Ok(())
}

/// The `.sourceignore` files of an artifact: the directory each lies in, and its text.
pub(crate) fn ignore_files(
    snapshot: &Snapshot,
    sparse: &[String],
    overlays: &[Overlay],
) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut found = std::collections::BTreeMap::new();
    let mut walk = snapshot.walk(&Selection { sparse })?;
    while let Some(entry) = walk.next_entry()? {
        if matches!(entry.kind, Kind::File | Kind::Executable)
            && let Some(directory) = sourceignore::directory_of(&entry.path)
        {
            found.insert(directory.to_owned(), walk.read(&entry)?.to_vec());
        }
    }
    for included in files_of(overlays)? {
        if let (Some((tree, from)), Some(directory)) =
            (&included.source, sourceignore::directory_of(&included.path))
        {
            found.insert(directory.to_owned(), tree.contents(from)?);
        }
    }
    Ok(found.into_iter().collect())
}

/// A path that the includes bring: a directory, or a file with where it comes from.
struct Included<'a> {
    path: String,
    source: Option<(&'a Tree, String)>,
}

/// All that the overlays bring, in the order of an archive; of equal paths the later overlay's.
fn files_of(overlays: &[Overlay]) -> Result<Vec<Included<'_>>, Error> {
    let mut found = Vec::new();
    for overlay in overlays {
        let mut prefix = String::new();
        for part in overlay.to.split('/').filter(|part| !part.is_empty()) {
            prefix = join(&prefix, part);
            found.push(Included { path: prefix.clone(), source: None });
        }
        if overlay.tree.kind(&overlay.from) == Some(artifact::Kind::File) {
            found.pop();
            found.push(Included { path: prefix, source: Some((&overlay.tree, overlay.from.clone())) });
        } else {
            for (path, kind) in overlay.tree.walk(&overlay.from)? {
                let source = match kind {
                    artifact::Kind::Directory => None,
                    artifact::Kind::File => Some((&*overlay.tree, join(&overlay.from, &path))),
                };
                found.push(Included { path: join(&prefix, &path), source });
            }
        }
    }
    // A stable sort of the reversed list keeps the later one of equals in front, and `dedup` keeps the front.
    found.reverse();
    found.sort_by(|a, b| by_component(&a.path, &b.path));
    found.dedup_by(|a, b| a.path == b.path);
    Ok(found)
}

fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

/// The order of an archive: `a/b` comes before `a.b`, because names are compared and not whole paths.
fn by_component(a: &str, b: &str) -> Ordering {
    a.split('/').cmp(b.split('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Arc<Tree> {
        let mut writer = Writer::new(Vec::new()).expect("a writer");
        let mut sorted = files.to_vec();
        sorted.sort_by(|a, b| by_component(a.0, b.0));
        for (path, contents) in sorted {
            writer.file(path, FileMode::Regular, contents.as_bytes()).expect("a file");
        }
        let bytes = writer.finish().expect("an archive");
        Arc::new(Tree::read(&*bytes, artifact::Limits::default()).expect("a tree"))
    }

    fn listing(overlays: &[Overlay]) -> Vec<String> {
        let files = files_of(overlays).expect("files");
        files
            .iter()
            .map(|file| match &file.source {
                None => format!("{}/", file.path),
                Some((tree, from)) => {
                    format!(
                        "{}={}",
                        file.path,
                        String::from_utf8(tree.contents(from).expect("contents")).expect("text")
                    )
                }
            })
            .collect()
    }

    #[test]
    fn includes_lie_where_they_are_told_to() {
        let a = tree(&[("x.yaml", "ax"), ("deploy/y.yaml", "ay")]);
        let b = tree(&[("x.yaml", "bx"), ("z.yaml", "bz")]);
        let overlay = |tree: &Arc<Tree>, from: &str, to: &str| Overlay {
            tree: Arc::clone(tree),
            from: from.to_owned(),
            to: to.to_owned(),
        };
        assert_eq!(
            listing(&[overlay(&a, "", "lib/a")]),
            ["lib/", "lib/a/", "lib/a/deploy/", "lib/a/deploy/y.yaml=ay", "lib/a/x.yaml=ax"]
        );
        assert_eq!(listing(&[overlay(&a, "deploy", "lib")]), ["lib/", "lib/y.yaml=ay"]);
        assert_eq!(listing(&[overlay(&a, "x.yaml", "one.yaml")]), ["one.yaml=ax"]);
        assert_eq!(
            listing(&[overlay(&a, "", "lib"), overlay(&b, "", "lib")]),
            ["lib/", "lib/deploy/", "lib/deploy/y.yaml=ay", "lib/x.yaml=bx", "lib/z.yaml=bz"]
        );
    }

    #[test]
    fn names_are_compared_not_paths() {
        assert_eq!(by_component("a/b", "a.b"), Ordering::Less);
        assert_eq!(by_component("a", "a/b"), Ordering::Less);
    }
}

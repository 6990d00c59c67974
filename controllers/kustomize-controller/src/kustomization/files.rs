//! Files: an artifact's tree as the file system of a build, and what of it a build depended on.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use artifact::{Kind, Tree};
use kustomize::{FileSystem, FsError, Inputs};
use sha2::{Digest as _, Sha256};

/// An artifact as a build sees it. It has no symbolic links, so nothing in it leads anywhere else.
#[derive(Clone)]
pub struct Files(pub Arc<Tree>);

impl FileSystem for Files {
    fn read(&self, path: &str) -> Result<Cow<'_, [u8]>, FsError> {
        match self.0.kind(path) {
            Some(Kind::File) => self
                .0
                .contents(path)
                .map(Cow::Owned)
                .map_err(|error| FsError::Io { path: path.to_owned(), reason: error.to_string() }),
            Some(Kind::Directory) => Err(FsError::WrongKind { path: path.to_owned(), expected: "file" }),
            None => Err(FsError::NotFound { path: path.to_owned() }),
        }
    }

    fn is_file(&self, path: &str) -> bool {
        self.0.kind(path) == Some(Kind::File)
    }

    fn is_dir(&self, path: &str) -> bool {
        self.0.kind(path) == Some(Kind::Directory)
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, FsError> {
        match self.0.list(dir) {
            Ok(entries) => Ok(entries.into_iter().map(|(name, _)| name.to_owned()).collect()),
            Err(artifact::Error::NoSuchFile(_)) => Err(FsError::NotFound { path: dir.to_owned() }),
            Err(_) => Err(FsError::WrongKind { path: dir.to_owned(), expected: "directory" }),
        }
    }
}

/// What a build depended on: another tree that agrees here gives the same result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footprint(BTreeMap<String, Seen>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    File([u8; 32]),
    /// The names in a directory and their kinds, not what is in them.
    Directory([u8; 32]),
    /// A directory with everything below it.
    Everything([u8; 32]),
}

impl Footprint {
    /// Of a build that looked at `inputs`, and at all of `walked` when its file was generated.
    pub fn of(tree: &Tree, inputs: &Inputs, walked: Option<&str>) -> Self {
        let mut seen = BTreeMap::new();
        let paths = inputs.files.iter().chain(&inputs.directories).chain(&inputs.absent);
        for path in paths {
            seen.insert(path.clone(), look(tree, path));
        }
        if let Some(path) = walked {
            seen.insert(path.to_owned(), tree.hash(path).map_or(Seen::Nothing, Seen::Everything));
        }
        Footprint(seen)
    }

    /// Whether the tree looks the same at every place.
    pub fn holds(&self, tree: &Tree) -> bool {
        self.0.iter().all(|(path, seen)| match seen {
            Seen::Everything(hash) => {
                tree.kind(path) == Some(Kind::Directory) && tree.hash(path) == Some(*hash)
            }
            other => look(tree, path) == *other,
        })
    }
}

fn look(tree: &Tree, path: &str) -> Seen {
    match tree.kind(path) {
        None => Seen::Nothing,
        Some(Kind::File) => tree.hash(path).map_or(Seen::Nothing, Seen::File),
        Some(Kind::Directory) => {
            let mut hasher = Sha256::new();
            for (name, kind) in tree.list(path).unwrap_or_default() {
                hasher.update([u8::from(kind == Kind::Directory)]);
                hasher.update(name.as_bytes());
                hasher.update([0]);
            }
            Seen::Directory(hasher.finalize().into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use artifact::{FileMode, Limits, Writer};

    fn tree(files: &[(&str, &str)]) -> Tree {
        let mut writer = Writer::new(Vec::new()).unwrap();
        for (path, contents) in files {
            writer.file(path, FileMode::Regular, contents.as_bytes()).unwrap();
        }
        Tree::read(&writer.finish().unwrap()[..], Limits::default()).unwrap()
    }

    fn inputs() -> Inputs {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Inputs {
            files: set(&["app/kustomization.yaml"]),
            directories: set(&["app"]),
            absent: set(&["app/Kustomization"]),
        }
    }

    #[test]
    fn a_footprint_holds_while_nothing_it_saw_changes() {
        let first = tree(&[("app/kustomization.yaml", "a"), ("app/unused", "1"), ("other/x", "1")]);
        let footprint = Footprint::of(&first, &inputs(), None);
        assert!(footprint.holds(&first));
        let elsewhere =
            tree(&[("app/kustomization.yaml", "a"), ("app/unused", "2"), ("other/x", "2"), ("z", "")]);
        assert!(footprint.holds(&elsewhere));
        for changed in [
            tree(&[("app/kustomization.yaml", "b"), ("app/unused", "1")]),
            tree(&[("app/kustomization.yaml", "a"), ("app/unused", "1"), ("app/zz", "")]),
            tree(&[("app/Kustomization", "a"), ("app/kustomization.yaml", "a"), ("app/unused", "1")]),
            tree(&[("app", "a")]),
            tree(&[]),
        ] {
            assert!(!footprint.holds(&changed));
        }
    }

    #[test]
    fn a_generated_file_depends_on_everything_below() {
        let first = tree(&[("app/deep/x.yaml", "1"), ("other/x", "1")]);
        let footprint = Footprint::of(&first, &Inputs::default(), Some("app"));
        assert!(footprint.holds(&tree(&[("app/deep/x.yaml", "1"), ("other/x", "2")])));
        assert!(!footprint.holds(&tree(&[("app/deep/x.yaml", "2"), ("other/x", "1")])));
        assert!(!footprint.holds(&tree(&[("app/deep/x.yaml", "1"), ("app/y", ""), ("other/x", "1")])));
    }

    #[test]
    fn reads_as_a_file_system() {
        let files = Files(Arc::new(tree(&[("app/x.yaml", "1")])));
        assert_eq!(files.read("app/x.yaml").unwrap().as_ref(), b"1");
        assert!(matches!(files.read("app"), Err(FsError::WrongKind { .. })));
        assert!(matches!(files.read("nope"), Err(FsError::NotFound { .. })));
        assert_eq!(files.list("").unwrap(), ["app"]);
        assert!(
            files.is_dir("")
                && files.is_dir("app")
                && files.is_file("app/x.yaml")
                && !files.is_dir("app/x.yaml")
        );
        assert!(matches!(files.list("x"), Err(FsError::NotFound { .. })));
    }
}

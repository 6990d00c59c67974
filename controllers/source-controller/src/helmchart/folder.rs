//! Charts in the files of another source.

use api::condition::Reason;
use api::meta::Artifact;
use artifact::{Kind, Tree};
use chart::{Chart, Entry, EntryKind, FileTree, Metadata};

use super::Limits;
use super::build::{Problem, Step, clean};
use crate::source::Failure;
use crate::storage::Storage;

/// The files of a source.
pub(super) struct Files {
    tree: Tree,
    limits: Limits,
}

/// A path in the files of a source, from their root and never above it.
pub(super) fn rooted(path: &str) -> String {
    clean(&format!("/{path}"))
}

/// What is at a path.
pub(super) enum Place {
    /// A chart in a folder.
    Folder,
    /// A chart in an archive: its bytes.
    Archive(Vec<u8>),
}

impl Files {
    /// Unpacks the artifact of a source. Blocks.
    pub(super) fn unpack(storage: &Storage, source: &Artifact, limits: Limits) -> Result<Self, Failure> {
        let file = storage.open(source).ok_or_else(|| {
            Failure::fetch(
                Reason::ReadOperationFailed,
                format!("failed to open source artifact: {}", source.path),
            )
        })?;
        let tree = Tree::read(file, artifact::Limits::default())
            .map_err(|error| Failure::plain(Reason::Failed, format!("artifact untar error: {error}")))?;
        Ok(Self { tree, limits })
    }

    /// What the chart at a path says of itself, and how it lies there.
    pub(super) fn metadata(&self, path: &str) -> Result<(Metadata, Place), String> {
        let (mut metadata, place) = match self.tree.kind(path) {
            None => return Err(format!("stat {path}: no such file or directory")),
            Some(Kind::File) => {
                let limit = self.limits.chart;
                if self.tree.size(path).is_some_and(|size| size > limit) {
                    return Err(format!("size of chart '{path}' exceeds '{limit}' bytes limit"));
                }
                let bytes = self.read(path)?;
                let metadata = Metadata::from_archive(&bytes, &self.limits.archive())
                    .map_err(|error| format!("{path}: {error}"))?;
                (metadata, Place::Archive(bytes))
            }
            Some(Kind::Directory) => {
                let file = format!("{path}/Chart.yaml");
                if self.tree.kind(&file) != Some(Kind::File) {
                    return Err(format!("open {}: no such file or directory", clean(&file)));
                }
                let text = self.limited(&file)?;
                let requirements = format!("{path}/requirements.yaml");
                let requirements = match self.tree.kind(&requirements) {
                    None => None,
                    Some(Kind::Directory) => return Err("'requirements.yaml' is a directory".to_owned()),
                    Some(Kind::File) => Some(self.limited(&requirements)?),
                };
                let metadata =
                    Metadata::read(&text, requirements.as_deref()).map_err(|error| error.to_string())?;
                (metadata, Place::Folder)
            }
        };
        metadata.validate().map_err(|error| error.to_string())?;
        Ok((metadata, place))
    }

    /// Loads the chart at a path.
    pub(super) fn load(&self, path: &str) -> Result<Chart, String> {
        let limits = self.limits.archive();
        match self.tree.kind(path) {
            Some(Kind::File) => {
                Chart::from_archive(&self.read(path)?, &limits).map_err(|error| error.to_string())
            }
            _ => Chart::from_folder(&Folder { tree: &self.tree, path }, &limits)
                .map_err(|error| format!("failed to load chart from {path}/: {error}")),
        }
    }

    /// Whether there is anything at a path.
    pub(super) fn exists(&self, path: &str) -> bool {
        self.tree.kind(path).is_some()
    }

    /// The values in a file; `None` when there is no such file.
    pub(super) fn values(&self, file: &str) -> Result<Option<chart::Table>, String> {
        let path = rooted(file);
        if self.tree.kind(&path) != Some(Kind::File) {
            return Ok(None);
        }
        let text =
            self.limited(&path).map_err(|why| format!("could not read values from file '{file}': {why}"))?;
        super::values::read(file, &text).map(Some)
    }

    fn limited(&self, path: &str) -> Result<Vec<u8>, String> {
        let limit = self.limits.file;
        if self.tree.size(path).is_some_and(|size| size > limit) {
            let name = path.rsplit('/').next().unwrap_or_default();
            return Err(format!("size of '{name}' exceeds '{limit}' bytes limit"));
        }
        self.read(path)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.tree.contents(path).map_err(|error| error.to_string())
    }
}

/// The path of the spec, checked.
pub(super) fn chart_path(path: &str) -> Result<String, Problem> {
    if path.is_empty() {
        return Err(Step::Reference.failed("no path set for local chart reference"));
    }
    if path.starts_with('/') {
        return Err(Step::Reference.failed("local chart reference path is expected to be relative"));
    }
    Ok(rooted(path))
}

/// A folder of the source. Its files have no times: the same files make the same archive.
struct Folder<'a> {
    tree: &'a Tree,
    path: &'a str,
}

impl FileTree for Folder<'_> {
    fn entries(&self, folder: &str) -> Result<Vec<Entry>, String> {
        let folder = format!("{}/{folder}", self.path);
        let listed = self.tree.list(&folder).map_err(|error| error.to_string())?;
        let entry = |(name, kind): (&str, Kind)| Entry {
            name: name.to_owned(),
            kind: match kind {
                Kind::File => EntryKind::File,
                Kind::Directory => EntryKind::Folder,
            },
            size: self.tree.size(&format!("{folder}/{name}")).unwrap_or_default(),
            modified: None,
        };
        Ok(listed.into_iter().map(entry).collect())
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.tree.contents(&format!("{}/{path}", self.path)).map_err(|error| error.to_string())
    }
}

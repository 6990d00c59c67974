//! The state of one build: what was read, what went wrong, what the limits are.

use std::borrow::Cow;
use std::rc::Rc;

use schema::Schema;
use yaml::{ReadLimits, Value};

use super::{Fetch, Fetched, Remote, RemoteDirectory};
use crate::error::BuildError;
use crate::fs::{FileSystem, FsError, join, parent};
use crate::generate::Inflate;
use crate::growth::Growth;
use crate::inputs::Inputs;
use crate::options::{LoadRestrictions, Options};

/// Where in the inputs something was asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    /// Path of the file.
    pub(crate) file: String,
    /// Line in it, if known.
    pub(crate) line: Option<u32>,
    /// Field that asked.
    pub(crate) field: String,
}

/// What a build leaves to its caller. By default: nothing is fetched, no chart is rendered.
#[derive(Clone, Copy, Default)]
pub struct Outside<'a> {
    /// Fetches what lies on the network.
    pub fetch: Option<&'a Fetch<'a>>,
    /// Renders charts.
    pub inflate: Option<&'a Inflate<'a>>,
}

/// One build.
pub(crate) struct Session<'a> {
    pub(crate) fs: &'a dyn FileSystem,
    pub(crate) options: &'a Options,
    pub(crate) outside: Outside<'a>,
    /// The namespace of the kustomization that is being built, or of the nearest one above it that has one.
    pub(crate) namespace: String,
    pub(crate) schema: Schema,
    /// Whether a kustomization has chosen the schema: the first that does wins.
    pub(crate) schema_chosen: bool,
    /// Why the chosen schema cannot be read, and where it was chosen; told once it is needed.
    pub(crate) broken_schema: Option<(Place, String)>,
    /// Whether a merge has looked into the schema.
    pub(crate) schema_used: bool,
    /// Whether an object of a kind that is not built in was loaded.
    pub(crate) met_unknown_kind: bool,
    pub(crate) inputs: Inputs,
    pub(crate) warnings: Vec<String>,
    pub(crate) errors: Vec<BuildError>,
    /// What may still be added by copying.
    pub(crate) growth: Rc<Growth>,
    /// Whether `buildMetadata` asks for origins.
    pub(crate) tracks_origin: bool,
    /// Whether `buildMetadata` asks for transformers.
    pub(crate) tracks_transformers: bool,
    bytes: usize,
    reads: usize,
}

impl<'a> Session<'a> {
    pub(crate) fn new(fs: &'a dyn FileSystem, options: &'a Options, outside: Outside<'a>) -> Self {
        Self {
            fs,
            options,
            outside,
            namespace: String::new(),
            schema: Schema::builtin(),
            schema_chosen: false,
            broken_schema: None,
            schema_used: false,
            met_unknown_kind: false,
            inputs: Inputs::default(),
            warnings: Vec::new(),
            errors: Vec::new(),
            growth: Rc::new(Growth::new(options.limits.copied_bytes)),
            tracks_origin: false,
            tracks_transformers: false,
            bytes: 0,
            reads: 0,
        }
    }

    pub(crate) fn fail(&mut self, place: &Place, message: impl Into<String>) {
        let error = BuildError {
            file: place.file.clone(),
            line: place.line,
            field: place.field.clone(),
            message: message.into(),
        };
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// Tells why the chosen schema cannot be read, if that is so.
    pub(crate) fn need_schema(&mut self) {
        if let Some((place, error)) = self.broken_schema.take() {
            self.fail(&place, error);
        }
    }

    pub(crate) fn read_limits(&self) -> ReadLimits {
        ReadLimits {
            bytes: self.options.limits.file_bytes,
            alias_nodes: self.options.limits.alias_nodes,
            ..ReadLimits::default()
        }
    }

    /// The objects in a text.
    ///
    /// # Errors
    /// What is malformed, with its line; or what exceeds the limits.
    pub(crate) fn objects(&self, text: &[u8]) -> Result<Vec<Value>, String> {
        let objects = super::documents::objects(text, &self.read_limits())?;
        self.growth.aliases(text, &objects)?;
        Ok(objects)
    }

    /// The first document of a text in the dialect of configurations; null if there is none.
    ///
    /// # Errors
    /// What is malformed, with its line; or what exceeds the limits.
    pub(crate) fn document(&self, text: &[u8]) -> Result<Value, String> {
        let read = yaml::read_first(text, yaml::Profile::V2, &self.read_limits());
        let document = read.map_err(|error| error.to_string())?.unwrap_or_default();
        self.growth.aliases(text, std::slice::from_ref(&document))?;
        Ok(document)
    }

    /// Whether a directory is there; remembers the question.
    pub(crate) fn is_dir(&mut self, path: &str) -> bool {
        let found = self.fs.is_dir(path);
        let seen = if found { &mut self.inputs.directories } else { &mut self.inputs.absent };
        seen.insert(path.to_owned());
        found
    }

    /// Whether a file is there; remembers if it is not.
    pub(crate) fn is_file(&mut self, path: &str) -> bool {
        let found = self.fs.is_file(path);
        if !found && !self.fs.is_dir(path) {
            self.inputs.absent.insert(path.to_owned());
        }
        found
    }

    /// The path of an entry as a kustomization in `dir` writes it.
    ///
    /// # Errors
    /// If it leads out of the file system.
    pub(crate) fn path(&self, dir: &str, entry: &str) -> Result<String, String> {
        if entry.starts_with('/') {
            return self
                .fs
                .relative(entry)
                .ok_or_else(|| format!("the absolute path {entry} is outside of the source"));
        }
        join(dir, entry).ok_or_else(|| format!("path {entry} leads out of the source"))
    }

    /// Reads a file that a kustomization in `dir` names.
    ///
    /// # Errors
    /// If it is not there, is not allowed, or exceeds the limits.
    pub(crate) fn load(&mut self, dir: &str, entry: &str) -> Result<Cow<'a, [u8]>, String> {
        if super::is_remote(entry) {
            return self.fetch_file(entry).map(Cow::Owned);
        }
        let path = self.path(dir, entry)?;
        if self.options.load_restrictions == LoadRestrictions::RootOnly && self.fs.is_file(&path) {
            let real = self.fs.resolve(&path).map_err(|error| error.to_string())?;
            if !is_within(parent(&real), dir) {
                let shown = if dir.is_empty() { "." } else { dir };
                return Err(format!(
                    "file {path} is not in or below {shown}; move it there or lift the load restriction"
                ));
            }
        }
        self.read(&path).map_err(|error| error.to_string())
    }

    /// Whether the caller has a way to fetch.
    pub(crate) fn can_fetch(&self) -> bool {
        self.outside.fetch.is_some()
    }

    fn fetch_file(&mut self, entry: &str) -> Result<Vec<u8>, String> {
        let Some(fetch) = self.outside.fetch else {
            return Err(format!("{entry} is remote; remote files are not fetched, add it to the source"));
        };
        let content = match Remote::parse(entry)? {
            Remote::Directory(_) => return Err(format!("{entry} is a repository, not a file")),
            file => match fetch(&file)? {
                Fetched::Content(content) => content,
                Fetched::Checkout(_) => return Err(format!("{entry} is a repository, not a file")),
            },
        };
        self.count(entry, content.len()).map_err(|error| error.to_string())?;
        Ok(content)
    }

    /// Fetches a repository. Returns its root in the file system.
    ///
    /// # Errors
    /// If there is no way to fetch, or it fails.
    pub(crate) fn fetch_directory(&mut self, directory: RemoteDirectory) -> Result<String, String> {
        let fetch = self.outside.fetch.ok_or("remote bases are not fetched, add it to the source")?;
        match fetch(&Remote::Directory(directory))? {
            Fetched::Checkout(root) => Ok(root),
            Fetched::Content(_) => Err("the repository was fetched as a file".to_owned()),
        }
    }

    /// Reads a file by its path in the file system.
    pub(crate) fn read(&mut self, path: &str) -> Result<Cow<'a, [u8]>, FsError> {
        let file_bytes = self.options.limits.file_bytes;
        if self.fs.size(path).is_some_and(|size| size > file_bytes as u64) {
            return Err(exceeded(path, &format!("{file_bytes} bytes a file")));
        }
        let content = match self.fs.read(path) {
            Ok(content) => content,
            Err(error) => {
                if matches!(error, FsError::NotFound { .. }) {
                    self.inputs.absent.insert(path.to_owned());
                }
                return Err(error);
            }
        };
        self.inputs.files.insert(path.to_owned());
        self.count(path, content.len())?;
        Ok(content)
    }

    /// Counts what was read against the limits.
    fn count(&mut self, path: &str, length: usize) -> Result<(), FsError> {
        self.reads += 1;
        self.bytes = self.bytes.saturating_add(length);
        let limits = &self.options.limits;
        if length > limits.file_bytes {
            return Err(exceeded(path, &format!("{} bytes a file", limits.file_bytes)));
        }
        if self.bytes > limits.total_bytes {
            return Err(exceeded(path, &format!("{} bytes in all", limits.total_bytes)));
        }
        if self.reads > limits.files {
            return Err(exceeded(path, &format!("{} files", limits.files)));
        }
        Ok(())
    }
}

fn exceeded(path: &str, what: &str) -> FsError {
    FsError::Io { path: path.to_owned(), reason: format!("the build exceeds the limit of {what}") }
}

/// Whether `path` is `dir` or lies below it.
pub(crate) fn is_within(path: &str, dir: &str) -> bool {
    dir.is_empty() || path == dir || path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
}

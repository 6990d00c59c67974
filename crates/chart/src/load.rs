//! Files into charts.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::ahead::Ahead;
use crate::archive::{ArchiveLimits, unpack_some};
use crate::decode::{self, Shape, Struct};
use crate::error::Error;
use crate::file::{File, extension};
use crate::folder::{FileTree, read_folder};
use crate::metadata::{Dependency, LOCK, Lock, METADATA, Metadata};
use crate::time::Time;
use crate::values::PlainTable;

/// A chart with its sub-charts. Its large parts are shared: copies are cheap.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    /// `Chart.yaml`
    pub metadata: Metadata,
    /// `Chart.lock`
    pub lock: Option<Lock>,
    /// The files in `templates/`.
    pub templates: Arc<[File]>,
    /// Default values.
    pub values: PlainTable,
    /// `values.yaml` as it is written.
    pub values_file: Option<File>,
    /// `values.schema.json`
    pub schema: Option<File>,
    /// Everything else, `crds/` included.
    pub files: Arc<[File]>,
    /// Sub-charts in the order of their files; once dependencies are processed, those that are enabled.
    pub dependencies: Vec<Chart>,
    /// When `Chart.yaml` was last changed, if known.
    pub modified: Option<Time>,
}

/// Sub-charts in archives in sub-charts in archives …
const DEEPEST: usize = 32;
/// How many times the size of one chart all archives in it may have together.
const TOGETHER: u64 = 4;

impl Chart {
    /// Loads a chart from the bytes of an archive.
    ///
    /// # Errors
    /// An archive that cannot be unpacked, or a chart that cannot be used.
    pub fn from_archive(bytes: &[u8], limits: &ArchiveLimits) -> Result<Chart, Error> {
        let mut loading = Loading::new(limits);
        let files = unpack_some(bytes, limits, |_| true, |file| loading.ahead.see(file))?;
        match files.iter().find(|file| file.name == "Chart.yaml") {
            Some(file) => check_api_version(&file.data)?,
            None => return Err(load("unable to detect chart version, no Chart.yaml found".to_owned())),
        }
        assemble(files, &mut loading, 0)
    }

    /// Loads a chart from a folder.
    ///
    /// # Errors
    /// A file that cannot be read, or a chart that cannot be used.
    pub fn from_folder(tree: &dyn FileTree, limits: &ArchiveLimits) -> Result<Chart, Error> {
        // Even where `.helmignore` leaves it out.
        if let Ok(metadata) = tree.read("Chart.yaml") {
            check_api_version(&metadata)?;
        }
        Chart::from_files(read_folder(tree, limits)?, limits)
    }

    /// Loads a chart from its files.
    ///
    /// # Errors
    /// A chart that cannot be used.
    pub fn from_files(files: Vec<File>, limits: &ArchiveLimits) -> Result<Chart, Error> {
        let mut loading = Loading::new(limits);
        // This thread begins at the other end.
        files.iter().rev().for_each(|file| loading.ahead.see(file));
        assemble(files, &mut loading, 0)
    }

    /// Name, or alias.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// The custom resource definitions in `crds/`, this chart's first, with their full paths.
    #[must_use]
    pub fn crds(&self) -> Vec<(String, &File)> {
        let mut found = Vec::new();
        self.collect_crds(self.name(), &mut found);
        found
    }

    fn collect_crds<'c>(&'c self, path: &str, found: &mut Vec<(String, &'c File)>) {
        for file in self.files.iter().filter(|file| file.name.starts_with("crds/")) {
            let extension = extension(&file.name);
            if [".yaml", ".yml", ".json"].iter().any(|known| extension.eq_ignore_ascii_case(known)) {
                found.push((format!("{path}/{}", file.name), file));
            }
        }
        for dependency in &self.dependencies {
            dependency.collect_crds(&format!("{path}/charts/{}", dependency.name()), found);
        }
    }

    /// The sub-charts that `Chart.yaml` asks for and that are not there.
    #[must_use]
    pub fn missing_dependencies(&self) -> Vec<&str> {
        let listed = self.metadata.dependencies.iter().flatten();
        let there = |wanted: &&Dependency| !self.dependencies.iter().any(|chart| chart.name() == wanted.name);
        listed.filter(there).map(|dependency| dependency.name.as_str()).collect()
    }
}

/// A chart while it is being loaded.
struct Loading {
    limits: ArchiveLimits,
    /// What the archives within it may still weigh: small archives can hold large ones, and many.
    left: u64,
    ahead: Ahead,
}

impl Loading {
    fn new(limits: &ArchiveLimits) -> Loading {
        let left = limits.total.saturating_mul(TOGETHER);
        Loading { limits: *limits, left, ahead: Ahead::default() }
    }

    fn unpack(&mut self, bytes: &[u8]) -> Result<Vec<File>, Error> {
        let files = unpack_some(bytes, &self.limits, |_| true, |file| self.ahead.see(file))?;
        let size: u64 = files.iter().map(|file| file.data.len() as u64).sum();
        self.left = self.left.checked_sub(size).ok_or_else(|| {
            let most = self.limits.total.saturating_mul(TOGETHER);
            Error::Archive(format!("the archives within the chart are larger than {most} bytes together"))
        })?;
        Ok(files)
    }
}

fn load(problem: String) -> Error {
    Error::Load(problem)
}

/// Helm chooses the loader by this before it looks at anything else.
fn check_api_version(metadata: &[u8]) -> Result<(), Error> {
    let metadata = metadata.strip_prefix(b"\xef\xbb\xbf").unwrap_or(metadata);
    let found = decode::read(metadata, &BASE)
        .map_err(|problem| load(format!("cannot load Chart.yaml: {problem}")))?;
    match found.get("apiVersion").and_then(Json::as_str) {
        None | Some("" | "v1" | "v2") => Ok(()),
        Some("v3") => {
            Err(load("charts of apiVersion v3 are not supported; Helm has them as an experiment".to_owned()))
        }
        Some(_) => Err(load("unsupported chart version".to_owned())),
    }
}

const BASE: Struct = Struct { name: "chartBase", package: "loader.", fields: &[("apiVersion", Shape::Text)] };

fn assemble(files: Vec<File>, loading: &mut Loading, depth: usize) -> Result<Chart, Error> {
    if depth > DEEPEST {
        return Err(load(format!("charts are nested more than {DEEPEST} deep")));
    }
    let mut chart = Chart::default();
    let mut fields = None;
    for file in files.iter().filter(|file| file.name == "Chart.yaml") {
        let found = decode::read(&file.data, &METADATA)
            .map_err(|problem| load(format!("cannot load Chart.yaml: {problem}")))?;
        overlay(fields.get_or_insert_default(), found);
        chart.modified = file.modified;
    }
    let version = |fields: &Option<serde_json::Map<String, Json>>| {
        let found = fields.as_ref().and_then(|fields| fields.get("apiVersion")).and_then(Json::as_str);
        found.unwrap_or_default().to_owned()
    };
    if let Some(fields) = &mut fields
        && fields.get("apiVersion").and_then(Json::as_str).unwrap_or_default().is_empty()
    {
        fields.insert("apiVersion".to_owned(), "v1".into());
    }
    let (mut templates, mut others) = (Vec::new(), Vec::new());
    let mut nested: BTreeMap<String, Vec<File>> = BTreeMap::new();
    for file in files {
        match file.name.as_str() {
            "Chart.yaml" => {}
            "Chart.lock" | "requirements.lock" => {
                chart.lock = read_lock(&file)?;
                if file.name == "requirements.lock" && version(&fields) == "v1" {
                    others.push(file);
                }
            }
            "values.yaml" => {
                let found = loading
                    .ahead
                    .values(&file)
                    .map_err(|problem| load(format!("cannot load values.yaml: {problem}")))?;
                chart.values = found;
                chart.values_file = Some(file);
            }
            "values.schema.json" => chart.schema = Some(file),
            "requirements.yaml" => {
                let found = decode::read(&file.data, &METADATA)
                    .map_err(|problem| load(format!("cannot load requirements.yaml: {problem}")))?;
                overlay(fields.get_or_insert_default(), found);
                if version(&fields) == "v1" {
                    others.push(file);
                }
            }
            name if name.starts_with("templates/") => templates.push(file),
            name => match name.strip_prefix("charts/") {
                Some(_) if extension(name) == ".prov" => others.push(file),
                Some(inner) => {
                    let first = inner.split('/').next().unwrap_or_default().to_owned();
                    let inner = inner.to_owned();
                    nested.entry(first).or_default().push(File { name: inner, ..file });
                }
                None => others.push(file),
            },
        }
    }
    let fields = fields.ok_or_else(|| load("Chart.yaml file is missing".to_owned()))?;
    chart.metadata = Metadata::from_fields(fields).map_err(load)?;
    chart.metadata.validate()?;
    (chart.templates, chart.files) = (templates.into(), others.into());
    for (name, files) in nested {
        if name.starts_with(['_', '.']) {
            continue;
        }
        let parent = chart.metadata.name.clone();
        let found = sub_chart(&name, files, &parent, loading, depth)?;
        chart.dependencies.push(found);
    }
    Ok(chart)
}

fn sub_chart(
    name: &str,
    files: Vec<File>,
    parent: &str,
    loading: &mut Loading,
    depth: usize,
) -> Result<Chart, Error> {
    let wrapped = |error: Error| load(format!("error unpacking subchart {name} in {parent}: {error}"));
    if extension(name) == ".tgz" {
        let found = files.first().map(|file| file.name.clone()).unwrap_or_default();
        let Some(file) = files.first().filter(|file| file.name == name) else {
            let problem = format!("error unpacking subchart tar in {parent}: expected {name}, got {found}");
            return Err(load(problem));
        };
        let files = loading.unpack(&file.data).map_err(wrapped)?;
        return assemble(files, loading, depth + 1).map_err(wrapped);
    }
    let inner = files.into_iter().filter_map(|file| {
        let (_, rest) = file.name.split_once('/')?;
        Some(File { name: rest.to_owned(), ..file })
    });
    assemble(inner.collect(), loading, depth + 1).map_err(wrapped)
}

fn read_lock(file: &File) -> Result<Option<Lock>, Error> {
    let problem = |problem: String| load(format!("cannot load {}: {problem}", file.name));
    let fields = decode::read(&file.data, &LOCK).map_err(problem)?;
    serde_json::from_value(Json::Object(fields)).map(Some).map_err(|error| problem(error.to_string()))
}

/// Go decodes into what is there: fields that the text does not name stay, in maps and in the items of lists, too.
pub(crate) fn overlay(into: &mut serde_json::Map<String, Json>, from: serde_json::Map<String, Json>) {
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(Json::Object(old)), Json::Object(new)) if name != "import-values" => overlay(old, new),
            (Some(Json::Array(old)), Json::Array(new)) if name == "dependencies" || name == "maintainers" => {
                let mut old = std::mem::take(old).into_iter();
                let items = new.into_iter().map(|item| match (old.next(), item) {
                    (Some(Json::Object(mut old)), Json::Object(new)) => {
                        overlay(&mut old, new);
                        Json::Object(old)
                    }
                    (_, item) => item,
                });
                let items = items.collect();
                into.insert(name, Json::Array(items));
            }
            (_, value) => _ = into.insert(name, value),
        }
    }
}

//! Charts in a kustomization, rendered as `helm template` renders them.

use chart::{
    Action, ArchiveLimits, Capabilities, Chart, Entry, EntryKind, FileTree, KubeVersion, Notes, Part,
    ReleaseOptions, Request, SchemaCheck, Separators, Table, assemble, check_release_name, listing, overlay,
    read_values,
};
use kustomize::{ChartInflation, FileSystem};
use sprig::Options;

/// The cluster that the flags describe, where the kustomization says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Cluster<'a> {
    pub api_versions: &'a [String],
    pub kube_version: Option<&'a str>,
}

/// Renders a chart of the build's file system.
///
/// # Errors
/// The text for the user, without the place in the kustomization.
pub fn render(
    files: &dyn FileSystem,
    inflation: &ChartInflation,
    cluster: &Cluster<'_>,
) -> Result<String, String> {
    let folder = Folder { files, root: &inflation.directory };
    let chart = Chart::from_folder(&folder, &ArchiveLimits::default()).map_err(|error| error.to_string())?;
    if !matches!(&*chart.metadata.kind, "" | "application") {
        return Err(format!("{} charts are not installable", chart.metadata.kind));
    }
    let missing = chart.missing_dependencies().join(", ");
    if !missing.is_empty() {
        return Err(format!(
            "the charts that {} depends on are not in its charts/ directory: {missing}; run `helm dependency build`",
            inflation.directory
        ));
    }
    let mut user = Table::new();
    for content in &inflation.values {
        user = overlay(user, read_values(content).map_err(|error| format!("values: {error}"))?);
    }
    let api_versions =
        if inflation.api_versions.is_empty() { cluster.api_versions } else { &*inflation.api_versions };
    let kube_version = match inflation.kube_version.as_str() {
        "" => cluster.kube_version.unwrap_or_default(),
        version => version,
    };
    let mut capabilities = Capabilities::default();
    if !kube_version.is_empty() {
        capabilities.kube_version = KubeVersion::parse(kube_version)
            .map_err(|error| format!("{kube_version:?} is no version of Kubernetes: {error}"))?;
    }
    capabilities.api_versions.extend(api_versions.iter().cloned());
    let name = release_name(inflation)?;
    check_release_name(&name).map_err(|error| format!("release name {name:?}: {error}"))?;
    let namespace = if inflation.namespace.is_empty() { "default" } else { &inflation.namespace };
    let release =
        ReleaseOptions { name, namespace: namespace.to_owned(), revision: 1, action: Action::Install };
    let request = Request { release, capabilities, schemas: SchemaCheck::Validate };
    let mut parts = Vec::new();
    parts.extend(inflation.include_crds.then_some(Part::Crds));
    parts.extend((!inflation.skip_hooks).then_some(Part::Hooks));
    parts.extend((!inflation.skip_hooks && !inflation.skip_tests).then_some(Part::Tests));
    sprig::with_stack(|| rendered(chart, &user, &request, &parts))
}

fn rendered(mut chart: Chart, user: &Table, request: &Request, parts: &[Part]) -> Result<String, String> {
    let mut warnings = Vec::new();
    let text = |error: chart::Error| error.to_string();
    chart.process_dependencies(user, &mut warnings).map_err(text)?;
    let files = chart.render(user, request, options(), &mut warnings).map_err(text)?;
    for warning in &warnings {
        eprintln!("# Warning: {warning}");
    }
    let rendering = assemble(files, chart.name(), Notes::OwnOnly, Separators::Strict).map_err(text)?;
    Ok(listing(&chart, &rendering, parts))
}

fn options() -> Options {
    Options::new(jiff::Timestamp::now().as_nanosecond(), rand::random())
}

/// The name of the release. Helm has `release-name` at hand where none is given.
fn release_name(inflation: &ChartInflation) -> Result<String, String> {
    match (inflation.release_name.as_str(), inflation.name_template.as_str()) {
        ("", "") => Ok("release-name".to_owned()),
        (name, "") => Ok(name.to_owned()),
        ("", template) => {
            let now = jiff::Timestamp::now().as_nanosecond();
            chart::name_from_template(template, now, rand::random())
                .map_err(|error| format!("nameTemplate: {error}"))
        }
        _ => Err("give releaseName or nameTemplate, not both".to_owned()),
    }
}

/// A chart's directory in the file system of a build.
struct Folder<'a> {
    files: &'a dyn FileSystem,
    root: &'a str,
}

impl Folder<'_> {
    fn path(&self, path: &str) -> Result<String, String> {
        kustomize::join(self.root, path).ok_or_else(|| format!("{path} leads out of the source"))
    }
}

impl FileTree for Folder<'_> {
    fn entries(&self, folder: &str) -> Result<Vec<Entry>, String> {
        let folder = self.path(folder)?;
        let names = self.files.list(&folder).map_err(|error| error.to_string())?;
        let entries = names.into_iter().map(|name| {
            let path = kustomize::join(&folder, &name).unwrap_or_default();
            let kind = if self.files.is_dir(&path) {
                EntryKind::Folder
            } else if self.files.is_file(&path) {
                EntryKind::File
            } else {
                EntryKind::Irregular
            };
            let size = self.files.size(&path).unwrap_or_default();
            Entry { name, kind, size, modified: None }
        });
        Ok(entries.collect())
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let content = self.files.read(&self.path(path)?).map_err(|error| error.to_string())?;
        Ok(content.into_owned())
    }
}

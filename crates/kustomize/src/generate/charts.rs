//! Helm charts, which the caller of a build renders.

use patch::strategic_merge;
use yaml::{Profile, Value};

use crate::fs::FileSystem;
use crate::kustomization::{HelmChart, ValuesMerge};
use crate::load::Session;

/// A chart that a kustomization asks to be rendered, as `helm template` would.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChartInflation {
    /// The chart's directory in the file system of the build.
    pub directory: String,
    /// Name of the release; empty if it is to be generated.
    pub release_name: String,
    /// A template of the release's name; empty for none.
    pub name_template: String,
    /// Namespace of the release; empty for the default one.
    pub namespace: String,
    /// Contents of values files; later ones win.
    pub values: Vec<Vec<u8>>,
    /// Further API versions that the cluster is taken to have.
    pub api_versions: Vec<String>,
    /// The cluster's version; empty for the default one.
    pub kube_version: String,
    /// Whether the `crds` directory counts.
    pub include_crds: bool,
    /// Whether hooks are left out.
    pub skip_hooks: bool,
    /// Whether tests are left out.
    pub skip_tests: bool,
}

/// A way to render a chart of the build's file system. It answers with the documents that `helm template` prints.
pub type Inflate<'a> = dyn Fn(&dyn FileSystem, &ChartInflation) -> Result<String, String> + 'a;

/// The objects of a chart that the kustomization in `dir` names.
///
/// # Errors
/// Why the chart cannot be rendered, with the field of the entry that says so, where there is one.
pub(crate) fn inflate(
    session: &mut Session<'_>,
    dir: &str,
    chart: &HelmChart,
) -> Result<Vec<Value>, (&'static str, String)> {
    let Some(inflate) = session.outside.inflate else {
        let message = "charts are rendered with --enable-helm only; or deploy this one with a HelmRelease";
        return Err(("", message.to_owned()));
    };
    if chart.name.is_empty() {
        return Err(("name", "must not be empty".to_owned()));
    }
    let mut home = chart.home.clone();
    if !chart.version.is_empty() && !chart.repo.is_empty() {
        home = format!("{home}/{}-{}", chart.name, chart.version);
    }
    let entry = format!("{home}/{}", chart.name);
    let directory = session.path(dir, &entry).map_err(|error| ("", error))?;
    if !session.is_dir(&directory) {
        let message = if chart.repo.is_empty() {
            format!("no chart at {directory}")
        } else {
            format!("no chart at {directory}; charts are not pulled, put {} there", chart.name)
        };
        return Err(("", message));
    }
    let own = format!("{entry}/values.yaml");
    let (field, path) = match chart.values_file.as_str() {
        "" => ("", own.as_str()),
        path => ("valuesFile", path),
    };
    let mut values = Vec::new();
    if chart.values_inline.is_empty() {
        values.push(session.load(dir, path).map_err(|error| (field, error))?.into_owned());
    } else {
        let inline = Value::from(serde_json::Value::Object(chart.values_inline.clone()));
        let merged = match chart.values_merge {
            ValuesMerge::Replace => inline,
            mode => {
                let content = session.load(dir, path).map_err(|error| (field, error))?;
                let file = yaml::read_first(&content, Profile::V3, &session.read_limits());
                let file = file.map_err(|error| (field, error.to_string()))?.unwrap_or_default();
                let file = if file.is_null() { Value::Map(yaml::Map::new()) } else { file };
                let (under, over) = if mode == ValuesMerge::Merge { (inline, file) } else { (file, inline) };
                let merged = strategic_merge(&session.schema, under, over);
                merged.map_err(|error| ("valuesInline", error.to_string()))?.unwrap_or_default()
            }
        };
        let text = yaml::to_yaml(&merged).map_err(|error| ("valuesInline", error.to_string()))?;
        values.push(text.into_bytes());
    }
    for file in &chart.additional_values_files {
        values.push(session.load(dir, file).map_err(|error| ("additionalValuesFiles", error))?.into_owned());
    }
    let namespace = if chart.namespace.is_empty() { &session.namespace } else { &chart.namespace };
    let request = ChartInflation {
        directory,
        release_name: chart.release_name.clone(),
        name_template: chart.name_template.clone(),
        namespace: namespace.clone(),
        values,
        api_versions: chart.api_versions.clone(),
        kube_version: chart.kube_version.clone(),
        include_crds: chart.include_crds,
        skip_hooks: chart.skip_hooks,
        skip_tests: chart.skip_tests,
    };
    let text = inflate(session.fs, &request).map_err(|error| ("", error))?;
    session.objects(text.as_bytes()).map_err(|error| ("", format!("what the chart renders: {error}")))
}

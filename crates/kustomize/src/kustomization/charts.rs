//! `helmCharts` and `helmGlobals`, with the older field that they replace.

use serde_json::{Map, Value};

use super::decode::{Fields, Findings};

/// Where charts lie unless the kustomization says otherwise.
const CHART_HOME: &str = "charts";

/// A chart to inflate.
#[derive(Debug, Clone, Default)]
pub(crate) struct HelmChart {
    /// Directory that holds the charts, seen from the kustomization.
    pub(crate) home: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) repo: String,
    pub(crate) release_name: String,
    pub(crate) name_template: String,
    pub(crate) namespace: String,
    /// Taken instead of the chart's own values.
    pub(crate) values_file: String,
    /// Laid over those.
    pub(crate) additional_values_files: Vec<String>,
    pub(crate) values_inline: Map<String, Value>,
    pub(crate) values_merge: ValuesMerge,
    pub(crate) include_crds: bool,
    pub(crate) skip_hooks: bool,
    pub(crate) skip_tests: bool,
    pub(crate) api_versions: Vec<String>,
    pub(crate) kube_version: String,
}

/// What inline values do with those of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ValuesMerge {
    /// Inline values win.
    #[default]
    Override,
    /// The file wins.
    Merge,
    /// Only inline values count.
    Replace,
}

const CHART: &[&str] = &[
    "name",
    "version",
    "repo",
    "releaseName",
    "namespace",
    "additionalValuesFiles",
    "valuesFile",
    "valuesInline",
    "valuesMerge",
    "includeCRDs",
    "skipHooks",
    "apiVersions",
    "kubeVersion",
    "nameTemplate",
    "skipTests",
    "debug",
    "devel",
];

/// All charts of a kustomization file.
pub(super) fn decode(f: &mut Findings, fields: &Fields<'_>) -> Vec<HelmChart> {
    let mut home = fields.nested(f, "helmGlobals", |f, path, value| {
        let globals = f.object(path, value, &["chartHome", "configHome"]);
        globals.map_or_else(String::new, |globals| {
            globals.string(f, "configHome");
            globals.string(f, "chartHome")
        })
    });
    let mut charts = fields.list(f, "helmCharts", decode_chart);
    let older = fields.list(f, "helmChartInflationGenerator", decode_older);
    for (chart, own_home) in older {
        // The last one counts, for all.
        if !own_home.is_empty() {
            home = Some(own_home);
        }
        charts.push(chart);
    }
    for chart in &mut charts {
        chart.home = home_or_default(home.clone().unwrap_or_default());
    }
    charts
}

/// The chart of a `HelmChartInflationGenerator`.
pub(crate) fn decode_plugin(f: &mut Findings, value: &Value) -> HelmChart {
    let known: Vec<&'static str> =
        CHART.iter().copied().chain(["chartHome", "configHome", "apiVersion", "kind", "metadata"]).collect();
    let Some(fields) = f.object("", value, &known) else { return HelmChart::default() };
    fields.string(f, "configHome");
    HelmChart { home: home_or_default(fields.string(f, "chartHome")), ..chart(f, &fields) }
}

fn home_or_default(home: String) -> String {
    if home.is_empty() { CHART_HOME.to_owned() } else { home }
}

fn decode_chart(f: &mut Findings, path: &str, value: &Value) -> HelmChart {
    f.object(path, value, CHART).map_or_else(HelmChart::default, |fields| chart(f, &fields))
}

fn chart(f: &mut Findings, fields: &Fields<'_>) -> HelmChart {
    // Neither changes what is rendered.
    fields.bool(f, "debug");
    fields.bool(f, "devel");
    HelmChart {
        home: String::new(),
        name: fields.string(f, "name"),
        version: fields.string(f, "version"),
        repo: fields.string(f, "repo"),
        release_name: fields.string(f, "releaseName"),
        name_template: fields.string(f, "nameTemplate"),
        namespace: fields.string(f, "namespace"),
        values_file: fields.string(f, "valuesFile"),
        additional_values_files: fields.strings(f, "additionalValuesFiles"),
        values_inline: values(f, fields, "valuesInline"),
        values_merge: merge(f, fields),
        include_crds: fields.bool(f, "includeCRDs"),
        skip_hooks: fields.bool(f, "skipHooks"),
        skip_tests: fields.bool(f, "skipTests"),
        api_versions: fields.strings(f, "apiVersions"),
        kube_version: fields.string(f, "kubeVersion"),
    }
}

/// An entry of the older field, and the home of all charts that it names.
fn decode_older(f: &mut Findings, path: &str, value: &Value) -> (HelmChart, String) {
    const KNOWN: &[&str] = &[
        "chartName",
        "chartVersion",
        "chartRepoUrl",
        "chartHome",
        "chartRepoName",
        "helmBin",
        "helmHome",
        "values",
        "valuesLocal",
        "valuesMerge",
        "releaseName",
        "releaseNamespace",
        "extraArgs",
    ];
    let Some(fields) = f.object(path, value, KNOWN) else { return Default::default() };
    for ignored in ["chartRepoName", "helmBin", "helmHome", "releaseNamespace"] {
        fields.string(f, ignored);
    }
    fields.strings(f, "extraArgs");
    let chart = HelmChart {
        name: fields.string(f, "chartName"),
        version: fields.string(f, "chartVersion"),
        repo: fields.string(f, "chartRepoUrl"),
        release_name: fields.string(f, "releaseName"),
        values_file: fields.string(f, "values"),
        values_inline: values(f, &fields, "valuesLocal"),
        values_merge: merge(f, &fields),
        ..HelmChart::default()
    };
    (chart, fields.string(f, "chartHome"))
}

fn values(f: &mut Findings, fields: &Fields<'_>, name: &str) -> Map<String, Value> {
    match fields.value(name) {
        None => Map::new(),
        Some((_, Value::Object(map))) => map.clone(),
        Some((path, other)) => {
            f.wrong(&path, other, "a mapping");
            Map::new()
        }
    }
}

fn merge(f: &mut Findings, fields: &Fields<'_>) -> ValuesMerge {
    match fields.string(f, "valuesMerge").as_str() {
        "" | "override" => ValuesMerge::Override,
        "merge" => ValuesMerge::Merge,
        "replace" => ValuesMerge::Replace,
        other => {
            let message = format!("must be merge, override or replace, not {other:?}");
            f.errors.push((fields.path_of("valuesMerge"), message));
            ValuesMerge::Override
        }
    }
}

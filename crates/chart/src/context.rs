//! What the templates of each chart see.

use std::collections::{BTreeMap, HashMap};

use gotemplate::{DictType, Str, Value};
use sprig::Scope;
use sprig::context::{VALUES, files, values as typed_values};

use crate::capabilities::Capabilities;
use crate::file::base_name;
use crate::load::Chart;
use crate::metadata::{Dependency, Metadata};
use crate::values::to_value;

/// What happens with the release that is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `.Release.IsInstall`
    Install,
    /// `.Release.IsUpgrade`
    Upgrade,
}

/// `.Release`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseOptions {
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Revision, from 1.
    pub revision: i64,
    /// Install or upgrade.
    pub action: Action,
}

/// The texts of the templates of a chart and its sub-charts, by their full paths.
pub(crate) fn templates(chart: &Chart, path: &str, found: &mut Vec<(String, Str)>) {
    let library = chart.metadata.is_library();
    for file in chart.templates.iter() {
        if !library || base_name(&file.name).starts_with('_') {
            found.push((format!("{path}/{}", file.name), file.data.clone()));
        }
    }
    for sub in &chart.dependencies {
        templates(sub, &format!("{path}/charts/{}", sub.name()), found);
    }
}

/// What the templates of each chart of a tree see, by the path of the chart.
pub(crate) struct Scopes(HashMap<String, Scope>);

impl Scopes {
    /// The values are those of the root, coalesced.
    pub(crate) fn new(
        chart: &Chart,
        values: &Value,
        release: &ReleaseOptions,
        capabilities: &Capabilities,
    ) -> Scopes {
        let mut scopes = Scopes(HashMap::new());
        let upgrade = release.action == Action::Upgrade;
        let shared = Shared {
            release: dict([
                ("Name", release.name.as_str().into()),
                ("Namespace", release.namespace.as_str().into()),
                ("IsUpgrade", upgrade.into()),
                ("IsInstall", (!upgrade).into()),
                ("Revision", Value::int(release.revision)),
                ("Service", "Helm".into()),
            ]),
            capabilities: capabilities.value(),
        };
        let values = values.converted(DictType::Named(&VALUES));
        scopes.add(chart, chart.name(), values, true, &shared);
        scopes
    }

    /// The scope of a template. Its chart's path ends before the last `/templates/` behind which no chart begins.
    pub(crate) fn of(&self, template: &str) -> Scope {
        let mut ends = template
            .rmatch_indices('/')
            .filter(|(at, _)| template.get(*at..).is_some_and(|rest| rest.starts_with("/templates/")));
        let found = ends.find_map(|(at, _)| self.0.get(template.get(..at)?));
        found.cloned().unwrap_or_else(|| Scope { context: dict([]), base_path: String::new() })
    }

    fn add(&mut self, chart: &Chart, path: &str, values: Value, root: bool, shared: &Shared) -> Value {
        let others = chart.files.iter().map(|file| (file.name.as_str().into(), file.data.clone()));
        let context = dict([
            ("Chart", metadata(&chart.metadata, root)),
            ("Files", files(others)),
            ("Release", shared.release.clone()),
            ("Capabilities", shared.capabilities.clone()),
            ("Values", values.clone()),
        ]);
        let mut subs = BTreeMap::new();
        for sub in &chart.dependencies {
            let name = sub.name();
            let inner = match lookup(&values, name) {
                Some(found @ Value::Dict(_)) => found.converted(DictType::Named(&VALUES)),
                _ => typed_values(BTreeMap::new()),
            };
            let inner = self.add(sub, &format!("{path}/charts/{name}"), inner, false, shared);
            subs.insert(name.into(), inner);
        }
        if let Some(context) = context.as_dict() {
            context.set("Subcharts", Value::dict(subs));
        }
        self.0.insert(
            path.to_owned(),
            Scope {
                context: context.converted(DictType::Named(&VALUES)),
                base_path: format!("{path}/templates"),
            },
        );
        context
    }
}

/// What stands at the end of a dotted path of tables.
fn lookup(values: &Value, path: &str) -> Option<Value> {
    path.split('.').try_fold(values.clone(), |at, key| at.as_dict()?.get(key.as_bytes()))
}

struct Shared {
    release: Value,
    capabilities: Value,
}

fn dict<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::dict(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

fn texts(texts: &[String]) -> Value {
    Value::list(texts.iter().map(|text| text.as_str().into()).collect())
}

fn metadata(chart: &Metadata, root: bool) -> Value {
    let people = chart.maintainers.iter().flatten().map(|person| {
        dict([
            ("Name", person.name.as_str().into()),
            ("Email", person.email.as_str().into()),
            ("URL", person.url.as_str().into()),
        ])
    });
    let annotated = if chart.annotations.is_empty() { DictType::NilStr } else { DictType::Str };
    let annotations = chart.annotations.iter().map(|(key, text)| (key.as_str().into(), text.as_str().into()));
    dict([
        ("Name", chart.name.as_str().into()),
        ("Home", chart.home.as_str().into()),
        ("Sources", texts(&chart.sources)),
        ("Version", chart.version.as_str().into()),
        ("Description", chart.description.as_str().into()),
        ("Keywords", texts(&chart.keywords)),
        ("Maintainers", Value::list(people.collect())),
        ("Icon", chart.icon.as_str().into()),
        ("APIVersion", chart.api_version.as_str().into()),
        ("Condition", chart.condition.as_str().into()),
        ("Tags", chart.tags.as_str().into()),
        ("AppVersion", chart.app_version.as_str().into()),
        ("Deprecated", chart.deprecated.into()),
        ("Annotations", Value::typed_dict(annotated, annotations.collect())),
        ("KubeVersion", chart.kube_version.as_str().into()),
        ("Dependencies", Value::list(chart.dependencies.iter().flatten().map(dependency).collect())),
        ("Type", chart.kind.as_str().into()),
        ("IsRoot", root.into()),
    ])
}

fn dependency(wanted: &Dependency) -> Value {
    dict([
        ("Name", wanted.name.as_str().into()),
        ("Version", wanted.version.as_str().into()),
        ("Repository", wanted.repository.as_str().into()),
        ("Condition", wanted.condition.as_str().into()),
        ("Tags", texts(&wanted.tags)),
        ("Enabled", wanted.enabled.into()),
        ("ImportValues", Value::list(wanted.import_values.iter().map(to_value).collect())),
        ("Alias", wanted.alias.as_str().into()),
    ])
}

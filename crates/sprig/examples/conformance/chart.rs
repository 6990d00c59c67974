//! A chart of a case: enough of one to run templates. What only a chart engine knows (sub-charts, schemas) is skipped.

use std::collections::BTreeMap;

use gotemplate::{ListType, Str, Value};
use serde_json::Value as Json;
use sprig::context::{Capabilities, files, structure, values};
use sprig::{Options, Scope, Templates, from_yaml_tree, read_yaml_dict};

/// What became of a case.
pub enum Outcome {
    Rendered(BTreeMap<String, String>),
    Failed(String),
    Skipped(&'static str),
}

/// The day that the cases were recorded, in nanoseconds since 1970.
const CLOCK: i128 = 1_795_255_200_000_000_000;

const CHART: &str = "apiVersion: v2\nname: t\nversion: 0.1.0\nappVersion: \"1.2.3\"\n";

pub fn render(case: &Json, capabilities: &Json) -> Outcome {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (path, text) in case["files"].as_object().into_iter().flatten() {
        all.insert(path.clone(), text.as_str().unwrap_or_default().to_owned());
    }
    let special = |path: &String| {
        path.starts_with("charts/") || path.starts_with("requirements") || path == "values.schema.json"
    };
    if all.keys().any(special) {
        return Outcome::Skipped("sub-charts and schemas are the chart engine's");
    }
    all.entry("Chart.yaml".to_owned()).or_insert_with(|| CHART.to_owned());
    all.insert("templates/t.yaml".to_owned(), case["template"].as_str().unwrap_or_default().to_owned());
    let chart = match read_yaml_dict(all["Chart.yaml"].as_bytes()) {
        Ok(chart) => chart,
        Err(problem) => return Outcome::Failed(format!("cannot load Chart.yaml: {problem}")),
    };
    if chart.as_dict().is_some_and(|dict| dict.get(b"dependencies").is_some()) {
        return Outcome::Skipped("dependencies are the chart engine's");
    }
    if let Err(problem) = validate(&chart) {
        return Outcome::Failed(problem);
    }
    let user = match case["values_yaml"].as_str() {
        Some(text) => match read_yaml_dict(text.as_bytes()) {
            Ok(user) => user,
            Err(problem) => return Outcome::Failed(problem),
        },
        None => value(&case["values"]),
    };
    let defaults = match default_values(all.get("values.yaml").map_or("", String::as_str)) {
        Ok(defaults) => defaults,
        Err(problem) => {
            return Outcome::Failed(format!(
                "cannot load values.yaml: cannot unmarshal yaml document: {problem}"
            ));
        }
    };
    let context = context(case, &chart, coalesce(user, defaults), &all, capabilities);
    run(&text(&chart, "name"), text(&chart, "type") == "library", &all, &context)
}

fn run(name: &str, library: bool, all: &BTreeMap<String, String>, context: &Value) -> Outcome {
    let mut names: Vec<&String> = all.keys().filter(|path| path.starts_with("templates/")).collect();
    names.retain(|path| !library || base(path).starts_with('_'));
    let files: Vec<(String, &[u8])> =
        names.iter().map(|path| (format!("{name}/{path}"), all[*path].as_bytes())).collect();
    let templates = match Templates::compile(files.iter().map(|(path, text)| (&**path, *text))) {
        Ok(templates) => templates,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    let scope = |_: &str| Scope { context: context.clone(), base_path: format!("{name}/templates") };
    match templates.render(scope, Options::new(CLOCK, [7; 32])) {
        Ok(texts) => Outcome::Rendered(
            texts
                .into_iter()
                .map(|(path, text)| (path, String::from_utf8_lossy(&text).into_owned()))
                .collect(),
        ),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn text(map: &Value, key: &str) -> String {
    match map.as_dict().and_then(|dict| dict.get(key.as_bytes())) {
        None | Some(Value::Nil) => String::new(),
        Some(value) => gotemplate::fmt::sprint(&value),
    }
}

fn validate(chart: &Value) -> Result<(), String> {
    let fail = |problem: String| Err(format!("validation: chart.metadata.{problem}"));
    let (name, version, kind) = (text(chart, "name"), text(chart, "version"), text(chart, "type"));
    if name.is_empty() {
        return fail("name is required".to_owned());
    }
    if name.contains('/') {
        return fail(format!("name {name:?} is invalid"));
    }
    if version.is_empty() {
        return fail("version is required".to_owned());
    }
    if semver::Version::parse(&version).is_err() {
        return fail(format!("version {version:?} is invalid"));
    }
    if !matches!(&*kind, "" | "application" | "library") {
        return fail("type must be application or library".to_owned());
    }
    Ok(())
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::Float(number.as_f64().unwrap_or_default()),
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => Value::list(items.iter().map(value).collect()),
        Json::Object(map) => {
            Value::dict(map.iter().map(|(key, item)| (key.as_str().into(), value(item))).collect())
        }
    }
}

fn default_values(text: &str) -> Result<Value, String> {
    let merged = Value::dict(BTreeMap::new());
    let documents = yaml::read_all(text.as_bytes(), yaml::Profile::V2, &yaml::ReadLimits::default());
    let documents = documents
        .map_err(|error| format!("error converting YAML to JSON: {}", sprig::yaml_error_text(&error)))?;
    for document in documents {
        match from_yaml_tree(&document)? {
            Value::Nil => {}
            found @ Value::Dict(_) => overlay(&merged, &found),
            found => {
                let kind = match found {
                    Value::List(_) => "array",
                    Value::Str(_) => "string",
                    Value::Bool(_) => "bool",
                    _ => "number",
                };
                return Err(format!(
                    "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
                ));
            }
        }
    }
    Ok(merged)
}

fn overlay(into: &Value, from: &Value) {
    let (Some(into), Some(from)) = (into.as_dict(), from.as_dict()) else { return };
    for (key, item) in from.entries() {
        match into.get(&key) {
            Some(old) if old.as_dict().is_some() && item.as_dict().is_some() => overlay(&old, &item),
            _ => into.set(key, item),
        }
    }
}

/// The user's values over the chart's: a null deletes a default.
fn coalesce(user: Value, defaults: Value) -> Value {
    let user = match user {
        Value::Dict(_) => user,
        _ => Value::dict(BTreeMap::new()),
    };
    merge(&user, &defaults);
    user
}

fn merge(user: &Value, defaults: &Value) {
    let (Some(into), Some(from)) = (user.as_dict(), defaults.as_dict()) else { return };
    for (key, default) in from.entries() {
        match into.get(&key) {
            None => {
                if !matches!(default, Value::Nil) {
                    strip(&default);
                    into.set(key, default);
                }
            }
            Some(Value::Nil) => _ = into.map.borrow_mut().remove(&key),
            Some(old) => merge(&old, &default),
        }
    }
}

fn strip(value: &Value) {
    let Some(dict) = value.as_dict() else { return };
    dict.map.borrow_mut().retain(|_, item| !matches!(item, Value::Nil));
    for (_, item) in dict.entries() {
        strip(&item);
    }
}

fn dict<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::dict(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

fn context(
    case: &Json,
    chart: &Value,
    vals: Value,
    all: &BTreeMap<String, String>,
    capabilities: &Json,
) -> Value {
    let release = &case["release"];
    let upgrade = release["upgrade"].as_bool().unwrap_or(false);
    let release = dict([
        ("Name", release["name"].as_str().unwrap_or("rel").into()),
        ("Namespace", release["namespace"].as_str().unwrap_or("ns").into()),
        ("Service", "Helm".into()),
        ("Revision", Value::int(release["revision"].as_i64().unwrap_or(1))),
        ("IsInstall", (!upgrade).into()),
        ("IsUpgrade", upgrade.into()),
    ]);
    let vals = vals.as_dict().map(|dict| dict.map.borrow().clone()).unwrap_or_default();
    let own = |path: &str| {
        !path.starts_with("templates/")
            && !matches!(
                path,
                "Chart.yaml" | "values.yaml" | "Chart.lock" | "values.schema.json" | ".helmignore"
            )
    };
    let others = all
        .iter()
        .filter(|(path, _)| own(path))
        .map(|(path, text)| (path.as_str().into(), text.as_str().into()));
    let others: Vec<(Str, Str)> = others.collect();
    dict([
        ("Values", values(vals)),
        ("Release", release),
        ("Chart", metadata(chart)),
        ("Files", files(others)),
        ("Capabilities", capability(capabilities)),
        ("Subcharts", dict([])),
    ])
}

fn capability(json: &Json) -> Value {
    let field = |path: &[&str]| {
        let found = path.iter().try_fold(json, |at, key| at.get(*key));
        found.and_then(Json::as_str).unwrap_or_default().to_owned()
    };
    let versions =
        json["apiVersions"].as_array().into_iter().flatten().filter_map(Json::as_str).map(Str::from);
    Capabilities {
        kube_version: "v1.36.0",
        major: "1",
        minor: "36",
        api_versions: versions.collect(),
        helm_version: "v4.2.4",
        go_version: &field(&["helmVersion", "GoVersion"]),
        client_version: "v1.36",
    }
    .value()
}

fn metadata(chart: &Value) -> Value {
    let raw = |key: &str| chart.as_dict().and_then(|dict| dict.get(key.as_bytes())).unwrap_or_default();
    let list = |key: &str| raw(key).elements().map(|e| e.to_vec()).unwrap_or_default();
    let strings = |key: &str| Value::strings(list(key).iter().map(gotemplate::fmt::sprint));
    let people = list("maintainers").into_iter().map(|person| {
        let fields = vec![
            ("Name", text(&person, "name").into()),
            ("Email", text(&person, "email").into()),
            ("URL", text(&person, "url").into()),
        ];
        structure("*v2.Maintainer", fields)
    });
    let people = people.collect();
    let annotations = raw("annotations").as_dict().map(|dict| dict.map.borrow().clone()).unwrap_or_default();
    let deprecated = matches!(raw("deprecated"), Value::Bool(true));
    let api = text(chart, "apiVersion");
    dict([
        ("Name", text(chart, "name").into()),
        ("Home", text(chart, "home").into()),
        ("Sources", strings("sources")),
        ("Version", text(chart, "version").into()),
        ("Description", text(chart, "description").into()),
        ("Keywords", strings("keywords")),
        ("Maintainers", Value::typed_list(ListType::Named("*v2.Maintainer"), people)),
        ("Icon", text(chart, "icon").into()),
        ("APIVersion", if api.is_empty() { "v1" } else { &*api }.into()),
        ("Condition", text(chart, "condition").into()),
        ("Tags", text(chart, "tags").into()),
        ("AppVersion", text(chart, "appVersion").into()),
        ("Deprecated", deprecated.into()),
        ("Annotations", Value::typed_dict(gotemplate::DictType::Str, annotations)),
        ("KubeVersion", text(chart, "kubeVersion").into()),
        ("Dependencies", Value::typed_list(ListType::Named("*v2.Dependency"), Vec::new())),
        ("Type", text(chart, "type").into()),
        ("IsRoot", true.into()),
    ])
}

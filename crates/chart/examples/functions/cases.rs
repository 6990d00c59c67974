//! Cases of small templates, as `../shared/conformance/helm/README.md` describes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chart::{
    Action, ArchiveLimits, Capabilities, Chart, File, ReleaseOptions, Request, SchemaCheck, Table, floats,
    to_json,
};
use serde_json::{Value as Json, json};

/// The day that the cases were recorded, in nanoseconds since 1970.
const CLOCK: i128 = 1_795_255_200_000_000_000;
const CHART: &str = "apiVersion: v2\nname: t\nversion: 0.1.0\nappVersion: \"1.2.3\"\n";
/// The file whose text is a case's `output`.
const FILE: &str = "t/templates/t.yaml";

/// What became of a case: a text for each file, or the error.
pub type Outcome = Result<BTreeMap<String, String>, String>;

/// The files of cases in a folder.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let listed = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    Ok(files)
}

/// The cases of a file.
pub fn read(path: &Path) -> Result<Vec<Json>, String> {
    let problem = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| problem(&error))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).map_err(|error| problem(&error))).collect()
}

/// Renders a case.
pub fn run(case: &Json) -> Outcome {
    let text = |field: &str| case[field].as_str().unwrap_or_default();
    let given = case["files"].as_object().into_iter().flatten();
    let mut files: BTreeMap<&str, &str> =
        given.map(|(path, text)| (path.as_str(), text.as_str().unwrap_or_default())).collect();
    files.entry("Chart.yaml").or_insert(CHART);
    files.insert("templates/t.yaml", text("template"));
    let files = files.into_iter().map(|(path, text)| File::new(path, text.as_bytes())).collect();
    let work = || -> Outcome {
        let mut chart = Chart::from_files(files, &ArchiveLimits::default()).map_err(|e| e.to_string())?;
        let user = match case["values_yaml"].as_str() {
            // Of the first document alone, unlike a chart's default values.
            Some(text) => to_json(&sprig::read_yaml_dict(text.as_bytes())?),
            None => floats(case["values"].clone()),
        };
        let user = match user {
            Json::Object(user) => user,
            _ => Table::new(),
        };
        let mut warnings = Vec::new();
        chart.process_dependencies(&user, &mut warnings).map_err(|error| error.to_string())?;
        let options = sprig::Options::new(CLOCK, [7; 32]);
        let files = chart.render(&user, &request(&case["release"]), options, &mut warnings);
        let files = files.map_err(|error| error.to_string())?;
        Ok(files
            .into_iter()
            .map(|(path, text)| (path, String::from_utf8_lossy(&text).into_owned()))
            .collect())
    };
    sprig::with_stack(work)
}

fn request(release: &Json) -> Request {
    let text = |field: &str, otherwise: &str| release[field].as_str().unwrap_or(otherwise).to_owned();
    let upgrade = release["upgrade"].as_bool().unwrap_or(false);
    Request {
        release: ReleaseOptions {
            name: text("name", "rel"),
            namespace: text("namespace", "ns"),
            revision: release["revision"].as_i64().unwrap_or(1),
            action: if upgrade { Action::Upgrade } else { Action::Install },
        },
        capabilities: Capabilities::default(),
        schemas: SchemaCheck::Validate,
    }
}

/// Whether a case is equal at levels 1 to 3: outputs, and errors where errors are expected; texts of `fail` and
/// `required`, too; all error texts.
pub fn judge(case: &Json, outcome: &Outcome) -> [bool; 3] {
    let expect = &case["expect"];
    match (outcome, expect["error"].as_str()) {
        (Ok(files), None) => {
            let same = match (&expect["output"], &expect["outputs"]) {
                (Json::String(text), _) => files.len() == 1 && files.values().next() == Some(text),
                (_, Json::Object(wanted)) => {
                    let same =
                        |(path, text): (&String, &Json)| files.get(path).map(String::as_str) == text.as_str();
                    files.len() == wanted.len() && wanted.iter().all(same)
                }
                _ => files.is_empty(),
            };
            [same; 3]
        }
        (Err(text), Some(wanted)) => {
            let same = wanted == text;
            [true, same || expect["kind"] != "fail", same]
        }
        _ => [false; 3],
    }
}

/// The line of a results file.
pub fn record(case: &Json, outcome: &Outcome) -> Json {
    let name = &case["name"];
    match outcome {
        Ok(files) => match files.iter().next() {
            Some((path, text)) if files.len() == 1 && path == FILE => json!({"name": name, "output": text}),
            _ => json!({"name": name, "outputs": files}),
        },
        Err(text) => json!({"name": name, "error": text}),
    }
}

//! Cases of whole charts: what `helm template` printed for them.
#![allow(clippy::indexing_slicing, reason = "serde_json indexes absent keys as null; sizes are fixed")]

use std::path::{Path, PathBuf};

use chart::{
    Action, ArchiveLimits, Capabilities, Chart, KubeVersion, Notes, Part, ReleaseOptions, Request,
    SchemaCheck, Separators, Table, assemble, listing, read_values,
};
use serde_json::Value as Json;

/// A case that could be read.
pub struct Case {
    /// `podinfo/own-full`
    pub name: String,
    /// The chart's folder.
    pub folder: PathBuf,
    /// The archive in it.
    pub archive: String,
    /// What `cases.json` says.
    pub fields: Json,
}

/// How a case went.
pub enum Verdict {
    Equal,
    /// The first difference.
    Different(String),
}

/// The cases of each chart in a folder.
pub fn read(folder: &Path) -> Result<Vec<Case>, String> {
    let problem = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(|error| problem(folder, &error))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("cases.json").is_file())
        .collect();
    folders.sort();
    let mut cases = Vec::new();
    for folder in folders {
        let path = folder.join("cases.json");
        let text = std::fs::read(&path).map_err(|error| problem(&path, &error))?;
        let listed: Json = serde_json::from_slice(&text).map_err(|error| problem(&path, &error))?;
        let chart = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for fields in listed["cases"].as_array().into_iter().flatten() {
            cases.push(Case {
                name: format!("{chart}/{}", fields["variant"].as_str().unwrap_or("?")),
                folder: folder.clone(),
                archive: listed["chart"].as_str().unwrap_or_default().to_owned(),
                fields: fields.clone(),
            });
        }
    }
    Ok(cases)
}

/// How the cases are rendered, but for what a case says itself.
pub fn request() -> Request {
    Request {
        release: ReleaseOptions {
            name: "rel".to_owned(),
            namespace: "ns".to_owned(),
            revision: 1,
            action: Action::Install,
        },
        capabilities: Capabilities::default(),
        schemas: SchemaCheck::Validate,
    }
}

impl Case {
    fn text(&self, field: &str) -> &str {
        self.fields[field].as_str().unwrap_or_default()
    }

    fn file(&self, name: &str) -> Result<Vec<u8>, String> {
        let path = self.folder.join(name);
        std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// The user's values.
    pub fn user(&self) -> Result<Table, String> {
        match self.text("values") {
            "" => Ok(Table::new()),
            path => read_values(&self.file(path)?).map_err(|error| error.to_string()),
        }
    }

    /// Renders the chart and compares.
    pub fn run(&self) -> Result<Verdict, String> {
        let archive = self.file(&self.archive)?;
        let user = self.user()?;
        let found = sprig::with_stack(|| self.template(&archive, &user));
        let wanted = match self.fields["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => {
                let text = self.file(self.text("expect"))?;
                Ok(String::from_utf8(text).map_err(|error| error.to_string())?)
            }
        };
        let found = found.map(|text| self.masked(&text));
        Ok(match (&found, &wanted) {
            (found, wanted) if found == wanted => Verdict::Equal,
            (Ok(found), Ok(wanted)) => Verdict::Different(first_difference(found, wanted)),
            (found, wanted) => {
                Verdict::Different(format!("wanted {}\n  found  {}", shortened(wanted), shortened(found)))
            }
        })
    }

    /// What the command prints, or what it says on failure.
    fn template(&self, archive: &[u8], user: &Table) -> Result<String, String> {
        let error = |text: String| format!("Error: {text}\n");
        let rendering =
            |text: String| error(format!("{text}\n\nUse --debug flag to render out invalid YAML"));
        let mut capabilities = Capabilities::default();
        if let Some(version) = self.fields["kube_version"].as_str() {
            capabilities.kube_version = KubeVersion::parse(version).map_err(error)?;
        }
        for version in self.fields["api_versions"].as_array().into_iter().flatten().filter_map(Json::as_str) {
            capabilities.api_versions.push(version.to_owned());
        }
        let mut request = Request { capabilities, ..request() };
        request.release.name = self.text("release").to_owned();
        request.release.namespace = self.text("namespace").to_owned();
        if self.fields["is_upgrade"] == true {
            request.release.action = Action::Upgrade;
        }
        let mut chart =
            Chart::from_archive(archive, &ArchiveLimits::default()).map_err(|e| error(e.to_string()))?;
        let mut warnings = Vec::new();
        chart
            .process_dependencies(user, &mut warnings)
            .map_err(|e| error(format!("chart dependencies processing failed: {e}")))?;
        let options = sprig::Options::new(1_795_255_200_000_000_000, [7; 32]);
        let files = chart.render(user, &request, options, &mut warnings).map_err(|e| match e {
            chart::Error::Values(_) | chart::Error::Schema(_) => error(e.to_string()),
            e => rendering(e.to_string()),
        })?;
        let rendered = assemble(files, chart.name(), Notes::OwnOnly, Separators::Strict)
            .map_err(|e| rendering(e.to_string()))?;
        let crds = self.fields["include_crds"].as_bool().unwrap_or(false);
        let parts =
            if crds { vec![Part::Crds, Part::Hooks, Part::Tests] } else { vec![Part::Hooks, Part::Tests] };
        Ok(listing(&chart, &rendered, &parts))
    }

    /// Lines that hold random texts read as in the expectation.
    fn masked(&self, text: &str) -> String {
        let lines = self.fields["nondeterministic_lines"].as_array();
        let masked: Vec<u64> = lines.into_iter().flatten().filter_map(Json::as_u64).collect();
        if masked.is_empty() {
            return text.to_owned();
        }
        let lines = text.split('\n').zip(1u64..);
        let lines: Vec<&str> = lines
            .map(|(line, number)| if masked.contains(&number) { "<nondeterministic>" } else { line })
            .collect();
        lines.join("\n")
    }
}

fn shortened(outcome: &Result<String, String>) -> String {
    let text = format!("{outcome:?}");
    text.chars().take(1000).collect()
}

fn first_difference(found: &str, wanted: &str) -> String {
    let (mut found, mut wanted) = (found.split('\n'), wanted.split('\n'));
    for number in 1.. {
        match (found.next(), wanted.next()) {
            (None, None) => break,
            (found, wanted) if found != wanted => {
                return format!("line {number}: wanted {wanted:?}\n  found  {found:?}");
            }
            _ => {}
        }
    }
    "no difference by line".to_owned()
}

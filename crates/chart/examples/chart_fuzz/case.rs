//! A chart with the values it is rendered with.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chart::{
    Action, ArchiveLimits, Capabilities, Chart, KubeVersion, Notes, Part, ReleaseOptions, Request,
    SchemaCheck, Separators, Set, Table, assemble, check_release_name, listing, overlay, read_values, set,
};

/// A case.
#[derive(Debug, Clone, Default)]
pub struct Case {
    /// The files of the chart.
    pub files: BTreeMap<String, String>,
    /// The user's files of values.
    pub values: Vec<String>,
    /// `--set`, `--set-string` or `--set-json`, with its text.
    pub sets: Vec<(&'static str, String)>,
}

impl Case {
    /// Writes the files and gives the arguments for `helm`.
    pub fn write(&self, folder: &Path) -> io::Result<Vec<String>> {
        let chart = folder.join("chart");
        let _ = fs::remove_dir_all(&chart);
        fs::create_dir_all(&chart)?;
        for (path, content) in &self.files {
            let path = chart.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, content)?;
        }
        let mut arguments =
            ["template", "rel", &chart.to_string_lossy(), "-n", "ns", "--kube-version", "1.36"]
                .map(str::to_owned)
                .to_vec();
        arguments.push("--include-crds".to_owned());
        for (i, content) in self.values.iter().enumerate() {
            let path = value_path(folder, i);
            fs::write(&path, content)?;
            arguments.extend(["-f".to_owned(), path.display().to_string()]);
        }
        for (flag, text) in &self.sets {
            arguments.extend([(*flag).to_owned(), text.clone()]);
        }
        Ok(arguments)
    }

    /// What `helm template` would print, by the library.
    pub fn render(&self, folder: &Path) -> Result<String, String> {
        let text = |error: chart::Error| error.to_string();
        let mut user = Table::new();
        for (i, values) in self.values.iter().enumerate() {
            let path = value_path(folder, i);
            let found = read_values(values.as_bytes())
                .map_err(|error| format!("failed to parse {}: {error}", path.display()))?;
            user = overlay(user, found);
        }
        for flag in ["--set-json", "--set", "--set-string"] {
            for (_, given) in self.sets.iter().filter(|(own, _)| *own == flag) {
                match flag {
                    "--set-json" => set(&mut user, given, Set::Json)
                        .map_err(|_| format!("failed parsing --set-json data {given}"))?,
                    "--set" => set(&mut user, given, Set::Typed)
                        .map_err(|error| format!("failed parsing --set data: {error}"))?,
                    _ => set(&mut user, given, Set::Text)
                        .map_err(|error| format!("failed parsing --set-string data: {error}"))?,
                }
            }
        }
        if !self.files.contains_key("Chart.yaml") {
            let path = folder.join("chart/Chart.yaml").display().to_string();
            return Err(format!("unable to detect chart at {path}: open {path}: no such file or directory"));
        }
        let files: Vec<(&str, &str)> = self.files.iter().map(|(path, text)| (&**path, &**text)).collect();
        let mut chart = Chart::from_folder(&files.as_slice(), &ArchiveLimits::default()).map_err(text)?;
        if !matches!(&*chart.metadata.kind, "" | "application") {
            return Err(format!("{} charts are not installable", chart.metadata.kind));
        }
        let missing = chart.missing_dependencies().join(", ");
        if !missing.is_empty() {
            return Err(format!(
                "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to \
                 fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: {missing}"
            ));
        }
        check_release_name("rel").map_err(text)?;
        let mut warnings = Vec::new();
        chart
            .process_dependencies(&user, &mut warnings)
            .map_err(|error| format!("chart dependencies processing failed: {error}"))?;
        let request = Request {
            release: ReleaseOptions {
                name: "rel".to_owned(),
                namespace: "ns".to_owned(),
                revision: 1,
                action: Action::Install,
            },
            capabilities: Capabilities {
                kube_version: KubeVersion::parse("1.36")?,
                ..Capabilities::default()
            },
            schemas: SchemaCheck::Validate,
        };
        let late = |error: chart::Error| match error {
            chart::Error::Values(_) | chart::Error::Schema(_) => error.to_string(),
            error => format!("{error}\n\nUse --debug flag to render out invalid YAML"),
        };
        let options = sprig::Options::new(0, [1; 32]);
        let files = chart.render(&user, &request, options, &mut warnings).map_err(late)?;
        let rendering = assemble(files, chart.name(), Notes::OwnOnly, Separators::Strict).map_err(late)?;
        Ok(listing(&chart, &rendering, &[Part::Crds, Part::Hooks, Part::Tests]))
    }
}

fn value_path(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("values-{number}.yaml"))
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, content) in &self.files {
            writeln!(f, "{path}: {content:?}")?;
        }
        for content in &self.values {
            writeln!(f, "-f {content:?}")?;
        }
        for (flag, text) in &self.sets {
            writeln!(f, "{flag} {text:?}")?;
        }
        Ok(())
    }
}

//! `helm-controller template`: a chart's objects on standard output, as `helm template` prints them.

mod apart;
mod flags;
mod name;
mod output;
mod problem;

use std::net::ToSocketAddrs;
use std::path::Path;

use chart::{
    Action, Capabilities, Chart, Files, KubeVersion, Notes, ReleaseOptions, Rendering, Request, SchemaCheck,
    Separators, Table, assemble, check_release_name,
};
use rand::RngExt;

use super::disk;
pub use flags::Arguments;
pub use problem::Problem;

/// What rendering came to: objects, or the files as they are when one of them is no YAML, and the problem.
struct Outcome {
    rendering: Rendering,
    /// With --debug: the text of the files that could not be cut into objects.
    raw: String,
    problem: Option<Problem>,
}

/// Prints the chart's objects.
pub fn run(arguments: &Arguments) -> Result<(), Problem> {
    arguments.refuse()?;
    let request = arguments.request()?;
    let (name, path) = name::name_and_chart(arguments)?;
    let path = disk::locate(path)?;
    let _apart = apart::keep_apart(&path);
    let user = arguments.values.table()?;
    let chart = installable(disk::load(&path)?, arguments)?;
    if chart.metadata.deprecated {
        eprintln!("warning: this chart is deprecated");
    }
    check_release_name(&name).map_err(|source| Problem::Name { name: name.clone(), source })?;
    let request = Request { release: ReleaseOptions { name, ..request.release }, ..request };
    sprig::with_stack(|| arguments.render(chart, &user, &request))
}

fn installable(chart: Chart, arguments: &Arguments) -> Result<Chart, Problem> {
    if !matches!(&*chart.metadata.kind, "" | "application") {
        return Err(Problem::NotInstallable(chart.metadata.kind));
    }
    let missing = chart.missing_dependencies().join(", ");
    match (missing.is_empty(), arguments.dependency_update()) {
        (true, _) => Ok(chart),
        (false, false) => Err(Problem::Missing(missing)),
        (false, true) => Err(Problem::NoUpdate(missing)),
    }
}

impl Arguments {
    fn request(&self) -> Result<Request, Problem> {
        let mut capabilities = Capabilities::default();
        if let Some(text) = &self.kube_version {
            capabilities.kube_version = KubeVersion::parse(text)
                .map_err(|problem| Problem::KubeVersion { text: text.clone(), problem })?;
        }
        capabilities.api_versions.extend(self.api_versions.iter().cloned());
        Ok(Request {
            release: ReleaseOptions {
                name: String::new(),
                namespace: self.namespace.clone(),
                revision: 1,
                action: if self.is_upgrade { Action::Upgrade } else { Action::Install },
            },
            capabilities,
            schemas: if self.skip_schema_validation { SchemaCheck::Skip } else { SchemaCheck::Validate },
        })
    }

    fn render(&self, mut chart: Chart, user: &Table, request: &Request) -> Result<(), Problem> {
        let mut warnings = Vec::new();
        let outcome = self.render_with(&mut chart, user, request, &mut warnings);
        for warning in &warnings {
            eprintln!("{warning}");
        }
        output::write(self, &chart, &request.release.name, outcome?)?;
        // The system takes back all memory at once; to free it part by part takes longer than to write the objects.
        std::process::exit(0)
    }

    fn render_with(
        &self,
        chart: &mut Chart,
        user: &Table,
        request: &Request,
        warnings: &mut Vec<String>,
    ) -> Result<Outcome, Problem> {
        chart.process_dependencies(user, warnings).map_err(Problem::Dependencies)?;
        let now = jiff::Timestamp::now().as_nanosecond();
        let mut options = sprig::Options::new(now, rand::rng().random());
        if self.enable_dns {
            options.resolve = Some(Box::new(resolve));
        }
        let failed = |raw: String, error: chart::Error| {
            if self.debug {
                let problem = Some(Problem::Chart(error));
                Ok(Outcome { rendering: Rendering::default(), raw, problem })
            } else {
                Err(Problem::Render(error))
            }
        };
        self.check_labels()?;
        let files = match chart.render(user, request, options, warnings) {
            Ok(files) => files,
            Err(error @ (chart::Error::Values(_) | chart::Error::Schema(_))) => return Err(error.into()),
            Err(error) => return failed(String::new(), error),
        };
        let separators = if self.loose_separators { Separators::Loose } else { Separators::Strict };
        let raw = if self.debug { raw(&files) } else { String::new() };
        match assemble(files, chart.name(), Notes::OwnOnly, separators) {
            Ok(rendering) => Ok(Outcome { rendering, raw: String::new(), problem: None }),
            Err(error) => failed(raw, error),
        }
    }
}

/// The files as they were rendered, for whoever looks for a mistake in them.
fn raw(files: &Files) -> String {
    let shown = files.iter().filter(|(path, text)| {
        !path.ends_with("NOTES.txt") && !String::from_utf8_lossy(text).trim().is_empty()
    });
    shown.map(|(path, text)| chart::source(path, &String::from_utf8_lossy(text))).collect()
}

/// An address of a host, as `getHostByName` gives it.
fn resolve(host: &str) -> Result<String, String> {
    let mut found = (host, 0).to_socket_addrs().map_err(|error| format!("lookup {host}: {error}"))?;
    found.next().map(|address| address.ip().to_string()).ok_or_else(|| format!("lookup {host}: no such host"))
}

/// The words of the system for an error, without Rust's number.
pub fn words(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => "no such file or directory".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::IsADirectory => "is a directory".to_owned(),
        ErrorKind::NotADirectory => "not a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// Whether a path is one that Helm only looks for on the disk.
pub fn explicit(path: &Path) -> bool {
    path.is_absolute() || path.to_string_lossy().starts_with('.')
}

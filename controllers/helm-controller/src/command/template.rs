//! `helm-controller template`: a chart's objects on standard output, as `helm template` prints them.

use std::io::Write;
use std::path::{Path, PathBuf};

use chart::{
    Action, Capabilities, Chart, KubeVersion, Notes, Part, ReleaseOptions, Rendering, Request, SchemaCheck,
    Separators, Table, assemble, check_release_name, listing, show_only,
};
use clap::Args;
use rand::RngExt;

use super::disk;
use super::values::ValueFlags;

/// Renders a chart on this machine: nothing is asked of a cluster or a repository. The objects go to standard output in
/// the order in which Helm would install them, hooks last; remarks and errors go to standard error.
#[derive(Args, Debug)]
pub struct Arguments {
    /// [NAME] CHART: name of the release (default: release-name), and a folder or an archive
    #[arg(required = true, num_args = 1..=2, value_names = ["NAME", "CHART"])]
    names: Vec<String>,
    /// Namespace of the release
    #[arg(short, long, default_value = "default")]
    namespace: String,
    #[command(flatten)]
    values: ValueFlags,
    /// Kubernetes version that templates see
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,
    /// Further API versions that templates see; separated by commas or repeated
    #[arg(short, long, value_name = "VERSION", value_delimiter = ',')]
    api_versions: Vec<String>,
    /// Print the custom resource definitions in crds/, too
    #[arg(long)]
    include_crds: bool,
    /// Print only what these templates make: paths within the chart, or patterns
    #[arg(short, long, value_name = "PATH")]
    show_only: Vec<String>,
    /// Set .Release.IsUpgrade instead of .Release.IsInstall
    #[arg(long)]
    is_upgrade: bool,
    /// Print no hooks
    #[arg(long)]
    no_hooks: bool,
    /// Print no test hooks
    #[arg(long)]
    skip_tests: bool,
    /// Do not check the values against the schemas
    #[arg(long)]
    skip_schema_validation: bool,
    /// Make a name from the chart's
    #[arg(short, long)]
    generate_name: bool,
    /// Cut files into documents as Helm 4.2.1 does, which the controller's manifests keep; default: as Helm 4.2.4
    #[arg(long)]
    loose_separators: bool,
    /// Accepted as Helm accepts it: definitions are never installed here
    #[arg(long)]
    skip_crds: bool,
    /// Refused: dependencies must be in charts/
    #[arg(long, hide = true)]
    dependency_update: bool,
    /// Refused: charts are read from this machine
    #[arg(long, hide = true, value_name = "URL")]
    repo: Option<String>,
    /// Refused: the chart's version is the one that is there
    #[arg(long, hide = true, value_name = "RANGE")]
    version: Option<String>,
}

/// Why nothing was printed.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("path {:?} not found; a chart is a folder or an archive on this machine, repositories are not asked", path.display().to_string())]
    NoChart { path: PathBuf },
    #[error("file '{}' seems to be a YAML file, but expected a gzipped archive", path.display())]
    YamlFile { path: PathBuf },
    #[error("file '{}' does not appear to be a gzipped archive", path.display())]
    NoArchive { path: PathBuf },
    #[error("{url}: values are read from files of this machine only; download it and give its path to -f")]
    RemoteValues { url: String },
    #[error("{0}")]
    Values(String),
    #[error("{flag} is not supported: {why}")]
    Refused { flag: &'static str, why: &'static str },
    #[error("cannot set --generate-name and also specify a name")]
    TwoNames,
    #[error("release name check failed: release name {name:?}: {source}")]
    Name { name: String, source: chart::Error },
    #[error("invalid kube version '{text}': {problem}")]
    KubeVersion { text: String, problem: String },
    #[error("{0} charts are not installable")]
    NotInstallable(String),
    #[error(
        "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: {0}"
    )]
    Missing(String),
    #[error("chart dependencies processing failed: {0}")]
    Dependencies(chart::Error),
    #[error(transparent)]
    Chart(#[from] chart::Error),
    #[error("{0}\n\nUse --debug flag to render out invalid YAML")]
    Render(chart::Error),
    #[error("{0}")]
    ShowOnly(String),
    #[error("cannot render: {0}")]
    Thread(sprig::Error),
    #[error("cannot write to standard output: {0}")]
    Write(std::io::Error),
}

/// Prints the chart's objects.
pub fn run(arguments: &Arguments) -> Result<(), Problem> {
    arguments.refuse()?;
    let (name, path) = arguments.name_and_chart()?;
    let user = arguments.values.table()?;
    let chart = installable(disk::load(path)?)?;
    check_release_name(&name).map_err(|source| Problem::Name { name: name.clone(), source })?;
    let request = arguments.request(name)?;
    let text = sprig::with_stack(|| arguments.render(chart, &user, &request)).map_err(Problem::Thread)??;
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever reads may have enough, as `head` has.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(Problem::Write),
    }
}

fn installable(chart: Chart) -> Result<Chart, Problem> {
    if !matches!(&*chart.metadata.kind, "" | "application") {
        return Err(Problem::NotInstallable(chart.metadata.kind));
    }
    let missing = chart.missing_dependencies().join(", ");
    if missing.is_empty() { Ok(chart) } else { Err(Problem::Missing(missing)) }
}

impl Arguments {
    fn refuse(&self) -> Result<(), Problem> {
        let refused = [
            (
                self.dependency_update,
                "--dependency-update",
                "put the dependencies into charts/ with `helm dependency build`",
            ),
            (
                self.repo.is_some(),
                "--repo",
                "charts are read from this machine; download it with `helm pull`",
            ),
            (self.version.is_some(), "--version", "the version is that of the chart on this machine"),
        ];
        match refused.into_iter().find(|(given, ..)| *given) {
            Some((_, flag, why)) => Err(Problem::Refused { flag, why }),
            None => Ok(()),
        }
    }

    fn name_and_chart(&self) -> Result<(String, &Path), Problem> {
        match self.names.as_slice() {
            [name, _] if self.generate_name => {
                let _ = name;
                Err(Problem::TwoNames)
            }
            [name, chart] => Ok((name.clone(), Path::new(chart))),
            // Helm has a name at hand even with --generate-name.
            names => {
                let chart = names.first().map(String::as_str).unwrap_or_default();
                Ok(("release-name".to_owned(), Path::new(chart)))
            }
        }
    }

    fn request(&self, name: String) -> Result<Request, Problem> {
        let mut capabilities = Capabilities::default();
        if let Some(text) = &self.kube_version {
            capabilities.kube_version = KubeVersion::parse(text)
                .map_err(|problem| Problem::KubeVersion { text: text.clone(), problem })?;
        }
        capabilities.api_versions.extend(self.api_versions.iter().cloned());
        Ok(Request {
            release: ReleaseOptions {
                name,
                namespace: self.namespace.clone(),
                revision: 1,
                action: if self.is_upgrade { Action::Upgrade } else { Action::Install },
            },
            capabilities,
            schemas: if self.skip_schema_validation { SchemaCheck::Skip } else { SchemaCheck::Validate },
        })
    }

    fn render(&self, mut chart: Chart, user: &Table, request: &Request) -> Result<String, Problem> {
        let mut warnings = Vec::new();
        let outcome = self.render_with(&mut chart, user, request, &mut warnings);
        for warning in &warnings {
            eprintln!("{warning}");
        }
        let rendering = outcome?;
        let mut parts = Vec::new();
        parts.extend(self.include_crds.then_some(Part::Crds));
        parts.extend((!self.no_hooks).then_some(Part::Hooks));
        parts.extend((!self.no_hooks && !self.skip_tests).then_some(Part::Tests));
        let text = listing(&chart, &rendering, &parts);
        if self.show_only.is_empty() {
            Ok(text)
        } else {
            show_only(&text, &self.show_only).map_err(Problem::ShowOnly)
        }
    }

    fn render_with(
        &self,
        chart: &mut Chart,
        user: &Table,
        request: &Request,
        warnings: &mut Vec<String>,
    ) -> Result<Rendering, Problem> {
        chart.process_dependencies(user, warnings).map_err(Problem::Dependencies)?;
        let now = jiff::Timestamp::now().as_nanosecond();
        let options = sprig::Options::new(now, rand::rng().random());
        let files = chart.render(user, request, options, warnings).map_err(|error| match error {
            chart::Error::Values(_) | chart::Error::Schema(_) => Problem::Chart(error),
            error => Problem::Render(error),
        })?;
        let separators = if self.loose_separators { Separators::Loose } else { Separators::Strict };
        assemble(files, chart.name(), Notes::OwnOnly, separators).map_err(Problem::Render)
    }
}

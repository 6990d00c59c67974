//! Why there is no output, or not all of it.

use std::path::PathBuf;

use super::{explicit, words};

/// Why the command fails. Where Helm has the same problem the text is Helm's.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("{verb} {}: {}", path.display(), words(source))]
    Disk { verb: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{}", no_chart(path))]
    NoChart { path: PathBuf },
    #[error("unable to detect chart at {}: open {}: {}", path.display(), path.display(), words(source))]
    NoMetadata { path: PathBuf, source: std::io::Error },
    #[error("file '{}' seems to be a YAML file, but expected a gzipped archive", path.display())]
    YamlFile { path: PathBuf },
    #[error("file '{}' does not appear to be a gzipped archive; got '{kind}'", path.display())]
    NoArchive { path: PathBuf, kind: &'static str },
    #[error("unable to load chart archive: {problem}")]
    Archive { problem: String },
    #[error(
        "{url}: values are read from files of this machine only; download it and give its path, or `-` for standard input"
    )]
    RemoteValues { url: String },
    #[error("{0}")]
    Values(String),
    #[error("{flag} is not supported: {why}")]
    Refused { flag: &'static str, why: &'static str },
    #[error("invalid dry-run value ({0:?}). Must be \"client\"; there is no cluster to ask here")]
    DryRun(String),
    #[error("cannot set {0} and also specify a name")]
    TwoNames(&'static str),
    #[error("{0}")]
    NameTemplate(String),
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
    #[error(
        "--dependency-update is not supported: nothing is downloaded. Fetch the dependencies with `helm dependency build`, then render; missing in charts/: {0}"
    )]
    NoUpdate(String),
    #[error("chart dependencies processing failed: {0}")]
    Dependencies(chart::Error),
    #[error(transparent)]
    Chart(#[from] chart::Error),
    #[error("{0}\n\nUse --debug flag to render out invalid YAML")]
    Render(chart::Error),
    #[error("{0}")]
    ShowOnly(String),
    #[error("cannot write to standard output: {0}")]
    Write(std::io::Error),
}

fn no_chart(path: &std::path::Path) -> String {
    let shown = path.display().to_string();
    if explicit(path) {
        format!("path {shown:?} not found")
    } else {
        format!(
            "path {shown:?} not found; a chart is a folder or an archive on this machine, repositories and registries \
             are not asked: get it with `helm pull {shown}`"
        )
    }
}

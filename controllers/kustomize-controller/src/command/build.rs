//! `kustomize-controller build DIR`: prints what `kustomize build DIR` prints. With `--kustomization-file` it does to the
//! build what the controller does for that Kustomization.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use api::kustomize::Kustomization;
use clap::{Args, ValueEnum};
use kustomize::{
    ChartInflation, DiskFileSystem, Fetch, FileSystem, Inflate, LoadRestrictions, MemoryFileSystem, Options,
    Outside, OverlayFileSystem, Remote, Reorder,
};
use runtime::options::go_bool;

use super::charts;
use crate::kustomization::generated;
use crate::remotes::Remotes;

/// The version that `--enable-managedby-label` puts into the label.
const KUSTOMIZE_VERSION: &str = "v5.8.1";

/// Arguments of `build`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// The directory to build.
    #[arg(default_value = ".", value_name = "DIR")]
    pub directory: PathBuf,
    /// Where files may be loaded from.
    #[arg(long, value_enum, default_value_t = LoadRestrictor::RootOnly, value_name = "RULE")]
    pub load_restrictor: LoadRestrictor,
    /// Final order of the objects.
    #[arg(long, value_enum, default_value_t = Order::Unspecified, value_name = "ORDER")]
    pub reorder: Order,
    /// Write to this file, or to one file an object in this directory.
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// Add the label app.kubernetes.io/managed-by.
    #[arg(long, value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub enable_managedby_label: bool,
    /// Render the charts of `helmCharts`, which must lie in the source.
    #[arg(long, value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub enable_helm: bool,
    /// API versions that charts see, unless the kustomization lists some.
    #[arg(long, value_name = "VERSION")]
    pub helm_api_versions: Vec<String>,
    /// Version of Kubernetes that charts see, unless the kustomization gives one.
    #[arg(long, value_name = "VERSION")]
    pub helm_kube_version: Option<String>,
    /// A file with a Flux Kustomization whose spec is merged into the build.
    #[arg(long, value_name = "FILE")]
    pub kustomization_file: Option<PathBuf>,
    /// Flags of `kustomize build` that are known, and what becomes of them.
    #[command(flatten)]
    pub foreign: Foreign,
}

/// Flags of `kustomize build` for functions and plugins, which run other programs. None is ever run here, so those
/// that only matter to such programs change nothing, and those that ask for one are refused.
#[derive(Debug, Clone, Args)]
pub struct Foreign {
    /// Refused: no program is run.
    #[arg(long, value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, hide = true)]
    enable_exec: bool,
    /// Refused: no program is run.
    #[arg(long, value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, hide = true)]
    enable_alpha_plugins: bool,
    /// Refused: no function is run that could use a network.
    #[arg(long, value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, hide = true)]
    network: bool,
    /// Refused: no function is run that could see a mount.
    #[arg(long, value_name = "MOUNT", hide = true)]
    mount: Vec<String>,
    /// Refused: no function is run that could see it.
    #[arg(short, long, value_name = "NAME=VALUE", hide = true)]
    env: Vec<String>,
    /// Changes nothing: no container is run.
    #[arg(long, value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, hide = true)]
    as_current_user: bool,
    /// Changes nothing: no container is run.
    #[arg(long, value_name = "NAME", hide = true)]
    network_name: Option<String>,
    /// Changes nothing: errors have no stack traces.
    #[arg(long, value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, hide = true)]
    stack_trace: bool,
    /// Changes nothing: charts are rendered without a program.
    #[arg(long, value_name = "COMMAND", hide = true)]
    helm_command: Option<String>,
    /// Changes nothing: errors say what there is to say.
    #[arg(long, value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, hide = true)]
    helm_debug: bool,
}

impl Foreign {
    /// Why the flags cannot be followed.
    fn refusal(&self) -> Option<&'static str> {
        [
            (self.enable_exec, "--enable-exec: exec functions are not run; commit what they make"),
            (
                self.enable_alpha_plugins,
                "--enable-alpha-plugins: plugins are not run; built-in ones need no flag",
            ),
            (self.network, "--network: functions in containers are not run; commit what they make"),
            (!self.mount.is_empty(), "--mount: functions in containers are not run; commit what they make"),
            (!self.env.is_empty(), "--env: functions are not run; commit what they make"),
        ]
        .into_iter()
        .find_map(|(given, why)| given.then_some(why))
    }
}

/// Where files may be loaded from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LoadRestrictor {
    /// From below the kustomization that names them.
    #[value(name = "LoadRestrictionsRootOnly", alias = "rootOnly")]
    RootOnly,
    /// From anywhere.
    #[value(name = "LoadRestrictionsNone", alias = "none")]
    None,
}

/// Final order of the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// Sorted by kind.
    Legacy,
    /// As they were met.
    None,
    /// What the kustomization says, else sorted by kind.
    Unspecified,
}

/// Runs the command. What lies on the network is fetched unless `no_remote_bases`.
///
/// # Errors
/// The text for the user.
pub fn run(arguments: &Arguments, no_remote_bases: bool) -> Result<ExitCode, String> {
    if let Some(why) = arguments.foreign.refusal() {
        return Err(why.to_owned());
    }
    let shown = arguments.directory.display();
    if arguments.directory.to_string_lossy().contains("://") {
        return Err(format!(
            "{shown}: remote directories are not supported; fetch it and build the local copy"
        ));
    }
    let directory =
        std::fs::canonicalize(&arguments.directory).map_err(|error| format!("{shown}: {error}"))?;
    if !directory.is_dir() {
        return Err(format!("{shown} is not a directory; give the directory of a kustomization.yaml"));
    }
    let mut options = Options {
        reorder: match arguments.reorder {
            Order::Legacy => Reorder::Legacy,
            Order::None => Reorder::None,
            Order::Unspecified => Reorder::Unspecified,
        },
        load_restrictions: match arguments.load_restrictor {
            LoadRestrictor::RootOnly => LoadRestrictions::RootOnly,
            LoadRestrictor::None => LoadRestrictions::None,
        },
        ..Options::command_line()
    };
    if arguments.enable_managedby_label {
        options.managed_by = Some(KUSTOMIZE_VERSION.to_owned());
    }
    // A base may lie anywhere above the directory, as for kustomize itself.
    let files = DiskFileSystem::open("/").map_err(|error| error.to_string())?;
    let root =
        directory.to_str().ok_or("the directory's path is not UTF-8")?.trim_start_matches('/').to_owned();
    let network = Network::new(None);
    let visit = network.remotes.visit(&files);
    let fetch = |remote: &Remote| visit.fetch(remote);
    let fetch: Option<&Fetch<'_>> = if no_remote_bases { None } else { Some(&fetch) };
    let build = match &arguments.kustomization_file {
        None => {
            let cluster = charts::Cluster {
                api_versions: &arguments.helm_api_versions,
                kube_version: arguments.helm_kube_version.as_deref(),
            };
            let inflate =
                |files: &dyn FileSystem, chart: &ChartInflation| charts::render(files, chart, &cluster);
            let inflate: Option<&Inflate<'_>> = if arguments.enable_helm { Some(&inflate) } else { None };
            kustomize::build_with(&visit, &root, &options, Outside { fetch, inflate })
        }
        Some(file) => {
            let object = read(file)?;
            let (path, content) = generated(&files, &root, &object.spec)?;
            let mut upper = MemoryFileSystem::new();
            upper.insert(&path, content.as_str());
            let overlay = OverlayFileSystem::new(&visit, upper);
            let options = Options {
                reorder: Reorder::None,
                load_restrictions: LoadRestrictions::None,
                ..Options::default()
            };
            kustomize::build_with(&overlay, &root, &options, Outside { fetch, inflate: None })
        }
    };
    let build = build.map_err(|errors| errors.to_string())?;
    for warning in &build.warnings {
        eprintln!("# Warning: {warning}");
    }
    match &arguments.output {
        None => std::io::stdout().write_all(build.to_yaml().as_bytes()).map_err(|error| error.to_string())?,
        Some(path) if path.is_dir() => write_each(path, &build)?,
        Some(path) => write(path, &build.to_yaml())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What a command fetches with, for as long as it runs.
pub struct Network {
    /// Fetches.
    pub remotes: Remotes,
    directory: PathBuf,
}

impl Network {
    /// A network that sets nothing up before the first fetch.
    pub fn new(runtime: Option<tokio::runtime::Handle>) -> Self {
        let directory = Remotes::own_directory();
        Self { remotes: Remotes::new(runtime, directory.clone()), directory }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // It is there only if a repository was fetched.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Reads a Flux Kustomization from a YAML file.
pub fn read(file: &Path) -> Result<Kustomization, String> {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let value = crate::kustomization::first_document(&bytes)
        .map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_value(value).map_err(|error| format!("{}: no Kustomization: {error}", file.display()))
}

/// One file an object, named by what it is, as kustomize does: the namespace is part of the names when there are several.
fn write_each(directory: &Path, build: &kustomize::Build) -> Result<(), String> {
    let ids = || build.resources.iter().map(kustomize::Resource::id);
    let namespaces: BTreeSet<&str> =
        ids().filter(|id| !id.cluster_scoped).map(|id| id.effective_namespace()).collect();
    for resource in &build.resources {
        let id = resource.id();
        let gvk = &id.gvk;
        let namespace = match (id.cluster_scoped, namespaces.len()) {
            (true, _) | (_, 0 | 1) => "",
            (false, _) => id.effective_namespace(),
        };
        let parts = [namespace, &gvk.group, &gvk.version, &gvk.kind, &id.name];
        let parts: Vec<String> =
            parts.iter().filter(|part| !part.is_empty()).map(|part| part.to_lowercase()).collect();
        // A slash in a name must not lead into another directory.
        let name = parts.join("_").replace('/', "_");
        let text = yaml::to_yaml(resource.value()).map_err(|error| error.to_string())?;
        write(&directory.join(format!("{name}.yaml")), &text)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse(flags: &[&str]) -> Arguments {
        Command::parse_from(std::iter::once("build").chain(flags.iter().copied())).arguments
    }

    #[test]
    fn flags_for_programs_are_refused_and_named() {
        for flags in [
            &["--enable-exec=true"][..],
            &["--enable-alpha-plugins"],
            &["--network"],
            &["--mount", "type=bind"],
            &["-e", "A=b"],
        ] {
            let refused = run(&parse(flags), true).unwrap_err();
            let flag = flags[0].split('=').next().unwrap_or_default();
            assert!(refused.contains(flag) || flag == "-e" && refused.contains("--env"), "{refused}");
        }
        let harmless = ["--enable-helm", "--helm-command", "helm3", "--as-current-user", "--stack-trace"];
        assert!(parse(&harmless).foreign.refusal().is_none());
    }

    #[test]
    fn only_local_directories_are_built() {
        let refused = |dir: &str| run(&parse(&[dir]), true).unwrap_err();
        assert!(refused("https://example.com/x").contains("remote directories are not supported"));
        assert!(refused("no/such/place").contains("no/such/place"));
        assert!(refused("Cargo.toml").contains("not a directory"));
    }

    #[test]
    fn files_of_an_output_directory_are_named_as_kustomize_names_them() {
        let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: A, namespace: x}\n---\napiVersion: v1\n\
                    kind: ConfigMap\nmetadata: {name: c}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n";
        let mut files = MemoryFileSystem::new();
        files.insert("kustomization.yaml", "resources: [r.yaml]").insert("r.yaml", text);
        let names = |files: &MemoryFileSystem| {
            let build = kustomize::build(files, "", &Options::default()).unwrap();
            let directory = tempfile::tempdir().unwrap();
            write_each(directory.path(), &build).unwrap();
            let entries = std::fs::read_dir(directory.path()).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<BTreeSet<_>>()
        };
        let several = ["default_v1_configmap_c.yaml", "v1_namespace_n.yaml", "x_apps_v1_deployment_a.yaml"];
        assert_eq!(names(&files), several.map(str::to_owned).into());
        files.insert("r.yaml", text.replace(", namespace: x", ""));
        let one = ["apps_v1_deployment_a.yaml", "v1_configmap_c.yaml", "v1_namespace_n.yaml"];
        assert_eq!(names(&files), one.map(str::to_owned).into());
    }
}

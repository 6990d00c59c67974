//! `kustomize-controller build DIR`: prints what `kustomize build DIR` prints. With `--kustomization-file` it does to the
//! build what the controller does for that Kustomization.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use api::kustomize::Kustomization;
use clap::{Args, ValueEnum};
use kustomize::{DiskFileSystem, LoadRestrictions, MemoryFileSystem, Options, OverlayFileSystem, Reorder};
use runtime::options::go_bool;

use crate::kustomization::generated;

/// The version that `--enable-managedby-label` puts into the label.
const KUSTOMIZE_VERSION: &str = "v5.8.0";

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
    /// A file with a Flux Kustomization whose spec is merged into the build.
    #[arg(long, value_name = "FILE")]
    pub kustomization_file: Option<PathBuf>,
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

/// Runs the command.
///
/// # Errors
/// The text for the user.
pub fn run(arguments: &Arguments) -> Result<ExitCode, String> {
    let directory = std::fs::canonicalize(&arguments.directory)
        .map_err(|error| format!("{}: {error}", arguments.directory.display()))?;
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
    let build = match &arguments.kustomization_file {
        None => kustomize::build(&files, &root, &options),
        Some(file) => {
            let object = read(file)?;
            let (path, content) = generated(&files, &root, &object.spec)?;
            let mut upper = MemoryFileSystem::new();
            upper.insert(&path, content.as_str());
            let overlay = OverlayFileSystem::new(&files, upper);
            let options = Options {
                reorder: Reorder::None,
                load_restrictions: LoadRestrictions::None,
                ..Options::default()
            };
            kustomize::build(&overlay, &root, &options)
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

/// Reads a Flux Kustomization from a YAML file.
pub fn read(file: &Path) -> Result<Kustomization, String> {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let value = crate::kustomization::first_document(&bytes)
        .map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_value(value).map_err(|error| format!("{}: no Kustomization: {error}", file.display()))
}

/// One file an object, named by what it is, as kustomize does.
fn write_each(directory: &Path, build: &kustomize::Build) -> Result<(), String> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for resource in &build.resources {
        let id = resource.id();
        let gvk = &id.gvk;
        let parts = [&id.namespace, &gvk.group, &gvk.version, &gvk.kind, &id.name];
        let parts: Vec<String> =
            parts.iter().filter(|part| !part.is_empty()).map(|part| part.to_lowercase()).collect();
        let mut name = parts.join("_").replace(['/', ':'], "_");
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            name = format!("{name}_{count}");
        }
        let text = yaml::to_yaml(resource.value()).map_err(|error| error.to_string())?;
        write(&directory.join(format!("{name}.yaml")), &text)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

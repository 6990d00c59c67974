//! Benchmarks on a real control plane; run by `cargo xtask bench`.

mod converge;
mod fleet;
mod notifications;
mod releases;
mod report;
mod requests;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures the controllers, built for release, on a real control plane.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench", max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// From created to Ready: install, upgrade, forced no-op and idle of many Kustomizations on one repository
    Converge(Converge),
    /// From created to Ready: install, upgrade and no-op of many HelmReleases of one chart
    Release(Releases),
    /// Events a second to notification-controller, none lost; then a flood of bad webhook calls that harms nobody
    Notifications(Notifications),
}

/// How many releases, and whose.
#[derive(clap::Args)]
pub(crate) struct Releases {
    /// HelmReleases
    #[arg(short = 'n', long = "releases", default_value_t = 100, value_name = "N")]
    releases: usize,
    /// Reconciles at once in the controller
    #[arg(long, default_value_t = 20)]
    workers: usize,
    /// Also measures the helm-controller in DIR, and prints the ratios
    #[arg(long, value_name = "DIR")]
    flux_bin: Option<PathBuf>,
    /// Measures our controller as DIR holds it instead of building it for release
    #[arg(long, value_name = "DIR")]
    our_bin: Option<PathBuf>,
    /// Measures only the controller of --flux-bin
    #[arg(long, requires = "flux_bin")]
    only_flux: bool,
    /// How often all releases are asked for when there is nothing to do; shown is the mean
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long runs at an interval of 5 s are watched, in seconds
    #[arg(long, default_value_t = 30)]
    idle: u64,
}

/// How much, and for how long.
#[derive(clap::Args)]
pub(crate) struct Notifications {
    /// Events a second
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// How long, in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Bad webhook calls a second
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    calls: u64,
    /// How long, in seconds
    #[arg(long, default_value_t = 10)]
    flood_seconds: u64,
    /// Measures the controller in DIR instead of building it for release
    #[arg(long, value_name = "DIR")]
    our_bin: Option<PathBuf>,
}

/// What is measured.
#[derive(clap::Args)]
pub(crate) struct Converge {
    /// Kustomizations
    #[arg(short = 'n', long = "kustomizations", default_value_t = 100, value_name = "N")]
    kustomizations: usize,
    /// Objects of each Kustomization
    #[arg(long, default_value_t = 5)]
    objects: usize,
    /// What they are
    #[arg(long, value_enum, default_value_t = fleet::Mix::Config)]
    mix: fleet::Mix,
    /// Reconciles at once in each controller
    #[arg(long, default_value_t = 20)]
    workers: usize,
    /// How long the idle phase is watched, in seconds
    #[arg(long, default_value_t = 30)]
    idle: u64,
    /// Also measures the source-controller and kustomize-controller in DIR, and prints the ratios
    #[arg(long, value_name = "DIR")]
    flux_bin: Option<PathBuf>,
    /// Measures our controllers as DIR holds them instead of building them for release
    #[arg(long, value_name = "DIR")]
    our_bin: Option<PathBuf>,
    /// Measures only the controllers of --flux-bin
    #[arg(long, requires = "flux_bin")]
    only_flux: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Converge(options) => converge::run(&options).await,
        Command::Release(options) => releases::run(&options).await,
        Command::Notifications(options) => notifications::run(&options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

//! Developer commands of Millrace: `cargo xtask …`.

mod cargo;
mod cluster;
mod engines;
mod layers;
mod quality;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use quality::Mode;

/// Developer commands of Millrace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows Millrace at work: from a Git commit to healthy objects on a real cluster
    #[command(
        long_about = "Shows Millrace at work: starts a cluster, installs the CRDs, runs the controllers, serves a Git \
        repository with a small shop, waits until it is healthy, makes a commit, then fifteen more that each call a webhook and end in a chat, breaks \
        an object, and prints the times. Cleans up, and exits non-zero when anything did not converge. Needs Rust, Go and git.",
        after_help = "Flags of the demo:\n  \
        --use-current-context  use the cluster of the current kubeconfig context instead of starting one\n  \
        --url URL              deploy this repository instead of the shop\n  \
        --branch NAME          its branch (default: main)\n  \
        --path PATH            the folder to deploy (default: ./)\n  \
        --keep                 leave everything running and print how to reach it"
    )]
    Demo(Forwarded),
    /// Runs everything that decides whether a commit may land
    #[command(
        long_about = "Builds the test cluster and the peer tools if they are missing, checks the layers, and runs all \
        tests. Arguments are handed to `cargo test --workspace`. Needs Rust, Go and git."
    )]
    Test(Forwarded),
    /// Formatting, lints, layers, CRDs, licences, unused dependencies
    Check,
    /// Checks the direction of dependencies: pure ← io ← kubernetes ← controllers ← e2e
    CheckLayers,
    /// Writes crds/ from the types of crates/api
    Crds {
        /// Only say whether they are up to date (exit code 1 when not)
        #[arg(long)]
        check: bool,
    },
    /// Runs a folder of conformance cases and prints `N equal, N different, N skipped` per feature
    #[command(after_help = "Kinds of cases:\n  \
        DIR                                   builds of kustomize, such as ../shared/conformance/kustomize\n  \
        helm-charts DIR                       whole charts, such as ../shared/conformance/helm/charts\n  \
        helm-functions DIR [--results FILE]   small templates, such as ../shared/conformance/helm/functions")]
    Conformance {
        /// Kind and folder of cases; then flags of the runner
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "DIR")]
        arguments: Vec<String>,
    },
    /// Looks for inputs that an engine answers differently, or that make a parser or reader fail
    #[command(
        long_about = "With the name of an engine (kustomize, gotemplate, charts), builds random inputs with it and with the program it \
        replaces, and compares; exits non-zero on a difference. Without one, runs the property tests of all parsers \
        and readers with many cases.",
        after_help = "Flags of an engine:\n  \
        --seconds N   how long (default: 60)\n  \
        --seed S      where to begin; printed, so that a run can be repeated\n  \
        --keep-going  goes on after a difference\n\
        Of gotemplate alone:\n  \
        --odd         only calls with objects that few templates give to functions\n  \
        --texts       only texts made of the tokens of a notation, for the functions that read it\n  \
        --lines FILE  compares the templates of a file, one a line, instead\n  \
        --strict      reports what is known to differ, too"
    )]
    Fuzz {
        /// Cases for each property
        #[arg(long, default_value_t = 20_000)]
        cases: u32,
        /// Only this package; may be repeated
        #[arg(long, short, value_name = "NAME")]
        package: Vec<String>,
        /// An engine, and flags for it
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ENGINE")]
        engine: Vec<String>,
    },
    /// Measures the controllers, built for release, on a real cluster; or an engine against the program it replaces
    #[command(after_help = "Benchmarks:\n  \
        kustomize [--sizes 1000,4000]\n      \
        builds in process and by the real kustomize, side by side: time, ratio, memory\n  \
        converge [-n 100] [--objects 5] [--workers 20] [--flux-bin DIR]\n      \
        install, upgrade, forced no-op and idle of n Kustomizations on one repository: wall time, CPU seconds of each\n      \
        controller and of the API server, API requests by verb, peak RSS. With --flux-bin, also of the\n      \
        source-controller and kustomize-controller found in DIR, and the ratios.\n  \
        notifications [--rate 1000] [--seconds 30] [--calls 10000] [--flood-seconds 10]\n      \
        events a second to notification-controller, each delivered once or the exit code is 2; then bad webhook calls a\n      \
        second, beside which events and good calls go on: rates, CPU seconds, peak RSS.\n  \
        helm [--charts DIR]\n      \
        the charts of ../shared/conformance/helm rendered by Helm's engine and by ours, in process and as commands:\n      \
        times, peak memory, ratios, and how time grows with templates and values.")]
    Bench(Forwarded),
    /// A real Kubernetes control plane on loopback: etcd, API server, controller manager, scheduler and kwok
    #[command(subcommand)]
    Cluster(cluster::Cluster),
    /// Builds kubectl, kustomize and helm (once) and prints their paths
    Tools,
}

#[derive(clap::Args)]
struct Forwarded {
    /// Handed on
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Demo(forwarded) => {
            plane::require("git", "git (https://git-scm.com, or your system's package `git`)")?;
            let controllers =
                ["source-controller", "kustomize-controller", "helm-controller", "notification-controller"];
            end_to_end("demo", &controllers, &forwarded.arguments)
        }
        Command::Test(forwarded) => quality::test(&forwarded.arguments),
        Command::Check => quality::check(),
        Command::CheckLayers => layers::run(),
        Command::Crds { check } => quality::crds(if *check { Mode::Check } else { Mode::Write }),
        Command::Conformance { arguments } => conformance(arguments),
        Command::Fuzz { cases, package, engine } => match engine.split_first() {
            Some((engine, arguments)) => engines::fuzz(engine, arguments),
            None => quality::fuzz(*cases, package),
        },
        Command::Bench(forwarded) => match forwarded.arguments.split_first() {
            Some((what, arguments)) if what == "helm" => helm_bench(arguments),
            Some((what, arguments)) if engines::has_bench(what) => engines::bench(what, arguments),
            _ => end_to_end("bench", &[], &forwarded.arguments),
        },
        Command::Cluster(command) => cluster::run(command),
        Command::Tools => cluster::tools(),
    }
}

/// Builds a program of the package e2e and those that it runs, with progress, and runs it. All of the workspace is selected,
/// as for the tests: cargo would choose other features of dependencies for fewer packages and compile these again.
fn end_to_end(program: &str, needed: &[&str], arguments: &[String]) -> Result<ExitCode> {
    let programs = std::iter::once(&program).chain(needed).flat_map(|program| ["--bin", program]);
    let built = cargo::run(["build", "--workspace"].into_iter().chain(programs))?;
    if built != ExitCode::SUCCESS {
        return Ok(built);
    }
    let path = target().join("debug").join(program);
    let status = std::process::Command::new(&path).args(arguments).status();
    let status = status.with_context(|| format!("starting {}", path.display()))?;
    // Ended by a signal: an error like any other.
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::from(2), ExitCode::from))
}

/// Where cargo puts what it builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(plane::places::target, Into::into)
}

/// The runner lives with the engine; the folder is taken relative to where the user stands.
fn conformance(arguments: &[String]) -> Result<ExitCode> {
    let (package, example, arguments) = match arguments.split_first() {
        Some((kind, rest)) if kind == "helm-charts" => ("chart", "charts", rest),
        Some((kind, rest)) if kind == "helm-functions" => ("chart", "functions", rest),
        _ => ("kustomize", "conformance", arguments),
    };
    let fixed = ["run", "--quiet", "--package", package, "--example", example, "--"];
    let given = arguments.iter().map(|argument| match std::fs::canonicalize(argument) {
        Ok(path) if !argument.starts_with('-') => path.to_string_lossy().into_owned(),
        _ => argument.clone(),
    });
    cargo::run(fixed.map(String::from).into_iter().chain(given))
}

/// Builds both sides, then measures.
fn helm_bench(arguments: &[String]) -> Result<ExitCode> {
    plane::require("go", "Go (https://go.dev/dl)")?;
    let helm = plane::programs::Peers::ensure()?.helm;
    let helm_loop = plane::places::target().join("helmloop");
    let built = std::process::Command::new("go")
        .args(["build", "-C"])
        .arg(plane::places::root().join("hack/tools"))
        .arg("-o")
        .arg(&helm_loop)
        .arg("./cmd/helmloop")
        .status()?;
    anyhow::ensure!(built.success(), "go build ./cmd/helmloop failed in hack/tools");
    let built = cargo::run(["build", "--quiet", "--release", "--package", "helm-controller"])?;
    if built != ExitCode::SUCCESS {
        return Ok(built);
    }
    let controller = target().join("release/helm-controller");
    let programs = [("--helm", helm), ("--loop", helm_loop), ("--controller", controller)];
    let programs =
        programs.into_iter().flat_map(|(flag, path)| [flag.to_owned(), path.display().to_string()]);
    let fixed = ["run", "--quiet", "--release", "--package", "chart", "--example", "helm_bench", "--"];
    cargo::run(fixed.map(String::from).into_iter().chain(programs).chain(arguments.iter().cloned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn flags_of_the_demo_are_handed_on() {
        let arguments = Arguments::parse_from(["xtask", "demo", "--keep", "--url", "x"]);
        let Command::Demo(forwarded) = arguments.command else { panic!("not the demo") };
        assert_eq!(forwarded.arguments, ["--keep", "--url", "x"]);
    }

    #[test]
    fn fuzz_takes_an_engine_or_its_own_flags() {
        let parsed = Arguments::parse_from(["xtask", "fuzz", "kustomize", "--seconds", "5"]);
        let Command::Fuzz { engine, .. } = parsed.command else { panic!("not fuzz") };
        assert_eq!(engine, ["kustomize", "--seconds", "5"]);
        let parsed = Arguments::parse_from(["xtask", "fuzz", "--cases", "7", "-p", "yaml"]);
        let Command::Fuzz { cases, package, engine } = parsed.command else { panic!("not fuzz") };
        assert_eq!((cases, package, engine), (7, vec!["yaml".to_owned()], Vec::new()));
    }
}

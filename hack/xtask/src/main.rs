//! Developer commands of Millrace: `cargo xtask …`.

mod cluster;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer commands of Millrace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A real Kubernetes control plane on loopback: etcd, API server, controller manager, scheduler and kwok
    #[command(subcommand)]
    Cluster(cluster::Cluster),
    /// Builds kubectl, kustomize and helm (once) and prints their paths
    Tools,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Cluster(command) => cluster::run(&command),
        Command::Tools => cluster::tools(),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

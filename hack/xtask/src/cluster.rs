//! `cargo xtask cluster` and `cargo xtask tools`.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::{Args, Subcommand};
use plane::programs::{Peers, Servers};
use plane::{Audit, Lifetime, Options, Plane, Record};

#[derive(Subcommand)]
pub(crate) enum Cluster {
    /// Starts a plane (builds it first when needed) and prints how to reach it; a running one is left alone
    #[command(
        long_about = "Starts a plane and prints how to reach it; a running one of that name is left alone.\n\n\
        The binaries are built once from the Go modules in hack/controlplane into target/controlplane/, which takes \
        some minutes; needs Go. Binaries found in $KUBEBUILDER_ASSETS are used instead. RBAC is on; several planes run \
        side by side under different names, each on ports of its own. Data, logs and the administrator's kubeconfig \
        lie in target/planes/NAME/."
    )]
    Up {
        #[command(flatten)]
        which: Which,
        /// Simulated nodes
        #[arg(long, default_value_t = 2)]
        nodes: u8,
        /// Record every finished request, without bodies, in target/planes/NAME/audit.log
        #[arg(long)]
        audit: bool,
    },
    /// Stops a plane and removes its data
    Down {
        #[command(flatten)]
        which: Which,
        /// Stop all planes of this checkout that no test holds
        #[arg(long, conflicts_with = "name")]
        all: bool,
    },
    /// Lists the planes of this checkout and the state of their processes
    Status,
}

#[derive(Args)]
pub(crate) struct Which {
    /// Name of the plane
    #[arg(long, default_value = "dev", value_name = "NAME")]
    name: String,
}

pub(crate) fn run(command: &Cluster) -> Result<ExitCode> {
    match command {
        Cluster::Up { which, nodes, audit } => up(&which.name, *nodes, *audit),
        Cluster::Down { which, all } => down(which, *all),
        Cluster::Status => status(),
    }
}

fn up(name: &str, nodes: u8, audit: bool) -> Result<ExitCode> {
    if let Some(record) = Record::find(name)?.filter(Record::healthy) {
        eprintln!("plane {name} runs already");
        reach(&record);
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(broken) = Record::find(name)? {
        eprintln!("plane {name} is not whole: removing what is left of it");
        broken.stop()?;
    }
    Servers::ensure()?;
    let begun = Instant::now();
    let plane = Plane::start(&Options {
        name: Some(name.to_owned()),
        lifetime: Lifetime::UntilStopped,
        audit: if audit { Audit::Requests } else { Audit::Off },
        nodes,
    })?;
    eprintln!("plane {name} started in {:.1} s", begun.elapsed().as_secs_f64());
    reach(plane.record());
    Ok(ExitCode::SUCCESS)
}

fn reach(record: &Record) {
    println!("export KUBECONFIG={}", record.kubeconfig.display());
    println!("alias kubectl={}", record.kubectl.display());
}

fn down(which: &Which, all: bool) -> Result<ExitCode> {
    let records: Vec<Record> = if all {
        Record::all()?.into_iter().filter(|record| !(record.leased && record.running())).collect()
    } else {
        Record::find(&which.name)?.into_iter().collect()
    };
    if records.is_empty() {
        eprintln!("no plane to stop");
    }
    for record in records {
        record.stop()?;
        eprintln!("plane {} stopped", record.name);
    }
    Ok(ExitCode::SUCCESS)
}

fn status() -> Result<ExitCode> {
    let records = Record::all()?;
    if records.is_empty() {
        eprintln!("no plane; `cargo xtask cluster up` starts one");
    }
    for record in records {
        let state = match (record.healthy(), record.running()) {
            (true, _) => "running",
            (false, true) => "broken",
            (false, false) => "stopped",
        };
        let holder = if record.leased { ", held by a test" } else { "" };
        println!("{}: {state}, https://127.0.0.1:{}{holder}", record.name, record.port);
        for process in &record.processes {
            match (process.cpu_seconds(), process.peak_rss_kib()) {
                (Some(cpu), Some(rss)) if process.alive() => {
                    let rss = rss / 1024;
                    println!(
                        "  {:<24} pid {:<8} {cpu:>7.1} CPU s  peak {rss} MiB",
                        process.name, process.pid
                    );
                }
                _ => println!(
                    "  {:<24} ended; see {}/{}.log",
                    process.name,
                    record.dir.display(),
                    process.name
                ),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the peers and prints where they are, as shell aliases.
pub(crate) fn tools() -> Result<ExitCode> {
    let servers = Servers::ensure()?;
    let peers = Peers::ensure()?;
    println!("alias kubectl={}", servers.kubectl.display());
    println!("alias kustomize={}", peers.kustomize.display());
    println!("alias helm={}", peers.helm.display());
    Ok(ExitCode::SUCCESS)
}

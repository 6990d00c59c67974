//! The command line of helm-controller.

use std::time::Duration;

use artifact::Algorithm;
use clap::{Args, Parser, Subcommand};
use runtime::CommandLine;
use runtime::gates::{Gate, Gates};
use runtime::options::{ApplyOptions, Binary, IntervalOptions, Options, go_duration};

use crate::command::{diff, template};

/// The feature gates and their defaults.
///
/// Accepted and without effect: `AdoptLegacyReleases`, `CorrectDrift` and `DetectDrift`, as in Flux 1.6;
/// `CacheSecretsAndConfigMaps`, since values are always read as they are now, which is what the gate gives away for fewer
/// requests.
pub const GATES: &[Gate] = &[
    Gate { name: "AdditiveCELDependencyCheck", default: false },
    Gate { name: "AdoptLegacyReleases", default: false },
    Gate { name: "AllowDNSLookups", default: false },
    Gate { name: "CacheSecretsAndConfigMaps", default: false },
    Gate { name: "CancelHealthCheckOnNewRevision", default: false },
    Gate { name: "CorrectDrift", default: false },
    Gate { name: "DefaultToRetryOnFailure", default: false },
    Gate { name: "DetectDrift", default: false },
    Gate { name: "DirectSourceFetch", default: false },
    Gate { name: "DisableChartDigestTracking", default: false },
    Gate { name: "DisableConfigWatchers", default: false },
    Gate { name: "ExternalArtifact", default: false },
    Gate { name: "OOMWatch", default: false },
    Gate { name: "ObjectLevelWorkloadIdentity", default: false },
    Gate { name: "UseHelm3Defaults", default: false },
];

/// What sets this controller apart.
pub const BINARY: Binary = Binary { name: "helm-controller", concurrent: "4", gates: GATES };

/// Installs, upgrades and keeps Helm releases.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    max_term_width = 110,
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = true
)]
pub struct Flags {
    /// What to do instead of running the controller.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of every controller.
    #[command(flatten)]
    pub common: Options,
    /// Flags of controllers with intervals.
    #[command(flatten)]
    pub intervals: IntervalOptions,
    /// Flags of controllers that apply.
    #[command(flatten)]
    pub apply: ApplyOptions,
    /// Flags of this one.
    #[command(flatten)]
    pub own: Own,
}

/// The commands beside the controller itself.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Renders a chart and prints its objects, as `helm template` does
    Template(Box<template::Arguments>),
    /// Shows what the controller would do next about a HelmRelease, and what of it has drifted
    ///
    /// Whether it would install, upgrade, roll back, uninstall or leave it alone, and why; what that would change, object
    /// by object and field by field, and which hooks would run; and what of the current release has drifted in the cluster.
    /// Nothing is written: the API server is asked with dry runs, as the account that the HelmRelease names. Values of
    /// Secrets, and values that come from Secrets, are masked.
    Diff(diff::Arguments),
}

/// Flags that only this controller has.
#[derive(Debug, Clone, Args)]
pub struct Own {
    /// How long actions in progress may take after the signal to stop.
    #[arg(long, default_value = "600s", value_name = "DURATION", value_parser = go_duration)]
    pub graceful_shutdown_timeout: Duration,
    /// How long a chart download may stand still.
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = go_duration)]
    pub http_timeout: Duration,
    /// Algorithm of the digests in the history: sha256, sha384, sha512, blake3.
    #[arg(long, default_value = "sha256", value_name = "ALGORITHM", value_parser = algorithm)]
    pub snapshot_digest_algo: Algorithm,
    /// Percentage of the memory limit from which on the process shuts down in good time. With gate OOMWatch.
    #[arg(long, default_value = "95", value_name = "PERCENT")]
    pub oom_watch_memory_threshold: u8,
    /// How often the use of memory is looked at. With gate OOMWatch.
    #[arg(long, default_value = "500ms", value_name = "DURATION", value_parser = go_duration)]
    pub oom_watch_interval: Duration,
    /// File with the memory limit; that of the control group when empty. With gate OOMWatch.
    #[arg(long, default_value = "", value_name = "PATH")]
    pub oom_watch_max_memory_path: String,
    /// File with the use of memory; that of the control group when empty. With gate OOMWatch.
    #[arg(long, default_value = "", value_name = "PATH")]
    pub oom_watch_current_memory_path: String,
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    match text.parse() {
        Ok(Algorithm::Sha1) | Err(_) => Err("none of sha256, sha384, sha512, blake3".to_owned()),
        Ok(algorithm) => Ok(algorithm),
    }
}

impl CommandLine for Flags {
    fn options(&self) -> &Options {
        &self.common
    }

    fn intervals(&self) -> Option<&IntervalOptions> {
        Some(&self.intervals)
    }

    fn grace(&self) -> Duration {
        self.own.graceful_shutdown_timeout
    }
}

impl Flags {
    /// Checks what the types cannot, and reads the gates.
    ///
    /// # Errors
    /// A flag or gate that cannot work, or two that contradict each other.
    pub fn gates(&self) -> Result<Gates, Error> {
        self.intervals.validate()?;
        let gates = Gates::new(GATES, &self.common.feature_gates)?;
        self.apply.validate(&gates)?;
        Ok(gates)
    }
}

/// Why the command line cannot work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A shared flag or gate.
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
    /// The HTTP client could not be made.
    #[error("cannot make the HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(args: &[&str]) -> Flags {
        let args = std::iter::once("helm-controller").chain(args.iter().copied()).map(Into::into);
        runtime::options::try_parse(&BINARY, args, |_| None).unwrap()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Flags::command().debug_assert();
    }

    #[test]
    fn the_arguments_of_flux_manifests_work() {
        let flags = parse(&[
            "--events-addr=http://notification-controller.flux-system.svc.cluster.local./",
            "--watch-all-namespaces=true",
            "--log-level=info",
            "--log-encoding=json",
            "--enable-leader-election",
            "--no-cross-namespace-refs=true",
            "--default-service-account=default",
            "--snapshot-digest-algo=blake3",
            "--feature-gates=OOMWatch=true,AllowDNSLookups=true",
        ]);
        assert!(flags.apply.no_cross_namespace_refs && flags.command.is_none());
        assert_eq!((flags.common.concurrent, flags.apply.http_retry), (4, 9));
        assert_eq!(flags.grace(), Duration::from_secs(600));
        assert_eq!(flags.own.snapshot_digest_algo, Algorithm::Blake3);
        assert!(flags.gates().unwrap().enabled("OOMWatch"));
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let error = |args: &[&str]| parse(args).gates().unwrap_err().to_string();
        assert_eq!(error(&["--feature-gates=Nope=true"]), "feature-gate 'Nope' not supported");
        assert!(error(&["--default-kubeconfig-service-account=x"]).contains("ObjectLevelWorkloadIdentity"));
        assert!(algorithm("sha1").is_err() && algorithm("md5").is_err());
    }
}

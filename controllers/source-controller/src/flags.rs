//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use artifact::Algorithm;
use clap::Parser;
use runtime::gates::{Gate, Gates};
use runtime::options::{Binary, IntervalOptions, Options, go_duration};
use runtime::process::CommandLine;

/// What distinguishes this controller's command line.
pub(crate) const BINARY: Binary = Binary {
    name: "source-controller",
    concurrent: "2",
    gates: &[
        Gate { name: "CacheSecretsAndConfigMaps", default: false },
        Gate { name: OBJECT_LEVEL_WORKLOAD_IDENTITY, default: false },
    ],
};

/// The gate of `spec.serviceAccountName`.
pub(crate) const OBJECT_LEVEL_WORKLOAD_IDENTITY: &str = "ObjectLevelWorkloadIdentity";

/// Fetches sources and publishes them as artifacts.
#[derive(Debug, Parser)]
#[command(version, about)]
pub(crate) struct Flags {
    #[command(flatten)]
    pub options: Options,
    #[command(flatten)]
    pub intervals: IntervalOptions,
    #[command(flatten)]
    pub storage: StorageFlags,
    #[command(flatten)]
    pub ssh: SshFlags,
    #[command(flatten)]
    pub helm: HelmFlags,
}

/// Where artifacts are kept and served.
#[derive(Debug, Clone, clap::Args)]
#[command(next_display_order = None)]
pub(crate) struct StorageFlags {
    /// Directory of the artifacts; it must exist.
    #[arg(long, default_value = "/data", value_name = "DIRECTORY")]
    pub storage_path: PathBuf,
    /// Address that artifacts are served at.
    #[arg(long, default_value = ":9090", value_name = "ADDRESS")]
    pub storage_addr: String,
    /// Host, and port if need be, of the artifact URLs; by default that of --storage-addr.
    #[arg(long, default_value = "", value_name = "ADDRESS")]
    pub storage_adv_addr: String,
    /// How long an artifact that was replaced stays available.
    #[arg(long, default_value = "60s", value_name = "DURATION", value_parser = go_duration)]
    pub artifact_retention_ttl: Duration,
    /// How many artifacts of an object are kept, the current one included.
    #[arg(long, default_value = "2", value_name = "N")]
    pub artifact_retention_records: usize,
    /// Algorithm of artifact digests: sha1, sha256, sha384, sha512, blake3.
    #[arg(long, default_value = "sha256", value_name = "ALGORITHM")]
    pub artifact_digest_algo: Algorithm,
}

/// Algorithms of SSH.
#[derive(Debug, Clone, clap::Args)]
#[command(next_display_order = None)]
pub(crate) struct SshFlags {
    /// Key exchange algorithms of SSH, most wanted first; by default the usual ones.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub ssh_kex_algos: Vec<String>,
    /// Host key algorithms of SSH, most wanted first; by default those of known_hosts.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub ssh_hostkey_algos: Vec<String>,
}

/// Limits of Helm repositories and charts.
#[derive(Debug, Clone, clap::Args)]
#[command(next_display_order = None)]
pub(crate) struct HelmFlags {
    /// Largest Helm repository index, in bytes.
    #[arg(long, default_value = "52428800", value_name = "BYTES")]
    pub helm_index_max_size: u64,
    /// Largest Helm chart, as an archive, in bytes.
    #[arg(long, default_value = "10485760", value_name = "BYTES")]
    pub helm_chart_max_size: u64,
    /// Largest file in a Helm chart, in bytes.
    #[arg(long, default_value = "5242880", value_name = "BYTES")]
    pub helm_chart_file_max_size: u64,
    /// No effect: indexes are read from the disk as a stream, there is nothing to cache.
    #[arg(long, value_name = "N")]
    pub helm_cache_max_size: Option<u64>,
    /// No effect, as --helm-cache-max-size.
    #[arg(long, value_name = "DURATION", value_parser = go_duration)]
    pub helm_cache_ttl: Option<Duration>,
    /// No effect, as --helm-cache-max-size.
    #[arg(long, value_name = "DURATION", value_parser = go_duration)]
    pub helm_cache_purge_interval: Option<Duration>,
}

impl HelmFlags {
    /// The flags that were set in vain.
    pub(crate) fn in_vain(&self) -> impl Iterator<Item = &'static str> {
        [
            (self.helm_cache_max_size.is_some(), "--helm-cache-max-size"),
            (self.helm_cache_ttl.is_some(), "--helm-cache-ttl"),
            (self.helm_cache_purge_interval.is_some(), "--helm-cache-purge-interval"),
        ]
        .into_iter()
        .filter_map(|(given, flag)| given.then_some(flag))
    }
}

impl CommandLine for Flags {
    fn options(&self) -> &Options {
        &self.options
    }

    fn intervals(&self) -> Option<&IntervalOptions> {
        Some(&self.intervals)
    }

    fn validate(&self, gates: &Gates) -> Result<(), runtime::Error> {
        if !self.options.default_service_account.is_empty() && !gates.enabled(OBJECT_LEVEL_WORKLOAD_IDENTITY)
        {
            return Err(runtime::Error::Flag {
                flag: "--default-service-account",
                problem: format!("needs the feature gate {OBJECT_LEVEL_WORKLOAD_IDENTITY}"),
            });
        }
        Ok(())
    }
}

impl StorageFlags {
    /// The host that consumers reach the file server at. `host_name` is that of this machine or pod.
    pub(crate) fn advertised(&self, host_name: &str) -> String {
        if !self.storage_adv_addr.is_empty() {
            return self.storage_adv_addr.clone();
        }
        match self.storage_addr.rsplit_once(':') {
            Some(("", port)) => format!("localhost:{port}"),
            Some(("0.0.0.0", port)) => format!("{host_name}:{port}"),
            _ => self.storage_addr.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(args: &[&str]) -> Result<Flags, clap::Error> {
        let args = std::iter::once("source-controller").chain(args.iter().copied()).map(Into::into);
        runtime::options::try_parse(&BINARY, args, |_| None)
    }

    #[test]
    fn the_arguments_of_the_manifests_are_accepted() {
        let flags = flags(&[
            "--events-addr=http://notification-controller.flux-system.svc.cluster.local./",
            "--watch-all-namespaces",
            "--log-level=info",
            "--log-encoding=json",
            "--enable-leader-election",
            "--storage-path=/data",
            "--storage-adv-addr=source-controller.flux-system.svc.cluster.local.",
        ])
        .expect("flags");
        assert_eq!(flags.options.concurrent, 2);
        assert_eq!(flags.storage.artifact_retention_ttl, Duration::from_secs(60));
        assert_eq!(flags.storage.artifact_retention_records, 2);
        assert_eq!(flags.storage.artifact_digest_algo, Algorithm::Sha256);
        assert_eq!(flags.storage.advertised("pod"), "source-controller.flux-system.svc.cluster.local.");
        assert_eq!(flags.helm.in_vain().count(), 0);
    }

    #[test]
    fn the_advertised_host_follows_the_listener() {
        for (address, expected) in
            [(":9090", "localhost:9090"), ("0.0.0.0:80", "pod:80"), ("10.0.0.1:80", "10.0.0.1:80")]
        {
            let flags = flags(&["--storage-addr", address]).expect("flags");
            assert_eq!(flags.storage.advertised("pod"), expected);
        }
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let error = flags(&["--artifact-digest-algo=md5"]).expect_err("refused").to_string();
        assert!(error.contains("md5") && error.contains("sha256"), "{error}");
        assert!(flags(&["--no-cross-namespace-refs"]).is_err());
        let helm = flags(&["--helm-cache-max-size=10"]).expect("flags");
        assert_eq!(helm.helm.in_vain().collect::<Vec<_>>(), ["--helm-cache-max-size"]);
        assert_eq!((helm.helm.helm_chart_max_size, helm.helm.helm_chart_file_max_size), (10 << 20, 5 << 20));
    }
}

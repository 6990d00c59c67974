//! The command line of notification-controller.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use runtime::CommandLine;
use runtime::gates::{Gate, Gates};
use runtime::options::{Binary, Options, go_bool, go_duration};

use crate::command;

/// The gate of `spec.serviceAccountName`.
pub const OBJECT_LEVEL_WORKLOAD_IDENTITY: &str = "ObjectLevelWorkloadIdentity";
/// The gate that stops the watch on Secrets.
pub const DISABLE_CONFIG_WATCHERS: &str = "DisableConfigWatchers";

/// What sets this controller apart.
pub const BINARY: Binary = Binary {
    name: "notification-controller",
    concurrent: "4",
    gates: &[
        Gate { name: "CacheSecretsAndConfigMaps", default: false },
        Gate { name: DISABLE_CONFIG_WATCHERS, default: false },
        Gate { name: OBJECT_LEVEL_WORKLOAD_IDENTITY, default: false },
    ],
};

/// Sends events of Flux objects to chats, commits and pagers, and takes webhooks in.
#[derive(Clone, Parser)]
#[command(version, about, disable_help_subcommand = true, args_conflicts_with_subcommands = true)]
#[command(mut_arg("events_addr", |arg| arg.default_value(":9090").value_name("ADDRESS").help("Address that events are taken in at")))]
pub struct Flags {
    /// What to do instead of running the controller.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of every controller.
    #[command(flatten)]
    pub common: Options,
    /// Flags of this one.
    #[command(flatten)]
    pub own: Own,
}

/// The commands beside the controller itself.
#[derive(Clone, Subcommand)]
pub enum Command {
    /// Shows the request that an Alert would cause, or sends it.
    TestAlert(command::test_alert::Arguments),
}

/// Flags that only this controller has.
#[derive(Clone, Args)]
pub struct Own {
    /// Address that webhooks are taken in at.
    #[arg(long = "receiverAddr", default_value = ":9292", value_name = "ADDRESS")]
    pub receiver_addr: String,
    /// Time in which a repeated event is refused.
    #[arg(long, default_value = "5m", value_name = "DURATION", value_parser = go_duration)]
    pub rate_limit_interval: Duration,
    /// Label the HTTP metrics with the whole path of a request.
    #[arg(long, value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub export_http_path_metrics: bool,
    /// Refuse events and resources of other namespaces.
    #[arg(long, value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub no_cross_namespace_refs: bool,
    /// Never connect to loopback, link-local (cloud metadata), unspecified and multicast addresses for a Provider or an issuer of tokens.
    #[arg(long, value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub block_local_addresses: bool,
}

impl CommandLine for Flags {
    fn options(&self) -> &Options {
        &self.common
    }

    fn intervals(&self) -> Option<&runtime::IntervalOptions> {
        None
    }

    fn validate(&self, gates: &Gates) -> Result<(), runtime::Error> {
        if !self.common.default_service_account.is_empty() && !gates.enabled(OBJECT_LEVEL_WORKLOAD_IDENTITY) {
            return Err(runtime::Error::Flag {
                flag: "--default-service-account",
                problem: format!("needs the feature gate {OBJECT_LEVEL_WORKLOAD_IDENTITY}"),
            });
        }
        if self.own.rate_limit_interval.is_zero() {
            return Err(runtime::Error::Flag {
                flag: "--rate-limit-interval",
                problem: "must be more than zero".to_owned(),
            });
        }
        Ok(())
    }

    fn event_recipient(&self) -> &str {
        // The address of the flag is where events are taken in; those of this controller go to Kubernetes only.
        ""
    }

    fn begins_before_leading(&self) -> bool {
        true
    }
}

impl Own {
    /// Which addresses deliveries may go to.
    pub fn guard(&self) -> net::AddressGuard {
        if self.block_local_addresses { net::AddressGuard::NoLocal } else { net::AddressGuard::Off }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(args: &[&str]) -> Result<Flags, clap::Error> {
        let args = std::iter::once("notification-controller").chain(args.iter().copied()).map(Into::into);
        runtime::options::try_parse(&BINARY, args, |_| None)
    }

    #[test]
    fn the_arguments_of_the_manifests_are_accepted() {
        let flags = flags(&[
            "--watch-all-namespaces",
            "--log-level=info",
            "--log-encoding=json",
            "--enable-leader-election",
        ])
        .expect("flags");
        assert_eq!(flags.common.events_addr, ":9090");
        assert_eq!(flags.own.receiver_addr, ":9292");
        assert_eq!(flags.own.rate_limit_interval, Duration::from_secs(300));
        assert_eq!(flags.common.concurrent, 4);
        assert_eq!(flags.event_recipient(), "");
    }

    #[test]
    fn flags_of_sharded_controllers_are_unknown() {
        for flag in
            ["--watch-label-selector=a=b", "--interval-jitter-percentage=5", "--requeue-dependency=1s"]
        {
            assert!(flags(&[flag]).is_err(), "{flag}");
        }
        let gates = Gates::new(BINARY.gates, &[]).expect("gates");
        assert!(flags(&["--default-service-account=x"]).expect("flags").validate(&gates).is_err());
        assert!(flags(&["--rate-limit-interval=0s"]).expect("flags").validate(&gates).is_err());
    }
}

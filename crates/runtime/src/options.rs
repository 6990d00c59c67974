//! The flags that the controllers share, in the style of the GNU: `--flag=value` or `--flag value`, booleans as `--flag`
//! or `--flag=true|false`. Each flag can also be given in the environment, as its name in upper case with underscores.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Arg, Args, Command, CommandFactory, Parser};

use crate::gates::{Gate, Gates};
use crate::log;

/// What distinguishes one controller's command line from another's.
#[derive(Debug, Clone, Copy)]
pub struct Binary {
    /// The controller's name, such as `source-controller`. Also its field manager, event source and lease prefix.
    pub name: &'static str,
    /// The default of `--concurrent`.
    pub concurrent: &'static str,
    /// The feature gates it knows, with their defaults.
    pub gates: &'static [Gate],
}

/// The flags of every controller. Flatten it into the controller's own.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = None)]
pub struct Options {
    /// Address of the Prometheus metrics.
    #[arg(long, default_value = ":8080", value_name = "ADDRESS")]
    pub metrics_addr: String,
    /// Address of the health probes.
    #[arg(long, default_value = ":9440", value_name = "ADDRESS")]
    pub health_addr: String,
    /// URL that events are posted to; none when empty.
    #[arg(long, default_value = "", value_name = "URL")]
    pub events_addr: String,
    /// How many objects of a kind are reconciled at once.
    #[arg(long, default_value = "4", value_name = "N")]
    pub concurrent: usize,
    /// Least severe level that is logged: trace, debug, info, error.
    #[arg(long, default_value = "info", value_name = "LEVEL")]
    pub log_level: log::Level,
    /// Form of the log: json, console.
    #[arg(long, default_value = "json", value_name = "ENCODING")]
    pub log_encoding: log::Encoding,
    /// Watch all namespaces; otherwise only that of the environment variable RUNTIME_NAMESPACE.
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub watch_all_namespaces: std::primitive::bool,
    /// Label selector of the Secrets and ConfigMaps whose changes start a run.
    #[arg(long, default_value = "reconcile.fluxcd.io/watch=Enabled", value_name = "SELECTOR")]
    pub watch_configs_label_selector: String,
    /// Elect a leader among the replicas; only it reconciles.
    #[arg(long, value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub enable_leader_election: std::primitive::bool,
    /// Give the lease back on shutdown.
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub leader_election_release_on_cancel: std::primitive::bool,
    /// How long others respect a lease that is not renewed.
    #[arg(long, default_value = "35s", value_name = "DURATION", value_parser = go_duration)]
    pub leader_election_lease_duration: Duration,
    /// How long the leader tries to renew before it gives up.
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = go_duration)]
    pub leader_election_renew_deadline: Duration,
    /// Time between attempts to acquire or renew the lease.
    #[arg(long, default_value = "5s", value_name = "DURATION", value_parser = go_duration)]
    pub leader_election_retry_period: Duration,
    /// Delay after the first failure of an object; it doubles with each further one.
    #[arg(long, default_value = "750ms", value_name = "DURATION", value_parser = go_duration)]
    pub min_retry_delay: Duration,
    /// Longest delay between failures of an object.
    #[arg(long, default_value = "15m", value_name = "DURATION", value_parser = go_duration)]
    pub max_retry_delay: Duration,
    /// Requests a second to an API server without priority and fairness.
    #[arg(long, default_value = "50", value_name = "QPS")]
    pub kube_api_qps: f32,
    /// Requests at once to an API server without priority and fairness.
    #[arg(long, default_value = "300", value_name = "N")]
    pub kube_api_burst: u32,
    /// Feature gates, as name=true|false, comma-separated; may be repeated.
    #[arg(long, value_name = "GATES", action = clap::ArgAction::Append, value_delimiter = ',')]
    pub feature_gates: Vec<String>,
    /// How many tokens of cloud identities are cached; 0 caches none.
    #[arg(long, default_value = "100", value_name = "N")]
    pub token_cache_max_size: usize,
    /// Longest time that a token is cached.
    #[arg(long, default_value = "1h", value_name = "DURATION", value_parser = go_duration)]
    pub token_cache_max_duration: Duration,
    /// ServiceAccount used for objects that name none.
    #[arg(long, default_value = "", value_name = "NAME")]
    pub default_service_account: String,
}

/// The flags of the controllers that run on intervals and may be sharded: all but notification-controller.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = None)]
pub struct IntervalOptions {
    /// Label selector of the objects to reconcile, for sharding.
    #[arg(long, default_value = "", value_name = "SELECTOR")]
    pub watch_label_selector: String,
    /// Percentage by which intervals vary at random, so that not all objects run at once; 0 to 99.
    #[arg(long, default_value = "5", value_name = "PERCENT")]
    pub interval_jitter_percentage: u8,
    /// Delay before an object whose dependency is not ready looks again.
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = go_duration)]
    pub requeue_dependency: Duration,
}

impl IntervalOptions {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// When the jitter is 100 % or more.
    pub fn validate(&self) -> Result<(), crate::Error> {
        if self.interval_jitter_percentage >= 100 {
            return Err(crate::Error::Flag {
                flag: "--interval-jitter-percentage",
                problem: format!("{} is not below 100", self.interval_jitter_percentage),
            });
        }
        Ok(())
    }
}

/// The flags of the controllers that bring what they fetched into clusters: kustomize- and helm-controller.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = None)]
pub struct ApplyOptions {
    /// How often a failed download is repeated.
    #[arg(long, default_value = "9", value_name = "N")]
    pub http_retry: u32,
    /// Refuse sources in other namespaces.
    #[arg(long, value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub no_cross_namespace_refs: bool,
    /// ServiceAccount for kubeconfigs that name none.
    #[arg(long, default_value = "", value_name = "NAME")]
    pub default_kubeconfig_service_account: String,
    /// Field manager whose fields are taken over; may be repeated.
    #[arg(long, value_name = "NAME", action = clap::ArgAction::Append, value_delimiter = ',')]
    pub override_manager: Vec<String>,
    /// Accepted for compatibility. Commands in kubeconfigs are never run.
    #[arg(long, value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub insecure_kubeconfig_exec: bool,
    /// Let kubeconfigs of Secrets switch certificate checks off.
    #[arg(long, value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub insecure_kubeconfig_tls: bool,
}

impl ApplyOptions {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// When there is a ServiceAccount for kubeconfigs without the gate that it needs.
    pub fn validate(&self, gates: &Gates) -> Result<(), crate::Error> {
        gates.account("--default-kubeconfig-service-account", &self.default_kubeconfig_service_account)
    }
}

/// Parses the process's command line, and exits when that asks for help, is wrong, or prints the version.
#[must_use]
pub fn parse<T: Parser>(binary: &Binary) -> T {
    try_parse(binary, std::env::args_os(), |name| std::env::var_os(name)).unwrap_or_else(|error| error.exit())
}

/// Parses a command line and an environment.
///
/// # Errors
/// With a text for the user: an unknown flag (with the nearest known one), a malformed value, or the help asked for.
pub fn try_parse<T: Parser>(
    binary: &Binary,
    args: impl IntoIterator<Item = OsString>,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<T, clap::Error> {
    let matches = command::<T>(binary, &environment).try_get_matches_from(args)?;
    T::from_arg_matches(&matches).map_err(|error| error.format(&mut command::<T>(binary, &environment)))
}

fn command<T: Parser>(binary: &Binary, environment: &impl Fn(&str) -> Option<OsString>) -> Command {
    let mut command = <T as CommandFactory>::command().name(binary.name).bin_name(binary.name);
    if command.get_arguments().any(|arg| arg.get_id() == "concurrent") {
        command = command.mut_arg("concurrent", |arg| arg.default_value(binary.concurrent));
    }
    // A flag of the command line wins over the environment, which wins over the default. The twin is put in as the
    // default instead of through clap, which reads the process's environment by itself.
    // As with Go's flags, the last occurrence of a flag counts; the feature gates merge.
    command.args_override_self(true).mut_args(|arg| match twin(&arg) {
        Some(name) => match environment(&name).filter(|value| !value.is_empty()) {
            Some(value) => documented(arg, &name).default_value(clap::builder::OsStr::from(value)),
            None => documented(arg, &name),
        },
        None => arg,
    })
}

/// The environment variable of a flag.
fn twin(arg: &Arg) -> Option<String> {
    match arg.get_long()? {
        "help" | "version" => None,
        // Flux's name for it.
        "storage-addr" => Some("STORAGE_ADDRESS".to_owned()),
        long => Some(long.replace('-', "_").to_uppercase()),
    }
}

fn documented(arg: Arg, name: &str) -> Arg {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    arg.help(format!("{help} [env: {name}]"))
}

/// A duration in Go's form, such as `1m30s`.
///
/// # Errors
/// When it is not one, or negative.
pub fn go_duration(text: &str) -> Result<Duration, String> {
    text.parse::<api::meta::Duration>().map(|duration| duration.to_std()).map_err(|error| error.to_string())
}

/// A boolean in any of Go's forms.
///
/// # Errors
/// When it is none of them.
pub fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("neither true nor false".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        options: Options,
        #[command(flatten)]
        intervals: IntervalOptions,
    }

    const BINARY: Binary =
        Binary { name: "test-controller", concurrent: "2", gates: &[Gate { name: "A", default: false }] };

    fn flags(args: &[&str], environment: &[(&str, &str)]) -> Result<Flags, clap::Error> {
        let args = std::iter::once("test-controller").chain(args.iter().copied()).map(OsString::from);
        try_parse(&BINARY, args, |name| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn defaults_are_those_of_flux() {
        let flags = flags(&[], &[]).unwrap();
        assert_eq!(flags.options.metrics_addr, ":8080");
        assert_eq!(flags.options.concurrent, 2);
        assert!(flags.options.watch_all_namespaces && !flags.options.enable_leader_election);
        assert_eq!(flags.options.min_retry_delay, Duration::from_millis(750));
        assert_eq!(flags.options.max_retry_delay, Duration::from_secs(900));
        assert_eq!(flags.intervals.interval_jitter_percentage, 5);
    }

    #[test]
    fn every_style_of_flag_works() {
        let flags = flags(
            &[
                "--concurrent=20",
                "--metrics-addr",
                ":9",
                "--enable-leader-election",
                "--watch-all-namespaces=false",
                "--concurrent=21",
                "--feature-gates=A=true",
                "--feature-gates=B=false,C=true",
            ],
            &[],
        )
        .unwrap();
        assert_eq!(flags.options.concurrent, 21);
        assert_eq!(flags.options.metrics_addr, ":9");
        assert!(flags.options.enable_leader_election && !flags.options.watch_all_namespaces);
        assert_eq!(flags.options.feature_gates, ["A=true", "B=false", "C=true"]);
    }

    #[test]
    fn the_environment_fills_in_and_the_command_line_wins() {
        let environment =
            [("METRICS_ADDR", ":1"), ("EVENTS_ADDR", "http://x/"), ("CONCURRENT", "7"), ("LOG_LEVEL", "")];
        let read = flags(&["--metrics-addr=:2"], &environment).unwrap();
        assert_eq!(read.options.metrics_addr, ":2");
        assert_eq!(read.options.events_addr, "http://x/");
        assert_eq!(read.options.concurrent, 7);
        let error = flags(&[], &[("CONCURRENT", "many")]).unwrap_err().to_string();
        assert!(error.contains("many") && error.contains("--concurrent"), "{error}");
    }

    #[test]
    fn mistakes_are_told() {
        let error = flags(&["--concurent=3"], &[]).unwrap_err().to_string();
        assert!(error.contains("--concurrent"), "{error}");
        assert_eq!(flags(&["--nonsense"], &[]).unwrap_err().exit_code(), 2);
        assert!(flags(&["--watch-all-namespaces=maybe"], &[]).is_err());
        assert!(flags(&["--min-retry-delay=5"], &[]).is_err());
        assert!(flags(&["--log-level=loud"], &[]).is_err());
        let over = flags(&["--interval-jitter-percentage=100"], &[]).unwrap();
        assert!(over.intervals.validate().is_err());
    }
}

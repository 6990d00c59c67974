//! The command line of kustomize-controller.

use clap::{Args, Parser, Subcommand};
use runtime::CommandLine;
use runtime::gates::{Gate, Gates};
use runtime::options::{ApplyOptions, Binary, IntervalOptions, Options, go_bool};

use crate::command;

/// The feature gates and their defaults.
pub const GATES: &[Gate] = &[
    Gate { name: "AdditiveCELDependencyCheck", default: false },
    Gate { name: "CacheSecretsAndConfigMaps", default: false },
    Gate { name: "CancelHealthCheckOnNewRevision", default: false },
    Gate { name: "DirectSourceFetch", default: false },
    Gate { name: "DisableConfigWatchers", default: false },
    Gate { name: "DisableFailFastBehavior", default: false },
    Gate { name: "DisableStatusPollerCache", default: true },
    Gate { name: "ExternalArtifact", default: false },
    Gate { name: "GroupChangeLog", default: false },
    Gate { name: "MigrateAPIVersion", default: false },
    Gate { name: "ObjectLevelWorkloadIdentity", default: false },
    Gate { name: "StrictPostBuildSubstitutions", default: true },
];

/// What sets this controller apart.
pub const BINARY: Binary = Binary { name: "kustomize-controller", concurrent: "4", gates: GATES };

/// Builds Kustomizations and keeps clusters equal to them.
#[derive(Debug, Clone, Parser)]
#[command(version, about, disable_help_subcommand = true, args_conflicts_with_subcommands = true)]
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
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Prints what a directory builds to, like `kustomize build`.
    Build(command::build::Arguments),
    /// Shows what applying a Kustomization would change in the cluster.
    Diff(command::diff::Arguments),
}

/// Flags that only this controller has.
#[derive(Debug, Clone, Args)]
pub struct Own {
    /// How many dry-run requests one Kustomization keeps in flight.
    #[arg(long, default_value = "4", value_name = "N")]
    pub concurrent_ssa: usize,
    /// Refuse bases and resources that are not in the artifact.
    #[arg(long, value_name = "BOOL", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub no_remote_bases: bool,
    /// ServiceAccount for decryption of Kustomizations that name none.
    #[arg(long, default_value = "", value_name = "NAME")]
    pub default_decryption_service_account: String,
    /// Secret in the controller's namespace with age keys for Kustomizations that name none.
    #[arg(long, default_value = "", value_name = "NAME")]
    pub sops_age_secret: String,
    /// ConfigMap in the controller's namespace that lists Vault instances.
    #[arg(long, default_value = "", value_name = "NAME")]
    pub sops_vault_configmap: String,
    /// Kinds applied in a stage of their own, as group/Kind, comma-separated.
    #[arg(long, default_value = "", value_name = "KINDS")]
    pub custom_apply_stage_kinds: String,
}

impl CommandLine for Flags {
    fn options(&self) -> &Options {
        &self.common
    }

    fn intervals(&self) -> Option<&IntervalOptions> {
        Some(&self.intervals)
    }
}

impl Flags {
    /// Checks what the types cannot, and reads the gates.
    ///
    /// # Errors
    /// A flag or gate that cannot work, or two that contradict each other.
    pub fn validate(&self) -> Result<(Gates, object::CustomStages), Error> {
        self.intervals.validate()?;
        let gates = Gates::new(GATES, &self.common.feature_gates)?;
        let stages = object::CustomStages::parse(&self.own.custom_apply_stage_kinds)?;
        self.apply.validate(&gates)?;
        gates
            .account("--default-decryption-service-account", &self.own.default_decryption_service_account)?;
        Ok((gates, stages))
    }
}

/// Why the command line cannot work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A shared flag or gate.
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
    /// `--custom-apply-stage-kinds`.
    #[error("--custom-apply-stage-kinds: {0}")]
    Stages(#[from] object::Error),
    /// The HTTP client could not be made.
    #[error("cannot make the HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Flags {
        let args = std::iter::once("kustomize-controller").chain(args.iter().copied()).map(Into::into);
        runtime::options::try_parse(&BINARY, args, |_| None).unwrap()
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
            "--no-remote-bases=true",
            "--override-manager=a",
            "--override-manager=b",
        ]);
        assert!(flags.apply.no_cross_namespace_refs && flags.own.no_remote_bases && flags.command.is_none());
        assert_eq!((flags.common.concurrent, flags.own.concurrent_ssa, flags.apply.http_retry), (4, 4, 9));
        assert_eq!(flags.apply.override_manager, ["a", "b"]);
        assert!(flags.validate().is_ok());
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let error = |args: &[&str]| parse(args).validate().unwrap_err().to_string();
        assert_eq!(error(&["--feature-gates=Nope=true"]), "feature-gate 'Nope' not supported");
        assert!(error(&["--custom-apply-stage-kinds=x"]).contains("expected group/Kind"));
        assert!(error(&["--default-decryption-service-account=x"]).contains("ObjectLevelWorkloadIdentity"));
        let both =
            ["--default-decryption-service-account=x", "--feature-gates=ObjectLevelWorkloadIdentity=true"];
        assert!(parse(&both).validate().is_ok());
    }
}

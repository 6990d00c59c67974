//! The command line.

use std::path::PathBuf;

use clap::Args;

use super::Problem;
use crate::command::values::ValueFlags;

/// Renders a chart on this machine: nothing is asked of a cluster or a repository. The objects go to standard output in
/// the order in which Helm would install them, hooks last; remarks and errors go to standard error.
#[derive(Args, Debug)]
#[command(
    args_override_self = true,
    after_help = "Examples:\n  \
    helm-controller template shop ./chart -f values.yaml --set image.tag=1.2 --namespace shop\n  \
    helm-controller template shop chart-1.0.0.tgz --kube-version 1.33 -a monitoring.coreos.com/v1 --include-crds\n  \
    helm-controller template shop ./chart --show-only 'templates/*-service.yaml'\n  \
    helm-controller template shop ./chart --output-dir rendered --release-name\n\n\
    The other flags of `helm template` are accepted where they change nothing without a cluster, and refused with what to\n\
    do instead where they would need a cluster, a repository or another program."
)]
pub struct Arguments {
    /// [NAME] CHART: name of the release (default: release-name), and a folder or an archive
    #[arg(required = true, num_args = 1..=2, value_names = ["NAME", "CHART"])]
    pub names: Vec<String>,
    /// Namespace of the release
    #[arg(short, long, default_value = "default")]
    pub namespace: String,
    #[command(flatten)]
    pub values: ValueFlags,
    /// Kubernetes version that templates see
    #[arg(long, value_name = "VERSION")]
    pub kube_version: Option<String>,
    /// Further API versions that templates see; separated by commas or repeated
    #[arg(short, long, value_name = "VERSION", value_delimiter = ',')]
    pub api_versions: Vec<String>,
    /// Print the custom resource definitions in crds/, too
    #[arg(long)]
    pub include_crds: bool,
    /// Print only what these templates make: paths within the chart, or patterns; may be repeated
    #[arg(short, long, value_name = "PATH")]
    pub show_only: Vec<String>,
    /// Write a file for each template into this folder instead of printing; names them on standard output
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// With --output-dir: put the files into a folder with the release's name
    #[arg(long)]
    pub release_name: bool,
    /// Set .Release.IsUpgrade instead of .Release.IsInstall
    #[arg(long)]
    pub is_upgrade: bool,
    /// Print no hooks
    #[arg(long)]
    pub no_hooks: bool,
    /// Print no test hooks
    #[arg(long)]
    pub skip_tests: bool,
    /// Do not check the values against the schemas
    #[arg(long)]
    pub skip_schema_validation: bool,
    /// Let templates ask DNS (getHostByName); otherwise they get an empty text
    #[arg(long)]
    pub enable_dns: bool,
    /// Leave NAME out; the release is called release-name, as Helm has it
    #[arg(short, long)]
    pub generate_name: bool,
    /// Leave NAME out; a template makes it, for example "{{ randAlpha 6 | lower }}"
    #[arg(long, value_name = "TEMPLATE")]
    pub name_template: Option<String>,
    /// When a rendered file is no YAML, print all files as they are before the error
    #[arg(long)]
    pub debug: bool,
    /// Cut files into documents as Helm 4.2.1 does, which the controller's manifests keep; default: as Helm 4.2.4
    #[arg(long)]
    pub loose_separators: bool,
    #[command(flatten)]
    ignored: Ignored,
    #[command(flatten)]
    refused: Refused,
}

/// What changes nothing without a cluster and with a chart on the disk.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are flags")]
struct Ignored {
    #[arg(long, hide = true)]
    skip_crds: bool,
    #[arg(long, hide = true, value_name = "TEXT")]
    description: Option<String>,
    #[arg(short, long, hide = true, value_name = "PAIRS")]
    labels: Vec<String>,
    #[arg(long, hide = true)]
    create_namespace: bool,
    #[arg(long, hide = true)]
    disable_openapi_validation: bool,
    #[arg(long, hide = true, alias = "force", alias = "force-replace")]
    force_conflicts: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, value_name = "BOOL")]
    server_side: Option<Option<String>>,
    #[arg(long, hide = true)]
    replace: bool,
    #[arg(long, hide = true, value_name = "DURATION")]
    timeout: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, value_name = "STRATEGY")]
    wait: Option<Option<String>>,
    #[arg(long, hide = true)]
    wait_for_jobs: bool,
    #[arg(long, hide = true, alias = "atomic")]
    rollback_on_failure: bool,
    #[arg(long, hide = true)]
    take_ownership: bool,
    #[arg(long, hide = true, alias = "render-subchart-notes")]
    hide_notes: bool,
    /// The version of a chart on the disk is what it is.
    #[arg(long, hide = true, value_name = "RANGE")]
    version: Option<String>,
    #[arg(long, hide = true)]
    devel: bool,
    /// Only used by Helm when dependencies are missing, which is an error here.
    #[arg(long, hide = true)]
    dependency_update: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, value_name = "WHERE")]
    dry_run: Option<Option<String>>,
}

/// What needs a cluster, a repository or another program.
#[derive(Args, Debug)]
struct Refused {
    #[arg(long, hide = true)]
    validate: bool,
    #[arg(long, hide = true, value_name = "URL")]
    repo: Option<String>,
    #[arg(long, hide = true)]
    verify: bool,
    #[arg(long, hide = true, value_name = "NAME")]
    post_renderer: Option<String>,
    #[arg(long, hide = true, value_name = "TEXT")]
    post_renderer_args: Vec<String>,
}

impl Arguments {
    /// Whether Helm would have fetched what is missing.
    pub fn dependency_update(&self) -> bool {
        self.ignored.dependency_update
    }

    /// The first flag that asks for something that is not here.
    pub fn refuse(&self) -> Result<(), Problem> {
        let refused = [
            (
                self.refused.validate,
                "--validate",
                "there is no cluster to ask; use `kubectl apply --dry-run=server`",
            ),
            (
                self.refused.repo.is_some(),
                "--repo",
                "charts are read from this machine; download it with `helm pull` and give its path",
            ),
            (self.refused.verify, "--verify", "signatures are not checked; use `helm verify`"),
            (
                self.refused.post_renderer.is_some() || !self.refused.post_renderer_args.is_empty(),
                "--post-renderer",
                "it would run another program; pipe the output into that program instead",
            ),
        ];
        if let Some((_, flag, why)) = refused.into_iter().find(|(given, ..)| *given) {
            return Err(Problem::Refused { flag, why });
        }
        match self.ignored.dry_run.as_ref().map(|given| given.as_deref().unwrap_or("true")) {
            None | Some("client" | "unset" | "true" | "TRUE" | "True" | "t" | "T" | "1") => Ok(()),
            Some(other) => Err(Problem::DryRun(other.to_owned())),
        }
    }

    /// Labels must not be those that Helm sets.
    pub fn check_labels(&self) -> Result<(), Problem> {
        let pairs = self.ignored.labels.iter().flat_map(|text| text.split(','));
        let labels = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(chart::check_labels(&labels)?)
    }
}

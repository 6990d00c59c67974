//! `helm-controller diff`: what the controller would do next about a HelmRelease, and what that would change in the cluster.
//! Reads and dry runs only.

mod confidential;
mod output;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ::release::drift::ObjectDrift;
use api::helm::{DriftDetectionMode, HelmRelease};
use apply::{Policy, Targets};
use chart::{Chart, Release};
use clap::Args;
use kube::ResourceExt as _;
use runtime::{Clients, Key, Recorder};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::disk;
use crate::act::{self, Planned};
use crate::flags::{BINARY, Flags};
use crate::helmrelease::{
    Action, Ahead, Attempt, Behaviour, Charts, Foreseen, Foresight, Identities, MANAGER, Turn,
};
use crate::run;

use confidential::Confidential;
use output::Output;

/// Arguments of `diff`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  \
    # What would the next reconciliation do, and has anything drifted?\n  \
    helm-controller diff podinfo -n apps\n\n  \
    # What would this change to the HelmRelease do, before it is merged?\n  \
    helm-controller diff -f apps/podinfo.yaml\n\n  \
    # What would this version of the chart do, which is not released yet?\n  \
    helm-controller diff podinfo -n apps --chart ./charts/podinfo\n\n\
    Exit codes: 0 nothing would change, 1 something would, 2 it is not known: the error is on standard error.\n\
    The environment variables of the controller's flags count, such as FEATURE_GATES, DEFAULT_SERVICE_ACCOUNT and\n\
    SOURCE_CONTROLLER_LOCALHOST: set them as they are set for the controller.")]
pub struct Arguments {
    /// Name of the HelmRelease
    #[arg(required_unless_present = "file")]
    pub name: Option<String>,
    /// Its namespace, unless the file says so
    #[arg(short, long, default_value = "flux-system", value_name = "NAMESPACE")]
    pub namespace: String,
    /// Take the HelmRelease from this file instead of the cluster; of several in it, the one called NAME
    #[arg(short, long, visible_alias = "helmrelease-file", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Use the chart in this folder or archive instead of the one that the source has made
    #[arg(long, value_name = "PATH")]
    pub chart: Option<PathBuf>,
    /// Kubeconfig of the cluster [default: KUBECONFIG, else ~/.kube/config, else the cluster that this runs in]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// Runs the command: exit code 0 when nothing would change, 1 when something would.
///
/// # Errors
/// The text for the user.
pub fn run(arguments: &Arguments, flags: &Flags) -> Result<ExitCode, String> {
    runtime::process::command(Box::pin(diff(arguments, flags)))
}

async fn diff(arguments: &Arguments, flags: &Flags) -> Result<ExitCode, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    // What is on this machine comes first: mistakes in it need no cluster.
    let chart = arguments.chart.as_deref().map(local_chart).transpose()?;
    let written = arguments.file.as_deref().map(|file| read(file, arguments.name.as_deref())).transpose()?;
    let gates = flags.gates().map_err(|error| text(&error))?;
    let metrics = runtime::metrics::Metrics::default();
    let place = (arguments.kubeconfig.as_deref(), arguments.context.as_deref());
    let clients = Clients::connect_to(BINARY.name, place.0, place.1, &flags.common, &metrics).await;
    let clients = clients.map_err(|error| text(&error))?;
    let client = clients.own().clone();
    let object = match written {
        Some(value) => as_applied(&client, value, &arguments.namespace).await?,
        None => {
            let key = Key::new(&arguments.namespace, arguments.name.as_deref().unwrap_or_default());
            get(&client, &key).await?.ok_or_else(|| format!("HelmRelease/{key} not found"))?
        }
    };
    let stop = CancellationToken::new();
    let targets = Targets::new(Policy::new(MANAGER, api::helm::GROUP), std::sync::Arc::new(|_| ()));
    let foresight = Foresight {
        client: client.clone(),
        identities: Identities::new(
            clients,
            targets,
            &flags.common.default_service_account,
            run::allow(flags, &gates),
        ),
        charts: Charts::new(run::fetcher_with(flags, 0).map_err(|error| text(&error))?),
        // A gate that lets sources in changes nothing about what would become of the release.
        behaviour: Behaviour { external_artifact: true, ..run::behaviour(flags, &gates) },
        events: Recorder::start(client, BINARY.name, "", &metrics, &stop),
    };
    let foreseen = Box::pin(foresight.foresee(object, chart)).await?;
    let outcome = Box::pin(tell(&foreseen, arguments.chart.is_some())).await;
    stop.cancel();
    outcome
}

/// Prints what lies ahead.
async fn tell(foreseen: &Foreseen, own_chart: bool) -> Result<ExitCode, String> {
    let Foreseen { attempt, turns, last, .. } = foreseen;
    let output = Output::new(attempt, Confidential::new(&foreseen.confidential));
    for remark in &foreseen.remarks {
        output.remark(remark);
    }
    let drift = drift(attempt, last.as_ref(), &output).await;
    let drifts = drift.iter().any(ObjectDrift::is_drift);
    let mut differs = drifts;
    let mut refused = 0;
    for turn in turns {
        let corrects = drifts && turn.ahead == Ahead::Rest && mode(attempt) == DriftDetectionMode::Enabled;
        differs |= !matches!(turn.ahead, Ahead::Rest | Ahead::GiveUp(_) | Ahead::NoTarget);
        output.turn(turn, corrects);
        if let Some(planned) = plan(attempt, turn, own_chart).await.map_err(|text| output.hide(&text))? {
            let unnoticed = turn.ahead == Ahead::Rest;
            if unnoticed && same_manifest(&planned, turn.last.as_ref()) {
                continue;
            }
            if unnoticed {
                output.remark(
                    "the chart makes other objects than the release has, but has the same name and version, so the controller would not notice: give it another version",
                );
            }
            differs = true;
            refused += output.plan(&planned, turn.last.as_ref(), attempt);
        }
    }
    output.drift(&drift, last.as_ref(), mode(attempt));
    if refused > 0 {
        return Err(format!("the API server refuses {refused} object(s)"));
    }
    Ok(if differs { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What a turn would do. A chart from this machine is looked at even where the controller would not see that it changed.
async fn plan(attempt: &Attempt, turn: &Turn, own_chart: bool) -> Result<Option<Planned>, String> {
    let action = match turn.ahead {
        Ahead::Run(action) => action,
        Ahead::Rest if own_chart => Action::Upgrade,
        _ => return Ok(None),
    };
    Box::pin(act::plan(action, attempt, &turn.status, turn.last.clone())).await.map(Some)
}

fn same_manifest(planned: &Planned, last: Option<&Release>) -> bool {
    let planned = planned.plan.as_ref().map(|plan| (&plan.release.manifest, hooks(&plan.release)));
    planned == last.map(|last| (&last.manifest, hooks(last)))
}

fn hooks(release: &Release) -> Vec<(&str, &str)> {
    release.hooks.iter().map(|hook| (hook.path.as_str(), hook.manifest.as_str())).collect()
}

/// What of the current release differs in the cluster, whether or not the controller looks.
async fn drift(attempt: &Attempt, last: Option<&Release>, output: &Output) -> Vec<ObjectDrift> {
    let Some(last) = last.filter(|last| last.info.status == chart::Status::Deployed) else {
        return Vec::new();
    };
    match Box::pin(act::drift::look(attempt, last)).await {
        Ok(drift) => drift,
        Err(error) => {
            output.remark(&format!("drift cannot be told: {error}"));
            Vec::new()
        }
    }
}

fn mode(attempt: &Attempt) -> DriftDetectionMode {
    attempt.release.spec.drift_detection.as_ref().and_then(|drift| drift.mode).unwrap_or_default()
}

fn local_chart(path: &Path) -> Result<Chart, String> {
    let problem = |error: super::template::Problem| format!("--chart: {error}");
    disk::load(&disk::locate(path).map_err(problem)?).map_err(problem)
}

async fn get(client: &kube::Client, key: &Key) -> Result<Option<HelmRelease>, String> {
    let path = runtime::client::object_path::<HelmRelease>(key);
    runtime::client::get::<HelmRelease>(client, &path).await.map_err(|error| error.to_string())
}

/// The HelmRelease in a file.
fn read(file: &Path, name: Option<&str>) -> Result<Value, String> {
    let problem = |text: &dyn std::fmt::Display| format!("{}: {text}", file.display());
    let bytes = std::fs::read(file).map_err(|error| problem(&error))?;
    let documents = yaml::read_all(&bytes, yaml::Profile::V2, &yaml::ReadLimits::default());
    let mut found = Vec::new();
    for document in documents.map_err(|error| problem(&error))? {
        let value = document.to_json().map_err(|error| problem(&error))?;
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let is_one = text("/kind") == Some("HelmRelease")
            && text("/apiVersion").is_some_and(|version| version.starts_with("helm.toolkit.fluxcd.io/"));
        if is_one && name.is_none_or(|name| text("/metadata/name") == Some(name)) {
            found.push(value);
        }
    }
    let called = name.map(|name| format!(" called {name}")).unwrap_or_default();
    match (found.pop(), found.len()) {
        (Some(value), 0) => Ok(value),
        (None, _) => Err(problem(&format!("no HelmRelease{called} in it"))),
        (Some(_), more) => {
            Err(problem(&format!("{} HelmReleases{called} in it: name one of them", more + 1)))
        }
    }
}

/// A HelmRelease as it would be in the cluster once it is applied: with the API server's defaults and checks, its next
/// generation, and the status of the one that is there.
async fn as_applied(client: &kube::Client, mut value: Value, namespace: &str) -> Result<HelmRelease, String> {
    let written: HelmRelease = serde_json::from_value(value.clone())
        .map_err(|error| format!("the HelmRelease cannot be read: {error}"))?;
    let key = Key::new(written.namespace().as_deref().unwrap_or(namespace), &written.name_any());
    let there = get(client, &key).await?;
    let metadata = value.get_mut("metadata").and_then(Value::as_object_mut);
    let metadata = metadata.ok_or("the HelmRelease has no metadata")?;
    metadata.insert("namespace".to_owned(), key.namespace().into());
    metadata.remove("managedFields");
    let (verb, method, path) = match &there {
        Some(there) => {
            metadata
                .insert("resourceVersion".to_owned(), there.resource_version().unwrap_or_default().into());
            metadata.insert("finalizers".to_owned(), serde_json::json!(there.finalizers()));
            ("update", http::Method::PUT, runtime::client::object_path::<HelmRelease>(&key))
        }
        None => {
            metadata.remove("resourceVersion");
            let path = runtime::client::collection_path::<HelmRelease>(Some(key.namespace()));
            ("create", http::Method::POST, path)
        }
    };
    let uri = format!("{path}?dryRun=All&fieldManager={MANAGER}&fieldValidation=Warn");
    let body = value.to_string().into_bytes();
    let sent = runtime::client::send(client, verb, method, &uri, Some("application/json"), body).await;
    let text = sent.map_err(|error| format!("HelmRelease/{key} dry-run failed: {error}"))?;
    serde_json::from_str(&text).map_err(|error| format!("HelmRelease/{key}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn the_helm_release_in_a_file() {
        let one = |name: &str| {
            format!(
                "---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: {name}}}\n"
            )
        };
        let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
        let found = |text: &str, name: Option<&str>| {
            let file = file(text);
            let found = read(file.path(), name).map(|value| value["metadata"]["name"].clone());
            found.map_err(|error| error.rsplit(": ").next().unwrap().to_owned())
        };
        assert_eq!(found(&format!("{other}{}", one("a")), None).unwrap(), "a");
        let two = one("a") + &one("b");
        assert_eq!(found(&two, Some("b")).unwrap(), "b");
        assert_eq!(found(&two, None).unwrap_err(), "name one of them");
        assert_eq!(found(&two, Some("c")).unwrap_err(), "no HelmRelease called c in it");
        assert_eq!(found(other, None).unwrap_err(), "no HelmRelease in it");
        assert!(read(Path::new("/no/such/file"), None).unwrap_err().starts_with("/no/such/file: "));
    }
}

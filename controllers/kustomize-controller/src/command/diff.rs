//! `kustomize-controller diff`: what applying a Kustomization would change in the cluster. Reads and dry-runs only.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use api::kustomize::Kustomization;
use apply::FieldChange;
use clap::Args;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::discovery::{Discovery, Scope};
use kube::{Api, Client, core::GroupVersionKind};
use kustomize::{DiskFileSystem, FileSystem, Options};
use object::{InventoryEntry, ObjectRef, Owner, OwnerLabels, Switches};
use runtime::{Clients, Key};
use serde_json::Value;

use crate::flags::{BINARY, Flags};
use crate::kustomization::{
    BuildSettings, Files, Source, Sources, build, locate, read_variables, source_namespace,
};
use crate::run;

/// The field manager of every apply.
const MANAGER: &str = "kustomize-controller";
/// Key prefix of the owner labels.
const GROUP: &str = "kustomize.toolkit.fluxcd.io";

/// Arguments of `diff`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// Name of the Kustomization in the cluster.
    #[arg(required_unless_present = "kustomization_file")]
    pub name: Option<String>,
    /// Its namespace.
    #[arg(short, long, default_value = "flux-system", value_name = "NAMESPACE")]
    pub namespace: String,
    /// Build this local directory instead of the source's artifact.
    #[arg(long, value_name = "DIR")]
    pub path: Option<PathBuf>,
    /// Take the Kustomization from this file instead of the cluster.
    #[arg(long, value_name = "FILE")]
    pub kustomization_file: Option<PathBuf>,
}

/// Runs the command: exit code 0 when nothing would change, 1 when something would.
///
/// # Errors
/// The text for the user.
pub fn run(arguments: &Arguments, flags: &Flags) -> Result<ExitCode, String> {
    runtime::process::command(diff(arguments, flags))
}

async fn diff(arguments: &Arguments, flags: &Flags) -> Result<ExitCode, String> {
    let text = |error: runtime::Error| error.to_string();
    let metrics = runtime::metrics::Metrics::default();
    let clients = Clients::connect(BINARY.name, &flags.common, &metrics).await.map_err(text)?;
    let client = clients.own().clone();
    let object = subject(&client, arguments).await?;
    let objects = desired(&client, &object, arguments, flags).await?;
    let discovery = Discovery::new(client.clone())
        .run_aggregated()
        .await
        .map_err(|error| format!("discovery failed: {error}"))?;
    let mut differs = false;
    let mut now = Vec::new();
    for desired in &objects {
        let (identity, line) = compare(&client, &discovery, desired).await?;
        now.push(InventoryEntry::of(&identity));
        if let Some((action, changes)) = line {
            differs |= action != "skipped";
            println!("► {identity} {action}");
            for change in changes {
                println!("    {change}");
            }
        }
    }
    if object.spec.prune {
        let inventory =
            object.status.iter().filter_map(|status| status.inventory.as_ref()).flat_map(|i| &i.entries);
        let owned: Vec<InventoryEntry> = inventory
            .map(|entry| InventoryEntry { id: entry.id.clone(), version: entry.v.clone() })
            .collect();
        for gone in object::difference(&owned, &now) {
            let identity = gone.parse().map_err(|error| error.to_string())?;
            differs = true;
            println!("► {identity} deleted");
        }
    }
    Ok(if differs { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn subject(client: &Client, arguments: &Arguments) -> Result<Kustomization, String> {
    if let Some(file) = &arguments.kustomization_file {
        let mut object = super::build::read(file)?;
        object.metadata.namespace.get_or_insert_with(|| arguments.namespace.clone());
        return Ok(object);
    }
    let name = arguments.name.as_deref().unwrap_or_default();
    let path = runtime::client::object_path::<Kustomization>(&Key::new(&arguments.namespace, name));
    let found =
        runtime::client::get::<Kustomization>(client, &path).await.map_err(|error| error.to_string())?;
    found.ok_or_else(|| format!("Kustomization/{}/{name} not found", arguments.namespace))
}

/// The objects as they would be sent.
async fn desired(
    client: &Client,
    object: &Kustomization,
    arguments: &Arguments,
    flags: &Flags,
) -> Result<Vec<Value>, String> {
    let (gates, _) = flags.validate().map_err(|error| error.to_string())?;
    let namespace = object.metadata.namespace.clone().unwrap_or_default();
    let substitution = read_variables(client, &namespace, object.spec.post_build.as_ref()).await?;
    let network = super::build::Network::new(Some(tokio::runtime::Handle::current()));
    let settings = BuildSettings {
        spec: &object.spec,
        variables: substitution.as_ref().map(|substitution| &substitution.values),
        unset: run::unset(&gates),
        options: &Options::default(),
        remotes: (!flags.own.no_remote_bases).then_some(&network.remotes),
    };
    let (files, root): (Box<dyn FileSystem>, String) = match &arguments.path {
        Some(path) => {
            let path = std::fs::canonicalize(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let files = DiskFileSystem::open("/").map_err(|error| error.to_string())?;
            (Box::new(files), path.to_string_lossy().trim_start_matches('/').to_owned())
        }
        None => {
            let sources = Sources::new(client.clone(), true, true);
            let reference = &object.spec.source_ref;
            let key = Key::new(source_namespace(object), &reference.name);
            let artifact = match sources.get(reference.kind, &key).await {
                Source::Produced(artifact) => artifact,
                Source::Missing => return Err(format!("{}/{key} not found", reference.kind)),
                Source::WithoutArtifact => {
                    return Err(format!("{}/{key} has no artifact yet", reference.kind));
                }
                Source::Unreadable(why) => return Err(format!("{}/{key}: {why}", reference.kind)),
            };
            let fetcher = run::fetcher(0).map_err(|error| error.to_string())?;
            let wanted = artifact::Reference { url: artifact.url, digest: artifact.digest };
            let tree = fetcher.fetch(&wanted).await.map_err(|error| error.to_string())?;
            let root = locate(&tree, object.spec.path.as_deref()).map_err(|error| error.to_string())?;
            (Box::new(Files(Arc::clone(&tree))), root)
        }
    };
    // A build waits for what it fetches.
    let built = tokio::task::block_in_place(|| build(files.as_ref(), &root, &settings));
    let built = built.map_err(|error| error.to_string())?;
    for warning in &built.warnings {
        eprintln!("# Warning: {warning}");
    }
    let owner = Owner { namespace, name: object.metadata.name.clone().unwrap_or_default() };
    let keys = OwnerLabels::of_group(GROUP);
    let common = object.spec.common_metadata.clone().unwrap_or_default();
    let pairs = |map: &std::collections::BTreeMap<String, String>| -> Vec<(String, String)> {
        map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let (labels, annotations) = (pairs(&common.labels), pairs(&common.annotations));
    let mut objects = built.objects;
    for object in &mut objects {
        object::normalise(object);
        object::set_common_metadata(
            object,
            labels.iter().map(|(key, value)| (key.as_str(), value.as_str())),
            annotations.iter().map(|(key, value)| (key.as_str(), value.as_str())),
        );
        object::set_owner_labels(object, &keys, &owner);
        object::drop_invalid_ca_bundle(object);
    }
    Ok(objects)
}

/// What would happen to one object: its identity in the cluster, and unless it is as desired, a word and the fields.
async fn compare(
    client: &Client,
    discovery: &Discovery,
    desired: &Value,
) -> Result<(ObjectRef, Option<(&'static str, Vec<FieldChange>)>), String> {
    let mut identity = ObjectRef::of(desired).map_err(|error| error.to_string())?;
    let gvk = GroupVersionKind::gvk(&identity.gvk.group, &identity.gvk.version, &identity.gvk.kind);
    let Some((resource, capabilities)) = discovery.resolve_gvk(&gvk) else {
        // Its definition may be among the objects to come.
        return Ok((identity, Some(("created", Vec::new()))));
    };
    let api = api(client, &resource, &capabilities.scope, &mut identity);
    let live = api.get_opt(&identity.name).await.map_err(|error| format!("{identity}: {error}"))?;
    let live = live.map(|live| serde_json::to_value(live).map_err(|error| error.to_string())).transpose()?;
    let switches = Switches::of(desired, GROUP);
    let live_switches = live.as_ref().map(|live| Switches::of(live, GROUP)).unwrap_or_default();
    if switches.apply_disabled() || live_switches.apply_disabled() {
        return Ok((identity, Some(("skipped", Vec::new()))));
    }
    let mut parameters = PatchParams::apply(MANAGER).force();
    parameters.dry_run = true;
    let next = match api.patch(&identity.name, &parameters, &Patch::Apply(desired)).await {
        Ok(next) => serde_json::to_value(next).map_err(|error| error.to_string())?,
        // The namespace may be among the objects to come.
        Err(kube::Error::Api(status)) if status.code == 404 && live.is_none() => {
            return Ok((identity, Some(("created", Vec::new()))));
        }
        Err(error) => {
            let text = format!("{identity} dry-run failed: {error}");
            return Err(if identity.gvk.is("", "Secret") { object::mask_text(&text, desired) } else { text });
        }
    };
    Ok(match live {
        None => (identity, Some(("created", Vec::new()))),
        Some(live) => {
            let changes = apply::changes(&live, &next);
            let drifted = !changes.is_empty();
            (identity, drifted.then_some(("drifted", changes)))
        }
    })
}

fn api(
    client: &Client,
    resource: &ApiResource,
    scope: &Scope,
    identity: &mut ObjectRef,
) -> Api<DynamicObject> {
    match scope {
        Scope::Cluster => {
            identity.namespace.clear();
            Api::all_with(client.clone(), resource)
        }
        Scope::Namespaced => {
            if identity.namespace.is_empty() {
                "default".clone_into(&mut identity.namespace);
            }
            Api::namespaced_with(client.clone(), &identity.namespace, resource)
        }
    }
}

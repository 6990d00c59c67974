//! Custom resource definitions in `crds/`: the controller's step before an install or an upgrade.

use std::collections::BTreeMap;
use std::time::Duration;

use apply::Accept;
use chart::{Chart, Table, Warnings};
use object::Owner;
use serde_json::Value;

use crate::action::Method;
use crate::cluster::Cluster;
use crate::error::Error;
use crate::objects::{Built, metadata, read, resolve};
use crate::ownership::set;
use crate::wait::{Jobs, Strategy, Waiting};
use crate::write::{Conflicts, Migrate, masked};

/// What is done with definitions.
#[derive(Debug, Clone)]
pub struct CrdOptions {
    /// Which ones are written.
    pub policy: CrdPolicy,
    /// How.
    pub method: Method,
    /// Labels that each gets.
    pub labels: BTreeMap<String, String>,
    /// How to wait until they are served: the strategy and the cancellation count, the time is always 60 s.
    pub waiting: Waiting,
}

/// Which definitions of a chart are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CrdPolicy {
    /// None.
    Skip,
    /// Those that are not there.
    #[default]
    Create,
    /// All. None is ever deleted.
    CreateReplace,
}

/// How long definitions may take to be served.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes the definitions of a chart and of its enabled sub-charts, and waits until they are served. Gives how many were
/// written. The dependencies of the chart are processed on the way.
///
/// # Errors
/// A definition that cannot be read or written, or is not served in time.
pub async fn apply_crds(
    cluster: &Cluster,
    chart: &mut Chart,
    values: &Table,
    options: &CrdOptions,
    warnings: &mut Warnings,
) -> Result<usize, Error> {
    let definitions = definitions(cluster, chart, values, options, warnings).await?;
    let mut written: Vec<(Built, Value)> = Vec::new();
    for definition in definitions {
        if let Some(live) = write(cluster, &definition, options).await? {
            written.push((definition, live));
        }
    }
    if written.is_empty() {
        return Ok(0);
    }
    let waiting = Waiting { timeout: PATIENCE, jobs: Jobs::Started, ..options.waiting.clone() };
    // Charts that have hooks only waited for still need their kinds.
    let waiting = match waiting.strategy {
        Strategy::HooksOnly => Waiting { strategy: Strategy::Watch, ..waiting },
        _ => waiting,
    };
    let owner = Owner { namespace: String::new(), name: chart.name().to_owned() };
    let pairs: Vec<(&Built, &Value)> = written.iter().map(|(built, live)| (built, live)).collect();
    waiting
        .ready(cluster, &owner, &pairs)
        .await
        .map_err(|error| error.during("failed to wait for CustomResourceDefinition(s)"))?;
    cluster.mapping().invalidate();
    Ok(written.len())
}

/// The definitions of a chart as they are to be written; none when the policy is to write none. The dependencies of the
/// chart are processed on the way.
pub(crate) async fn definitions(
    cluster: &Cluster,
    chart: &mut Chart,
    values: &Table,
    options: &CrdOptions,
    warnings: &mut Warnings,
) -> Result<Vec<Built>, Error> {
    if chart.crds().is_empty() || options.policy == CrdPolicy::Skip {
        return Ok(Vec::new());
    }
    chart
        .process_dependencies(values, warnings)
        .map_err(|error| Error::from(error).during("failed to process chart dependencies"))?;
    let mut definitions = Vec::new();
    let mut others = Vec::new();
    for (path, file) in chart.crds() {
        let name = path.rsplit_once("/crds/").map_or(path.as_str(), |(_, name)| name);
        let problem = |error: Error| {
            error.during(format!("failed to parse CustomResourceDefinitions from crds/{name}"))
        };
        let text = String::from_utf8_lossy(&file.data);
        let objects = read(&text).map_err(|text| problem(Error::Build(text)))?;
        for object in resolve(cluster, objects, "default").await.map_err(problem)? {
            if object.resource.gvk.is("apiextensions.k8s.io", "CustomResourceDefinition") {
                definitions.push(object);
            } else {
                others.push(object);
            }
        }
    }
    if !others.is_empty() {
        let names: Vec<String> = others.iter().map(named).collect();
        warnings.push(format!(
            "ignoring non-CRD resources found in the chart's crds/ directory, which is for CustomResourceDefinitions only: move them to templates/: {}",
            names.join(", ")
        ));
    }
    let labels: Vec<(&str, &str)> =
        options.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    for definition in &mut definitions {
        if let Some(metadata) = metadata(&mut definition.value) {
            set(metadata, "labels", &labels);
        }
    }
    Ok(definitions)
}

/// Writes one definition; `None` when it stays as it is.
async fn write(cluster: &Cluster, object: &Built, options: &CrdOptions) -> Result<Option<Value>, Error> {
    let name = &object.reference.name;
    let there = cluster.read(object, Accept::Metadata).await.map_err(|failure| {
        Error::of(&failure, |text| {
            Error::Write(format!("failed to get CustomResourceDefinition {name}: {text}"))
        })
    })?;
    let refused = |failure: apply::Failure| Error::of(&failure, |_| Error::Write(masked(object, &failure)));
    let done = match (there, options.policy, options.method) {
        (_, CrdPolicy::Skip, _) | (Some(_), CrdPolicy::Create, _) => return Ok(None),
        (_, _, Method::ServerSide) => cluster.apply(object, Conflicts::Force, Migrate::No).await,
        (None, _, Method::ClientSide) => cluster.create(object).await.map_err(refused),
        (Some(live), _, Method::ClientSide) => {
            let mut object = object.clone();
            // The API server replaces a definition of a known version only.
            let version = live.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
            if let Some(metadata) = metadata(&mut object.value) {
                metadata.insert("resourceVersion".to_owned(), version);
            }
            cluster.replace(&object).await.map_err(refused)
        }
    };
    done.map(|live| Some(live.value)).map_err(|error| match options.policy {
        CrdPolicy::CreateReplace => error.during("failed to update CustomResourceDefinition(s)"),
        _ => error.during(format!("failed to create CustomResourceDefinition {name}")),
    })
}

fn named(object: &Built) -> String {
    let reference = &object.reference;
    let place =
        if reference.namespace.is_empty() { String::new() } else { format!("{}/", reference.namespace) };
    format!("{}/{}/{place}{}", reference.gvk.group, reference.gvk.kind, reference.name)
}

//! Any repository: deployed, and one of its objects broken and repaired.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use e2e::converge::converge;
use serde_json::{Value, json};
use testkit::is_ready;

use crate::Options;
use crate::cluster::{Cluster, HOME, KUSTOMIZATIONS, SOURCES};
use crate::drift;
use crate::progress::Story;

/// What is not there by then will not come: a wrong address, branch or password.
const FETCHED_WITHIN: Duration = Duration::from_secs(60);

pub(crate) async fn tell(cluster: &Cluster, url: &str, options: &Options, story: &mut Story) -> Result<()> {
    story.chapter(&format!("{url}, branch {}, folder {}", options.branch, options.path));
    let begun = Instant::now();
    cluster.create_source("demo", url, &options.branch).await?;
    let kustomization = json!({"apiVersion": KUSTOMIZATIONS.0, "kind": KUSTOMIZATIONS.1,
        "metadata": {"name": "demo", "namespace": HOME},
        "spec": {"interval": "10m", "path": options.path, "prune": true, "wait": true, "timeout": "2m",
            "sourceRef": {"kind": SOURCES.1, "name": "demo"}}});
    cluster.plane().apply(&kustomization.to_string()).await?;
    let sources = cluster.objects(SOURCES)?;
    converge(&sources, 1, FETCHED_WITHIN, is_ready)
        .await
        .with_context(|| format!("GitRepository of {url}"))?;
    story.measure("to the first artifact", begun.elapsed());
    let source = sources.get("demo").await?.data;
    let revision =
        source.pointer("/status/artifact/revision").and_then(Value::as_str).context("no revision")?;
    cluster.healthy_at(1, revision).await?;
    story.measure("to healthy objects", begun.elapsed());

    let applied = cluster.objects(KUSTOMIZATIONS)?.get("demo").await?;
    let entries = applied.data.pointer("/status/inventory/entries").and_then(Value::as_array);
    let ids: Vec<&str> =
        entries.into_iter().flatten().filter_map(|entry| entry.get("id").and_then(Value::as_str)).collect();
    story.say("inventory", &format!("{} objects", ids.len()));
    // Deleting a Service is harmless only on a cluster that is ours.
    let service = ids.iter().find_map(|id| id.strip_suffix("__Service")?.split_once('_'));
    if let Some((namespace, name)) = service.filter(|_| cluster.ours()) {
        story.chapter("Drift: what somebody breaks by hand is repaired");
        drift::Place { plane: cluster.plane(), namespace }.delete(story, "v1", "Service", name).await?;
    }
    Ok(())
}

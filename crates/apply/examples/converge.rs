//! Measures the engine alone: `cargo run --release -p apply --example converge -- [owners] [kubeconfig]`.
//!
//! Each owner has five objects. Printed are wall time, CPU seconds of this process and requests, for an install, a second
//! apply that changes nothing, an upgrade of one object each, and the deletion.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use apply::{ApplyOptions, Entry, Manifest, Policy, Preparation, Target};
use futures::{StreamExt as _, stream};
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use object::{InventoryEntry, Owner};
use serde_json::{Value, json};
use tower::util::MapRequestLayer;

const WORKERS: usize = 20;
const NAMESPACE: &str = "apply-converge";

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let owners: usize = arguments.next().map_or(Ok(100), |n| n.parse())?;
    let config = match arguments.next() {
        Some(path) => {
            let kubeconfig = Kubeconfig::read_from(path)?;
            kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?
        }
        None => kube::Config::infer().await?,
    };
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = requests.clone();
    let count = MapRequestLayer::new(move |request: http::Request<kube::client::Body>| {
        counter.fetch_add(1, Ordering::Relaxed);
        request
    });
    let mut config = config;
    config.default_retry = false;
    let client = ClientBuilder::try_from(config)?.with_layer(&count).build();
    let policy = Policy::new("kustomize-controller", "kustomize.toolkit.fluxcd.io");
    let target = Target::new(Arc::new(policy.clone()), Arc::new(|_| {}), client);

    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    let home = Owner { namespace: NAMESPACE.into(), name: "home".into() };
    apply_one(&target, &policy, &home, vec![namespace]).await?;

    let mut inventories = Vec::new();
    for (step, version) in [("install", 1), ("no-op", 1), ("upgrade", 2)] {
        inventories = measure(step, &requests, || async {
            stream::iter(0..owners)
                .map(|n| {
                    let (target, policy) = (&target, &policy);
                    async move {
                        let owner = Owner { namespace: NAMESPACE.into(), name: format!("app-{n}") };
                        let entries = apply_one(target, policy, &owner, objects(n, version)).await?;
                        let inventory = entries.iter().map(Entry::inventory).collect();
                        Ok::<(Owner, Vec<InventoryEntry>), anyhow::Error>((owner, inventory))
                    }
                })
                .buffer_unordered(WORKERS)
                .collect::<Vec<_>>()
                .await
                .into_iter()
                .collect::<Result<Vec<_>>>()
        })
        .await?;
    }
    measure("delete", &requests, || async {
        stream::iter(&inventories)
            .for_each_concurrent(WORKERS, |(owner, inventory)| {
                let target = &target;
                async move {
                    target.prune(owner, inventory).await;
                }
            })
            .await;
        Ok(())
    })
    .await
}

async fn measure<T, F>(step: &str, requests: &AtomicUsize, run: impl FnOnce() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let (start, cpu, sent) = (Instant::now(), cpu_seconds()?, requests.load(Ordering::Relaxed));
    let result = run().await?;
    println!(
        "{step:8} {:6.2} s wall {:6.3} s CPU {:5} requests",
        start.elapsed().as_secs_f64(),
        cpu_seconds()? - cpu,
        requests.load(Ordering::Relaxed) - sent
    );
    Ok(result)
}

async fn apply_one(
    target: &Target,
    policy: &Policy,
    owner: &Owner,
    objects: Vec<Value>,
) -> Result<Vec<Entry>> {
    let none = BTreeMap::new();
    let preparation = Preparation { policy, owner, labels: &none, annotations: &none };
    let manifests =
        objects.into_iter().map(|o| Manifest::prepare(o, &preparation)).collect::<Result<Vec<_>, _>>()?;
    let applied = target.apply(owner, &manifests, &ApplyOptions::default()).await;
    match applied.error {
        Some(error) => bail!("{}: {error}", owner.name),
        None => Ok(applied.entries),
    }
}

fn objects(n: usize, version: u32) -> Vec<Value> {
    let name = format!("app-{n}");
    let metadata = json!({"name": name, "namespace": NAMESPACE});
    let labels = json!({"app": name});
    vec![
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"version": version.to_string(), "text": "x".repeat(500)}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"password": name}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": labels, "ports": [{"port": 80}]}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": 0, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": format!("app:{version}")}]}}}}),
    ]
}

/// User and system time of this process, in seconds.
fn cpu_seconds() -> Result<f64> {
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(") ").context("no process name in /proc/self/stat")?.1;
    let ticks: Vec<f64> = after_name.split(' ').skip(11).take(2).filter_map(|t| t.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / TICKS)
}

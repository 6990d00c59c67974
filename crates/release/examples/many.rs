//! Installs a chart many times, upgrades and uninstalls all of it, and says what that took.
//!
//! `KUBECONFIG=… cargo run -p release --example many -- CHART.tgz NAMESPACE COUNT`

use std::sync::Arc;
use std::time::{Duration, Instant};

use apply::{Policy, Target};
use chart::{ArchiveLimits, Chart, Stream, Table};
use futures::{StreamExt as _, stream};
use release::{Cluster, Install, PostRender, Step, Storage, Uninstall, Upgrade};
use serde_json::json;

/// How many releases are worked on at a time.
const AT_ONCE: usize = 4;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, namespace, count] = arguments.as_slice() else {
        return Err("usage: many CHART.tgz NAMESPACE COUNT".into());
    };
    let count: usize = count.parse()?;
    let chart = Chart::from_archive(&std::fs::read(path)?, &ArchiveLimits::default())?;
    let policy = Policy::new("helm-controller", "helm.toolkit.fluxcd.io");
    let client = kube::Client::try_default().await?;
    let target = Target::new(Arc::new(policy), Arc::new(|_| ()), client);
    let cluster = Cluster::new(target, "helm-controller");
    let storage = Storage::new(&cluster, namespace);
    let (cluster, storage) = (&cluster, &storage);
    let post = |name: &str| {
        let labels = [("name", name), ("namespace", namespace)];
        let labels = labels.map(|(key, value)| (format!("helm.toolkit.fluxcd.io/{key}"), value.to_owned()));
        let step = Step::Metadata { labels: labels.into(), annotations: Default::default() };
        Some(PostRender { stream: Stream::Combined, steps: vec![step] })
    };
    let names: Vec<String> = (0..count).map(|i| format!("many-{i}")).collect();

    let mut watch = Watch::start();
    let done: Vec<_> = stream::iter(&names)
        .map(|name| {
            let mut install = Install::new(name, namespace, chart.clone(), Table::new());
            install.render.post = post(name);
            install.waiting.timeout = Duration::from_secs(300);
            install.run(cluster, storage)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    watch.lap("install", count);
    done.into_iter().collect::<Result<Vec<_>, _>>()?;

    let done: Vec<_> = stream::iter(&names)
        .map(|name| {
            let values = json!({"replicaCount": 2}).as_object().cloned().unwrap_or_default();
            let mut upgrade = Upgrade::new(name, chart.clone(), values);
            upgrade.render.post = post(name);
            upgrade.waiting.timeout = Duration::from_secs(300);
            upgrade.run(cluster, storage)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    watch.lap("upgrade", count);
    done.into_iter().collect::<Result<Vec<_>, _>>()?;

    let done: Vec<_> = stream::iter(&names)
        .map(|name| {
            let mut uninstall = Uninstall::new(name);
            uninstall.waiting.timeout = Duration::from_secs(300);
            uninstall.run(cluster, storage)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    watch.lap("uninstall", count);
    done.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(())
}

/// Time on the wall and on the processor.
struct Watch {
    wall: Instant,
    cpu: f64,
}

impl Watch {
    fn start() -> Watch {
        Watch { wall: Instant::now(), cpu: cpu_seconds() }
    }

    fn lap(&mut self, what: &str, count: usize) {
        let (cpu, wall) = (cpu_seconds() - self.cpu, self.wall.elapsed());
        let each = cpu * 1000.0 / f64::from(u32::try_from(count).unwrap_or(1));
        println!("{what}: {count} in {wall:.2?}, CPU {cpu:.2} s, {each:.1} ms each");
        *self = Watch::start();
    }
}

/// Of this process, user and system.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

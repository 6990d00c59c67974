//! Real charts, through a whole life, by Helm and by us, one after the other in the same namespace.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use chart::{ArchiveLimits, Chart};
use release::{Failed, Install, Method, MethodChoice, Outcome, Rollback, Strategy, Upgrade};
use serde_json::Value;
use testkit::ControlPlane;

use crate::compare::same;
use crate::stage::Stage;

/// The charts, and the values of their upgrade.
const CHARTS: [(&str, &str); 9] = [
    ("cert-manager", "own-full.yaml"),
    ("flux2", "own-tenants.yaml"),
    ("ingress-nginx", "ci-controller-hpa-values.yaml"),
    ("kube-state-metrics", "own-shards.yaml"),
    ("memcached", "own-ha.yaml"),
    ("metrics-server", "own-full.yaml"),
    ("podinfo", "own-full.yaml"),
    ("prometheus", "ci-06-server-sts-values.yaml"),
    ("prometheus-node-exporter", "ci-kube-rbac-proxy-tlssecret-values.yaml"),
];

/// What a step left: Helm's error if it failed, the objects and the records.
type Step = (Result<(), String>, Vec<Value>);

fn left(stage: &Stage) -> Vec<Value> {
    let mut left = stage.owned("rel");
    left.extend(stage.records(&stage.theirs, "rel"));
    for record in &mut left {
        // The tests of podinfo have random names.
        if record["release"]["chart"]["metadata"]["name"] == "podinfo" {
            record["release"]["hooks"] = Value::Null;
        }
    }
    left
}

/// Kinds that the charts make if they are asked to.
fn definitions() -> String {
    let kinds = [
        ("monitoring.coreos.com", "ServiceMonitor", "servicemonitors"),
        ("monitoring.coreos.com", "PodMonitor", "podmonitors"),
        ("monitoring.coreos.com", "PrometheusRule", "prometheusrules"),
    ];
    let definition = |(group, kind, plural): (&str, &str, &str)| {
        serde_json::json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}")},
            "spec": {"group": group, "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]},
        })
        .to_string()
    };
    kinds.map(definition).join("\n---\n")
}

fn archive(folder: &Path) -> PathBuf {
    let mut found = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    found.find(|path| path.extension().is_some_and(|extension| extension == "tgz")).unwrap()
}

fn side(method: Method) -> &'static str {
    if method == Method::ServerSide { "--server-side=true" } else { "--server-side=false" }
}

fn theirs(stage: &Stage, chart: &str, values: &str, method: Method) -> Vec<Step> {
    let actions: [&[&str]; 4] = [
        &["install", "rel", chart, side(method)],
        &["upgrade", "rel", chart, side(method), "-f", values],
        &["rollback", "rel", "1", side(method)],
        &["uninstall", "rel", "--wait", "--timeout", "60s"],
    ];
    let run = |action: &&[&str]| {
        let said = stage.helm_in(&stage.theirs, action).map(|_| ()).map_err(|error| {
            let error = error.trim().trim_start_matches("Error: ");
            error.rsplit_once(" FAILED: ").map_or(error, |(_, error)| error).to_owned()
        });
        (said, left(stage))
    };
    actions.iter().map(run).collect()
}

/// What was said up to the live object that the API server quotes, with its times.
fn without_values(said: &Result<(), String>) -> Result<(), &str> {
    said.as_ref().map(|_| ()).map_err(|error| error.split("Invalid value: ").next().unwrap())
}

fn said(result: Result<Outcome, Box<Failed>>) -> Result<(), String> {
    result.map(|_| ()).map_err(|failed| failed.to_string())
}

async fn ours(stage: &Stage, chart: &str, values: &str, method: Method) -> Vec<Step> {
    let chart = Chart::from_archive(&std::fs::read(chart).unwrap(), &ArchiveLimits::default()).unwrap();
    let storage = release::Storage::new(&stage.cluster, &stage.theirs);
    let mut steps = Vec::new();

    let mut install = Install::new("rel", &stage.theirs, chart.clone(), chart::Table::new());
    install.method = method;
    install.waiting.strategy = Strategy::HooksOnly;
    install.waiting.timeout = Duration::from_secs(60);
    install.render.separators = chart::Separators::Strict;
    let done = said(install.run(&stage.cluster, &storage).await);
    steps.push((done, left(stage)));

    let values = chart::read_values(&std::fs::read(values).unwrap()).unwrap();
    let mut upgrade = Upgrade::new("rel", chart, values);
    upgrade.method = MethodChoice::Is(method);
    upgrade.waiting.strategy = Strategy::HooksOnly;
    upgrade.waiting.timeout = Duration::from_secs(60);
    upgrade.render.separators = chart::Separators::Strict;
    let done = said(upgrade.run(&stage.cluster, &storage).await);
    steps.push((done, left(stage)));

    let mut rollback = Rollback::new("rel", 1);
    rollback.method = MethodChoice::Is(method);
    rollback.waiting.strategy = Strategy::HooksOnly;
    let done = said(rollback.run(&stage.cluster, &storage).await);
    steps.push((done, left(stage)));

    let mut uninstall = release::Uninstall::new("rel");
    uninstall.waiting.timeout = Duration::from_secs(60);
    let done = said(uninstall.run(&stage.cluster, &storage).await);
    steps.push((done, left(stage)));
    steps
}

#[tokio::test(flavor = "multi_thread")]
async fn real_charts_live_as_with_helm() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance/helm/charts");
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
        return Ok(());
    }
    // They bring webhooks and API services: nobody else shall meet these.
    let plane: &'static ControlPlane = Box::leak(Box::new(ControlPlane::start().await?));
    plane.apply(&definitions()).await?;
    let stage = Stage::on(plane, "charts").await?;
    // `MILLRACE_CHARTS=podinfo,prometheus` tries these only.
    let wanted = std::env::var("MILLRACE_CHARTS").unwrap_or_default();
    for (name, values) in CHARTS {
        if !wanted.is_empty() && !wanted.split(',').any(|wanted| wanted == name) {
            continue;
        }
        let chart = archive(&folder.join(name));
        let values = folder.join(name).join("values").join(values);
        let (chart, values) = (chart.to_str().unwrap(), values.to_str().unwrap());
        for method in [Method::ServerSide, Method::ClientSide] {
            let theirs = theirs(&stage, chart, values, method);
            let ours = ours(&stage, chart, values, method).await;
            let steps = ["install", "upgrade", "rollback", "uninstall"];
            for ((step, (said, left)), (their_said, their_left)) in steps.iter().zip(&ours).zip(&theirs) {
                println!("{name} {method:?} {step}: {} objects, {said:?}", left.len());
                assert_eq!(without_values(said), without_values(their_said), "{name} {method:?} {step}");
                same(&format!("{name} {method:?} {step}"), &left.clone().into(), &their_left.clone().into());
            }
        }
    }
    Ok(())
}

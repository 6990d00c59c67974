//! kill -9 of either controller at any moment loses nothing: after a restart the cluster holds exactly what the last
//! commit says, and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use e2e::stage::{HOME, Stage, TARGET};
use kube::ResourceExt;
use kube::api::ListParams;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use testkit::git::Change;

const APPS: usize = 4;
const ROUNDS: usize = 10;

/// The ConfigMaps that a commit holds: name → value.
type Desired = BTreeMap<String, String>;

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_killed_at_any_moment_loses_nothing() {
    // Printed by a failure, so that the same moments can be tried again: MILLRACE_SEED=…
    let seed = std::env::var("MILLRACE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(rand::random::<u64>);
    println!("MILLRACE_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);

    let mut stage = Stage::set().await.unwrap();
    let mut desired = next(&mut random, &Desired::new());
    let mut revision = stage.commit("first", &files(&desired)).unwrap();
    stage.create_source().await.unwrap();
    for app in 0..APPS {
        stage.create_kustomization(&name(app), serde_json::json!({})).await.unwrap();
    }

    for round in 0..ROUNDS {
        tokio::time::sleep(Duration::from_millis(random.random_range(0..600))).await;
        let restarted = if random.random() {
            stage.source = stage.source.restart().await.unwrap();
            "source-controller"
        } else {
            stage.kustomize = stage.kustomize.restart().await.unwrap();
            "kustomize-controller"
        };
        println!("round {round}: {restarted} killed");
        for app in 0..APPS {
            stage.applied(&name(app), &revision).await.unwrap();
        }
        assert_eq!(present(&stage).await, desired, "round {round}, seed {seed}");

        desired = next(&mut random, &desired);
        revision = stage.commit(&format!("round {round}"), &files(&desired)).unwrap();
        stage.request(&stage.sources().unwrap(), "apps", &format!("round {round}")).await.unwrap();
    }

    // Deletion survives a crash too: the finalizer holds the object until everything is pruned.
    let kustomizations = stage.kustomizations().unwrap();
    for app in 0..APPS {
        kustomizations.delete(&name(app), &Default::default()).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(random.random_range(0..50))).await;
    stage.kustomize = stage.kustomize.restart().await.unwrap();
    for app in 0..APPS {
        stage.plane.gone(&kustomizations, &name(app)).await.unwrap();
    }
    assert_eq!(present(&stage).await, Desired::new(), "after deletion, seed {seed}");
}

fn name(app: usize) -> String {
    format!("app-{app}")
}

/// Some objects stay, some change, some go, some come.
fn next(random: &mut StdRng, before: &Desired) -> Desired {
    let mut desired = Desired::new();
    for app in 0..APPS {
        for object in 0..6 {
            let key = format!("{}-{object}", name(app));
            let value = match before.get(&key) {
                Some(value) if random.random_ratio(1, 2) => value.clone(),
                Some(_) if random.random_ratio(1, 3) => continue,
                None if random.random_ratio(1, 3) => continue,
                _ => random.random::<u32>().to_string(),
            };
            desired.insert(key, value);
        }
        // A folder without manifests is a different test.
        desired.insert(format!("{}-always", name(app)), random.random::<u32>().to_string());
    }
    desired
}

fn files(desired: &Desired) -> Vec<Change> {
    let mut changes = vec![Change::DeleteAll];
    for (key, value) in desired {
        let folder = key.rsplit_once('-').map_or(key.as_str(), |(folder, _)| folder);
        let manifest = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {key}\n  namespace: {TARGET}\ndata:\n  value: \"{value}\"\n"
        );
        changes.push(Change::file(format!("{folder}/{key}.yaml"), manifest));
    }
    changes
}

/// The ConfigMaps that a Kustomization owns.
async fn present(stage: &Stage) -> Desired {
    let owned = ListParams::default().labels(&format!("kustomize.toolkit.fluxcd.io/namespace={HOME}"));
    let objects = stage.plane.objects("v1", "ConfigMap", Some(TARGET)).unwrap().list(&owned).await.unwrap();
    objects.iter().map(|o| (o.name_any(), o.data["data"]["value"].as_str().unwrap().to_owned())).collect()
}

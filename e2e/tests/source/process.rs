//! The process: leadership, shards, shutdown, mistakes on the command line.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use testkit::{ControlPlane, Controller};

use super::scene::{API, Scene, controller};

#[tokio::test(flavor = "multi_thread")]
async fn of_two_replicas_one_works_and_hands_over_when_it_stops() -> Result<()> {
    // Where the lease is; before the first, lest both wait for it and either win.
    let plane = ControlPlane::shared().await?;
    plane.apply("{apiVersion: v1, kind: Namespace, metadata: {name: flux-system}}").await?;
    let scene = Scene::with(Default::default(), &["--enable-leader-election"]).await?;
    scene.apply("shop", json!({})).await?;
    scene.ready("shop").await?;
    // The second becomes ready for its probes, but serves nothing until it leads.
    let second = controller(scene.plane, &scene.namespace, &["--enable-leader-election"])?.start().await?;
    let address = format!("127.0.0.1:{}", second.storage_port().unwrap_or_default());
    assert!(tokio::net::TcpStream::connect(&address).await.is_err(), "a replica in waiting serves artifacts");
    let leases = scene.plane.objects("coordination.k8s.io/v1", "Lease", Some("flux-system"))?;
    let name = {
        let found = leases.list(&Default::default()).await?;
        let digest = artifact::Algorithm::Sha256.digest(format!("scene={}", scene.namespace).as_bytes());
        let expected = format!("source-controller-leader-election-{}", &digest.hex()[..8]);
        assert!(
            found.iter().any(|lease| lease.metadata.name.as_deref() == Some(expected.as_str())),
            "{found:?}"
        );
        expected
    };

    let status = scene.source.terminate().await?;
    assert!(status.success(), "{status}");
    scene
        .plane
        .wait_for(&leases, &name, "the second replica leads", |lease| {
            lease["spec"]["leaseTransitions"].as_i64() >= Some(1)
                && lease["spec"]["holderIdentity"].as_str().is_some_and(|holder| !holder.is_empty())
        })
        .await?;
    let commit = scene.repo.commit("main", "Second", &[testkit::git::Change::delete("README.md")])?;
    let object = scene.reconcile("shop", "now").await?;
    assert_eq!(object["status"]["artifact"]["revision"], format!("main@sha1:{commit}"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_outside_of_the_shard_are_not_touched() -> Result<()> {
    let scene = Scene::new().await?;
    scene
        .plane
        .apply(&serde_json::to_string(&json!({
            "apiVersion": API, "kind": "GitRepository",
            "metadata": { "name": "foreign", "namespace": scene.namespace },
            "spec": { "url": scene.url(), "interval": "1h", "ref": { "branch": "main" } },
        }))?)
        .await?;
    scene.apply("shop", json!({})).await?;
    scene.ready("shop").await?;
    let foreign = serde_json::to_value(scene.objects.get("foreign").await?)?;
    assert!(foreign["metadata"]["finalizers"].is_null());
    assert_eq!(foreign["status"], json!({ "observedGeneration": -1 }));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_object_does_not_stall_the_others() -> Result<()> {
    // The schema refuses an unreadable duration; one that is valid there and too long for everybody is read as the longest.
    let scene = Scene::new().await?;
    scene.apply("long", json!({ "interval": "99999999999999999999h" })).await?;
    scene.apply("shop", json!({})).await?;
    scene.ready("shop").await?;
    scene.ready("long").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_and_metrics_are_those_that_tools_read() -> Result<()> {
    let scene = Scene::new().await?;
    scene.apply("shop", json!({})).await?;
    scene.ready("shop").await?;
    let message = "stored artifact for commit 'The first commit of the shop'";
    let stored = scene.source.logged("the artifact", |line| line["msg"] == message).await?;
    assert_eq!((&stored["level"], &stored["controller"]), (&json!("info"), &json!("gitrepository")));
    assert_eq!(stored["controllerKind"], "GitRepository");
    assert_eq!(stored["controllerGroup"], "source.toolkit.fluxcd.io");
    assert_eq!(stored["GitRepository"], json!({ "name": "shop", "namespace": scene.namespace }));
    assert_eq!((&stored["name"], &stored["namespace"]), (&json!("shop"), &json!(scene.namespace)));
    let metrics = scene.source.metrics().await?;
    let labels = [("kind", "GitRepository"), ("name", "shop"), ("namespace", scene.namespace.as_str())];
    assert!(metrics.sum("gotk_reconcile_duration_seconds_count", &labels) >= 1.0);
    assert!(metrics.sum("controller_runtime_reconcile_total", &[("controller", "gitrepository")]) >= 1.0);
    assert!(metrics.sum("process_resident_memory_bytes", &[]) > 0.0);
    scene.objects.delete("shop", &Default::default()).await?;
    scene.plane.gone(&scene.objects, "shop").await?;
    for _ in 0..100 {
        if scene.source.metrics().await?.sum("gotk_reconcile_duration_seconds_count", &labels) == 0.0 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the series of a deleted object stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_on_the_command_line_end_the_start() -> Result<()> {
    let plane = ControlPlane::shared().await?;
    for (flag, code, text) in [
        ("--feature-gates=Nope=true", 1, "feature-gate 'Nope' not supported"),
        ("--interval-jitter-percentage=100", 1, "--interval-jitter-percentage"),
        ("--artifact-digest-algo=md5", 2, "md5"),
        ("--storage-pth=/tmp", 2, "--storage-path"),
        ("--default-service-account=x", 1, "ObjectLevelWorkloadIdentity"),
        ("--storage-path=/does/not/exist", 1, "/does/not/exist"),
    ] {
        let running = Controller::source(plane)?.flag(flag).spawn()?;
        let status = loop {
            if let Some(status) = running.ended()? {
                break status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(status.code(), Some(code), "{flag}");
        let log = running.log().join("\n");
        assert!(log.contains(text), "{flag}: {log}");
    }
    Ok(())
}

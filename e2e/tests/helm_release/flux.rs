//! The real `flux` command, a path that `FLUX` names, against our helm-controller, and, with `FLUX_HELM_CONTROLLER`, what it
//! says then next to what it says with Flux's own:
//! `FLUX=/path/to/flux cargo test -p e2e --test helm_release -- --ignored flux`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use regex::Regex;
use serde_json::{Value, json};
use testkit::Controller;

use super::charts;
use super::peer::started;
use super::scene::{HELM, SOURCE, Scene};

/// What was asked, and what was said.
type Talk = Vec<(String, String)>;

/// A scene with everything that the command looks at: a Kustomization that applies a HelmRelease, whose chart comes from a
/// repository. The other controllers are ours.
struct Stage {
    scene: Scene,
    _others: [testkit::Running; 2],
}

async fn furnish(scene: Scene) -> Result<Stage> {
    let ns = scene.namespace.clone();
    let label = format!("--watch-label-selector=scene={ns}");
    let source = Controller::source(scene.plane)?.flag(&label).start().await?;
    let kustomize = Controller::kustomize(scene.plane)?.flag(&label).start().await?;
    let entries = ["1.1.0", "1.0.0"].map(|version| -> Result<Value> {
        let (url, digest) = scene.server.publish(&charts::web(version)?);
        let digest = digest.trim_start_matches("sha256:");
        Ok(json!({"apiVersion": "v2", "name": "web", "version": version, "urls": [url], "digest": digest}))
    });
    let entries = entries.into_iter().collect::<Result<Vec<_>>>()?;
    let index = json!({"apiVersion": "v1", "entries": {"web": entries}, "generated": "2026-01-01T00:00:00Z"});
    scene.server.put("index.yaml", index.to_string().as_bytes());
    let labels = json!({"scene": ns});
    let object = |api: &str, kind: &str, name: &str, spec: Value| json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": ns, "labels": labels}, "spec": spec});
    scene
        .apply(object(SOURCE, "HelmRepository", "repo", json!({"url": scene.server.url, "interval": "1h"})))
        .await?;
    scene
        .apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "values", "namespace": ns}, "data": {"values.yaml": "color: blue\nlist: [1, 2.5]\n"}}))
        .await?;
    let spec = json!({
        "interval": "1h", "timeout": "20s", "values": {"size": 3}, "valuesFrom": [{"kind": "ConfigMap", "name": "values"}],
        "chart": {"metadata": {"labels": labels}, "spec": {"chart": "web", "version": "1.0.x", "sourceRef": {"kind": "HelmRepository", "name": "repo"}}},
    });
    let release = object(HELM, "HelmRelease", "shop", spec).to_string();
    let (url, digest) = scene.server.publish(&charts::archive("apps", &[("release.yaml", &release)])?);
    let repository = json!({"url": "https://git.test/apps", "interval": "1h", "ref": {"branch": "main"}});
    let mut git = object(SOURCE, "GitRepository", "apps", repository);
    // Nobody's: the test is its controller.
    git["metadata"]["labels"] = Value::Null;
    scene.apply(git).await?;
    scene
        .artifact(
            "GitRepository",
            "apps",
            &url,
            &digest,
            "main@sha1:0123456789012345678901234567890123456789",
        )
        .await?;
    let spec = json!({"interval": "1h", "prune": true, "path": "./apps", "sourceRef": {"kind": "GitRepository", "name": "apps"}});
    scene.apply(object("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "apps", spec)).await?;
    scene.ready("shop").await?;
    Ok(Stage { scene, _others: [source, kustomize] })
}

/// Runs it in the namespace of the scene; gives what it printed, without what differs from run to run.
fn flux(scene: &Scene, arguments: &[&str]) -> Result<String> {
    let program = std::env::var("FLUX").context("FLUX has to name the flux command")?;
    let home = tempfile::tempdir()?;
    let output = Command::new(program)
        .args(arguments)
        .args(["--namespace", &scene.namespace, "--timeout=60s"])
        .env("KUBECONFIG", scene.plane.kubeconfig())
        .env("HOME", home.path())
        .output()?;
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "flux {}: {said}", arguments.join(" "));
    Ok(plain(&said, scene))
}

fn plain(said: &str, scene: &Scene) -> String {
    let mut said = said.replace(&scene.namespace, "NAMESPACE").replace(&scene.server.url, "SERVER");
    for (what, with) in [
        // Those of releases have times in them, that of the index the server's port; those of values are the same.
        (r"onfigDigest: sha256:", "onfigDigest: SHA256:"),
        (r"sha256:[0-9a-f]{64}\b", "DIGEST"),
        (r"sha256:[0-9a-f]{8}\b", "DIGEST"),
        (r"\b\d+ ?B\b", "SIZE"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?[+-]\d\d:?\d\d|Z)?( UTC)?", "TIME"),
        (r"\b(\d+h)?(\d+m)?\d+(\.\d+)?(m|µ)?s\b", "AGE"),
        (r"[ \t]+", " "),
    ] {
        said = Regex::new(what).unwrap().replace_all(&said, with).into_owned();
    }
    said
}

/// Everything that the command says about a HelmRelease.
async fn talk(scene: &Scene) -> Result<Talk> {
    let mut talk = Talk::new();
    let mut ask = |arguments: &str| -> Result<()> {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        talk.push((arguments.join(" "), flux(scene, &arguments)?));
        Ok(())
    };
    for arguments in [
        "get helmreleases",
        "get all",
        "get hr --status-selector ready=true",
        "reconcile helmrelease shop",
        "reconcile hr shop --with-source",
        "reconcile hr shop --force",
        "reconcile hr shop --reset",
        "reconcile kustomization apps --with-source=false",
        "suspend hr shop",
        "get hr",
        "resume hr shop",
        "tree kustomization apps",
        "tree kustomization apps --compact",
        "tree kustomization apps --output json",
        "trace shop --kind ConfigMap --api-version v1",
        "trace shop --kind Service --api-version v1",
        "trace shop --kind HelmRelease --api-version helm.toolkit.fluxcd.io/v2",
        "debug hr shop --show-values",
        "debug hr shop --show-status",
        "debug hr shop --show-history",
        "export hr shop",
        "export hr --all",
        "stats",
    ] {
        ask(arguments)?;
    }
    // Events come in some time.
    scene.event("shop", "Normal UpgradeSucceeded").await?;
    let events = flux(scene, &["events", "--for", "HelmRelease/shop"])?;
    let mut lines: Vec<String> = events.lines().map(str::to_owned).collect();
    // Which of those at the same second comes first is chance.
    lines.sort();
    talk.push(("events --for HelmRelease/shop".to_owned(), lines.join("\n")));

    let values = tempfile::NamedTempFile::new()?;
    std::fs::write(values.path(), "color: green\n")?;
    let file = format!("--values={}", values.path().display());
    let label = format!("--label=scene={}", scene.namespace);
    let chart = format!("--chart-ref=HelmChart/{}-shop", scene.namespace);
    let create = ["create", "hr", "second", "--interval=1h", "--release-name=other", &chart, &file, &label];
    for (what, arguments) in [
        ("create hr second --export", [&create[..], &["--export"]].concat()),
        ("create hr second", create.to_vec()),
        ("get hr second", vec!["get", "hr", "second"]),
        ("delete hr second", vec!["delete", "hr", "second", "--silent"]),
    ] {
        talk.push((what.to_owned(), flux(scene, &arguments)?));
    }
    scene.plane.gone(&scene.releases, "second").await?;
    Ok(talk)
}

/// Case 49, and `tree`, `events`, `create`, `export`, `suspend`, `resume`, `delete`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs FLUX, the path of the flux command"]
async fn flux_commands_work() -> Result<()> {
    let stage = furnish(Scene::new().await?).await?;
    let talk = talk(&stage.scene).await?;
    if std::env::var_os("MILLRACE_TALK").is_some() {
        for (asked, said) in &talk {
            println!("$ flux {asked}\n{said}");
        }
    }
    for (asked, parts) in [
        (
            "get helmreleases",
            &[
                "shop 1.0.0 False True Helm install succeeded for release NAMESPACE/shop.v1 with chart web@1.0.0",
            ][..],
        ),
        ("get all", &["helmrelease/shop", "helmchart/NAMESPACE-shop", "kustomization/apps"]),
        ("reconcile helmrelease shop", &["applied revision 1.0.0"]),
        (
            "reconcile hr shop --with-source",
            &["HelmRepository annotated", "fetched revision", "applied revision 1.0.0"],
        ),
        ("reconcile hr shop --force", &["applied revision 1.0.0"]),
        ("reconcile hr shop --reset", &["applied revision 1.0.0"]),
        ("suspend hr shop", &["helmrelease suspended"]),
        ("get hr", &["shop 1.0.0 True True"]),
        ("resume hr shop", &["applied revision 1.0.0"]),
        (
            "tree kustomization apps",
            &["HelmRelease/NAMESPACE/shop", "ConfigMap/NAMESPACE/shop", "Service/NAMESPACE/shop"],
        ),
        (
            "trace shop --kind ConfigMap --api-version v1",
            &[
                "HelmRelease: shop",
                "HelmChart: NAMESPACE-shop",
                "HelmRepository: repo",
                "Chart: web",
                "Version: 1.0.x",
            ],
        ),
        ("debug hr shop --show-values", &["color: blue\nlist:\n- 1\n- 2.5\nsize: 3\n"]),
        ("debug hr shop --show-status", &["lastHandledForceAt", "configDigest: SHA256:", "action: upgrade"]),
        ("debug hr shop --show-history", &["chartVersion: 1.0.0"]),
        ("events --for HelmRelease/shop", &["InstallSucceeded", "UpgradeSucceeded", "HelmChartCreated"]),
        ("create hr second", &["applied revision 1.0.0"]),
        ("get hr second", &["second 1.0.0 False True Helm install succeeded for release NAMESPACE/other.v1"]),
        ("delete hr second", &["helmrelease deleted"]),
        ("export hr shop", &["kind: HelmRelease"]),
    ] {
        let said = &talk.iter().find(|(other, _)| other == asked).with_context(|| format!("no {asked}"))?.1;
        for part in parts {
            assert!(said.contains(part), "flux {asked} does not say {part}:\n{said}");
        }
    }
    Ok(())
}

/// Case 49: the same words about ours as about Flux's.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs FLUX, and FLUX_HELM_CONTROLLER"]
async fn flux_commands_say_the_same_of_both_controllers() -> Result<()> {
    let path = std::env::var("FLUX_HELM_CONTROLLER").context("FLUX_HELM_CONTROLLER is not set")?;
    let ours = talk(&furnish(Scene::new().await?).await?.scene).await?;
    let mut scene = Scene::new().await?;
    scene.controller.kill()?;
    scene.controller = started(&scene, Path::new(&path)).await?;
    let theirs = talk(&furnish(scene).await?.scene).await?;
    let mut different = Vec::new();
    for ((asked, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        if ours != theirs {
            different.push(format!("$ flux {asked}\n--- ours\n{ours}\n--- Flux's\n{theirs}"));
        }
    }
    assert!(different.is_empty(), "{} of {} differ:\n{}", different.len(), ours.len(), different.join("\n"));
    Ok(())
}

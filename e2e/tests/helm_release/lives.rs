//! The charts of `e2e/charts` through a whole life (install, test, upgrade, test, a failing upgrade, rollback, uninstall), by
//! our controller in one namespace and by the real Helm in another one: after each step both hold the same.
//!
//! A folder there is a chart: `chart/` is version 1.0.0; version 1.1.0 has the files of `next/` over it, of which the empty
//! ones are gone; `upgrade.yaml` are the values of the upgrade. `SCOPE` stands for the namespace where templates do not
//! reach.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use serde_json::{Value, json};
use testkit::condition;

use super::charts;
use super::holdings::Holdings;
use super::scene::{self, Scene};
use crate::compare::differ;

/// A hook that the API server refuses, in all charts.
const FAILING: &str = "{{- if .Values.broken }}\napiVersion: v1\nkind: ConfigMap\n\
    metadata: {name: Not_A_Name, annotations: {helm.sh/hook: \"post-install,post-upgrade\"}}\n{{- end }}\n";
/// Data of Secrets that is random.
const RANDOM: [(&str, &[&str]); 2] = [
    ("password", &["rel-login/password"]),
    ("certificate", &["rel-tls/ca.crt", "rel-tls/tls.crt", "rel-tls/tls.key"]),
];
/// Charts whose objects are written client-side, and replaced.
const REPLACED: [&str; 1] = ["replaced"];
/// Charts whose upgrade is refused: the release returns to what was before.
const REFUSED: [&str; 1] = ["immutable"];
/// Lives at a time: most of one is waiting.
const AT_ONCE: usize = 5;

pub struct Life {
    name: String,
    folder: PathBuf,
}

/// Files by their paths.
type Files = BTreeMap<String, Vec<u8>>;

fn read(folder: &Path, under: &Path, files: &mut Files) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(under) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            read(folder, &path, files)?;
        } else {
            let name = path.strip_prefix(folder)?.to_str().context("a path that is not UTF-8")?.to_owned();
            files.insert(name, std::fs::read(&path)?);
        }
    }
    Ok(())
}

impl Life {
    /// That of a chart in `e2e/charts`.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("charts").join(name),
        }
    }

    /// The archive of a version, for a namespace.
    pub fn archive(&self, version: &str, namespace: &str) -> Result<Vec<u8>> {
        let mut files = Files::new();
        let (base, next) = (self.folder.join("chart"), self.folder.join("next"));
        read(&base, &base, &mut files)?;
        if version != "1.0.0" {
            read(&next, &next, &mut files)?;
            files.retain(|_, content| !content.is_empty());
        }
        files.insert("templates/failing.yaml".to_owned(), FAILING.as_bytes().to_vec());
        let mut texts = Vec::new();
        for (path, content) in files {
            let mut text = String::from_utf8(content)?.replace("SCOPE", namespace);
            if path == "Chart.yaml" {
                text = text.replacen("version: 1.0.0", &format!("version: {version}"), 1);
            }
            texts.push((path, text));
        }
        let texts: Vec<_> = texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        charts::archive(&self.name, &texts)
    }

    fn values(&self) -> Result<[Value; 3]> {
        let upgrade = Value::Object(chart::read_values(&std::fs::read(self.folder.join("upgrade.yaml"))?)?);
        let mut failing = upgrade.clone();
        failing["broken"] = true.into();
        Ok([json!({}), upgrade, failing])
    }

    fn is_replaced(&self) -> bool {
        REPLACED.contains(&self.name.as_str())
    }

    fn is_refused(&self) -> bool {
        REFUSED.contains(&self.name.as_str())
    }
}

const VERSIONS: [&str; 3] = ["1.0.0", "1.1.0", "1.1.0"];
const STEPS: [&str; 4] =
    ["install and test", "upgrade and test", "failing upgrade and rollback", "uninstall"];

/// What a namespace held after each step: objects and records.
type Seen = Vec<(Vec<Value>, Vec<Value>)>;

async fn ours(life: &Life, scene: &Scene, mut holdings: Holdings) -> Result<Seen> {
    let mut seen = Seen::new();
    let replaced = life.is_replaced();
    let side = |word: &str| if replaced { json!(word) } else { Value::Null };
    for (step, (version, values)) in VERSIONS.iter().zip(life.values()?).enumerate() {
        scene.chart(&format!("chart-{step}"), &life.archive(version, &scene.namespace)?).await?;
        let mut spec = json!({
            "chartRef": {"kind": "ExternalArtifact", "name": format!("chart-{step}")},
            "timeout": "60s", "test": {"enable": true}, "values": values,
            "upgrade": {"remediation": {"retries": 0, "remediateLastFailure": true}, "force": replaced, "serverSideApply": side("disabled")},
            "rollback": {"force": replaced, "serverSideApply": side("disabled")},
        });
        if replaced {
            spec["install"] = json!({"serverSideApply": false});
        }
        for action in ["upgrade", "rollback"] {
            spec[action].as_object_mut().unwrap().retain(|_, value| !value.is_null());
        }
        scene.release("rel", spec).await?;
        let fails = step == 2 || (step == 1 && life.is_refused());
        let what = format!("{}: {}", life.name, STEPS[step]);
        let object = scene
            .until("rel", &what, |object| {
                let settled = object["status"]["observedGeneration"] == object["metadata"]["generation"]
                    && condition(object, "Reconciling").is_none();
                let is = |kind: &str| condition(object, kind).is_some_and(|found| found["status"] == "True");
                settled && (is("Ready") || is("Stalled"))
            })
            .await?;
        let reason = scene::reason(&object, "Ready");
        ensure!(
            fails == (reason == "RollbackSucceeded"),
            "{what}: {reason} {} {}",
            scene::message(&object, "Released"),
            scene::message(&object, "Remediated")
        );
        seen.push(holdings.look().await?);
    }
    scene.delete("rel").await?;
    seen.push(holdings.look().await?);
    Ok(seen)
}

async fn theirs(life: &Life, scene: &Scene, mut holdings: Holdings) -> Result<Seen> {
    let mut seen = Seen::new();
    let folder = tempfile::tempdir()?;
    let place = |name: String| folder.path().join(name).to_string_lossy().into_owned();
    let namespace = holdings.namespace.clone();
    let helm = async |arguments: Vec<&str>| scene.helm_in(&namespace, &arguments).await;
    let mut flags = vec!["--timeout=60s", "--wait"];
    if life.is_replaced() {
        flags.push("--server-side=false");
    }
    let force: &[&str] = if life.is_replaced() { &["--force-replace"] } else { &[] };
    let mut good = 0;
    let mut revision = 0;
    for (step, (version, values)) in VERSIONS.iter().zip(life.values()?).enumerate() {
        let (archive, file) = (place(format!("{step}.tgz")), place(format!("{step}.json")));
        std::fs::write(&archive, life.archive(version, &namespace)?)?;
        std::fs::write(&file, values.to_string())?;
        let action = if step == 0 { "install" } else { "upgrade" };
        let mut arguments = vec![action, "rel", &archive, "-f", &file, "--wait-for-jobs"];
        arguments.extend(&flags);
        arguments.extend(if step == 0 { &[] } else { force });
        let done = helm(arguments).await;
        revision += 1;
        if step == 2 || (step == 1 && life.is_refused()) {
            ensure!(done.is_err(), "{} is no failure: {done:?}", STEPS[step]);
            let to = good.to_string();
            let mut arguments = vec!["rollback", "rel", &to, "--wait-for-jobs"];
            arguments.extend(&flags);
            arguments.extend(force);
            helm(arguments).await?;
            revision += 1;
        } else {
            done?;
            helm(vec!["test", "rel", "--timeout=60s"]).await?;
        }
        good = revision;
        seen.push(holdings.look().await?);
    }
    helm(vec!["uninstall", "rel", "--wait", "--timeout=60s"]).await?;
    seen.push(holdings.look().await?);
    Ok(seen)
}

/// Where the two lives differ.
async fn live(life: &Life) -> Result<Vec<String>> {
    let plane = scene::plane().await?;
    let scene = Scene::new().await?;
    let other = plane.namespace("helm").await?;
    let random = RANDOM.iter().find(|(name, _)| *name == life.name).map_or(&[][..], |(_, places)| places);
    for namespace in [&scene.namespace, &other] {
        // Some charts look at what there is.
        let maps = plane.objects("v1", "ConfigMap", Some(namespace))?;
        plane.wait_for(&maps, "kube-root-ca.crt", "the namespace is furnished", |_| true).await?;
    }
    let holdings = |namespace: &str| Holdings::of(plane, namespace, random);
    let mine = holdings(&scene.namespace);
    let (ours, theirs) = tokio::join!(ours(life, &scene, mine), theirs(life, &scene, holdings(&other)));
    let (ours, theirs) = (ours.context("ours")?, theirs.context("Helm's")?);
    let mut problems = Vec::new();
    for (step, (ours, theirs)) in STEPS.iter().zip(ours.iter().zip(&theirs)) {
        println!("{} {step}: {} objects, {} records", life.name, ours.0.len(), ours.1.len());
        for (what, ours, theirs) in [("objects", &ours.0, &theirs.0), ("records", &ours.1, &theirs.1)] {
            let found = differ(&ours.clone().into(), &theirs.clone().into());
            problems.extend(found.into_iter().map(|line| format!("{} {step}: {what}{line}", life.name)));
        }
    }
    scene.controller.kill()?;
    Ok(problems)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn charts_live_as_with_helm() -> Result<()> {
    // `MILLRACE_CHARTS=hooks,parts` tries these only.
    let wanted = std::env::var("MILLRACE_CHARTS").unwrap_or_default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts");
    let mut lives = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let folder = entry?.path();
        let name = folder.file_name().context("a folder")?.to_string_lossy().into_owned();
        if wanted.is_empty() || wanted.split(',').any(|wanted| wanted == name) {
            lives.push(Life::named(&name));
        }
    }
    assert!(!wanted.is_empty() || lives.len() >= 20, "{} charts", lives.len());
    lives.sort_by(|a, b| a.name.cmp(&b.name));
    let each = futures::stream::iter(lives).map(|life| {
        let name = life.name.clone();
        // On threads of their own: starting a process takes one for a while.
        let task = tokio::spawn(async move { live(&life).await });
        async move { (name, task.await) }
    });
    let mut problems = Vec::new();
    let mut each = each.buffer_unordered(AT_ONCE);
    while let Some((name, outcome)) = each.next().await {
        match outcome? {
            Ok(found) => problems.extend(found),
            Err(error) => problems.push(format!("{name}: {error:#}")),
        }
    }
    assert!(problems.is_empty(), "ours | Helm's:\n{}", problems.join("\n"));
    Ok(())
}

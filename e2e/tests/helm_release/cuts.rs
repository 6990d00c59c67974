//! kill -9 at every write of install, upgrade, rollback, test and uninstall: after a restart the release is driven to its
//! goal, as if nothing had happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use testkit::condition;

use super::holdings::Holdings;
use super::lives::Life;
use super::scene::{self, Scene};
use super::trap::{Cut, Trap};
use crate::compare::differ;

/// Lives at a time.
const AT_ONCE: usize = 6;
/// Without `MILLRACE_ALL` one in so many cuts is tried, from a random one on.
const SAMPLE: usize = 7;

const ACTIONS: [&str; 7] = [
    "install",
    "upgrade",
    "rollback",
    "test",
    "uninstall",
    "remedy of an installation",
    "uninstall with history",
];

/// The hooks of the chart that may run again when their action does: each is deleted before it runs. `return` has no such
/// policy, but bears the number of the revision that is returned to, in each attempt.
const AGAIN: [&str; 5] = ["rel-prepare", "rel-leave", "rel-return", "rel-drain", "rel-probe"];

/// The Jobs that were made in a namespace: their ids by name and revision.
type Jobs = Arc<Mutex<BTreeMap<(String, String), BTreeSet<String>>>>;

/// What each action left and took: objects other than hooks, and the writes.
type Seen = Vec<(Vec<Value>, Vec<String>)>;

struct Run {
    scene: Scene,
    trap: Trap,
    holdings: Holdings,
    /// Actions in which the controller was killed, and at which write.
    fell: Vec<String>,
    seen: Seen,
    problems: Vec<String>,
}

fn is(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|found| found["status"] == "True")
}

fn settled(object: &Value) -> bool {
    object["status"]["observedGeneration"] == object["metadata"]["generation"]
        && condition(object, "Reconciling").is_none()
}

/// Waits until the goal is reached; without one, until the HelmRelease is gone.
async fn reach(scene: &Scene, action: &str, goal: Option<Goal>) -> Result<()> {
    let Some(goal) = goal else {
        let rest = async {
            while scene.releases.get_opt("rel").await?.is_some() {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            anyhow::Ok(())
        };
        return tokio::time::timeout(std::time::Duration::from_secs(60), rest)
            .await
            .context("it is still there")?;
    };
    scene.until("rel", action, goal).await.map(|_| ())
}

type Goal = fn(&Value) -> bool;

/// Whether the records of a release are as they have to be, by their statuses.
type Records = fn(&[&str]) -> bool;

/// One revision is deployed: the last.
fn deployed(records: &[&str]) -> bool {
    let count = records.iter().filter(|status| **status == "deployed").count();
    count == 1 && records.last() == Some(&"deployed")
}

impl Run {
    async fn new() -> Result<Self> {
        let plane = scene::plane().await?;
        let trap = Trap::new(plane).await?;
        let scene = Scene::behind(Some(&trap.kubeconfig), &[]).await?;
        let holdings = Holdings::of(plane, &scene.namespace, &[]);
        trap.watch(scene.controller.process().pid);
        Ok(Self { scene, trap, holdings, fell: Vec::new(), seen: Seen::new(), problems: Vec::new() })
    }

    /// Waits until the goal of an action is reached that was begun after [`Trap::arm`], with a death on the way there.
    async fn act(mut self, goal: Option<Goal>, wanted: Records) -> Result<Self> {
        let action = ACTIONS[self.seen.len()];
        let fell = tokio::select! {
            () = self.trap.fell() => true,
            reached = reach(&self.scene, action, goal) => {
                reached?;
                // The last write may reach the goal and be the one.
                let dead = self.trap.is_dead();
                if dead {
                    self.trap.fell().await;
                }
                dead
            }
        };
        let writes = self.trap.writes();
        self.trap.arm(None);
        if fell {
            let last = writes.last().map_or("", String::as_str);
            let (method, path) = last.split_once(' ').unwrap_or_default();
            let place = path.rsplit(&format!("{}/", self.scene.namespace)).next().unwrap_or_default();
            self.fell.push(format!("{action} {method} {place}"));
            self.scene.controller = self.scene.controller.restart().await?;
            self.trap.watch(self.scene.controller.process().pid);
            reach(&self.scene, action, goal)
                .await
                .with_context(|| format!("after death at {:?}", self.fell))?;
        }
        let (mut objects, records) = self.holdings.look().await?;
        objects.retain(|object| object["metadata"]["annotations"].get("helm.sh/hook").is_none());
        let statuses: Vec<_> =
            records.iter().map(|record| record["release"]["info"]["status"].as_str().unwrap()).collect();
        if statuses.iter().any(|status| status.starts_with("pending")) || !wanted(&statuses) {
            self.problems.push(format!("{action}: records {statuses:?}"));
        }
        self.seen.push((objects, writes));
        Ok(self)
    }
}

/// Notes all Jobs of a namespace while it is polled.
async fn note(jobs: Jobs, api: kube::Api<DynamicObject>) {
    let stream = kube::runtime::watcher(api, Default::default());
    futures::pin_mut!(stream);
    while let Some(event) = stream.next().await {
        use kube::runtime::watcher::Event::{Apply, InitApply};
        if let Ok(Apply(job) | InitApply(job)) = event {
            let revision = job.labels().get("revision").cloned().unwrap_or_default();
            let uid = job.uid().unwrap_or_default();
            jobs.lock().unwrap().entry((job.name_any(), revision)).or_default().insert(uid);
        }
    }
}

/// A life, in which the controller dies once in each action.
async fn live(at: Option<(usize, Cut)>) -> Result<Run> {
    let life = Life::named("shop");
    let mut run = Run::new().await?;
    let (jobs, ns) = (Jobs::default(), run.scene.namespace.clone());
    let watch = tokio::spawn(note(jobs.clone(), run.scene.plane.objects("batch/v1", "Job", Some(&ns))?));
    for version in ["1.0.0", "1.1.0"] {
        run.scene.chart(&format!("shop-{version}"), &life.archive(version, &ns)?).await?;
    }
    let spec = |version: &str, values: Value, test: bool| {
        json!({
            "chartRef": {"kind": "ExternalArtifact", "name": format!("shop-{version}")}, "timeout": "30s", "values": values,
            "test": {"enable": test}, "upgrade": {"remediation": {"retries": 0, "remediateLastFailure": true}},
        })
    };
    let ready: Goal = |object| settled(object) && is(object, "Ready");
    let stalled: Goal = |object| settled(object) && is(object, "Stalled");

    run.trap.arm(at);
    run.scene.release("rel", spec("1.0.0", json!({"color": "one"}), false)).await?;
    run = run.act(Some(ready), deployed).await?;
    run.trap.arm(at);
    run.scene.release("rel", spec("1.1.0", json!({"color": "two"}), false)).await?;
    run = run.act(Some(ready), deployed).await?;
    run.trap.arm(at);
    run.scene.release("rel", spec("1.0.0", json!({"color": "three", "broken": true}), false)).await?;
    run = run.act(Some(stalled), deployed).await?;
    let object = run.scene.get("rel").await?;
    if scene::reason(&object, "Ready") != "RollbackSucceeded" {
        run.problems.push(format!("rollback: {}", scene::message(&object, "Stalled")));
    }
    // Well again, for the test.
    run.scene.release("rel", spec("1.1.0", json!({"color": "two"}), false)).await?;
    run.scene.ready("rel").await?;
    run.trap.arm(at);
    run.scene.release("rel", spec("1.1.0", json!({"color": "two"}), true)).await?;
    let tested: Goal = |object| settled(object) && is(object, "Ready") && is(object, "TestSuccess");
    run = run.act(Some(tested), deployed).await?;
    run.trap.arm(at);
    run.scene.releases.delete("rel", &Default::default()).await?;
    run = run.act(None, |records| records.is_empty()).await?;
    watch.abort();

    for ((name, revision), ids) in &*jobs.lock().unwrap() {
        let most = if at.is_some() && AGAIN.contains(&name.as_str()) { 2 } else { 1 };
        if ids.len() > most {
            run.problems.push(format!("hook {name} of revision {revision} ran {} times", ids.len()));
        }
    }

    // Once more: an installation that fails, and is removed or, when its retry fails, left; then it can be put right, and
    // ended with its records kept.
    let mut failing = spec("1.1.0", json!({"color": "two", "broken": true}), false);
    failing["install"] =
        json!({"replace": true, "remediation": {"retries": 0, "remediateLastFailure": true}});
    failing["uninstall"] = json!({"keepHistory": true});
    run.trap.arm(at);
    run.scene.release("rel", failing.clone()).await?;
    run = run.act(Some(stalled), |records| !records.contains(&"deployed")).await?;
    failing["values"] = json!({"color": "two"});
    run.scene.release("rel", failing).await?;
    run.scene.ready("rel").await?;
    if let Some(seen) = run.seen.last_mut() {
        // What counts is that it can be put right.
        seen.0 = run.holdings.look().await?.0;
        seen.0.retain(|object| object["metadata"]["annotations"].get("helm.sh/hook").is_none());
    }
    run.trap.arm(at);
    run.scene.releases.delete("rel", &Default::default()).await?;
    run = run
        .act(None, |records| records.last() == Some(&"uninstalled") && !records.contains(&"deployed"))
        .await?;
    run.scene.controller.kill()?;
    Ok(run)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_controller_killed_at_any_write_reaches_its_goal() -> Result<()> {
    let whole = live(None).await.context("without any death")?;
    assert_eq!(whole.fell, [""; 0]);
    let most = whole.seen.iter().map(|(_, writes)| writes.len()).max().unwrap();
    for (action, (objects, writes)) in ACTIONS.iter().zip(&whole.seen) {
        println!("{action}: {} objects, {} writes: {writes:?}", objects.len(), writes.len());
        assert!(writes.len() > 3, "{action} goes another way");
    }
    let step = if std::env::var_os("MILLRACE_ALL").is_some() { 1 } else { SAMPLE };
    let first = rand::random_range(0..step);
    let cuts = (1..=most).flat_map(|at| [(at, Cut::Before), (at, Cut::After)]).skip(first).step_by(step);
    // `MILLRACE_CUT=7` tries the seventh write only.
    let only = std::env::var("MILLRACE_CUT").ok().and_then(|only| only.parse::<usize>().ok());
    let cuts = match only {
        Some(only) => vec![(only, Cut::Before), (only, Cut::After)],
        None => cuts.collect::<Vec<_>>(),
    };
    let lives = futures::stream::iter(cuts).map(|at| async move { (at, tokio::spawn(live(Some(at))).await) });
    let mut lives = lives.buffer_unordered(AT_ONCE);
    let (mut deaths, mut problems) = (BTreeMap::<String, usize>::new(), Vec::new());
    while let Some((at, run)) = lives.next().await {
        let run = match run? {
            Ok(run) => run,
            Err(error) => {
                problems.push(format!("{at:?}: {error:#}"));
                continue;
            }
        };
        for place in &run.fell {
            let action =
                ACTIONS.iter().rfind(|action| place.starts_with(**action)).copied().unwrap_or_default();
            *deaths.entry(action.to_owned()).or_default() += 1;
        }
        problems
            .extend(run.problems.iter().map(|problem| format!("{at:?} {problem}; deaths at {:?}", run.fell)));
        for (action, ((objects, _), (wanted, _))) in ACTIONS.iter().zip(run.seen.iter().zip(&whole.seen)) {
            let found = differ(&objects.clone().into(), &wanted.clone().into());
            if let Some(first) = found.first() {
                let count = found.len();
                problems
                    .push(format!("{at:?} {action}: {count} differences: {first}; deaths at {:?}", run.fell));
            }
        }
    }
    println!("deaths: {deaths:?}");
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    assert!(deaths.values().sum::<usize>() > 0);
    Ok(())
}

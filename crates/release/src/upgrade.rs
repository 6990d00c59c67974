//! `helm upgrade`

use std::collections::BTreeMap;
use std::sync::Arc;

use apply::Resource;
use chart::{
    Action, Chart, Event, Info, Release, ReleaseOptions, Status, StoredChart, Table, coalesce_values, overlay,
};
use object::Owner;
use serde_json::Value;

use crate::action::{Change, Failed, Hooks, Method, MethodChoice, Outcome, Ownership, Session, now};
use crate::cluster::Cluster;
use crate::error::Error;
use crate::hooks;
use crate::leftovers::{leftovers, sweep};
use crate::merge::Custom;
use crate::objects::{Built, build, build_with};
use crate::ownership::mark;
use crate::plan::{Definitions, Looking, Plan};
use crate::render::{RenderOptions, check_name, render};
use crate::storage::{Last, Revision, Storage};
use crate::update::{How, Updated, adopted, clean_up, update};
use crate::wait::Waiting;
use crate::write::Migrate;

/// Upgrades a release to another chart or other values.
///
/// The new record is stored as `pending-upgrade` before anything is touched.
#[derive(Debug, Clone)]
pub struct Upgrade {
    /// Name of the release.
    pub name: String,
    /// The chart. Its dependencies are processed here.
    pub chart: Chart,
    /// The user's values.
    pub values: Table,
    /// What becomes of the values of the last revision.
    pub old_values: OldValues,
    /// How to render.
    pub render: RenderOptions,
    /// How to wait.
    pub waiting: Waiting,
    /// How to write.
    pub method: MethodChoice,
    /// What becomes of objects that exist and are new to the release.
    pub ownership: Ownership,
    /// Whether hooks run.
    pub hooks: Hooks,
    /// How objects that exist are changed. Does not count with server-side apply.
    pub change: Change,
    /// What becomes of new objects when the upgrade fails.
    pub cleanup: Cleanup,
    /// Labels of the record, over those of the last one; the value `null` takes one away.
    pub labels: BTreeMap<String, String>,
    /// Description instead of `Upgrade complete`; empty for that one.
    pub description: String,
    /// Revisions to keep; 0 keeps all.
    pub max_history: usize,
    /// What the caller knows of the last revision.
    pub last: Last,
}

/// What becomes of the values of the last revision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OldValues {
    /// They are forgotten (`--reset-values`).
    #[default]
    Reset,
    /// The new ones go over them, and over the defaults of the old chart (`--reuse-values`).
    Reuse,
    /// The new ones go over them, and over the defaults of the new chart (`--reset-then-reuse-values`).
    ResetThenReuse,
    /// They count when there are no new ones: what Helm does unless told otherwise.
    WhenNoneAreNew,
}

/// What becomes of objects that an action created before it failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cleanup {
    /// They stay.
    #[default]
    Keep,
    /// They are deleted.
    Delete,
}

impl Upgrade {
    /// With the defaults of helm-controller: the way of writing of the last revision, old values reset, ownership
    /// taken, hooks run, waiting for everything.
    pub fn new(name: &str, chart: Chart, values: Table) -> Upgrade {
        Upgrade {
            name: name.to_owned(),
            chart,
            values,
            old_values: OldValues::default(),
            render: RenderOptions::default(),
            waiting: Waiting::default(),
            method: MethodChoice::default(),
            ownership: Ownership::default(),
            hooks: Hooks::default(),
            change: Change::default(),
            cleanup: Cleanup::default(),
            labels: BTreeMap::new(),
            description: String::new(),
            max_history: 0,
            last: Last::default(),
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// [`Failed`] with Helm's error; the record, if it was stored, says `failed`.
    pub async fn run(mut self, cluster: &Cluster, storage: &Storage) -> Result<Outcome, Box<Failed>> {
        let waiting = self.waiting.clone();
        let owner = Owner { namespace: String::new(), name: self.name.clone() };
        let mut session = Session::new(cluster, storage, &waiting, owner);
        let mut prepared = match self.begin(&mut session).await {
            Ok(prepared) => prepared,
            Err((error, release)) => return Err(Box::new(session.fail(error, release))),
        };
        session.owner.namespace.clone_from(&prepared.release.namespace);
        match self.perform(&mut session, &mut prepared).await {
            Ok(()) => {
                let Prepared { mut release, mut current, .. } = prepared;
                current.info.status = Status::Superseded;
                session.record(&current).await;
                release.info.status = Status::Deployed;
                release.info.description = if self.description.is_empty() {
                    "Upgrade complete".to_owned()
                } else {
                    self.description
                };
                match session.update(&release).await {
                    Ok(()) => Ok(session.succeed(release)),
                    Err(error) => Err(Box::new(session.fail(error, Some(release)))),
                }
            }
            Err(stopped) => {
                let error = self.give_up(&mut session, &mut prepared, stopped).await;
                Err(Box::new(session.fail(error, Some(prepared.release))))
            }
        }
    }

    /// The records of an upgrade that failed, and what else it leaves.
    async fn give_up(&self, session: &mut Session<'_>, prepared: &mut Prepared, stopped: Stopped) -> Error {
        let Stopped { error, created, touches_current } = stopped;
        if touches_current {
            session.record(&prepared.current).await;
        }
        let release = &mut prepared.release;
        release.info.status = Status::Failed;
        release.info.description = format!("Upgrade {} failed: {error}", Value::from(release.name.as_str()));
        let about = [("name", Value::from(release.name.as_str())), ("error", error.to_string().into())];
        session.log.warn("upgrade failed", &about);
        session.record(&prepared.release).await;
        if self.cleanup == Cleanup::Delete
            && !created.is_empty()
            && let Err(problem) = clean_up(session, &prepared.targets, &created).await
        {
            return problem.during(format!(
                "an error occurred while cleaning up resources. original upgrade error: {error}"
            ));
        }
        error
    }

    /// What it would do, asked of the API server as dry runs.
    ///
    /// # Errors
    /// [`Failed`] with Helm's error, when it would fail before anything is stored.
    pub async fn plan(
        mut self,
        cluster: &Cluster,
        storage: &Storage,
        definitions: &Definitions,
    ) -> Result<Plan, Box<Failed>> {
        let waiting = self.waiting.clone();
        let owner = Owner { namespace: String::new(), name: self.name.clone() };
        let mut session = Session::new(cluster, storage, &waiting, owner);
        self.render.api_versions.extend(definitions.api_versions());
        let prepared = match self.prepare(&mut session, definitions.resources()).await {
            Ok(prepared) => prepared,
            Err((error, release)) => return Err(Box::new(session.fail(error, release))),
        };
        let how = self.how(&prepared);
        let mut looking = Looking::new(cluster, definitions);
        looking.update(&prepared.originals, &prepared.targets, how).await;
        looking.sweep(&prepared.left, &prepared.targets, &prepared.release).await;
        let events = [Event::PreUpgrade, Event::PostUpgrade];
        Ok(looking.plan(prepared.release, self.hooks, events, session.warnings))
    }

    /// Everything up to the stored record.
    async fn begin(&mut self, session: &mut Session<'_>) -> Result<Prepared, (Error, Option<Release>)> {
        let prepared = self.prepare(session, &[]).await?;
        match session.create(&prepared.release, self.max_history).await {
            Ok(()) => Ok(prepared),
            Err(error) => Err((error, None)),
        }
    }

    /// The release as it is to be, without a write. Kinds in `coming` are not served yet.
    async fn prepare(
        &mut self,
        session: &mut Session<'_>,
        coming: &[Arc<Resource>],
    ) -> Result<Prepared, (Error, Option<Release>)> {
        let before = |error: Error| (error, None);
        check_name(&self.name)
            .map_err(|_| before(Error::Name(format!("release name is invalid: {}", self.name))))?;
        let (last, current) = self.last_and_current(session).await.map_err(before)?;
        self.reuse_values(session, &current).map_err(before)?;
        let mut warnings = Vec::new();
        let processed = self.chart.process_dependencies(&self.values, &mut warnings);
        session.warnings.append(&mut warnings);
        processed.map_err(|error| before(error.into()))?;
        let namespace = current.namespace.clone();
        let version = last.version + 1;
        let options = ReleaseOptions {
            name: self.name.clone(),
            namespace: namespace.clone(),
            revision: version,
            action: Action::Upgrade,
        };
        let rendered =
            render(session.cluster, &self.chart, &self.values, options, &self.render, &mut warnings).await;
        session.warnings.append(&mut warnings);
        let rendered = rendered.map_err(before)?;
        chart::check_labels(&self.labels).map_err(|error| before(error.into()))?;
        let method = self.method.after(&last);
        let mut labels = last.labels.clone();
        labels.extend(self.labels.clone());
        labels.retain(|_, value| value != "null");
        let release = Release {
            name: self.name.clone(),
            namespace: namespace.clone(),
            version,
            chart: Some(StoredChart::from(&self.chart)),
            config: self.values.clone(),
            manifest: rendered.manifest(),
            hooks: rendered.hooks,
            apply_method: method.word().to_owned(),
            labels,
            info: Info {
                first_deployed: current.info.first_deployed,
                last_deployed: Some(now()),
                status: Status::PendingUpgrade,
                description: "Preparing upgrade".to_owned(),
                notes: rendered.notes,
                ..Info::default()
            },
        };
        // As Helm, which checks the new manifest before it looks at the old one.
        let targets = build_with(session.cluster, &release.manifest, &namespace, coming).await;
        let mut targets = targets.map_err(before)?;
        let mut originals = build(session.cluster, &current.manifest, &namespace).await.map_err(|error| {
            let step = "unable to build kubernetes objects from current release manifest";
            (error.during(step), Some(release.clone()))
        })?;
        for target in &mut targets {
            mark(&mut target.value, &release.name, &namespace);
        }
        self.adopt(session, &release, &mut originals, &targets)
            .await
            .map_err(|error| before(error.during("unable to continue with update")))?;
        let left = leftovers(session, &last).await.map_err(before)?;
        Ok(Prepared { release, current, originals, targets, method, left })
    }

    /// The last revision, and the one that is deployed, or counts as that.
    async fn last_and_current(&mut self, session: &Session<'_>) -> Result<(Release, Release), Error> {
        let storage = session.storage;
        let mut history: Option<Vec<Revision>> = None;
        let last = match std::mem::take(&mut self.last) {
            Last::Is(last) => Some(*last),
            Last::Absent => None,
            Last::Ask => {
                let found = storage.history(&self.name).await?;
                let last = storage.newest(&self.name, &found, |_| true).await?;
                history = Some(found);
                last
            }
        };
        let Some(last) = last else { return Err(Error::NoDeployedReleases(self.name.clone())) };
        if last.info.status.is_pending() {
            return Err(Error::Pending);
        }
        if last.info.status == Status::Deployed {
            return Ok((last.clone(), last));
        }
        let history = match history {
            Some(history) => history,
            None => storage.history(&self.name).await?,
        };
        let deployed = |revision: &Revision| revision.status == Status::Deployed.as_str();
        match storage.newest(&self.name, &history, deployed).await? {
            Some(current) => Ok((last, current)),
            None if matches!(last.info.status, Status::Failed | Status::Superseded) => {
                Ok((last.clone(), last))
            }
            None => Err(Error::NoDeployedReleases(self.name.clone())),
        }
    }

    fn reuse_values(&mut self, session: &mut Session<'_>, current: &Release) -> Result<(), Error> {
        let under = |values: &mut Table| {
            let new = std::mem::take(values);
            *values = overlay(current.config.clone(), new);
        };
        match self.old_values {
            OldValues::Reset => {}
            OldValues::Reuse => {
                let old = current.chart.as_ref().map(StoredChart::chart).unwrap_or_default();
                self.chart.values = coalesce_values(&old, &current.config, &mut session.warnings)
                    .map_err(|error| Error::from(error).during("failed to rebuild old values"))?;
                under(&mut self.values);
            }
            OldValues::ResetThenReuse => under(&mut self.values),
            OldValues::WhenNoneAreNew if self.values.is_empty() => self.values = current.config.clone(),
            OldValues::WhenNoneAreNew => {}
        }
        Ok(())
    }

    /// Adds objects that exist and are new to the release to the originals.
    async fn adopt(
        &self,
        session: &mut Session<'_>,
        release: &Release,
        originals: &mut Vec<Built>,
        targets: &[Built],
    ) -> Result<(), Error> {
        let new: Vec<&Built> = targets
            .iter()
            .filter(|target| !originals.iter().any(|old| old.reference == target.reference))
            .collect();
        if Method::of(release) == Method::ServerSide && self.ownership == Ownership::Take {
            for object in new {
                crate::ownership::generates_name(object)?;
            }
            return Ok(());
        }
        let found = adopted(session, &new, self.ownership, &release.name, &release.namespace).await?;
        originals.extend(found.iter().filter_map(|i| new.get(*i)).map(|object| (*object).clone()));
        Ok(())
    }

    fn how(&self, prepared: &Prepared) -> How {
        let method = prepared.method;
        let from_client = Method::of(&prepared.current) == Method::ClientSide;
        let migrate = if from_client && method == Method::ServerSide { Migrate::Yes } else { Migrate::No };
        let change = if method == Method::ServerSide { Change::Patch } else { self.change };
        How { method, change, migrate, custom: Custom::TwoWay }
    }

    async fn perform(&self, session: &mut Session<'_>, prepared: &mut Prepared) -> Result<(), Stopped> {
        let method = prepared.method;
        if self.hooks == Hooks::Run {
            let hooks = hooks::run(session, &mut prepared.release, Event::PreUpgrade, method).await;
            hooks.map_err(|error| Stopped::new(error.during("pre-upgrade hooks failed"), Vec::new()))?;
        }
        let how = self.how(prepared);
        let (updated, result) = update(session, &prepared.originals, &prepared.targets, how).await;
        let Updated { live, created } = updated;
        let result = match result {
            Ok(()) => sweep(session, &prepared.left, &prepared.targets, &prepared.release).await,
            failed => failed,
        };
        if let Err(error) = result {
            return Err(Stopped { error, created, touches_current: true });
        }
        let pairs: Vec<(&Built, &Value)> = prepared.targets.iter().zip(&live).collect();
        let owner = session.owner.clone();
        if let Err(error) = session.waiting.ready(session.cluster, &owner, &pairs).await {
            return Err(Stopped { error, created, touches_current: true });
        }
        if self.hooks == Hooks::Run {
            let hooks = hooks::run(session, &mut prepared.release, Event::PostUpgrade, method).await;
            hooks.map_err(|error| Stopped::new(error.during("post-upgrade hooks failed"), created))?;
        }
        Ok(())
    }
}

struct Prepared {
    release: Release,
    current: Release,
    originals: Vec<Built>,
    targets: Vec<Built>,
    method: Method,
    /// Objects of revisions that were cut off.
    left: Vec<Built>,
}

/// Where an upgrade stopped.
struct Stopped {
    error: Error,
    /// What it had created, by its place among the targets.
    created: Vec<usize>,
    /// The current revision is recorded anew.
    touches_current: bool,
}

impl Stopped {
    fn new(error: Error, created: Vec<usize>) -> Stopped {
        Stopped { error, created, touches_current: false }
    }
}

//! `helm install`

use std::sync::Arc;

use apply::{Accept, Content, Resource};
use chart::{Action, Chart, Event, Info, Release, ReleaseOptions, Status, StoredChart, Table};
use http::Method as Http;
use object::Owner;
use serde_json::{Value, json};

use crate::action::{Change, Failed, Hooks, Method, Outcome, Ownership, Session, now};
use crate::cluster::Cluster;
use crate::error::Error;
use crate::hooks;
use crate::merge::Custom;
use crate::objects::{Built, build_with};
use crate::ownership::mark;
use crate::plan::{Definitions, Looking, Plan};
use crate::render::{RenderOptions, check_name, render};
use crate::storage::{Last, Storage};
use crate::update::{How, adopted, create, update};
use crate::wait::Waiting;
use crate::write::Migrate;

/// Installs a chart as the first revision of a release (or the next one after it was uninstalled or failed, with
/// [`Reuse::AfterEnd`]).
///
/// The record is stored as `pending-install` before anything is touched. Custom resource definitions in `crds/` are not
/// installed here: see [`crate::apply_crds`].
#[derive(Debug, Clone)]
pub struct Install {
    /// Name of the release.
    pub name: String,
    /// Namespace of the release.
    pub namespace: String,
    /// The chart. Its dependencies are processed here.
    pub chart: Chart,
    /// The user's values.
    pub values: Table,
    /// How to render.
    pub render: RenderOptions,
    /// How to wait.
    pub waiting: Waiting,
    /// How to write.
    pub method: Method,
    /// What becomes of objects that exist.
    pub ownership: Ownership,
    /// Whether hooks run.
    pub hooks: Hooks,
    /// How objects that exist are changed.
    pub change: Change,
    /// Whether a name may be used again.
    pub reuse: Reuse,
    /// Whether the namespace is created.
    pub namespaces: Namespaces,
    /// Labels of the record.
    pub labels: std::collections::BTreeMap<String, String>,
    /// Description instead of `Install complete`; empty for that one.
    pub description: String,
    /// Revisions to keep; 0 keeps all.
    pub max_history: usize,
    /// What the caller knows of the last revision.
    pub last: Last,
}

/// Whether the name of a release may be used again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reuse {
    /// Not while there is a record of it.
    #[default]
    Never,
    /// When its last revision is uninstalled or failed (`--replace`).
    AfterEnd,
}

/// Whether the namespace of a release is created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Namespaces {
    /// It must be there.
    #[default]
    Expect,
    /// It is created unless it is there. It never becomes part of the release.
    Create,
}

impl Install {
    /// With the defaults of helm-controller: server-side apply, ownership taken, hooks run, waiting for everything.
    pub fn new(name: &str, namespace: &str, chart: Chart, values: Table) -> Install {
        Install {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            chart,
            values,
            render: RenderOptions::default(),
            waiting: Waiting::default(),
            method: Method::default(),
            ownership: Ownership::default(),
            hooks: Hooks::default(),
            change: Change::default(),
            reuse: Reuse::default(),
            namespaces: Namespaces::default(),
            labels: std::collections::BTreeMap::new(),
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
        let owner = Owner { namespace: self.namespace.clone(), name: self.name.clone() };
        let mut session = Session::new(cluster, storage, &waiting, owner);
        let prepared = match self.begin(&mut session).await {
            Ok(prepared) => prepared,
            Err((error, release)) => return Err(Box::new(session.fail(error, release))),
        };
        let Prepared { mut release, objects, existing, .. } = prepared;
        match self.perform(&mut session, &mut release, &objects, existing).await {
            Ok(()) => {
                release.info.status = Status::Deployed;
                release.info.description = if self.description.is_empty() {
                    "Install complete".to_owned()
                } else {
                    self.description
                };
                session.record(&release).await;
                Ok(session.succeed(release))
            }
            Err(error) => {
                release.info.status = Status::Failed;
                release.info.description =
                    format!("Release {} failed: {error}", Value::from(self.name.as_str()));
                session.record(&release).await;
                Err(Box::new(session.fail(error, Some(release))))
            }
        }
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
        let owner = Owner { namespace: self.namespace.clone(), name: self.name.clone() };
        let mut session = Session::new(cluster, storage, &waiting, owner);
        self.render.api_versions.extend(definitions.api_versions());
        let prepared = match self.prepare(&mut session, definitions.resources()).await {
            Ok(prepared) => prepared,
            Err((error, release)) => return Err(Box::new(session.fail(error, release))),
        };
        let Prepared { release, objects, existing, .. } = prepared;
        let mut looking = Looking::new(cluster, definitions);
        if self.namespaces == Namespaces::Create {
            looking.namespace(&self.namespace).await;
        }
        looking.update(&chosen(&objects, &existing), &objects, self.how()).await;
        let events = [Event::PreInstall, Event::PostInstall];
        Ok(looking.plan(release, self.hooks, events, session.warnings))
    }

    /// How objects that exist are taken over.
    fn how(&self) -> How {
        let custom = if self.ownership == Ownership::Take { Custom::ThreeWay } else { Custom::TwoWay };
        How { method: self.method, change: self.change, migrate: Migrate::Yes, custom }
    }

    /// Everything up to the stored record.
    async fn begin(&mut self, session: &mut Session<'_>) -> Result<Prepared, (Error, Option<Release>)> {
        let mut prepared = self.prepare(session, &[]).await?;
        if self.namespaces == Namespaces::Create {
            create_namespace(session.cluster, &self.namespace).await.map_err(|error| (error, None))?;
        }
        if let Some(mut last) = prepared.last.take()
            && last.info.status != Status::Failed
        {
            last.info.status = Status::Superseded;
            "superseded by new release".clone_into(&mut last.info.description);
            session.record(&last).await;
        }
        if let Err(error) = session.create(&prepared.release, self.max_history).await {
            return Err((error, Some(prepared.release)));
        }
        Ok(prepared)
    }

    /// The release as it is to be, without a write. Kinds in `coming` are not served yet.
    async fn prepare(
        &mut self,
        session: &mut Session<'_>,
        coming: &[Arc<Resource>],
    ) -> Result<Prepared, (Error, Option<Release>)> {
        let before = |error: Error| (error, None);
        check_name(&self.name).map_err(|error| before(of_name(error)))?;
        let last = self.last_if_free(session).await.map_err(before)?;
        let mut warnings = Vec::new();
        self.chart
            .process_dependencies(&self.values, &mut warnings)
            .map_err(|error| before(Error::from(error).during("chart dependencies processing failed")))?;
        chart::check_labels(&self.labels).map_err(|error| before(error.into()))?;
        let options = ReleaseOptions {
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            revision: 1,
            action: Action::Install,
        };
        let now = now();
        let mut release = Release {
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            version: last.as_ref().map_or(1, |last| last.version + 1),
            config: self.values.clone(),
            apply_method: self.method.word().to_owned(),
            labels: self.labels.clone(),
            info: Info { first_deployed: Some(now), last_deployed: Some(now), ..Info::default() },
            ..Release::default()
        };
        let rendered =
            render(session.cluster, &self.chart, &self.values, options, &self.render, &mut warnings).await;
        session.warnings.append(&mut warnings);
        release.chart = Some(StoredChart::from(&self.chart));
        let rendered = match rendered {
            Ok(rendered) => rendered,
            Err(error) => {
                release.info.status = Status::Failed;
                release.info.description = format!("failed to render resource: {error}");
                return Err((error, Some(release)));
            }
        };
        release.manifest = rendered.manifest();
        release.hooks = rendered.hooks;
        release.info.notes = rendered.notes;
        release.info.status = Status::PendingInstall;
        "Initial install underway".clone_into(&mut release.info.description);
        let objects = build_with(session.cluster, &release.manifest, &self.namespace, coming).await;
        let mut objects = objects.map_err(|error| {
            before(error.during("unable to build kubernetes objects from release manifest"))
        })?;
        for object in &mut objects {
            mark(&mut object.value, &self.name, &self.namespace);
        }
        let existing = self
            .existing(session, &objects)
            .await
            .map_err(|error| before(error.during("unable to continue with install")))?;
        Ok(Prepared { release, objects, existing, last })
    }

    /// The last revision, when the name may be used again.
    async fn last_if_free(&mut self, session: &Session<'_>) -> Result<Option<Release>, Error> {
        let last = match std::mem::take(&mut self.last) {
            Last::Absent => None,
            Last::Is(last) => Some(*last),
            Last::Ask => {
                let history = session.storage.history(&self.name).await?;
                match (self.reuse, history.is_empty()) {
                    (_, true) => None,
                    (Reuse::Never, false) => return Err(in_use()),
                    (Reuse::AfterEnd, false) => {
                        session.storage.newest(&self.name, &history, |_| true).await?
                    }
                }
            }
        };
        match &last {
            Some(last)
                if self.reuse == Reuse::Never
                    || !matches!(last.info.status, Status::Uninstalled | Status::Failed) =>
            {
                Err(in_use())
            }
            _ => Ok(last),
        }
    }

    /// The objects that exist already, by their place. With server-side apply and ownership taken nobody needs to
    /// know: the apply itself creates or adopts.
    async fn existing(&self, session: &mut Session<'_>, objects: &[Built]) -> Result<Vec<usize>, Error> {
        if self.method == Method::ServerSide && self.ownership == Ownership::Take {
            for object in objects {
                crate::ownership::generates_name(object)?;
            }
            return Ok(Vec::new());
        }
        let all: Vec<&Built> = objects.iter().collect();
        adopted(session, &all, self.ownership, &self.name, &self.namespace).await
    }

    async fn perform(
        &self,
        session: &mut Session<'_>,
        release: &mut Release,
        objects: &[Built],
        existing: Vec<usize>,
    ) -> Result<(), Error> {
        let run = |error: Error, step: &str| error.during(step);
        if self.hooks == Hooks::Run {
            let hooks = hooks::run(session, release, Event::PreInstall, self.method).await;
            hooks.map_err(|error| run(error, "failed pre-install"))?;
        }
        let live = if objects.is_empty() {
            Vec::new()
        } else if existing.is_empty() {
            create(session, objects, self.method).await?
        } else {
            let (updated, result) = update(session, &chosen(objects, &existing), objects, self.how()).await;
            result?;
            updated.live
        };
        let pairs: Vec<(&Built, &Value)> = objects.iter().zip(&live).collect();
        let owner = session.owner.clone();
        session.waiting.ready(session.cluster, &owner, &pairs).await?;
        if self.hooks == Hooks::Run {
            let hooks = hooks::run(session, release, Event::PostInstall, self.method).await;
            hooks.map_err(|error| run(error, "failed post-install"))?;
        }
        Ok(())
    }
}

struct Prepared {
    release: Release,
    objects: Vec<Built>,
    existing: Vec<usize>,
    /// The last revision, when the name is used again.
    last: Option<Release>,
}

/// The objects at some places.
fn chosen(objects: &[Built], places: &[usize]) -> Vec<Built> {
    places.iter().filter_map(|place| objects.get(*place)).cloned().collect()
}

fn in_use() -> Error {
    Error::Name("cannot reuse a name that is still in use".to_owned())
}

fn of_name(error: Error) -> Error {
    match error {
        Error::Chart(error) => Error::Name(error.to_string()),
        other => other,
    }
}

async fn create_namespace(cluster: &Cluster, name: &str) -> Result<(), Error> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"name": name}}});
    let path = format!("/api/v1/namespaces?fieldManager={}", cluster.manager());
    let body = namespace.to_string().into();
    match cluster.http().send(Http::POST, &path, Accept::Metadata, Content::Json, body).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.code == 409 => Ok(()),
        // Without the right to create namespaces, one that is there will do.
        Err(failure) if failure.is_forbidden() => {
            let there = cluster.http().get(&format!("/api/v1/namespaces/{name}"), Accept::Metadata).await;
            there.map(|_| ()).map_err(|_| Error::Write(failure.message))
        }
        Err(failure) => Err(Error::of(&failure, Error::Write)),
    }
}

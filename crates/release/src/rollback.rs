//! `helm rollback`

use chart::{Event, Info, Release, Status};
use object::Owner;
use serde_json::Value;

use crate::action::{Change, Failed, Hooks, Method, MethodChoice, Outcome, Session, now};
use crate::cluster::Cluster;
use crate::error::Error;
use crate::hooks;
use crate::leftovers::{leftovers, sweep};
use crate::merge::Custom;
use crate::objects::{Built, build};
use crate::ownership::mark;
use crate::plan::{Definitions, Looking, Plan};
use crate::render::check_name;
use crate::storage::{Revision, Storage};
use crate::update::{How, clean_up, update};
use crate::upgrade::Cleanup;
use crate::wait::Waiting;
use crate::write::Migrate;

/// Brings an earlier revision back, as a new one.
#[derive(Debug, Clone)]
pub struct Rollback {
    /// Name of the release.
    pub name: String,
    /// The revision; 0 is the one before the last.
    pub version: i64,
    /// How to wait.
    pub waiting: Waiting,
    /// How to write.
    pub method: MethodChoice,
    /// Whether hooks run.
    pub hooks: Hooks,
    /// How objects are changed. Does not count with server-side apply.
    pub change: Change,
    /// What becomes of new objects when the rollback fails.
    pub cleanup: Cleanup,
    /// Revisions to keep; 0 keeps all.
    pub max_history: usize,
}

impl Rollback {
    /// With the defaults of helm-controller: the way of writing of the revision that comes back, hooks run, waiting for
    /// everything.
    pub fn new(name: &str, version: i64) -> Rollback {
        Rollback {
            name: name.to_owned(),
            version,
            waiting: Waiting::default(),
            method: MethodChoice::default(),
            hooks: Hooks::default(),
            change: Change::default(),
            cleanup: Cleanup::default(),
            max_history: 0,
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// [`Failed`] with Helm's error. Like Helm's, a rollback whose hooks fail leaves its record `pending-rollback`.
    pub async fn run(self, cluster: &Cluster, storage: &Storage) -> Result<Outcome, Box<Failed>> {
        let owner = Owner { namespace: String::new(), name: self.name.clone() };
        let mut session = Session::new(cluster, storage, &self.waiting, owner);
        let (current, mut release) = match self.prepare(&mut session).await {
            Ok(prepared) => prepared,
            Err(error) => return Err(Box::new(session.fail(error, None))),
        };
        session.owner.namespace.clone_from(&release.namespace);
        if let Err(error) = session.create(&release, self.max_history).await {
            return Err(Box::new(session.fail(error, None)));
        }
        if let Err(error) = self.perform(&mut session, current, &mut release).await {
            return Err(Box::new(session.fail(error, Some(release))));
        }
        match session.update(&release).await {
            Ok(()) => Ok(session.succeed(release)),
            Err(error) => Err(Box::new(session.fail(error, Some(release)))),
        }
    }

    /// What it would do, asked of the API server as dry runs.
    ///
    /// # Errors
    /// [`Failed`] with Helm's error, when it would fail before anything is touched.
    pub async fn plan(self, cluster: &Cluster, storage: &Storage) -> Result<Plan, Box<Failed>> {
        let owner = Owner { namespace: String::new(), name: self.name.clone() };
        let mut session = Session::new(cluster, storage, &self.waiting, owner);
        let (current, release) = match self.prepare(&mut session).await {
            Ok(prepared) => prepared,
            Err(error) => return Err(Box::new(session.fail(error, None))),
        };
        let objects = match objects(&session, &current, &release).await {
            Ok(objects) => objects,
            Err(error) => return Err(Box::new(session.fail(error, Some(release)))),
        };
        let definitions = Definitions::default();
        let mut looking = Looking::new(cluster, &definitions);
        looking.update(&objects.originals, &objects.targets, self.how(&release)).await;
        looking.sweep(&objects.left, &objects.targets, &release).await;
        let events = [Event::PreRollback, Event::PostRollback];
        Ok(looking.plan(release, self.hooks, events, session.warnings))
    }

    fn how(&self, release: &Release) -> How {
        let method = Method::of(release);
        let change = if method == Method::ServerSide { Change::Patch } else { self.change };
        How { method, change, migrate: Migrate::Yes, custom: Custom::TwoWay }
    }

    async fn prepare(&self, session: &mut Session<'_>) -> Result<(Release, Release), Error> {
        check_name(&self.name)
            .map_err(|_| Error::Name(format!("prepareRollback: Release name is invalid: {}", self.name)))?;
        let history = session.storage.history(&self.name).await?;
        let current = session.storage.newest(&self.name, &history, |_| true).await?.ok_or(Error::NotFound)?;
        let wanted = if self.version == 0 { current.version - 1 } else { self.version };
        if !history.iter().any(|revision| revision.version == wanted) {
            return Err(Error::NoVersion(wanted));
        }
        let target = match wanted == current.version {
            true => current.clone(),
            false => session.storage.get(&self.name, wanted).await?.ok_or(Error::NotFound)?,
        };
        let method = self.method.after(&target);
        let release = Release {
            version: current.version + 1,
            namespace: current.namespace.clone(),
            apply_method: method.word().to_owned(),
            info: Info {
                first_deployed: current.info.first_deployed,
                last_deployed: Some(now()),
                status: Status::PendingRollback,
                description: format!("Rollback to {wanted}"),
                notes: target.info.notes.clone(),
                ..Info::default()
            },
            ..target
        };
        Ok((current, release))
    }

    async fn perform(
        &self,
        session: &mut Session<'_>,
        mut current: Release,
        release: &mut Release,
    ) -> Result<(), Error> {
        let Objects { originals, targets, left } = objects(session, &current, release).await?;
        let how = self.how(release);
        if self.hooks == Hooks::Run {
            hooks::run(session, release, Event::PreRollback, how.method).await?;
        }
        let (updated, mut result) = update(session, &originals, &targets, how).await;
        if result.is_ok() {
            result = sweep(session, &left, &targets, release).await;
        }
        if let Err(error) = result {
            let text = format!("Rollback {} failed: {error}", Value::from(release.name.as_str()));
            session.log.warn(&text, &[]);
            current.info.status = Status::Superseded;
            release.info.status = Status::Failed;
            release.info.description = text;
            session.record(&current).await;
            session.record(release).await;
            if self.cleanup == Cleanup::Delete
                && let Err(problem) = clean_up(session, &targets, &updated.created).await
            {
                return Err(
                    problem.during("an error occurred while cleaning up resources. original rollback error")
                );
            }
            return Err(error);
        }
        let pairs: Vec<(&Built, &Value)> = targets.iter().zip(&updated.live).collect();
        let owner = session.owner.clone();
        if let Err(error) = session.waiting.ready(session.cluster, &owner, &pairs).await {
            release.info.status = Status::Failed;
            release.info.description =
                format!("Release {} failed: {error}", Value::from(release.name.as_str()));
            session.record(&current).await;
            session.record(release).await;
            return Err(error.during(format!("release {} failed", release.name)));
        }
        if self.hooks == Hooks::Run {
            hooks::run(session, release, Event::PostRollback, how.method).await?;
        }
        supersede_deployed(session, &release.name, &current).await?;
        release.info.status = Status::Deployed;
        Ok(())
    }
}

/// What a rollback works on.
struct Objects {
    originals: Vec<Built>,
    targets: Vec<Built>,
    /// Objects of revisions that were cut off.
    left: Vec<Built>,
}

async fn objects(session: &Session<'_>, current: &Release, release: &Release) -> Result<Objects, Error> {
    let namespace = &release.namespace;
    let originals = build(session.cluster, &current.manifest, namespace)
        .await
        .map_err(|error| error.during("unable to build kubernetes objects from current release manifest"))?;
    let mut targets = build(session.cluster, &release.manifest, namespace)
        .await
        .map_err(|error| error.during("unable to build kubernetes objects from new release manifest"))?;
    for target in &mut targets {
        mark(&mut target.value, &release.name, namespace);
    }
    Ok(Objects { originals, targets, left: leftovers(session, current).await? })
}

/// All revisions that are labelled as deployed are superseded now.
pub(crate) async fn supersede_deployed(
    session: &mut Session<'_>,
    name: &str,
    known: &Release,
) -> Result<(), Error> {
    let history = session.storage.history(name).await?;
    let deployed = |revision: &&Revision| revision.status == Status::Deployed.as_str();
    for revision in history.iter().filter(deployed) {
        let found = match revision.version == known.version {
            true => Some(known.clone()),
            false => session.storage.get(name, revision.version).await.ok().flatten(),
        };
        if let Some(mut release) = found {
            release.info.status = Status::Superseded;
            session.record(&release).await;
        }
    }
    Ok(())
}

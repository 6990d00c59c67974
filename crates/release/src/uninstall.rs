//! `helm uninstall`

use chart::{Event, Release, Status, uninstall_rank};
use object::Owner;
use serde_json::Value;

use crate::action::{Failed, Hooks, Method, Outcome, Session, now};
use crate::cluster::Cluster;
use crate::error::Error;
use crate::hooks;
use crate::leftovers::{leftovers, sweep};
use crate::objects::{Built, read, resolve};
use crate::plan::{Definitions, Looking, Plan};
use crate::render::check_name;
use crate::rollback::supersede_deployed;
use crate::storage::{Revision, Storage};
use crate::update::POLICY;
use crate::wait::{Strategy, Waiting};
use crate::write::{Deletion, Propagation};

/// Deletes the objects of a release, and its records.
#[derive(Debug, Clone)]
pub struct Uninstall {
    /// Name of the release.
    pub name: String,
    /// How to wait until the objects are gone; not at all with [`Strategy::HooksOnly`].
    pub waiting: Waiting,
    /// Whether hooks run.
    pub hooks: Hooks,
    /// What becomes of the records.
    pub history: History,
    /// How dependents of the objects go.
    pub propagation: Propagation,
    /// Description instead of `Uninstallation complete`; empty for that one.
    pub description: String,
}

/// What becomes of the records of a release that is uninstalled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum History {
    /// They are deleted.
    #[default]
    Purge,
    /// They stay, the last one as `uninstalled`.
    Keep,
}

impl Uninstall {
    /// With the defaults of helm-controller: hooks run, records purged, waiting until all is gone.
    pub fn new(name: &str) -> Uninstall {
        Uninstall {
            name: name.to_owned(),
            waiting: Waiting::default(),
            hooks: Hooks::default(),
            history: History::default(),
            propagation: Propagation::default(),
            description: String::new(),
        }
    }

    /// Does it. The outcome's release is the last record as it was (or would have been) left.
    ///
    /// # Errors
    /// [`Failed`] with Helm's error; [`Error::root`] is [`Error::NotFound`] when there is no release.
    pub async fn run(self, cluster: &Cluster, storage: &Storage) -> Result<Outcome, Box<Failed>> {
        let owner = Owner { namespace: String::new(), name: self.name.clone() };
        let mut session = Session::new(cluster, storage, &self.waiting, owner);
        let mut release = None;
        match self.uninstall(&mut session, &mut release).await {
            Ok(release) => Ok(session.succeed(release)),
            Err(error) => Err(Box::new(session.fail(error, release))),
        }
    }

    /// What it would do to a release. Objects that are gone already are left out.
    ///
    /// # Errors
    /// A record that cannot be read, or no answer of the API server.
    pub async fn plan(self, cluster: &Cluster, release: Release) -> Result<Plan, Error> {
        let (objects, kept) = doomed(&release)?;
        let built = resolve(cluster, objects, &release.namespace)
            .await
            .map_err(|error| error.during("unable to build kubernetes objects for delete"))?;
        let definitions = Definitions::default();
        let mut looking = Looking::new(cluster, &definitions);
        looking.delete(&built).await;
        let events = [Event::PreDelete, Event::PostDelete];
        Ok(looking.plan(release, self.hooks, events, kept.into_iter().collect()))
    }

    async fn uninstall(
        &self,
        session: &mut Session<'_>,
        last: &mut Option<Release>,
    ) -> Result<Release, Error> {
        let name = &self.name;
        check_name(name).map_err(|_| Error::Name(format!("uninstall: Release name is invalid: {name}")))?;
        let not_loaded = |error: Error| error.during(format!("uninstall: Release not loaded: {name}"));
        let history = session.storage.history(name).await.map_err(not_loaded)?;
        let found = session.storage.newest(name, &history, |_| true).await.map_err(not_loaded)?;
        let release = last.insert(found.ok_or_else(|| not_loaded(Error::NotFound))?);
        session.owner.namespace.clone_from(&release.namespace);
        if release.info.status == Status::Uninstalled {
            if self.history == History::Keep {
                return Err(Error::AlreadyDeleted(name.clone()));
            }
            self.purge(session, &history).await?;
            return Ok(release.clone());
        }
        let left = leftovers(session, release).await?;
        // One that was cut off goes on.
        let begun = release.info.deleted.filter(|_| release.info.status == Status::Uninstalling);
        release.info.status = Status::Uninstalling;
        release.info.deleted = begun.or_else(|| Some(now()));
        "Deletion in progress (or silently failed)".clone_into(&mut release.info.description);
        if self.hooks == Hooks::Run && !hooks::are_done(&release.hooks, Event::PreDelete, begun) {
            hooks::run(session, release, Event::PreDelete, Method::ServerSide).await?;
        }
        session.record(release).await;
        let underway = match self.delete(session, release).await {
            Ok(underway) => underway,
            Err(error) => {
                session.log.debug(
                    "uninstall: Failed to delete release",
                    &[("error", Value::from(error.to_string()))],
                );
                return Err(Error::Delete(name.clone()));
            }
        };
        let mut problems = Vec::new();
        if let Err(error) = sweep(session, &left, &[], release).await {
            problems.push(error);
        }
        if self.waiting.strategy != Strategy::HooksOnly {
            let underway: Vec<&Built> = underway.iter().collect();
            if let Err(error) = self.waiting.gone(session.cluster, &underway).await {
                problems.push(error);
            }
        }
        if self.hooks == Hooks::Run
            && !hooks::are_done(&release.hooks, Event::PostDelete, begun)
            && let Err(error) = hooks::run(session, release, Event::PostDelete, Method::ServerSide).await
        {
            problems.push(error);
        }
        release.info.status = Status::Uninstalled;
        release.info.description =
            if self.description.is_empty() { "Uninstallation complete" } else { &self.description }
                .to_owned();
        match self.history {
            History::Purge => {
                // If this is cut off, the records go, and nothing else is done again.
                session.record(release).await;
                if let Err(error) = self.purge(session, &history).await {
                    problems.push(error);
                }
            }
            History::Keep => {
                session.record(release).await;
                supersede_deployed(session, name, release).await?;
            }
        }
        if problems.is_empty() { Ok(release.clone()) } else { Err(Error::Uninstalled(problems)) }
    }

    async fn purge(&self, session: &mut Session<'_>, history: &[Revision]) -> Result<(), Error> {
        let versions: Vec<i64> = history.iter().map(|revision| revision.version).collect();
        let purged = session.purge(&self.name, &versions).await;
        purged.map_err(|error| error.during("uninstall: Failed to purge the release"))
    }

    /// Deletes the objects in uninstall order. Gives those that are not gone yet.
    async fn delete(&self, session: &mut Session<'_>, release: &Release) -> Result<Vec<Built>, Error> {
        let (objects, kept) = doomed(release)?;
        session.warnings.extend(kept);
        let built = resolve(session.cluster, objects, &release.namespace)
            .await
            .map_err(|error| error.during("unable to build kubernetes objects for delete"))?;
        session.log.debug("deleting resource(s)", &[("resources", built.len().into())]);
        let (mut underway, mut problems) = (Vec::new(), Vec::new());
        for group in built.chunk_by(|a, b| a.resource.gvk.kind == b.resource.gvk.kind) {
            let cluster = session.cluster;
            let propagation = self.propagation;
            let work = group
                .iter()
                .filter(|object| !object.is_nameless())
                .map(|object| async move { (object, cluster.delete(object, propagation).await) });
            for (object, deleted) in futures::future::join_all(work).await {
                match deleted {
                    Ok(Deletion::Gone) => {}
                    Ok(Deletion::Underway) => underway.push(object.clone()),
                    Err(failure) => problems.push(Error::of(&failure, Error::Write)),
                }
            }
        }
        Error::joined(problems, "; ").map_or(Ok(underway), Err)
    }
}

/// The objects of a release in the order in which they are deleted, and what is said of those that stay.
fn doomed(release: &Release) -> Result<(Vec<Value>, Option<String>), Error> {
    let mut objects = read(&release.manifest).map_err(|problem| {
        Error::Build(format!("corrupted release record. You must manually delete the resources: {problem}"))
    })?;
    objects.sort_by(|a, b| uninstall_rank(kind(a)).cmp(&uninstall_rank(kind(b))));
    let mut kept = String::new();
    objects.retain(|object| {
        let Some(policy) = object::annotation(object, POLICY) else { return true };
        if policy.trim().eq_ignore_ascii_case("keep") {
            let name = object::string_at(object, &["metadata", "name"]).unwrap_or_default();
            kept.push_str(&format!("[{}] {name}\n", kind(object)));
        }
        // Helm does not delete objects with other policies either.
        false
    });
    let kept =
        (!kept.is_empty()).then(|| format!("These resources were kept due to the resource policy:\n{kept}"));
    Ok((objects, kept))
}

fn kind(object: &Value) -> &str {
    object.get("kind").and_then(Value::as_str).unwrap_or_default()
}

//! Bringing the objects of a release from one manifest to another.

use apply::{Accept, Content};
use futures::{StreamExt as _, stream};
use serde_json::Value;

use crate::action::{Change, Method, Ownership, Session};
use crate::cluster::Cluster;
use crate::error::Error;
use crate::merge::{self, Custom};
use crate::objects::{Built, without};
use crate::ownership;
use crate::write::{Conflicts, Live, Migrate, Propagation, masked};

/// How many objects of one kind are written at a time.
const CONCURRENCY: usize = 8;
/// Tries of a patch that meets a newer object.
const TRIES: usize = 5;
/// The annotation of objects that stay.
pub(crate) const POLICY: &str = "helm.sh/resource-policy";

/// How objects are brought up to date.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    pub method: Method,
    pub change: Change,
    pub migrate: Migrate,
    pub custom: Custom,
}

/// What became of the targets of an update.
#[derive(Debug, Default)]
pub(crate) struct Updated {
    /// Each target after its write; null when that failed.
    pub live: Vec<Value>,
    /// The targets that were not there, whether or not they could be created.
    pub created: Vec<usize>,
}

/// Runs of objects of the same kind, in the order in which they stand.
fn by_kind(objects: &[Built]) -> impl Iterator<Item = &[Built]> {
    objects.chunk_by(|a, b| a.resource.gvk.kind == b.resource.gvk.kind)
}

/// Creates objects: those of one kind together, kind after kind, however many fail.
pub(crate) async fn create(
    session: &mut Session<'_>,
    objects: &[Built],
    method: Method,
) -> Result<Vec<Value>, Error> {
    session.log.debug("creating resource(s)", &[("resources", objects.len().into())]);
    let cluster = session.cluster;
    let mut live = Vec::with_capacity(objects.len());
    let mut problems = Vec::new();
    for group in by_kind(objects) {
        // Collected: a stream with a closure in it could not be awaited on another thread.
        let work: Vec<_> = group.iter().map(|object| create_one(cluster, object, method)).collect();
        let work = stream::iter(work).buffered(CONCURRENCY);
        let done: Vec<_> = session.waiting.unless_cancelled(work.collect()).await?;
        for result in done {
            match result {
                Ok(made) => live.push(made.value),
                Err(error) => problems.push(error),
            }
        }
    }
    Error::joined(problems, "\n").map_or(Ok(live), Err)
}

async fn create_one(cluster: &Cluster, object: &Built, method: Method) -> Result<Live, Error> {
    match method {
        Method::ServerSide => cluster.apply(object, Conflicts::Force, Migrate::Yes).await,
        Method::ClientSide => cluster
            .create(object)
            .await
            .map_err(|failure| Error::of(&failure, |_| Error::Write(masked(object, &failure)))),
    }
}

/// Those of some objects that exist already, by their place; with [`Ownership::Check`] they must be marked as part of the
/// release.
pub(crate) async fn adopted(
    session: &mut Session<'_>,
    objects: &[&Built],
    ownership: Ownership,
    release: &str,
    namespace: &str,
) -> Result<Vec<usize>, Error> {
    let cluster = session.cluster;
    let look = |object: &Built| {
        let object = object.clone();
        async move {
            if ownership::generates_name(&object)? {
                return Ok(false);
            }
            let found = cluster.read(&object, Accept::Metadata).await.map_err(|failure| {
                Error::of(&failure, |text| {
                    let label = object.label();
                    Error::Ownership(format!("could not get information about the resource {label}: {text}"))
                })
            })?;
            let Some(found) = found else { return Ok(false) };
            if ownership == Ownership::Check {
                ownership::check(&found, release, namespace).map_err(|problem| {
                    let label = object.label();
                    Error::Ownership(format!(
                        "{label} exists and cannot be imported into the current release: {problem}"
                    ))
                })?;
            }
            Ok(true)
        }
    };
    let work: Vec<_> = objects.iter().map(|object| look(object)).collect();
    let found: Vec<Result<bool, Error>> = stream::iter(work).buffered(CONCURRENCY).collect().await;
    let mut adopted = Vec::new();
    for (i, exists) in found.into_iter().enumerate() {
        if exists? {
            adopted.push(i);
        }
    }
    Ok(adopted)
}

/// Updates or creates the targets, then deletes the originals that are not among them.
pub(crate) async fn update(
    session: &mut Session<'_>,
    originals: &[Built],
    targets: &[Built],
    how: How,
) -> (Updated, Result<(), Error>) {
    session.log.debug("checking resources for changes", &[("resources", targets.len().into())]);
    let mut updated = Updated { live: vec![Value::Null; targets.len()], created: Vec::new() };
    let mut problems = Vec::new();
    let cluster = session.cluster;
    let mut at = 0;
    for group in by_kind(targets) {
        let work: Vec<_> = group
            .iter()
            .map(|target| {
                let original = originals.iter().find(|original| original.same(target));
                update_one(cluster, original, target, how)
            })
            .collect();
        let work = stream::iter(work).buffered(CONCURRENCY);
        let done: Result<Vec<_>, Error> = session.waiting.unless_cancelled(work.collect()).await;
        let done = match done {
            Ok(done) => done,
            Err(cancelled) => return (updated, Err(cancelled)),
        };
        let mut fatal = None;
        for (i, result) in done.into_iter().enumerate().map(|(i, result)| (at + i, result)) {
            match result {
                Ok(live) => {
                    if live.created {
                        updated.created.push(i);
                    }
                    if let Some(place) = updated.live.get_mut(i) {
                        *place = live.value;
                    }
                }
                Err(Problem::Create(error)) => {
                    updated.created.push(i);
                    fatal = fatal.or(Some(error.during("failed to create resource")));
                }
                Err(Problem::Read(error)) => fatal = fatal.or(Some(error)),
                Err(Problem::Update(error)) => problems.push(error),
            }
        }
        if let Some(fatal) = fatal {
            return (updated, Err(fatal));
        }
        at += group.len();
    }
    if problems.is_empty() {
        for original in without(originals, targets) {
            if let Err(error) = remove(session, original).await {
                problems.push(error);
            }
        }
    }
    (updated, Error::joined(problems, " && ").map_or(Ok(()), Err))
}

pub(crate) async fn remove(session: &mut Session<'_>, object: &Built) -> Result<(), Error> {
    let about = [
        ("namespace", Value::from(object.reference.namespace.as_str())),
        ("name", object.reference.name.as_str().into()),
        ("kind", object.resource.gvk.kind.as_str().into()),
    ];
    session.log.debug("deleting resource", &about);
    match session.cluster.read(object, Accept::Metadata).await {
        Ok(Some(live)) => {
            if object::annotation(&live, POLICY) == Some("keep") {
                session.log.debug("skipping delete due to annotation", &about);
                return Ok(());
            }
        }
        // As Helm does: what cannot be read is not deleted.
        Ok(None) | Err(_) => return Ok(()),
    }
    let deleted = session.cluster.delete(object, Propagation::Background).await;
    deleted.map(|_| ()).map_err(|failure| {
        Error::of(&failure, |text| {
            Error::Write(format!(
                "failed to delete resource namespace={}, name={}, kind={}: {text}",
                object.reference.namespace, object.reference.name, object.resource.gvk.kind
            ))
        })
    })
}

/// Where an update failed: only the last one lets the others go on.
enum Problem {
    Read(Error),
    Create(Error),
    Update(Error),
}

async fn update_one(
    cluster: &Cluster,
    original: Option<&Built>,
    target: &Built,
    how: How,
) -> Result<Live, Problem> {
    if how.method == Method::ServerSide {
        return match cluster.apply(target, Conflicts::Force, how.migrate).await {
            Ok(live) => Ok(live),
            // What kind of failure it is depends on whether the object is there.
            Err(error) if target.is_nameless() => Err(Problem::Create(error)),
            Err(error) => match cluster.read(target, Accept::Metadata).await {
                Ok(None) => Err(Problem::Create(error)),
                _ => Err(Problem::Update(error)),
            },
        };
    }
    for tried in 1.. {
        let live = cluster.read(target, Accept::Object).await.map_err(|failure| {
            Problem::Read(Error::of(&failure, |text| {
                Error::Write(format!("could not get information about the resource: {text}"))
            }))
        })?;
        let Some(live) = live else {
            let made = cluster.create(target).await;
            return made.map_err(|failure| {
                Problem::Create(Error::of(&failure, |_| Error::Write(masked(target, &failure))))
            });
        };
        if how.change == Change::Replace {
            return cluster.replace(target).await.map_err(|failure| {
                Problem::Update(Error::of(&failure, |_| {
                    Error::Write(format!("failed to replace object: {}", masked(target, &failure)))
                }))
            });
        }
        let before = original.map_or(&live, |original| &original.value);
        let Some(patch) = merge::patch(before, &target.value, &live, how.custom) else {
            return Ok(Live { value: live, created: false });
        };
        match cluster.patch(target, Content::MergePatch, &patch).await {
            Ok(live) => return Ok(live),
            Err(failure) if failure.code == 409 && tried < TRIES => {}
            Err(failure) => {
                return Err(Problem::Update(Error::of(&failure, |_| {
                    Error::Write(format!(
                        "cannot patch \"{}\" with kind {}: {}",
                        target.reference.name,
                        target.resource.gvk.kind,
                        masked(target, &failure)
                    ))
                })));
            }
        }
    }
    Err(Problem::Update(Error::Write(format!("{}: gave up", target.reference))))
}

/// Deletes what an action created before it failed.
pub(crate) async fn clean_up(
    session: &mut Session<'_>,
    targets: &[Built],
    created: &[usize],
) -> Result<(), Error> {
    session.log.debug("cleanup on fail set", &[("cleaning_resources", created.len().into())]);
    let mut problems = Vec::new();
    for object in created.iter().filter_map(|i| targets.get(*i)).filter(|object| !object.is_nameless()) {
        if let Err(failure) = session.cluster.delete(object, Propagation::Background).await {
            problems.push(Error::of(&failure, Error::Write));
        }
    }
    Error::joined(problems, ", ").map_or(Ok(()), |error| Err(error.during("unable to cleanup resources")))
}

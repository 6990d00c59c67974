//! What an action that was cut off left in the cluster.
//!
//! Helm compares a new manifest with that of one revision only. After an action that nobody finished, objects of other
//! revisions may be there, which Helm would leave for ever.

use chart::{Release, Status};

use crate::action::Session;
use crate::error::Error;
use crate::objects::{Built, build, without};
use crate::ownership;
use crate::storage::Revision;
use crate::update::remove;
use apply::Accept;

/// The description of a revision that was pending, with nobody at work on it, and was set to failed begins with this.
pub const UNLOCKED: &str = "Release unlocked from stale";

/// The objects of all revisions since the last deployed one, given that one of these was cut off; empty otherwise.
pub(crate) async fn leftovers(session: &Session<'_>, last: &Release) -> Result<Vec<Built>, Error> {
    if last.info.status == Status::Deployed {
        return Ok(Vec::new());
    }
    let history = session.storage.history(&last.name).await?;
    let is = |revision: &Revision, status: Status| revision.status == status.as_str();
    let deployed = history.iter().rev().find(|revision| is(revision, Status::Deployed));
    let since = deployed.map_or(0, |revision| revision.version);
    let mut releases = vec![last.clone()];
    for revision in history.iter().filter(|r| r.version > since && r.version != last.version) {
        if is(revision, Status::Failed)
            && let Ok(Some(release)) = session.storage.get(&last.name, revision.version).await
        {
            releases.push(release);
        }
    }
    if !releases.iter().any(|release| release.info.description.starts_with(UNLOCKED)) {
        return Ok(Vec::new());
    }
    let mut found: Vec<Built> = Vec::new();
    for release in &releases {
        // What cannot be built any more cannot be there any more, or is not ours to judge.
        for object in build(session.cluster, &release.manifest, &release.namespace).await.unwrap_or_default()
        {
            if !object.is_nameless() && !found.iter().any(|other| other.same(&object)) {
                found.push(object);
            }
        }
    }
    Ok(found)
}

/// Deletes what is left, marked as part of the release, and not wanted.
pub(crate) async fn sweep(
    session: &mut Session<'_>,
    left: &[Built],
    wanted: &[Built],
    release: &Release,
) -> Result<(), Error> {
    let mut problems = Vec::new();
    for object in without(left, wanted) {
        if let Ok(Some(live)) = session.cluster.read(object, Accept::Metadata).await
            && ownership::check(&live, &release.name, &release.namespace).is_ok()
            && let Err(error) = remove(session, object).await
        {
            problems.push(error);
        }
    }
    Error::joined(problems, " && ").map_or(Ok(()), Err)
}

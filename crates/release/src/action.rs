//! What all actions share: their outcome, and the writes on the way to it.

use std::sync::Arc;

use chart::{Release, Time};
use jiff::Timestamp;
use object::Owner;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::error::Error;
use crate::log::Log;
use crate::storage::{Storage, Written, surplus};
use crate::wait::Waiting;

/// An action that went well.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The release as it was last written.
    pub release: Release,
    /// Every record that was written or deleted on the way.
    pub writes: Vec<Written>,
    /// The last lines of the log.
    pub log: Log,
    /// What the user may want to know: dependencies that are no good, objects that were kept.
    pub warnings: Vec<String>,
}

/// An action that failed. When `writes` is empty, nothing was stored and nothing was touched.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
pub struct Failed {
    /// Why.
    #[source]
    pub error: Error,
    /// The release as the action had it last, stored or not.
    pub release: Option<Box<Release>>,
    /// Every record that was written or deleted on the way.
    pub writes: Vec<Written>,
    /// The last lines of the log.
    pub log: Log,
    /// As [`Outcome::warnings`].
    pub warnings: Vec<String>,
}

/// How objects are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Method {
    /// Server-side apply, conflicts forced.
    #[default]
    ServerSide,
    /// Creates and three-way patches, as Helm 3.
    ClientSide,
}

/// Which method an upgrade or a rollback takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MethodChoice {
    /// That of the record it follows: the last one of an upgrade, the target of a rollback.
    #[default]
    Follow,
    /// This one.
    Is(Method),
}

impl Method {
    /// As records have it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Method::ServerSide => "ssa",
            Method::ClientSide => "csa",
        }
    }

    /// That of a record; Helm 3 writes none.
    pub fn of(release: &Release) -> Method {
        if release.apply_method == "ssa" { Method::ServerSide } else { Method::ClientSide }
    }
}

impl MethodChoice {
    /// The method, given the record to follow.
    pub fn after(self, release: &Release) -> Method {
        match self {
            MethodChoice::Follow => Method::of(release),
            MethodChoice::Is(method) => method,
        }
    }
}

/// What happens to objects that exist and are not part of the release yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ownership {
    /// They become part of it, whoever made them.
    #[default]
    Take,
    /// They become part of it when they are marked as such, and are an error otherwise.
    Check,
}

/// Whether hooks run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Hooks {
    /// They do.
    #[default]
    Run,
    /// They do not.
    Skip,
}

/// How objects that exist are changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Change {
    /// Only what differs.
    #[default]
    Patch,
    /// Whole (`--force-replace`). Only without server-side apply.
    Replace,
}

/// What an action works with, and what it has done so far.
pub(crate) struct Session<'a> {
    pub cluster: &'a Cluster,
    pub storage: &'a Storage,
    pub waiting: &'a Waiting,
    pub owner: Owner,
    pub log: Log,
    pub warnings: Vec<String>,
    writes: Vec<Written>,
}

impl<'a> Session<'a> {
    pub fn new(
        cluster: &'a Cluster,
        storage: &'a Storage,
        waiting: &'a Waiting,
        owner: Owner,
    ) -> Session<'a> {
        Session {
            cluster,
            storage,
            waiting,
            owner,
            log: Log::default(),
            warnings: Vec::new(),
            writes: Vec::new(),
        }
    }

    /// Stores a new revision, after deleting the oldest ones so that no more than `most` are left (0: no limit).
    pub async fn create(&mut self, release: &Release, most: usize) -> Result<(), Error> {
        let version = usize::try_from(release.version).unwrap_or(0);
        if most > 0 && version > most {
            let history = self.storage.history(&release.name).await?;
            let mut problems = Vec::new();
            for version in surplus(&history, most.saturating_sub(1)) {
                match self.storage.delete(&release.name, version).await {
                    Ok(()) => self.writes.push(Written::Deleted { name: release.name.clone(), version }),
                    Err(error) => problems.push(error),
                }
            }
            match (problems.len(), problems.into_iter().next()) {
                (_, None) => {}
                (1, Some(error)) => return Err(error),
                (count, Some(error)) => {
                    return Err(error.during(format!("encountered {count} deletion errors. First is")));
                }
            }
        }
        self.storage.create(release).await?;
        self.writes.push(Written::Created(Arc::new(release.clone())));
        Ok(())
    }

    /// Replaces a revision.
    pub async fn update(&mut self, release: &Release) -> Result<(), Error> {
        self.storage.update(release).await?;
        self.writes.push(Written::Updated(Arc::new(release.clone())));
        Ok(())
    }

    /// Replaces a revision where a failure changes nothing about the action.
    pub async fn record(&mut self, release: &Release) {
        if let Err(error) = self.update(release).await {
            let about = [
                ("name", Value::from(release.name.as_str())),
                ("revision", release.version.into()),
                ("error", error.to_string().into()),
            ];
            self.log.warn("failed to update release", &about);
        }
    }

    /// Deletes revisions. One that is gone is an error, as it is for Helm.
    pub async fn purge(&mut self, name: &str, versions: &[i64]) -> Result<(), Error> {
        for version in versions {
            self.storage.delete(name, *version).await?;
            self.writes.push(Written::Deleted { name: name.to_owned(), version: *version });
        }
        Ok(())
    }

    pub fn succeed(self, release: Release) -> Outcome {
        Outcome { release, writes: self.writes, log: self.log, warnings: self.warnings }
    }

    pub fn fail(self, error: Error, release: Option<Release>) -> Failed {
        Failed {
            error,
            release: release.map(Box::new),
            writes: self.writes,
            log: self.log,
            warnings: self.warnings,
        }
    }
}

/// Now, as records have it.
pub(crate) fn now() -> Time {
    Timestamp::now().into()
}

//! `helm test`

use std::collections::BTreeSet;

use chart::{Event, Hook, Release};
use object::Owner;

use crate::action::{Failed, Method, Outcome, Session};
use crate::cluster::Cluster;
use crate::error::Error;
use crate::hooks;
use crate::render::check_name;
use crate::storage::Storage;
use crate::wait::Waiting;

/// Runs the test hooks of the last revision of a release.
#[derive(Debug, Clone)]
pub struct Test {
    /// Name of the release.
    pub name: String,
    /// How to wait. Tests are always waited for.
    pub waiting: Waiting,
    /// Only these hooks, by name; empty for all.
    pub include: BTreeSet<String>,
    /// Not these.
    pub exclude: BTreeSet<String>,
}

impl Test {
    /// All tests of a release.
    pub fn new(name: &str) -> Test {
        Test {
            name: name.to_owned(),
            waiting: Waiting::default(),
            include: BTreeSet::new(),
            exclude: BTreeSet::new(),
        }
    }

    /// Whether the filters let a hook run.
    pub fn selects(&self, hook: &Hook) -> bool {
        !self.exclude.contains(&hook.name) && (self.include.is_empty() || self.include.contains(&hook.name))
    }

    /// Does it. The record holds how each hook went, whether or not a test failed.
    ///
    /// # Errors
    /// [`Failed`] with the error of the first test that failed.
    pub async fn run(self, cluster: &Cluster, storage: &Storage) -> Result<Outcome, Box<Failed>> {
        let owner = Owner { namespace: String::new(), name: self.name.clone() };
        let mut session = Session::new(cluster, storage, &self.waiting, owner);
        let mut release = match self.prepare(&session).await {
            Ok(release) => release,
            Err(error) => return Err(Box::new(session.fail(error, None))),
        };
        session.owner.namespace.clone_from(&release.namespace);
        let (run, skipped): (Vec<Hook>, Vec<Hook>) =
            std::mem::take(&mut release.hooks).into_iter().partition(|hook| self.selects(hook));
        release.hooks = run;
        let method = Method::of(&release);
        let tested = hooks::run(&mut session, &mut release, Event::Test, method).await;
        // As Helm leaves them: those that were filtered out come first.
        release.hooks = skipped.into_iter().chain(std::mem::take(&mut release.hooks)).collect();
        let stored = session.update(&release).await;
        match tested.and(stored) {
            Ok(()) => Ok(session.succeed(release)),
            Err(error) => Err(Box::new(session.fail(error, Some(release)))),
        }
    }

    async fn prepare(&self, session: &Session<'_>) -> Result<Release, Error> {
        check_name(&self.name)
            .map_err(|_| Error::Name(format!("releaseTest: Release name is invalid: {}", self.name)))?;
        session.storage.last(&self.name).await?.ok_or(Error::NotFound)
    }
}

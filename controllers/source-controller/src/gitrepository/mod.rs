//! GitRepository: a commit of a Git repository becomes an artifact.
//!
//! What is decided without IO is in [`request`] and [`change`]; [`attempt`] goes from the Git server to the artifact.

mod archive;
mod attempt;
mod change;
mod request;

use api::condition::{Scope, Type};
use api::source::GitRepository;
use kube::Client;
use runtime::watch::Store;

use crate::source::{Attempt, Failure, Kind, Success};
use attempt::Checkout;

/// What attempts work with.
pub(crate) struct GitRepositories {
    /// Reads Secrets.
    pub client: Client,
    /// All GitRepositories, for includes.
    pub objects: Store<GitRepository>,
    /// The Git object stores.
    pub stores: git::Stores,
    /// Whether the gate ObjectLevelWorkloadIdentity is on.
    pub object_identity: bool,
}

impl Kind for GitRepositories {
    type Object = GitRepository;

    const SCOPE: Scope = Scope::GIT_REPOSITORY;
    const FAILURES: &'static [Type] =
        &[Type::FetchFailed, Type::IncludeUnavailable, Type::StorageOperationFailed];
    const LINK: Option<&'static str> = None;

    async fn attempt(&self, attempt: &mut Attempt<'_, Self>) -> Result<Success, Failure> {
        Checkout { git: self, attempt }.run().await
    }
}

//! OCIRepository: a layer of an artifact in an OCI registry becomes an artifact.
//!
//! What is decided without IO is in [`request`]; [`attempt`] goes from the registry to the artifact.

mod attempt;
mod request;

use api::condition::{Scope, Type};
use api::source::OCIRepository;
use kube::Client;

use crate::source::{Attempt, Failure, Kind, Success};
use attempt::Pull;

/// What attempts work with.
pub(crate) struct OciRepositories {
    /// Reads Secrets and ServiceAccounts.
    pub client: Client,
    /// Ask registries.
    pub clients: net::Clients,
    /// Whether the gate ObjectLevelWorkloadIdentity is on.
    pub object_identity: bool,
}

impl Kind for OciRepositories {
    type Object = OCIRepository;

    const SCOPE: Scope = Scope::OCI_REPOSITORY;
    const FAILURES: &'static [Type] = &[Type::FetchFailed, Type::StorageOperationFailed];
    const LINK: Option<&'static str> = Some("latest.tar.gz");

    async fn attempt(&self, attempt: &mut Attempt<'_, Self>) -> Result<Success, Failure> {
        Pull { repositories: self, attempt }.run().await
    }
}

//! HelmRepository: the index of a chart repository becomes an artifact. A repository in an OCI registry has none; it only
//! tells charts where they are.

mod access;
mod attempt;
pub(crate) mod index;
mod registry;

use api::condition::{Scope, Type};
use api::source::{HelmRepository, HelmRepositoryType};
use kube::Client;

use crate::source::{Attempt, Failure, Kind, Success};
pub(crate) use access::{Access, FetchError};
use attempt::Download;
pub(crate) use registry::{RegistryAccess, is_authentication};

/// What attempts work with.
pub(crate) struct HelmRepositories {
    /// Reads Secrets.
    pub client: Client,
    /// Download indexes.
    pub clients: net::Clients,
    /// Longest index, in bytes.
    pub index_max_size: u64,
}

impl Kind for HelmRepositories {
    type Object = HelmRepository;

    const SCOPE: Scope = Scope::BUCKET;
    const FAILURES: &'static [Type] = &[Type::FetchFailed, Type::StorageOperationFailed];
    const LINK: Option<&'static str> = Some("index.yaml");

    async fn attempt(&self, attempt: &mut Attempt<'_, Self>) -> Result<Success, Failure> {
        Download { repositories: self, attempt }.run().await
    }

    fn is_static(object: &HelmRepository) -> bool {
        object.spec.kind() == HelmRepositoryType::Oci
    }
}

//! Identity: on which cluster, and as whom, a release is made.

use api::helm::HelmRelease;
use apply::Targets;
use k8s_openapi::api::core::v1::ServiceAccount;
use release::Cluster;
use runtime::client::{self, Allow, IdentityError};
use runtime::{Clients, Key};

use super::MANAGER;
use super::names::namespace;

/// Makes the cluster of each release.
pub struct Identities {
    clients: Clients,
    targets: Targets,
    default_account: String,
    allow: Allow,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Error {
    text: String,
    /// Whether the Secret or ConfigMap that describes the cluster does not exist.
    pub missing: bool,
}

impl Identities {
    /// Acts as the controller itself, unless a release or a default says otherwise.
    pub fn new(clients: Clients, targets: Targets, default_account: &str, allow: Allow) -> Self {
        Identities { clients, targets, default_account: default_account.to_owned(), allow }
    }

    /// The account that a release is made as, if any: in another cluster, too.
    pub fn account<'a>(&'a self, release: &'a HelmRelease) -> Option<&'a str> {
        let named = release.spec.service_account_name.as_deref().filter(|name| !name.is_empty());
        named.or(Some(self.default_account.as_str()).filter(|name| !name.is_empty()))
    }

    /// The cluster of a release.
    ///
    /// # Errors
    /// A kubeconfig that is missing or unusable.
    pub async fn of(&self, release: &HelmRelease) -> Result<Cluster, Error> {
        let (namespace, account) = (namespace(release), self.account(release));
        let reference = release.spec.kube_config.as_ref();
        let problem = |error: IdentityError| {
            let missing = error.is_not_found();
            let text = match &error {
                IdentityError::Unreadable { secret, source } => {
                    let name = secret.rsplit('/').next().unwrap_or_default();
                    let why =
                        if missing { format!("secrets \"{name}\" not found") } else { source.to_string() };
                    format!("could not get KubeConfig secret '{secret}': {why}")
                }
                other => other.to_string(),
            };
            Error { text, missing }
        };
        let found =
            self.clients.identity(namespace, account, reference, &self.allow).await.map_err(problem)?;
        let target = match self.targets.find(&found.name) {
            Some(target) => target,
            None => {
                let client = self.clients.client_of(&found).await.map_err(problem)?;
                self.targets.get(&found.name, || client)
            }
        };
        let cluster = Cluster::new(target, MANAGER);
        // What the cluster serves is asked again, as far as that counts, whatever this says: a kind that is not known is
        // looked for again, and charts that ask for capabilities get those of now. So `true` needs nothing here.
        Ok(match release.spec.persistent_client {
            Some(false) => cluster.distrusting(),
            Some(true) | None => cluster,
        })
    }

    /// Whether the account exists that would uninstall a release, and its name.
    ///
    /// # Errors
    /// The API server's words when it does not tell.
    pub async fn can_act(&self, release: &HelmRelease) -> Result<(bool, String), String> {
        let Some(account) = self.account(release).filter(|_| release.spec.kube_config.is_none()) else {
            return Ok((true, String::new()));
        };
        let path = client::object_path::<ServiceAccount>(&Key::new(namespace(release), account));
        match client::get::<ServiceAccount>(self.clients.own(), &path).await {
            Ok(found) => Ok((found.is_some(), account.to_owned())),
            Err(error) => Err(format!(
                "failed to confirm ServiceAccount '{account}' can be used to uninstall release: {error}"
            )),
        }
    }
}

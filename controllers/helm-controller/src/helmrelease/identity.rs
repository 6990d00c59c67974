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
    default_remote_account: String,
    allow: Allow,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Error {
    text: String,
    /// Whether the Secret with the kubeconfig does not exist.
    pub missing: bool,
}

/// Accounts for releases that name none.
#[derive(Debug, Clone, Default)]
pub struct Defaults {
    /// In this cluster.
    pub local: String,
    /// In other clusters.
    pub remote: String,
}

impl Identities {
    /// Acts as the controller itself, unless a release or a default says otherwise.
    pub fn new(clients: Clients, targets: Targets, defaults: Defaults, allow: Allow) -> Self {
        let Defaults { local, remote } = defaults;
        Identities { clients, targets, default_account: local, default_remote_account: remote, allow }
    }

    /// The account that a release is made as, if any.
    pub fn account<'a>(&'a self, release: &'a HelmRelease) -> Option<&'a str> {
        let default = match release.spec.kube_config {
            None => &self.default_account,
            Some(_) => &self.default_remote_account,
        };
        let named = release.spec.service_account_name.as_deref().filter(|name| !name.is_empty());
        named.or(Some(default.as_str()).filter(|name| !name.is_empty()))
    }

    /// The cluster of a release.
    ///
    /// # Errors
    /// A kubeconfig that is missing or unusable.
    pub async fn of(&self, release: &HelmRelease) -> Result<Cluster, Error> {
        let (namespace, account) = (namespace(release), self.account(release));
        let reference = release.spec.kube_config.as_ref();
        let found = self.clients.identity(namespace, account, reference, self.allow).await;
        let client::Identity { name, client } = found.map_err(|error| {
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
        })?;
        let target = self.targets.get(&name, || client);
        Ok(Cluster::new(target, MANAGER))
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

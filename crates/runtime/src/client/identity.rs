//! On which cluster, and as whom, an object acts.

use api::meta::KubeConfigReference;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use sha2::{Digest as _, Sha256};

use super::workload::{self, Cluster};
use super::{Allow, Clients, KubeconfigSource, Secret};
use crate::{Error, Key};

/// Where and as whom an object acts, under a name. The client is made on demand: it costs more than the name.
pub struct Identity {
    /// Equal for equal clusters and identities. Holds no credential.
    pub name: String,
    way: Way,
    /// Namespace and name of the account that it acts as.
    account: Option<(String, String)>,
}

/// How the cluster is reached.
enum Way {
    /// It is this one.
    Own,
    /// By the kubeconfig in a Secret, in a key of it.
    Secret(Box<Secret>, Option<String>, Allow),
    /// With a token of a ServiceAccount of this cluster.
    Token(Box<Cluster>),
}

/// Why there is no client for an object.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The ConfigMap that describes the cluster cannot be read.
    #[error("failed to get configmap {config_map}: {why}")]
    ConfigMap {
        /// Namespace and name of the ConfigMap.
        config_map: String,
        /// The API server's words.
        why: String,
        /// Whether it does not exist.
        missing: bool,
    },
    /// The ConfigMap describes a cluster that cannot be reached.
    #[error("{0}")]
    Cluster(String),
    /// The Secret with the kubeconfig cannot be read.
    #[error("cannot read the kubeconfig in Secret '{secret}': {source}")]
    Unreadable {
        /// Namespace and name of the Secret.
        secret: String,
        /// Why not.
        source: Error,
    },
    /// The kubeconfig, or the client made of it, cannot be used.
    #[error(transparent)]
    Unusable(#[from] Error),
}

impl IdentityError {
    /// Whether the Secret or ConfigMap that describes the cluster does not exist.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Unreadable { source, .. } => source.is_not_found(),
            Self::ConfigMap { missing, .. } => *missing,
            Self::Cluster(_) | Self::Unusable(_) => false,
        }
    }
}

impl Clients {
    /// The identity of an object in a namespace: the cluster of its kubeconfig, else this one, as a ServiceAccount of the
    /// namespace if one is given.
    ///
    /// # Errors
    /// A kubeconfig that is missing, or a description of a cluster that says too little.
    pub async fn identity(
        &self,
        namespace: &str,
        account: Option<&str>,
        kube_config: Option<&KubeConfigReference>,
        allow: &Allow,
    ) -> Result<Identity, IdentityError> {
        let acting = account.map(|account| (namespace.to_owned(), account.to_owned()));
        let Some(reference) = kube_config else {
            let name = match account {
                None => "own".to_owned(),
                Some(account) => format!("account:{namespace}/{account}"),
            };
            return Ok(Identity { name, way: Way::Own, account: acting });
        };
        let (hash, way) = match (&reference.secret_ref, &reference.config_map_ref) {
            (Some(secret), _) => {
                let found = Secret::read(self.own(), namespace, &secret.name).await.map_err(|source| {
                    IdentityError::Unreadable { secret: format!("{namespace}/{}", secret.name), source }
                })?;
                let parts =
                    found.keys().flat_map(|key| [key.as_bytes(), found.bytes(key).unwrap_or_default()]);
                let key = secret.key.clone();
                (
                    hash(parts.chain([key.as_deref().unwrap_or_default().as_bytes()])),
                    Way::Secret(Box::new(found), key, allow.clone()),
                )
            }
            (None, Some(config_map)) => {
                let key = Key::new(namespace, &config_map.name);
                let problem = |why: String, missing| IdentityError::ConfigMap {
                    config_map: key.to_string(),
                    why,
                    missing,
                };
                let found = super::get::<ConfigMap>(self.own(), &super::object_path::<ConfigMap>(&key)).await;
                let found = found.map_err(|error| problem(error.to_string(), false))?;
                let missing = || problem(format!("configmaps \"{}\" not found", config_map.name), true);
                let data = found.ok_or_else(missing)?.data.unwrap_or_default();
                let cluster = Cluster::described(&data, namespace, allow).map_err(IdentityError::Cluster)?;
                let parts = data.iter().flat_map(|(key, value)| [key.as_bytes(), value.as_bytes()]);
                (hash(parts.chain([cluster.account().as_bytes()])), Way::Token(Box::new(cluster)))
            }
            (None, None) => {
                return Err(IdentityError::Cluster(
                    "spec.kubeConfig names neither a Secret nor a ConfigMap".to_owned(),
                ));
            }
        };
        let name = format!("remote:{hash}:{namespace}/{}", account.unwrap_or_default());
        Ok(Identity { name, way, account: acting })
    }

    /// A client of an identity.
    ///
    /// # Errors
    /// A kubeconfig that cannot be used, or a token that is not given.
    pub async fn client_of(&self, identity: &Identity) -> Result<Client, IdentityError> {
        let account = identity.account.as_ref().map(|(namespace, name)| (namespace.as_str(), name.as_str()));
        Ok(match &identity.way {
            Way::Own => match account {
                None => self.own().clone(),
                Some((namespace, name)) => self.impersonate(namespace, name)?,
            },
            Way::Secret(secret, key, allow) => {
                let source = KubeconfigSource::from_secret(secret, key.as_deref(), allow)?;
                self.remote(&source, account).await?
            }
            Way::Token(cluster) => {
                let tokens = workload::Tokens::of(self.own().clone(), cluster)
                    .await
                    .map_err(IdentityError::Cluster)?;
                // A token that cannot be had is told now, not by the first request.
                tokens.header().await.map_err(IdentityError::Cluster)?;
                self.with_tokens(cluster.config().await?, account, tokens)?
            }
        })
    }
}

fn hash<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

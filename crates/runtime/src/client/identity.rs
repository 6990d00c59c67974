//! On which cluster, and as whom, an object acts.

use api::meta::KubeConfigReference;
use kube::Client;
use sha2::{Digest as _, Sha256};

use super::{Allow, Clients, KubeconfigSource, Secret};
use crate::Error;

/// A client, and a name for where and as whom it acts.
pub struct Identity {
    /// Equal for equal clusters and identities. Holds no credential.
    pub name: String,
    /// The client.
    pub client: Client,
}

/// Why there is no client for an object.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The kubeconfig is described by a ConfigMap.
    #[error(
        "spec.kubeConfig.configMapRef is not supported by this controller yet: use spec.kubeConfig.secretRef"
    )]
    ConfigMap,
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
    /// Whether the Secret with the kubeconfig does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Unreadable { source, .. } if source.is_not_found())
    }
}

impl Clients {
    /// The identity of an object in a namespace: the cluster of its kubeconfig, else this one, as a ServiceAccount of the
    /// namespace if one is given.
    ///
    /// # Errors
    /// A kubeconfig that is missing or unusable.
    pub async fn identity(
        &self,
        namespace: &str,
        account: Option<&str>,
        kube_config: Option<&KubeConfigReference>,
        allow: Allow,
    ) -> Result<Identity, IdentityError> {
        let Some(reference) = kube_config else {
            return Ok(match account {
                None => Identity { name: "own".to_owned(), client: self.own().clone() },
                Some(account) => Identity {
                    name: format!("account:{namespace}/{account}"),
                    client: self.impersonate(namespace, account)?,
                },
            });
        };
        let Some(secret) = &reference.secret_ref else { return Err(IdentityError::ConfigMap) };
        let found = Secret::read(self.own(), namespace, &secret.name).await.map_err(|source| {
            IdentityError::Unreadable { secret: format!("{namespace}/{}", secret.name), source }
        })?;
        let source = KubeconfigSource::from_secret(&found, secret.key.as_deref(), allow)?;
        let mut hasher = Sha256::new();
        for key in found.keys() {
            hasher.update(key.as_bytes());
            hasher.update([0]);
            hasher.update(found.bytes(key).unwrap_or_default());
            hasher.update([0]);
        }
        let hash: String = hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let name = format!("remote:{hash}:{namespace}/{}", account.unwrap_or_default());
        let client = self.remote(&source, account.map(|account| (namespace, account))).await?;
        Ok(Identity { name, client })
    }
}

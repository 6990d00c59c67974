//! Identity: on which cluster, and as whom, a Kustomization acts.

use api::kustomize::Kustomization;
use apply::{Target, Targets};
use k8s_openapi::api::core::v1::ServiceAccount;
use runtime::client::{Allow, IdentityError};
use runtime::{Clients, Key};

use super::gate::namespace;

/// Makes the target of each Kustomization.
pub struct Identities {
    clients: Clients,
    targets: Targets,
    default_service_account: String,
    allow: Allow,
}

/// A target, and a name for it that tells clusters and identities apart and holds no credential.
#[derive(Clone)]
pub struct Identity {
    /// Where objects are applied.
    pub target: Target,
    /// Equal for equal clusters and identities.
    pub name: String,
}

impl Identities {
    /// Acts as the controller itself, unless a Kustomization or `default_service_account` says otherwise.
    pub fn new(clients: Clients, targets: Targets, default_service_account: &str, allow: Allow) -> Self {
        Identities { clients, targets, default_service_account: default_service_account.to_owned(), allow }
    }

    /// The policy of all targets.
    pub fn policy(&self) -> &apply::Policy {
        self.targets.policy()
    }

    /// The account that a Kustomization acts as, if any.
    pub fn account<'a>(&'a self, kustomization: &'a Kustomization) -> Option<&'a str> {
        let named = kustomization.spec.service_account_name.as_deref().filter(|name| !name.is_empty());
        named.or(Some(self.default_service_account.as_str()).filter(|name| !name.is_empty()))
    }

    /// The target of a Kustomization.
    ///
    /// # Errors
    /// The text for the object: its kubeconfig is missing or unusable.
    pub async fn of(&self, kustomization: &Kustomization) -> Result<Identity, String> {
        let namespace = namespace(kustomization);
        let account = self.account(kustomization);
        let reference = kustomization.spec.kube_config.as_ref();
        let text = |error: IdentityError| match error {
            IdentityError::Unreadable { secret, source } => {
                let why = match &reference.and_then(|reference| reference.secret_ref.as_ref()) {
                    Some(secret) if source.is_not_found() => format!("secrets \"{}\" not found", secret.name),
                    _ => source.to_string(),
                };
                format!("unable to read KubeConfig secret '{secret}' error: {why}")
            }
            other => other.to_string(),
        };
        let found = self.clients.identity(namespace, account, reference, &self.allow).await.map_err(text)?;
        let target = match self.targets.find(&found.name) {
            Some(target) => target,
            None => {
                let client = self.clients.client_of(&found).await.map_err(text)?;
                self.targets.get(&found.name, || client)
            }
        };
        Ok(Identity { target, name: found.name })
    }

    /// Whether the account exists that a Kustomization would delete its objects as. Asked where the account is used; what
    /// cannot be asked counts as there, since deleting fails safely.
    pub async fn can_act(&self, kustomization: &Kustomization) -> bool {
        let Some(account) = self.account(kustomization) else { return true };
        if kustomization.spec.kube_config.is_some() {
            return true;
        }
        let path =
            runtime::client::object_path::<ServiceAccount>(&Key::new(namespace(kustomization), account));
        !matches!(runtime::client::get::<ServiceAccount>(self.clients.own(), &path).await, Ok(None))
    }
}

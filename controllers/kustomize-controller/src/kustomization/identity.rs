//! Identity: on which cluster, and as whom, a Kustomization acts.

use api::kustomize::Kustomization;
use apply::{Target, Targets};
use k8s_openapi::api::core::v1::ServiceAccount;
use runtime::client::{Allow, KubeconfigSource};
use runtime::{Clients, Key, Secret};
use sha2::{Digest as _, Sha256};

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
        let Some(reference) = &kustomization.spec.kube_config else {
            return self.local(namespace, account);
        };
        let Some(secret) = &reference.secret_ref else {
            return Err("spec.kubeConfig.configMapRef is not supported by this controller yet: use \
                        spec.kubeConfig.secretRef"
                .to_owned());
        };
        let read = Secret::read(self.clients.own(), namespace, &secret.name).await;
        let found = read.map_err(|error| {
            let why = if error.is_not_found() {
                format!("secrets \"{}\" not found", secret.name)
            } else {
                error.to_string()
            };
            format!("unable to read KubeConfig secret '{namespace}/{}' error: {why}", secret.name)
        })?;
        let source = KubeconfigSource::from_secret(&found, secret.key.as_deref(), self.allow)
            .map_err(|error| error.to_string())?;
        let mut hasher = Sha256::new();
        for key in found.keys() {
            hasher.update(key.as_bytes());
            hasher.update([0]);
            hasher.update(found.bytes(key).unwrap_or_default());
            hasher.update([0]);
        }
        let hash: String = hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let name = format!("remote:{hash}:{namespace}/{}", account.unwrap_or_default());
        let client = self
            .clients
            .remote(&source, account.map(|account| (namespace, account)))
            .await
            .map_err(|error| error.to_string())?;
        Ok(Identity { target: self.targets.get(&name, || client), name })
    }

    fn local(&self, namespace: &str, account: Option<&str>) -> Result<Identity, String> {
        let Some(account) = account else {
            let target = self.targets.get("own", || self.clients.own().clone());
            return Ok(Identity { target, name: "own".to_owned() });
        };
        let name = format!("account:{namespace}/{account}");
        let client = self.clients.impersonate(namespace, account).map_err(|error| error.to_string())?;
        Ok(Identity { target: self.targets.get(&name, || client), name })
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

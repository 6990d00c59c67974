//! How a chart repository in an OCI registry is reached.

use std::time::Duration;

use api::condition::Reason;
use api::source::{CloudProvider, HelmRepository};
use kube::Client;
use net::auth::HttpAuth;
use oci::{Keychain, Registry, Repository, Transport};
use url::Url;

use super::access::{Secrets, authentication, is_tls};
use crate::source::{Failure, NamedSecret};

/// The type of Secrets with a docker configuration.
const DOCKER_CONFIG: &str = "kubernetes.io/dockerconfigjson";

/// Where the charts are, and with what the registry is asked.
pub(crate) struct RegistryAccess {
    /// `oci://host/path`, without a slash at the end.
    url: String,
    settings: net::Settings,
    keychain: Keychain,
    transport: Transport,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl RegistryAccess {
    /// Reads the address and the Secrets of a repository of type `oci`.
    pub(crate) async fn read(client: &Client, repository: &HelmRepository) -> Result<Self, Failure> {
        let spec = &repository.spec;
        let host = spec.url.strip_prefix("oci://").map(|rest| rest.split('/').next().unwrap_or_default());
        let Some(host) = host else {
            let url = Url::parse(&spec.url).map_or_else(|_| spec.url.clone(), |url| url.to_string());
            let message = format!("failed to construct Helm client: invalid OCI registry URL: {url}");
            return Err(Failure::fetch(Reason::Failed, message).terminal());
        };
        let secrets = Secrets::read(client, repository).await?;
        let provider = spec.provider.unwrap_or_default();
        if secrets.login.is_none() && provider != CloudProvider::Generic {
            let message = "spec.provider of the HelmRepository is not supported by this release: use 'generic' with \
                           spec.secretRef";
            return Err(Failure::fetch(Reason::InvalidProviderConfiguration, message).terminal());
        }
        Ok(Self {
            url: spec.url.trim_end_matches('/').to_owned(),
            settings: secrets.settings()?,
            keychain: keychain(host, &secrets)?,
            transport: if spec.insecure { Transport::Plain } else { Transport::Tls },
            timeout: spec.timeout(),
        })
    }

    /// The address of a chart.
    pub(crate) fn chart_url(&self, chart: &str) -> String {
        format!("{}/{chart}", self.url)
    }

    /// The registry of a chart. `limit` is that of the chart's archive, in bytes.
    ///
    /// # Errors
    /// An address that is none, or certificates that cannot be used.
    pub(crate) fn registry(
        &self,
        clients: &net::Clients,
        chart: &str,
        limit: u64,
    ) -> Result<Registry, String> {
        let repository = Repository::from_url(&self.chart_url(chart)).map_err(|error| error.to_string())?;
        let limits = oci::Limits { layer: limit, answer: self.timeout, ..Default::default() };
        Registry::new(clients, &self.settings, repository, &self.keychain, self.transport, limits)
            .map_err(|error| error.to_string())
    }
}

/// Whether other credentials or certificates would help.
pub(crate) fn is_authentication(error: &oci::Error) -> bool {
    match error {
        oci::Error::Net(error) => is_tls(error),
        error => error.is_unauthorized(),
    }
}

fn keychain(host: &str, secrets: &Secrets) -> Result<Keychain, Failure> {
    // Half a login is refused, whatever the type of the Secret.
    let auth = secrets.auth()?;
    match (&secrets.login, auth) {
        (Some(secret), _) if secret.type_ == DOCKER_CONFIG => docker_config(host, secret).map_err(|error| {
            authentication(format!("failed to configure OCI registry authentication: {error}"))
        }),
        (_, HttpAuth::Basic { username, password }) => Ok(Keychain::basic(host, &username, password)),
        _ => Ok(Keychain::default()),
    }
}

fn docker_config(host: &str, secret: &NamedSecret) -> Result<Keychain, String> {
    let name = secret.name.rsplit('/').next().unwrap_or_default();
    let config = secret.data.get(".dockerconfigjson").map(Vec::as_slice).unwrap_or_default();
    let mut keychain = Keychain::default();
    keychain
        .add_docker_config(config)
        .map_err(|error| format!("unable to load Docker config from Secret '{name}': {error}"))?;
    let registry = Repository::parse(&format!("{host}/x")).map_err(|error| error.to_string())?;
    if keychain.knows(registry.registry()) {
        Ok(keychain)
    } else {
        Err(format!("no auth config for '{host}' in the docker-registry Secret '{name}'"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(type_: &str, data: &[(&str, &str)]) -> Secrets {
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect();
        let secret = NamedSecret { name: "apps/login".to_owned(), type_: type_.to_owned(), data };
        Secrets { certificates: None, login: Some(secret) }
    }

    #[test]
    fn logins_come_from_both_kinds_of_secrets() {
        let config = r#"{"auths":{"h.io:5000":{"username":"u","password":"p"}}}"#;
        let knows = |secrets: &Secrets| keychain("h.io:5000", secrets).map(|chain| chain.knows("h.io:5000"));
        assert_eq!(knows(&secret(DOCKER_CONFIG, &[(".dockerconfigjson", config)])), Ok(true));
        assert_eq!(knows(&secret("Opaque", &[("username", "u"), ("password", "p")])), Ok(true));
        assert_eq!(knows(&secret("Opaque", &[])), Ok(false));
        let message = |secrets: &Secrets| keychain("h.io", secrets).map(drop).unwrap_err().message;
        assert_eq!(
            message(&secret(DOCKER_CONFIG, &[(".dockerconfigjson", config)])),
            "failed to configure OCI registry authentication: no auth config for 'h.io' in the docker-registry Secret \
             'login'"
        );
        assert!(
            message(&secret("Opaque", &[("username", "u")]))
                .starts_with("failed to detect authentication methods: ")
        );
    }
}

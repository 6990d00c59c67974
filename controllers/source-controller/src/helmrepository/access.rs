//! How a chart repository is reached over HTTP: its address, credentials and certificates.

use std::io::{self, Write};
use std::time::Duration;

use api::condition::Reason;
use api::source::HelmRepository;
use kube::{Client, ResourceExt as _};
use net::auth::{self, HttpAuth};
use net::display_url;
use url::Url;

use crate::source::{Failure, NamedSecret, read_named};

/// Longest chain of redirects that is followed.
const REDIRECTS: usize = 10;

/// Where a repository is, and with what it is asked.
pub(super) struct Access {
    pub url: Url,
    settings: net::Settings,
    auth: HttpAuth,
    pass_credentials: bool,
    timeout: Duration,
}

/// Why a file of a repository could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("failed to fetch {url} : {status}")]
    Status { url: String, status: String },
    #[error("file exceeds the maximum size of {0} bytes")]
    TooLarge(u64),
    #[error("stopped after {REDIRECTS} redirects")]
    Redirects,
    #[error(transparent)]
    Net(#[from] net::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Access {
    /// Reads the address and the Secrets of a repository of type `default`.
    pub(super) async fn read(client: &Client, repository: &HelmRepository) -> Result<Self, Failure> {
        let (spec, namespace) = (&repository.spec, repository.namespace().unwrap_or_default());
        let secret = async |what: &str, name: Option<&str>| {
            let Some(name) = name else { return Ok(None) };
            read_named(client, &namespace, name).await.map(Some).map_err(|error| {
                authentication(format!("failed to get {what} secret '{namespace}/{name}': {error}"))
            })
        };
        let url = repository_url(&spec.url)?;
        let certificates =
            secret("TLS authentication", spec.cert_secret_ref.as_ref().map(|secret| &*secret.name)).await?;
        let login = secret("authentication", spec.secret_ref.as_ref().map(|secret| &*secret.name)).await?;
        Ok(Self {
            url,
            settings: net::Settings {
                tls: tls(certificates.as_ref(), login.as_ref())?,
                ..Default::default()
            },
            auth: match &login {
                None => HttpAuth::None,
                Some(login) => auth::basic(&login.name, &login.data).map_err(|error| {
                    authentication(format!("failed to detect authentication methods: {error}"))
                })?,
            },
            pass_credentials: spec.pass_credentials,
            timeout: spec.timeout(),
        })
    }

    /// Fetches a file into `sink`, at most `limit` bytes, and tells its length. Credentials go to the repository's own
    /// host only, unless they are to be passed on.
    pub(super) async fn fetch(
        &self,
        clients: &net::Clients,
        url: &Url,
        limit: u64,
        sink: &mut (impl Write + Send),
    ) -> Result<u64, FetchError> {
        match tokio::time::timeout(self.timeout, self.download(clients, url, limit, sink)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "timed out waiting for the server").into()),
        }
    }

    async fn download(
        &self,
        clients: &net::Clients,
        url: &Url,
        limit: u64,
        sink: &mut (impl Write + Send),
    ) -> Result<u64, FetchError> {
        let client = clients.get(&self.settings)?;
        let mut next = url.clone();
        for hop in 0..=REDIRECTS {
            let mut request = client.get(next.clone());
            let own = same_host(&next, &self.url) || (self.pass_credentials && hop == 0);
            if let Some(header) = self.auth.header().filter(|_| own) {
                request = request.header(http::header::AUTHORIZATION, header);
            }
            let response = request.send().await.map_err(|error| net::Error::request("GET", &next, error))?;
            if response.status().is_redirection()
                && let Some(target) = response.headers().get(http::header::LOCATION)
            {
                let target = target.to_str().ok().and_then(|target| next.join(target).ok());
                let Some(target) = target.filter(|url| matches!(url.scheme(), "http" | "https")) else {
                    return Err(status(url, response.status()));
                };
                next = target;
                continue;
            }
            if response.status() != http::StatusCode::OK {
                return Err(status(url, response.status()));
            }
            let (mut body, mut length) = (net::Body::new(response, limit), 0);
            loop {
                match body.chunk().await {
                    Ok(None) => return Ok(length),
                    Ok(Some(piece)) => {
                        length += piece.len() as u64;
                        sink.write_all(&piece)?;
                    }
                    Err(net::Error::TooLarge { limit, .. }) => return Err(FetchError::TooLarge(limit)),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Err(FetchError::Redirects)
    }
}

fn status(url: &Url, status: http::StatusCode) -> FetchError {
    FetchError::Status { url: display_url(url), status: status.to_string() }
}

fn same_host(one: &Url, other: &Url) -> bool {
    (one.scheme(), one.host(), one.port_or_known_default())
        == (other.scheme(), other.host(), other.port_or_known_default())
}

/// The address of a repository of type `default`.
fn repository_url(text: &str) -> Result<Url, Failure> {
    let invalid = |why: String| {
        Failure::fetch(Reason::UrlInvalid, format!("invalid Helm repository URL: {why}")).terminal()
    };
    let url = Url::parse(text).map_err(|error| invalid(error.to_string()))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        "oci" => {
            Err(invalid("'oci' URL scheme cannot be used with 'default' HelmRepository type".to_owned()))
        }
        scheme => Err(Failure::fetch(
            Reason::Failed,
            format!("failed to construct Helm client: scheme \"{scheme}\" not supported"),
        )
        .terminal()),
    }
}

/// The certificates: those of their own Secret, or else, as in old manifests, those beside the credentials.
fn tls(certificates: Option<&NamedSecret>, login: Option<&NamedSecret>) -> Result<net::Tls, Failure> {
    let found = match (certificates, login) {
        (Some(secret), _) => net::Tls::from_secret(&secret.name, &secret.data),
        (None, Some(secret)) => net::Tls::from_secret_if_any(&secret.name, &secret.data),
        (None, None) => return Ok(net::Tls::default()),
    };
    let found = found
        .map_err(|error| authentication(format!("failed to construct Helm client's TLS config: {error}")))?;
    if certificates.is_none() && (found.ca.is_some() || found.identity.is_some()) {
        tracing::info!(
            "specifying TLS authentication data via '.spec.secretRef' is deprecated, please use '.spec.certSecretRef' instead"
        );
    }
    Ok(found)
}

fn authentication(message: String) -> Failure {
    Failure::fetch(Reason::AuthenticationFailed, message)
}

/// The address of a file at the root of a repository; a query stays.
pub(super) fn file_url(repository: &Url, file: &str) -> Url {
    let mut url = repository.clone();
    let path = format!("{}/{file}", repository.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Class;

    #[test]
    fn files_are_below_the_path_and_keep_the_query() {
        for (repository, expected) in [
            ("https://h", "https://h/index.yaml"),
            ("https://h/charts/", "https://h/charts/index.yaml"),
            ("https://h/charts?token=x", "https://h/charts/index.yaml?token=x"),
        ] {
            assert_eq!(file_url(&Url::parse(repository).unwrap(), "index.yaml").as_str(), expected);
        }
    }

    #[test]
    fn credentials_stay_on_their_host() {
        let own = Url::parse("https://h/charts").unwrap();
        for (url, same) in [
            ("https://h/x.tgz", true),
            ("https://h:443/x.tgz", true),
            ("http://h/x.tgz", false),
            ("https://h:444/x.tgz", false),
            ("https://cdn.h/x.tgz", false),
        ] {
            assert_eq!(same_host(&Url::parse(url).unwrap(), &own), same, "{url}");
        }
    }

    #[test]
    fn an_address_that_cannot_work_stalls() {
        for (url, reason, message) in [
            ("oci://h/charts", Reason::UrlInvalid, "invalid Helm repository URL: 'oci' URL scheme cannot be"),
            ("https://h:port", Reason::UrlInvalid, "invalid Helm repository URL: "),
            ("ftp://h", Reason::Failed, "failed to construct Helm client: scheme \"ftp\" not supported"),
        ] {
            let failure = repository_url(url).unwrap_err();
            assert_eq!((failure.reason, failure.class), (reason, Class::Stall), "{url}");
            assert!(failure.message.starts_with(message), "{}", failure.message);
        }
    }
}

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
pub(crate) struct Access {
    url: Url,
    settings: net::Settings,
    auth: HttpAuth,
    pass_credentials: bool,
    timeout: Duration,
}

/// Why a file of a repository could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("failed to fetch {url} : {code}")]
    Status { url: String, code: http::StatusCode },
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
    pub(crate) async fn read(client: &Client, repository: &HelmRepository) -> Result<Self, Failure> {
        let spec = &repository.spec;
        let url = repository_url(&spec.url)?;
        let secrets = Secrets::read(client, repository).await?;
        Ok(Self {
            url,
            settings: secrets.settings()?,
            auth: secrets.auth()?,
            pass_credentials: repository.spec.pass_credentials,
            timeout: spec.timeout(),
        })
    }

    /// The address of a file at the root of the repository.
    pub(super) fn file(&self, name: &str) -> Url {
        file_url(&self.url, name)
    }

    /// The address of an archive as an index names it: absolute, or relative to the repository.
    ///
    /// # Errors
    /// A text that is no address.
    pub(crate) fn archive(&self, reference: &str) -> Result<Url, String> {
        resolve(&self.url, reference).map_err(|error| format!("failed to parse {reference} as URL: {error}"))
    }

    /// Fetches a file into `sink`, at most `limit` bytes, and tells its length. Credentials go to the repository's own
    /// host only, unless they are to be passed on.
    pub(crate) async fn fetch(
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

/// The Secrets of a repository: certificates, and credentials.
pub(super) struct Secrets {
    pub certificates: Option<NamedSecret>,
    pub login: Option<NamedSecret>,
}

impl Secrets {
    pub(super) async fn read(client: &Client, repository: &HelmRepository) -> Result<Self, Failure> {
        let (spec, namespace) = (&repository.spec, repository.namespace().unwrap_or_default());
        let secret = async |what: &str, name: Option<&str>| {
            let Some(name) = name else { return Ok(None) };
            read_named(client, &namespace, name).await.map(Some).map_err(|error| {
                authentication(format!("failed to get {what} secret '{namespace}/{name}': {error}"))
            })
        };
        let certificates = spec.cert_secret_ref.as_ref().map(|secret| &*secret.name);
        let login = spec.secret_ref.as_ref().map(|secret| &*secret.name);
        Ok(Self {
            certificates: secret("TLS authentication", certificates).await?,
            login: secret("authentication", login).await?,
        })
    }

    pub(super) fn settings(&self) -> Result<net::Settings, Failure> {
        let tls = tls(self.certificates.as_ref(), self.login.as_ref())?;
        Ok(net::Settings { tls, ..Default::default() })
    }

    pub(super) fn auth(&self) -> Result<HttpAuth, Failure> {
        let Some(login) = &self.login else { return Ok(HttpAuth::None) };
        auth::basic(&login.name, &login.data)
            .map_err(|error| authentication(format!("failed to detect authentication methods: {error}")))
    }
}

impl FetchError {
    /// Whether other credentials or certificates would help.
    pub(crate) fn is_authentication(&self) -> bool {
        match self {
            Self::Status { code, .. } => *code == http::StatusCode::UNAUTHORIZED,
            Self::Net(error) => is_tls(error),
            Self::TooLarge(_) | Self::Redirects | Self::Io(_) => false,
        }
    }
}

/// Whether a connection failed because one side does not trust the other.
pub(super) fn is_tls(error: &net::Error) -> bool {
    let net::Error::Request { reason, .. } = error else { return false };
    let reason = reason.to_ascii_lowercase();
    reason.contains("certificate") || reason.contains("tls")
}

fn status(url: &Url, code: http::StatusCode) -> FetchError {
    FetchError::Status { url: display_url(url), code }
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

pub(super) fn authentication(message: String) -> Failure {
    Failure::fetch(Reason::AuthenticationFailed, message)
}

/// The address of a file at the root of a repository; a query stays.
fn file_url(repository: &Url, file: &str) -> Url {
    let mut url = repository.clone();
    let path = format!("{}/{file}", repository.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

/// An address that may be relative to a repository, whose query it then gets: it may hold a token.
fn resolve(repository: &Url, reference: &str) -> Result<Url, url::ParseError> {
    match Url::parse(reference) {
        Err(url::ParseError::RelativeUrlWithoutBase) => {}
        parsed => return parsed,
    }
    let mut base = repository.clone();
    base.set_path(&format!("{}/", repository.path().trim_end_matches('/')));
    let mut url = base.join(reference)?;
    url.set_query(repository.query());
    Ok(url)
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
    fn archives_are_found_relative_to_the_repository() {
        for (repository, reference, expected) in [
            ("https://h/charts", "a-1.tgz", "https://h/charts/a-1.tgz"),
            ("https://h/charts/", "sub/a-1.tgz", "https://h/charts/sub/a-1.tgz"),
            ("https://h/charts?token=x", "a-1.tgz", "https://h/charts/a-1.tgz?token=x"),
            ("https://h/charts", "/a-1.tgz", "https://h/a-1.tgz"),
            ("https://h/charts?token=x", "https://cdn/a-1.tgz", "https://cdn/a-1.tgz"),
        ] {
            let found = resolve(&Url::parse(repository).unwrap(), reference).unwrap();
            assert_eq!(found.as_str(), expected);
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

//! HTTP clients, one per distinct settings.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};

use crate::error::display_url;
use crate::guard::GuardedResolver;
use crate::{AddressGuard, CaUse, Error, Proxy, ProxyScheme, Retry, Tls, Verdict};

/// How long a connection attempt may take, whatever the total time allowed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// A client that nobody asked for in this time is dropped, with its connections and its copy of the credentials.
const IDLE_CLIENT: Duration = Duration::from_secs(600);
/// Idle connections are closed after this time.
const IDLE_CONNECTION: Duration = Duration::from_secs(60);

/// What tells one client from another.
#[derive(Clone, Default)]
pub struct Settings {
    /// CA and client certificate.
    pub tls: Tls,
    /// The proxy; `None` leaves it to the `HTTP_PROXY` family of environment variables.
    pub proxy: Option<Proxy>,
    /// Which addresses may be connected to.
    pub guard: AddressGuard,
}

impl Settings {
    /// A digest that stands for the settings. Secrets go in as digests.
    fn key(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut part = |tag: u8, bytes: &[u8]| {
            hash.update([tag]);
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        if let Some(ca) = &self.tls.ca {
            part(0, ca.expose());
        }
        part(1, &[self.tls.ca_use as u8]);
        if let Some(identity) = &self.tls.identity {
            part(2, identity.certificate.expose());
            part(3, &identity.key.fingerprint());
        }
        if let Some(proxy) = &self.proxy {
            part(4, proxy.url.as_str().as_bytes());
            part(5, proxy.username.as_deref().unwrap_or_default().as_bytes());
            part(6, &proxy.password.as_ref().map(crate::Secret::fingerprint).unwrap_or_default());
        }
        part(7, &[u8::from(self.guard == AddressGuard::NoLocal)]);
        hash.finalize().into()
    }
}

struct Cached {
    client: reqwest::Client,
    used: Instant,
}

/// The clients in use, keyed by their settings: two objects with the same settings share connections.
/// Clones share the same clients.
#[derive(Clone)]
pub struct Clients {
    user_agent: Arc<str>,
    cached: Arc<Mutex<HashMap<[u8; 32], Cached>>>,
}

impl Clients {
    /// No clients yet; each will call itself `user_agent`.
    pub fn new(user_agent: &str) -> Self {
        Self { user_agent: user_agent.into(), cached: Arc::default() }
    }

    /// The client for `settings`, which follows no redirect by itself: the caller decides where credentials may go.
    ///
    /// # Errors
    /// Unreadable certificates, or no usable proxy.
    pub fn get(&self, settings: &Settings) -> Result<reqwest::Client, Error> {
        let key = settings.key();
        let now = Instant::now();
        {
            let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
            cached.retain(|_, entry| now.saturating_duration_since(entry.used) < IDLE_CLIENT);
            if let Some(entry) = cached.get_mut(&key) {
                entry.used = now;
                return Ok(entry.client.clone());
            }
        }
        // Made outside the lock: reading certificates takes milliseconds.
        let client = self.build(settings)?;
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(cached.entry(key).or_insert(Cached { client, used: now }).client.clone())
    }

    fn build(&self, settings: &Settings) -> Result<reqwest::Client, Error> {
        crate::install_crypto_provider();
        let setup = |error: reqwest::Error| Error::Setup(crate::error::chain(&error));
        let mut builder = reqwest::Client::builder()
            .user_agent(&*self.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_max_idle_per_host(4)
            .tcp_keepalive(Duration::from_secs(30))
            .tls_backend_preconfigured(tls_config(&settings.tls)?);
        if settings.guard != AddressGuard::Off {
            builder = builder.dns_resolver(GuardedResolver::shared(settings.guard));
        }
        if let Some(proxy) = &settings.proxy {
            let mut url = proxy.url.clone();
            if proxy.scheme == ProxyScheme::Socks5 {
                // The proxy resolves names, as Go's client does: an inside name may mean nothing out here.
                let with_remote_names = url.as_str().replacen("socks5://", "socks5h://", 1);
                url = url::Url::parse(&with_remote_names).map_err(|error| Error::Setup(error.to_string()))?;
            }
            let mut made = reqwest::Proxy::all(url).map_err(setup)?;
            if let Some(username) = &proxy.username {
                let password = proxy.password.as_ref().map(crate::Secret::expose_text).unwrap_or_default();
                made = made.basic_auth(username, &password);
            }
            builder = builder.proxy(made);
        }
        builder.build().map_err(setup)
    }

    /// Sends GET requests for `url` until one is answered with success, at most as often as `retry` allows, and returns
    /// the body if it is no longer than `limit` bytes. `timeout` bounds each try, body included.
    ///
    /// # Errors
    /// No response, a status other than success, or a body over the limit.
    pub async fn get_bytes(
        &self,
        settings: &Settings,
        url: &url::Url,
        headers: &http::HeaderMap,
        limit: u64,
        timeout: Duration,
        retry: Retry,
    ) -> Result<Bytes, Error> {
        settings.guard.check(url)?;
        let client = self.get(settings)?;
        let mut number = 0;
        loop {
            let sent = client.get(url.clone()).headers(headers.clone()).timeout(timeout).send().await;
            let verdict = Retry::verdict(sent.as_ref().ok().map(reqwest::Response::status));
            if verdict == Verdict::Again
                && let Some(wait) = retry.wait(number)
            {
                number += 1;
                tokio::time::sleep(wait).await;
                continue;
            }
            let response = sent.map_err(|error| Error::request("GET", url, error))?;
            if !response.status().is_success() {
                return Err(Error::Status {
                    method: "GET".into(),
                    url: display_url(url),
                    status: response.status(),
                });
            }
            return Body::new(response, limit).bytes().await;
        }
    }
}

/// A response body that is read in pieces and ends with an error once it exceeds its limit.
pub struct Body {
    response: reqwest::Response,
    limit: u64,
    read: u64,
}

impl Body {
    /// The body of `response`, at most `limit` bytes long.
    pub fn new(response: reqwest::Response, limit: u64) -> Self {
        Self { response, limit, read: 0 }
    }

    /// The next piece, `None` at the end.
    ///
    /// # Errors
    /// The connection broke, or the limit is exceeded.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let url = self.response.url().clone();
        let piece = self.response.chunk().await.map_err(|error| Error::request("GET", &url, error))?;
        if let Some(piece) = &piece {
            self.read = self.read.saturating_add(piece.len() as u64);
            if self.read > self.limit {
                return Err(Error::TooLarge { url: display_url(&url), limit: self.limit });
            }
        }
        Ok(piece)
    }

    /// The whole body.
    ///
    /// # Errors
    /// As [`Body::chunk`].
    pub async fn bytes(mut self) -> Result<Bytes, Error> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.chunk().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}

/// The system's CAs, read once: they are the bulk of a TLS client's memory.
static SYSTEM_ROOTS: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    // A system without CAs is no error here: plain HTTP and custom CAs still work.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Arc::new(roots)
});

/// Takes any certificate, from whoever holds its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn tls_config(tls: &Tls) -> Result<rustls::ClientConfig, Error> {
    let custom = tls.ca_certificates()?;
    let roots = if custom.is_empty() {
        Arc::clone(&SYSTEM_ROOTS)
    } else {
        let mut roots = match tls.ca_use {
            CaUse::Add => RootCertStore::clone(&SYSTEM_ROOTS),
            CaUse::Replace | CaUse::Ignore => RootCertStore::empty(),
        };
        roots.add_parsable_certificates(custom);
        Arc::new(roots)
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Setup(error.to_string()))?;
    let builder = match tls.ca_use {
        CaUse::Ignore => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))),
        CaUse::Add | CaUse::Replace => builder.with_root_certificates(roots),
    };
    let config = match tls.client_certificate()? {
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|error| Error::ClientCertificate(error.to_string()))?,
        None => builder.with_no_client_auth(),
    };
    Ok(config)
}

//! Asking a registry.

use std::io::Write;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LINK, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use net::auth::HttpAuth;
use net::{Body, Secret, display_url};
use serde::Deserialize;
use sha2::Digest as _;
use url::Url;

use crate::challenge::Challenge;
use crate::keychain::Login;
use crate::manifest::{self, Found};
use crate::{Descriptor, Error, Keychain, Manifest, Reference, Repository};

/// Longest chain of redirects that is followed.
const REDIRECTS: usize = 10;
/// Longest answer that is not a layer.
const LONGEST_ANSWER: u64 = 4 << 20;
/// Longest token.
const LONGEST_TOKEN: u64 = 1 << 20;

/// How a registry may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Over TLS; local registries over plain HTTP too, should they not speak TLS.
    Tls,
    /// Any registry over plain HTTP, should it not speak TLS.
    Plain,
}

/// What is accepted from a registry.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a layer. Default 1 GiB.
    pub layer: u64,
    /// How many tags are listed. Default 100,000.
    pub tags: usize,
    /// How long an answer may take, layers excepted. Default 60 s.
    pub answer: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { layer: 1 << 30, tags: 100_000, answer: Duration::from_secs(60) }
    }
}

/// One repository of a registry, with a login that lasts as long as this value.
pub struct Registry {
    client: reqwest::Client,
    repository: Repository,
    login: Option<Login>,
    transport: Transport,
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Default, Clone)]
struct State {
    /// `https` or `http`, once it is known.
    scheme: Option<&'static str>,
    authorization: Option<HeaderValue>,
}

struct Answer {
    response: reqwest::Response,
    url: Url,
}

impl Registry {
    /// Nothing is sent until something is asked for.
    ///
    /// # Errors
    /// Certificates or proxy that no client can be made of.
    pub fn new(
        clients: &net::Clients,
        settings: &net::Settings,
        repository: Repository,
        keychain: &Keychain,
        transport: Transport,
        limits: Limits,
    ) -> Result<Self, Error> {
        let login = keychain.login(repository.registry()).cloned();
        let client = clients.get(settings)?;
        Ok(Self { client, repository, login, transport, limits, state: Mutex::default() })
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// All tags, in the order of the registry.
    ///
    /// # Errors
    /// What the registry refuses, or that it does not answer; more tags than the limit allows.
    pub async fn tags(&self) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Page {
            #[serde(default)]
            tags: Option<Vec<String>>,
        }
        let mut tags = Vec::new();
        let mut next = Some("tags/list?n=1000".to_owned());
        while let Some(path) = next {
            let answer = self.ask(Method::GET, &path, None).await?;
            next = next_page(answer.response.headers(), &answer.url, &self.repository);
            let url = display_url(&answer.url);
            let bytes = self.read(answer).await?;
            let page: Page = serde_json::from_slice(&bytes)
                .map_err(|error| Error::Malformed { url: url.clone(), why: error.to_string() })?;
            tags.extend(page.tags.unwrap_or_default());
            if tags.len() > self.limits.tags {
                let why = format!("more than {} tags", self.limits.tags);
                return Err(Error::Malformed { url, why });
            }
        }
        Ok(tags)
    }

    /// The digest of the manifest, or list of manifests, that a tag leads to.
    ///
    /// # Errors
    /// What the registry refuses, or that it does not answer.
    pub async fn digest(&self, tag: &str) -> Result<String, Error> {
        let path = format!("manifests/{tag}");
        if let Ok(answer) = self.ask(Method::HEAD, &path, Some(manifest::ACCEPT)).await
            && let Some(digest) = answer.response.headers().get("docker-content-digest")
            && let Ok(digest) = digest.to_str()
            && digest.starts_with("sha256:")
        {
            return Ok(digest.to_owned());
        }
        // Not every registry answers HEAD, and its error has no text.
        let answer = self.ask(Method::GET, &path, Some(manifest::ACCEPT)).await?;
        Ok(digest_of(&self.read(answer).await?))
    }

    /// The manifest with this digest; of a list of manifests, the one for Linux on AMD64.
    ///
    /// # Errors
    /// What the registry refuses, that it does not answer, or that it answers with something else.
    pub async fn manifest(&self, digest: &str) -> Result<Manifest, Error> {
        let mut wanted = digest.to_owned();
        for _ in 0..2 {
            let answer =
                self.ask(Method::GET, &format!("manifests/{wanted}"), Some(manifest::ACCEPT)).await?;
            let url = display_url(&answer.url);
            let bytes = self.read(answer).await?;
            check_digest(&wanted, &digest_of(&bytes), &url)?;
            match manifest::read(&bytes).map_err(|why| Error::Malformed { url, why })? {
                Found::Manifest(manifest) => return Ok(manifest),
                Found::Index(digest) => wanted = digest,
            }
        }
        Err(Error::Malformed {
            url: self.repository.to_string(),
            why: "a list of lists of manifests".to_owned(),
        })
    }

    /// Writes the bytes of a layer to `sink`, checked against its digest and size. On an error, part may be written.
    ///
    /// # Errors
    /// What the registry refuses, that it does not answer, other bytes than promised, or too many.
    pub async fn layer(&self, layer: &Descriptor, sink: &mut (impl Write + Send)) -> Result<(), Error> {
        let answer = self.ask(Method::GET, &format!("blobs/{}", layer.digest), None).await?;
        let url = display_url(&answer.url);
        let malformed = |why: String| Error::Malformed { url: url.clone(), why };
        if layer.size > self.limits.layer {
            return Err(malformed(format!("the layer has more than {} bytes", self.limits.layer)));
        }
        let (mut body, mut hash) = (Body::new(answer.response, layer.size), sha2::Sha256::new());
        let mut length = 0;
        while let Some(piece) = body.chunk().await? {
            length += piece.len() as u64;
            hash.update(&piece);
            sink.write_all(&piece)?;
        }
        if length != layer.size {
            return Err(malformed(format!("the layer has {length} bytes, not {}", layer.size)));
        }
        check_digest(&layer.digest, &format!("sha256:{}", hex(&hash.finalize())), &url)
    }

    /// Resolves what is wanted of the repository to a digest.
    ///
    /// # Errors
    /// As [`Registry::digest`]; a malformed digest.
    pub async fn resolve(&self, reference: &Reference) -> Result<String, Error> {
        match reference {
            Reference::Tag(tag) => self.digest(tag).await,
            Reference::Digest(digest) => {
                let well_formed = digest
                    .strip_prefix("sha256:")
                    .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
                if well_formed {
                    return Ok(digest.clone());
                }
                Err(Error::Malformed {
                    url: self.repository.to_string(),
                    why: format!("the digest '{digest}' is not sha256 with 64 hexadecimal digits"),
                })
            }
        }
    }

    /// Sends a request, logging in when the registry asks for it.
    async fn ask(&self, method: Method, path: &str, accept: Option<&str>) -> Result<Answer, Error> {
        let answer = self.send(&method, path, accept).await?;
        if answer.response.status() != StatusCode::UNAUTHORIZED {
            return checked(&method, answer).await;
        }
        let challenge = answer
            .response
            .headers()
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|header| Challenge::parse(header.to_str().ok()?))
            .next();
        let Some(authorization) = self.log_in(challenge).await? else {
            return checked(&method, answer).await;
        };
        self.state().authorization = Some(authorization);
        let answer = self.send(&method, path, accept).await?;
        checked(&method, answer).await
    }

    async fn send(&self, method: &Method, path: &str, accept: Option<&str>) -> Result<Answer, Error> {
        let State { scheme, authorization } = self.state().clone();
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept.and_then(|accept| HeaderValue::from_str(accept).ok()) {
            headers.insert(ACCEPT, accept);
        }
        if let Some(scheme) = scheme {
            return self.follow(method, self.url(scheme, path)?, headers, authorization).await;
        }
        let secure =
            self.follow(method, self.url("https", path)?, headers.clone(), authorization.clone()).await;
        let plain = self.transport == Transport::Plain || self.repository.is_local();
        let answer = match secure {
            Err(Error::Net(net::Error::Request { .. })) if plain => {
                let answer = self.follow(method, self.url("http", path)?, headers, authorization).await;
                // Neither: the first error tells more, unless nobody listens at all.
                if answer.is_ok() {
                    self.state().scheme = Some("http");
                }
                return answer;
            }
            answer => answer?,
        };
        self.state().scheme = Some("https");
        Ok(answer)
    }

    fn url(&self, scheme: &str, path: &str) -> Result<Url, Error> {
        let text = format!("{scheme}://{}/v2/{}/{path}", self.repository.host(), self.repository.name());
        Url::parse(&text)
            .map_err(|error| Error::Malformed { url: self.repository.to_string(), why: error.to_string() })
    }

    /// Sends a request and follows redirects; credentials do not go to other hosts.
    async fn follow(
        &self,
        method: &Method,
        url: Url,
        headers: HeaderMap,
        authorization: Option<HeaderValue>,
    ) -> Result<Answer, Error> {
        let origin = url.origin();
        let mut next = url;
        for _ in 0..=REDIRECTS {
            let mut request = self.client.request(method.clone(), next.clone()).headers(headers.clone());
            if let Some(authorization) = authorization.clone().filter(|_| next.origin() == origin) {
                request = request.header(AUTHORIZATION, authorization);
            }
            let sent = tokio::time::timeout(self.limits.answer, request.send()).await;
            let response = match sent {
                Ok(sent) => sent.map_err(|error| net::Error::request(method.as_str(), &next, error))?,
                Err(_) => {
                    let why = "the registry does not answer in time".to_owned();
                    return Err(Error::Malformed { url: display_url(&next), why });
                }
            };
            let target = response.headers().get(LOCATION).filter(|_| response.status().is_redirection());
            let Some(target) = target.and_then(|target| next.join(target.to_str().ok()?).ok()) else {
                return Ok(Answer { response, url: next });
            };
            // What was asked for over TLS does not come without.
            if !matches!(target.scheme(), "https") && next.scheme() == "https" {
                let why = "the registry redirects to an address without TLS".to_owned();
                return Err(Error::Malformed { url: display_url(&next), why });
            }
            next = target;
        }
        Err(Error::Malformed { url: display_url(&next), why: format!("stopped after {REDIRECTS} redirects") })
    }

    /// What to send with further requests; `None` when there is nothing that would help.
    async fn log_in(&self, challenge: Option<Challenge>) -> Result<Option<HeaderValue>, Error> {
        let (realm, service, scope) = match (challenge, &self.login) {
            (None, _) | (Some(Challenge::Basic), None) => return Ok(None),
            (Some(Challenge::Basic), Some(Login::Password { username, password })) => {
                return Ok(basic(username, password));
            }
            (Some(_), Some(Login::Bearer(token))) => return Ok(HttpAuth::Bearer(token.clone()).header()),
            (Some(Challenge::Basic), Some(Login::Identity(_))) => return Ok(None),
            (Some(Challenge::Bearer { realm, service, scope }), _) => (realm, service, scope),
        };
        let malformed = |why: String| Error::Malformed { url: self.repository.to_string(), why };
        let mut url = Url::parse(&realm)
            .map_err(|error| malformed(format!("the address for tokens is malformed: {error}")))?;
        let secure = self.state().scheme != Some("http");
        if !matches!(url.scheme(), "https") && secure {
            return Err(malformed("the address for tokens is one without TLS".to_owned()));
        }
        let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", self.repository.name()));
        let service = service.unwrap_or_default();
        let request = match &self.login {
            Some(Login::Identity(token)) => {
                let form = url::form_urlencoded::Serializer::new(String::new())
                    .extend_pairs([
                        ("grant_type", "refresh_token"),
                        ("service", &service),
                        ("scope", &scope),
                        ("refresh_token", &token.expose_text()),
                        ("client_id", "flux"),
                    ])
                    .finish();
                self.client
                    .post(url.clone())
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(form)
            }
            login => {
                url.query_pairs_mut().append_pair("scope", &scope).append_pair("service", &service);
                let request = self.client.get(url.clone());
                match login {
                    Some(Login::Password { username, password }) => match basic(username, password) {
                        Some(header) => request.header(AUTHORIZATION, header),
                        None => request,
                    },
                    _ => request,
                }
            }
        };
        let method = if matches!(self.login, Some(Login::Identity(_))) { Method::POST } else { Method::GET };
        let sent = request.timeout(self.limits.answer).send().await;
        let response = sent.map_err(|error| net::Error::request(method.as_str(), &url, error))?;
        let answer = checked(&method, Answer { response, url: url.clone() }).await?;
        #[derive(Deserialize)]
        struct Token {
            #[serde(default)]
            token: String,
            #[serde(default)]
            access_token: String,
        }
        let bytes = Body::new(answer.response, LONGEST_TOKEN).bytes().await?;
        let token: Token = serde_json::from_slice(&bytes).map_err(|_| Error::Malformed {
            url: display_url(&url),
            why: "the answer is no token".to_owned(),
        })?;
        let token = if token.token.is_empty() { token.access_token } else { token.token };
        if token.is_empty() {
            return Err(Error::Malformed {
                url: display_url(&url),
                why: "the answer has no token".to_owned(),
            });
        }
        Ok(HttpAuth::Bearer(Secret::new(token.into_bytes())).header())
    }

    async fn read(&self, answer: Answer) -> Result<Vec<u8>, Error> {
        let reading = Body::new(answer.response, LONGEST_ANSWER).bytes();
        match tokio::time::timeout(self.limits.answer, reading).await {
            Ok(bytes) => Ok(bytes?.to_vec()),
            Err(_) => {
                let why = "the registry does not answer in time".to_owned();
                Err(Error::Malformed { url: display_url(&answer.url), why })
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn basic(username: &str, password: &Secret) -> Option<HeaderValue> {
    HttpAuth::Basic { username: username.to_owned(), password: password.clone() }.header()
}

/// An answer with success, or what the registry says instead.
async fn checked(method: &Method, answer: Answer) -> Result<Answer, Error> {
    let status = answer.response.status();
    if status.is_success() {
        return Ok(answer);
    }
    let (method, url) = (method.to_string(), display_url(&answer.url));
    let body = Body::new(answer.response, 64 << 10).bytes().await.unwrap_or_default();
    let why = complaint(&body).unwrap_or_else(|| format!("unexpected status code {status}"));
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return Err(Error::Unauthorized { method, url, why });
    }
    Err(Error::Refused { method, url, status, why })
}

/// The errors that registries put into the body.
fn complaint(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        errors: Vec<One>,
    }
    #[derive(Deserialize)]
    struct One {
        code: String,
        #[serde(default)]
        message: String,
    }
    let body: Body = serde_json::from_slice(body).ok()?;
    let texts: Vec<String> =
        body.errors.iter().take(5).map(|one| format!("{}: {}", one.code, one.message)).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

/// Where the rest of a list is: a path in the repository. Lists do not lead elsewhere.
fn next_page(headers: &HeaderMap, url: &Url, repository: &Repository) -> Option<String> {
    let link = headers.get(LINK)?.to_str().ok()?;
    let (target, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    if !rest.replace(['"', ' '], "").contains("rel=next") {
        return None;
    }
    let next = url.join(target).ok().filter(|next| next != url)?;
    let path = next.path().strip_prefix(&format!("/v2/{}/", repository.name()))?;
    Some(format!("{path}?{}", next.query().unwrap_or_default()))
}

fn check_digest(wanted: &str, found: &str, url: &str) -> Result<(), Error> {
    if wanted.eq_ignore_ascii_case(found) {
        return Ok(());
    }
    Err(Error::Malformed { url: url.to_owned(), why: format!("the digest is {found}, not {wanted}") })
}

fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&sha2::Sha256::digest(bytes)))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_go_on_in_their_repository() {
        let repository = Repository::parse("r.io/a/b").unwrap();
        let url = Url::parse("https://r.io/v2/a/b/tags/list?n=2").unwrap();
        let next = |link: &str| {
            let headers = HeaderMap::from_iter([(LINK, HeaderValue::from_str(link).unwrap())]);
            next_page(&headers, &url, &repository)
        };
        let second = Some("tags/list?last=x&n=2".to_owned());
        assert_eq!(next("</v2/a/b/tags/list?last=x&n=2>; rel=\"next\""), second);
        assert_eq!(next("<https://r.io/v2/a/b/tags/list?last=x&n=2>; rel=next"), second);
        assert_eq!(next("</v2/other/tags/list?last=x>; rel=\"next\""), None);
        assert_eq!(next("</v2/a/b/tags/list?n=2>; rel=\"next\""), None);
        assert_eq!(next("</v2/a/b/tags/list?last=x>; rel=\"prev\""), None);
    }

    #[test]
    fn registries_say_why() {
        let body =
            br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"x"}}]}"#;
        assert_eq!(complaint(body).as_deref(), Some("MANIFEST_UNKNOWN: manifest unknown"));
        assert_eq!(complaint(b"<html>"), None);
        assert_eq!(complaint(br#"{"errors":[]}"#), None);
    }
}

//! The smart HTTP transport: one GET for the advertisement, one POST for each command.

use net::auth::HttpAuth;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use url::Url;

use crate::packet::{PacketReader, Source};
use crate::{Auth, Error, Remote};

/// Redirects followed for one request.
const REDIRECTS: usize = 10;
const GIT_PROTOCOL: HeaderName = HeaderName::from_static("git-protocol");
const ADVERTISEMENT_TYPE: &str = "application/x-git-upload-pack-advertisement";
const RESULT_TYPE: &str = "application/x-git-upload-pack-result";
const REQUEST_TYPE: &str = "application/x-git-upload-pack-request";

/// A remote reached over HTTP. The connection itself belongs to the client's pool.
pub(crate) struct HttpRemote {
    client: reqwest::Client,
    /// The URL of the repository, without credentials, after redirects.
    base: Url,
    /// Where credentials may be sent.
    origin: url::Origin,
    authorization: Option<HeaderValue>,
}

impl HttpRemote {
    pub(crate) fn new(remote: &Remote, clients: &net::Clients) -> Result<Self, Error> {
        let Auth::Http(auth) = &remote.auth else {
            return Err(Error::Url {
                url: remote.display_url(),
                reason: "SSH credentials do not fit".to_owned(),
            });
        };
        let client = clients.get(&net::Settings {
            tls: remote.tls.clone(),
            proxy: remote.proxy.clone(),
            ..Default::default()
        });
        let client = client.map_err(|error| match error {
            // What Flux's client says when it can use none of the CAs given to it.
            net::Error::CaCertificate => Error::Tls(
                "x509: certificate signed by unknown authority: 'ca.crt' of the Secret holds no usable certificate"
                    .to_owned(),
            ),
            error => Error::Http(error),
        })?;
        let mut base = remote.url.clone();
        // Both fail only for URLs that cannot carry credentials.
        let _ = base.set_username("");
        let _ = base.set_password(None);
        base.set_fragment(None);
        let trimmed = base.path().trim_end_matches('/').to_owned();
        base.set_path(&trimmed);
        let authorization = match auth {
            HttpAuth::None => None,
            auth => auth.header(),
        };
        Ok(Self { client, origin: base.origin(), base, authorization })
    }

    /// Goes to where an earlier advertisement was redirected.
    pub(crate) fn at(mut self, base: Url) -> Self {
        self.base = base;
        self
    }

    /// The URL of the repository after redirects.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    fn headers(&self, url: &Url, accept: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers.insert(GIT_PROTOCOL, HeaderValue::from_static("version=2"));
        // Credentials go to the server they were given for, and to no other that it redirects to.
        if let Some(value) = self.authorization.as_ref().filter(|_| url.origin() == self.origin) {
            headers.insert(AUTHORIZATION, value.clone());
        }
        headers
    }

    fn endpoint(&self, tail: &str) -> Url {
        let mut url = self.base.clone();
        let path = format!("{}/{tail}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    /// Asks for the advertisement, and keeps where it was found.
    pub(crate) async fn advertisement(&mut self) -> Result<PacketReader, Error> {
        let mut url = self.endpoint("info/refs");
        url.query_pairs_mut().append_pair("service", "git-upload-pack");
        for _ in 0..=REDIRECTS {
            let request = self.client.get(url.clone()).headers(self.headers(&url, "*/*"));
            let response = request.send().await.map_err(|error| net::Error::request("GET", &url, error))?;
            if response.status().is_redirection() {
                url = redirected(&url, &response)?;
                continue;
            }
            let response = self.checked(response, ADVERTISEMENT_TYPE)?;
            let mut base = url.clone();
            let path = base.path().strip_suffix("/info/refs").map(str::to_owned).ok_or_else(|| {
                Error::protocol(format!(
                    "redirected to '{}', which is no git repository",
                    net::display_url(&url)
                ))
            })?;
            base.set_path(&path);
            base.set_query(self.base.query());
            self.base = base;
            return Ok(PacketReader::new(Source::Http(Box::new(response))));
        }
        Err(Error::protocol("too many redirects"))
    }

    /// Sends a command.
    pub(crate) async fn request(&self, body: Vec<u8>) -> Result<PacketReader, Error> {
        let url = self.endpoint("git-upload-pack");
        let mut headers = self.headers(&url, RESULT_TYPE);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(REQUEST_TYPE));
        let sent = self.client.post(url.clone()).headers(headers).body(body).send().await;
        let response = sent.map_err(|error| net::Error::request("POST", &url, error))?;
        let response = self.checked(response, RESULT_TYPE)?;
        Ok(PacketReader::new(Source::Http(Box::new(response))))
    }

    fn checked(&self, response: reqwest::Response, content_type: &str) -> Result<reqwest::Response, Error> {
        match response.status() {
            http::StatusCode::OK => {}
            http::StatusCode::UNAUTHORIZED => {
                return Err(Error::AuthenticationRequired { given: self.authorization.is_some() });
            }
            http::StatusCode::FORBIDDEN => return Err(Error::AuthorizationFailed),
            http::StatusCode::NOT_FOUND | http::StatusCode::GONE => return Err(Error::RepositoryNotFound),
            status => {
                return Err(Error::Status {
                    status: status.to_string(),
                    url: net::display_url(response.url()),
                });
            }
        }
        let found =
            response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let found = found.split(';').next().unwrap_or_default().trim();
        if found != content_type {
            return Err(Error::protocol(format!(
                "{} answers with content type '{found}' where a git server answers with '{content_type}'",
                net::display_url(response.url())
            )));
        }
        Ok(response)
    }
}

/// Where `response` redirects to.
fn redirected(url: &Url, response: &reqwest::Response) -> Result<Url, Error> {
    let target = response
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|location| url.join(location).ok())
        .ok_or_else(|| Error::protocol("a redirect without a usable location"))?;
    let downgrade = url.scheme() == "https" && target.scheme() == "http";
    if downgrade || !matches!(target.scheme(), "http" | "https") {
        return Err(Error::protocol(format!(
            "refused to follow a redirect to '{}'",
            net::display_url(&target)
        )));
    }
    Ok(target)
}

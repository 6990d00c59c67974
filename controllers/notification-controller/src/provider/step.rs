//! What a provider does with an event, as values: requests, and what follows from their replies. Nothing here does IO.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use net::Secret;
use serde_json::Value;
use url::Url;

use crate::event::encode;

/// Why an event is not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The Provider cannot work: found before anything is sent.
    #[error("{0}")]
    Setup(String),
    /// This delivery failed.
    #[error("{0}")]
    Delivery(String),
}

/// A Provider that cannot work.
pub fn setup<T>(problem: impl Into<String>) -> Result<T, Error> {
    Err(Error::Setup(problem.into()))
}

/// A delivery that failed.
pub fn failed<T>(problem: impl Into<String>) -> Result<T, Error> {
    Err(Error::Delivery(problem.into()))
}

/// What comes next.
pub enum Step {
    /// Nothing: the event is delivered, or this provider has nothing to say about it.
    Done,
    /// A request, and what its reply means.
    Send(Box<Call>, Then),
    /// A token of short life, from the cache or by these steps.
    Token(Box<TokenCall>),
    /// The token that the steps of [`Step::Token`] were for, and how long it lives.
    Obtained(Secret, Duration),
    /// The annotations of a ServiceAccount beside the Provider, which say who it is in a cloud.
    Account(String, WithAccount),
    /// A token of that ServiceAccount, for an audience that trusts the cluster.
    AccountToken(String, String, Use),
    /// A message to NATS.
    Nats(Box<super::nats::Publish>),
}

/// What a reply means.
pub type Then = Box<dyn FnOnce(Reply) -> Result<Step, Error> + Send>;
/// What a token is used for.
pub type Use = Box<dyn FnOnce(&Secret) -> Result<Step, Error> + Send>;

/// What the annotations of a ServiceAccount are used for.
pub type WithAccount = Box<dyn FnOnce(&BTreeMap<String, String>) -> Result<Step, Error> + Send>;

/// How a token of short life is come by.
pub struct TokenCall {
    /// Tells one token from another. Secrets go in as digests.
    pub key: String,
    /// The first step to a token that is not cached.
    pub first: Box<dyn FnOnce() -> Result<Step, Error> + Send>,
    /// What it is used for.
    pub then: Use,
}

/// When a request is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// After 2, 4, 8 and 16 s, when the server is not there, is overloaded or fails.
    Usual,
    /// Up to five times at short intervals.
    Quick,
    /// Never.
    Never,
}

/// A request.
pub struct Call {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: Url,
    /// The headers. Those with secrets are marked sensitive.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// When it is sent again.
    pub again: Again,
    /// What stands before an error.
    pub context: &'static str,
    /// Whether the address is ours and not the user's: the metadata service of a cloud, say. Certificates of the Provider
    /// are not for it, and no address is refused.
    pub own: bool,
}

impl Call {
    /// A request without a body.
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            again: Again::Usual,
            context: "postMessage failed: ",
            own: false,
        }
    }

    /// To an address of ours.
    pub fn own(mut self) -> Self {
        self.own = true;
        self
    }

    /// With the fields of a form as body.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.bytes(form.into_bytes()).header("content-type", "application/x-www-form-urlencoded")
    }

    /// A POST of a JSON document.
    pub fn post(url: Url, document: &Value) -> Self {
        Self::new(Method::POST, url).json(document)
    }

    /// With a JSON document as body.
    pub fn json(self, document: &Value) -> Self {
        self.bytes(encode(document))
    }

    /// With a body that is JSON already.
    pub fn bytes(mut self, body: Vec<u8>) -> Self {
        self.body = body.into();
        self.headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self
    }

    /// With a header that everybody may see.
    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    /// With a header, possibly secret.
    pub fn value(mut self, name: &str, value: &[u8]) -> Result<Self, Error> {
        let bad = |_| Error::Setup(format!("header '{name}' has a name or value that HTTP does not allow"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad(()))?;
        let mut value = HeaderValue::from_bytes(value).map_err(|_| bad(()))?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }

    /// With a credential in `Authorization`.
    pub fn authorized(self, scheme: &str, credential: &Secret) -> Result<Self, Error> {
        let value = zeroize(format!("{scheme} {}", credential.expose_text()));
        self.value("authorization", &value)
    }

    /// With a bearer token.
    pub fn bearer(self, token: &Secret) -> Result<Self, Error> {
        self.authorized("Bearer", token)
    }

    /// With user name and password.
    pub fn basic(self, username: &str, password: &[u8]) -> Result<Self, Error> {
        use base64::Engine as _;
        let pair = [username.as_bytes(), b":", password].concat();
        let text = base64::engine::general_purpose::STANDARD.encode(pair);
        self.value("authorization", format!("Basic {text}").as_bytes())
    }

    /// With words before its errors.
    pub fn context(mut self, context: &'static str) -> Self {
        self.context = context;
        self
    }

    /// With other rules for sending it again.
    pub fn again(mut self, again: Again) -> Self {
        self.again = again;
        self
    }

    /// This request, after which all is done if it succeeds.
    pub fn last(self) -> Step {
        self.then(|reply| reply.success().map(|_| Step::Done))
    }

    /// This request, and what follows from its reply.
    pub fn then(self, then: impl FnOnce(Reply) -> Result<Step, Error> + Send + 'static) -> Step {
        Step::Send(Box::new(self), Box::new(then))
    }
}

fn zeroize(text: String) -> Vec<u8> {
    text.into_bytes()
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The body, cut at a limit.
    pub body: Bytes,
    /// What stands before an error.
    pub context: &'static str,
}

impl Reply {
    /// The reply, if its status is one of success.
    pub fn success(self) -> Result<Self, Error> {
        if self.status.is_success() {
            return Ok(self);
        }
        let body = String::from_utf8_lossy(&self.body);
        failed(format!(
            "{}request failed: request failed with status code {}: {}",
            self.context,
            self.status.as_u16(),
            body.trim_end()
        ))
    }

    /// The body of a success, as text.
    pub fn text(self) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(&self.success()?.body).trim().to_owned())
    }

    /// The body of a success, as JSON.
    pub fn document(self) -> Result<Value, Error> {
        let reply = self.success()?;
        serde_json::from_slice(&reply.body)
            .map_err(|_| Error::Delivery(format!("{}the reply is not JSON", reply.context)))
    }
}

/// The address of a provider.
pub fn address(text: &str) -> Result<Url, Error> {
    match Url::parse(text) {
        Ok(url) if url.has_host() => Ok(url),
        Ok(_) => setup("the address has no host; set spec.address or the key 'address' of the Secret"),
        Err(error) => setup(format!("invalid address: {error}; it has to be an absolute URL")),
    }
}

/// The address with another path. `path` begins with a slash and is encoded already.
pub fn with_path(url: &Url, path: &str) -> Url {
    let mut url = url.clone();
    url.set_path(path);
    url.set_query(None);
    url.set_fragment(None);
    url
}

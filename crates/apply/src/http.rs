use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use tokio::time::{sleep, timeout};

use crate::failure::Failure;

/// No single request may take longer; admission webhooks are given up to 30 s by the API server.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);
/// Tries of a request that the server is too busy to serve, or that met a broken connection.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What the body of a request is.
#[derive(Debug, Clone, Copy)]
pub enum Content {
    /// There is none.
    None,
    /// A server-side apply. JSON is YAML: the bytes are sent as they are.
    Apply,
    /// A JSON patch (RFC 6902).
    JsonPatch,
    /// A JSON merge patch (RFC 7386).
    MergePatch,
    /// An object, or options.
    Json,
}

/// In which form the answer is wanted.
#[derive(Debug, Clone, Copy)]
pub enum Accept {
    /// Whole objects.
    Object,
    /// Metadata of one object, or of the objects of a watch.
    Metadata,
    /// Metadata of the objects of a list.
    MetadataList,
    /// All kinds of the server at once.
    Discovery,
}

impl Accept {
    fn header(self) -> &'static str {
        match self {
            Self::Object => "application/json",
            Self::Metadata => "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
            Self::MetadataList => "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            Self::Discovery => {
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
            }
        }
    }
}

/// A successful answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its whole body.
    pub body: Bytes,
}

/// Raw requests to one API server under one identity. Cheap to clone.
#[derive(Clone)]
pub struct Http {
    client: kube::Client,
}

impl Http {
    /// Requests through a client.
    pub fn new(client: kube::Client) -> Self {
        Self { client }
    }

    /// Reads a path (with its query).
    ///
    /// # Errors
    /// As [`Http::send`].
    pub async fn get(&self, path: &str, accept: Accept) -> Result<Answer, Failure> {
        self.send(Method::GET, path, accept, Content::None, Bytes::new()).await
    }

    /// Reads a path unless its content is still that of the entity tag. Gives the content and its tag; `None` when nothing
    /// changed.
    ///
    /// # Errors
    /// The API server's refusal, or that there was no answer.
    pub(crate) async fn get_changed(
        &self,
        path: &str,
        accept: Accept,
        tag: &str,
    ) -> Result<Option<(Bytes, String)>, Failure> {
        let mut request = build(&Method::GET, path, accept, Content::None, Bytes::new())?;
        if !tag.is_empty()
            && let Ok(tag) = tag.parse()
        {
            request.headers_mut().insert(IF_NONE_MATCH, tag);
        }
        let response = match timeout(REQUEST_LIMIT, self.client.send(request)).await {
            Ok(sent) => sent.map_err(|e| Failure::transport(chain(&e)))?,
            Err(_) => return Err(Failure::transport(format!("GET {path}: no answer from the API server"))),
        };
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let tag = response.headers().get(ETAG).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let body =
            response.into_body().collect().await.map_err(|e| Failure::transport(chain(&e)))?.to_bytes();
        if status.is_success() {
            Ok(Some((body, tag)))
        } else {
            Err(Failure::from_answer(status.as_u16(), &body))
        }
    }

    /// Sends a request and reads the whole answer. A server that is too busy or a connection that breaks leads to a few
    /// more tries, so a request may arrive twice.
    ///
    /// # Errors
    /// The API server's refusal, or that there was no answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        accept: Accept,
        content: Content,
        body: Bytes,
    ) -> Result<Answer, Failure> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let request = build(&method, path, accept, content, body.clone())?;
            let (failure, wait) = match timeout(REQUEST_LIMIT, self.once(request)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err((failure, wait))) => (failure, wait),
                Err(_) => {
                    return Err(Failure::transport(format!(
                        "{method} {path}: no answer from the API server"
                    )));
                }
            };
            let again = matches!(failure.code, 0 | 429 | 503) && attempt < TRIES;
            if !again {
                return Err(failure);
            }
            sleep(wait.unwrap_or(pause).min(LONGEST_PAUSE)).await;
            pause *= 2;
        }
        Err(Failure::transport(format!("{method} {path}: gave up")))
    }

    async fn once(&self, request: Request<Body>) -> Result<Answer, (Failure, Option<Duration>)> {
        let lost = |error: &dyn std::error::Error| (Failure::transport(chain(error)), None);
        let response = self.client.send(request).await.map_err(|e| lost(&e))?;
        let status = response.status();
        let wait = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.parse().ok())
            .map(Duration::from_secs);
        let body = response.into_body().collect().await.map_err(|e| lost(&e))?.to_bytes();
        if status.is_success() {
            Ok(Answer { status, body })
        } else {
            Err((Failure::from_answer(status.as_u16(), &body), wait))
        }
    }

    /// Opens a stream whose body is read as it comes. Not repeated here: a watch has its own way of coming back.
    pub(crate) async fn stream(&self, path: &str, accept: Accept) -> Result<Body, Failure> {
        let request = build(&Method::GET, path, accept, Content::None, Bytes::new())?;
        let response: Response<Body> = match timeout(REQUEST_LIMIT, self.client.send(request)).await {
            Ok(sent) => sent.map_err(|e| Failure::transport(chain(&e)))?,
            Err(_) => return Err(Failure::transport(format!("GET {path}: no answer from the API server"))),
        };
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let body =
            response.into_body().collect().await.map_err(|e| Failure::transport(chain(&e)))?.to_bytes();
        Err(Failure::from_answer(status.as_u16(), &body))
    }
}

fn build(
    method: &Method,
    path: &str,
    accept: Accept,
    content: Content,
    body: Bytes,
) -> Result<Request<Body>, Failure> {
    let request = Request::builder().method(method.clone()).uri(path).header(ACCEPT, accept.header());
    let request = match content {
        Content::None => request,
        Content::Apply => request.header(CONTENT_TYPE, "application/apply-patch+yaml"),
        Content::JsonPatch => request.header(CONTENT_TYPE, "application/json-patch+json"),
        Content::MergePatch => request.header(CONTENT_TYPE, "application/merge-patch+json"),
        Content::Json => request.header(CONTENT_TYPE, "application/json"),
    };
    request.body(Body::from(body)).map_err(|e| Failure::transport(format!("{method} {path}: {e}")))
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

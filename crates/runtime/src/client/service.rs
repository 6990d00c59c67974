//! The layer around the HTTP client: throttle, deadline, metrics.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use kube::client::Body;
use tower::{BoxError, Layer, Service};

use super::throttle::Throttle;
use crate::metrics::Family;

/// Adds throttle, deadline and metrics to a service.
#[derive(Clone)]
pub(super) struct MeasuredLayer {
    requests: Family,
    throttle: Throttle,
    host: Arc<str>,
}

impl MeasuredLayer {
    pub(super) fn new(requests: Family, throttle: Throttle, host: String) -> Self {
        Self { requests, throttle, host: host.into() }
    }
}

impl<S> Layer<S> for MeasuredLayer {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Measured<S> {
        Measured { inner, layer: self.clone() }
    }
}

/// A service with throttle, deadline and metrics.
#[derive(Clone)]
pub(super) struct Measured<S> {
    inner: S,
    layer: MeasuredLayer,
}

/// Whether a request opens a stream that has no end of its own.
#[must_use]
pub fn is_watch(uri: &http::Uri) -> bool {
    uri.query().is_some_and(|query| {
        query.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1" | "follow=true"))
    })
}

impl<S, B> Service<Request<Body>> for Measured<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let layer = self.layer.clone();
        let method = request.method().clone();
        let watch = is_watch(request.uri());
        // Nothing is sent before the future is first polled.
        let answer = self.inner.call(request);
        Box::pin(async move {
            layer.throttle.wait().await;
            let answer = async { answer.await.map_err(Into::into) };
            let answer = if watch {
                answer.await
            } else {
                tokio::time::timeout(super::ANSWER_TIMEOUT, answer)
                    .await
                    .unwrap_or_else(|_| Err("the API server did not answer in time".into()))
            };
            match &answer {
                Ok(response) => {
                    layer.requests.inc(&[response.status().as_str(), method.as_str(), &layer.host])
                }
                Err(_) => layer.requests.inc(&["<error>", method.as_str(), &layer.host]),
            }
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::is_watch;

    #[test]
    fn watches_are_told_apart() {
        assert!(is_watch(&"/api/v1/pods?watch=true&x=y".parse().unwrap()));
        assert!(!is_watch(&"/api/v1/watch=true".parse().unwrap()));
        assert!(!is_watch(&"/api/v1/pods?limit=1".parse().unwrap()));
    }
}

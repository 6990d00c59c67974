//! The event endpoint: body, event, duplicate or not, Alerts.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, header};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::{Request, Response, StatusCode};
use jiff::Timestamp;

use super::http::{BodyReader, empty};
use super::limiter::{Decision, Limiter};
use super::metrics::HttpMetrics;
use crate::alert::{Dispatcher, metadata};
use crate::event::Event;

/// What the endpoint works with.
pub struct EventServer {
    limiter: Limiter,
    epoch: (Instant, SystemTime),
    dispatcher: Arc<Dispatcher>,
    metrics: HttpMetrics,
    bodies: BodyReader,
}

impl EventServer {
    /// Without memory of events.
    pub fn new(interval: Duration, dispatcher: Arc<Dispatcher>, metrics: HttpMetrics) -> Self {
        Self {
            limiter: Limiter::new(interval),
            epoch: (Instant::now(), SystemTime::now()),
            dispatcher,
            metrics,
            bodies: BodyReader::default(),
        }
    }

    /// Answers a request: any path, any method.
    pub fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send + use<> {
        let this = Arc::clone(self);
        async move {
            let handler = this.metrics.handler(request.uri().path());
            let (begun, method) = (Instant::now(), request.method().clone());
            this.metrics.begin(&handler);
            let response = this.take(request.into_body()).await;
            let size =
                response.body().size_hint().exact().and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
            this.metrics.end(&handler, &method, response.status().as_u16(), begun.elapsed(), size);
            response
        }
    }

    async fn take(&self, body: Incoming) -> Response<Full<Bytes>> {
        let (body, _room) = match self.bodies.read(body).await {
            Ok(body) => body,
            Err(status) => return empty(status),
        };
        let mut event = match Event::parse(&body) {
            Ok(event) => event,
            Err(error) => {
                tracing::error!(error = %error, "unable to decode the event");
                return empty(StatusCode::BAD_REQUEST);
            }
        };
        drop(body);
        metadata::clean(&mut event);
        let decision = self.limiter.take(&event, self.epoch.0.elapsed());
        if !decision.passes {
            tracing::debug!(
                eventInvolvedObject = event.involved.logged().as_slice(),
                "Discarding event, rate limiting duplicate events"
            );
            return self.limited(decision, StatusCode::TOO_MANY_REQUESTS);
        }
        event.metadata.remove(&format!("{}token", metadata::prefix(&event)));
        self.dispatcher.dispatch(&event).await;
        self.limited(decision, StatusCode::ACCEPTED)
    }

    /// An answer that tells the limits.
    fn limited(&self, decision: Decision, status: StatusCode) -> Response<Full<Bytes>> {
        let mut response = empty(status);
        let reset = rfc1123(self.epoch.1 + decision.reset);
        let headers = response.headers_mut();
        headers.insert("x-ratelimit-limit", HeaderValue::from_static("1"));
        headers.insert("x-ratelimit-remaining", HeaderValue::from_static("0"));
        if let Ok(reset) = HeaderValue::from_str(&reset) {
            if status == StatusCode::TOO_MANY_REQUESTS {
                headers.insert(header::RETRY_AFTER, reset.clone());
            }
            headers.insert("x-ratelimit-reset", reset);
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            *response.body_mut() = Full::from("Too Many Requests\n");
        }
        response
    }
}

/// A date as Go writes it in headers of its own: the zone is `UTC`.
fn rfc1123(time: SystemTime) -> String {
    Timestamp::try_from(time)
        .map(|time| time.strftime("%a, %d %b %Y %H:%M:%S UTC").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_name_the_zone_utc() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_255_200);
        assert_eq!(rfc1123(time), "Sat, 21 Nov 2026 10:00:00 UTC");
    }
}

//! What the HTTP servers count.

use std::time::Duration;

use http::Method;
use runtime::metrics::{Family, Histogram, Registry};

/// The families of one server.
#[derive(Clone)]
pub struct HttpMetrics {
    seconds: Histogram,
    bytes: Histogram,
    running: Family,
    handler: &'static str,
    whole_paths: bool,
}

const LABELS: &[&str] = &["service", "handler", "method", "code"];

impl HttpMetrics {
    /// Those of the event server.
    pub fn events(registry: &Registry, whole_paths: bool) -> Self {
        Self {
            seconds: registry.histogram(
                "gotk_event_http_request_duration_seconds",
                "The latency of the HTTP requests.",
                LABELS,
                seconds(),
            ),
            bytes: registry.histogram(
                "gotk_event_http_response_size_bytes",
                "The size of the HTTP responses.",
                LABELS,
                bytes(),
            ),
            running: registry.gauge(
                "gotk_event_http_requests_inflight",
                "The number of inflight requests being handled at the same time.",
                &["service", "handler"],
            ),
            handler: "/",
            whole_paths,
        }
    }

    /// Those of the webhook server.
    pub fn receivers(registry: &Registry, whole_paths: bool) -> Self {
        Self {
            seconds: registry.histogram(
                "gotk_receiver_http_request_duration_seconds",
                "The latency of the HTTP requests.",
                LABELS,
                seconds(),
            ),
            bytes: registry.histogram(
                "gotk_receiver_http_response_size_bytes",
                "The size of the HTTP responses.",
                LABELS,
                bytes(),
            ),
            running: registry.gauge(
                "gotk_receiver_http_requests_inflight",
                "The number of inflight requests being handled at the same time.",
                &["service", "handler"],
            ),
            handler: "/hook/",
            whole_paths,
        }
    }

    /// The label of a path.
    pub fn handler(&self, path: &str) -> String {
        if self.whole_paths { path.to_owned() } else { self.handler.to_owned() }
    }

    /// A request began.
    pub fn begin(&self, handler: &str) {
        self.running.add(&["", handler], 1.0);
    }

    /// A request ended.
    pub fn end(&self, handler: &str, method: &Method, code: u16, took: Duration, size: usize) {
        self.running.add(&["", handler], -1.0);
        let method = match *method {
            Method::GET
            | Method::HEAD
            | Method::POST
            | Method::PUT
            | Method::PATCH
            | Method::DELETE
            | Method::CONNECT
            | Method::OPTIONS
            | Method::TRACE => method.as_str(),
            // Anybody may invent methods; not every one is a series.
            _ => "other",
        };
        let code = code.to_string();
        let labels = ["", handler, method, &code];
        self.seconds.observe(&labels, took.as_secs_f64());
        self.bytes.observe(&labels, f64::from(u32::try_from(size).unwrap_or(u32::MAX)));
    }
}

fn seconds() -> Vec<f64> {
    vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]
}

fn bytes() -> Vec<f64> {
    (2..=9).map(|power| 10_f64.powi(power)).collect()
}

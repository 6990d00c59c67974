//! The two HTTP servers: events in, webhooks in.

mod events;
mod http;
mod limiter;
mod metrics;
mod webhooks;

pub use events::EventServer;
pub use http::{BodyReader, serve};
pub use metrics::HttpMetrics;
pub use webhooks::{Paths, WebhookServer};

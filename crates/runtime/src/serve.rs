//! The process's own HTTP servers: metrics and probes.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::metrics::Registry;

/// Opens a listener on an address in Go's form: the host may be missing, as in `:8080`.
///
/// # Errors
/// When the address is malformed or taken.
pub async fn listen(address: &str) -> Result<TcpListener, Error> {
    let full = match address.strip_prefix(':') {
        // Both families where the system has them.
        Some(port) => format!("[::]:{port}"),
        None => address.to_owned(),
    };
    let error = |source| Error::Listen { address: address.to_owned(), source };
    match TcpListener::bind(&full).await {
        Ok(listener) => Ok(listener),
        Err(_) if address.starts_with(':') => {
            TcpListener::bind(format!("0.0.0.0{address}")).await.map_err(error)
        }
        Err(source) => Err(error(source)),
    }
}

/// Whether a flag switches a server off: empty or `0`, as in controller-runtime.
#[must_use]
pub fn is_off(address: &str) -> bool {
    address.is_empty() || address == "0"
}

/// Serves until `stop`.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let stopped = async move { stop.cancelled().await };
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
        tracing::error!(error = %error, "HTTP server failed");
    }
}

/// `/metrics`.
pub fn metrics(registry: Registry) -> Router {
    Router::new().route(
        "/metrics",
        get(move || {
            let text = registry.print();
            async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text) }
        }),
    )
}

/// `/healthz` and `/readyz`, each with the sub-check `ping`.
pub fn probes() -> Router {
    let ok = || async { (StatusCode::OK, "ok") };
    ["/healthz", "/healthz/", "/healthz/ping", "/readyz", "/readyz/", "/readyz/ping"]
        .into_iter()
        .fold(Router::new(), |router, path| router.route(path, get(ok)))
}

//! Serving HTTP to anybody: every size and every wait has a limit.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Largest body.
pub const LARGEST_BODY: usize = 3 * 1024 * 1024;
/// Largest head of a request.
const LARGEST_HEAD: usize = 256 * 1024;
/// Most headers of a request.
const MOST_HEADERS: usize = 512;
/// Longest time for the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Longest time for a whole request.
const READ_TIME: Duration = Duration::from_secs(30);
/// How long requests in progress may take after the stop.
const GRACE: Duration = Duration::from_secs(5);
/// Connections at once.
const MOST_CONNECTIONS: usize = 4096;
/// Bodies above this size are held in memory only so many at once.
const SMALL_BODY: usize = 64 * 1024;
const MOST_LARGE_BODIES: usize = 32;

/// An answer without a body.
pub fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// Serves until `stop`, and lets the requests in progress finish.
pub async fn serve<H, F>(listener: TcpListener, handler: H, stop: CancellationToken)
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let connections = TaskTracker::new();
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = async {
                // Closed never; a full house waits in the backlog of the system.
                let permit = Arc::clone(&room).acquire_owned().await;
                (listener.accept().await, permit)
            } => accepted,
        };
        let (Ok((stream, _)), Ok(permit)) = accepted else {
            // Out of file descriptors, mostly: others have to go first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (handler, stop) = (handler.clone(), stop.clone());
        connections.spawn(async move {
            let _permit = permit;
            let service = service_fn(move |request| {
                let answer = (!is_head_too_large(&request)).then(|| handler(request));
                async move {
                    Ok::<_, Infallible>(match answer {
                        Some(answer) => answer.await,
                        None => empty(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
                    })
                }
            });
            let mut connection = pin!(
                http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_TIME)
                    .max_buf_size(LARGEST_HEAD)
                    .max_headers(MOST_HEADERS)
                    .serve_connection(TokioIo::new(stream), service)
            );
            tokio::select! {
                _ = connection.as_mut() => {}
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    let _ = tokio::time::timeout(GRACE, connection).await;
                }
            }
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// The buffer's limit is looked at only when it has to grow, so a head of up to twice the size may come through.
fn is_head_too_large<B>(request: &Request<B>) -> bool {
    let headers = request.headers().iter();
    let size: usize = headers.map(|(name, value)| name.as_str().len() + value.len()).sum();
    let uri = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    size + uri > LARGEST_HEAD
}

/// Room for a large body; given back when dropped.
pub type Room = OwnedSemaphorePermit;

/// Reads bodies. Clones share the room for large ones.
#[derive(Clone)]
pub struct BodyReader(Arc<Semaphore>);

impl Default for BodyReader {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_LARGE_BODIES)))
    }
}

impl BodyReader {
    /// The whole body, and the room that it takes, to be kept for as long as it is worked with.
    ///
    /// # Errors
    /// 413 when it is too large, 400 when it does not arrive.
    pub async fn read(&self, body: Incoming) -> Result<(Bytes, Option<Room>), StatusCode> {
        tokio::time::timeout(READ_TIME, self.collect(body)).await.unwrap_or(Err(StatusCode::BAD_REQUEST))
    }

    async fn collect(&self, mut body: Incoming) -> Result<(Bytes, Option<Room>), StatusCode> {
        let mut whole = BytesMut::new();
        let mut permit = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
            let Ok(piece) = frame.into_data() else { continue };
            if whole.len() + piece.len() > LARGEST_BODY {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            whole.extend_from_slice(&piece);
            if whole.len() > SMALL_BODY && permit.is_none() {
                permit = Arc::clone(&self.0).acquire_owned().await.ok();
            }
        }
        Ok((whole.freeze(), permit))
    }
}

//! A way to the API server on which a controller can be killed at any of its writes.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use kube::Client;
use testkit::{ControlPlane, Signal, signal};
use tokio::sync::Notify;

/// When the controller dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cut {
    /// Before the API server hears of the write.
    Before,
    /// When the API server has done it, and before the controller hears of that.
    After,
}

/// A proxy between one controller and the API server.
pub struct Trap {
    /// How the controller finds it.
    pub kubeconfig: PathBuf,
    inner: Arc<Inner>,
    _folder: tempfile::TempDir,
}

struct Inner {
    client: Client,
    state: Mutex<Inside>,
    fell: Notify,
}

#[derive(Default)]
struct Inside {
    /// Process of the controller.
    pid: u32,
    /// It was killed, and was not started again.
    dead: bool,
    /// The write at which it dies, from 1, and how.
    armed: Option<(usize, Cut)>,
    /// Writes since it was armed.
    writes: Vec<String>,
}

impl Trap {
    pub async fn new(plane: &ControlPlane) -> Result<Self> {
        let inner = Arc::new(Inner { client: plane.client()?, state: Mutex::default(), fell: Notify::new() });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&inner));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let folder = tempfile::tempdir()?;
        let kubeconfig = folder.path().join("kubeconfig");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: trap\n\
             contexts: [{{name: trap, context: {{cluster: trap, user: nobody}}}}]\n\
             clusters: [{{name: trap, cluster: {{server: 'http://{}'}}}}]\nusers: [{{name: nobody, user: {{}}}}]\n",
            listener.local_addr()?
        );
        std::fs::write(&kubeconfig, text)?;
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { kubeconfig, inner, _folder: folder })
    }

    /// The controller runs, as this process.
    pub fn watch(&self, pid: u32) {
        self.inner.state.lock().unwrap().pid = pid;
    }

    /// Kills the controller at its next write of this number, if there is one. Counting begins anew.
    pub fn arm(&self, at: Option<(usize, Cut)>) {
        let mut state = self.inner.state.lock().unwrap();
        (state.armed, state.dead) = (at, false);
        state.writes.clear();
    }

    /// The writes since it was armed.
    pub fn writes(&self) -> Vec<String> {
        self.inner.state.lock().unwrap().writes.clone()
    }

    /// Whether the controller is killed, or about to be.
    pub fn is_dead(&self) -> bool {
        self.inner.state.lock().unwrap().dead
    }

    /// Waits until the controller was killed.
    pub async fn fell(&self) {
        self.inner.fell.notified().await;
    }
}

impl Inner {
    /// Counts a write. `Err` when the controller is dead already, and nothing may happen any more.
    fn count(&self, write: String) -> Result<Option<Cut>, ()> {
        let mut state = self.state.lock().unwrap();
        if state.dead {
            return Err(());
        }
        state.writes.push(write);
        let number = state.writes.len();
        let cut = state.armed.filter(|(at, _)| *at == number).map(|(_, cut)| cut);
        // What it sends at the same time is lost.
        state.dead = cut.is_some();
        Ok(cut)
    }

    fn kill(&self) {
        let mut state = self.state.lock().unwrap();
        state.armed = None;
        let _ = signal(state.pid, Signal::Kill);
        drop(state);
        self.fell.notify_one();
    }
}

/// What changes something, other than leases, events and questions.
fn is_write(method: &Method, uri: &Uri) -> bool {
    let path = uri.path();
    let counts = ["/events", "/leases", "authorization.k8s.io", "authentication.k8s.io"]
        .iter()
        .all(|other| !path.contains(other));
    ![Method::GET, Method::HEAD].contains(method)
        && counts
        && !uri.query().unwrap_or_default().contains("dryRun")
}

async fn pass(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let mut cut = None;
    if is_write(&parts.method, &parts.uri) {
        match inner.count(format!("{} {}", parts.method, parts.uri.path())) {
            Ok(found) => cut = found,
            Err(()) => std::future::pending().await,
        }
    }
    if cut == Some(Cut::Before) {
        inner.kill();
        std::future::pending::<()>().await;
    }
    for name in [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION] {
        parts.headers.remove(name);
    }
    let body = kube::client::Body::from(body);
    let answer = inner.client.send(Request::from_parts(parts, body)).await;
    if cut == Some(Cut::After) {
        inner.kill();
        std::future::pending::<()>().await;
    }
    match answer {
        Ok(answer) => {
            let (mut parts, body) = answer.into_parts();
            for name in [header::TRANSFER_ENCODING, header::CONNECTION] {
                parts.headers.remove(name);
            }
            Response::from_parts(parts, Body::new(body))
        }
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

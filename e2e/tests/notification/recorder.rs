//! A server that records what it is sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::Value;

/// A request that was received.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    pub uri: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

type Answer = Arc<dyn Fn(usize, &Received) -> (u16, String) + Send + Sync>;

#[derive(Clone)]
struct Shared {
    seen: Arc<Mutex<Vec<Received>>>,
    answer: Answer,
}

/// The server. It lives as long as the test process.
pub struct Recorder {
    pub url: String,
    seen: Arc<Mutex<Vec<Received>>>,
}

impl Recorder {
    /// Answers 200 to everything.
    pub async fn start() -> Result<Self> {
        Self::with(|_, _| (200, String::new())).await
    }

    /// Answers by the number of the request, counted from 0, and what it is.
    pub async fn with(
        answer: impl Fn(usize, &Received) -> (u16, String) + Send + Sync + 'static,
    ) -> Result<Self> {
        let shared = Shared { seen: Arc::default(), answer: Arc::new(answer) };
        let seen = Arc::clone(&shared.seen);
        let router = Router::new().fallback(receive).with_state(shared);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        // A runtime of its own: other tests of the process share the recorder's namespace only.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let listener = listener.into_std().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        Ok(Self { url, seen })
    }

    pub fn seen(&self) -> Vec<Received> {
        self.seen.lock().unwrap().clone()
    }

    /// The messages of the events that were received.
    pub fn messages(&self) -> Vec<String> {
        self.seen()
            .iter()
            .filter_map(|request| Some(request.json()["message"].as_str()?.to_owned()))
            .collect()
    }

    /// Waits until a request fulfils the condition.
    pub async fn wait(&self, what: &str, condition: impl Fn(&Received) -> bool) -> Result<Received> {
        for _ in 0..1200 {
            if let Some(found) = self.seen().into_iter().find(&condition) {
                return Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("waited a minute for {what}; there are {:#?}", self.messages())
    }

    /// Waits until an event with this message is received.
    pub async fn message(&self, message: &str) -> Result<Received> {
        self.wait(message, |request| request.json()["message"] == message).await
    }
}

async fn receive(
    State(shared): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let headers = headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let received =
        Received { method: method.to_string(), uri: uri.to_string(), headers, body: body.to_vec() };
    let number = {
        let mut seen = shared.seen.lock().unwrap();
        seen.push(received.clone());
        seen.len() - 1
    };
    let (status, text) = (shared.answer)(number, &received);
    (StatusCode::from_u16(status).unwrap(), text)
}

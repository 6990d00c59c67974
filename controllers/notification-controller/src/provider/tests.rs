//! Each provider against requests that Flux 1.9.3 sent for the same events, field by field.
//!
//! `tests/providers/cases.json` has Providers, events and the replies of their servers; `golden.json` has what Flux made
//! of them, recorded from its own code; `differences.json` names the cases where we differ on purpose, with the reason; where texts are
//! defused, with what stands in the place of what, and all the rest has to be the same.
//!
//! How `golden.json` was recorded: for each case, a program that links Flux's `internal/notifier` made the notifier that
//! `spec.type` names, with the case's settings, let it post the event to a local server that gives the case's replies, and
//! wrote each request down as it came, the server's address replaced by `{server}`. It is not part of this repository.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::notification::Provider;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use net::AddressGuard;
use runtime::metrics::Registry;
use serde::Deserialize;
use serde_json::{Value, json};

use super::settings::Secrets;
use super::{Accounts, Courier, Error, Sender, Settings, TokenMetrics, Tokens, plan};
use crate::event::Event;

#[derive(Deserialize)]
struct Cases {
    events: BTreeMap<String, Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize, Clone, Default)]
#[serde(default, rename_all = "camelCase")]
struct Case {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    address: String,
    event: String,
    channel: String,
    username: String,
    password: String,
    token: String,
    status_id: String,
    uid: String,
    headers: BTreeMap<String, String>,
    replies: Vec<Answer>,
}

#[derive(Deserialize, Clone)]
struct Answer {
    method: String,
    path: String,
    status: u16,
    body: Value,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Golden {
    name: String,
    #[serde(default)]
    setup: String,
    #[serde(default)]
    error: String,
    requests: Vec<Recorded>,
}

#[derive(Deserialize, Debug, PartialEq, Clone)]
struct Recorded {
    method: String,
    uri: String,
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Value,
}

/// Headers that a client sets for itself.
const OF_CLIENTS: [&str; 8] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "host",
    "user-agent",
    "x-github-api-version",
    "x-correlation-id",
];

struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Recorded>>>,
}

impl Server {
    async fn start(replies: Vec<Answer>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::<Mutex<Vec<Recorded>>>::default();
        let (own_url, own_seen) = (url.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let (url, seen, replies) = (own_url.clone(), Arc::clone(&own_seen), replies.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (url, seen, replies) = (url.clone(), Arc::clone(&seen), replies.clone());
                    async move { Ok::<_, Infallible>(answer(request, &url, &seen, &replies).await) }
                });
                tokio::spawn(async move {
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { url, seen }
    }

    fn seen(&self) -> Vec<Recorded> {
        self.seen.lock().expect("a lock").clone()
    }
}

async fn answer(
    request: Request<Incoming>,
    url: &str,
    seen: &Mutex<Vec<Recorded>>,
    replies: &[Answer],
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let text = String::from_utf8_lossy(&body).replace(url, "{server}");
    let headers = head.headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let body = match serde_json::from_str(&text) {
        Ok(document) => document,
        Err(_) if text.is_empty() => Value::Null,
        Err(_) => Value::String(text),
    };
    let recorded = Recorded {
        method: head.method.to_string(),
        uri: head.uri.to_string(),
        headers: headers.collect(),
        body,
    };
    seen.lock().expect("a lock").push(recorded);
    let found = replies
        .iter()
        .find(|reply| reply.method == head.method.as_str() && head.uri.path().starts_with(&reply.path));
    let (status, body) = match found {
        Some(Answer { status, body: Value::String(text), .. }) => (*status, text.clone()),
        Some(Answer { status, body, .. }) => (*status, body.to_string()),
        None => (200, "{}".to_owned()),
    };
    Response::builder().status(status).body(Full::from(body)).expect("a response")
}

fn settings(case: &Case, address: &str) -> Result<Settings, Error> {
    let provider: Provider = serde_json::from_value(json!({
        "metadata": { "name": "p", "namespace": "flux-system", "uid": case.uid },
        "spec": {
            "type": case.kind, "address": address, "channel": case.channel, "username": case.username,
        },
    }))
    .expect("a provider");
    let mut data = net::auth::Data::new();
    for (key, value) in [("token", &case.token), ("password", &case.password), ("username", &case.username)] {
        if !value.is_empty() && (key != "username" || !case.password.is_empty()) {
            data.insert(key.to_owned(), value.as_bytes().to_vec());
        }
    }
    if !case.headers.is_empty() {
        data.insert("headers".to_owned(), json!(case.headers).to_string().into_bytes());
    }
    let secrets = Secrets { credentials: Some(("flux-system/s".to_owned(), data)), ..Secrets::default() };
    let mut settings = Settings::of(&provider, secrets, Sender::default(), AddressGuard::Off)?;
    case.status_id.clone_into(&mut settings.status_id);
    Ok(settings)
}

async fn ours(case: &Case, event: &Value) -> Golden {
    let server = Server::start(case.replies.clone()).await;
    let address = case.address.replace("{server}", &server.url);
    let event = Event::parse(event.to_string().as_bytes()).expect("an event");
    let (mut setup, mut error) = (String::new(), String::new());
    match settings(case, &address) {
        Err(problem) => setup = problem.to_string(),
        Ok(settings) => match plan(&settings, &event, Timestamp::UNIX_EPOCH) {
            Err(Error::Setup(problem)) => setup = problem,
            Err(Error::Delivery(problem)) => error = problem,
            Ok(step) => {
                let metrics = TokenMetrics::register(&Registry::default());
                let courier = Courier::new(
                    "test",
                    Tokens::new(10, Duration::from_secs(60), metrics),
                    Accounts::of(None),
                );
                let delivery = courier.run(&settings, step);
                if let Err(problem) =
                    tokio::time::timeout(Duration::from_secs(10), delivery).await.expect("in time")
                {
                    error = problem.to_string();
                }
            }
        },
    }
    let named = |text: String| text.replace(&server.url, "{server}");
    Golden { name: case.name.clone(), setup: named(setup), error: named(error), requests: server.seen() }
}

/// What both sides say, without what only clients care about. Errors are compared by their presence: their words come
/// from client libraries.
fn comparable(golden: Golden) -> Value {
    let requests: Vec<Value> = golden
        .requests
        .into_iter()
        // A client library asks for the version of the server, which we have no use for.
        .filter(|request| request.uri != "/api/v1/version")
        .map(|request| {
            let headers: BTreeMap<String, String> = request
                .headers
                .into_iter()
                .filter(|(name, _)| !OF_CLIENTS.contains(&name.as_str()))
                // Without a body its type says nothing.
                .filter(|(name, _)| name != "content-type" || !request.body.is_null())
                .collect();
            let is_form = headers.get("content-type").is_some_and(|type_| type_.contains("form-urlencoded"));
            let body = match &request.body {
                // Two encodings of a form may mean the same.
                Value::String(form) if is_form => {
                    let pairs: Vec<_> = url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
                    json!(pairs)
                }
                other => other.clone(),
            };
            let (path, query) = request.uri.split_once('?').unwrap_or((&request.uri, ""));
            let query: BTreeMap<String, String> =
                url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            json!({
                "method": request.method, "path": path, "query": query, "headers": headers, "body": body,
            })
        })
        .collect();
    json!({ "setup": !golden.setup.is_empty(), "error": !golden.error.is_empty(), "requests": requests })
}

/// How a case differs from Flux.
#[derive(Deserialize)]
#[serde(untagged)]
enum Difference {
    /// The reason.
    Other(#[expect(dead_code, reason = "for people")] String),
    /// Texts of Flux, and what stands there instead, so that nobody is called and no link is dressed up.
    Defused(Vec<(String, String)>),
}

/// Puts in the place of texts what is expected there. Each has to be there.
fn defuse(value: &mut Value, pairs: &[(String, String)], case: &str) {
    fn replace(value: &mut Value, from: &str, to: &str) -> bool {
        match value {
            Value::String(text) if text.contains(from) => {
                *text = text.replace(from, to);
                true
            }
            Value::Array(list) => list.iter_mut().fold(false, |found, item| replace(item, from, to) | found),
            Value::Object(map) => map.values_mut().fold(false, |found, item| replace(item, from, to) | found),
            _ => false,
        }
    }
    for (from, to) in pairs {
        assert!(replace(value, from, to), "{case}: there is no {from}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_those_of_flux() {
    let cases: Cases = serde_json::from_str(include_str!("../../tests/providers/cases.json")).expect("cases");
    let goldens: Vec<Golden> =
        serde_json::from_str(include_str!("../../tests/providers/golden.json")).expect("goldens");
    let known: BTreeMap<String, Difference> =
        serde_json::from_str(include_str!("../../tests/providers/differences.json")).expect("differences");
    assert_eq!(cases.cases.len(), goldens.len(), "golden.json belongs to other cases");
    let mut wrong = Vec::new();
    for (case, golden) in cases.cases.iter().zip(goldens) {
        assert_eq!(case.name, golden.name);
        let texts = (golden.setup.clone(), golden.error.clone());
        let made = ours(case, &cases.events[&case.event]).await;
        let own_texts = (made.setup.clone(), made.error.clone());
        let (mut expected, made) = (comparable(golden), comparable(made));
        let mut differs = false;
        match known.get(&case.name) {
            Some(Difference::Defused(pairs)) => defuse(&mut expected, pairs, &case.name),
            Some(Difference::Other(_)) => differs = true,
            None => {}
        }
        match (expected == made, differs) {
            (true, false) | (false, true) => {}
            (true, true) => wrong.push(format!("{}: no longer different", case.name)),
            (false, false) => {
                wrong.push(format!(
                    "{}:\n  flux {expected} {texts:?}\n  ours {made} {own_texts:?}",
                    case.name
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.cases.len(), wrong.join("\n"));
}

//! Providers whose servers have fixed names, played without a network: each reply is made up.

use std::collections::BTreeMap;

use api::notification::ProviderType;
use http::StatusCode;
use jiff::Timestamp;
use net::Secret;
use serde_json::{Value, json};

use super::step::{Call, Error, Reply, Step};
use super::{Settings, plan};
use crate::event::Event;

const COMMIT: &str = "69b59063470310ebbd88a9156325322a124e55a3";

pub fn event(severity: &str) -> Event {
    let mut event = Event {
        severity: severity.to_owned(),
        message: "a.b <c>".to_owned(),
        reason: "HealthCheckFailed".to_owned(),
        timestamp: Timestamp::from_second(1_795_255_200).ok(),
        controller: "kustomize-controller".to_owned(),
        ..Event::default()
    };
    event.involved.kind = "Kustomization".to_owned();
    event.involved.namespace = "flux-system".to_owned();
    event.involved.name = "apps".to_owned();
    event.metadata.insert("revision".to_owned(), format!("main@sha1:{COMMIT}"));
    event.metadata.insert("summary".to_owned(), "prod".to_owned());
    event
}

pub fn settings(kind: ProviderType, address: &str, channel: &str, token: &str) -> Settings {
    let mut settings = Settings::default();
    settings.kind = kind;
    settings.address = address.to_owned();
    settings.channel = channel.to_owned();
    settings.token = (!token.is_empty()).then(|| Secret::new(token));
    settings.status_id = "kustomization/apps/0c9c2e41".to_owned();
    settings
}

/// Takes the steps with the replies; gives the calls.
pub fn play(
    settings: &Settings,
    event: &Event,
    reply: impl Fn(&Call) -> (u16, Value),
) -> Result<Vec<Call>, Error> {
    play_as(settings, event, &[], reply)
}

/// As [`play`], with annotations for any ServiceAccount that is asked for.
pub fn play_as(
    settings: &Settings,
    event: &Event,
    annotations: &[(&str, &str)],
    reply: impl Fn(&Call) -> (u16, Value),
) -> Result<Vec<Call>, Error> {
    let annotations =
        annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let mut calls = Vec::new();
    walk(plan(settings, event, Timestamp::UNIX_EPOCH)?, &annotations, &reply, &mut calls)?;
    Ok(calls)
}

/// Takes the steps; gives the token that they end in, if they do.
fn walk(
    mut step: Step,
    annotations: &BTreeMap<String, String>,
    reply: &dyn Fn(&Call) -> (u16, Value),
    calls: &mut Vec<Call>,
) -> Result<Option<Secret>, Error> {
    loop {
        step = match step {
            Step::Send(call, then) => {
                let (status, body) = reply(&call);
                let status = StatusCode::from_u16(status).expect("a status");
                let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
                let reply = Reply { status, body: body.into(), context: call.context };
                calls.push(*call);
                then(reply)?
            }
            Step::Token(wanted) => {
                let token = walk((wanted.first)()?, annotations, reply, calls)?;
                (wanted.then)(&token.expect("a token"))?
            }
            Step::Account(_, then) => then(annotations)?,
            Step::AccountToken(name, audience, then) => then(&Secret::new(format!("{name} for {audience}")))?,
            Step::Obtained(token, _) => return Ok(Some(token)),
            Step::Done | Step::Nats(_) => return Ok(None),
        };
    }
}

pub fn header<'a>(call: &'a Call, name: &str) -> &'a str {
    call.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

pub fn body(call: &Call) -> Value {
    serde_json::from_slice(&call.body).unwrap_or_default()
}

fn fine(_: &Call) -> (u16, Value) {
    (200, json!([]))
}

#[test]
fn telegram_escapes_and_finds_threads() {
    let settings = settings(ProviderType::Telegram, "", "-100:7", "123:abc");
    let calls = play(&settings, &event("error"), fine).expect("calls");
    assert_eq!(calls[0].url.as_str(), "https://api.telegram.org/bot123:abc/sendMessage");
    let body = body(&calls[0]);
    assert_eq!((&body["chat_id"], &body["message_thread_id"]), (&json!("-100"), &json!("7")));
    assert_eq!(
        body["text"],
        "*\u{1F6A8} kustomization/apps/flux\\-system*\na\\.b <c\\>\n\\- *revision*: main@sha1:69b59063470310ebbd88a9156325322a124e55a3\n\\- *summary*: prod\n"
    );
    assert!(play(&self::settings(ProviderType::Telegram, "", "", "t"), &event("info"), fine).is_err());
    assert!(play(&self::settings(ProviderType::Telegram, "", "c", ""), &event("info"), fine).is_err());
}

#[test]
fn slack_says_in_the_body_whether_it_worked() {
    let settings = settings(ProviderType::Slack, "https://slack.com/api/chat.postMessage", "c", "t");
    let error = play(&settings, &event("info"), |_| (200, json!({ "ok": false, "error": "not_in_channel" })));
    assert!(error.err().is_some_and(|error| error.to_string().contains("not_in_channel")));
    assert!(play(&settings, &event("info"), |_| (200, json!({ "ok": true }))).is_ok());
}

#[test]
fn teams_has_two_kinds_of_cards() {
    let cards = |host: &str| {
        let settings = settings(ProviderType::MsTeams, &format!("https://{host}/x"), "", "");
        body(&play(&settings, &event("error"), fine).expect("calls")[0])
    };
    assert_eq!(cards("x.webhook.office.com")["@type"], "MessageCard");
    let card = cards("x.logic.azure.com");
    let facts = card.pointer("/attachments/0/content/body/0/items/2/facts/0/title");
    assert_eq!(facts, Some(&json!("summary")));
}

#[test]
fn bitbucket_in_the_cloud_has_builds() {
    let settings =
        settings(ProviderType::Bitbucket, "https://bitbucket.org/org/app.git", "", "user:password");
    let calls = play(&settings, &event("error"), |call| {
        if call.method == "GET" { (404, json!({})) } else { (201, json!({})) }
    })
    .expect("calls");
    let build = format!("https://api.bitbucket.org/2.0/repositories/org/app/commit/{COMMIT}/statuses/build");
    let key = crate::digest::sha1_hex(b"kustomization/apps/0c9c2e41");
    assert_eq!(calls[0].url.as_str(), format!("{build}/{key}"));
    assert_eq!(calls[1].url.as_str(), build);
    assert_eq!(header(&calls[1], "authorization"), "Basic dXNlcjpwYXNzd29yZA==");
    assert_eq!(
        body(&calls[1]),
        json!({
            "key": key, "state": "FAILED", "name": "kustomization/apps", "description": "health check failed",
            "url": "https://bitbucket.org",
        })
    );
    let said = json!({ "state": "FAILED", "description": "health check failed" });
    assert_eq!(play(&settings, &event("error"), |_| (200, said.clone())).expect("calls").len(), 1);
    assert!(
        play(&self::settings(ProviderType::Bitbucket, "https://x/o/r", "", "nocolon"), &event("info"), fine)
            .is_err()
    );
}

#[test]
fn azure_devops_has_genres() {
    let settings =
        settings(ProviderType::AzureDevOps, "https://dev.azure.com/org/project/_git/app", "", "pat");
    let calls = play(&settings, &event("info"), |_| (200, json!({ "value": [] }))).expect("calls");
    let url = format!(
        "https://dev.azure.com/org/project/_apis/git/repositories/app/commits/{COMMIT}/statuses?api-version=6.0"
    );
    assert_eq!((calls[0].method.as_str(), calls[0].url.as_str()), ("GET", url.as_str()));
    assert_eq!((calls[1].method.as_str(), calls[1].url.as_str()), ("POST", url.as_str()));
    assert_eq!(header(&calls[1], "authorization"), "Basic OnBhdA==");
    let context = json!({ "genre": "fluxcd:prod", "name": "kustomization/apps/0c9c2e41" });
    assert_eq!(body(&calls[1])["context"], context);
    let said = json!({ "value": [{ "context": context, "state": "succeeded", "description": "health check failed" }] });
    assert_eq!(play(&settings, &event("info"), |_| (200, said.clone())).expect("calls").len(), 1);
}

#[test]
fn sentry_takes_envelopes() {
    let settings = settings(ProviderType::Sentry, "https://key@sentry.example/base/42", "production", "");
    for (severity, kind) in [("info", "transaction"), ("error", "event")] {
        let calls = play(&settings, &event(severity), fine).expect("calls");
        assert_eq!(calls[0].url.as_str(), "https://sentry.example/base/api/42/envelope/");
        assert!(header(&calls[0], "x-sentry-auth").contains("sentry_key=key"));
        let text = String::from_utf8(calls[0].body.to_vec()).expect("text");
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines[1]["type"], kind);
        assert_eq!(lines[1]["length"], text.lines().nth(2).expect("an item").len());
        assert_eq!(lines[2]["transaction"], "Kustomization: flux-system/apps");
        assert_eq!(lines[2]["environment"], "production");
        if severity == "info" {
            assert_eq!(lines[2]["tags"]["flux_reason"], "HealthCheckFailed");
            assert_eq!(lines[2]["contexts"]["trace"]["trace_id"], lines[2]["spans"][0]["trace_id"]);
        } else {
            assert_eq!(lines[2]["contexts"]["metadata"]["summary"], "prod");
            assert_eq!(
                (&lines[2]["level"], &lines[2]["server_name"]),
                (&json!("error"), &json!("kustomize-controller"))
            );
        }
    }
    assert!(play(&settings, &event("trace"), fine).expect("calls").is_empty());
    assert!(play(&self::settings(ProviderType::Sentry, "", "", ""), &event("info"), fine).is_err());
}

#[test]
fn queues_take_the_event() {
    use base64::Engine as _;
    let mut pubsub = settings(ProviderType::GooglePubSub, "project", "topic", "");
    pubsub.headers.insert("k".to_owned(), "v".to_owned());
    let calls =
        play(&pubsub, &event("info"), |_| (200, json!({ "access_token": "obtained" }))).expect("calls");
    assert_eq!(
        calls[1].url.as_str(),
        "https://pubsub.googleapis.com/v1/projects/project/topics/topic:publish"
    );
    assert_eq!(header(&calls[1], "authorization"), "Bearer obtained");
    let sent = body(&calls[1]);
    let message = &sent["messages"][0];
    let data = base64::engine::general_purpose::STANDARD.decode(message["data"].as_str().expect("text"));
    assert_eq!(data.expect("base64"), crate::event::encode(&event("info").json()));
    assert_eq!(message["attributes"], json!({ "k": "v" }));
    assert!(play(&settings(ProviderType::GooglePubSub, "", "t", ""), &event("info"), fine).is_err());

    let sas = "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0;EntityPath=hub";
    let calls =
        play(&settings(ProviderType::AzureEventHub, sas, "", ""), &event("info"), fine).expect("calls");
    assert_eq!(calls[0].url.as_str(), "https://ns.servicebus.windows.net/hub/messages");
    let signature = header(&calls[0], "authorization");
    assert!(
        signature.starts_with("SharedAccessSignature sr=https%3A%2F%2Fns.servicebus.windows.net%2Fhub&sig=")
    );
    assert!(signature.ends_with("&se=300&skn=send"), "{signature}");
    assert!(play(&settings(ProviderType::AzureEventHub, sas, "", "t"), &event("info"), fine).is_err());
    let calls = play(&settings(ProviderType::AzureEventHub, "hub", "ns", "jwt"), &event("info"), fine)
        .expect("calls");
    assert_eq!(calls[0].url.as_str(), "https://ns.servicebus.windows.net/hub/messages");
    assert_eq!(header(&calls[0], "authorization"), "Bearer jwt");
}

#[test]
fn an_alias_is_of_object_and_reason() {
    let settings = settings(ProviderType::Opsgenie, "https://api.opsgenie.example/v2/alerts", "", "t");
    let alias = |event: &Event| body(&play(&settings, event, fine).expect("calls")[0])["alias"].clone();
    let first = event("error");
    let mut later = event("info");
    later.message = "another message".to_owned();
    assert_eq!(alias(&first), alias(&later));
    later.reason = "Succeeded".to_owned();
    assert_ne!(alias(&first), alias(&later));
}

#[test]
fn otel_skips_helm_repositories() {
    let mut settings = settings(ProviderType::Otel, "http://collector:4318", "", "t");
    settings.username = "u".to_owned();
    let calls = play(&settings, &event("error"), fine).expect("calls");
    assert_eq!(calls[0].url.as_str(), "http://collector:4318/v1/traces");
    assert_eq!(header(&calls[0], "content-type"), "application/x-protobuf");
    assert_eq!(header(&calls[0], "authorization"), "Basic dTp0");
    let text = String::from_utf8_lossy(&calls[0].body).into_owned();
    assert!(
        text.contains("Kustomization: flux-system/apps") && text.contains("flux:notification-controller")
    );
    let mut repository = event("info");
    repository.involved.kind = "HelmRepository".to_owned();
    assert!(play(&settings, &repository, fine).expect("calls").is_empty());
}

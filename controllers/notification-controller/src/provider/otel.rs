//! OpenTelemetry: one span an event, over OTLP/HTTP.

use http::Method;
use jiff::Timestamp;

use super::protobuf::Message;
use super::settings::Settings;
use super::step::{Call, Error, Step, address};
use crate::digest::sha256;
use crate::event::Event;

const STATUS_OK: u64 = 1;
const STATUS_ERROR: u64 = 2;
const SPAN_KIND_INTERNAL: u64 = 1;

/// A span. Events of one Alert about the same revision make one trace.
pub fn plan(settings: &Settings, event: &Event, now: Timestamp) -> Result<Step, Error> {
    let mut url = address(&settings.address)?;
    if url.path().is_empty() || url.path() == "/" {
        url.set_path("/v1/traces");
    }
    if event.involved.kind == "HelmRepository" {
        return Ok(Step::Done);
    }
    let mut call = Call::new(Method::POST, url)
        .bytes(request(settings, event, now, rand::random::<[u8; 8]>()))
        .header("content-type", "application/x-protobuf");
    let token = settings.token_or_password();
    call = match token {
        Some(token) if settings.username.is_empty() => call.bearer(token)?,
        Some(token) => call.basic(&settings.username, token.expose())?,
        None => call,
    };
    for (name, value) in &settings.headers {
        call = call.value(name, value.as_bytes())?;
    }
    Ok(call.last())
}

fn trace_id(settings: &Settings, event: &Event) -> Vec<u8> {
    let revision = match (event.metadata.get("app-version"), event.metadata.get("oci-digest")) {
        (Some(version), Some(digest)) => format!("{version}@{digest}"),
        _ => event.metadata.get("revision").cloned().unwrap_or_else(|| "unknown".to_owned()),
    };
    sha256(format!("{}:{revision}", settings.sender.uid).as_bytes()).into_iter().take(16).collect()
}

fn attribute(key: &str, value: &str) -> Message {
    Message::default().bytes(1, key.as_bytes()).message(2, Message::default().bytes(1, value.as_bytes()))
}

fn request(settings: &Settings, event: &Event, now: Timestamp, span_id: [u8; 8]) -> Vec<u8> {
    let object = &event.involved;
    let nanoseconds = |time: Timestamp| u64::try_from(time.as_nanosecond()).unwrap_or_default();
    let status = if event.is_error() {
        Message::default().bytes(2, event.message.as_bytes()).number(3, STATUS_ERROR)
    } else {
        Message::default().number(3, STATUS_OK)
    };
    let mut span = Message::default()
        .bytes(1, &trace_id(settings, event))
        .bytes(2, &span_id)
        .bytes(5, format!("{}: {}/{}", object.kind, object.namespace, object.name).as_bytes())
        .number(6, SPAN_KIND_INTERNAL)
        .fixed64(7, event.timestamp.map(nanoseconds).unwrap_or_default())
        .fixed64(8, nanoseconds(now));
    let facts = [
        ("object.uid", &object.uid),
        ("object.kind", &object.kind),
        ("object.name", &object.name),
        ("object.namespace", &object.namespace),
    ];
    let facts = facts.into_iter().chain(event.metadata.iter().map(|(key, value)| (key.as_str(), value)));
    for (key, value) in facts {
        span = span.message(9, attribute(key, value));
    }
    let span = span.message(15, status);
    let sender = &settings.sender;
    let resource = Message::default()
        .message(1, attribute("service.name", &format!("{}/{}", sender.namespace, sender.name)))
        .message(1, attribute("service.namespace", &sender.namespace))
        .message(1, attribute("service.instance.id", &sender.uid));
    let scope = Message::default().bytes(1, b"flux:notification-controller");
    let spans = Message::default().message(1, scope).message(2, span);
    let traces = Message::default().message(1, resource).message(2, spans);
    Message::default().message(1, traces).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_a_trace() {
        let mut settings = Settings::default();
        settings.sender.uid = "alert".to_owned();
        let mut event = Event::default();
        let unknown = trace_id(&settings, &event);
        event.metadata.insert("revision".to_owned(), "main@sha1:1".to_owned());
        let one = trace_id(&settings, &event);
        event.message = "another".to_owned();
        assert_eq!(one, trace_id(&settings, &event));
        assert_ne!(one, unknown);
        assert_eq!(one.len(), 16);
    }
}

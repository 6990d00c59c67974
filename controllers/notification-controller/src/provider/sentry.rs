//! Sentry: failures as events, successes as transactions, in envelopes.

use http::Method;
use serde_json::{Map, Value, json};
use url::Url;

use super::settings::Settings;
use super::step::{Call, Error, Step, setup};
use crate::digest::hex;
use crate::event::{ERROR, Event, INFO};

/// What a DSN says.
struct Dsn {
    envelope: Url,
    public_key: String,
}

fn dsn(text: &str) -> Result<Dsn, Error> {
    if text.is_empty() {
        return setup("DSN cannot be empty");
    }
    let bad = || Error::Setup("invalid DSN, expected https://<key>@<host>/<project>".to_owned());
    let url = Url::parse(text).map_err(|_| bad())?;
    let (base, project) = url.path().rsplit_once('/').ok_or_else(bad)?;
    if project.is_empty() || url.username().is_empty() || !url.has_host() {
        return Err(bad());
    }
    let mut envelope = url.clone();
    let _ = envelope.set_username("");
    let _ = envelope.set_password(None);
    envelope.set_path(&format!("{base}/api/{project}/envelope/"));
    Ok(Dsn { envelope, public_key: url.username().to_owned() })
}

/// An envelope, or nothing for other severities.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let dsn = dsn(&settings.address)?;
    let object = &event.involved;
    let name = format!("{}: {}/{}", object.kind, object.namespace, object.name);
    let time = event.rfc3339_or_zero();
    let id = hex(&rand::random::<[u8; 16]>());
    let mut item = Map::new();
    item.insert("event_id".to_owned(), id.clone().into());
    item.insert("platform".to_owned(), "other".into());
    item.insert("timestamp".to_owned(), time.clone().into());
    item.insert("transaction".to_owned(), name.into());
    item.insert("message".to_owned(), event.message.as_str().into());
    if !settings.channel.is_empty() {
        item.insert("environment".to_owned(), settings.channel.as_str().into());
    }
    let kind = match event.severity.as_str() {
        INFO => {
            let mut tags: Map<String, Value> =
                event.metadata.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
            for (key, value) in [
                ("flux_involved_object_kind", &object.kind),
                ("flux_involved_object_namespace", &object.namespace),
                ("flux_involved_object_name", &object.name),
                ("flux_reporting_controller", &event.controller),
                ("flux_reporting_instance", &event.instance),
                ("flux_reason", &event.reason),
            ] {
                tags.insert(key.to_owned(), value.as_str().into());
            }
            let (trace, span) = (hex(&rand::random::<[u8; 16]>()), hex(&rand::random::<[u8; 8]>()));
            item.insert("type".to_owned(), "transaction".into());
            item.insert("start_timestamp".to_owned(), time.clone().into());
            item.insert("tags".to_owned(), Value::Object(tags));
            item.insert(
                "contexts".to_owned(),
                json!({ "trace": { "trace_id": trace, "span_id": span, "op": "event" } }),
            );
            item.insert(
                "spans".to_owned(),
                json!([{ "trace_id": trace, "span_id": span, "op": "event", "start_timestamp": time, "timestamp": time }]),
            );
            "transaction"
        }
        ERROR => {
            item.insert("level".to_owned(), "error".into());
            item.insert("server_name".to_owned(), event.controller.as_str().into());
            item.insert("contexts".to_owned(), json!({ "metadata": event.metadata }));
            "event"
        }
        _ => return Ok(Step::Done),
    };
    let item = Value::Object(item).to_string();
    let body =
        format!("{}\n{}\n{item}\n", json!({ "event_id": id }), json!({ "type": kind, "length": item.len() }));
    let auth = format!(
        "Sentry sentry_version=7, sentry_client=notification-controller/{}, sentry_key={}",
        env!("CARGO_PKG_VERSION"),
        dsn.public_key
    );
    let call = Call::new(Method::POST, dsn.envelope)
        .bytes(body.into_bytes())
        .header("content-type", "application/x-sentry-envelope")
        .value("x-sentry-auth", auth.as_bytes())?;
    Ok(call.last())
}

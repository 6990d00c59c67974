//! Prometheus Alertmanager.

use serde_json::{Map, Value, json};

use super::settings::Settings;
use super::step::{Call, Error, Step, address};
use crate::event::{Event, ZERO_TIME};
use crate::wording::title;

/// One firing alert.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let object = &event.involved;
    let mut annotations = Map::new();
    annotations.insert("message".to_owned(), event.message.as_str().into());
    let mut labels: Map<String, Value> = Map::new();
    for (key, value) in &event.metadata {
        let target = if key == "summary" { &mut annotations } else { &mut labels };
        target.insert(key.clone(), value.as_str().into());
    }
    for (key, value) in [
        ("alertname", format!("Flux{}{}", object.kind, title(&event.reason))),
        ("severity", event.severity.clone()),
        ("reason", event.reason.clone()),
        ("kind", object.kind.clone()),
        ("name", object.name.clone()),
        ("namespace", object.namespace.clone()),
        ("reportingcontroller", event.controller.clone()),
    ] {
        labels.insert(key.to_owned(), value.into());
    }
    // An end at the zero time counts as none.
    let payload = json!([{
        "status": "firing",
        "labels": labels,
        "annotations": annotations,
        "startsAt": event.rfc3339_or_zero(),
        "endsAt": ZERO_TIME,
    }]);
    let call = Call::post(address(&settings.address)?, &payload);
    let call = match &settings.token {
        _ if !settings.username.is_empty() && settings.password.is_some() => {
            call.basic(&settings.username, settings.password_bytes())?
        }
        Some(token) => call.bearer(token)?,
        None => call,
    };
    Ok(call.last())
}

//! incident.io.

use serde_json::{Map, Value, json};

use super::markup;
use super::settings::Settings;
use super::step::{Call, Error, Step, address};
use crate::event::Event;
use crate::wording::dot_name;

/// An alert event, which the next success of the object resolves.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let url = address(&settings.address)?;
    let token = settings.required_token("empty incident.io API token")?;
    if event.reason == "Progressing" {
        return Ok(Step::Done);
    }
    let mut metadata: Map<String, Value> =
        event.metadata.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    metadata.insert("severity".to_owned(), event.severity.as_str().into());
    metadata.insert("reason".to_owned(), event.reason.as_str().into());
    if !event.controller.is_empty() {
        metadata.insert("reportingController".to_owned(), event.controller.as_str().into());
    }
    let mut payload = json!({
        "title": format!("{}: {}", dot_name(event), event.reason),
        "status": if event.is_error() { "firing" } else { "resolved" },
    });
    if let Some(payload) = payload.as_object_mut() {
        if !event.involved.uid.is_empty() {
            payload.insert("deduplication_key".to_owned(), event.involved.uid.as_str().into());
        }
        if !event.message.is_empty() {
            payload.insert("description".to_owned(), markup::markdown(&event.message).into());
        }
        payload.insert("metadata".to_owned(), Value::Object(metadata));
    }
    Ok(Call::post(url, &payload).bearer(token)?.last())
}

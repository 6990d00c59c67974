//! Grafana annotations.

use serde_json::json;

use super::settings::Settings;
use super::step::{Call, Error, Step, address};
use crate::event::Event;
use crate::wording::dot_name;

/// An annotation. The message is not part of it.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let object = &event.involved;
    let mut tags = vec!["flux".to_owned(), event.controller.clone()];
    let plain = |text: &str| text.replace(':', "|");
    tags.extend(event.metadata.iter().map(|(key, value)| format!("{}: {}", plain(key), plain(value))));
    tags.push(format!("kind: {}", object.kind));
    tags.push(format!("name: {}", object.name));
    tags.push(format!("namespace: {}", object.namespace));
    let payload = json!({ "when": event.unix(), "text": dot_name(event), "tags": tags });
    let call = Call::post(address(&settings.address)?, &payload);
    let call = match &settings.token {
        Some(token) => call.bearer(token)?,
        None if !settings.username.is_empty() && settings.password.is_some() => {
            call.basic(&settings.username, settings.password_bytes())?
        }
        None => call,
    };
    Ok(call.last())
}

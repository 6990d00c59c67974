//! Opsgenie.

use serde_json::{Map, Value, json};

use super::settings::Settings;
use super::step::{Call, Error, Step, address};
use crate::digest::sha256_hex;
use crate::event::Event;

/// An alert. The alias joins events of the same object and reason.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let key = settings.required_token("empty Opsgenie apikey/token")?;
    let mut details: Map<String, Value> =
        event.metadata.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    details.insert("severity".to_owned(), event.severity.as_str().into());
    let alias = format!("{}/{}/{}", settings.uid, event.involved.id(), event.reason);
    let payload = json!({
        "message": format!("{}/{}", event.involved.kind, event.involved.name),
        "alias": sha256_hex(alias.as_bytes()),
        "description": event.message,
        "details": details,
    });
    Ok(Call::post(address(&settings.address)?, &payload).authorized("GenieKey", key)?.last())
}

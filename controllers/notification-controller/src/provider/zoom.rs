//! Zoom.

use serde_json::{Value, json};

use super::markup;
use super::settings::Settings;
use super::step::{Call, Error, Step, address};
use crate::event::Event;
use crate::wording::dot_name;

/// A message of the incoming webhook app.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let mut url = address(&settings.address)?;
    let token = settings.required_token("empty Zoom verification token")?;
    if !url.query_pairs().any(|(key, value)| key == "format" && !value.is_empty()) {
        url.query_pairs_mut().append_pair("format", "full");
    }
    let mut body = vec![json!({ "type": "message", "text": markup::zoom(&event.message) })];
    if !event.metadata.is_empty() {
        let items: Vec<Value> =
            event.metadata.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
        body.push(json!({ "type": "fields", "items": items }));
    }
    let payload = json!({ "content": {
        "head": { "text": dot_name(event), "sub_head": { "text": event.severity } },
        "body": body,
    }});
    Ok(Call::post(url, &payload).value("authorization", token.expose())?.last())
}

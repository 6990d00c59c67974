//! Webex.

use net::Secret;
use serde_json::json;

use super::markup;
use super::settings::Settings;
use super::step::{Call, Error, Step, address};
use crate::event::Event;
use crate::wording::dot_name;

/// A message to a room.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let emoji = if event.is_error() { "\u{1F4A3}" } else { "\u{2705}" };
    let (title, message) = (markup::webex(&dot_name(event)), markup::webex(&event.message));
    let mut markdown = format!("{emoji} **{title}**\n{message}\n");
    for (key, value) in &event.metadata {
        markdown.push_str(&format!(">**{}**: {}\n", markup::webex(key), markup::webex_value(value)));
    }
    let payload = json!({ "roomId": settings.channel, "markdown": markdown });
    let none = Secret::new(Vec::new());
    let call = Call::post(address(&settings.address)?, &payload);
    Ok(call.bearer(settings.token.as_ref().unwrap_or(&none))?.last())
}

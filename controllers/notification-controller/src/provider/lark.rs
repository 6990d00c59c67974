//! Lark.

use serde_json::json;

use super::markup;
use super::settings::Settings;
use super::step::{Call, Error, Step, address};
use crate::event::Event;
use crate::wording::{dot_name, emoji};

/// An interactive card.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let mut message = format!("**{}**\n\n", markup::lark(&event.message));
    for (key, value) in &event.metadata {
        message.push_str(&format!("{}: {}\n", markup::lark(key), markup::lark_value(value)));
    }
    let payload = json!({
        "msg_type": "interactive",
        "card": {
            "config": { "wide_screen_mode": true },
            "header": {
                "title": { "tag": "plain_text", "content": format!("{} {}", emoji(event), dot_name(event)) },
                "template": if event.is_error() { "red" } else { "turquoise" },
            },
            "elements": [{ "tag": "div", "text": { "tag": "lark_md", "content": message } }],
        },
    });
    Ok(Call::post(address(&settings.address)?, &payload).last())
}

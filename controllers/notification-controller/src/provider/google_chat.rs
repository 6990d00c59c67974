//! Google Chat.

use serde_json::{Value, json};

use super::markup;
use super::settings::Settings;
use super::step::{Call, Error, Step, address};
use crate::event::Event;
use crate::wording::dot_name;

/// A card for a space.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let message = markup::html(&event.message);
    let text = if event.is_error() { format!("<font color=\"#ff0000\">{message}</font>") } else { message };
    let mut sections =
        vec![json!({ "header": "", "widgets": [{ "textParagraph": { "text": text }, "keyValue": null }] })];
    if !event.metadata.is_empty() {
        let widgets: Vec<Value> = event
            .metadata
            .iter()
            .map(|(key, value)| {
                json!({
                    "textParagraph": null,
                    "keyValue": {
                        "topLabel": key, "content": value, "contentMultiline": false, "bottomLabel": null, "icon": null,
                    },
                })
            })
            .collect();
        sections.push(json!({ "header": "", "widgets": widgets }));
    }
    let payload = json!({ "cards": [{
        "header": { "title": dot_name(event), "subtitle": event.controller, "imageUrl": null, "imageStyle": null },
        "sections": sections,
    }]});
    Ok(Call::post(address(&settings.address)?, &payload).last())
}

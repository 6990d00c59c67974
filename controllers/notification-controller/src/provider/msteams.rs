//! Microsoft Teams: adaptive cards, and the older message cards of incoming webhooks.

use serde_json::{Value, json};

use super::markup;
use super::settings::Settings;
use super::step::{Call, Error, Step, address};
use crate::event::Event;
use crate::wording::dot_name;

/// Hosts of incoming webhooks.
const LEGACY: &str = ".webhook.office.com";

/// A card for a channel.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let url = address(&settings.address)?;
    let legacy = url.host_str().is_some_and(|host| host.ends_with(LEGACY));
    let payload = if legacy { message_card(event) } else { adaptive_card(event) };
    Ok(Call::post(url, &payload).last())
}

fn message_card(event: &Event) -> Value {
    let facts: Vec<Value> =
        event.metadata.iter().map(|(key, value)| json!({ "name": key, "value": value })).collect();
    let subtitle = markup::markdown(&markup::html(&dot_name(event)));
    json!({
        "@type": "MessageCard",
        "@context": "http://schema.org/extensions",
        "themeColor": if event.is_error() { "FF0000" } else { "0076D7" },
        "summary": subtitle,
        "sections": [{ "activityTitle": markup::markdown(&markup::html(&event.message)), "activitySubtitle": subtitle, "facts": facts }],
    })
}

fn adaptive_card(event: &Event) -> Value {
    let mut facts: Vec<(&String, &String)> = event.metadata.iter().collect();
    // The summary first; the order of the others stays.
    facts.sort_by_key(|(key, _)| *key != "summary");
    let facts: Vec<Value> =
        facts.into_iter().map(|(key, value)| json!({ "title": key, "value": value })).collect();
    let mut message = json!({ "type": "TextBlock", "text": markup::markdown(&event.message), "wrap": true });
    if let (true, Some(message)) = (event.is_error(), message.as_object_mut()) {
        message.insert("color".to_owned(), json!("attention"));
    }
    let mut set = json!({ "type": "FactSet" });
    if let (false, Some(set)) = (facts.is_empty(), set.as_object_mut()) {
        set.insert("facts".to_owned(), Value::Array(facts));
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [{
                    "type": "Container",
                    "items": [
                        { "type": "TextBlock", "text": markup::markdown(&dot_name(event)), "size": "large", "weight": "bolder", "wrap": true },
                        message,
                        set,
                    ],
                }],
                "msteams": { "width": "Full" },
            },
        }],
    })
}

//! Slack, and what takes Slack's payload: Discord and Rocket.Chat.

use serde_json::{Value, json};

use super::markup;
use super::settings::Settings;
use super::step::{Call, Error, Step, address, failed};
use crate::event::Event;
use crate::wording::{dot_name, first_line};

/// The one address that answers 200 to failures too.
const POST_MESSAGE: &str = "https://slack.com/api/chat.postMessage";

/// A message to Slack.
pub fn slack(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let username = if settings.username.is_empty() { &event.controller } else { &settings.username };
    let fallback = markup::slack(&format!("{}: {}", dot_name(event), first_line(&event.message)));
    let look = Look { colors: ["good", "danger"], text: markup::slack, value: markup::slack_value };
    let payload = payload(&settings.channel, username, &look, fallback, event);
    let mut call = Call::post(address(&settings.address)?, &payload);
    if let Some(token) = &settings.token {
        call = call.bearer(token)?;
    }
    if settings.address != POST_MESSAGE {
        return Ok(call.last());
    }
    Ok(call.then(|reply| {
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        if answer.get("ok").and_then(Value::as_bool) == Some(true) {
            return Ok(Step::Done);
        }
        let error = answer.get("error").and_then(Value::as_str).unwrap_or_default();
        failed(format!("postMessage failed: request failed: Slack responded with error: {error}"))
    }))
}

/// A message to Discord's Slack-compatible address.
pub fn discord(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let mut url = address(&settings.address)?;
    if !url.path().ends_with("/slack") {
        let path = format!("{}/slack", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    let username = if settings.username.is_empty() { &event.controller } else { &settings.username };
    let look = Look { colors: ["good", "danger"], text: markup::discord, value: markup::discord_value };
    Ok(Call::post(url, &payload("", username, &look, String::new(), event)).last())
}

/// A message to Rocket.Chat.
pub fn rocket(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let look = Look { colors: ["#0076D7", "#FF0000"], text: markup::rocket, value: markup::mentions };
    let payload = payload(&settings.channel, &settings.username, &look, String::new(), event);
    Ok(Call::post(address(&settings.address)?, &payload).last())
}

/// How a chat shows events.
struct Look {
    /// For success and failure.
    colors: [&'static str; 2],
    /// How it takes texts of events.
    text: fn(&str) -> String,
    /// How it takes metadata.
    value: fn(&str) -> String,
}

fn payload(channel: &str, username: &str, look: &Look, fallback: String, event: &Event) -> Value {
    let [good, bad] = look.colors;
    let fields: Vec<Value> = event
        .metadata
        .iter()
        .map(
            |(key, value)| json!({ "title": (look.text)(key), "value": (look.value)(value), "short": false }),
        )
        .collect();
    json!({
        "channel": channel,
        "username": username,
        "icon_url": "",
        "icon_emoji": "",
        "attachments": [{
            "fallback": fallback,
            "color": if event.is_error() { bad } else { good },
            "author_name": (look.text)(&dot_name(event)),
            "text": (look.text)(&event.message),
            "mrkdwn_in": ["text"],
            "fields": fields,
        }],
    })
}

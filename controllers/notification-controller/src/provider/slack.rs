//! Slack, and what takes Slack's payload: Discord and Rocket.Chat.

use serde_json::{Value, json};

use super::settings::Settings;
use super::step::{Call, Error, Step, address, failed};
use crate::event::Event;
use crate::wording::{dot_name, first_line};

/// The one address that answers 200 to failures too.
const POST_MESSAGE: &str = "https://slack.com/api/chat.postMessage";

/// A message to Slack.
pub fn slack(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let username = if settings.username.is_empty() { &event.controller } else { &settings.username };
    let fallback = format!("{}: {}", dot_name(event), first_line(&event.message));
    let colors = ["good", "danger"];
    let payload = payload(&settings.channel, username, colors, Some(fallback), event);
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
    Ok(Call::post(url, &payload("", username, ["good", "danger"], None, event)).last())
}

/// A message to Rocket.Chat.
pub fn rocket(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let payload = payload(&settings.channel, &settings.username, ["#0076D7", "#FF0000"], None, event);
    Ok(Call::post(address(&settings.address)?, &payload).last())
}

fn payload(
    channel: &str,
    username: &str,
    colors: [&str; 2],
    fallback: Option<String>,
    event: &Event,
) -> Value {
    let [good, bad] = colors;
    let fields: Vec<Value> = event
        .metadata
        .iter()
        .map(|(key, value)| json!({ "title": key, "value": value, "short": false }))
        .collect();
    json!({
        "channel": channel,
        "username": username,
        "icon_url": "",
        "icon_emoji": "",
        "attachments": [{
            "fallback": fallback.unwrap_or_default(),
            "color": if event.is_error() { bad } else { good },
            "author_name": dot_name(event),
            "text": event.message,
            "mrkdwn_in": ["text"],
            "fields": fields,
        }],
    })
}

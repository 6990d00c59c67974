//! Telegram.

use serde_json::{Map, Value};

use super::markup::mentions;
use super::settings::Settings;
use super::step::{Call, Error, Step, address, setup};
use crate::event::Event;
use crate::wording::emoji;

const API: &str = "https://api.telegram.org";
/// What has a meaning in Telegram's Markdown.
const SPECIAL: &str = "\\.-_[]()~>`#+=|{}!*";

/// A message to a chat, or to a thread of it.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    if settings.channel.is_empty() {
        return setup("empty Telegram channel");
    }
    let token = settings.required_token("empty Telegram token")?.expose_text().trim().to_owned();
    let object = &event.involved;
    let heading =
        format!("{} {}/{}/{}", emoji(event), object.kind.to_lowercase(), object.name, object.namespace);
    let mut text = format!("*{}*\n{}\n", escaped(&heading), escaped(&event.message));
    for (key, value) in &event.metadata {
        text.push_str(&format!("\\- *{}*: {}\n", escaped(key), escaped(value)));
    }
    let mut payload = Map::new();
    let (chat, thread) = match settings.channel.split_once(':') {
        Some((chat, thread)) => (chat, Some(thread)),
        None => (settings.channel.as_str(), None),
    };
    payload.insert("chat_id".to_owned(), chat.into());
    if let Some(thread) = thread.filter(|thread| !thread.is_empty()) {
        payload.insert("message_thread_id".to_owned(), thread.into());
    }
    payload.insert("text".to_owned(), text.into());
    payload.insert("parse_mode".to_owned(), "MarkdownV2".into());
    Ok(Call::post(address(&format!("{API}/bot{token}/sendMessage"))?, &Value::Object(payload)).last())
}

fn escaped(text: &str) -> String {
    mentions(text).chars().fold(String::with_capacity(text.len()), |mut out, character| {
        if SPECIAL.contains(character) {
            out.push('\\');
        }
        out.push(character);
        out
    })
}

//! Google Pub/Sub, through its REST interface.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use net::Secret;
use serde_json::json;

use super::google::login;
use super::settings::Settings;
use super::step::{Call, Error, Step, address, setup};
use crate::event::{Event, encode};

const API: &str = "https://pubsub.googleapis.com/v1";
const SCOPE: &str = "https://www.googleapis.com/auth/pubsub";

/// One message in a topic.
pub fn plan(settings: &Settings, event: &Event, now: Timestamp) -> Result<Step, Error> {
    if settings.address.is_empty() {
        return setup("GCP project ID cannot be empty");
    }
    if settings.channel.is_empty() {
        return setup("GCP Pub/Sub topic ID cannot be empty");
    }
    let mut message = json!({ "data": STANDARD.encode(encode(&event.json())) });
    if let (false, Some(message)) = (settings.headers.is_empty(), message.as_object_mut()) {
        message.insert("attributes".to_owned(), json!(settings.headers));
    }
    let url = address(&format!("{API}/projects/{}/topics/{}:publish", settings.address, settings.channel))?;
    let call =
        Call::post(url, &json!({ "messages": [message] })).context("error publishing to GCP Pub/Sub topic: ");
    login(settings, SCOPE, now, Box::new(move |token: &Secret| Ok(call.bearer(token)?.last())))
}

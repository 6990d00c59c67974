//! Matrix.

use http::Method;
use net::Secret;
use serde_json::json;

use super::markup::mentions;
use super::settings::Settings;
use super::step::{Call, Error, Step, address};
use crate::digest::sha1_hex;
use crate::event::{Event, encode};
use crate::wording::{dot_name, emoji};

/// A message to a room. The same event has the same transaction id, so a repetition is one message.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let transaction = sha1_hex(&encode(&event.json()));
    let url = address(&format!(
        "{}/_matrix/client/r0/rooms/{}/send/m.room.message/{transaction}",
        settings.address.trim_end_matches('/'),
        settings.channel
    ))?;
    let mut body = format!("{} {}\n{}\n", emoji(event), dot_name(event), event.message);
    for (key, value) in &event.metadata {
        body.push_str(&format!("- {key}: {value}\n"));
    }
    // The text is plain; a server looks for names in it all the same.
    let body = mentions(&body);
    let none = Secret::new(Vec::new());
    let call = Call::new(Method::PUT, url).json(&json!({ "body": body, "msgtype": "m.text" }));
    Ok(call.bearer(settings.token.as_ref().unwrap_or(&none))?.last())
}

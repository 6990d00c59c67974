//! `generic` and `generic-hmac`: the event itself, to any webhook.

use super::settings::Settings;
use super::step::{Call, Error, Step, address, setup};
use crate::digest;
use crate::event::{Event, encode};

/// POSTs the event.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    Ok(call(settings, event, encode(&event.json()))?.last())
}

/// POSTs the event with a signature of the bytes sent.
pub fn plan_signed(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let Some(key) = &settings.token else { return setup("HMAC key is empty") };
    let body = encode(&event.json());
    let signature = format!("sha256={}", digest::hmac_sha256_hex(key.expose(), &body));
    // After the headers of the Secret, which may not forge it.
    Ok(call(settings, event, body)?.value("x-signature", signature.as_bytes())?.last())
}

fn call(settings: &Settings, event: &Event, body: Vec<u8>) -> Result<Call, Error> {
    let mut call = Call::new(http::Method::POST, address(&settings.address)?)
        .bytes(body)
        .value("gotk-component", event.controller.as_bytes())?;
    for (name, value) in &settings.headers {
        call = call.value(name, value.as_bytes())?;
    }
    Ok(call)
}

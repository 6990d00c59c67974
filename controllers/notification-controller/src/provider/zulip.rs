//! Zulip.

use http::Method;

use super::markup;
use super::settings::Settings;
use super::step::{Call, Error, Step, address, setup, with_path};
use crate::event::Event;
use crate::wording::markdown;

/// A message to a topic of a stream.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let url = with_path(&address(&settings.address)?, "/api/v1/messages");
    let Some((stream, topic)) =
        settings.channel.split_once('/').filter(|(stream, topic)| !stream.is_empty() && !topic.is_empty())
    else {
        return setup(format!(
            "invalid Zulip channel '{}', expected to be <stream>/<topic>",
            settings.channel
        ));
    };
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("content", &markdown(event, markup::zulip, markup::mentions))
        .append_pair("to", stream)
        .append_pair("topic", topic)
        .append_pair("type", "stream")
        .finish();
    let call = Call::new(Method::POST, url)
        .bytes(form.into_bytes())
        .header("content-type", "application/x-www-form-urlencoded")
        .basic(&settings.username, settings.password_bytes())?;
    Ok(call.last())
}

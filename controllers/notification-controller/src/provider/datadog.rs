//! Datadog.

use serde_json::json;

use super::markup;
use super::settings::Settings;
use super::step::{Again, Call, Error, Step, address, with_path};
use crate::event::Event;

/// An event of the site.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let url = address(&settings.address)?;
    let token = settings.required_token("token cannot be empty")?;
    let object = &event.involved;
    let mut tags = vec![
        format!("flux_reporting_controller:{}", event.controller),
        format!("flux_reason:{}", event.reason),
        format!("kube_kind:{}", object.kind),
        format!("kube_name:{}", object.name),
        format!("kube_namespace:{}", object.namespace),
    ];
    tags.extend(event.metadata.iter().map(|(key, value)| format!("{key}:{value}")));
    let tags: Vec<String> = tags.iter().map(|tag| tag.to_lowercase()).collect();
    let payload = json!({
        "title": format!("Events from the {} {}/{}", object.kind, object.name, object.namespace),
        "text": markup::datadog(&event.message),
        "tags": tags,
        "source_type_name": "fluxcd",
        "date_happened": event.unix(),
        "alert_type": if event.is_error() { "error" } else { "info" },
    });
    let call = Call::post(with_path(&url, "/api/v1/events"), &payload).again(Again::Never);
    Ok(call.value("dd-api-key", token.expose())?.last())
}

//! PagerDuty.

use serde_json::json;

use super::settings::Settings;
use super::step::{Call, Error, Step, address, with_path};
use crate::event::{Event, INFO};
use crate::wording::{status_name, words};

/// Triggers an incident on failures; otherwise resolves it, and tells of the change.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let url = address(&settings.address)?;
    if event.reason == "Progressing" {
        return Ok(Step::Done);
    }
    let details = json!({ "message": event.message, "metadata": event.metadata });
    let time = event.rfc3339_or_zero();
    let summary = format!("{}: {}", words(&event.reason), status_name(event));
    let source = format!("Flux {}", event.controller);
    let first = if event.is_error() {
        json!({
            "routing_key": settings.channel,
            "event_action": "trigger",
            "dedup_key": event.involved.uid,
            "payload": {
                "summary": summary,
                "source": source,
                "severity": "error",
                "timestamp": time,
                "component": event.involved.name,
                "group": event.involved.kind,
                "custom_details": details,
            },
        })
    } else {
        json!({
            "routing_key": settings.channel,
            "event_action": "resolve",
            "dedup_key": event.involved.uid,
        })
    };
    let enqueue = Call::post(with_path(&url, "/v2/enqueue"), &first).context("failed sending event: ");
    if event.severity != INFO {
        return Ok(enqueue.last());
    }
    let change = json!({
        "routing_key": settings.channel,
        "payload": { "summary": summary, "source": source, "timestamp": time, "custom_details": details },
    });
    let change =
        Call::post(with_path(&url, "/v2/change/enqueue"), &change).context("failed sending change event: ");
    Ok(enqueue.then(|reply| reply.success().map(|_| change.last())))
}

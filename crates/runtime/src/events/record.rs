//! Sending events to the API server.

use std::time::Duration;

use api::meta::Timestamp;
use k8s_openapi::api::core::v1 as core;
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::correlate::{Correlator, Send};
use super::{Event, Severity, rfc3339};
use crate::client::{collection_path, create, merge_patch, object_path};
use crate::metrics::Family;
use crate::{Error, Key};

/// Longest that an event waits until no object is being reconciled. Who looks at events can wait that long; an API server
/// that is busy with applies and statuses should have them first.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a waiting event looks whether the work is done.
const LOOK: Duration = Duration::from_millis(50);

/// Sends until the queue is closed. After `stop` it sends what is queued and ends. Runs come first: an event waits until
/// `running` is zero, at most for [`PATIENCE`].
pub(super) async fn run(
    client: Client,
    controller: &'static str,
    host: String,
    running: Family,
    mut events: mpsc::Receiver<Event>,
    stop: CancellationToken,
) {
    let mut correlator = Correlator::default();
    let epoch = Instant::now();
    loop {
        let event = tokio::select! {
            biased;
            event = events.recv() => event,
            () = stop.cancelled() => events.try_recv().ok(),
        };
        let Some(event) = event else { return };
        while running.sum() > 0.0 && Timestamp::now() < event.at + PATIENCE {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => break,
            }
        }
        let sent = send(&client, controller, &host, &mut correlator, &event, epoch.elapsed()).await;
        if let Err(error) = sent {
            // An Event about an object whose namespace goes away is refused; nobody misses it.
            if error.status_code() != Some(403) && !error.is_not_found() {
                tracing::error!(error = %error, reason = event.reason, "unable to record event");
            }
        }
    }
}

async fn send(
    client: &Client,
    controller: &'static str,
    host: &str,
    correlator: &mut Correlator,
    event: &Event,
    now: Duration,
) -> Result<(), Error> {
    let namespace = event.involved.namespace.as_str();
    let (message, id) = match correlator.decide(event, now) {
        Send::Nothing => return Ok(()),
        Send::Create { message, id } => (message, id),
        Send::Repeat { name, message, count, id } => {
            let path = object_path::<core::Event>(&Key::new(namespace, &name));
            let patch = json!({ "count": count, "message": message, "lastTimestamp": rfc3339(event.at) });
            match merge_patch::<Value>(client, &path, controller, &patch).await {
                // It expired.
                Err(error) if error.is_not_found() => {
                    correlator.named(id, None);
                    (message, id)
                }
                result => return result.map(drop),
            }
        }
    };
    // The same form as client-go's names: unique within the object, as time goes on.
    let name = format!("{}.{:x}", event.involved.name, event.at.as_nanosecond());
    let path = collection_path::<core::Event>(Some(namespace));
    let object = object(controller, host, event, &name, &message);
    create::<Value>(client, &path, controller, &object).await?;
    correlator.named(id, Some(name));
    Ok(())
}

fn object(controller: &str, host: &str, event: &Event, name: &str, message: &str) -> Value {
    let time = rfc3339(event.at);
    let type_ = match event.severity {
        Severity::Warning => "Warning",
        Severity::Normal | Severity::Trace => "Normal",
    };
    let mut metadata = json!({ "name": name, "namespace": event.involved.namespace });
    if let (false, Some(metadata)) = (event.metadata.is_empty(), metadata.as_object_mut()) {
        metadata.insert("annotations".to_owned(), json!(event.metadata));
    }
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": metadata,
        "involvedObject": event.involved,
        "reason": event.reason,
        "message": truncated(message),
        "source": { "component": controller },
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
        "type": type_,
        "eventTime": null,
        "reportingComponent": controller,
        "reportingInstance": host,
    })
}

/// The API server refuses messages above 1 KiB only for the newer Events API; the older one stores any. Still, what no
/// screen shows need not be stored by the hundred.
fn truncated(message: &str) -> &str {
    message.get(..message.floor_char_boundary(32 * 1024)).unwrap_or(message)
}

//! Posting events to the notification endpoint.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Event, Involved, Severity, rfc3339};

/// Longest duration of one attempt.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// Pauses between attempts; one attempt more than there are pauses.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];

#[derive(Clone)]
pub(super) struct Poster {
    client: reqwest::Client,
    url: reqwest::Url,
    controller: &'static str,
    host: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    involved_object: &'a Involved,
    severity: &'static str,
    timestamp: String,
    message: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<String, String>,
    reporting_controller: &'static str,
    reporting_instance: &'a str,
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// Delivered, or known already.
    Done,
    /// Worth another attempt.
    Retry(String),
    /// Refused for good.
    Refused(String),
}

impl Poster {
    /// `None` when the address is empty or not a URL; the latter is logged.
    pub(super) fn new(address: &str, controller: &'static str, host: &str) -> Option<Self> {
        if address.is_empty() {
            return None;
        }
        let url = match reqwest::Url::parse(address) {
            Ok(url) => url,
            Err(error) => {
                tracing::error!(error = %error, "--events-addr is not a URL, events are not posted");
                return None;
            }
        };
        let client = reqwest::Client::builder().timeout(ATTEMPT_TIMEOUT).user_agent(controller).build();
        match client {
            Ok(client) => Some(Self { client, url, controller, host: host.to_owned() }),
            Err(error) => {
                tracing::error!(error = %error, "cannot make an HTTP client, events are not posted");
                None
            }
        }
    }

    pub(super) async fn run(self, mut events: mpsc::Receiver<Event>, stop: CancellationToken) {
        loop {
            let event = tokio::select! {
                biased;
                event = events.recv() => event,
                () = stop.cancelled() => events.try_recv().ok(),
            };
            let Some(event) = event else { return };
            if let Err(error) = self.deliver(&event, &stop).await {
                tracing::error!(
                    error,
                    "reconciler kind" = event.involved.kind,
                    name = event.involved.name,
                    namespace = event.involved.namespace,
                    "unable to record event"
                );
            }
        }
    }

    async fn deliver(&self, event: &Event, stop: &CancellationToken) -> Result<(), String> {
        let body = Body {
            involved_object: &event.involved,
            severity: if event.severity == Severity::Warning { "error" } else { "info" },
            timestamp: rfc3339(event.at),
            message: &event.message,
            reason: &event.reason,
            metadata: &event.metadata,
            reporting_controller: self.controller,
            reporting_instance: &self.host,
        };
        let mut pauses = PAUSES.iter();
        loop {
            let problem = match self.attempt(&body).await {
                Answer::Done => return Ok(()),
                Answer::Refused(problem) => return Err(problem),
                Answer::Retry(problem) => problem,
            };
            let Some(pause) = pauses.next() else { return Err(problem) };
            tokio::select! {
                () = tokio::time::sleep(*pause) => {}
                // No more time: what was not delivered at the first attempt is lost.
                () = stop.cancelled() => return Err(problem),
            }
        }
    }

    async fn attempt(&self, body: &Body<'_>) -> Answer {
        match self.client.post(self.url.clone()).json(body).send().await {
            Ok(answer) => judge(answer.status().as_u16()),
            Err(error) => Answer::Retry(error.without_url().to_string()),
        }
    }
}

fn judge(status: u16) -> Answer {
    match status {
        // 429 means that the event is a duplicate of one that was delivered.
        200..=299 | 429 => Answer::Done,
        501 => Answer::Refused("the event endpoint answered 501".to_owned()),
        500..=599 => Answer::Retry(format!("the event endpoint answered {status}")),
        _ => Answer::Refused(format!("the event endpoint answered {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged_as_flux_does() {
        for (status, expected) in [
            (200, "done"),
            (202, "done"),
            (429, "done"),
            (400, "refused"),
            (404, "refused"),
            (500, "retry"),
            (501, "refused"),
            (503, "retry"),
        ] {
            let judged = match judge(status) {
                Answer::Done => "done",
                Answer::Retry(_) => "retry",
                Answer::Refused(_) => "refused",
            };
            assert_eq!(judged, expected, "{status}");
        }
    }
}

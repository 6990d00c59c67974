//! Events: what happened to an object, told to Kubernetes and to the notification endpoint.
//!
//! A run hands an event over and goes on. Background tasks send it: to the API server as a core/v1 Event, folded with
//! equal ones and when the runs leave it time, and by HTTP to the address of `--events-addr`, in order for each object. When the queues are full, events
//! are dropped and counted: events must never hold up a run.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use api::meta::{Timestamp, keys};
use kube::{Client, Resource, ResourceExt as _};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::metrics::Metrics;

mod correlate;
mod post;
mod record;

/// Events that may wait for the API server.
const RECORD_QUEUE: usize = 8192;
/// Tasks that post; an object always uses the same one.
const POSTERS: usize = 4;
/// Events that may wait for each of them.
const POST_QUEUE: usize = 256;

/// Kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Something went as intended. Posted with severity `info`.
    Normal,
    /// Something failed. Posted with severity `error`.
    Warning,
    /// Of interest to who looks at the object only: a Normal Event in Kubernetes, not posted.
    Trace,
}

/// The object that an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Involved {
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// Group and version.
    pub api_version: String,
    /// The version of the object at the time.
    pub resource_version: String,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    involved: Involved,
    severity: Severity,
    reason: String,
    message: String,
    metadata: BTreeMap<String, String>,
    at: Timestamp,
}

/// Takes events in. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    records: mpsc::Sender<Event>,
    posters: Vec<mpsc::Sender<Event>>,
    metrics: Metrics,
    senders: TaskTracker,
}

impl Recorder {
    /// Starts the tasks that send. They end, after trying to send what waits, when every recorder is dropped or `stop` is
    /// cancelled.
    #[must_use]
    pub fn start(
        client: Client,
        controller: &'static str,
        address: &str,
        metrics: &Metrics,
        stop: &CancellationToken,
    ) -> Self {
        let (records, receiver) = mpsc::channel(RECORD_QUEUE);
        let host = host_name();
        let senders = TaskTracker::new();
        senders.spawn(record::run(
            client,
            controller,
            host.clone(),
            metrics.active_workers.clone(),
            receiver,
            stop.clone(),
        ));
        let posters = match post::Poster::new(address, controller, &host) {
            Some(poster) => (0..POSTERS)
                .map(|_| {
                    let (sender, receiver) = mpsc::channel(POST_QUEUE);
                    senders.spawn(poster.clone().run(receiver, stop.clone()));
                    sender
                })
                .collect(),
            None => Vec::new(),
        };
        senders.close();
        Self { records, posters, metrics: metrics.clone(), senders }
    }

    /// Waits until what was waiting when `stop` was cancelled is sent or given up.
    pub async fn drained(&self) {
        self.senders.wait().await;
    }

    /// Records an event about an object. The object's annotations with the event prefix join the metadata, and win.
    pub fn emit<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        severity: Severity,
        reason: impl AsRef<str>,
        message: impl Into<String>,
        mut metadata: BTreeMap<String, String>,
    ) {
        let annotations = object.annotations().iter().filter(|(key, _)| key.starts_with(keys::EVENT_PREFIX));
        metadata.extend(annotations.map(|(key, value)| (key.clone(), value.clone())));
        let involved = Involved {
            kind: K::kind(&()).into_owned(),
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            uid: object.uid().unwrap_or_default(),
            api_version: K::api_version(&()).into_owned(),
            resource_version: object.resource_version().unwrap_or_default(),
        };
        if involved.name.is_empty() || involved.namespace.is_empty() {
            tracing::error!(
                kind = involved.kind,
                "event about an object without name or namespace is dropped"
            );
            return;
        }
        let event = Event {
            involved,
            severity,
            reason: reason.as_ref().to_owned(),
            message: message.into(),
            metadata,
            at: Timestamp::now(),
        };
        if severity != Severity::Trace && !self.posters.is_empty() {
            let mut hasher = DefaultHasher::new();
            (&event.involved.kind, &event.involved.namespace, &event.involved.name).hash(&mut hasher);
            let index = usize::try_from(hasher.finish() % POSTERS as u64).unwrap_or(0);
            if self.posters.get(index).is_some_and(|poster| poster.try_send(event.clone()).is_err()) {
                self.dropped(&event, "the event endpoint is too slow");
            }
        }
        if let Err(error) = self.records.try_send(event) {
            self.dropped(&error.into_inner(), "the API server is too slow");
        }
    }

    fn dropped(&self, event: &Event, why: &str) {
        self.metrics.events_dropped.inc(&[]);
        tracing::error!(error = why, reason = event.reason, "unable to record event");
    }
}

/// The host's name, which in a cluster is the pod's.
#[must_use]
pub fn host_name() -> String {
    std::env::var("HOSTNAME")
        .ok()
        .filter(|name| !name.is_empty())
        .or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok())
        .map_or_else(|| "localhost".to_owned(), |name| name.trim().to_owned())
}

/// Kubernetes stores whole seconds.
fn rfc3339(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

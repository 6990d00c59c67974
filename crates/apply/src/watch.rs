//! One watch of one kind: list, then events, for as long as somebody is interested.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use futures::TryStreamExt as _;
use http_body_util::BodyExt as _;
use object::{ObjectRef, Owner};
use rand::RngExt as _;
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::cache::{Cache, Seen, key_of};
use crate::failure::Failure;
use crate::http::Accept;
use crate::hub::Hub;
use crate::lock;
use crate::mapping::Resource;
use crate::observation::{Observation, Shown, Thin, metadata_only};

/// Which objects of a kind are watched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Selection {
    /// Those with our owner label, in one namespace or (empty) everywhere.
    Owned { namespace: String },
    /// One object.
    Named { namespace: String, name: String },
    /// Those that a label selector picks in a namespace.
    Labelled { namespace: String, selector: String },
}

/// How a watch is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not listed yet, or cut off: what is cached may be old.
    Behind,
    /// The cache follows the cluster.
    Synced,
    /// The identity may not list or watch this.
    Forbidden,
    /// The kind is not served any more.
    Absent,
    /// Nobody was interested for long.
    Stopped,
}

/// A running watch and its cache.
pub(crate) struct Watch {
    pub resource: Arc<Resource>,
    selection: Selection,
    shown: Shown,
    cache: Mutex<Cache>,
    phase: tokio::sync::watch::Sender<Phase>,
    hub: Arc<Hub>,
    used: Mutex<Instant>,
    /// Rings when a pass wants the watch to be synced.
    wanted: Notify,
    /// Rings when the cache learned something.
    changed: Notify,
    /// The object whose health these ones tell (the Pods of a StatefulSet).
    stands_for: Option<ObjectRef>,
}

/// Keeps a watch running; dropping the last one stops it.
pub(crate) struct Running {
    pub watch: Arc<Watch>,
    pub since: Instant,
    _stop: DropGuard,
}

/// The server ends a watch after about this long, so that dead connections do not stay unnoticed.
const WATCH_SECONDS: std::ops::Range<u32> = 270..330;
/// No event and no bookmark for this long means that the connection is dead.
const SILENCE: Duration = Duration::from_secs(120 * 3);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
const PAGE: u32 = 500;
/// A watch that nobody used for this long and that holds nothing of ours stops.
const UNUSED: Duration = Duration::from_secs(600);
/// How long a reader waits for the first list.
const FIRST_LIST: Duration = Duration::from_secs(5);

impl Watch {
    /// Starts a watch. Its first list begins at once.
    pub fn start(
        hub: Arc<Hub>,
        resource: Arc<Resource>,
        selection: Selection,
        stands_for: Option<ObjectRef>,
    ) -> Running {
        let owned = matches!(selection, Selection::Owned { .. });
        let shown = if owned && metadata_only(&resource.gvk) { Shown::Metadata } else { Shown::Whole };
        let watch = Arc::new(Self {
            resource,
            selection,
            shown,
            cache: Mutex::default(),
            phase: tokio::sync::watch::Sender::new(Phase::Behind),
            hub,
            used: Mutex::new(Instant::now()),
            wanted: Notify::new(),
            changed: Notify::new(),
            stands_for,
        });
        let stop = CancellationToken::new();
        let (task, stopped) = (watch.clone(), stop.clone());
        tokio::spawn(async move {
            stopped.run_until_cancelled(task.run()).await;
        });
        Running { watch, since: Instant::now(), _stop: stop.drop_guard() }
    }

    /// The phase once the first list is through, or `Behind` when that takes too long.
    pub async fn settled_phase(&self) -> Phase {
        *lock(&self.used) = Instant::now();
        self.wanted.notify_waiters();
        let mut phase = self.phase.subscribe();
        let reached = tokio::time::timeout(FIRST_LIST, phase.wait_for(|p| *p != Phase::Behind)).await;
        match reached {
            Ok(Ok(phase)) => phase.clone(),
            _ => Phase::Behind,
        }
    }

    /// The phase right now.
    pub fn phase(&self) -> Phase {
        self.phase.borrow().clone()
    }

    /// Reads the cache.
    pub fn with<T>(&self, read: impl FnOnce(&mut Cache) -> T) -> T {
        read(&mut lock(&self.cache))
    }

    /// What is known of an object: `None` means that it is not there (given that the watch is synced).
    pub fn observed(&self, object: &ObjectRef) -> Option<Observation> {
        self.with(|cache| cache.observed(&key_of(&object.namespace, &object.name)).cloned())
    }

    /// Announces a write of ours, so that its events are not taken for somebody else's.
    pub fn writing(self: &Arc<Self>, object: &ObjectRef) -> Writing {
        let key = key_of(&object.namespace, &object.name);
        self.with(|cache| cache.begin(&key));
        Writing { watch: self.clone(), key, done: false }
    }

    /// Waits until `done` says so of the cache, or the deadline passes. Returns whether it did.
    pub async fn wait_until(&self, deadline: Instant, mut done: impl FnMut(&Cache) -> bool) -> bool {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.with(|cache| done(cache)) {
                return true;
            }
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return self.with(|cache| done(cache));
            }
        }
    }

    fn tell(&self, key: &str, seen: Seen) {
        if seen.fresh {
            self.changed.notify_waiters();
        }
        let waited_for = seen.fresh && self.hub.somebody_waits();
        if seen.notice.is_none() && !waited_for {
            return;
        }
        let (namespace, name) = key.split_once('/').unwrap_or(("", key));
        let object = ObjectRef {
            gvk: self.resource.gvk.clone(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        if waited_for {
            match &self.stands_for {
                Some(owner) => self.hub.touched(owner),
                None => {
                    let health = self.with(|c| c.observed(key).map(|o| o.health.clone()));
                    self.hub.seen(&object, health);
                }
            }
        }
        if let Some(notice) = seen.notice {
            self.hub.notify(object, notice);
        }
    }

    async fn run(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.list().await {
                Ok(version) => {
                    pause = FIRST_PAUSE;
                    self.phase.send_replace(Phase::Synced);
                    match self.follow(version).await {
                        Next::ListAgain => {}
                        Next::Stop(phase) => {
                            self.phase.send_replace(phase);
                            return;
                        }
                    }
                }
                Err(failure) if failure.is_forbidden() || failure.code == 401 => {
                    self.phase.send_replace(Phase::Forbidden);
                    return;
                }
                Err(failure) if failure.is_not_found() => {
                    self.phase.send_replace(Phase::Absent);
                    return;
                }
                Err(failure) => {
                    tracing::debug!(kind = %self.resource.gvk, error = %failure, "listing failed");
                    self.phase.send_replace(Phase::Behind);
                    self.pause(&mut pause).await;
                }
            }
        }
    }

    /// Waits before the next try, longer each time, but no longer than a moment once a pass wants the watch.
    async fn pause(&self, pause: &mut Duration) {
        let rest = jittered(pause);
        tokio::select! {
            () = sleep(rest) => {}
            () = async {
                sleep(FIRST_PAUSE).await;
                self.wanted.notified().await;
            } => {}
        }
    }

    fn query(&self) -> (String, String) {
        match &self.selection {
            Selection::Owned { namespace } => (
                self.resource.collection(namespace),
                format!("labelSelector={}", escape(&self.hub.policy.owner_labels().name)),
            ),
            Selection::Named { namespace, name } => (
                self.resource.collection(namespace),
                format!("fieldSelector={}", escape(&format!("metadata.name={name}"))),
            ),
            Selection::Labelled { namespace, selector } => {
                (self.resource.collection(namespace), format!("labelSelector={}", escape(selector)))
            }
        }
    }

    /// Lists everything selected and brings the cache up to it. Returns the version to watch from.
    async fn list(&self) -> Result<String, Failure> {
        let (path, select) = self.query();
        let accept = match self.shown {
            Shown::Whole => Accept::Object,
            Shown::Metadata => Accept::MetadataList,
        };
        let mut shown = HashSet::new();
        let mut cursor = String::new();
        loop {
            let mut query = format!("{path}?{select}&limit={PAGE}");
            if !cursor.is_empty() {
                query.push_str("&continue=");
                query.push_str(&escape(&cursor));
            }
            let answer = self.hub.http.get(&query, accept).await?;
            let page: Page<'_> = serde_json::from_slice(&answer.body)
                .map_err(|e| Failure::transport(format!("{path}: cannot read the list: {e}")))?;
            for thin in page.items.iter().flatten() {
                shown.insert(self.see(thin));
            }
            let version = page.metadata.resource_version.into_owned();
            cursor = page.metadata.next.unwrap_or_default().into_owned();
            if cursor.is_empty() {
                let at = version.parse().unwrap_or(0);
                let gone = self.with(|cache| cache.missing_from(&shown, at));
                for key in gone {
                    let seen = self.with(|cache| cache.lose(&key, at));
                    self.tell(&key, seen);
                }
                return Ok(version);
            }
        }
    }

    fn see(&self, thin: &Thin<'_>) -> String {
        let observed = thin.observe(&self.resource.gvk, self.shown, &self.hub.policy, jiff::Timestamp::now());
        let key = key_of(&observed.namespace, &observed.name);
        let seen = self.with(|cache| cache.see(&key, observed));
        self.tell(&key, seen);
        key
    }

    /// Follows the events from a version on, over as many connections as it takes.
    async fn follow(&self, mut version: String) -> Next {
        let mut pause = FIRST_PAUSE;
        loop {
            let started = Instant::now();
            match self.events(&mut version).await {
                Ok(()) => {
                    let idle = lock(&self.used).elapsed() > UNUSED;
                    if idle && matches!(self.selection, Selection::Owned { .. }) && !self.with(|c| c.in_use())
                    {
                        return Next::Stop(Phase::Stopped);
                    }
                    // A server that closes at once (it is shutting down) is not asked in a tight loop.
                    if started.elapsed() < Duration::from_secs(1) {
                        self.phase.send_replace(Phase::Behind);
                        self.pause(&mut pause).await;
                    } else {
                        pause = FIRST_PAUSE;
                    }
                }
                Err(failure) if failure.is_gone() => return Next::ListAgain,
                Err(failure) if failure.is_forbidden() => return Next::Stop(Phase::Forbidden),
                Err(failure) if failure.is_not_found() => return Next::Stop(Phase::Absent),
                Err(failure) => {
                    tracing::debug!(kind = %self.resource.gvk, error = %failure, "watch was cut off");
                    self.phase.send_replace(Phase::Behind);
                    self.pause(&mut pause).await;
                }
            }
        }
    }

    /// One connection's events. `Ok` when the server ended it in an orderly way.
    async fn events(&self, version: &mut String) -> Result<(), Failure> {
        let (path, select) = self.query();
        let accept = match self.shown {
            Shown::Whole => Accept::Object,
            Shown::Metadata => Accept::Metadata,
        };
        let seconds = rand::rng().random_range(WATCH_SECONDS);
        let query = format!(
            "{path}?{select}&watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={version}"
        );
        let body = self.hub.http.stream(&query, accept).await?;
        let mut chunks = body.into_data_stream();
        let mut lines = Lines::default();
        self.phase.send_if_modified(|phase| {
            let behind = *phase == Phase::Behind;
            *phase = Phase::Synced;
            behind
        });
        loop {
            let chunk = match tokio::time::timeout(SILENCE, chunks.try_next()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => return Err(Failure::transport(error.to_string())),
                Err(_) => return Err(Failure::transport("the watch connection is silent".to_owned())),
            };
            lines.push(chunk);
            while let Some(line) = lines.next() {
                if !line.is_empty() {
                    self.event(&line, version)?;
                }
            }
        }
    }

    fn event(&self, line: &[u8], version: &mut String) -> Result<(), Failure> {
        let event: Event<'_> = serde_json::from_slice(line)
            .map_err(|e| Failure::transport(format!("cannot read a watch event: {e}")))?;
        let thin = event.object;
        if event.kind == "ERROR" {
            return Err(Failure {
                code: thin.code.unwrap_or(0),
                reason: thin.reason.unwrap_or_default().into_owned(),
                message: thin.message.unwrap_or_default().into_owned(),
                manager_conflict: false,
                about: String::new(),
            });
        }
        let at = thin.metadata.resource_version.as_ref();
        version.clear();
        version.push_str(at);
        match event.kind {
            "ADDED" | "MODIFIED" => {
                self.see(&thin);
            }
            "DELETED" => {
                let at = at.parse().unwrap_or(u64::MAX);
                let key = thin.key();
                let seen = self.with(|cache| cache.lose(&key, at));
                self.tell(&key, seen);
            }
            // BOOKMARK carries only the version.
            _ => {}
        }
        Ok(())
    }
}

enum Next {
    ListAgain,
    Stop(Phase),
}

/// A write of ours under way. Dropped without an answer, it leaves the object's state unknown, and the next pass asks.
pub(crate) struct Writing {
    watch: Arc<Watch>,
    key: String,
    done: bool,
}

impl Writing {
    /// The answer of the API server came.
    pub fn finish(mut self, answer: Observation, manifest: u64, owner: &Owner) {
        self.done = true;
        let seen = self.watch.with(|cache| cache.finish(&self.key, answer, manifest, owner));
        self.watch.tell(&self.key, seen);
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.done {
            self.watch.with(|cache| cache.abort(&self.key));
        }
    }
}

fn jittered(pause: &mut Duration) -> Duration {
    let factor = rand::rng().random_range(0.8..1.2);
    let now = pause.mul_f64(factor);
    *pause = (*pause * 2).min(LONGEST_PAUSE);
    now
}

/// Percent-encodes a query value.
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len() + 8);
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// Cuts a stream of chunks into lines. A line that lies in one chunk is not copied.
#[derive(Default)]
struct Lines {
    pending: BytesMut,
    chunk: Bytes,
}

impl Lines {
    fn push(&mut self, chunk: Bytes) {
        // Called when `next` has used up the chunk before.
        self.chunk = chunk;
    }

    fn next(&mut self) -> Option<Bytes> {
        match self.chunk.iter().position(|b| *b == b'\n') {
            Some(end) => {
                let head = self.chunk.split_to(end);
                self.chunk.advance(1);
                if self.pending.is_empty() {
                    return Some(head);
                }
                self.pending.extend_from_slice(&head);
                Some(self.pending.split().freeze())
            }
            None => {
                self.pending.extend_from_slice(&self.chunk);
                self.chunk.clear();
                None
            }
        }
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    object: Thin<'a>,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    metadata: PageMetadata<'a>,
    /// Null when there are none, for some kinds.
    #[serde(borrow, default)]
    items: Option<Vec<Thin<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMetadata<'a> {
    #[serde(borrow)]
    resource_version: std::borrow::Cow<'a, str>,
    #[serde(borrow, rename = "continue")]
    next: Option<std::borrow::Cow<'a, str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_across_chunks() {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for chunk in ["ab\ncd", "e", "f\n\ng", "\n"] {
            lines.push(Bytes::from_static(chunk.as_bytes()));
            while let Some(line) = lines.next() {
                found.push(String::from_utf8(line.to_vec()).unwrap());
            }
        }
        assert_eq!(found, ["ab", "cdef", "", "g"]);
    }

    #[test]
    fn query_values() {
        assert_eq!(escape("kustomize.toolkit.fluxcd.io/name"), "kustomize.toolkit.fluxcd.io%2Fname");
        assert_eq!(escape("metadata.name=a b"), "metadata.name%3Da%20b");
    }
}

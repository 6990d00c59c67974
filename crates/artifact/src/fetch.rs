//! The consumer's side: download once, verify, index, share.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use url::Url;

use crate::{Digest, Error, HashingWriter, Limits, Result, Tree};

/// Where an artifact is and what it must hash to: the fields of `status.artifact` that a consumer needs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// `status.artifact.url`.
    pub url: String,
    /// `status.artifact.digest`. An empty one is refused.
    pub digest: String,
}

/// How a [`Fetcher`] behaves.
#[derive(Debug, Clone)]
pub struct FetcherOptions {
    /// Tries after the first one, on broken connections, 429 and 5xx. Default 9 (`--http-retry`).
    pub retries: u32,
    /// Wait before the first retry; it doubles each time. Default 5 s.
    pub wait_min: Duration,
    /// Longest wait between tries. Default 30 s.
    pub wait_max: Duration,
    /// Time without a byte after which a connection counts as broken. Default 30 s.
    pub stall: Duration,
    /// What an archive may hold.
    pub limits: Limits,
    /// Trees kept although nobody uses them. Default 16.
    pub trees: usize,
    /// Bytes on disk of trees kept although nobody uses them. Default 512 MiB.
    pub tree_bytes: u64,
    /// Replaces the host of artifact URLs (`SOURCE_CONTROLLER_LOCALHOST`), for a controller outside the cluster.
    pub source_controller: Option<String>,
    /// The same for URLs with `//source-watcher` (`SOURCE_WATCHER_LOCALHOST`).
    pub source_watcher: Option<String>,
}

impl Default for FetcherOptions {
    fn default() -> Self {
        FetcherOptions {
            retries: 9,
            wait_min: Duration::from_secs(5),
            wait_max: Duration::from_secs(30),
            stall: Duration::from_secs(30),
            limits: Limits::default(),
            trees: 16,
            tree_bytes: 512 << 20,
            source_controller: None,
            source_watcher: None,
        }
    }
}

type Flight = Shared<BoxFuture<'static, std::result::Result<Arc<Tree>, Arc<Error>>>>;

/// Downloads artifacts and keeps the recently used ones as [`Tree`]s.
///
/// A hundred objects that follow one revision cause one download and one decompression: trees are cached by digest, and
/// callers who ask for the same artifact at the same time wait for the same download. A download runs on as long as one
/// of them waits, and ends when all have gone.
#[derive(Clone)]
pub struct Fetcher {
    inner: Arc<Inner>,
}

struct Inner {
    client: reqwest::Client,
    options: FetcherOptions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Least recently used first.
    kept: Vec<(Digest, Arc<Tree>)>,
    /// Trees that were dropped from `kept` while somebody still used them.
    used: HashMap<Digest, Weak<Tree>>,
    flights: HashMap<Reference, Flight>,
}

impl Fetcher {
    /// A fetcher that downloads through `client`.
    pub fn new(client: reqwest::Client, options: FetcherOptions) -> Self {
        Fetcher { inner: Arc::new(Inner { client, options, state: Mutex::default() }) }
    }

    /// The tree of an artifact if it is at hand, without any request.
    pub fn cached(&self, reference: &Reference) -> Option<Arc<Tree>> {
        let digest = reference.digest.parse().ok()?;
        self.inner.lookup(&digest)
    }

    /// The verified tree of an artifact, downloaded if need be.
    ///
    /// # Errors
    /// [`Error::is_not_found`] when the server has no such file; [`Error::is_transient`] when all retries failed;
    /// otherwise the artifact itself is bad.
    pub async fn fetch(&self, reference: &Reference) -> Result<Arc<Tree>> {
        let digest: Digest = reference.digest.parse()?;
        let url = self.inner.resolve(&reference.url)?;
        if let Some(tree) = self.inner.lookup(&digest) {
            return Ok(tree);
        }
        let flight = {
            let mut state = self.inner.state();
            match state.flights.get(reference) {
                Some(flight) => flight.clone(),
                None => {
                    let inner = Arc::clone(&self.inner);
                    let flight = inner.download(url, digest).boxed().shared();
                    state.flights.insert(reference.clone(), flight.clone());
                    flight
                }
            }
        };
        let landed = Landing { inner: &self.inner, reference };
        let result = flight.await;
        drop(landed);
        result.map_err(Error::from)
    }

    /// The verified bytes of an artifact that is not looked into as a tree, such as a chart. Nothing is kept, and callers
    /// who ask at the same time download each for themselves.
    ///
    /// # Errors
    /// As [`Fetcher::fetch`].
    pub async fn file(&self, reference: &Reference) -> Result<File> {
        let digest: Digest = reference.digest.parse()?;
        let url = self.inner.resolve(&reference.url)?;
        self.inner.persist(&url, &digest).await
    }
}

/// Forgets a flight when a waiter is done with it, also when the waiter is cancelled and was the last one.
struct Landing<'a> {
    inner: &'a Inner,
    reference: &'a Reference,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let mut state = self.inner.state();
        let over = state.flights.get(self.reference).is_some_and(|flight| {
            // One handle is in the map; a cancelled waiter's own handle is dropped after this guard.
            flight.peek().is_some() || flight.strong_count().is_none_or(|count| count <= 2)
        });
        if over {
            state.flights.remove(self.reference);
        }
    }
}

impl Inner {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lookup(&self, digest: &Digest) -> Option<Arc<Tree>> {
        let mut state = self.state();
        if let Some(at) = state.kept.iter().position(|(kept, _)| kept == digest) {
            let entry = state.kept.remove(at);
            let tree = Arc::clone(&entry.1);
            state.kept.push(entry);
            return Some(tree);
        }
        let tree = state.used.get(digest)?.upgrade()?;
        drop(state);
        self.keep(digest.clone(), Arc::clone(&tree));
        Some(tree)
    }

    fn keep(&self, digest: Digest, tree: Arc<Tree>) {
        let mut state = self.state();
        state.kept.retain(|(kept, _)| *kept != digest);
        state.kept.push((digest, tree));
        let over = |kept: &[(Digest, Arc<Tree>)]| {
            kept.len() > self.options.trees.max(1)
                || (kept.len() > 1
                    && kept.iter().map(|(_, t)| t.bytes()).sum::<u64>() > self.options.tree_bytes)
        };
        while over(&state.kept) {
            let (digest, tree) = state.kept.remove(0);
            state.used.insert(digest, Arc::downgrade(&tree));
        }
        state.used.retain(|_, tree| tree.strong_count() > 0);
    }

    /// The URL to use, with the host replaced when the environment says so.
    fn resolve(&self, text: &str) -> Result<Url> {
        let invalid = |reason: String| Error::InvalidUrl { url: text.to_owned(), reason };
        let mut url = Url::parse(text).map_err(|error| invalid(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid("its scheme is neither http nor https".to_owned()));
        }
        let watcher = self.options.source_watcher.as_deref().filter(|_| text.contains("//source-watcher"));
        if let Some(host) = watcher.or(self.options.source_controller.as_deref()) {
            let replacement = Url::parse(&format!("http://{host}"))
                .map_err(|error| invalid(format!("its replacement host '{host}' is invalid: {error}")))?;
            url.set_host(replacement.host_str())
                .map_err(|error| invalid(format!("its replacement host '{host}' is invalid: {error}")))?;
            url.set_port(replacement.port()).map_err(|()| invalid("it cannot have a port".to_owned()))?;
        }
        Ok(url)
    }

    async fn download(
        self: Arc<Self>,
        url: Url,
        digest: Digest,
    ) -> std::result::Result<Arc<Tree>, Arc<Error>> {
        let file = self.persist(&url, &digest).await.map_err(Arc::new)?;
        let limits = self.options.limits;
        let tree = tokio::task::spawn_blocking(move || Tree::read(file, limits))
            .await
            .map_err(|error| Error::Malformed(std::io::Error::other(error)))
            .and_then(|tree| tree)
            .map_err(Arc::new)?;
        let tree = Arc::new(tree);
        self.keep(digest, Arc::clone(&tree));
        Ok(tree)
    }

    /// GETs until one succeeds or the retries are used up.
    async fn persist(&self, url: &Url, digest: &Digest) -> Result<File> {
        let mut wait = self.options.wait_min;
        let mut left = self.options.retries;
        loop {
            match self.attempt(url, digest).await {
                Ok(file) => return Ok(file),
                Err(error) if error.is_transient() && left > 0 => {
                    tracing::debug!(%error, "artifact download will be tried again");
                    left -= 1;
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(self.options.wait_max);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One GET into an unlinked file whose digest has been checked.
    async fn attempt(&self, url: &Url, digest: &Digest) -> Result<File> {
        let transport =
            |error: &dyn std::error::Error| Error::Transport { url: url.to_string(), reason: causes(error) };
        let stalled =
            |_| Error::Transport { url: url.to_string(), reason: "the server stopped answering".to_owned() };
        let mut response = tokio::time::timeout(self.options.stall, self.client.get(url.clone()).send())
            .await
            .map_err(stalled)?
            .map_err(|error| transport(&error.without_url()))?;
        match response.status() {
            http::StatusCode::OK => {}
            http::StatusCode::NOT_FOUND => return Err(Error::NotFound { url: url.to_string() }),
            status => return Err(Error::Status { url: url.to_string(), status }),
        }
        let limit = self.options.limits.download_bytes;
        let temporary = || Error::io("write a temporary file in", &std::env::temp_dir());
        let file = tempfile::tempfile().map_err(temporary())?;
        let mut writer = HashingWriter::new(digest.algorithm(), BufWriter::new(file));
        loop {
            let chunk = tokio::time::timeout(self.options.stall, response.chunk())
                .await
                .map_err(stalled)?
                .map_err(|error| transport(&error.without_url()))?;
            let Some(chunk) = chunk else { break };
            if writer.size() + chunk.len() as u64 > limit {
                return Err(Error::LimitExceeded { what: "bytes of download", limit });
            }
            writer.write_all(&chunk).map_err(temporary())?;
        }
        let (buffered, computed, _) = writer.finish();
        if computed != *digest {
            return Err(Error::DigestMismatch {
                url: url.to_string(),
                expected: digest.to_string(),
                computed: computed.to_string(),
            });
        }
        let mut file = buffered.into_inner().map_err(|error| temporary()(error.into_error()))?;
        file.seek(SeekFrom::Start(0)).map_err(temporary())?;
        Ok(file)
    }
}

/// An error with its causes, each once, in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, FileMode, Writer};
    use axum::Router;
    use axum::extract::State;
    use axum::http::StatusCode;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn archive(contents: &[u8]) -> (Vec<u8>, String) {
        let mut writer = Writer::new(Vec::new()).unwrap();
        writer.file("f", FileMode::Regular, contents).unwrap();
        let bytes = writer.finish().unwrap();
        let digest = Algorithm::Sha256.digest(&bytes).to_string();
        (bytes, digest)
    }

    /// Answers each request with the next of these statuses, then with the last one for ever.
    struct Script {
        statuses: Vec<u16>,
        body: Vec<u8>,
        requests: AtomicUsize,
    }

    async fn start(statuses: &[u16], body: Vec<u8>) -> (String, Arc<Script>) {
        let script = Arc::new(Script { statuses: statuses.to_vec(), body, requests: AtomicUsize::new(0) });
        let app = Router::new()
            .fallback(|State(script): State<Arc<Script>>| async move {
                let n = script.requests.fetch_add(1, Ordering::SeqCst);
                let status = script.statuses[n.min(script.statuses.len() - 1)];
                (StatusCode::from_u16(status).unwrap(), script.body.clone())
            })
            .with_state(Arc::clone(&script));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/a.tar.gz", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (url, script)
    }

    fn fetcher(options: FetcherOptions) -> Fetcher {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let wait = Duration::from_millis(1);
        Fetcher::new(client, FetcherOptions { wait_min: wait, wait_max: wait, ..options })
    }

    #[tokio::test]
    async fn many_callers_cause_one_download() {
        let (bytes, digest) = archive(b"x");
        let (url, script) = start(&[200], bytes).await;
        let fetcher = fetcher(FetcherOptions::default());
        let reference = Reference { url, digest };
        let trees = futures::future::join_all((0..50).map(|_| fetcher.fetch(&reference))).await;
        for tree in trees {
            assert_eq!(tree.unwrap().contents("f").unwrap(), b"x");
        }
        fetcher.fetch(&reference).await.unwrap();
        assert!(fetcher.cached(&reference).is_some());
        assert_eq!(script.requests.load(Ordering::SeqCst), 1);
        assert!(fetcher.inner.state().flights.is_empty());
    }

    #[tokio::test]
    async fn server_errors_are_retried_and_404_is_not() {
        let (bytes, digest) = archive(b"x");
        let (url, script) = start(&[500, 503, 429, 200], bytes).await;
        fetcher(FetcherOptions::default()).fetch(&Reference { url, digest: digest.clone() }).await.unwrap();
        assert_eq!(script.requests.load(Ordering::SeqCst), 4);

        let (url, script) = start(&[404], Vec::new()).await;
        let fetcher = fetcher(FetcherOptions { retries: 2, ..FetcherOptions::default() });
        let error = fetcher.fetch(&Reference { url, digest: digest.clone() }).await.unwrap_err();
        assert!(error.is_not_found() && !error.is_transient(), "{error}");
        assert_eq!(script.requests.load(Ordering::SeqCst), 1);

        let (url, script) = start(&[500], Vec::new()).await;
        let error = fetcher.fetch(&Reference { url: url.clone(), digest: digest.clone() }).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("failed to download artifact from {url}, status: 500 Internal Server Error")
        );
        assert_eq!(script.requests.load(Ordering::SeqCst), 3);

        let (url, script) = start(&[403], Vec::new()).await;
        assert!(fetcher.fetch(&Reference { url, digest }).await.is_err());
        assert_eq!(script.requests.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_failed_download_is_not_remembered() {
        let (bytes, digest) = archive(b"x");
        let (url, _) = start(&[404, 200], bytes).await;
        let fetcher = fetcher(FetcherOptions::default());
        let reference = Reference { url, digest };
        assert!(fetcher.fetch(&reference).await.is_err());
        assert!(fetcher.fetch(&reference).await.is_ok());
    }

    #[tokio::test]
    async fn wrong_digest_and_bad_archives_are_refused() {
        let (bytes, _) = archive(b"x");
        let (_, other) = archive(b"y");
        let (url, _) = start(&[200], bytes).await;
        let fetcher = fetcher(FetcherOptions::default());
        let error = fetcher.fetch(&Reference { url: url.clone(), digest: other }).await.unwrap_err();
        assert!(error.to_string().contains("does not match its digest"), "{error}");
        assert!(fetcher.fetch(&Reference { url, digest: String::new() }).await.is_err());

        let junk = b"no archive".to_vec();
        let digest = Algorithm::Sha256.digest(&junk).to_string();
        let (url, _) = start(&[200], junk).await;
        let error = fetcher.fetch(&Reference { url, digest }).await.unwrap_err();
        assert!(error.to_string().contains("not a readable"), "{error}");
    }

    #[tokio::test]
    async fn size_limit_holds_while_downloading() {
        let (bytes, digest) = archive(&vec![1; 100_000]);
        let limits = Limits { download_bytes: bytes.len() as u64 - 1, ..Limits::default() };
        let (url, _) = start(&[200], bytes).await;
        let error = fetcher(FetcherOptions { limits, ..FetcherOptions::default() })
            .fetch(&Reference { url, digest })
            .await
            .unwrap_err();
        assert!(error.to_string().contains("bytes of download"), "{error}");
    }

    #[tokio::test]
    async fn cache_is_bounded_but_trees_in_use_are_shared() {
        let fetcher = fetcher(FetcherOptions { trees: 1, ..FetcherOptions::default() });
        let (bytes, digest) = archive(b"1");
        let (url, script) = start(&[200], bytes).await;
        let first = Reference { url, digest };
        let held = fetcher.fetch(&first).await.unwrap();
        let (bytes, digest) = archive(b"2");
        let (url, _) = start(&[200], bytes).await;
        let second = Reference { url, digest };
        fetcher.fetch(&second).await.unwrap();
        assert!(Arc::ptr_eq(&held, &fetcher.fetch(&first).await.unwrap()), "somebody still holds it");
        assert_eq!(script.requests.load(Ordering::SeqCst), 1);
        drop(held);
        fetcher.fetch(&second).await.unwrap();
        assert!(fetcher.cached(&first).is_none());
    }

    #[tokio::test]
    async fn a_cancelled_download_can_start_again() {
        let (bytes, digest) = archive(b"x");
        let (url, _) = start(&[500, 200], bytes).await;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let slow = FetcherOptions { wait_min: Duration::from_secs(3600), ..FetcherOptions::default() };
        let fetcher = Fetcher::new(client, slow);
        let reference = Reference { url, digest };
        // The first answer is an error and the retry is an hour away: give up waiting.
        let waiting = fetcher.fetch(&reference);
        assert!(tokio::time::timeout(Duration::from_millis(200), waiting).await.is_err());
        assert!(fetcher.inner.state().flights.is_empty());
        assert!(fetcher.fetch(&reference).await.is_ok());
    }

    #[test]
    fn hosts_can_be_replaced() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = FetcherOptions {
            source_controller: Some("localhost:9090".into()),
            source_watcher: Some("127.0.0.1".into()),
            ..FetcherOptions::default()
        };
        let fetcher = Fetcher::new(reqwest::Client::new(), options);
        let url = |text| fetcher.inner.resolve(text).unwrap().to_string();
        assert_eq!(
            url("http://source-controller.flux-system.svc.cluster.local./gitrepository/a/b/c.tar.gz"),
            "http://localhost:9090/gitrepository/a/b/c.tar.gz"
        );
        assert_eq!(url("http://source-watcher.flux-system:81/x"), "http://127.0.0.1/x");
        assert!(fetcher.inner.resolve("file:///etc/passwd").is_err());
        assert!(fetcher.inner.resolve("nonsense").is_err());
    }
}

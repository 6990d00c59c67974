//! Downloads: artifacts are fetched without holding a worker. A fast one is awaited; a slow or failing one goes on by
//! itself, one task an artifact however many objects want it, and wakes them when it is over.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use artifact::{Fetcher, Reference, Tree};
use runtime::Key;

/// How long a worker waits for a download before it turns to something else.
const PATIENCE: Duration = Duration::from_millis(500);

/// What became of a download.
#[derive(Debug, Clone)]
pub enum Download {
    /// It is there and verified.
    Tree(Arc<Tree>),
    /// The server has no such file: the source will produce another.
    NotFound,
    /// It failed for good.
    Failed(String),
    /// It goes on; the object is woken when it is over.
    Pending,
}

/// The downloads of a process.
#[derive(Clone)]
pub struct Downloads {
    fetcher: Fetcher,
    wake: Arc<dyn Fn(&Key) + Send + Sync>,
    state: Arc<Mutex<HashMap<Reference, State>>>,
}

struct State {
    /// Who is woken at the end, or, when it is over, has yet to hear of it.
    waiting: BTreeSet<Key>,
    failure: Option<Download>,
}

impl Downloads {
    /// Downloads through `fetcher`; `wake` is told of each object whose download is over.
    pub fn new(fetcher: Fetcher, wake: impl Fn(&Key) + Send + Sync + 'static) -> Self {
        Downloads { fetcher, wake: Arc::new(wake), state: Arc::default() }
    }

    /// The tree of an artifact for an object.
    pub async fn get(&self, reference: &Reference, key: &Key) -> Download {
        if let Some(tree) = self.fetcher.cached(reference) {
            return Download::Tree(tree);
        }
        if let Some(failure) = self.enlist(reference, key) {
            return failure;
        }
        match tokio::time::timeout(PATIENCE, self.fetcher.fetch(reference)).await {
            Err(_) => Download::Pending,
            Ok(result) => {
                self.leave(reference, key);
                outcome(result)
            }
        }
    }

    /// Joins a download, starting it if need be; or hears of the failure of one that it waited for.
    fn enlist(&self, reference: &Reference, key: &Key) -> Option<Download> {
        let mut state = self.state();
        if let Some(download) = state.get_mut(reference) {
            let Some(failure) = download.failure.clone() else {
                download.waiting.insert(key.clone());
                return None;
            };
            let waited = download.waiting.remove(key);
            if download.waiting.is_empty() {
                state.remove(reference);
            }
            if waited {
                return Some(failure);
            }
        }
        let waiting = BTreeSet::from([key.clone()]);
        state.insert(reference.clone(), State { waiting, failure: None });
        let (this, reference) = (self.clone(), reference.clone());
        tokio::spawn(async move {
            let result = this.fetcher.fetch(&reference).await;
            this.over(&reference, outcome(result));
        });
        None
    }

    fn leave(&self, reference: &Reference, key: &Key) {
        if let Some(download) = self.state().get_mut(reference) {
            download.waiting.remove(key);
        }
    }

    fn over(&self, reference: &Reference, result: Download) {
        let waiting = {
            let mut state = self.state();
            let Some(download) = state.get_mut(reference) else { return };
            let waiting = download.waiting.clone();
            if waiting.is_empty() || matches!(result, Download::Tree(_)) {
                state.remove(reference);
            } else {
                download.failure = Some(result);
            }
            waiting
        };
        for key in &waiting {
            (self.wake)(key);
        }
    }

    fn state(&self) -> MutexGuard<'_, HashMap<Reference, State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn outcome(result: artifact::Result<Arc<Tree>>) -> Download {
    match result {
        Ok(tree) => Download::Tree(tree),
        Err(error) if error.is_not_found() => Download::NotFound,
        Err(error) => Download::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use artifact::{Algorithm, FetcherOptions, FileMode, Writer};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::mpsc;

    fn archive() -> (Vec<u8>, String) {
        let mut writer = Writer::new(Vec::new()).unwrap();
        writer.file("f", FileMode::Regular, b"x").unwrap();
        let bytes = writer.finish().unwrap();
        let digest = Algorithm::Sha256.digest(&bytes).to_string();
        (bytes, digest)
    }

    /// A server that answers each request with the next of these heads, after the previous one was let go.
    async fn server(answers: Vec<(&'static str, Vec<u8>)>) -> (String, mpsc::Sender<()>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/a.tar.gz", listener.local_addr().unwrap());
        let (release, mut released) = mpsc::channel::<()>(16);
        tokio::spawn(async move {
            for (status, body) in answers {
                let (mut socket, _) = listener.accept().await.unwrap();
                let _ = socket.read(&mut [0; 4096]).await;
                released.recv().await;
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                socket.write_all(head.as_bytes()).await.unwrap();
                socket.write_all(&body).await.unwrap();
            }
        });
        (url, release)
    }

    fn downloads(retries: u32) -> (Downloads, mpsc::UnboundedReceiver<Key>) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let wait = Duration::from_millis(1);
        let options = FetcherOptions { retries, wait_min: wait, wait_max: wait, ..FetcherOptions::default() };
        let (woken, receiver) = mpsc::unbounded_channel();
        (Downloads::new(Fetcher::new(client, options), move |key| woken.send(key.clone()).unwrap()), receiver)
    }

    #[tokio::test]
    async fn a_slow_download_wakes_those_who_wait() {
        let (bytes, digest) = archive();
        let (url, release) = server(vec![("200 OK", bytes)]).await;
        let (downloads, mut woken) = downloads(0);
        let reference = Reference { url, digest };
        let (a, b) = (Key::new("ns", "a"), Key::new("ns", "b"));
        let (first, second) = tokio::join!(downloads.get(&reference, &a), downloads.get(&reference, &b));
        assert!(matches!((first, second), (Download::Pending, Download::Pending)));
        release.send(()).await.unwrap();
        assert_eq!([woken.recv().await.unwrap(), woken.recv().await.unwrap()], [a.clone(), b]);
        assert!(matches!(downloads.get(&reference, &a).await, Download::Tree(_)));
        assert!(downloads.state().is_empty());
    }

    #[tokio::test]
    async fn a_fast_download_is_awaited_and_failures_are_told() {
        let (bytes, digest) = archive();
        let (url, release) =
            server(vec![("404 Not Found", vec![]), ("403 Forbidden", vec![]), ("200 OK", bytes)]).await;
        for _ in 0..3 {
            release.send(()).await.unwrap();
        }
        let (downloads, _woken) = downloads(0);
        let reference = Reference { url, digest };
        let key = Key::new("ns", "a");
        assert!(matches!(downloads.get(&reference, &key).await, Download::NotFound));
        tokio::task::yield_now().await;
        let failed = loop {
            match downloads.get(&reference, &key).await {
                Download::NotFound => tokio::task::yield_now().await,
                other => break other,
            }
        };
        assert!(matches!(failed, Download::Failed(text) if text.contains("403 Forbidden")));
        loop {
            if matches!(downloads.get(&reference, &key).await, Download::Tree(_)) {
                break;
            }
        }
    }

    #[tokio::test]
    async fn a_failure_is_heard_by_each_who_waited() {
        let (_, digest) = archive();
        let (url, release) = server(vec![("500 Oops", vec![])]).await;
        let (downloads, mut woken) = downloads(0);
        let reference = Reference { url, digest };
        let keys = [Key::new("ns", "a"), Key::new("ns", "b")];
        for key in &keys {
            assert!(matches!(downloads.get(&reference, key).await, Download::Pending));
        }
        release.send(()).await.unwrap();
        for key in &keys {
            woken.recv().await.unwrap();
            assert!(matches!(downloads.get(&reference, key).await, Download::Failed(_)));
        }
        assert!(downloads.state().is_empty());
    }
}

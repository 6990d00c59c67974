//! Charts: downloaded once, loaded once, and shared by all releases that are made of them at a time.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use api::meta::Artifact;
use artifact::{Fetcher, Reference};
use chart::{ArchiveLimits, Chart};
use tokio::sync::OnceCell;

/// Charts that are kept although no release is being made of them.
const KEPT: usize = 4;

/// Why there is no chart.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The server has no such file: the source will make another.
    #[error("failed to download chart from '{0}': file not found")]
    NotFound(String),
    /// The bytes are not those of the source.
    #[error("integrity failure: computed digest doesn't match '{0}'")]
    Integrity(String),
    /// A digest that is none.
    #[error("failed to parse digest '{digest}': {why}")]
    Digest {
        /// The text.
        digest: String,
        /// Why it is none.
        why: String,
    },
    /// The server answered something else than the file.
    #[error("failed to download chart from '{url}' (status: {status})")]
    Status {
        /// Where it was asked for.
        url: String,
        /// What was answered.
        status: String,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// The charts of a process.
#[derive(Clone)]
pub struct Charts {
    fetcher: Fetcher,
    state: Arc<Mutex<State>>,
}

type Loading = Arc<OnceCell<Arc<Chart>>>;

#[derive(Default)]
struct State {
    /// By URL and digest: downloads that go on.
    loading: HashMap<Reference, Loading>,
    /// By digest: all that somebody holds.
    held: HashMap<String, Weak<Chart>>,
    /// Least recently used first.
    kept: Vec<(String, Arc<Chart>)>,
}

impl Charts {
    /// Downloads through `fetcher`.
    pub fn new(fetcher: Fetcher) -> Self {
        Charts { fetcher, state: Arc::default() }
    }

    /// The chart of an artifact. Those who ask at the same time wait for the same download.
    ///
    /// # Errors
    /// What stands in the way.
    pub async fn get(&self, artifact: &Artifact) -> Result<Arc<Chart>, Error> {
        let reference = Reference { url: artifact.url.clone(), digest: artifact.digest.clone() };
        let loading = {
            let mut state = self.state();
            if let Some(chart) = state.held.get(&artifact.digest).and_then(Weak::upgrade) {
                state.keep(&artifact.digest, &chart);
                return Ok(chart);
            }
            Arc::clone(state.loading.entry(reference.clone()).or_default())
        };
        let loaded = loading.get_or_try_init(|| self.load(&reference)).await.cloned();
        let mut state = self.state();
        if Arc::strong_count(&loading) <= 2 || loaded.is_ok() {
            state.loading.remove(&reference);
        }
        let chart = loaded?;
        state.keep(&artifact.digest, &chart);
        Ok(chart)
    }

    async fn load(&self, reference: &Reference) -> Result<Arc<Chart>, Error> {
        let mut file = self.fetcher.file(reference).await.map_err(|error| problem(&error, reference))?;
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
            Chart::from_archive(&bytes, &ArchiveLimits::default()).map_err(|error| error.to_string())
        });
        match read.await {
            Ok(Ok(chart)) => Ok(Arc::new(chart)),
            Ok(Err(why)) => Err(Error::Other(why)),
            Err(error) => Err(Error::Other(error.to_string())),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn keep(&mut self, digest: &str, chart: &Arc<Chart>) {
        self.held.retain(|_, chart| chart.strong_count() > 0);
        self.held.insert(digest.to_owned(), Arc::downgrade(chart));
        self.kept.retain(|(kept, _)| kept != digest);
        self.kept.push((digest.to_owned(), Arc::clone(chart)));
        if self.kept.len() > KEPT {
            self.kept.remove(0);
        }
    }
}

fn problem(error: &artifact::Error, reference: &Reference) -> Error {
    use artifact::Error as E;
    match error {
        E::NotFound { .. } => Error::NotFound(reference.url.clone()),
        E::DigestMismatch { expected, .. } => Error::Integrity(expected.clone()),
        E::UnknownAlgorithm(_) | E::MalformedDigest(_) => {
            Error::Digest { digest: reference.digest.clone(), why: error.to_string() }
        }
        E::Status { url, status } => Error::Status { url: url.clone(), status: status.to_string() },
        other => Error::Other(other.to_string()),
    }
}

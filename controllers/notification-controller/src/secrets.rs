//! Secrets of the cluster, read when they are needed, and used for a moment: a thousand events or calls a second are not as
//! many requests to the API server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kube::Client;
use net::auth::Data;
use runtime::{Error, Key, Secret};

/// How long servers use a Secret without reading it again.
pub const MOMENT: Duration = Duration::from_secs(1);

/// Reads Secrets. Clones share what was read.
#[derive(Clone)]
pub struct SecretReader {
    client: Client,
    fresh: Duration,
    held: Arc<Mutex<HashMap<Key, Entry>>>,
}

/// Whoever holds the lock reads; the others wait and find what was read.
type Entry = Arc<tokio::sync::Mutex<Option<(Instant, Arc<Data>)>>>;

impl SecretReader {
    /// Without any. What is older than `fresh` is read again.
    pub fn new(client: Client, fresh: Duration) -> Self {
        Self { client, fresh, held: Arc::default() }
    }

    /// The data of a Secret.
    ///
    /// # Errors
    /// The Secret cannot be read. That is not remembered.
    pub async fn read(&self, namespace: &str, name: &str) -> Result<Arc<Data>, Error> {
        let key = Key::new(namespace, name);
        let entry = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.retain(|_, entry| !self.is_stale(entry));
            Arc::clone(held.entry(key).or_default())
        };
        let mut read = entry.lock().await;
        if let Some((at, data)) = read.as_ref()
            && at.elapsed() < self.fresh
        {
            return Ok(Arc::clone(data));
        }
        let data = Arc::new(Secret::read(&self.client, namespace, name).await?.into_data());
        *read = Some((Instant::now(), Arc::clone(&data)));
        Ok(data)
    }

    /// Whether nobody reads or waits, and what was read is too old.
    fn is_stale(&self, entry: &Entry) -> bool {
        Arc::strong_count(entry) == 1
            && entry
                .try_lock()
                .is_ok_and(|read| read.as_ref().is_none_or(|(at, _)| at.elapsed() >= self.fresh))
    }
}

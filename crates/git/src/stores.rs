//! One object store per remote: resolving references and fetching commits.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use gix_hash::ObjectId;
use tokio::sync::{OwnedMutexGuard, Semaphore, mpsc};

use crate::generation::{Generation, remove_directory};
use crate::reference::{self, Choice};
use crate::remote::Resolved;
use crate::snapshot::Snapshot;
use crate::submodule::{self, parse_gitmodules};
use crate::upload_pack::{Acquaintance, Conversation, Depth, Want};
use crate::{Error, Reference, Remote, SshOptions, Submodules};

/// Settings of all stores.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `User-Agent` of HTTP requests.
    pub user_agent: String,
    /// Algorithms of SSH.
    pub ssh: SshOptions,
    /// The largest pack accepted in one fetch, in bytes. Default: 4 GiB.
    pub largest_pack: u64,
    /// Packs that are received at the same time. Default: 8.
    pub receivers: usize,
    /// Stores that nobody used for this long are deleted by [`Stores::sweep`]. Default: 7 days.
    pub keep: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            user_agent: concat!("millrace/", env!("CARGO_PKG_VERSION")).to_owned(),
            ssh: SshOptions::default(),
            largest_pack: 4 << 30,
            receivers: 8,
            keep: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

/// The object stores below one directory. Clones share them.
#[derive(Clone)]
pub struct Stores(Arc<Inner>);

struct Inner {
    root: PathBuf,
    options: Options,
    clients: net::Clients,
    remotes: Mutex<HashMap<String, Arc<Store>>>,
    receivers: Arc<Semaphore>,
}

/// The store of one remote.
#[derive(Default)]
struct Store {
    directory: PathBuf,
    /// Held while the store is read or written on behalf of a fetch.
    busy: Arc<tokio::sync::Mutex<()>>,
    current: Mutex<Option<(u64, Arc<Generation>)>>,
    known: Mutex<Option<Acquaintance>>,
}

/// Pieces of a pack between the network and the disk. A piece is a packet, at most 64 KiB.
const PIECES: usize = 16;

impl Stores {
    /// Uses the directory `root`, which belongs to this process alone, and creates it if need be.
    ///
    /// # Errors
    /// The directory cannot be used, or an SSH algorithm is not supported.
    pub fn open(root: &Path, options: Options) -> Result<Self, Error> {
        crate::ssh::check_ssh_options(&options.ssh)?;
        fs::create_dir_all(root).map_err(Error::store("create its directory"))?;
        let clients = net::Clients::new(&options.user_agent);
        let receivers = Arc::new(Semaphore::new(options.receivers.max(1)));
        let stores = Self(Arc::new(Inner {
            root: root.to_owned(),
            options,
            clients,
            remotes: Mutex::default(),
            receivers,
        }));
        stores.sweep()?;
        Ok(stores)
    }

    /// Deletes the stores that have not been used for the time in the options. Blocks.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn sweep(&self) -> Result<(), Error> {
        let used: Vec<PathBuf> = {
            let mut remotes = self.0.remotes.lock().unwrap_or_else(PoisonError::into_inner);
            remotes.retain(|_, store| {
                Arc::strong_count(store) > 1
                    || store.busy.try_lock().is_err()
                    || is_recent(store, self.0.options.keep)
            });
            remotes.values().map(|store| store.directory.clone()).collect()
        };
        for entry in fs::read_dir(&self.0.root).map_err(Error::store("read its directory"))? {
            let path = entry.map_err(Error::store("read its directory"))?.path();
            if !used.contains(&path) && age(&path).is_none_or(|age| age > self.0.options.keep) {
                remove_directory(&path).map_err(Error::store("delete an unused store"))?;
            }
        }
        Ok(())
    }

    /// Asks the remote what `reference` is now: one request that lists references. A commit is not asked for at all.
    ///
    /// # Errors
    /// The remote cannot be asked, or has no such reference.
    pub async fn resolve(&self, remote: &Remote, reference: &Reference) -> Result<Resolved, Error> {
        reference.check()?;
        if let Some(resolved) = reference::without_asking(reference) {
            return Ok(resolved);
        }
        deadline(remote, "list", async {
            let store = self.store(remote);
            let prefixes = reference::prefixes(reference);
            let listed = self.list(remote, &store, &prefixes).await.map_err(listing(remote))?;
            match reference::choose(reference, &listed)? {
                Choice::One(resolved) => Ok(resolved),
                Choice::NewestOf(tied) => self.newest(remote, tied).await,
                Choice::None => {
                    // A repository without the reference is told from one without any.
                    let all = self.list(remote, &store, &[]).await.map_err(listing(remote))?;
                    if all.is_empty() {
                        Err(Error::EmptyRepository)
                    } else {
                        Err(reference::missing(reference, remote))
                    }
                }
            }
        })
        .await
    }

    /// Fetches what `resolved` says, unless it is here already.
    ///
    /// # Errors
    /// The remote cannot be asked, does not have the commit any more, or the disk fails.
    pub async fn fetch(
        &self,
        remote: &Remote,
        resolved: &Resolved,
        submodules: Submodules,
    ) -> Result<Snapshot, Error> {
        deadline(remote, "clone", async {
            let snapshot = self.fetch_one(remote, resolved).await?;
            match submodules {
                Submodules::Skip => Ok(snapshot),
                Submodules::Recurse => self.fill_submodules(remote, snapshot, 0).await,
            }
        })
        .await
    }

    /// Deletes the store of a remote, for example when the last object that uses it is gone.
    pub async fn forget(&self, remote: &Remote) {
        let key = remote.store_key();
        let store = {
            let mut remotes = self.0.remotes.lock().unwrap_or_else(PoisonError::into_inner);
            remotes.remove(&key)
        };
        let Some(store) = store else {
            let _ = remove_directory(&self.0.root.join(key));
            return;
        };
        let _busy = store.busy.lock().await;
        let current = store.current.lock().unwrap_or_else(PoisonError::into_inner).take();
        match current {
            // Readers keep it until they are done.
            Some((_, generation)) => generation.abandon(),
            None => {
                let _ = remove_directory(&store.directory);
            }
        }
    }

    fn store(&self, remote: &Remote) -> Arc<Store> {
        let key = remote.store_key();
        let mut remotes = self.0.remotes.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = self.0.root.join(&key);
        Arc::clone(remotes.entry(key).or_insert_with(|| Arc::new(Store { directory, ..Default::default() })))
    }

    /// Opens a conversation and does `ask` with it. What is remembered of a server saves a request; should the server have
    /// changed its mind since, it is asked afresh.
    async fn list(
        &self,
        remote: &Remote,
        store: &Store,
        prefixes: &[String],
    ) -> Result<Vec<crate::upload_pack::RemoteRef>, Error> {
        let known = store.known.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(known) = known {
            let mut conversation = Conversation::resume(remote, &self.0.clients, known)?;
            if let Ok(listed) = conversation.list(prefixes).await {
                store.remember(&conversation);
                return Ok(listed);
            }
        }
        let mut conversation = Conversation::open(remote, &self.0.clients, &self.0.options).await?;
        let listed = conversation.list(prefixes).await?;
        store.remember(&conversation);
        Ok(listed)
    }

    /// Of tags that are equal as versions, the one whose commit is newest.
    async fn newest(&self, remote: &Remote, tied: Vec<Resolved>) -> Result<Resolved, Error> {
        let mut newest: Option<(i64, Resolved)> = None;
        for resolved in tied {
            let seconds = self.fetch_one(remote, &resolved).await?.commit().committer.seconds;
            if newest.as_ref().is_none_or(|(time, _)| seconds >= *time) {
                newest = Some((seconds, resolved));
            }
        }
        newest.map(|(_, resolved)| resolved).ok_or(Error::EmptyRepository)
    }

    async fn fetch_one(&self, remote: &Remote, resolved: &Resolved) -> Result<Snapshot, Error> {
        let store = self.store(remote);
        // Shared with the thread that writes: if this future is dropped, the next fetch still waits for that thread.
        let busy = Arc::new(Arc::clone(&store.busy).lock_owned().await);
        match self.attempt(remote, resolved, &store, &busy).await {
            Err(error) if error.is_damage() => {
                // Whatever is wrong with what is on disk, it can be fetched again.
                tracing::warn!(url = remote.display_url(), %error, "git object store is damaged and made anew");
                store.abandon_current();
                self.attempt(remote, resolved, &store, &busy).await
            }
            result => result,
        }
    }

    async fn attempt(
        &self,
        remote: &Remote,
        resolved: &Resolved,
        store: &Arc<Store>,
        busy: &Arc<OwnedMutexGuard<()>>,
    ) -> Result<Snapshot, Error> {
        let commit = object_id(&resolved.commit)?;
        let wanted = match &resolved.tag {
            Some(tag) => object_id(tag)?,
            None => commit,
        };
        let opened = Arc::clone(store);
        let current = blocking(move || opened.open_current()).await?;
        if let Some((_, generation)) = &current
            && generation.tips().contains(&wanted)
        {
            return snapshot(resolved, generation);
        }
        // What is remembered of the server saves a request; should it be wrong, the server is asked afresh.
        let known = store.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut transferred = None;
        if let Some(known) = known {
            let conversation = Conversation::resume(remote, &self.0.clients, known)?;
            let result = self.transfer(conversation, wanted, current.clone(), store, busy).await;
            transferred = match result {
                Err(error) if !error.is_damage() && !matches!(error, Error::Remote(_)) => None,
                result => Some(result),
            };
        }
        let transferred = match transferred {
            Some(transferred) => transferred,
            None => {
                let conversation = Conversation::open(remote, &self.0.clients, &self.0.options)
                    .await
                    .map_err(cloning(remote))?;
                store.remember(&conversation);
                self.transfer(conversation, wanted, current, store, busy).await
            }
        };
        let generation = match transferred {
            Ok(generation) => generation,
            // A server may hand out only what a reference leads to: then the commit is found in the history.
            Err(Error::Remote(reason)) if resolved.pinned => {
                return self.search_history(remote, resolved, store, busy, reason).await;
            }
            Err(error) if error.is_damage() || matches!(error, Error::CommitNotFound { .. }) => {
                return Err(error);
            }
            Err(error) => return Err(cloning(remote)(error)),
        };
        let tips = if wanted == commit { vec![commit] } else { vec![wanted, commit] };
        let resolved = resolved.clone();
        blocking(move || {
            let snapshot = snapshot(&resolved, &generation)?;
            generation.add_tips(&tips)?;
            Ok(snapshot)
        })
        .await
    }

    /// Fetches one commit or tag into the current generation if that will do, else into a new one.
    async fn transfer(
        &self,
        conversation: Conversation,
        wanted: ObjectId,
        current: Option<(u64, Arc<Generation>)>,
        store: &Arc<Store>,
        busy: &Arc<OwnedMutexGuard<()>>,
    ) -> Result<Arc<Generation>, Error> {
        let hash = conversation.advertisement.hash;
        if wanted.kind() != hash {
            return Err(Error::CommitNotFound {
                sha: wanted.to_string(),
                reason: format!("the repository's ids are {hash}, this one is {}", wanted.kind()),
            });
        }
        let usable = current.filter(|(_, generation)| {
            generation.hash == hash && !generation.is_abandoned() && !generation.is_overgrown()
        });
        let depth = match conversation.advertisement.has_shallow() {
            true => Depth::One,
            false => Depth::Full,
        };
        let generation = match usable {
            Some((_, generation)) => generation,
            None => store.next_generation(hash, depth)?,
        };
        let want = Want { wants: vec![wanted], haves: commits(&generation)?, depth: generation.depth };
        self.receive(conversation, &want, &generation, busy).await?;
        Ok(generation)
    }

    /// Fetches the whole history of the branch, or of all branches, and looks for the commit in it.
    async fn search_history(
        &self,
        remote: &Remote,
        resolved: &Resolved,
        store: &Arc<Store>,
        busy: &Arc<OwnedMutexGuard<()>>,
        reason: String,
    ) -> Result<Snapshot, Error> {
        let missing = || Error::CommitNotFound { sha: resolved.commit.clone(), reason: reason.clone() };
        let mut conversation =
            Conversation::open(remote, &self.0.clients, &self.0.options).await.map_err(cloning(remote))?;
        let prefix = if resolved.reference.is_empty() { "refs/heads/" } else { &resolved.reference };
        let listed = conversation.list(&[prefix.to_owned()]).await.map_err(cloning(remote))?;
        let mut heads: Vec<ObjectId> = listed
            .iter()
            .filter(|listed| match resolved.reference.as_str() {
                "" => listed.name.starts_with("refs/heads/"),
                reference => listed.name == reference,
            })
            .map(|listed| listed.id)
            .collect();
        heads.sort_unstable();
        heads.dedup();
        if heads.is_empty() {
            return Err(missing());
        }
        // The listing used up this conversation where the protocol is old.
        let conversation =
            Conversation::open(remote, &self.0.clients, &self.0.options).await.map_err(cloning(remote))?;
        let generation = store.next_generation(conversation.advertisement.hash, Depth::Full)?;
        let want = Want { wants: heads.clone(), haves: Vec::new(), depth: Depth::Full };
        self.receive(conversation, &want, &generation, busy).await.map_err(cloning(remote))?;
        let commit = object_id(&resolved.commit)?;
        let reader = generation.objects()?.reader();
        if !matches!(reader.try_read(&commit, &mut Vec::new()), Ok(Some(_))) {
            generation.add_tips(&heads)?;
            return Err(missing());
        }
        heads.insert(0, commit);
        generation.add_tips(&heads)?;
        snapshot(resolved, &generation)
    }

    /// Lets the pack flow from the network to the disk.
    async fn receive(
        &self,
        mut conversation: Conversation,
        want: &Want,
        generation: &Arc<Generation>,
        busy: &Arc<OwnedMutexGuard<()>>,
    ) -> Result<(), Error> {
        let permit = Arc::clone(&self.0.receivers).acquire_owned().await;
        let (sender, pieces) = mpsc::channel(PIECES);
        let limit = self.0.options.largest_pack;
        let (written_to, busy) = (Arc::clone(generation), Arc::clone(busy));
        let writing = blocking(move || {
            let _held = (permit, busy);
            crate::receive::receive_pack(pieces, &written_to, limit)
        });
        let sending = async {
            let sent = conversation.fetch(want, &sender).await;
            // Without the word that all of it was sent, the other side knows that it was not.
            drop(sender);
            sent
        };
        let (sent, written) = tokio::join!(sending, writing);
        sent.and(written)
    }

    async fn fill_submodules(
        &self,
        remote: &Remote,
        snapshot: Snapshot,
        depth: usize,
    ) -> Result<Snapshot, Error> {
        let (Some(text), true) = (snapshot.read_file(".gitmodules")?, depth < submodule::DEEPEST) else {
            return Ok(snapshot);
        };
        let mut filled = BTreeMap::new();
        for module in parse_gitmodules(&String::from_utf8_lossy(&text)) {
            let in_module =
                |error: Error| Error::Submodule { path: module.path.clone(), source: Box::new(error) };
            let Some(commit) = snapshot.submodule_commit(&module.path)? else { continue };
            let from = submodule::remote(remote, &module.url).map_err(in_module)?;
            let pinned = Resolved::pinned(commit.to_string(), "");
            let inner = self.fetch_one(&from, &pinned).await.map_err(in_module)?;
            let inner = Box::pin(self.fill_submodules(&from, inner, depth + 1)).await.map_err(in_module)?;
            filled.insert(module.path, inner);
        }
        Ok(snapshot.with_submodules(filled))
    }
}

impl Store {
    fn remember(&self, conversation: &Conversation) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = conversation.acquaintance();
    }

    /// The newest generation, read from disk the first time. Also marks the store as used.
    fn open_current(&self) -> Result<Option<(u64, Arc<Generation>)>, Error> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|(_, generation)| generation.is_abandoned()) {
            *current = None;
        }
        if current.is_none() {
            fs::create_dir_all(&self.directory).map_err(Error::store("create"))?;
            *current = Generation::open_newest(&self.directory)?
                .map(|(number, generation)| (number, Arc::new(generation)));
        }
        fs::write(self.directory.join(USED), b"").map_err(Error::store("mark as used"))?;
        Ok(current.clone())
    }

    /// Puts a new generation in the place of the current one.
    fn next_generation(&self, hash: gix_hash::Kind, depth: Depth) -> Result<Arc<Generation>, Error> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // Readers may still hold older ones than the current, so the number comes from the disk.
        let taken = fs::read_dir(&self.directory).map_err(Error::store("read"))?.flatten();
        let highest = taken
            .filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok()))
            .max();
        let number = highest.map_or(1, |number| number + 1);
        let generation = Arc::new(Generation::create(&self.directory, number, hash, depth)?);
        if let Some((_, old)) = current.replace((number, Arc::clone(&generation))) {
            old.abandon();
        }
        Ok(generation)
    }

    fn abandon_current(&self) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((_, generation)) = current {
            generation.abandon();
        }
    }
}

/// The file whose age says when a store was last used.
const USED: &str = "used";

fn age(store: &Path) -> Option<Duration> {
    let modified = fs::metadata(store.join(USED)).and_then(|data| data.modified()).ok()?;
    SystemTime::now().duration_since(modified).ok()
}

fn is_recent(store: &Store, keep: Duration) -> bool {
    age(&store.directory).is_some_and(|age| age <= keep)
}

fn snapshot(resolved: &Resolved, generation: &Arc<Generation>) -> Result<Snapshot, Error> {
    Snapshot::open(resolved, generation.objects()?)
}

/// The commits among the tips of a generation.
fn commits(generation: &Arc<Generation>) -> Result<Vec<ObjectId>, Error> {
    let tips = generation.tips();
    if tips.is_empty() {
        return Ok(Vec::new());
    }
    let reader = generation.objects()?.reader();
    let mut commits = Vec::new();
    for tip in tips {
        let commit = reader.peel(tip)?;
        if !commits.contains(&commit) {
            commits.push(commit);
        }
    }
    Ok(commits)
}

fn object_id(hex: &str) -> Result<ObjectId, Error> {
    ObjectId::from_hex(hex.as_bytes())
        .map_err(|_| Error::CommitNotFound { sha: hex.to_owned(), reason: "this is no object id".to_owned() })
}

fn listing(remote: &Remote) -> impl Fn(Error) -> Error {
    let url = remote.display_url();
    move |source| Error::List { url: url.clone(), source: Box::new(source) }
}

fn cloning(remote: &Remote) -> impl Fn(Error) -> Error {
    let url = remote.display_url();
    move |source| Error::Clone { url: url.clone(), source: Box::new(source) }
}

/// Ends `work` when the remote's time is up.
async fn deadline<T>(
    remote: &Remote,
    action: &str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(remote.timeout, work).await {
        Ok(result) => result,
        Err(_) if action == "list" => Err(listing(remote)(Error::Timeout)),
        Err(_) => Err(cloning(remote)(Error::Timeout)),
    }
}

/// Runs `work` where blocking is allowed.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::Store { action: "work on a store", reason: error.to_string() }))
}

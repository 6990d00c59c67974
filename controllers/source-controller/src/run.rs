//! From the command line to running controllers: the storage, its file server, and a controller for each kind.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use api::source::{GitInclude, GitRepository};
use artifact::{Location, Retention, Store};
use kube::Resource as _;
use runtime::controller::References;
use runtime::events::host_name;
use runtime::watch::Change;
use runtime::{Controller, Key, Priority, Process, serve};
use tokio_util::sync::CancellationToken;

use crate::flags::{BINARY, Flags, OBJECT_LEVEL_WORKLOAD_IDENTITY};
use crate::gitrepository::{GitRepositories, Services};
use crate::storage::Storage;

/// How often Git object stores that nobody uses any more are looked for.
const SWEEP: Duration = Duration::from_secs(3600);
/// Directory of the Git object stores below the storage path. Its leading dot keeps it out of the file server.
const CACHE: &str = ".git-cache";

/// Why the controller could not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
    #[error(transparent)]
    Storage(#[from] artifact::Error),
    #[error(transparent)]
    Git(#[from] git::Error),
}

/// Runs until the process is asked to stop.
pub(crate) async fn run(flags: Flags, process: Process) -> Result<(), Error> {
    for flag in flags.helm.given() {
        tracing::info!(flag, "flag has no effect: this release does not serve HelmRepository and HelmChart");
    }
    let store = Store::open(&flags.storage.storage_path)?;
    let retention = Retention {
        ttl: flags.storage.artifact_retention_ttl,
        records: flags.storage.artifact_retention_records,
    };
    let host = flags.storage.advertised(&host_name());
    let storage = Storage::new(store.clone(), &host, flags.storage.artifact_digest_algo, retention);
    let stores = git::Stores::open(
        &flags.storage.storage_path.join(CACHE),
        git::Options {
            user_agent: format!("{}/{}", BINARY.name, env!("CARGO_PKG_VERSION")),
            ssh: git::SshOptions {
                host_key_algorithms: flags.ssh.ssh_hostkey_algos,
                kex_algorithms: flags.ssh.ssh_kex_algos,
            },
            ..git::Options::default()
        },
    )?;
    let listener = serve::listen(&flags.storage.storage_addr).await?;
    // The file server outlives the runs in progress: consumers may be in the middle of a download.
    let end = CancellationToken::new();
    let _end = end.clone().drop_guard();
    tokio::spawn(serve::serve(listener, artifact::server::router(&store), end));
    tokio::spawn(sweep(stores.clone(), process.stop.clone()));
    git_repositories(&process, &storage, &stores, flags.intervals.requeue_dependency).await;
    Ok(())
}

async fn git_repositories(
    process: &Process,
    storage: &Storage,
    stores: &git::Stores,
    requeue_dependency: Duration,
) {
    let client = process.clients.own().clone();
    let settings = process.settings("gitrepository");
    // With a selector, or in one namespace, the storage may hold artifacts of objects that others look after.
    let all = settings.scope == runtime::Scope::default();
    let controller = Controller::<GitRepository>::new(client.clone(), &process.metrics, settings);
    let (handle, objects) = (controller.handle(), controller.store());
    let reconciler = Arc::new(GitRepositories {
        services: Services {
            client,
            objects: objects.clone(),
            stores: stores.clone(),
            storage: storage.clone(),
            object_identity: process.gates.enabled(OBJECT_LEVEL_WORKLOAD_IDENTITY),
        },
        writer: controller.writer(BINARY.name),
        events: process.events.clone(),
        requeue_dependency,
    });
    if all {
        let storage = storage.clone();
        tokio::spawn(async move {
            objects.listed().await;
            let known = objects.all().iter().map(|object| Key::of(&**object)).collect();
            remove_orphans(&storage, known).await;
        });
    }
    let mut includes = References::default();
    let on_change = move |change: &Change<GitRepository>| {
        let included = change.after.as_ref().map(|object| included(&change.key, &object.spec.include));
        includes.set(&change.key, included.unwrap_or_default());
        if artifact_changed(change) {
            for object in includes.to(&change.key) {
                handle.enqueue(object, Priority::High);
            }
        }
    };
    controller.run(reconciler, process.stop.clone(), on_change).await;
}

/// The repositories that an object copies in.
fn included(object: &Key, includes: &[GitInclude]) -> Vec<Key> {
    includes.iter().map(|include| Key::new(object.namespace(), &include.repository.name)).collect()
}

/// Whether what other objects would copy in is different now.
fn artifact_changed(change: &Change<GitRepository>) -> bool {
    let digest = |object: &Option<Arc<GitRepository>>| {
        Some(object.as_ref()?.status.as_ref()?.artifact.as_ref()?.digest.clone())
    };
    digest(&change.before) != digest(&change.after)
}

/// Removes the artifacts of objects that vanished while no controller was looking.
async fn remove_orphans(storage: &Storage, known: HashSet<Key>) {
    let storage = storage.clone();
    let work = tokio::task::spawn_blocking(move || {
        let kind = GitRepository::kind(&()).to_lowercase();
        let is_known = |location: &Location| known.contains(&Key::new(location.namespace(), location.name()));
        for location in
            storage.locations()?.iter().filter(|location| location.kind() == kind && !is_known(location))
        {
            tracing::info!(
                namespace = location.namespace(),
                name = location.name(),
                "removing the artifacts of an object that is gone"
            );
            storage.remove_all(location)?;
        }
        Ok::<(), artifact::Error>(())
    });
    match work.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(error = %error, "cannot remove the artifacts of vanished objects"),
        Err(error) => tracing::error!(error = %error, "cannot remove the artifacts of vanished objects"),
    }
}

async fn sweep(stores: git::Stores, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(SWEEP)).await.is_some() {
        let stores = stores.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || stores.sweep()).await {
            tracing::error!(error = %error, "cannot remove unused Git object stores");
        }
    }
}

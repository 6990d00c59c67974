//! From the command line to running controllers: the storage, its file server, and a controller for each kind.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use api::source::{ChartSourceKind, GitInclude, GitRepository, HelmChart, HelmRepository, Source};
use artifact::{Location, Retention};
use runtime::controller::References;
use runtime::events::host_name;
use runtime::watch::{Change, Store, Watched};
use runtime::{Controller, Key, Priority, Process, serve};
use tokio_util::sync::CancellationToken;

use crate::flags::{BINARY, Flags, OBJECT_LEVEL_WORKLOAD_IDENTITY};
use crate::gitrepository::GitRepositories;
use crate::helmchart::{Dependents, HelmCharts, Limits, Settled};
use crate::helmrepository::HelmRepositories;
use crate::ocirepository::OciRepositories;
use crate::source::{Kind, Sources, artifact_digest, owned};
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
    for flag in flags.helm.in_vain() {
        tracing::info!(flag, "flag has no effect, see --help");
    }
    let store = artifact::Store::open(&flags.storage.storage_path)?;
    let retention = Retention {
        ttl: flags.storage.artifact_retention_ttl,
        records: flags.storage.artifact_retention_records,
    };
    let host = flags.storage.advertised(&host_name());
    let storage = Storage::new(store.clone(), &host, flags.storage.artifact_digest_algo, retention);
    let user_agent = format!("{}/{}", BINARY.name, env!("CARGO_PKG_VERSION"));
    let stores = git::Stores::open(
        &flags.storage.storage_path.join(CACHE),
        git::Options {
            user_agent: user_agent.clone(),
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
    let shared =
        Shared { process: &process, storage, requeue_dependency: flags.intervals.requeue_dependency };
    let clients = net::Clients::new(&user_agent);
    let (git, helm) = (shared.controller("gitrepository"), shared.controller("helmrepository"));
    let charts = shared.controller::<HelmChart>("helmchart");
    let dependents = Dependents::new(charts.handle());
    let limits = Limits {
        index: flags.helm.helm_index_max_size,
        chart: flags.helm.helm_chart_max_size,
        file: flags.helm.helm_chart_file_max_size,
    };
    let kind = HelmCharts {
        client: process.clients.own().clone(),
        clients: clients.clone(),
        repositories: helm.store(),
        git: git.store(),
        limits,
        settled: Settled::default(),
    };
    let noting = dependents.clone();
    tokio::join!(
        shared.git_repositories(git, stores, dependents.clone()),
        shared.helm_repositories(helm, clients.clone(), limits, dependents),
        shared.oci_repositories(clients),
        shared.run(charts, kind, move |change| noting.note(change))
    );
    Ok(())
}

/// What the controllers of all kinds work with.
struct Shared<'a> {
    process: &'a Process,
    storage: Storage,
    requeue_dependency: Duration,
}

impl Shared<'_> {
    async fn git_repositories(
        &self,
        controller: Controller<GitRepository>,
        stores: git::Stores,
        charts: Dependents,
    ) {
        let kind = GitRepositories {
            client: self.process.clients.own().clone(),
            objects: controller.store(),
            stores,
            object_identity: self.process.gates.enabled(OBJECT_LEVEL_WORKLOAD_IDENTITY),
        };
        let handle = controller.handle();
        let mut includes = References::default();
        let on_change = move |change: &Change<GitRepository>| {
            let included = change.after.as_ref().map(|object| included(&change.key, &object.spec.include));
            includes.set(&change.key, included.unwrap_or_default());
            charts.wake(ChartSourceKind::GitRepository, change);
            if artifact_changed(change) {
                for object in includes.to(&change.key) {
                    handle.enqueue(object, Priority::High);
                }
            }
        };
        self.run(controller, kind, on_change).await;
    }

    async fn helm_repositories(
        &self,
        controller: Controller<HelmRepository>,
        clients: net::Clients,
        limits: Limits,
        charts: Dependents,
    ) {
        let client = self.process.clients.own().clone();
        let kind = HelmRepositories { client, clients, index_max_size: limits.index };
        let on_change =
            move |change: &Change<HelmRepository>| charts.wake(ChartSourceKind::HelmRepository, change);
        self.run(controller, kind, on_change).await;
    }

    async fn oci_repositories(&self, clients: net::Clients) {
        let controller = self.controller("ocirepository");
        let kind = OciRepositories {
            client: self.process.clients.own().clone(),
            clients,
            object_identity: self.process.gates.enabled(OBJECT_LEVEL_WORKLOAD_IDENTITY),
        };
        self.run(controller, kind, |_| {}).await;
    }

    fn controller<O: Watched + Source>(&self, name: &str) -> Controller<O> {
        let client = self.process.clients.own().clone();
        Controller::new(client, &self.process.metrics, self.process.settings(name))
    }

    async fn run<K: Kind>(
        &self,
        controller: Controller<K::Object>,
        kind: K,
        on_change: impl FnMut(&Change<K::Object>) + Send + 'static,
    ) {
        let reconciler = Arc::new(Sources {
            kind,
            storage: self.storage.clone(),
            writer: controller.writer(BINARY.name),
            owned: owned::<K>(),
            events: self.process.events.clone(),
            requeue_dependency: self.requeue_dependency,
        });
        // With a selector, or in one namespace, the storage may hold artifacts of objects that others look after.
        if controller.scope() == &runtime::Scope::default() {
            remove_orphans(&self.storage, controller.store());
        }
        controller.run(reconciler, self.process.stop.clone(), on_change).await;
    }
}

/// The repositories that an object copies in.
fn included(object: &Key, includes: &[GitInclude]) -> Vec<Key> {
    includes.iter().map(|include| Key::new(object.namespace(), &include.repository.name)).collect()
}

/// Whether what other objects would use is different now.
fn artifact_changed<O: Source>(change: &Change<O>) -> bool {
    let digest = |object: &Option<Arc<O>>| object.as_deref().and_then(artifact_digest).map(str::to_owned);
    digest(&change.before) != digest(&change.after)
}

/// Removes the artifacts of objects that vanished while no controller was looking, once all objects are known.
fn remove_orphans<O: Watched>(storage: &Storage, objects: Store<O>) {
    let storage = storage.clone();
    tokio::spawn(async move {
        objects.listed().await;
        let known: HashSet<Key> = objects.all().iter().map(|object| Key::of(&**object)).collect();
        let work = tokio::task::spawn_blocking(move || {
            let kind = O::kind(&()).to_lowercase();
            let is_known =
                |location: &Location| known.contains(&Key::new(location.namespace(), location.name()));
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
        let problem = match work.await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::error!(error = problem, "cannot remove the artifacts of vanished objects");
    });
}

async fn sweep(stores: git::Stores, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(SWEEP)).await.is_some() {
        let stores = stores.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || stores.sweep()).await {
            tracing::error!(error = %error, "cannot remove unused Git object stores");
        }
    }
}

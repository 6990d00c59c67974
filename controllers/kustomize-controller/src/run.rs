//! The controller: its parts, put together, and what wakes what.

use std::sync::{Arc, OnceLock};

use api::kustomize::Kustomization;
use apply::{Policy, Targets};
use artifact::{Fetcher, FetcherOptions};
use envsubst::Unset;
use runtime::client::Allow;
use runtime::watch::Scope;
use runtime::{Controller, Process};

use crate::flags::{Error, Flags};
use crate::kustomization::{Behaviour, Identities, Kustomizations, Parts, Rules, Sources};
use crate::remotes::Remotes;

/// Environment variable with the host that artifacts of source-controller are fetched from instead.
const SOURCE_CONTROLLER: &str = "SOURCE_CONTROLLER_LOCALHOST";
/// The same for source-watcher.
const SOURCE_WATCHER: &str = "SOURCE_WATCHER_LOCALHOST";

/// Runs the controller until the process stops.
///
/// # Errors
/// A flag or gate that cannot work.
pub async fn run(flags: Flags, process: Process) -> Result<(), Error> {
    let (gates, custom_stages) = flags.validate()?;
    let own = &flags.own;
    let client = process.clients.own().clone();
    let controller =
        Controller::<Kustomization>::new(client.clone(), &process.metrics, process.settings("kustomization"));
    let store = controller.store();

    let mut policy = Policy::new("kustomize-controller", "kustomize.toolkit.fluxcd.io");
    policy.override_managers.clone_from(&flags.apply.override_manager);
    policy.concurrency = own.concurrent_ssa;
    policy.custom_stages = custom_stages;
    policy.migrate_api_version = gates.enabled("MigrateAPIVersion");
    // The targets tell the reconciler of drift, and the reconciler is made of the targets.
    let reconciler = Arc::new(OnceLock::<Arc<Kustomizations>>::new());
    let listener = {
        let reconciler = Arc::clone(&reconciler);
        Arc::new(move |change: apply::Change| {
            if let Some(reconciler) = reconciler.get() {
                reconciler.object_changed(&change);
            }
        })
    };
    let allow = Allow {
        insecure_tls: flags.apply.insecure_kubeconfig_tls,
        object_level_identity: gates.enabled("ObjectLevelWorkloadIdentity"),
        default_account: flags.apply.default_kubeconfig_service_account.clone(),
    };
    let targets = Targets::new(policy, listener);
    let identities =
        Identities::new(process.clients.clone(), targets, &flags.common.default_service_account, allow);
    let sources =
        Sources::new(client.clone(), gates.enabled("DirectSourceFetch"), gates.enabled("ExternalArtifact"));
    let kustomizations = Arc::new(Kustomizations::new(Parts {
        behaviour: behaviour(&flags, &gates),
        store,
        client: client.clone(),
        sources: sources.clone(),
        fetcher: fetcher(flags.apply.http_retry)?,
        identities,
        writer: controller.writer("gotk-kustomize-controller"),
        events: process.events.clone(),
        wake: controller.handle(),
    }));
    let _ = reconciler.set(Arc::clone(&kustomizations));

    let scope = Scope { namespace: process.namespace(), labels: String::new() };
    let observed = Arc::clone(&kustomizations);
    let working = controller
        .run(Arc::clone(&kustomizations), process.stop.clone(), move |change| observed.observe(change));
    let watching_sources = {
        let kustomizations = Arc::clone(&kustomizations);
        sources.watch(scope.namespace.clone(), move |news| kustomizations.source_changed(&news))
    };
    let watching_configs = async {
        if gates.enabled("DisableConfigWatchers") {
            return std::future::pending().await;
        }
        let scope = Scope { labels: flags.common.watch_configs_label_selector.clone(), ..scope.clone() };
        runtime::configs::watch(&client, &scope, |kind, key| kustomizations.config_changed(kind, key)).await;
    };
    // The watches never end by themselves; the work ends when the process stops.
    tokio::select! {
        () = working => {}
        () = watching_sources => {}
        () = watching_configs => {}
    }
    Ok(())
}

fn behaviour(flags: &Flags, gates: &runtime::Gates) -> Behaviour {
    Behaviour {
        rules: Rules {
            no_cross_namespace_refs: flags.apply.no_cross_namespace_refs,
            external_artifact: gates.enabled("ExternalArtifact"),
            object_level_workload_identity: gates.enabled("ObjectLevelWorkloadIdentity"),
            additive_dependency_check: gates.enabled("AdditiveCELDependencyCheck"),
            requeue_dependency: flags.intervals.requeue_dependency,
        },
        unset: unset(gates),
        fail_fast: !gates.enabled("DisableFailFastBehavior"),
        cancel_on_new_revision: gates.enabled("CancelHealthCheckOnNewRevision"),
        group_change_log: gates.enabled("GroupChangeLog"),
        options: kustomize::Options::default(),
        remotes: (!flags.own.no_remote_bases)
            .then(|| Remotes::new(Some(tokio::runtime::Handle::current()), Remotes::own_directory())),
    }
}

/// What happens to a variable that is not set.
pub fn unset(gates: &runtime::Gates) -> Unset {
    if gates.enabled("StrictPostBuildSubstitutions") { Unset::Refused } else { Unset::Empty }
}

/// What downloads artifacts.
///
/// # Errors
/// When the HTTP client cannot be made.
pub fn fetcher(retries: u32) -> Result<Fetcher, Error> {
    let client = reqwest::Client::builder()
        .user_agent(concat!("kustomize-controller/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(std::time::Duration::from_secs(10))
        .build()?;
    let host = |name: &str| std::env::var(name).ok().filter(|host| !host.is_empty());
    let options = FetcherOptions {
        retries,
        source_controller: host(SOURCE_CONTROLLER),
        source_watcher: host(SOURCE_WATCHER),
        ..FetcherOptions::default()
    };
    Ok(Fetcher::new(client, options))
}

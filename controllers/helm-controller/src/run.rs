//! The controller: its parts, put together, and what wakes what.

use std::sync::Arc;

use api::helm::HelmRelease;
use apply::{Policy, Targets};
use artifact::{Fetcher, FetcherOptions};
use runtime::client::Allow;
use runtime::interrupt::Interrupts;
use runtime::watch::Scope;
use runtime::{Controller, Process};

use crate::flags::{Error, Flags};
use crate::helmrelease::{Behaviour, HelmReleases, Identities, MANAGER, Parts, Sources};
use crate::oom::MemoryWatch;

/// Environment variable with the host that artifacts of source-controller are fetched from instead.
const SOURCE_CONTROLLER: &str = "SOURCE_CONTROLLER_LOCALHOST";
/// The same for source-watcher.
const SOURCE_WATCHER: &str = "SOURCE_WATCHER_LOCALHOST";

/// Runs the controller until the process stops.
///
/// # Errors
/// A flag or gate that cannot work.
pub async fn run(flags: Flags, process: Process) -> Result<(), Error> {
    let gates = flags.gates()?;
    if gates.enabled("AdoptLegacyReleases") {
        tracing::info!(
            "warning: the 'AdoptLegacyReleases' feature gate is ignored and has no effect since v1.5.0, adoption of HelmRelease resources in legacy API versions is no longer supported"
        );
    }
    let own = &flags.own;
    let client = process.clients.own().clone();
    let controller =
        Controller::<HelmRelease>::new(client.clone(), &process.metrics, process.settings("helmrelease"));
    let mut policy = Policy::new(MANAGER, "helm.toolkit.fluxcd.io");
    policy.override_managers.clone_from(&flags.apply.override_manager);
    let targets = Targets::new(policy, Arc::new(|_| ()));
    let sources =
        Sources::new(client.clone(), gates.enabled("DirectSourceFetch"), gates.enabled("ExternalArtifact"));
    let releases = Arc::new(HelmReleases::new(Parts {
        behaviour: behaviour(&flags, &gates),
        store: controller.store(),
        client: client.clone(),
        sources: sources.clone(),
        fetcher: fetcher_with(&flags, flags.apply.http_retry)?,
        identities: Identities::new(
            process.clients.clone(),
            targets,
            &flags.common.default_service_account,
            allow(&flags, &gates),
        ),
        writer: controller.writer(MANAGER),
        events: process.events.clone(),
        wake: controller.handle(),
        interrupts: gates.enabled("CancelHealthCheckOnNewRevision").then(Interrupts::default),
    }));
    let scope = Scope { namespace: process.namespace(), labels: String::new() };
    if gates.enabled("OOMWatch")
        && let Some(watch) = MemoryWatch::new(own)
    {
        tokio::spawn(watch.run(process.stop.clone()));
    }
    let observed = Arc::clone(&releases);
    let working =
        controller.run(Arc::clone(&releases), process.stop.clone(), move |change| observed.observe(change));
    let watching_sources = {
        let releases = Arc::clone(&releases);
        sources.watch(scope.namespace.clone(), move |news| releases.source_changed(&news))
    };
    let watching_records = releases.watch_records(&scope);
    let watching_configs = async {
        if gates.enabled("DisableConfigWatchers") {
            return std::future::pending().await;
        }
        let scope = Scope { labels: flags.common.watch_configs_label_selector.clone(), ..scope.clone() };
        runtime::configs::watch(&client, &scope, |kind, key| releases.config_changed(kind, key)).await;
    };
    // The watches never end by themselves; the work ends when the process stops.
    tokio::select! {
        () = working => {}
        () = watching_sources => {}
        () = watching_records => {}
        () = watching_configs => {}
    }
    Ok(())
}

/// How the flags and gates have it.
pub fn behaviour(flags: &Flags, gates: &runtime::Gates) -> Behaviour {
    Behaviour {
        no_cross_namespace_refs: flags.apply.no_cross_namespace_refs,
        external_artifact: gates.enabled("ExternalArtifact"),
        additive_dependency_check: gates.enabled("AdditiveCELDependencyCheck"),
        requeue_dependency: flags.intervals.requeue_dependency,
        track_digests: !gates.enabled("DisableChartDigestTracking"),
        retry_by_default: gates.enabled("DefaultToRetryOnFailure"),
        helm_3: gates.enabled("UseHelm3Defaults"),
        dns: gates.enabled("AllowDNSLookups"),
        algorithm: flags.own.snapshot_digest_algo,
        override_managers: flags.apply.override_manager.clone(),
    }
}

/// What references to other clusters may do.
pub fn allow(flags: &Flags, gates: &runtime::Gates) -> Allow {
    Allow {
        insecure_tls: flags.apply.insecure_kubeconfig_tls,
        object_level_identity: gates.enabled("ObjectLevelWorkloadIdentity"),
        default_account: flags.apply.default_kubeconfig_service_account.clone(),
    }
}

/// Downloads charts, trying again this often.
///
/// # Errors
/// An HTTP client that cannot be made.
pub fn fetcher_with(flags: &Flags, retries: u32) -> Result<Fetcher, Error> {
    let client = reqwest::Client::builder()
        .user_agent(concat!("helm-controller/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(std::time::Duration::from_secs(10))
        .build()?;
    let host = |name: &str| std::env::var(name).ok().filter(|host| !host.is_empty());
    let options = FetcherOptions {
        retries,
        stall: flags.own.http_timeout,
        source_controller: host(SOURCE_CONTROLLER),
        source_watcher: host(SOURCE_WATCHER),
        ..FetcherOptions::default()
    };
    Ok(Fetcher::new(client, options))
}

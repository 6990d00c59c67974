//! The controller: its servers, which run in every replica, and its reconcilers, which run in the one that leads.

use std::sync::Arc;
use std::time::Duration;

use api::notification::{Alert, Provider, Receiver};
use k8s_openapi::api::core::v1::Secret;
use kube::api::PartialObjectMeta;
use runtime::controller::References;
use runtime::watch::{Cause, Change, Scope, Store};
use runtime::{Controller, Key, Priority, Process};
use tokio::sync::mpsc;

use crate::alert::{Dispatcher, Parts};
use crate::finalizers;
use crate::flags::{BINARY, DISABLE_CONFIG_WATCHERS, Flags, OBJECT_LEVEL_WORKLOAD_IDENTITY};
use crate::provider::{Accounts, Courier, TokenMetrics, Tokens};
use crate::receiver::{Issuers, Receivers};
use crate::secrets::{MOMENT, SecretReader};
use crate::server::{self, BodyReader, EventServer, HttpMetrics, Paths, WebhookServer};

/// How long deliveries may go on after the stop. The pod has ten seconds in all.
const DRAIN: Duration = Duration::from_secs(8);

/// Runs until the process is asked to stop.
///
/// # Errors
/// An address that cannot be listened at.
pub async fn run(flags: Flags, process: Process) -> Result<(), runtime::Error> {
    let client = process.clients.own().clone();
    let user_agent = format!("{}/{}", BINARY.name, env!("CARGO_PKG_VERSION"));
    let scope = Scope { namespace: process.namespace(), labels: String::new() };
    let (alerts, providers, receivers) =
        (Store::<Alert>::default(), Store::<Provider>::default(), Store::<Receiver>::default());
    let registry = &process.metrics.registry;
    let secrets = SecretReader::new(client.clone(), MOMENT);
    let counted = TokenMetrics::register(registry);
    let tokens = Tokens::new(
        flags.common.token_cache_max_size,
        flags.common.token_cache_max_duration,
        counted.clone(),
    );
    let deliveries = registry.counter(
        "gotk_notification_deliveries_total",
        "Deliveries of events by Provider and result.",
        &["provider", "namespace", "type", "result"],
    );
    let dispatcher = Arc::new(Dispatcher::new(Parts {
        client: client.clone(),
        secrets: secrets.clone(),
        alerts: alerts.clone(),
        providers: providers.clone(),
        events: process.events.clone(),
        courier: Courier::new(&user_agent, tokens, Accounts::of(Some(client.clone()))),
        guard: flags.own.guard(),
        no_cross_namespace_refs: flags.own.no_cross_namespace_refs,
        default_account: flags.common.default_service_account.clone(),
        object_identity: process.gates.enabled(OBJECT_LEVEL_WORKLOAD_IDENTITY),
        deliveries: deliveries.clone(),
    }));
    let whole_paths = flags.own.export_http_path_metrics;
    let events = Arc::new(EventServer::new(
        flags.own.rate_limit_interval,
        Arc::clone(&dispatcher),
        HttpMetrics::events(registry, whole_paths),
    ));
    let paths = Paths::default();
    let webhooks = Arc::new(WebhookServer {
        client: client.clone(),
        secrets,
        paths: paths.clone(),
        receivers: receivers.clone(),
        issuers: Issuers::new(&user_agent, flags.own.guard()),
        metrics: HttpMetrics::receivers(registry, whole_paths),
        no_cross_namespace_refs: flags.own.no_cross_namespace_refs,
        bodies: BodyReader::default(),
    });

    let event_listener = runtime::serve::listen(&flags.common.events_addr).await?;
    tracing::info!(addr = flags.common.events_addr, "starting event server");
    let hook_listener = runtime::serve::listen(&flags.own.receiver_addr).await?;
    tracing::info!(addr = flags.own.receiver_addr, "starting webhook receiver server");

    let (alert_changed, changed_alerts) = mpsc::unbounded_channel();
    let (provider_changed, changed_providers) = mpsc::unbounded_channel();
    let mut tell_provider = tell(provider_changed);
    let on_provider = move |change: Change<Provider>| {
        if change.after.is_none() {
            counted.forget(&change.key);
            let (name, namespace) = (change.key.name(), change.key.namespace());
            deliveries.remove(&[("provider", name), ("namespace", namespace)]);
        }
        tell_provider(change);
    };
    let watching = async {
        tokio::join!(
            runtime::watch::run(client.clone(), scope.clone(), alerts.clone(), tell(alert_changed)),
            runtime::watch::run(client.clone(), scope.clone(), providers.clone(), on_provider),
            runtime::watch::run(client.clone(), scope.clone(), receivers.clone(), move |change| paths
                .observe(&change)),
        );
    };
    let serving = async {
        let on_event = move |request| events.answer(request);
        let on_hook = move |request| webhooks.answer(request);
        tokio::join!(
            async {
                server::serve(event_listener, on_event, process.stop.clone()).await;
                tracing::info!("Event server stopped");
            },
            async {
                server::serve(hook_listener, on_hook, process.stop.clone()).await;
                tracing::info!("Receiver server stopped");
            },
        );
        let _ = tokio::time::timeout(DRAIN, dispatcher.drained()).await;
    };
    let leading = async {
        tokio::select! {
            () = process.leading.cancelled() => {}
            () = process.stop.cancelled() => return,
        }
        let finalizers = async {
            tokio::join!(
                finalizers::providers(&client, &providers, changed_providers),
                finalizers::alerts(&client, &alerts, changed_alerts, &process.events),
            );
        };
        tokio::select! {
            () = reconcile_receivers(&flags, &process) => {}
            () = finalizers => {}
        }
    };
    // The watches never end by themselves; servers and reconcilers end when the process stops.
    tokio::select! {
        _ = async { tokio::join!(serving, leading) } => {}
        () = watching => {}
    }
    Ok(())
}

/// Hands on the keys of what appears or changes.
fn tell<K>(keys: mpsc::UnboundedSender<Key>) -> impl FnMut(Change<K>) + Send {
    move |change| {
        if change.after.is_some() {
            // Nobody listens only at the end of the process.
            let _ = keys.send(change.key);
        }
    }
}

async fn reconcile_receivers(flags: &Flags, process: &Process) {
    let client = process.clients.own().clone();
    let controller =
        Controller::<Receiver>::new(client.clone(), &process.metrics, process.settings("receiver"));
    let handle = controller.handle();
    let reconciler = Arc::new(Receivers {
        secrets: SecretReader::new(client.clone(), Duration::ZERO),
        writer: controller.writer(BINARY.name),
        events: process.events.clone(),
    });
    let references = Arc::new(std::sync::Mutex::new(References::<Key>::default()));
    let lock = |references: &std::sync::Mutex<References<Key>>, object: &Key, targets: Vec<Key>| {
        references.lock().unwrap_or_else(std::sync::PoisonError::into_inner).set(object, targets);
    };
    let on_change = {
        let references = Arc::clone(&references);
        move |change: &Change<Receiver>| {
            let secret = change.after.as_ref().and_then(|receiver| receiver.spec.secret_ref.as_ref());
            let targets = secret.map(|secret| Key::new(change.key.namespace(), &secret.name));
            lock(&references, &change.key, targets.into_iter().collect());
        }
    };
    let watching_secrets = async {
        if process.gates.enabled(DISABLE_CONFIG_WATCHERS) {
            return std::future::pending().await;
        }
        let scope = Scope {
            namespace: process.namespace(),
            labels: flags.common.watch_configs_label_selector.clone(),
        };
        let store = Store::<PartialObjectMeta<Secret>>::default();
        let on_change = |change: Change<PartialObjectMeta<Secret>>| {
            // What exists at start-up is read by the runs of start-up.
            if change.cause != Cause::List || change.before.is_some() {
                let references = references.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                for receiver in references.to(&change.key) {
                    handle.enqueue(receiver, Priority::High);
                }
            }
        };
        runtime::watch::run(client.clone(), scope, store, on_change).await;
    };
    tokio::select! {
        () = controller.run(reconciler, process.stop.clone(), on_change) => {}
        () = watching_secrets => {}
    }
}

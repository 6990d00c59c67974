//! From an event to the providers of its Alerts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::notification::{Alert, Provider};
use jiff::Timestamp;
use kube::{Client, ResourceExt as _};
use runtime::metrics::Family;
use runtime::watch::Store;
use runtime::{Key, Recorder, Severity};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::metadata::{self, Metadata};
use super::pattern::Patterns;
use super::select::{Labels, needs_labels, selects};
use super::status_id::status_id;
use crate::event::Event;
use crate::provider::{
    self, Courier, Secrets, Sender, Settings, comments, is_generic, type_name, writes_commit_status,
};
use crate::receiver::metadata_of;
use crate::secrets::SecretReader;

/// Deliveries that are under way at once; more wait, and with them who sent the events. Large ones count for several.
const MOST_DELIVERIES: usize = 2048;
/// Bytes of an event that count for one.
const WEIGHT: usize = 16 * 1024;
/// How long the choice of Alerts and the reading of Secrets may take.
const DEADLINE: Duration = Duration::from_secs(15);

/// What dispatching works with.
pub struct Dispatcher {
    parts: Parts,
    patterns: Patterns,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
}

/// What a [`Dispatcher`] is made of.
pub struct Parts {
    /// The API server.
    pub client: Client,
    /// Reads the Secrets of Providers.
    pub secrets: SecretReader,
    /// All Alerts.
    pub alerts: Store<Alert>,
    /// All Providers.
    pub providers: Store<Provider>,
    /// Where complaints go.
    pub events: Recorder,
    /// What delivers.
    pub courier: Courier,
    /// Which addresses deliveries may go to.
    pub guard: net::AddressGuard,
    /// Refuse events of other namespaces.
    pub no_cross_namespace_refs: bool,
    /// Whether `spec.serviceAccountName` may be used.
    pub object_identity: bool,
    /// The ServiceAccount of Providers that name none; empty for the controller's.
    pub default_account: String,
    /// `gotk_notification_deliveries_total{provider,namespace,type,result}`
    pub deliveries: Family,
}

/// What becomes of an event for one Alert.
enum Fate {
    /// It goes out.
    Ready(Box<Prepared>),
    /// The provider has no use for it.
    Dropped,
    /// A commit status needs a commit.
    NoCommit,
    /// A comment needs a change request.
    NoChangeRequest,
}

struct Prepared {
    settings: Settings,
    step: Result<provider::Step, provider::Error>,
    timeout: Duration,
}

impl Dispatcher {
    /// Without deliveries.
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            patterns: Patterns::default(),
            room: Arc::new(Semaphore::new(MOST_DELIVERIES)),
            tasks: TaskTracker::new(),
        }
    }

    /// Hands an event, cleaned and not a duplicate, to its Alerts. Deliveries go on by themselves.
    pub async fn dispatch(self: &Arc<Self>, event: &Event) {
        if tokio::time::timeout(DEADLINE, self.choose(event)).await.is_err() {
            tracing::error!(
                eventInvolvedObject = event.involved.logged().as_slice(),
                error = "context deadline exceeded",
                "failed to dispatch the event in time"
            );
        }
    }

    /// Waits for the deliveries that are under way.
    pub async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn choose(self: &Arc<Self>, event: &Event) {
        let object = event.involved.logged();
        let object = object.as_slice();
        self.parts.alerts.listed().await;
        self.parts.providers.listed().await;
        let alerts = self.parts.alerts.all();
        let labels = if alerts.iter().any(|alert| needs_labels(alert, event)) {
            self.labels(event).await
        } else {
            Labels::Unread
        };
        let mut chosen = Vec::new();
        for alert in alerts {
            let (selected, complaints) = selects(&alert, event, &labels, &self.patterns);
            for complaint in complaints {
                tracing::error!(
                    eventInvolvedObject = object,
                    alert = logged(&alert).as_slice(),
                    error = complaint.message,
                    "the Alert cannot be used as it is"
                );
                self.parts.events.emit(
                    &*alert,
                    Severity::Warning,
                    complaint.reason,
                    complaint.message,
                    BTreeMap::new(),
                );
            }
            if selected {
                chosen.push(alert);
            }
        }
        if chosen.is_empty() {
            tracing::info!(
                eventInvolvedObject = object,
                "discarding event, no alerts found for the involved object"
            );
            return;
        }
        tracing::info!(eventInvolvedObject = object, eventMessage = event.message, "dispatching event");
        let (mut no_commit, mut no_change_request) = (Vec::new(), Vec::new());
        for alert in chosen {
            match self.prepare(event, &alert).await {
                Ok(Fate::Ready(prepared)) => self.deliver(event, alert, *prepared).await,
                Ok(Fate::Dropped) => {}
                Ok(Fate::NoCommit) => no_commit.push(id(&*alert)),
                Ok(Fate::NoChangeRequest) => no_change_request.push(id(&*alert)),
                Err(error) => self.complain(event, &alert, "failed to dispatch notification", &error),
            }
        }
        if !no_commit.is_empty() {
            tracing::info!(
                eventInvolvedObject = object,
                alerts = json!(no_commit).to_string().as_bytes(),
                "event dropped for commit status providers due to missing commit metadata key"
            );
        }
        if !no_change_request.is_empty() {
            tracing::info!(
                eventInvolvedObject = object,
                alerts = json!(no_change_request).to_string().as_bytes(),
                "event dropped for change request providers due to missing change request metadata key"
            );
        }
    }

    async fn prepare(&self, event: &Event, alert: &Arc<Alert>) -> Result<Fate, String> {
        let namespace = alert.namespace().unwrap_or_default();
        if self.parts.no_cross_namespace_refs && event.involved.namespace != namespace {
            return Err(format!(
                "discarding event, access denied to cross-namespace sources: alert '{}' can't process event from '{}', cross-namespace references have been blocked",
                id(&**alert),
                event.involved.id()
            ));
        }
        let name = &alert.spec.provider_ref.name;
        let Some(provider) = self.parts.providers.get(&Key::new(&namespace, name)) else {
            return Err(format!("failed to read provider: Provider '{namespace}/{name}' not found"));
        };
        let kind = provider.spec.kind;
        if provider.spec.suspend {
            return Ok(Fate::Dropped);
        }
        let is_update = metadata::own(event, "commit_status") == Some("update");
        if is_update && !writes_commit_status(kind) && !is_generic(kind) {
            return Ok(Fate::Dropped);
        }
        if writes_commit_status(kind)
            && metadata::given(event, "commit").is_none()
            && !is_update
            && !event.is_error()
        {
            return Ok(Fate::NoCommit);
        }
        if comments(kind) && metadata::given(event, "change_request").is_none() {
            return Ok(Fate::NoChangeRequest);
        }
        if !self.parts.object_identity && provider.spec.service_account_name.is_some() {
            return Err("to use spec.serviceAccountName for provider authentication please enable the ObjectLevelWorkloadIdentity feature gate in the controller".to_owned());
        }
        let mut event = event.clone();
        let (merged, conflicts) = metadata::merge(&event, alert);
        self.tell_conflicts(alert, &conflicts);
        if !merged.is_empty() {
            event.metadata = merged;
        }
        let status = if writes_commit_status(kind) {
            status_id(&provider, alert, &event)
                .map_err(|error| format!("failed to create commit status: {error}"))?
        } else {
            String::new()
        };
        let not_made =
            |error: String| format!("failed to initialize notifier for provider '{name}': {error}");
        let secrets = self.secrets(&provider).await.map_err(not_made)?;
        let prepared =
            prepare_delivery(&provider, alert, &event, secrets, status, &self.parts).map_err(not_made)?;
        Ok(Fate::Ready(Box::new(prepared)))
    }

    async fn deliver(self: &Arc<Self>, event: &Event, alert: Arc<Alert>, prepared: Prepared) {
        let weight = u32::try_from(1 + event.size() / WEIGHT).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&self.room).acquire_many_owned(weight).await else { return };
        let (this, event) = (Arc::clone(self), event.clone());
        self.tasks.spawn(async move {
            let _permit = permit;
            let Prepared { settings, step, timeout } = prepared;
            let outcome = match step {
                Ok(step) => {
                    match tokio::time::timeout(timeout, this.parts.courier.run(&settings, step)).await {
                        Ok(outcome) => outcome.map_err(|error| error.to_string()),
                        Err(_) => Err("failed to execute request: context deadline exceeded".to_owned()),
                    }
                }
                Err(error) => Err(error.to_string()),
            };
            let result = if outcome.is_ok() { "success" } else { "failure" };
            let namespace = alert.namespace().unwrap_or_default();
            this.parts.deliveries.inc(&[
                &alert.spec.provider_ref.name,
                &namespace,
                &type_name(settings.kind),
                result,
            ]);
            if let Err(error) = outcome {
                this.complain(&event, &alert, "failed to send notification", &settings.masked(&error));
            }
        });
    }

    fn complain(&self, event: &Event, alert: &Alert, what: &str, error: &str) {
        let object = event.involved.id();
        tracing::error!(
            eventInvolvedObject = event.involved.logged().as_slice(),
            alert = logged(alert).as_slice(),
            error,
            "{what}"
        );
        self.parts.events.emit(
            alert,
            Severity::Warning,
            "NotificationDispatchFailed",
            format!("{what} for {object}: {error}"),
            BTreeMap::new(),
        );
    }

    fn tell_conflicts(&self, alert: &Alert, conflicts: &metadata::Conflicts) {
        if conflicts.is_empty() {
            return;
        }
        let told: Metadata =
            conflicts.iter().map(|(key, sources)| (key.clone(), sources.join(", "))).collect();
        let text = "metadata key conflicts detected (please refer to the Alert API docs and Flux RFC 0008 for more information)";
        let keys: Vec<Value> =
            conflicts.iter().map(|(key, sources)| json!({ "key": key, "sources": sources })).collect();
        tracing::info!(
            alert = logged(alert).as_slice(),
            conflictingKeys = json!(keys).to_string().as_bytes(),
            "warning: {text}"
        );
        self.parts.events.emit(alert, Severity::Warning, "MetadataAppendFailed", text, told);
    }

    async fn labels(&self, event: &Event) -> Labels {
        let object = &event.involved;
        let found = metadata_of(
            &self.parts.client,
            &object.api_version,
            &object.kind,
            &object.namespace,
            &object.name,
        )
        .await;
        match found {
            Ok(Some(found)) => Labels::Known(found.labels()),
            Ok(None) => Labels::Unreadable,
            Err(error) => {
                tracing::error!(eventInvolvedObject = object.logged().as_slice(), error = %error, "cannot read the involved object");
                Labels::Unreadable
            }
        }
    }

    async fn secrets(&self, provider: &Provider) -> Result<Secrets, String> {
        let namespace = provider.namespace().unwrap_or_default();
        let spec = &provider.spec;
        read_secrets(&self.parts.secrets, &namespace, spec).await
    }
}

/// Reads the Secrets that a Provider names.
pub async fn read_secrets(
    secrets: &SecretReader,
    namespace: &str,
    spec: &api::notification::ProviderSpec,
) -> Result<Secrets, String> {
    let mut read = Vec::new();
    for reference in [&spec.secret_ref, &spec.proxy_secret_ref, &spec.cert_secret_ref] {
        read.push(match reference {
            Some(reference) => {
                let id = format!("{namespace}/{}", reference.name);
                let data = secrets.read(namespace, &reference.name).await;
                let data = data.map_err(|error| format!("failed to get secret '{id}': {error}"))?;
                Some((id, (*data).clone()))
            }
            None => None,
        });
    }
    let mut read = read.into_iter();
    Ok(Secrets {
        credentials: read.next().flatten(),
        proxy: read.next().flatten(),
        certificates: read.next().flatten(),
    })
}

fn prepare_delivery(
    provider: &Provider,
    alert: &Alert,
    event: &Event,
    secrets: Secrets,
    status_id: String,
    parts: &Parts,
) -> Result<Prepared, String> {
    let sender = Sender {
        namespace: alert.namespace().unwrap_or_default(),
        name: alert.name_any(),
        uid: alert.uid().unwrap_or_default(),
    };
    let mut settings =
        Settings::of(provider, secrets, sender, parts.guard).map_err(|error| error.to_string())?;
    settings.status_id = status_id;
    settings.default_account = Some(parts.default_account.clone()).filter(|name| !name.is_empty());
    let step = match provider::plan(&settings, event, Timestamp::now()) {
        Err(provider::Error::Setup(error)) => return Err(settings.masked(&error)),
        step => step,
    };
    Ok(Prepared { settings, step, timeout: provider.spec.timeout() })
}

/// An Alert for the log, as JSON.
fn logged(alert: &Alert) -> Vec<u8> {
    let alert = json!({
        "name": alert.name_any(),
        "namespace": alert.namespace().unwrap_or_default(),
        "providerName": alert.spec.provider_ref.name,
    });
    alert.to_string().into_bytes()
}

/// `namespace/name`.
fn id<K: kube::Resource>(object: &K) -> String {
    Key::of(object).to_string()
}

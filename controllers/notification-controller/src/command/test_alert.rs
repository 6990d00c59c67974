//! `test-alert`: what an Alert would send, with secrets masked, or sending it.

use std::fmt::Write as _;

use api::notification::{Alert, Provider};
use bytes::Bytes;
use clap::Args;
use jiff::Timestamp;
use kube::ResourceExt as _;
use net::Secret;
use runtime::Key;
use runtime::client::{Clients, get, object_path};
use runtime::metrics::{Metrics, Registry};

use crate::alert::{metadata, read_secrets, status_id};
use crate::event::Event;
use crate::flags::{BINARY, Flags};
use crate::provider::{
    self, Accounts, Call, Courier, Reply, Sender, Settings, Step, TokenMetrics, Tokens, writes_commit_status,
};
use crate::secrets::SecretReader;

/// Most requests of one delivery that are shown.
const MOST: usize = 8;

/// Which Alert, and what happened.
#[derive(Clone, Args)]
pub struct Arguments {
    /// Name of the Alert.
    pub name: String,
    /// Namespace of the Alert.
    #[arg(long, short, default_value = "flux-system")]
    pub namespace: String,
    /// The object of the event, as Kind/namespace/name.
    #[arg(long, default_value = "Kustomization/flux-system/test", value_name = "OBJECT")]
    pub object: String,
    /// API version of the object.
    #[arg(long, default_value = "kustomize.toolkit.fluxcd.io/v1", value_name = "VERSION")]
    pub api_version: String,
    /// Severity: info, error.
    #[arg(long, default_value = "info")]
    pub severity: String,
    /// Reason of the event.
    #[arg(long, default_value = "ReconciliationSucceeded")]
    pub reason: String,
    /// Message of the event.
    #[arg(long, default_value = "A test of this Alert")]
    pub message: String,
    /// Metadata of the event, as KEY=VALUE; may be repeated. A key without a slash belongs to the object's controller.
    #[arg(long, value_name = "KEY=VALUE")]
    pub metadata: Vec<String>,
    /// Send it. Otherwise the requests are printed, and nothing is sent.
    #[arg(long)]
    pub send: bool,
}

/// Shows or sends.
pub async fn run(arguments: &Arguments, flags: &Flags) -> Result<(), String> {
    let mut event = event(arguments)?;
    let text = |error: runtime::Error| error.to_string();
    let clients = Clients::connect(BINARY.name, &flags.common, &Metrics::default()).await.map_err(text)?;
    let client = clients.own();
    let namespace = &arguments.namespace;
    let missing = |kind: &str, name: &str| format!("{kind} '{namespace}/{name}' not found");
    let alert: Alert = get(client, &object_path::<Alert>(&Key::new(namespace, &arguments.name)))
        .await
        .map_err(text)?
        .ok_or_else(|| missing("Alert", &arguments.name))?;
    let name = &alert.spec.provider_ref.name;
    let provider: Provider = get(client, &object_path::<Provider>(&Key::new(namespace, name)))
        .await
        .map_err(text)?
        .ok_or_else(|| missing("Provider", name))?;
    let secrets = read_secrets(
        &SecretReader::new(client.clone(), std::time::Duration::ZERO),
        namespace,
        &provider.spec,
    )
    .await?;
    let (merged, _) = metadata::merge(&event, &alert);
    if !merged.is_empty() {
        event.metadata = merged;
    }
    let sender = Sender {
        namespace: namespace.clone(),
        name: arguments.name.clone(),
        uid: alert.uid().unwrap_or_default(),
    };
    let mut settings =
        Settings::of(&provider, secrets, sender, flags.own.guard()).map_err(|error| error.to_string())?;
    settings.default_account =
        Some(flags.common.default_service_account.clone()).filter(|name| !name.is_empty());
    if writes_commit_status(settings.kind) {
        settings.status_id = status_id(&provider, &alert, &event)?;
    }
    let step = provider::plan(&settings, &event, Timestamp::now())
        .map_err(|error| settings.masked(&error.to_string()))?;
    if !arguments.send {
        print!("{}", shown(&settings, step));
        return Ok(());
    }
    let uncounted = TokenMetrics::register(&Registry::default());
    let courier = Courier::new(
        BINARY.name,
        Tokens::new(0, std::time::Duration::ZERO, uncounted),
        Accounts::of(Some(client.clone())),
    );
    let delivery = courier.run(&settings, step);
    match tokio::time::timeout(provider.spec.timeout(), delivery).await {
        Ok(Ok(())) => {
            println!("sent to Provider {namespace}/{name}");
            Ok(())
        }
        Ok(Err(error)) => Err(settings.masked(&error.to_string())),
        Err(_) => Err(format!("Provider {namespace}/{name} did not answer within its timeout")),
    }
}

fn event(arguments: &Arguments) -> Result<Event, String> {
    let parts: Vec<&str> = arguments.object.split('/').collect();
    let [kind, namespace, name] = parts.as_slice() else {
        return Err(format!("--object {}: expected Kind/namespace/name", arguments.object));
    };
    let mut event = Event {
        severity: arguments.severity.clone(),
        timestamp: Some(Timestamp::now()),
        message: arguments.message.clone(),
        reason: arguments.reason.clone(),
        controller: BINARY.name.to_owned(),
        instance: "test-alert".to_owned(),
        ..Event::default()
    };
    event.involved.kind = (*kind).to_owned();
    event.involved.namespace = (*namespace).to_owned();
    event.involved.name = (*name).to_owned();
    event.involved.api_version.clone_from(&arguments.api_version);
    for pair in &arguments.metadata {
        let (key, value) =
            pair.split_once('=').ok_or_else(|| format!("--metadata {pair}: expected KEY=VALUE"))?;
        let key =
            if key.contains('/') { key.to_owned() } else { format!("{}{key}", metadata::prefix(&event)) };
        event.metadata.insert(key, value.to_owned());
    }
    Ok(event)
}

/// The requests of a delivery, as they would be if nothing was said before.
fn shown(settings: &Settings, first: Step) -> String {
    let mut text = String::new();
    let mut step = first;
    for _ in 0..MOST {
        step = match step {
            Step::Send(call, then) => {
                text.push_str(&settings.masked(&request(&call)));
                let reply = Reply {
                    status: http::StatusCode::OK,
                    body: Bytes::from_static(b"[]"),
                    context: call.context,
                };
                match then(reply) {
                    Ok(next) => next,
                    Err(_) => break,
                }
            }
            Step::Token(wanted) => {
                text.push_str("# with a token that is obtained first\n\n");
                match (wanted.then)(&Secret::new("obtained")) {
                    Ok(next) => next,
                    Err(_) => break,
                }
            }
            Step::Account(account, _) | Step::AccountToken(account, ..) => {
                let _ = writeln!(
                    text,
                    "# as ServiceAccount {account}, whose identity in the cloud is obtained first"
                );
                break;
            }
            Step::Nats(_) => {
                let _ =
                    writeln!(text, "PUB {} (NATS, {})", settings.channel, settings.masked(&settings.address));
                break;
            }
            Step::Done | Step::Obtained(..) => break,
        };
    }
    if text.is_empty() {
        text.push_str("nothing: this provider has nothing to say about such an event\n");
    }
    text
}

fn request(call: &Call) -> String {
    let mut text = format!("{} {}\n", call.method, call.url);
    for (name, value) in &call.headers {
        let public = name == "gotk-component";
        let value = if value.is_sensitive() && !public { "*****" } else { value.to_str().unwrap_or("*****") };
        let _ = writeln!(text, "{name}: {value}");
    }
    let body = match serde_json::from_slice::<serde_json::Value>(&call.body) {
        Ok(document) => serde_json::to_string_pretty(&document).unwrap_or_default(),
        Err(_) => String::from_utf8_lossy(&call.body).into_owned(),
    };
    if !body.is_empty() {
        let _ = write!(text, "\n{body}\n");
    }
    text.push('\n');
    text
}

//! The webhook endpoint: path, Receiver, verification, resources.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use api::notification::{Receiver, ReceiverResource};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use jiff::Timestamp;
use kube::{Client, ResourceExt as _};
use runtime::watch::{Change, Store};

use super::http::{BodyReader, empty};
use super::metrics::HttpMetrics;
use crate::receiver::hook::Hook;
use crate::receiver::{
    Filters, Found, Issuers, PATHS, default_api_version, labelled, metadata_of, request_run, secret_of,
    verify,
};
use crate::secrets::SecretReader;

/// The Receivers by their paths.
#[derive(Clone, Default)]
pub struct Paths(Arc<RwLock<HashMap<String, Vec<Arc<Receiver>>>>>);

impl Paths {
    /// Takes a change of a Receiver in.
    pub fn observe(&self, change: &Change<Receiver>) {
        let path = |receiver: &Arc<Receiver>| {
            receiver.status.as_ref()?.webhook_path.clone().filter(|path| !path.is_empty())
        };
        let same = |one: &Receiver, other: &Receiver| {
            one.name_any() == other.name_any() && one.namespace() == other.namespace()
        };
        let mut paths = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = &change.before
            && let Some(path) = path(before)
            && let Some(receivers) = paths.get_mut(&path)
        {
            receivers.retain(|receiver| !same(receiver, before));
            if receivers.is_empty() {
                paths.remove(&path);
            }
        }
        if let Some(after) = &change.after
            && let Some(path) = path(after)
        {
            paths.entry(path).or_default().push(Arc::clone(after));
        }
    }

    fn get(&self, path: &str) -> Option<Arc<Receiver>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(path)?.first().cloned()
    }
}

/// What the endpoint works with.
pub struct WebhookServer {
    /// The API server.
    pub client: Client,
    /// Reads the Secrets of Receivers.
    pub secrets: SecretReader,
    /// The Receivers by their paths.
    pub paths: Paths,
    /// All Receivers, to know when they are all there.
    pub receivers: Store<Receiver>,
    /// Who issues tokens.
    pub issuers: Issuers,
    /// What is counted.
    pub metrics: HttpMetrics,
    /// Refuse resources of other namespaces.
    pub no_cross_namespace_refs: bool,
    /// Reads bodies.
    pub bodies: BodyReader,
}

impl WebhookServer {
    /// Answers a request of any method.
    pub fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send + use<> {
        let this = Arc::clone(self);
        async move {
            let path = request.uri().path();
            if !path.starts_with(PATHS) {
                return empty(StatusCode::NOT_FOUND);
            }
            let handler = this.metrics.handler(path);
            let (begun, method) = (Instant::now(), request.method().clone());
            this.metrics.begin(&handler);
            let status = this.take(request).await;
            this.metrics.end(&handler, &method, status.as_u16(), begun.elapsed(), 0);
            empty(status)
        }
    }

    async fn take(&self, request: Request<Incoming>) -> StatusCode {
        let (head, body) = request.into_parts();
        let (body, _room) = match self.bodies.read(body).await {
            Ok(body) => body,
            Err(status) => return status,
        };
        // Path and query: what is appended makes another path.
        let wanted = head.uri.path_and_query().map(|path| path.as_str()).unwrap_or_default();
        let Some(receiver) = self.paths.get(wanted) else {
            if !self.receivers.is_listed() {
                tracing::error!("unable to list receivers");
                return StatusCode::INTERNAL_SERVER_ERROR;
            }
            return StatusCode::NOT_FOUND;
        };
        tracing::info!("handling request: {}", wanted.trim_start_matches(PATHS));
        let (name, namespace) = (receiver.name_any(), receiver.namespace().unwrap_or_default());
        let failed = |message: &str, error: &str| {
            tracing::error!("reconciler kind" = "Receiver", name, namespace, error, "{message}");
        };
        let ready = receiver.status.as_ref().is_some_and(|status| status.conditions.is_ready());
        if receiver.spec.suspend || !ready {
            failed(
                if receiver.spec.suspend { "receiver is suspended" } else { "receiver is not ready" },
                "unable to process request",
            );
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        let hook = Hook { headers: head.headers, body };
        let accepted = match secret_of(&self.secrets, &receiver).await {
            Ok(secret) => verify(&receiver.spec, &secret, &self.issuers, &hook, Timestamp::now())
                .await
                .map_err(|refusal| refusal.to_string()),
            Err(error) => Err(error),
        };
        let accepted = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                failed("unable to validate payload", &error);
                return StatusCode::BAD_REQUEST;
            }
        };
        let filters = match Filters::of(&receiver.spec, &hook, accepted) {
            Ok(filters) => filters,
            Err(error) => {
                failed("unable to create resource filters", &error);
                return StatusCode::INTERNAL_SERVER_ERROR;
            }
        };
        drop(hook);
        let mut status = StatusCode::OK;
        for (index, resource) in receiver.spec.resources.iter().enumerate() {
            if let Err(error) = self.reach(&receiver, index, resource, &filters).await {
                failed("unable to request reconciliation", &error);
                status = StatusCode::INTERNAL_SERVER_ERROR;
            }
        }
        status
    }

    /// Asks the objects of an entry for a run.
    async fn reach(
        &self,
        receiver: &Receiver,
        index: usize,
        resource: &ReceiverResource,
        filters: &Filters,
    ) -> Result<(), String> {
        let own = receiver.namespace().unwrap_or_default();
        let namespace = resource.namespace.clone().unwrap_or_else(|| own.clone());
        if self.no_cross_namespace_refs && namespace != own {
            return Err("cross-namespace references are not allowed".to_owned());
        }
        let kind = resource.kind.as_str();
        let given = resource.api_version.as_deref().filter(|version| !version.is_empty());
        let Some(api_version) = given.or_else(|| default_api_version(resource.kind)) else {
            return Err(format!("apiVersion must be specified for kind \"{kind}\""));
        };
        let objects = if resource.name == "*" {
            if resource.match_labels.is_empty() {
                return Err("matchLabels field not set when using wildcard '*' as name".to_owned());
            }
            let found = labelled(&self.client, api_version, kind, &namespace, &resource.match_labels)
                .await
                .map_err(|error| {
                format!("failed listing resources in namespace {namespace} by matching labels: {error}")
            })?;
            if found.is_empty() {
                tracing::error!(
                    "reconciler kind" = "Receiver",
                    name = receiver.name_any(),
                    namespace = own,
                    error = format!(
                        "no {kind} resources found with the labels {:?} in namespace {namespace}",
                        Shown(&resource.match_labels)
                    ),
                    "error annotating resources"
                );
            }
            found
        } else {
            let found =
                metadata_of(&self.client, api_version, kind, &namespace, &resource.name).await.map_err(
                    |error| format!("unable to read {kind} '{namespace}/{}' error: {error}", resource.name),
                )?;
            let object = found.ok_or_else(|| {
                format!("unable to read {kind} '{namespace}/{}' error: not found", resource.name)
            })?;
            vec![object]
        };
        for object in &objects {
            self.annotate(receiver, index, (api_version, kind, &namespace), object, filters).await?;
        }
        Ok(())
    }

    async fn annotate(
        &self,
        receiver: &Receiver,
        index: usize,
        (api_version, kind, namespace): (&str, &str, &str),
        object: &Found,
        filters: &Filters,
    ) -> Result<(), String> {
        let name = object.name();
        let (own_name, own_namespace) = (receiver.name_any(), receiver.namespace().unwrap_or_default());
        let passes = filters.pass(index, object).map_err(|error| {
            format!("CEL expression evaluation failed for {kind}/{name}.{namespace}: {error}")
        })?;
        if !passes {
            tracing::debug!(
                "reconciler kind" = "Receiver",
                name = own_name,
                namespace = own_namespace,
                "resource '{kind}/{name}.{namespace}' NOT annotated because CEL expression returned false"
            );
            return Ok(());
        }
        let token = Timestamp::now().to_string();
        request_run(&self.client, api_version, kind, namespace, name, &token)
            .await
            .map_err(|error| format!("unable to annotate {kind}/{name}.{namespace}: {error}"))?;
        tracing::info!(
            "reconciler kind" = "Receiver",
            name = own_name,
            namespace = own_namespace,
            "resource '{kind}/{name}.{namespace}' annotated"
        );
        Ok(())
    }
}

/// Labels for a message.
struct Shown<'a>(&'a BTreeMap<String, String>);

impl std::fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.0).finish()
    }
}

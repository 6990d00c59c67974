//! The state of a Receiver: its path, and whether it can be used.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::condition::{Reason, Stamp, Type, finish_pass};
use api::meta::{FINALIZER, Timestamp, go_duration};
use api::notification::{Receiver, ReceiverStatus};
use api::object::Reconciled as _;
use kube::ResourceExt as _;
use net::auth::Data;
use runtime::{Outcome, Reconciler, Recorder, Run, Severity, Writer};

use super::{filter, oidc, webhook_path};
use crate::secrets::SecretReader;

/// The conditions that the controller decides about.
const OWNED: &[Type] = &[Type::Ready, Type::Reconciling, Type::Stalled];

/// Reconciles Receivers.
pub struct Receivers {
    /// Reads Secrets, each time anew.
    pub secrets: SecretReader,
    /// Writes statuses.
    pub writer: Writer<Receiver>,
    /// Where events go.
    pub events: Recorder,
}

/// What a run found out.
enum Verdict {
    /// It can be used, at this path.
    Usable(String),
    /// Only a change of the object can help.
    Unusable(Reason, String),
    /// The token cannot be read.
    NoToken(String),
}

/// The Secret of a Receiver; empty for types without one.
///
/// # Errors
/// It cannot be read, or has no token.
pub async fn secret_of(secrets: &SecretReader, receiver: &Receiver) -> Result<Arc<Data>, String> {
    let Some(reference) = &receiver.spec.secret_ref else { return Ok(Arc::default()) };
    let namespace = receiver.namespace().unwrap_or_default();
    let id = format!("{namespace}/{}", reference.name);
    let secret = secrets
        .read(&namespace, &reference.name)
        .await
        .map_err(|error| format!("unable to read token from secret '{id}' error: {error}"))?;
    if !secret.contains_key("token") {
        return Err(format!("invalid '{id}' secret data: required fields 'token'"));
    }
    Ok(secret)
}

impl Receivers {
    async fn judge(&self, receiver: &Receiver) -> Verdict {
        let spec = &receiver.spec;
        if let Err(error) = filter::check(spec) {
            return Verdict::Unusable(Reason::InvalidCelExpression, error);
        }
        if let Err(error) = oidc::check_rules(spec) {
            return Verdict::Unusable(Reason::ValidationFailed, error);
        }
        if let Err(error) = oidc::check_expressions(spec) {
            return Verdict::Unusable(Reason::InvalidCelExpression, error);
        }
        match secret_of(&self.secrets, receiver).await {
            Ok(secret) => {
                let token = secret.get("token").map(Vec::as_slice).unwrap_or_default();
                Verdict::Usable(webhook_path(
                    token,
                    &receiver.name_any(),
                    &receiver.namespace().unwrap_or_default(),
                ))
            }
            Err(error) => Verdict::NoToken(error),
        }
    }

    async fn write(&self, receiver: &Arc<Receiver>, after: &ReceiverStatus) -> Result<(), runtime::Error> {
        self.writer.status(receiver, receiver.status.as_ref(), after, OWNED).await.map(|_| ())
    }
}

/// The status that follows from a verdict.
fn status_after(receiver: &Receiver, verdict: &Verdict, now: Timestamp) -> ReceiverStatus {
    let stamp = Stamp { generation: receiver.metadata.generation.unwrap_or_default(), now };
    let mut status = receiver
        .status
        .clone()
        .unwrap_or_else(|| ReceiverStatus { observed_generation: -1, ..ReceiverStatus::default() });
    let conditions = &mut status.conditions;
    match verdict {
        Verdict::Usable(path) => {
            conditions.delete(Type::Stalled);
            conditions.mark_true(
                Type::Ready,
                Reason::Succeeded,
                format!("Receiver initialized for path: {path}"),
                stamp,
            );
            status.webhook_path = Some(path.clone());
        }
        Verdict::Unusable(reason, error) => {
            let message = format!("Reconciliation failed terminally due to configuration error: {error}");
            conditions.mark_stalled(*reason, message.clone(), stamp);
            conditions.mark_false(Type::Ready, *reason, message, stamp);
            status.observed_generation = stamp.generation;
        }
        Verdict::NoToken(error) => {
            conditions.mark_reconciling(Reason::Progressing, "Reconciliation in progress", stamp);
            conditions.mark_false(Type::Ready, Reason::TokenNotFound, error.clone(), stamp);
            status.webhook_path = None;
        }
    }
    finish_pass(
        conditions,
        &mut status.observed_generation,
        &mut status.last_handled_reconcile_at,
        receiver.requested_at(),
        stamp,
    );
    status
}

impl Reconciler for Receivers {
    type Object = Receiver;

    async fn reconcile(&self, receiver: Arc<Receiver>, _run: Run) -> Outcome {
        if receiver.metadata.deletion_timestamp.is_some() {
            return match self.writer.remove_finalizer(&receiver).await {
                Ok(_) => Outcome::Done,
                Err(error) => Outcome::Failed(error.into()),
            };
        }
        let receiver = if receiver.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
            receiver
        } else {
            match self.writer.add_finalizer(&receiver).await {
                Ok(written) => match written.object() {
                    Some(receiver) => receiver,
                    None => return Outcome::Done,
                },
                Err(error) => return Outcome::Failed(error.into()),
            }
        };
        if receiver.spec.suspend {
            tracing::info!("Reconciliation is suspended for this object");
            let mut status = receiver.status.clone().unwrap_or_default();
            if let Some(requested) = receiver.requested_at() {
                status.last_handled_reconcile_at = Some(requested.to_owned());
            }
            return match self.write(&receiver, &status).await {
                Ok(()) => Outcome::Done,
                Err(error) => Outcome::Failed(error.into()),
            };
        }
        let verdict = self.judge(&receiver).await;
        let status = status_after(&receiver, &verdict, Timestamp::now());
        if let Err(error) = self.write(&receiver, &status).await {
            return Outcome::Failed(error.into());
        }
        let emit = |severity, reason: &str, message: String| {
            self.events.emit(&*receiver, severity, reason, message, BTreeMap::new());
        };
        match verdict {
            Verdict::Usable(path) => {
                let known = receiver.status.as_ref().and_then(|status| status.webhook_path.as_deref());
                if known != Some(path.as_str()) {
                    tracing::info!("Receiver initialized for path: {path}");
                }
                let interval = receiver.spec.interval();
                let message = format!("Reconciliation finished, next run in {}", go_duration(interval));
                tracing::info!("{message}");
                emit(Severity::Normal, "Succeeded", message);
                Outcome::After(interval)
            }
            Verdict::Unusable(reason, _) => {
                let message = status.conditions.message(Type::Ready).to_owned();
                tracing::error!(error = message, "Reconciliation failed terminally");
                emit(Severity::Warning, reason.as_str(), message);
                Outcome::Done
            }
            Verdict::NoToken(error) => {
                emit(Severity::Warning, "Failed", error.clone());
                Outcome::Failed(error.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use api::condition::{Moment, check};

    use super::*;

    fn receiver(status: &str) -> Receiver {
        serde_json::from_str(&format!(
            r#"{{"metadata":{{"name":"r","generation":3,"annotations":{{"reconcile.fluxcd.io/requestedAt":"now"}}}},"spec":{{"type":"generic","resources":[],"secretRef":{{"name":"s"}}}},"status":{status}}}"#
        ))
        .expect("a receiver")
    }

    #[test]
    fn verdicts_become_statuses() {
        let fresh = receiver(r#"{"observedGeneration":-1}"#);
        let usable = status_after(&fresh, &Verdict::Usable("/hook/x".to_owned()), Timestamp::UNIX_EPOCH);
        assert!(usable.conditions.is_ready());
        assert_eq!(usable.conditions.message(Type::Ready), "Receiver initialized for path: /hook/x");
        assert_eq!((usable.observed_generation, usable.webhook_path.as_deref()), (3, Some("/hook/x")));
        assert_eq!(usable.last_handled_reconcile_at.as_deref(), Some("now"));

        let was = receiver(r#"{"observedGeneration":2,"webhookPath":"/hook/x"}"#);
        let without = status_after(&was, &Verdict::NoToken("no".to_owned()), Timestamp::UNIX_EPOCH);
        assert_eq!((without.observed_generation, without.webhook_path.clone()), (2, None));
        assert_eq!(without.conditions.reason(Type::Ready), "TokenNotFound");
        assert_eq!(without.conditions.reason(Type::Reconciling), "ProgressingWithRetry");
        assert_eq!(without.last_handled_reconcile_at.as_deref(), Some("now"));

        let broken = Verdict::Unusable(Reason::InvalidCelExpression, "bad".to_owned());
        let stalled = status_after(&was, &broken, Timestamp::UNIX_EPOCH);
        assert!(stalled.conditions.is_stalled() && !stalled.conditions.has(Type::Reconciling));
        assert_eq!((stalled.observed_generation, stalled.webhook_path.as_deref()), (3, Some("/hook/x")));
        assert_eq!(
            stalled.conditions.message(Type::Ready),
            "Reconciliation failed terminally due to configuration error: bad"
        );
        for status in [&usable, &without, &stalled] {
            let violations = check(&status.conditions, status.observed_generation, 3, None, Moment::AtRest);
            assert!(violations.is_empty(), "{violations:?}");
        }
    }
}

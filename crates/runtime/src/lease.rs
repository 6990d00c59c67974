//! Leader election by a Lease object, compatible with client-go's: of several replicas one holds the lease and works.
//!
//! Whether another's lease has run out is judged by our own clock since we last saw it change, so clocks need not agree.

use std::time::Duration;

use api::meta::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::client::{collection_path, create, get, object_path, replace};
use crate::{Error, Key, Options};

/// How a lease is held.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The Lease object.
    pub lease: Key,
    /// Who we are; unique among the replicas.
    pub identity: String,
    /// How long others respect a lease that is not renewed.
    pub duration: Duration,
    /// How long the holder tries to renew before it gives up. Shorter than `duration`.
    pub renew_deadline: Duration,
    /// Time between attempts.
    pub retry: Duration,
    /// Give the lease back at the end.
    pub release: bool,
}

impl Terms {
    /// The terms of a controller: lease `<controller>-leader-election` in the runtime namespace, with a suffix for each
    /// label selector so that shards elect separately.
    #[must_use]
    pub fn of(controller: &str, namespace: &str, selector: &str, options: &Options) -> Self {
        Self {
            lease: Key::new(namespace, &lease_name(controller, selector)),
            identity: format!("{}_{}", crate::events::host_name(), crate::log::run_id()),
            duration: options.leader_election_lease_duration,
            renew_deadline: options.leader_election_renew_deadline,
            retry: options.leader_election_retry_period,
            release: options.leader_election_release_on_cancel,
        }
    }
}

fn lease_name(controller: &str, selector: &str) -> String {
    let base = format!("{controller}-leader-election");
    if selector.is_empty() {
        return base;
    }
    let hash = Sha256::digest(selector.as_bytes());
    let suffix: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{base}-{suffix}")
}

/// Waits until the lease is ours. Returns false when `stop` came first.
pub async fn acquire(client: &Client, terms: &Terms, stop: &CancellationToken) -> bool {
    let mut observed = Observed::default();
    tracing::info!(lease = %terms.lease, "attempting to acquire leader lease");
    let mut failing = false;
    loop {
        match attempt(client, terms, &mut observed).await {
            Ok(true) => {
                tracing::info!(lease = %terms.lease, "successfully acquired lease");
                return true;
            }
            Ok(false) => failing = false,
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(error = %error, "cannot acquire the leader lease, retrying");
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return false,
            () = tokio::time::sleep(jittered(terms.retry)) => {}
        }
    }
}

/// Keeps the lease until `stop`, then gives it back if the terms say so.
///
/// # Errors
/// [`Error::LeaseLost`] when somebody else took it, or it could not be renewed in time.
pub async fn hold(client: &Client, terms: &Terms, stop: &CancellationToken) -> Result<(), Error> {
    let mut observed = Observed::default();
    let mut renewed = Instant::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => {
                if terms.release {
                    release(client, terms).await;
                }
                return Ok(());
            }
            () = tokio::time::sleep(terms.retry) => {}
        }
        let left = terms.renew_deadline.saturating_sub(renewed.elapsed());
        match tokio::time::timeout(left, attempt(client, terms, &mut observed)).await {
            Ok(Ok(true)) => renewed = Instant::now(),
            Ok(Ok(false)) => return Err(Error::LeaseLost),
            Ok(Err(error)) => tracing::error!(error = %error, "cannot renew the leader lease"),
            Err(_) => {}
        }
        if renewed.elapsed() >= terms.renew_deadline {
            return Err(Error::LeaseLost);
        }
    }
}

/// What was last seen of the lease, and when it changed.
#[derive(Default)]
struct Observed {
    content: Option<String>,
    since: Option<Instant>,
}

/// One attempt to take or renew the lease. Whether it is ours now.
async fn attempt(client: &Client, terms: &Terms, observed: &mut Observed) -> Result<bool, Error> {
    let path = object_path::<Lease>(&terms.lease);
    let Some(mut found) = get::<Value>(client, &path).await? else {
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": { "name": terms.lease.name(), "namespace": terms.lease.namespace() },
            "spec": spec(terms, None, 0),
        });
        let collection = collection_path::<Lease>(Some(terms.lease.namespace()));
        return match create::<Value>(client, &collection, &terms.identity_manager(), &lease).await {
            Ok(_) => Ok(true),
            // Another replica was faster.
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(error),
        };
    };
    let old = found.get("spec").cloned().unwrap_or_default();
    let holder = old.get("holderIdentity").and_then(Value::as_str).unwrap_or_default();
    let transitions = old.get("leaseTransitions").and_then(Value::as_u64).unwrap_or(0);
    let ours = holder == terms.identity;
    if !ours && !holder.is_empty() && !expired(&old, observed, Instant::now()) {
        return Ok(false);
    }
    let acquired = if ours { old.get("acquireTime").cloned() } else { None };
    let transitions = if ours { transitions } else { transitions + 1 };
    if let Some(object) = found.as_object_mut() {
        object.insert("spec".to_owned(), spec(terms, acquired, transitions));
    }
    match replace::<Value>(client, &path, &terms.identity_manager(), &found).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_conflict() => Ok(false),
        Err(error) => Err(error),
    }
}

impl Terms {
    fn identity_manager(&self) -> String {
        self.lease.name().split("-leader-election").next().unwrap_or_default().to_owned()
    }
}

fn expired(spec: &Value, observed: &mut Observed, now: Instant) -> bool {
    let content = spec.to_string();
    if observed.content.as_ref() != Some(&content) {
        *observed = Observed { content: Some(content), since: Some(now) };
    }
    let seconds = spec.get("leaseDurationSeconds").and_then(Value::as_u64).unwrap_or(0);
    observed.since.is_some_and(|since| now.saturating_duration_since(since) >= Duration::from_secs(seconds))
}

fn spec(terms: &Terms, acquired: Option<Value>, transitions: u64) -> Value {
    let now = micro_time(Timestamp::now());
    json!({
        "holderIdentity": terms.identity,
        "leaseDurationSeconds": terms.duration.as_secs().max(1),
        "acquireTime": acquired.unwrap_or_else(|| Value::from(now.clone())),
        "renewTime": now,
        "leaseTransitions": transitions,
    })
}

async fn release(client: &Client, terms: &Terms) {
    let path = object_path::<Lease>(&terms.lease);
    let released = async {
        let Some(mut found) = get::<Value>(client, &path).await? else { return Ok(()) };
        if found.pointer("/spec/holderIdentity").and_then(Value::as_str) != Some(terms.identity.as_str()) {
            return Ok(());
        }
        let transitions = found.pointer("/spec/leaseTransitions").and_then(Value::as_u64).unwrap_or(0);
        let now = micro_time(Timestamp::now());
        if let Some(object) = found.as_object_mut() {
            object.insert(
                "spec".to_owned(),
                json!({
                    "holderIdentity": "", "leaseDurationSeconds": 1, "acquireTime": now, "renewTime": now,
                    "leaseTransitions": transitions,
                }),
            );
        }
        replace::<Value>(client, &path, &terms.identity_manager(), &found).await.map(drop)
    };
    match released.await {
        Ok(()) => tracing::info!(lease = %terms.lease, "released leader lease"),
        Err(error) => tracing::error!(error = %error, "cannot release the leader lease"),
    }
}

fn micro_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// Replicas that wait should not all ask at the same moment.
fn jittered(retry: Duration) -> Duration {
    retry.mul_f64(1.0 + 0.2 * rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_have_their_own_lease() {
        assert_eq!(lease_name("source-controller", ""), "source-controller-leader-election");
        let shard = lease_name("source-controller", "sharding.fluxcd.io/shard=shard1");
        assert_eq!(shard.len(), "source-controller-leader-election-".len() + 8);
        assert_ne!(shard, lease_name("source-controller", "sharding.fluxcd.io/shard=shard2"));
    }

    #[test]
    fn a_lease_expires_when_it_stops_changing() {
        let mut observed = Observed::default();
        let now = Instant::now();
        let first = json!({"holderIdentity": "other", "leaseDurationSeconds": 35, "renewTime": "a"});
        let second = json!({"holderIdentity": "other", "leaseDurationSeconds": 35, "renewTime": "b"});
        let at = |seconds| now + Duration::from_secs(seconds);
        assert!(!expired(&first, &mut observed, at(0)));
        assert!(!expired(&first, &mut observed, at(34)));
        assert!(!expired(&second, &mut observed, at(36)));
        assert!(!expired(&second, &mut observed, at(70)));
        assert!(expired(&second, &mut observed, at(71)));
    }
}

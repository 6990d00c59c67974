//! Readiness by the rules of Helm 3.

use std::sync::Arc;
use std::time::Duration;

use apply::{Accept, CustomHealth, FailFast, Failure, HealthMember, HealthRequest, HealthSet};
use kstatus::{Health, Status};
use object::{Gvk, Owner};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::cluster::Cluster;
use crate::error::Error;
use crate::objects::Built;
use crate::wait::Jobs;

/// When an object that could not be read is read again. Helm's own pace.
const AGAIN: Duration = Duration::from_secs(2);
/// How often one object may fail to be read.
const RETRIES: usize = 30;

/// Waits until all objects are ready. They are read when a watch tells of news about one of them: what the rules look at
/// besides (ReplicaSets, Pods) shows in the status of the objects themselves.
pub(crate) async fn ready(
    cluster: &Cluster,
    owner: &Owner,
    objects: &[&Built],
    jobs: Jobs,
    deadline: Instant,
) -> Result<(), Error> {
    let mut failures = vec![0; objects.len()];
    if look_at_all(cluster, objects, jobs, &mut failures).await? == Look::Ready {
        return Ok(());
    }
    let set = watched(cluster, owner, objects).await;
    loop {
        // From before the look on, so that nothing is missed.
        let news = set.news();
        let again = match look_at_all(cluster, objects, jobs, &mut failures).await? {
            Look::Ready => return Ok(()),
            Look::Failing => Some(AGAIN),
            Look::NotYet => set.recheck_after(),
        };
        if Instant::now() >= deadline {
            return Err(Error::Wait("context deadline exceeded".to_owned()));
        }
        let until = again.map_or(deadline, |after| deadline.min(Instant::now() + after));
        _ = timeout_at(until, news).await;
    }
}

/// The objects, watched for any news.
async fn watched(cluster: &Cluster, owner: &Owner, objects: &[&Built]) -> HealthSet {
    let members = objects.iter().filter(|object| is_judged(&object.reference.gvk));
    let member = |object: &&Built| HealthMember { object: object.reference.clone(), job_with_ttl: false };
    let custom = CustomHealth {
        covers: Box::new(|_| true),
        assess: Box::new(|_, _| Health::new(Status::InProgress, "")),
    };
    let request = HealthRequest {
        objects: members.map(member).collect(),
        fail_fast: FailFast::Off,
        custom: Some(Arc::new(custom)),
    };
    cluster.target().watch_health(owner, request).await
}

/// What a look at the objects shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// All are ready.
    Ready,
    /// One is not.
    NotYet,
    /// One cannot be read.
    Failing,
}

/// Looks at the objects up to the first that is not ready. `failures` counts how often each could not be read.
async fn look_at_all(
    cluster: &Cluster,
    objects: &[&Built],
    jobs: Jobs,
    failures: &mut [usize],
) -> Result<Look, Error> {
    for (object, failures) in objects.iter().zip(failures) {
        match look(cluster, object, jobs).await {
            Ok(true) => {}
            Ok(false) => return Ok(Look::NotYet),
            Err(Trouble::Read(failure)) if retryable(&failure) && *failures < RETRIES => {
                *failures += 1;
                return Ok(Look::Failing);
            }
            Err(Trouble::Read(failure)) => return Err(Error::of(&failure, Error::Wait)),
            Err(Trouble::Failed(text)) => return Err(Error::Wait(text)),
        }
    }
    Ok(Look::Ready)
}

/// Whether the rules say anything about a kind.
fn is_judged(gvk: &Gvk) -> bool {
    matches!(
        (gvk.group.as_str(), gvk.kind.as_str()),
        ("", "Pod" | "PersistentVolumeClaim" | "Service" | "ReplicationController")
            | ("apps", "Deployment" | "DaemonSet" | "StatefulSet" | "ReplicaSet")
            | ("batch", "Job")
            | ("apiextensions.k8s.io", "CustomResourceDefinition")
    )
}

enum Trouble {
    Read(Failure),
    Failed(String),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        Trouble::Read(failure)
    }
}

fn retryable(failure: &Failure) -> bool {
    matches!(failure.code, 0 | 429) || (failure.code >= 500 && failure.code != 501)
}

async fn look(cluster: &Cluster, object: &Built, jobs: Jobs) -> Result<bool, Trouble> {
    let gvk = &object.reference.gvk;
    if !is_judged(gvk) {
        return Ok(true);
    }
    let Some(live) = cluster.read(object, Accept::Object).await? else {
        return Err(Trouble::Read(Failure {
            code: 404,
            reason: "NotFound".to_owned(),
            message: format!("{} not found", object.reference),
            manager_conflict: false,
            about: String::new(),
        }));
    };
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("batch", _) => job(&live, &object.reference.to_string(), jobs).map_err(Trouble::Failed),
        ("apps", "Deployment") => {
            if live.pointer("/spec/paused") == Some(&Value::Bool(true)) {
                return Ok(true);
            }
            let sets = below(cluster, "apps/v1", "ReplicaSet", object, &live).await?;
            Ok(newest_set(&live, &sets).is_some_and(|set| deployment(&live, set)))
        }
        ("apps", "ReplicaSet") | ("", "ReplicationController") => {
            let pods = below(cluster, "v1", "Pod", object, &live).await?;
            Ok(observed(&live) && pods.iter().all(pod))
        }
        _ => Ok(of_itself(&gvk.kind, &live)),
    }
}

/// The objects that a selector picks in the namespace.
async fn below(
    cluster: &Cluster,
    api_version: &str,
    kind: &str,
    object: &Built,
    live: &Value,
) -> Result<Vec<Value>, Failure> {
    let resource =
        cluster.mapping().resolve(&Gvk::new(api_version, kind)).await.map_err(|missing| Failure {
            code: 404,
            reason: String::new(),
            message: missing.to_string(),
            manager_conflict: false,
            about: String::new(),
        })?;
    let labels = live.pointer("/spec/selector/matchLabels").or_else(|| live.pointer("/spec/selector"));
    let pairs: Vec<String> = labels
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some(format!("{}%3D{}", key.replace('/', "%2F"), value.as_str()?)))
        .collect();
    let path =
        format!("{}?labelSelector={}", resource.collection(&object.reference.namespace), pairs.join("%2C"));
    let answer = cluster.http().get(&path, Accept::Object).await?;
    let mut list: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    Ok(match list.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    })
}

fn int(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

fn observed(object: &Value) -> bool {
    int(object, "/status/observedGeneration") == int(object, "/metadata/generation")
}

fn condition(object: &Value, kind: &str, status: &str) -> bool {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| {
        let is = |key: &str, text: &str| condition.get(key).and_then(Value::as_str) == Some(text);
        is("type", kind) && is("status", status)
    })
}

fn pod(live: &Value) -> bool {
    condition(live, "Ready", "True")
}

fn job(live: &Value, name: &str, jobs: Jobs) -> Result<bool, String> {
    if jobs == Jobs::Started {
        return Ok(true);
    }
    let failed = int(live, "/status/failed").unwrap_or(0);
    if failed > int(live, "/spec/backoffLimit").unwrap_or(6) {
        let name = name.split_once('/').map_or(name, |(_, name)| name);
        return Err(format!("job is failed: {name}"));
    }
    let wanted = int(live, "/spec/completions");
    Ok(wanted.is_none_or(|wanted| int(live, "/status/succeeded").unwrap_or(0) >= wanted))
}

/// The ReplicaSet whose template is the Deployment's, told by the revision.
fn newest_set<'s>(deployment: &Value, sets: &'s [Value]) -> Option<&'s Value> {
    const REVISION: &str = "/metadata/annotations/deployment.kubernetes.io~1revision";
    let uid = deployment.pointer("/metadata/uid");
    let wanted = deployment.pointer(REVISION)?;
    sets.iter().find(|set| {
        let owners = set.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        owners.into_iter().flatten().any(|owner| owner.get("uid") == uid)
            && set.pointer(REVISION) == Some(wanted)
    })
}

fn deployment(live: &Value, set: &Value) -> bool {
    let replicas = int(live, "/spec/replicas").unwrap_or(1);
    let rolling = live.pointer("/spec/strategy/type").and_then(Value::as_str) == Some("RollingUpdate");
    let most_away =
        live.pointer("/spec/strategy/rollingUpdate/maxUnavailable").filter(|_| rolling && replicas > 0);
    let away = most_away.map_or(0, |value| amount(value, replicas));
    observed(live) && int(set, "/status/readyReplicas").unwrap_or(0) >= replicas - away
}

/// A number, or a share of a number, rounded down; at least one Pod may be away when nothing else may happen.
fn amount(value: &Value, of: i64) -> i64 {
    match (value.as_i64(), value.as_str()) {
        (Some(number), _) => number,
        (None, Some(share)) => share.trim_end_matches('%').parse::<i64>().map_or(0, |share| share * of / 100),
        (None, None) => 0,
    }
}

fn of_itself(kind: &str, live: &Value) -> bool {
    let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let any =
        |pointer: &str| live.pointer(pointer).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let count = |pointer: &str| int(live, pointer).unwrap_or(0);
    match kind {
        "Pod" => pod(live),
        "PersistentVolumeClaim" => text("/status/phase") == "Bound",
        "Service" => {
            let balanced = text("/spec/type") != "LoadBalancer"
                || any("/spec/externalIPs")
                || any("/status/loadBalancer/ingress");
            text("/spec/type") == "ExternalName" || (!text("/spec/clusterIP").is_empty() && balanced)
        }
        "DaemonSet" => {
            if !observed(live) {
                return false;
            }
            if text("/spec/updateStrategy/type") != "RollingUpdate" {
                return true;
            }
            let wanted = count("/status/desiredNumberScheduled");
            let away = live
                .pointer("/spec/updateStrategy/rollingUpdate/maxUnavailable")
                .map_or(0, |value| amount(value, wanted));
            count("/status/updatedNumberScheduled") == wanted && count("/status/numberReady") >= wanted - away
        }
        "StatefulSet" => {
            if !observed(live) {
                return false;
            }
            if text("/spec/updateStrategy/type") != "RollingUpdate" {
                return true;
            }
            let replicas = int(live, "/spec/replicas").unwrap_or(1);
            let partition = count("/spec/updateStrategy/rollingUpdate/partition");
            let revised = partition != 0 || text("/status/currentRevision") == text("/status/updateRevision");
            count("/status/updatedReplicas") >= replicas - partition
                && count("/status/readyReplicas") == replicas
                && revised
        }
        "CustomResourceDefinition" => {
            condition(live, "Established", "True") || condition(live, "NamesAccepted", "False")
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn kinds_that_tell_it_themselves() {
        let cases = [
            ("Pod", json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}), true),
            ("Pod", json!({"status": {}}), false),
            ("PersistentVolumeClaim", json!({"status": {"phase": "Pending"}}), false),
            ("Service", json!({"spec": {"type": "ExternalName"}}), true),
            ("Service", json!({"spec": {"clusterIP": "1"}}), true),
            ("Service", json!({"spec": {"clusterIP": "1", "type": "LoadBalancer"}}), false),
            (
                "Service",
                json!({"spec": {"clusterIP": "1", "type": "LoadBalancer", "externalIPs": ["2"]}}),
                true,
            ),
            (
                "StatefulSet",
                json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 1}}),
                false,
            ),
            (
                "StatefulSet",
                json!({"spec": {"replicas": 2, "updateStrategy": {"type": "RollingUpdate"}}, "status": {"updatedReplicas": 2, "readyReplicas": 2, "currentRevision": "a", "updateRevision": "a"}}),
                true,
            ),
            (
                "DaemonSet",
                json!({"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}}, "status": {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberReady": 1}}),
                true,
            ),
        ];
        for (kind, live, wanted) in cases {
            assert_eq!(of_itself(kind, &live), wanted, "{kind} {live}");
        }
    }

    #[test]
    fn a_deployment_by_its_newest_replica_set() {
        let live = json!({"metadata": {"uid": "u", "annotations": {"deployment.kubernetes.io/revision": "2"}},
            "spec": {"replicas": 4, "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%"}}}});
        let set = |revision: &str, ready: i64| json!({"metadata": {"ownerReferences": [{"uid": "u"}], "annotations": {"deployment.kubernetes.io/revision": revision}}, "status": {"readyReplicas": ready}});
        let sets = [set("1", 4), set("2", 3)];
        let newest = newest_set(&live, &sets).unwrap();
        assert!(deployment(&live, newest));
        assert!(!deployment(&live, &set("2", 2)));
    }

    #[test]
    fn jobs() {
        let live = json!({"spec": {"backoffLimit": 0, "completions": 1}, "status": {"failed": 1}});
        assert_eq!(job(&live, "Job/a/b", Jobs::Complete).unwrap_err(), "job is failed: a/b");
        assert_eq!(job(&live, "Job/a/b", Jobs::Started), Ok(true));
        assert_eq!(job(&json!({"spec": {"completions": 1}}), "x", Jobs::Complete), Ok(false));
    }
}

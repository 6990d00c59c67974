//! Waiting for objects: on watches, with the verdicts and texts of Flux's poller.

use std::sync::Arc;
use std::time::Duration;

use apply::{CustomHealth, FailFast, HealthMember, HealthRequest, Verdict};
use cel::{HealthChecks, HealthVerdict};
use jiff::Timestamp;
use kstatus::{Health, Status};
use object::{GroupKind, Owner};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::error::Error;
use crate::legacy;
use crate::objects::Built;

/// How an action waits for what it wrote.
#[derive(Debug, Clone, Default)]
pub struct Waiting {
    /// By which rules. Default: [`Strategy::Watch`].
    pub strategy: Strategy,
    /// Whether Jobs must be complete. Default: they must.
    pub jobs: Jobs,
    /// Longest time of each wait, for objects, for each hook, for a deletion. Zero stands for 30 s.
    pub timeout: Duration,
    /// Rules for some kinds that replace the built-in ones.
    pub checks: Option<Arc<HealthChecks>>,
    /// Ends the waits, and so the action, when it is cancelled; what was written is recorded as failed.
    pub cancel: CancellationToken,
    /// Ends waits for objects by [`Strategy::Watch`] when it is cancelled, as a failure like any other. Waits for hooks and
    /// deletions go on.
    pub interrupt: CancellationToken,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Objects until they are Current, as kstatus defines it: what helm-controller calls `poller`. A failed one ends the
    /// wait at once.
    #[default]
    Watch,
    /// Objects until they are ready by the rules of Helm 3.
    Legacy,
    /// Only hooks.
    HooksOnly,
}

/// Whether Jobs are waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Jobs {
    /// Until they are complete.
    #[default]
    Complete,
    /// Until they have started.
    Started,
}

impl Waiting {
    /// When a wait that begins now ends.
    pub(crate) fn deadline(&self) -> Instant {
        const DEFAULT: Duration = Duration::from_secs(30);
        Instant::now() + if self.timeout.is_zero() { DEFAULT } else { self.timeout }
    }

    /// Does something unless the action is cancelled.
    pub(crate) async fn unless_cancelled<T>(&self, work: impl Future<Output = T>) -> Result<T, Error> {
        match self.cancel.run_until_cancelled(work).await {
            Some(done) => Ok(done),
            None => Err(Error::Cancelled),
        }
    }

    /// Waits until objects, given with their state after the last write, are ready.
    pub(crate) async fn ready(
        &self,
        cluster: &Cluster,
        owner: &Owner,
        objects: &[(&Built, &Value)],
    ) -> Result<(), Error> {
        match self.strategy {
            Strategy::HooksOnly => Ok(()),
            Strategy::Legacy => {
                let objects: Vec<&Built> = objects.iter().map(|(object, _)| *object).collect();
                let wait = legacy::ready(cluster, owner, &objects, self.jobs, self.deadline());
                self.unless_cancelled(wait).await?
            }
            Strategy::Watch => {
                let rules = Rules { of: Of::Objects(self.jobs), checks: self.checks.clone() };
                let objects: Vec<_> = objects.iter().copied().filter(|(object, _)| !paused(object)).collect();
                let settled = self.settle(cluster, owner, rules, &objects, FailFast::On);
                let interrupted = || Error::Wait(Error::Cancelled.to_string());
                self.interrupt.run_until_cancelled(settled).await.ok_or_else(interrupted)?
            }
        }
    }

    /// Waits until a hook is done.
    pub(crate) async fn hook_done(
        &self,
        cluster: &Cluster,
        owner: &Owner,
        objects: &[(&Built, &Value)],
    ) -> Result<(), Error> {
        let checks = (self.strategy != Strategy::Legacy).then(|| self.checks.clone()).flatten();
        self.settle(cluster, owner, Rules { of: Of::Hooks, checks }, objects, FailFast::Off).await
    }

    async fn settle(
        &self,
        cluster: &Cluster,
        owner: &Owner,
        rules: Rules,
        objects: &[(&Built, &Value)],
        fail_fast: FailFast,
    ) -> Result<(), Error> {
        let deadline = self.deadline();
        let now = Timestamp::now();
        // What the write itself answered is the first look.
        let settled =
            objects.iter().all(|(object, live)| rules.assess(object, live, now).status == Status::Current);
        if settled {
            return Ok(());
        }
        let mut members = Vec::new();
        let owned = cluster.target.policy_labels();
        for (object, live) in objects {
            if rules.is_settled_for_good(object) {
                continue;
            }
            if object::label(live, &owned.name).is_some() {
                let version = object::string_at(live, &["metadata", "resourceVersion"]);
                let version = version.and_then(|version| version.parse().ok()).unwrap_or(0);
                let until = deadline.min(Instant::now() + SHOWN);
                let shown = cluster.target.wait_shown(&object.reference, version, until);
                self.unless_cancelled(shown).await?;
            }
            members.push(HealthMember {
                object: object.reference.clone(),
                job_with_ttl: removes_itself(object),
            });
        }
        let rules = Arc::new(rules);
        let covering = rules.clone();
        let custom = CustomHealth {
            covers: Box::new(move |kind| covering.covers(kind)),
            assess: Box::new(move |kind, live| rules.of_kind(kind, live, Timestamp::now())),
        };
        let request = HealthRequest { objects: members, fail_fast, custom: Some(Arc::new(custom)) };
        let wait = async {
            let set = cluster.target.watch_health(owner, request).await;
            match set.settle(deadline).await {
                Verdict::Healthy => Ok(()),
                Verdict::Failed(text) => Err(Error::Wait(text)),
                Verdict::Waiting => Err(Error::Wait(set.timeout_error())),
            }
        };
        self.unless_cancelled(wait).await?
    }

    /// Waits until deleted objects are gone.
    pub(crate) async fn gone(&self, cluster: &Cluster, objects: &[&Built]) -> Result<(), Error> {
        let deadline = self.deadline();
        for object in objects {
            let wait = cluster.target.wait_gone(std::slice::from_ref(&object.reference), deadline);
            if !self.unless_cancelled(wait).await?.is_empty() {
                return Err(Error::Wait(format!(
                    "{} termination timeout: context deadline exceeded",
                    object.reference
                )));
            }
        }
        Ok(())
    }
}

/// How long the watch of owned objects may take to show one that was just written.
const SHOWN: Duration = Duration::from_secs(10);

/// What the rules are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Objects(Jobs),
    Hooks,
}

/// Rules of health.
struct Rules {
    of: Of,
    checks: Option<Arc<HealthChecks>>,
}

impl Rules {
    /// Whether a kind has another rule than kstatus's.
    fn covers(&self, kind: &GroupKind) -> bool {
        let checked =
            self.checks.as_ref().is_some_and(|checks| checks.find(&kind.group, &kind.kind).is_some());
        checked
            || match self.of {
                Of::Objects(Jobs::Complete) => false,
                Of::Objects(Jobs::Started) => is_job(kind),
                Of::Hooks => !is_job(kind) && !is_definition(kind),
            }
    }

    fn assess(&self, object: &Built, live: &Value, now: Timestamp) -> Health {
        self.of_kind(&object.reference.gvk.group_kind(), live, now)
    }

    fn of_kind(&self, kind: &GroupKind, live: &Value, now: Timestamp) -> Health {
        if let Some(check) = self.checks.as_ref().and_then(|checks| checks.find(&kind.group, &kind.kind)) {
            return match check.evaluate(live) {
                Ok(HealthVerdict::Current) => Health::new(Status::Current, ""),
                Ok(HealthVerdict::InProgress) => Health::new(Status::InProgress, ""),
                Ok(HealthVerdict::Failed) => Health::new(Status::Failed, ""),
                Err(error) => Health::new(Status::Unknown, error.to_string()),
            };
        }
        match self.of {
            Of::Objects(Jobs::Started) if is_job(kind) => started(live),
            Of::Hooks if is_pod(kind) => finished(live),
            // Helm waits for Jobs and Pods. A definition is waited for, too: the next hook may be an object of it.
            Of::Hooks if !is_job(kind) && !is_definition(kind) => Health::new(Status::Current, ""),
            _ => kstatus::assess(live, now),
        }
    }

    /// Kinds that are Current from the start and stay so.
    fn is_settled_for_good(&self, object: &Built) -> bool {
        let kind = object.reference.gvk.group_kind();
        let checked =
            self.checks.as_ref().is_some_and(|checks| checks.find(&kind.group, &kind.kind).is_some());
        if checked {
            return false;
        }
        let balanced = object.value.pointer("/spec/type").and_then(Value::as_str) == Some("LoadBalancer");
        match (self.of, kind.group.as_str()) {
            (_, "") if kind.kind == "Service" => !balanced,
            (Of::Hooks, _) => !is_job(&kind) && !is_pod(&kind) && !is_definition(&kind),
            (_, "") => matches!(
                kind.kind.as_str(),
                "ConfigMap" | "Secret" | "ServiceAccount" | "Endpoints" | "LimitRange" | "ResourceQuota"
            ),
            (_, "rbac.authorization.k8s.io" | "admissionregistration.k8s.io" | "scheduling.k8s.io") => true,
            (_, "networking.k8s.io") => {
                matches!(kind.kind.as_str(), "Ingress" | "IngressClass" | "NetworkPolicy")
            }
            (_, "policy") => kind.kind == "PodDisruptionBudget",
            (_, "autoscaling") => kind.kind == "HorizontalPodAutoscaler",
            (_, "batch") => kind.kind == "CronJob",
            (_, "storage.k8s.io") => kind.kind == "StorageClass",
            _ => false,
        }
    }
}

fn is_job(kind: &GroupKind) -> bool {
    kind.group == "batch" && kind.kind == "Job"
}

fn is_definition(kind: &GroupKind) -> bool {
    kind.group == "apiextensions.k8s.io" && kind.kind == "CustomResourceDefinition"
}

fn is_pod(kind: &GroupKind) -> bool {
    kind.group.is_empty() && kind.kind == "Pod"
}

fn paused(object: &Built) -> bool {
    object.reference.gvk.is("apps", "Deployment")
        && object.value.pointer("/spec/paused").and_then(Value::as_bool) == Some(true)
}

fn removes_itself(object: &Built) -> bool {
    object.reference.gvk.is("batch", "Job")
        && object.value.pointer("/spec/ttlSecondsAfterFinished").is_some_and(Value::is_number)
}

/// A Job that need not be complete.
fn started(job: &Value) -> Health {
    let health = kstatus::assess(job, Timestamp::now());
    let has_started = job.pointer("/status/startTime").is_some_and(Value::is_string);
    match health.status {
        Status::InProgress if has_started => Health::new(Status::Current, "Job has started"),
        Status::InProgress => Health::new(Status::InProgress, "Job has not started"),
        _ => health,
    }
}

/// A Pod that is to end.
fn finished(pod: &Value) -> Health {
    let name = object::string_at(pod, &["metadata", "name"]).unwrap_or_default();
    match pod.pointer("/status/phase").and_then(Value::as_str) {
        Some("Succeeded") => Health::new(Status::Current, format!("pod {name} succeeded")),
        Some("Failed") => Health::new(Status::Failed, format!("pod {name} failed")),
        _ => Health::new(Status::InProgress, "Pod in progress"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(of: Of, kind: &GroupKind, live: &Value) -> Status {
        Rules { of, checks: None }.of_kind(kind, live, Timestamp::UNIX_EPOCH).status
    }

    #[test]
    fn jobs_and_pods_by_what_they_are_for() {
        let (job, pod, map) =
            (GroupKind::new("batch", "Job"), GroupKind::new("", "Pod"), GroupKind::new("", "ConfigMap"));
        let running =
            json!({"apiVersion": "batch/v1", "kind": "Job", "status": {"startTime": "x", "active": 1}});
        assert_eq!(judged(Of::Objects(Jobs::Complete), &job, &running), Status::InProgress);
        assert_eq!(judged(Of::Objects(Jobs::Started), &job, &running), Status::Current);
        assert_eq!(judged(Of::Hooks, &job, &running), Status::InProgress);
        let failed = json!({"apiVersion": "batch/v1", "kind": "Job", "status": {"conditions": [{"type": "Failed", "status": "True"}]}});
        assert_eq!(judged(Of::Objects(Jobs::Started), &job, &failed), Status::Failed);
        let phase = |phase: &str| json!({"apiVersion": "v1", "kind": "Pod", "status": {"phase": phase}});
        assert_eq!(judged(Of::Hooks, &pod, &phase("Running")), Status::InProgress);
        assert_eq!(judged(Of::Hooks, &pod, &phase("Failed")), Status::Failed);
        assert_eq!(judged(Of::Objects(Jobs::Complete), &pod, &phase("Failed")), Status::Current);
        assert_eq!(judged(Of::Hooks, &map, &json!({})), Status::Current);
        let definition = GroupKind::new("apiextensions.k8s.io", "CustomResourceDefinition");
        let new = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "status": {"conditions": []}});
        assert_eq!(judged(Of::Hooks, &definition, &new), Status::InProgress);
    }
}

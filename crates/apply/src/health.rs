//! Waiting for the health of a set of objects without holding a task: watches write the health of each member down, and
//! the owner is told when the verdict may have come.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kstatus::{Deleting, Health, PodCensus, Status, Tally, tally, with_pods};
use object::{GroupKind, ObjectRef, Owner};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::http::Accept;
use crate::hub::Hub;
use crate::lock;
use crate::mapping::Resource;
use crate::target::Target;
use crate::watch::{Phase, Running, Selection, Watch};

/// The objects to wait for.
pub struct HealthRequest {
    /// Each at most once.
    pub objects: Vec<HealthMember>,
    /// Whether one Failed object decides the verdict although others are still open.
    pub fail_fast: FailFast,
    /// Rules that replace the built-in ones for some kinds.
    pub custom: Option<Arc<CustomHealth>>,
}

/// When a failure decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailFast {
    /// At once.
    #[default]
    On,
    /// When nothing is in progress any more.
    Off,
}

/// One object to wait for.
#[derive(Debug, Clone)]
pub struct HealthMember {
    /// The object. The API server's preferred version serves when its own is not served.
    pub object: ObjectRef,
    /// Its manifest is a Job that removes itself: when it is gone, it is done.
    pub job_with_ttl: bool,
}

/// Decides whether a kind has a rule of its own.
pub type Covers = Box<dyn Fn(&GroupKind) -> bool + Send + Sync>;
/// Judges a whole live object of a kind.
pub type Assess = Box<dyn Fn(&GroupKind, &Value) -> Health + Send + Sync>;

/// Health rules that the owner brings (`healthCheckExprs`). They replace every built-in rule of the kinds they cover,
/// and see the whole object.
pub struct CustomHealth {
    /// Which kinds are covered.
    pub covers: Covers,
    /// The rule.
    pub assess: Assess,
}

/// What is known of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All objects are Current.
    Healthy,
    /// Something is still open.
    Waiting,
    /// It will not get better by waiting: the error text.
    Failed(String),
}

/// The set as the hub sees it.
pub(crate) struct Waited {
    pub owner: Owner,
    fail_fast: FailFast,
    members: Mutex<Vec<Member>>,
    /// Rings when the owner should look.
    pub news: Notify,
}

struct Member {
    /// The object in the version it is watched in.
    object: ObjectRef,
    health: Health,
    /// It was there at some time.
    seen: bool,
    job_with_ttl: bool,
    how: How,
    /// Something happened that only a read can judge.
    stale: bool,
    /// No watch tells of it: it is read now and then.
    unwatched: bool,
}

/// How a member's health is learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// A watch tells it.
    Watched,
    /// A watch tells that there is news; a read and the custom rule judge it.
    Custom,
    /// It can only be read.
    Polled,
}

/// How often an object that cannot be watched is read.
const POLL: Duration = Duration::from_secs(5);
/// How many objects an error text lists.
const LISTED: usize = 20;

impl Waited {
    /// Takes in what a watch showed. Returns true when the owner should look.
    pub fn take(&self, object: &ObjectRef, health: Option<Health>) -> bool {
        let mut members = lock(&self.members);
        let before = self.decided(&members);
        let mut look = false;
        for member in members.iter_mut().filter(|m| m.object == *object) {
            match member.how {
                How::Watched => member.set(health.clone()),
                How::Custom => {
                    member.stale = true;
                    look = true;
                }
                How::Polled => {}
            }
            // A StatefulSet that is under way is judged by its Pods too, which are watched from then on.
            look |= member.wants_pods();
        }
        look || (!before && self.decided(&members))
    }

    pub fn mark_stale(&self, object: &ObjectRef) {
        for member in lock(&self.members).iter_mut().filter(|m| m.object == *object) {
            member.stale = true;
        }
    }

    fn decided(&self, members: &[Member]) -> bool {
        match tally(members.iter().map(|m| &m.health)) {
            Tally::AllCurrent | Tally::Settled => true,
            Tally::SomeFailed => self.fail_fast == FailFast::On,
            Tally::Waiting => false,
        }
    }
}

impl Member {
    fn set(&mut self, health: Option<Health>) {
        self.seen |= health.is_some();
        self.health = match health {
            Some(health) => health,
            None if self.job_with_ttl => Health::new(Status::Current, "Job is done and removed"),
            None => Health::new(Status::NotFound, ""),
        };
    }

    fn wants_pods(&self) -> bool {
        has_pods(&self.object) && self.health.status == Status::InProgress
    }
}

/// Kinds that are judged by their Pods too.
fn has_pods(object: &ObjectRef) -> bool {
    matches!(object.gvk.group.as_str(), "apps" | "extensions")
        && matches!(object.gvk.kind.as_str(), "StatefulSet" | "ReplicaSet")
}

/// A registered set. Dropping it ends the watches that were made for it.
pub struct HealthSet {
    target: Target,
    hub: Arc<Hub>,
    waited: Arc<Waited>,
    custom: Option<Arc<CustomHealth>>,
    narrow: Mutex<Vec<Arc<Running>>>,
    pods: Mutex<Vec<(ObjectRef, Arc<Running>)>>,
}

impl Target {
    /// Registers a set of objects to wait for. The listener is told (as a change of `What::Health` for `owner`) when the
    /// verdict may have come; until then the wait costs nothing but the watches.
    pub async fn watch_health(&self, owner: &Owner, request: HealthRequest) -> HealthSet {
        let mut members = Vec::with_capacity(request.objects.len());
        let mut resources = Vec::with_capacity(request.objects.len());
        for wanted in request.objects {
            let resource = match self.0.mapping.resolve(&wanted.object.gvk).await {
                Ok(resource) => Ok(resource),
                Err(_) => self.0.mapping.resolve_preferred(&wanted.object.gvk).await,
            };
            let (mut object, mut health) = (wanted.object, Health::new(Status::NotFound, ""));
            let mut how = How::Watched;
            match &resource {
                Ok(resource) => {
                    object = resource.scoped(&object);
                    object.gvk = resource.gvk.clone();
                }
                Err(missing) => {
                    health = Health::new(Status::Unknown, missing.to_string());
                    how = How::Polled;
                }
            }
            if request.custom.as_ref().is_some_and(|c| (c.covers)(&object.gvk.group_kind())) {
                how = How::Custom;
            }
            members.push(Member {
                object,
                health,
                seen: false,
                job_with_ttl: wanted.job_with_ttl,
                stale: how != How::Watched,
                unwatched: false,
                how,
            });
            resources.push(resource.ok());
        }
        let objects: Vec<ObjectRef> = members.iter().map(|m| m.object.clone()).collect();
        let set = HealthSet {
            target: self.clone(),
            hub: self.0.hub.clone(),
            waited: Arc::new(Waited {
                owner: owner.clone(),
                fail_fast: request.fail_fast,
                members: Mutex::new(members),
                news: Notify::new(),
            }),
            custom: request.custom,
            narrow: Mutex::default(),
            pods: Mutex::default(),
        };
        // First registered, then looked up: nothing that happens in between is missed.
        self.0.hub.register(&set.waited, objects.iter().cloned());
        for (i, (object, resource)) in objects.iter().zip(&resources).enumerate() {
            if let Some(resource) = resource {
                set.attach(i, resource, object).await;
            }
        }
        set.refresh().await;
        set
    }
}

impl HealthSet {
    /// Finds or makes a watch for a member and takes over what it shows.
    async fn attach(&self, index: usize, resource: &Arc<Resource>, object: &ObjectRef) {
        if let Some(watch) = self.target.owned_watch(resource, &object.namespace).await
            && watch.observed(object).is_some()
        {
            self.take_over(index, &watch, object);
            return;
        }
        let running = self.target.object_watch(resource, object);
        if running.watch.settled_phase().await == Phase::Synced {
            self.take_over(index, &running.watch, object);
            lock(&self.narrow).push(running);
        } else {
            self.with_member(index, |member| {
                member.how = match member.how {
                    How::Watched => How::Polled,
                    other => other,
                };
                member.stale = true;
                member.unwatched = true;
            });
        }
    }

    fn take_over(&self, index: usize, watch: &Watch, object: &ObjectRef) {
        let health = watch.observed(object).map(|o| o.health);
        self.with_member(index, |member| {
            if member.how == How::Watched {
                member.set(health);
            }
        });
    }

    fn with_member(&self, index: usize, change: impl FnOnce(&mut Member)) {
        if let Some(member) = lock(&self.waited.members).get_mut(index) {
            change(member);
        }
    }

    /// The verdict, from memory.
    pub fn verdict(&self) -> Verdict {
        let members = lock(&self.waited.members);
        match tally(members.iter().map(|m| &m.health)) {
            Tally::AllCurrent => Verdict::Healthy,
            Tally::Waiting => Verdict::Waiting,
            Tally::SomeFailed if self.waited.fail_fast == FailFast::Off => Verdict::Waiting,
            Tally::SomeFailed | Tally::Settled => {
                let failed = members
                    .iter()
                    .filter(|m| m.health.status == Status::Failed)
                    .map(|m| (&m.object, &m.health));
                Verdict::Failed(describe("failed early due to stalled resources", failed))
            }
        }
    }

    /// Waits for the verdict, on what the watches tell; [`Verdict::Waiting`] when the deadline passes before. For an owner
    /// that holds a task anyway.
    pub async fn settle(&self, deadline: Instant) -> Verdict {
        loop {
            let news = self.waited.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            self.refresh().await;
            match self.verdict() {
                Verdict::Waiting => {}
                settled => return settled,
            }
            if Instant::now() >= deadline {
                return Verdict::Waiting;
            }
            let again = self.recheck_after().map_or(deadline, |after| deadline.min(Instant::now() + after));
            _ = tokio::time::timeout_at(again, news).await;
        }
    }

    /// Ends when something happens from now on to an object with a custom rule, or when the verdict may have come: for
    /// owners who judge by more than the objects themselves. What cannot be watched is not told of: see
    /// [`HealthSet::recheck_after`].
    pub fn news(&self) -> std::pin::Pin<Box<tokio::sync::futures::Notified<'_>>> {
        let mut news = Box::pin(self.waited.news.notified());
        news.as_mut().enable();
        news
    }

    /// The error text when the time is up: everything that is not Current.
    pub fn timeout_error(&self) -> String {
        let members = lock(&self.waited.members);
        let open =
            members.iter().filter(|m| m.health.status != Status::Current).map(|m| (&m.object, &m.health));
        describe("timeout waiting for", open)
    }

    /// When [`HealthSet::refresh`] should be called although nobody was told of anything: for objects that the identity
    /// may not watch, and for verdicts that change by time alone. `None` when events tell everything.
    pub fn recheck_after(&self) -> Option<Duration> {
        let members = lock(&self.waited.members);
        let now = jiff::Timestamp::now();
        members
            .iter()
            .filter_map(|member| {
                let unreadable = member.health.status == Status::Unknown && member.how == How::Custom;
                if member.how == How::Polled || member.unwatched || unreadable {
                    return Some(POLL);
                }
                let at = member.health.changes_at?;
                Some(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO))
            })
            .min()
    }

    /// Reads what no watch can tell: objects with custom rules that have news, objects that cannot be watched, the Pods of
    /// StatefulSets that are under way. No request when there is none of these.
    pub async fn refresh(&self) {
        let now = jiff::Timestamp::now();
        let due: Vec<(usize, ObjectRef, How, bool)> = lock(&self.waited.members)
            .iter()
            .enumerate()
            .filter(|(_, m)| {
                let by_time = m.health.changes_at.is_some_and(|at| at <= now);
                let unreadable = m.how == How::Custom && m.health.status == Status::Unknown;
                let polled = m.unwatched || m.how == How::Polled;
                m.stale || by_time || unreadable || polled || m.wants_pods()
            })
            .map(|(i, m)| (i, m.object.clone(), m.how, m.wants_pods()))
            .collect();
        for (index, object, how, wants_pods) in due {
            if wants_pods && how == How::Watched {
                self.judge_with_pods(index, &object).await;
            } else {
                self.read(index, &object, how).await;
            }
        }
    }

    async fn read(&self, index: usize, object: &ObjectRef, how: How) {
        // What happens from here on makes it stale again.
        self.with_member(index, |m| m.stale = false);
        let health = match self.read_value(object).await {
            Ok(None) => None,
            Ok(Some(live)) => Some(match &self.custom {
                Some(custom) if how == How::Custom => (custom.assess)(&object.gvk.group_kind(), &live),
                _ => kstatus::assess(&live, jiff::Timestamp::now()),
            }),
            Err(text) => Some(Health::new(Status::Unknown, text)),
        };
        self.with_member(index, |m| m.set(health));
    }

    async fn read_value(&self, object: &ObjectRef) -> Result<Option<Value>, String> {
        let mapping = &self.target.0.mapping;
        let resource = mapping.resolve_any_version(&object.gvk).await.map_err(|e| e.to_string())?;
        let path = resource.item(&resource.scoped(object));
        match self.hub.http.get(&path, Accept::Object).await {
            Ok(answer) => serde_json::from_slice(&answer.body).map_err(|e| e.to_string()),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure.message),
        }
    }

    /// A StatefulSet or ReplicaSet under way fails when one of its Pods has failed. Its Pods are watched for as long.
    async fn judge_with_pods(&self, index: usize, object: &ObjectRef) {
        self.with_member(index, |m| m.stale = false);
        let known = lock(&self.pods).iter().find(|(o, _)| o == object).map(|(_, running)| running.clone());
        let running = match known {
            Some(running) => running,
            None => match self.watch_pods(object).await {
                Ok(running) => running,
                Err(text) => {
                    self.with_member(index, |m| m.health = Health::new(Status::Unknown, text));
                    return;
                }
            },
        };
        if running.watch.settled_phase().await != Phase::Synced {
            return;
        }
        let mut census = PodCensus::default();
        running.watch.with(|cache| {
            for pod in cache.all() {
                let deleting = if pod.deleting { Deleting::Yes } else { Deleting::No };
                census.add(&pod.name, deleting, &pod.health);
            }
        });
        self.with_member(index, |m| m.health = with_pods(m.health.clone(), &census));
    }

    async fn watch_pods(&self, object: &ObjectRef) -> Result<Arc<Running>, String> {
        let live = self.read_value(object).await?.ok_or_else(|| "it is gone".to_owned())?;
        let selector = live
            .pointer("/spec/selector")
            .and_then(selector_text)
            .ok_or_else(|| "its selector is missing or cannot be read".to_owned())?;
        let pod = object::Gvk::new("v1", "Pod");
        let resource = self.target.0.mapping.resolve(&pod).await.map_err(|e| e.to_string())?;
        let selection = Selection::Labelled { namespace: object.namespace.clone(), selector };
        let running = self.target.narrow_watch(&resource, selection, Some(object.clone()));
        lock(&self.pods).push((object.clone(), running.clone()));
        Ok(running)
    }
}

impl Drop for HealthSet {
    fn drop(&mut self) {
        self.hub.unregister(&self.waited);
    }
}

/// A label selector of an object in the text form of a query.
fn selector_text(selector: &Value) -> Option<String> {
    let mut parts = Vec::new();
    for (key, value) in selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten() {
        parts.push(format!("{key}={}", value.as_str()?));
    }
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    for expression in expressions.into_iter().flatten() {
        let key = expression.get("key")?.as_str()?;
        let values: Vec<&str> = expression
            .get("values")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let values = values.join(",");
        parts.push(match expression.get("operator")?.as_str()? {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        });
    }
    (!parts.is_empty()).then(|| parts.join(","))
}

/// `<intro>: [Kind/ns/name status: 'InProgress': message, …]`, sorted and capped.
pub(crate) fn describe<'a>(intro: &str, items: impl Iterator<Item = (&'a ObjectRef, &'a Health)>) -> String {
    let mut lines: Vec<String> = items
        .map(|(object, health)| {
            let mut line = format!("{object} status: '{}'", health.status);
            if !health.message.is_empty() {
                line.push_str(": ");
                line.push_str(&health.message);
            }
            line
        })
        .collect();
    lines.sort_unstable();
    let left_out = lines.len().saturating_sub(LISTED);
    lines.truncate(LISTED);
    if left_out > 0 {
        lines.push(format!("and {left_out} more"));
    }
    format!("{intro}: [{}]", lines.join(", "))
}

impl From<Failure> for Health {
    fn from(failure: Failure) -> Self {
        Self::new(Status::Unknown, failure.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::Gvk;
    use serde_json::json;

    fn object(name: &str) -> ObjectRef {
        ObjectRef { gvk: Gvk::new("apps/v1", "Deployment"), namespace: "shop".into(), name: name.into() }
    }

    fn waited(fail_fast: FailFast, names: &[&str]) -> Waited {
        let members = names
            .iter()
            .map(|name| Member {
                object: object(name),
                health: Health::new(Status::NotFound, ""),
                seen: false,
                job_with_ttl: *name == "job",
                how: How::Watched,
                unwatched: false,
                stale: false,
            })
            .collect();
        Waited {
            owner: Owner { namespace: "flux-system".into(), name: "apps".into() },
            fail_fast,
            members: Mutex::new(members),
            news: Notify::new(),
        }
    }

    fn health(status: Status) -> Option<Health> {
        Some(Health::new(status, ""))
    }

    #[test]
    fn the_owner_is_told_once_the_verdict_is_there() {
        let set = waited(FailFast::On, &["a", "b"]);
        assert!(!set.take(&object("a"), health(Status::InProgress)));
        assert!(!set.take(&object("a"), health(Status::Current)));
        assert!(!set.take(&object("c"), health(Status::Failed)));
        assert!(set.take(&object("b"), health(Status::Current)));
        assert!(!set.take(&object("b"), health(Status::Current)), "told twice");
    }

    #[test]
    fn failures_decide_at_once_or_at_the_end() {
        let set = waited(FailFast::On, &["a", "b"]);
        assert!(set.take(&object("a"), health(Status::Failed)));
        let set = waited(FailFast::Off, &["a", "b"]);
        assert!(!set.take(&object("a"), health(Status::Failed)));
        assert!(set.take(&object("b"), health(Status::Current)));
    }

    #[test]
    fn a_job_that_removes_itself_is_done() {
        let set = waited(FailFast::On, &["job"]);
        assert!(!set.take(&object("job"), health(Status::InProgress)));
        assert!(set.take(&object("job"), None));
    }

    #[test]
    fn descriptions_are_sorted_and_capped() {
        let objects: Vec<ObjectRef> = (0..22).rev().map(|i| object(&format!("n{i:02}"))).collect();
        let health = Health::new(Status::InProgress, "0 of 1 replicas ready");
        let text = describe("timeout waiting for", objects.iter().map(|o| (o, &health)));
        assert!(text.starts_with("timeout waiting for: [Deployment/shop/n00 status: 'InProgress': 0 of 1 replicas ready, Deployment/shop/n01"));
        assert!(text.ends_with("and 2 more]"));
    }

    #[test]
    fn selectors() {
        let selector = json!({"matchLabels": {"app": "web"}, "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["a", "b"]}, {"key": "x", "operator": "DoesNotExist"}]});
        assert_eq!(selector_text(&selector).unwrap(), "app=web,tier in (a,b),!x");
        assert_eq!(selector_text(&json!({})), None);
    }
}

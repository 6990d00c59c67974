//! Waiting for objects inside an apply or a deletion: on watches, where the identity may watch.

use std::sync::Arc;
use std::time::Duration;

use kstatus::{Health, Status};
use object::ObjectRef;
use tokio::time::{Instant, sleep, sleep_until};

use crate::cache::{Cache, key_of};
use crate::failure::Failure;
use crate::http::Accept;
use crate::mapping::Resource;
use crate::observation::{Observation, Shown};
use crate::target::Target;
use crate::watch::{Phase, Running, Watch};

/// How often an object that cannot be watched is read.
const POLL: Duration = Duration::from_secs(2);

impl Target {
    /// Waits until all objects are Current. Returns the error text when one fails or the deadline passes.
    pub(crate) async fn wait_current(
        &self,
        objects: &[(Arc<Resource>, ObjectRef)],
        deadline: Instant,
    ) -> Option<String> {
        let mut open = Vec::new();
        for (resource, object) in objects {
            let health = self.wait_settled(resource, object, deadline).await;
            if health.status != Status::Current {
                open.push((object.clone(), health));
            }
        }
        if open.is_empty() {
            return None;
        }
        let failed = open.iter().any(|(_, h)| h.status == Status::Failed);
        Some(crate::health::describe(
            if failed { "failed early due to stalled resources" } else { "timeout waiting for" },
            open.iter().map(|(o, h)| (o, h)),
        ))
    }

    /// The health of an object once it is Current or Failed, or at the deadline.
    async fn wait_settled(&self, resource: &Arc<Resource>, object: &ObjectRef, deadline: Instant) -> Health {
        let key = key_of(&object.namespace, &object.name);
        let verdict = |cache: &Cache| {
            cache.observed(&key).map_or_else(|| Health::new(Status::NotFound, ""), |o| o.health.clone())
        };
        let decided = |h: &Health| matches!(h.status, Status::Current | Status::Failed);
        if let Some((watch, _running)) = self.watching(resource, object).await {
            watch.wait_until(deadline, |cache| decided(&verdict(cache))).await;
            return watch.with(|cache| verdict(cache));
        }
        loop {
            let health = match self.read_object(resource, object).await {
                Ok(Some(seen)) => seen.health,
                Ok(None) => Health::new(Status::NotFound, ""),
                Err(failure) => Health::new(Status::Unknown, failure.message),
            };
            if decided(&health) || Instant::now() >= deadline {
                return health;
            }
            sleep(POLL).await;
        }
    }

    /// Waits on watches until all objects are gone. Returns those still there at the deadline; kinds that are not served
    /// have no objects.
    pub async fn wait_gone(&self, objects: &[ObjectRef], deadline: Instant) -> Vec<ObjectRef> {
        let mut left = Vec::new();
        for object in objects {
            let Ok(resource) = self.0.mapping.resolve_any_version(&object.gvk).await else {
                continue;
            };
            let scoped = resource.scoped(object);
            if !self.wait_gone_one(&resource, &scoped, None, deadline).await {
                left.push(object.clone());
            }
        }
        left
    }

    /// Waits until an object (of this uid, when one is given) is gone.
    pub(crate) async fn wait_gone_one(
        &self,
        resource: &Arc<Resource>,
        object: &ObjectRef,
        uid: Option<&str>,
        deadline: Instant,
    ) -> bool {
        let there = |seen: Option<&Observation>| seen.is_some_and(|o| uid.is_none_or(|uid| *o.uid == *uid));
        // The owned watch would show the loss of a label as a deletion, so one is made for the object itself.
        let running = self.object_watch(resource, object);
        let phase = tokio::select! {
            phase = running.watch.settled_phase() => phase,
            () = sleep_until(deadline) => return false,
        };
        match phase {
            Phase::Synced => {
                let key = key_of(&object.namespace, &object.name);
                running.watch.wait_until(deadline, |cache| !there(cache.observed(&key))).await
            }
            Phase::Absent => true,
            _ => loop {
                if let Ok(seen) = self.read_object(resource, object).await
                    && !there(seen.as_ref())
                {
                    return true;
                }
                if Instant::now() >= deadline {
                    return false;
                }
                sleep(POLL).await;
            },
        }
    }

    /// A synced watch that shows the object, or would show it when it comes, and what keeps it running.
    async fn watching(
        &self,
        resource: &Arc<Resource>,
        object: &ObjectRef,
    ) -> Option<(Arc<Watch>, Option<Arc<Running>>)> {
        if let Some(watch) = self.owned_watch(resource, &object.namespace).await
            && watch.observed(object).is_some()
        {
            return Some((watch, None));
        }
        let running = self.object_watch(resource, object);
        (running.watch.settled_phase().await == Phase::Synced).then(|| (running.watch.clone(), Some(running)))
    }

    /// Reads one object; `None` when it is not there.
    pub(crate) async fn read_object(
        &self,
        resource: &Resource,
        object: &ObjectRef,
    ) -> Result<Option<Observation>, Failure> {
        match self.0.hub.http.get(&resource.item(object), Accept::Object).await {
            Ok(answer) => Observation::parse(
                &answer.body,
                &resource.gvk,
                Shown::Whole,
                self.policy(),
                jiff::Timestamp::now(),
            )
            .map(Some)
            .map_err(|e| Failure::transport(format!("{object}: cannot read the object: {e}"))),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Forgets that we applied an object, so that its absence is no surprise.
    pub(crate) fn disown(&self, resource: &Resource, object: &ObjectRef) {
        let key = key_of(&object.namespace, &object.name);
        for watch in self.owned_watches(&resource.gvk.group_kind()) {
            watch.with(|cache| cache.disown(&key));
        }
    }
}

//! Requests about one object: reading it, dry-running its apply, cleaning it up, recreating it, writing it.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use object::Owner;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::apply::{ApplyOptions, Item};
use crate::difference::drifted;
use crate::error::Refusal;
use crate::failure::Failure;
use crate::http::{Accept, Answer, Content};
use crate::ignore;
use crate::observation::{Observation, Shown};
use crate::outcome::{Action, Entry};
use crate::plan::{Known, after_dry_run, cleans, skipped};
use crate::takeover;
use crate::target::Target;
use crate::unknown;

/// An object of a stage and what is to be done with it.
pub(crate) struct Examined<'a> {
    pub item: Item<'a>,
    pub step: Step,
}

pub(crate) enum Step {
    Settled(Action),
    Write(Write),
}

/// A write that is due.
pub(crate) struct Write {
    /// What a dry-run said; `None` when the write is its own test.
    action: Option<Action>,
    /// The payload when it is not the manifest as it stands.
    body: Option<Bytes>,
    /// The live object's version and content before the write, as far as known.
    version: Option<u64>,
    content: Option<u64>,
}

impl Write {
    pub fn untested(observed: &Observation) -> Self {
        Self { action: None, body: None, version: Some(observed.version), content: observed.content }
    }

    fn tested_as(action: Action, version: Option<u64>) -> Self {
        Self { action: Some(action), body: None, version, content: None }
    }

    pub fn creates(&self) -> bool {
        self.action == Some(Action::Created)
    }

    pub fn tested(&self) -> bool {
        self.action.is_some()
    }
}

/// How long a request is repeated while the API server does not serve a new kind yet.
const SERVED_WITHIN: Duration = Duration::from_secs(10);

/// The API server names many unknown fields at a time, but not always all.
const PRUNE_ROUNDS: usize = 10;

enum Mode {
    DryRun,
    Real,
}

impl Target {
    async fn patch(&self, item: &Item<'_>, body: Bytes, mode: Mode) -> Result<Answer, Failure> {
        // The validation of fields only adds warnings, which nobody reads here, and costs the API server a strict decoding:
        // an apply with fields that it does not know is refused in any case.
        let path = format!(
            "{}?fieldManager={}&force=true&fieldValidation=Ignore{}",
            item.resource.item(&item.object),
            self.policy().field_manager,
            match mode {
                Mode::DryRun => "&dryRun=All",
                Mode::Real => "",
            }
        );
        let deadline = Instant::now() + SERVED_WITHIN;
        loop {
            let answer = self
                .0
                .hub
                .http
                .send(Method::PATCH, &path, Accept::Object, Content::Apply, body.clone())
                .await;
            match answer {
                Err(failure)
                    if item.served_soon
                        && failure.is_not_found()
                        && failure.about.is_empty()
                        && Instant::now() < deadline =>
                {
                    sleep(Duration::from_millis(100)).await;
                }
                other => return other,
            }
        }
    }

    /// A dry-run of the manifest, and the payload when fields that the API server does not know had to go.
    async fn test(&self, item: &Item<'_>) -> Result<(Answer, Option<Bytes>), Failure> {
        let mut failure = match self.patch(item, item.manifest.body(), Mode::DryRun).await {
            Ok(answer) => return Ok((answer, None)),
            Err(failure) => failure,
        };
        let mut payload = None;
        for _ in 0..PRUNE_ROUNDS {
            let payload = payload.get_or_insert_with(|| item.manifest.value());
            let removed = unknown::prune(payload, &item.resource.gvk, &failure.message);
            if removed.is_empty() {
                break;
            }
            tracing::warn!(object = %item.object, fields = %removed.join(" "), "unknown fields dropped");
            let body = Bytes::from(payload.to_string());
            match self.patch(item, body.clone(), Mode::DryRun).await {
                Ok(answer) => return Ok((answer, Some(body))),
                Err(next) => failure = next,
            }
        }
        Err(failure)
    }

    fn read(&self, item: &Item<'_>, body: &[u8]) -> Option<Observation> {
        Observation::parse(body, &item.resource.gvk, Shown::Whole, self.policy(), jiff::Timestamp::now()).ok()
    }

    /// Dry-runs an object whose live state a watch tells; reads it only if the answer cannot be judged by that.
    pub(crate) async fn try_dry_run(
        &self,
        item: &Item<'_>,
        observed: Option<&Observation>,
        owner: &Owner,
        options: &ApplyOptions<'_>,
    ) -> Result<Step, Refusal> {
        let (answer, body) = match self.test(item).await {
            Ok(tested) => tested,
            Err(failure) if observed.is_some() && failure.is_immutable() => {
                return self.examine_live(item, owner, options).await;
            }
            Err(failure) => return Err(Refusal::dry_run(item.manifest, &failure)),
        };
        let created = answer.status == StatusCode::CREATED;
        let next = if created { None } else { self.read(item, &answer.body) };
        let known = match observed {
            Some(observed) => Known::Present { observed, settled: false },
            None => Known::Absent,
        };
        match after_dry_run(&known, created, next.as_ref()) {
            Some(Action::Unchanged) => {
                if let Some(observed) = observed {
                    self.settle(item, observed.version, owner);
                }
                Ok(Step::Settled(Action::Unchanged))
            }
            Some(action) => {
                let version = observed.map(|o| o.version);
                Ok(Step::Write(Write { body, ..Write::tested_as(action, version) }))
            }
            None => self.examine_live(item, owner, options).await,
        }
    }

    fn settle(&self, item: &Item<'_>, version: u64, owner: &Owner) {
        if let Some(watch) = &item.watch {
            let key = crate::cache::key_of(&item.object.namespace, &item.object.name);
            watch.with(|cache| cache.settle(&key, version, item.hash, owner));
        }
    }

    /// Takes what a read or a clean-up showed into the cache, unless it is not ours to watch.
    fn learn(&self, item: &Item<'_>, seen: &Observation) {
        if let Some(watch) = &item.watch
            && seen.owner.is_some()
        {
            let key = crate::cache::key_of(&item.object.namespace, &item.object.name);
            watch.with(|cache| cache.learn(&key, seen.clone()));
        }
    }

    /// Reads the live object, then does all that an apply needs to know: skip marks, migration, dry-run, clean-up,
    /// comparison.
    pub(crate) async fn examine_live(
        &self,
        item: &Item<'_>,
        owner: &Owner,
        options: &ApplyOptions<'_>,
    ) -> Result<Step, Refusal> {
        let manifest = item.manifest;
        let Some(mut live) = self.live(item).await? else {
            let (answer, body) = self.dry_run(item).await?;
            let action =
                if answer.status == StatusCode::CREATED { Action::Created } else { Action::Configured };
            let version = self.read(item, &answer.body).map(|next| next.version);
            return Ok(Step::Write(Write { body, ..Write::tested_as(action, version) }));
        };
        let desired = manifest.switches();
        let switches = object::Switches::of(&live, &self.policy().group);
        if skipped(desired, switches) {
            return Ok(Step::Settled(Action::Skipped));
        }
        if self.policy().migrate_api_version {
            let operations = takeover::migration_patch(&live, &item.resource.gvk.api_version());
            if !operations.is_empty() {
                live = self
                    .json_patch(item, &operations)
                    .await
                    .map_err(|f| Refusal::step(manifest, "failed to migrate API version", &f))?;
            }
        }
        let force = options.force || desired.force || switches.force;
        let (answer, body) = match self.test(item).await {
            Ok(tested) => tested,
            Err(failure) if force && failure.is_immutable() => {
                self.remove(item, &live, options.timeout).await?;
                let (_, body) = self.dry_run(item).await?;
                return Ok(Step::Write(Write { body, ..Write::tested_as(Action::Created, None) }));
            }
            Err(failure) => return Err(Refusal::dry_run(manifest, &failure)),
        };
        let next: Value = serde_json::from_slice(&answer.body).unwrap_or_default();

        let mut cleaned = false;
        if cleans(desired, switches) {
            let operations = takeover::patch(&live, self.policy());
            if !operations.is_empty() {
                live = self
                    .json_patch(item, &operations)
                    .await
                    .map_err(|f| Refusal::step(manifest, "metadata.managedFields cleanup failed", &f))?;
                cleaned = true;
            }
        }
        let ignored = options.ignore.map(|rules| rules.paths(&next)).unwrap_or_default();
        let differs = if ignored.is_empty() {
            drifted(&live, &next)
        } else {
            let (mut live, mut next) = (live.clone(), next.clone());
            for path in &ignored {
                ignore::remove(&mut live, path);
                ignore::remove(&mut next, path);
            }
            drifted(&live, &next)
        };
        let seen = self.read(item, live.to_string().as_bytes());
        let version = seen.as_ref().map(|s| s.version);
        if !differs && !cleaned {
            if let Some(seen) = &seen {
                self.learn(item, seen);
                self.settle(item, seen.version, owner);
            }
            return Ok(Step::Settled(Action::Unchanged));
        }
        let mut write = Write::tested_as(Action::Configured, version.filter(|_| !cleaned));
        if !ignored.is_empty() {
            let mut payload = body
                .as_ref()
                .and_then(|body| serde_json::from_slice(body).ok())
                .unwrap_or_else(|| manifest.value());
            ignore::adopt(&mut payload, &live, &next, &ignored, self.policy());
            write.body = Some(Bytes::from(payload.to_string()));
        } else {
            write.body = body;
        }
        Ok(Step::Write(write))
    }

    pub(crate) async fn dry_run(&self, item: &Item<'_>) -> Result<(Answer, Option<Bytes>), Refusal> {
        self.test(item).await.map_err(|failure| Refusal::dry_run(item.manifest, &failure))
    }

    /// The live object; `None` when there is none, or when the identity may not read it (the dry-run then tells whether it
    /// may write it).
    pub(crate) async fn live(&self, item: &Item<'_>) -> Result<Option<Value>, Refusal> {
        let path = item.resource.item(&item.object);
        match self.0.hub.http.get(&path, Accept::Object).await {
            Ok(answer) => Ok(serde_json::from_slice(&answer.body).ok()),
            Err(failure) if failure.is_not_found() || failure.is_forbidden() => Ok(None),
            Err(failure) => Err(Refusal::step(item.manifest, "read failed", &failure)),
        }
    }

    /// A JSON patch on the live object, under our field manager. Returns the object as it is then.
    async fn json_patch(&self, item: &Item<'_>, operations: &[Value]) -> Result<Value, Failure> {
        let path =
            format!("{}?fieldManager={}", item.resource.item(&item.object), self.policy().field_manager);
        let body = Bytes::from(Value::from(operations.to_vec()).to_string());
        let writing = item.watch.as_ref().map(|w| w.writing(&item.object));
        let answer =
            self.0.hub.http.send(Method::PATCH, &path, Accept::Object, Content::JsonPatch, body).await?;
        if let Some(seen) = self.read(item, &answer.body) {
            self.learn(item, &seen);
        }
        drop(writing);
        serde_json::from_slice(&answer.body)
            .map_err(|e| Failure::transport(format!("cannot read the answer: {e}")))
    }

    /// Deletes an object that is to be created anew, and waits until it is gone.
    async fn remove(&self, item: &Item<'_>, live: &Value, limit: Duration) -> Result<(), Refusal> {
        let uid = object::string_at(live, &["metadata", "uid"]).unwrap_or_default();
        if let Some(watch) = &item.watch {
            let key = crate::cache::key_of(&item.object.namespace, &item.object.name);
            watch.with(|cache| cache.disown(&key));
        }
        let refusal = |failure: &Failure| {
            Refusal::step(item.manifest, "immutable field detected, failed to delete object", failure)
        };
        match self.delete(&item.resource, &item.object, uid, None).await {
            Ok(()) => {}
            Err(failure) if failure.is_not_found() => return Ok(()),
            Err(failure) => return Err(refusal(&failure)),
        }
        let deadline = Instant::now() + limit.max(Duration::from_secs(30));
        if self.wait_gone_one(&item.resource, &item.object, Some(uid), deadline).await {
            Ok(())
        } else {
            let text = format!(
                "{} immutable field detected, the object was deleted but is still there: its finalizers have not finished",
                item.object
            );
            Err(Refusal::new(&item.object, text))
        }
    }

    /// Deletes an object of this uid (and version, when one is given), with background propagation.
    pub(crate) async fn delete(
        &self,
        resource: &crate::mapping::Resource,
        object: &object::ObjectRef,
        uid: &str,
        version: Option<u64>,
    ) -> Result<(), Failure> {
        let mut conditions = serde_json::Map::new();
        if !uid.is_empty() {
            conditions.insert("uid".to_owned(), uid.into());
        }
        if let Some(version) = version {
            conditions.insert("resourceVersion".to_owned(), version.to_string().into());
        }
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": conditions,
        });
        let body = Bytes::from(options.to_string());
        self.0
            .hub
            .http
            .send(Method::DELETE, &resource.item(object), Accept::Object, Content::Json, body)
            .await
            .map(|_| ())
    }

    /// Phase B for one object.
    pub(crate) async fn write(&self, item: &Item<'_>, write: Write, owner: &Owner) -> Result<Entry, Failure> {
        let writing = item.watch.as_ref().map(|w| w.writing(&item.object));
        let body = write.body.clone().unwrap_or_else(|| item.manifest.body());
        let answer = self.patch(item, body, Mode::Real).await?;
        let seen = self.read(item, &answer.body);
        let action = judge(&write, answer.status == StatusCode::CREATED, seen.as_ref());
        if let (Some(writing), Some(seen)) = (writing, seen) {
            writing.finish(seen, item.hash, owner);
        }
        Ok(Entry { object: item.object.clone(), action })
    }
}

/// What a write did. A server that finds nothing to change leaves the version as it is.
fn judge(write: &Write, created: bool, seen: Option<&Observation>) -> Action {
    if created {
        return Action::Created;
    }
    match (write.action, seen) {
        (Some(Action::Configured) | None, Some(seen)) if write.version == Some(seen.version) => {
            Action::Unchanged
        }
        (None, Some(seen)) if write.content.is_some() && write.content == seen.content => Action::Unchanged,
        (Some(action), _) => action,
        (None, _) => Action::Configured,
    }
}

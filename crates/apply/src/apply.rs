//! The staged apply: decide without asking where a watch already told, dry-run the rest, then write.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{StreamExt as _, stream};
use object::{GroupKind, Gvk, InventoryEntry, ObjectRef, Owner, Stage, apply_order};
use tokio::time::{Instant, sleep};

use crate::error::{Error, Refusal};
use crate::examine::{Examined, Step, Write};
use crate::ignore::IgnoreRules;
use crate::manifest::Manifest;
use crate::mapping::{NoMapping, Resource};
use crate::observation::Observation;
use crate::outcome::{Action, Applied, Entry};
use crate::plan::{First, Known, Wish, first};
use crate::target::Target;
use crate::watch::Watch;

/// Records the intent to create objects; see [`ApplyOptions::before_create`].
pub type BeforeCreate<'a> =
    &'a (dyn Fn(Vec<InventoryEntry>) -> BoxFuture<'static, Result<(), String>> + Send + Sync);

/// What one apply is to do beyond the policy.
#[derive(Clone, Copy, Default)]
pub struct ApplyOptions<'a> {
    /// Recreate any object whose change the API server calls immutable.
    pub force: bool,
    /// Fields whose drift does not count.
    pub ignore: Option<&'a IgnoreRules>,
    /// How long to wait for an object to vanish before it is recreated.
    pub timeout: Duration,
    /// The inventory so far.
    pub known: &'a [InventoryEntry],
    /// Called before the writes of a stage that create objects which are not in `known`, with these. It has to make them
    /// part of the stored inventory, so that a crash between the writes and the end of the pass orphans nothing. An error
    /// ends the apply before those writes.
    pub before_create: Option<BeforeCreate<'a>>,
}

/// How long the members of a stage have to become ready.
const STAGE_WAIT: Duration = Duration::from_secs(60);
/// How long the API server may take to serve a kind whose definition is established.
const SERVED_WITHIN: Duration = Duration::from_secs(10);

impl Target {
    /// Applies all objects of an owner.
    ///
    /// Stage by stage: first every object that needs it is dry-run, and all refusals are collected; if there is any,
    /// nothing of the stage is written. Then what differs is written in order. Objects that a synced watch shows as an
    /// earlier apply left them cost no request.
    pub async fn apply(&self, owner: &Owner, manifests: &[Manifest], options: &ApplyOptions<'_>) -> Applied {
        let mut pass =
            Pass { target: self, owner, options, served_soon: HashSet::new(), watches: HashMap::new() };
        let mut applied = Applied::default();
        for (stage, members) in self.stages(manifests) {
            let done = pass.stage(&members, &mut applied.entries).await;
            let outcome = match done {
                Ok(objects) if stage.waits() => self.stage_ready(&objects).await,
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                applied.error = Some(error);
                break;
            }
        }
        applied
    }

    /// The manifests by stage, each stage in apply order. Of two manifests of one object the later one counts.
    pub(crate) fn stages<'a>(&self, manifests: &'a [Manifest]) -> Vec<(Stage, Vec<&'a Manifest>)> {
        let policy = self.policy();
        let mut unique: HashMap<&ObjectRef, &Manifest> = HashMap::with_capacity(manifests.len());
        for manifest in manifests {
            unique.insert(manifest.reference(), manifest);
        }
        let mut sorted: Vec<(Stage, &Manifest)> = unique
            .into_values()
            .map(|m| (Stage::of(&m.reference().gvk.group_kind(), &policy.custom_stages), m))
            .collect();
        sorted.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| apply_order(x.reference(), y.reference())));
        let mut stages: Vec<(Stage, Vec<&Manifest>)> = Vec::new();
        for (stage, manifest) in sorted {
            match stages.last_mut() {
                Some((last, members)) if *last == stage => members.push(manifest),
                _ => stages.push((stage, vec![manifest])),
            }
        }
        stages
    }

    async fn stage_ready(&self, objects: &[(Arc<Resource>, ObjectRef)]) -> Result<(), Error> {
        let deadline = Instant::now() + STAGE_WAIT;
        match self.wait_current(objects, deadline).await {
            None => Ok(()),
            Some(text) => Err(Error::StageWait(text)),
        }
    }
}

/// An object of the stage at hand, resolved.
pub(crate) struct Item<'a> {
    pub manifest: &'a Manifest,
    pub resource: Arc<Resource>,
    /// The object with the namespace that its kind's scope allows.
    pub object: ObjectRef,
    /// The synced watch that covers it.
    pub watch: Option<Arc<Watch>>,
    /// Hash of the manifest and of the rules it is applied under.
    pub hash: u64,
    /// Its definition was applied in this pass, so the API server may serve it a little later.
    pub served_soon: bool,
}

struct Pass<'a> {
    target: &'a Target,
    owner: &'a Owner,
    options: &'a ApplyOptions<'a>,
    served_soon: HashSet<GroupKind>,
    watches: HashMap<(Gvk, String), Option<Arc<Watch>>>,
}

impl Pass<'_> {
    /// Applies one stage and adds its entries. Returns its objects, to wait for.
    async fn stage(
        &mut self,
        manifests: &[&Manifest],
        entries: &mut Vec<Entry>,
    ) -> Result<Vec<(Arc<Resource>, ObjectRef)>, Error> {
        let mut refusals = Vec::new();
        let mut items = Vec::with_capacity(manifests.len());
        let mut skipped = Vec::new();
        for (position, manifest) in manifests.iter().enumerate() {
            match self.resolve(manifest).await {
                Ok(item) => items.push((position, item)),
                // A switch keeps the object out anyway: that its kind is not served does not matter.
                Err(_) if manifest.switches().apply_disabled() => skipped.push((
                    position,
                    Entry { object: manifest.reference().clone(), action: Action::Skipped },
                )),
                Err(refusal) => refusals.push(refusal),
            }
        }
        let steps = self.examine_all(items, &mut refusals).await;
        if !refusals.is_empty() {
            return Err(Error::Refused(refusals));
        }
        self.record_intent(&steps).await?;

        let mut objects = Vec::with_capacity(steps.len());
        let mut settled = skipped;
        let mut failed = None;
        let mut new_definitions = false;
        for (position, examined) in steps {
            let Examined { item, step } = examined;
            let entry = match step {
                Step::Settled(action) => Entry { object: item.object.clone(), action },
                Step::Write(_) if failed.is_some() => continue,
                Step::Write(write) => match self.write(&item, write).await {
                    Ok(entry) => entry,
                    Err((error, entry)) => {
                        failed = Some(error);
                        match entry {
                            Some(entry) => entry,
                            None => continue,
                        }
                    }
                },
            };
            if let Some(kind) = defined_kind(item.manifest)
                && entry.changed()
            {
                new_definitions = true;
                self.served_soon.insert(kind);
            }
            objects.push((item.resource.clone(), item.object.clone()));
            settled.push((position, entry));
        }
        settled.sort_by_key(|(position, _)| *position);
        entries.extend(settled.into_iter().map(|(_, entry)| entry));
        if new_definitions {
            self.target.0.mapping.invalidate();
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(objects),
        }
    }

    /// Phase A: everything that is not settled is examined, some at a time.
    async fn examine_all<'m>(
        &self,
        items: Vec<(usize, Item<'m>)>,
        refusals: &mut Vec<Refusal>,
    ) -> Vec<(usize, Examined<'m>)> {
        let wish = |item: &Item<'_>| Wish {
            switches: item.manifest.switches(),
            needs_live: self.target.policy().migrate_api_version
                || self.options.ignore.is_some_and(|rules| !rules.is_empty()),
        };
        let mut steps = Vec::with_capacity(items.len());
        let mut open = Vec::new();
        for (position, item) in items {
            let (observed, settled) = self.known(&item);
            let known = known(&item, observed.as_ref(), settled);
            match first(&known, wish(&item)) {
                First::Settled(action) => {
                    steps.push((position, Examined { item, step: Step::Settled(action) }))
                }
                first => open.push((position, item, observed, first)),
            }
        }
        // The only object of the stage that may change, and everything needed to judge the answer is known: the write is
        // its own test. A refusal leaves the stage as untouched as a refused dry-run does.
        if refusals.is_empty()
            && let [(_, _, Some(observed), First::DryRun)] = open.as_slice()
        {
            let write = Write::untested(observed);
            if let Some((position, item, _, _)) = open.pop() {
                steps.push((position, Examined { item, step: Step::Write(write) }));
            }
            return in_order(steps);
        }
        // Collected first: a closure that is still to be called would keep the future from being `Send`.
        let pending: Vec<_> = open
            .into_iter()
            .map(|(position, item, observed, first)| async move {
                let step = match first {
                    First::DryRun => {
                        self.target.try_dry_run(&item, observed.as_ref(), self.owner, self.options).await
                    }
                    _ => self.target.examine_live(&item, self.owner, self.options).await,
                };
                (position, item, step)
            })
            .collect();
        let examined: Vec<_> =
            stream::iter(pending).buffer_unordered(self.target.policy().concurrency.max(1)).collect().await;
        for (position, item, step) in examined {
            match step {
                Ok(step) => steps.push((position, Examined { item, step })),
                Err(refusal) => refusals.push(refusal),
            }
        }
        in_order(steps)
    }

    fn known(&self, item: &Item<'_>) -> (Option<Observation>, bool) {
        let Some(watch) = &item.watch else {
            return (None, false);
        };
        let key = crate::cache::key_of(&item.object.namespace, &item.object.name);
        watch.with(|cache| {
            let settled = cache.is_settled(&key, item.hash, self.owner);
            (cache.observed(&key).cloned(), settled)
        })
    }

    async fn record_intent(&self, steps: &[(usize, Examined<'_>)]) -> Result<(), Error> {
        let Some(record) = self.options.before_create else {
            return Ok(());
        };
        let known: BTreeSet<&str> = self.options.known.iter().map(|e| e.id.as_str()).collect();
        let new: Vec<InventoryEntry> = steps
            .iter()
            .filter(|(_, examined)| matches!(&examined.step, Step::Write(w) if w.creates()))
            .map(|(_, examined)| InventoryEntry::of(&examined.item.object))
            .filter(|entry| !known.contains(entry.id.as_str()))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        record(new).await.map_err(Error::Intent)
    }

    /// Phase B for one object. An error comes with an entry when the object may have been written all the same.
    async fn write(&self, item: &Item<'_>, write: Write) -> Result<Entry, (Error, Option<Entry>)> {
        let tested = write.tested();
        let failure = match self.target.write(item, write, self.owner).await {
            Ok(entry) => return Ok(entry),
            Err(failure) => failure,
        };
        let unknown =
            (failure.code == 0).then(|| Entry { object: item.object.clone(), action: Action::Unknown });
        if tested || unknown.is_some() {
            let refusal = Refusal::step(item.manifest, "apply failed", &failure);
            return Err((Error::Apply(refusal), unknown));
        }
        // The write was its own test: examine properly, which words the refusal or finds a way round it.
        let refused = |refusal| (Error::Refused(vec![refusal]), None);
        match self.target.examine_live(item, self.owner, self.options).await.map_err(refused)? {
            Step::Settled(action) => Ok(Entry { object: item.object.clone(), action }),
            Step::Write(write) => self.target.write(item, write, self.owner).await.map_err(|failure| {
                let refusal = Refusal::step(item.manifest, "apply failed", &failure);
                (Error::Apply(refusal), None)
            }),
        }
    }

    async fn resolve<'m>(&mut self, manifest: &'m Manifest) -> Result<Item<'m>, Refusal> {
        let reference = manifest.reference();
        let served_soon = self.served_soon.contains(&reference.gvk.group_kind());
        let resource = self
            .resource(&reference.gvk, served_soon)
            .await
            .map_err(|missing| Refusal::new(reference, format!("{reference} dry-run failed: {missing}")))?;
        let object = resource.scoped(reference);
        if resource.namespaced && object.namespace.is_empty() {
            let text = format!(
                "{reference} namespace not specified: the server could not find the requested resource"
            );
            return Err(Refusal::new(reference, text));
        }
        let key = (resource.gvk.clone(), object.namespace.clone());
        let watch = match self.watches.get(&key) {
            Some(watch) => watch.clone(),
            None => {
                let watch = self.target.owned_watch(&resource, &object.namespace).await;
                self.watches.insert(key, watch.clone());
                watch
            }
        };
        let hash = manifest.hash() ^ self.options.ignore.map_or(0, IgnoreRules::hash);
        Ok(Item { manifest, resource, object, watch, hash, served_soon })
    }

    /// Discovery follows a new definition with a little delay.
    async fn resource(&self, gvk: &Gvk, served_soon: bool) -> Result<Arc<Resource>, NoMapping> {
        let mapping = &self.target.0.mapping;
        let deadline = Instant::now() + SERVED_WITHIN;
        let mut pause = Duration::from_millis(20);
        loop {
            match mapping.resolve(gvk).await {
                Err(NoMapping::NoMatch(_)) if served_soon && Instant::now() < deadline => {
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_millis(500));
                    mapping.invalidate();
                }
                other => return other,
            }
        }
    }
}

fn known<'a>(item: &Item<'_>, observed: Option<&'a Observation>, settled: bool) -> Known<'a> {
    match (&item.watch, observed) {
        (None, _) => Known::Nothing,
        (Some(_), None) => Known::Absent,
        (Some(_), Some(observed)) => Known::Present { observed, settled },
    }
}

fn in_order<T>(mut steps: Vec<(usize, T)>) -> Vec<(usize, T)> {
    steps.sort_by_key(|(position, _)| *position);
    steps
}

/// The kind that a CustomResourceDefinition defines.
pub(crate) fn defined_kind(manifest: &Manifest) -> Option<GroupKind> {
    if !manifest.reference().gvk.is("apiextensions.k8s.io", "CustomResourceDefinition") {
        return None;
    }
    let definition = manifest.value();
    let group = object::string_at(&definition, &["spec", "group"])?;
    let kind = object::string_at(&definition, &["spec", "names", "kind"])?;
    Some(GroupKind::new(group, kind))
}

//! Plans: what an action would do to every object, for people. The steps up to the first write are the action's own; each
//! write is sent as a dry run, so that the API server's defaults and refusals show, and nothing changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use apply::{Accept, FieldChange, Resource, changes};
use chart::{Chart, Event, Hook, Release, Table, Warnings};
use futures::{StreamExt as _, stream};
use object::{Gvk, ObjectRef};
use serde_json::Value;

use crate::action::{Change, Hooks, Method};
use crate::cluster::Cluster;
use crate::crds::{CrdOptions, CrdPolicy, definitions};
use crate::error::Error;
use crate::hooks::{event_name, order};
use crate::managers;
use crate::merge;
use crate::objects::{Built, without};
use crate::ownership;
use crate::update::{How, POLICY};
use crate::write::{Live, Migrate, masked};

/// What an action would do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The record as it would be stored before anything is touched.
    pub release: Release,
    /// The objects in the order in which they would be written, then those that would go. Those that the API server
    /// refuses are not among them.
    pub objects: Vec<PlannedObject>,
    /// The hooks in the order in which they would run.
    pub hooks: Vec<PlannedHook>,
    /// What the API server would refuse. Values of Secrets are masked.
    pub refusals: Vec<Error>,
    /// As [`crate::Outcome::warnings`].
    pub warnings: Vec<String>,
}

/// What would become of one object.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedObject {
    /// The object.
    pub object: ObjectRef,
    /// What would become of it.
    pub fate: Fate,
}

/// What becomes of an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// It is not there, and would be made.
    Created,
    /// These fields would change. Values of Secrets are masked.
    Changed(Vec<FieldChange>),
    /// It is as it would be made.
    Unchanged,
    /// It left the manifest, and would go.
    Deleted,
    /// It left the manifest, and stays: `helm.sh/resource-policy: keep`.
    Kept,
}

/// A hook that would run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedHook {
    /// Helm's word for when it runs, such as `pre-upgrade`.
    pub event: &'static str,
    /// Kind of its object.
    pub kind: String,
    /// Name of its object.
    pub name: String,
    /// Smaller ones run first.
    pub weight: i64,
}

impl PlannedHook {
    fn of(hook: &Hook, event: Event) -> PlannedHook {
        let event = event_name(event);
        PlannedHook { event, kind: hook.kind.clone(), name: hook.name.clone(), weight: hook.weight }
    }
}

/// The hooks of an event in the order in which they run.
pub fn hooks_of(release: &Release, event: Event) -> Vec<PlannedHook> {
    let hooks = &release.hooks;
    let ordered = order(hooks, event).into_iter().filter_map(|place| hooks.get(place));
    ordered.map(|hook| PlannedHook::of(hook, event)).collect()
}

/// What would become of the definitions in a chart's `crds/`, and which kinds they would bring.
#[derive(Debug, Default)]
pub struct Definitions {
    /// The definitions.
    pub objects: Vec<PlannedObject>,
    /// What the API server would refuse.
    pub refusals: Vec<Error>,
    coming: Vec<Arc<Resource>>,
}

impl Definitions {
    pub(crate) fn resources(&self) -> &[Arc<Resource>] {
        &self.coming
    }

    pub(crate) fn api_versions(&self) -> BTreeSet<String> {
        let kinds = self.coming.iter().map(|resource| &resource.gvk);
        kinds.flat_map(|gvk| [gvk.api_version(), format!("{}/{}", gvk.api_version(), gvk.kind)]).collect()
    }
}

/// Says what [`crate::apply_crds`] would do.
///
/// # Errors
/// A definition that cannot be read.
pub async fn plan_crds(
    cluster: &Cluster,
    chart: &mut Chart,
    values: &Table,
    options: &CrdOptions,
    warnings: &mut Warnings,
) -> Result<Definitions, Error> {
    let mut planned = Definitions::default();
    let method = options.method;
    let how = How { method, change: Change::Replace, migrate: Migrate::No, custom: merge::Custom::TwoWay };
    for definition in definitions(cluster, chart, values, options, warnings).await? {
        let there = cluster.read(&definition, Accept::Object).await;
        let there = there.map_err(|failure| Error::of(&failure, Error::Write))?;
        let fate = match (there, options.policy) {
            (Some(_), CrdPolicy::Create) => Ok(Fate::Unchanged),
            (live, _) => fate(cluster, None, &definition, live, how).await,
        };
        match fate {
            Ok(fate) => {
                if fate != Fate::Unchanged {
                    planned.coming.extend(kinds_of(&definition.value).map(Arc::new));
                }
                planned.objects.push(PlannedObject { object: definition.reference, fate });
            }
            Err(Refused { error, .. }) => planned.refusals.push(error),
        }
    }
    Ok(planned)
}

/// The kinds that a definition makes the API server serve.
fn kinds_of(definition: &Value) -> impl Iterator<Item = Resource> {
    let text = |pointer: &str| definition.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (group, kind, plural) = (text("/spec/group"), text("/spec/names/kind"), text("/spec/names/plural"));
    let namespaced = text("/spec/scope") == "Namespaced";
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
    let served = versions.filter(|version| version.get("served").and_then(Value::as_bool) == Some(true));
    let names = served.filter_map(|version| version.get("name").and_then(Value::as_str));
    names.map(move |version| Resource::new(Gvk::new(&format!("{group}/{version}"), kind), plural, namespaced))
}

/// How many objects are looked at at a time.
const CONCURRENCY: usize = 8;

/// The API server refuses an object.
struct Refused {
    error: Error,
    /// It does not know the place where the object would be.
    nowhere: bool,
}

/// A plan in the making.
pub(crate) struct Looking<'a> {
    cluster: &'a Cluster,
    definitions: &'a Definitions,
    /// Namespaces that would be made on the way.
    namespaces: BTreeSet<String>,
    objects: Vec<PlannedObject>,
    refusals: Vec<Error>,
}

impl<'a> Looking<'a> {
    pub fn new(cluster: &'a Cluster, definitions: &'a Definitions) -> Looking<'a> {
        Looking {
            cluster,
            definitions,
            namespaces: BTreeSet::new(),
            objects: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// A namespace is created unless it is there.
    pub async fn namespace(&mut self, name: &str) {
        let path = format!("/api/v1/namespaces/{name}");
        let found = self.cluster.http().get(&path, Accept::Metadata).await;
        if found.is_err_and(|failure| failure.is_not_found()) {
            let object = ObjectRef {
                gvk: Gvk::new("v1", "Namespace"),
                namespace: String::new(),
                name: name.to_owned(),
            };
            self.namespaces.insert(name.to_owned());
            self.objects.push(PlannedObject { object, fate: Fate::Created });
        }
    }

    /// The targets are updated or created, and the originals that are not among them deleted.
    pub async fn update(&mut self, originals: &[Built], targets: &[Built], how: How) {
        let cluster = self.cluster;
        // Collected: a stream with a closure in it could not be awaited on another thread.
        let work: Vec<_> = targets
            .iter()
            .map(|target| async move {
                let original = originals.iter().find(|original| original.same(target));
                (target, look(cluster, original, target, how).await)
            })
            .collect();
        let found: Vec<_> = stream::iter(work).buffered(CONCURRENCY).collect().await;
        // Namespaces come first, whatever their place: they are made before what is in them.
        for (target, looked) in &found {
            if target.reference.gvk.is("", "Namespace") && matches!(looked, Ok(Fate::Created)) {
                self.namespaces.insert(target.reference.name.clone());
            }
        }
        for (target, looked) in found {
            let object = target.reference.clone();
            let coming = self.definitions.coming.iter().any(|kind| kind.gvk == target.reference.gvk)
                || self.namespaces.contains(&object.namespace);
            match looked {
                Ok(fate) => self.objects.push(PlannedObject { object, fate }),
                Err(refused) if refused.nowhere && coming => {
                    self.objects.push(PlannedObject { object, fate: Fate::Created });
                }
                Err(refused) => self.refusals.push(refused.error),
            }
        }
        let gone: Vec<Built> = without(originals, targets).cloned().collect();
        self.delete(&gone).await;
    }

    /// Objects are deleted if they are there and have no policy against it.
    pub async fn delete(&mut self, objects: &[Built]) {
        for object in objects.iter().filter(|object| !object.is_nameless()) {
            // As the action: what cannot be read is not deleted.
            if let Ok(Some(live)) = self.cluster.read(object, Accept::Metadata).await {
                let keeps = object::annotation(&live, POLICY) == Some("keep");
                let fate = if keeps { Fate::Kept } else { Fate::Deleted };
                self.objects.push(PlannedObject { object: object.reference.clone(), fate });
            }
        }
    }

    /// What an action that was cut off left goes if it is marked as part of the release and not wanted.
    pub async fn sweep(&mut self, left: &[Built], wanted: &[Built], release: &Release) {
        for object in without(left, wanted) {
            let known = self.objects.iter().any(|planned| planned.object.same_object(&object.reference));
            if !known
                && let Ok(Some(live)) = self.cluster.read(object, Accept::Metadata).await
                && ownership::check(&live, &release.name, &release.namespace).is_ok()
            {
                self.delete(std::slice::from_ref(object)).await;
            }
        }
    }

    /// What was seen, with the hooks of the events, if they run.
    pub fn plan(self, release: Release, hooks: Hooks, events: [Event; 2], warnings: Warnings) -> Plan {
        let events = if hooks == Hooks::Run { events.as_slice() } else { &[] };
        let hooks = events.iter().flat_map(|event| hooks_of(&release, *event)).collect();
        Plan { hooks, release, objects: self.objects, refusals: self.refusals, warnings }
    }
}

async fn look(
    cluster: &Cluster,
    original: Option<&Built>,
    target: &Built,
    how: How,
) -> Result<Fate, Refused> {
    let live = match target.is_nameless() {
        true => None,
        false => cluster.read(target, Accept::Object).await.map_err(|failure| Refused {
            nowhere: false,
            error: Error::of(&failure, |text| {
                Error::Write(format!("could not get information about the resource: {text}"))
            }),
        })?,
    };
    fate(cluster, original, target, live, how).await
}

/// What becomes of an object that is, or is not, there.
async fn fate(
    cluster: &Cluster,
    original: Option<&Built>,
    target: &Built,
    live: Option<Value>,
    how: How,
) -> Result<Fate, Refused> {
    let refused = |failure: apply::Failure| Refused {
        nowhere: failure.is_not_found(),
        error: Error::of(&failure, |_| {
            Error::Write(format!("{}: {}", target.reference, masked(target, &failure)))
        }),
    };
    let applied = |result: Result<Live, apply::Failure>| result.map_err(refused);
    let Some(live) = live else {
        match how.method {
            Method::ServerSide if !target.is_nameless() => applied(cluster.try_apply(target).await)?,
            _ => applied(cluster.try_create(target).await)?,
        };
        return Ok(Fate::Created);
    };
    let next = match how.method {
        Method::ServerSide => {
            // What moves from updates to applies first cannot be tried as one: the merge comes to the same fields.
            let moves =
                how.migrate == Migrate::Yes && managers::migration(&live, cluster.manager()).is_some();
            if moves {
                let before = original.unwrap_or(target);
                match merge::patch(&before.value, &target.value, &live, how.custom) {
                    Some(patch) => applied(cluster.try_merge(target, &patch).await)?,
                    None => return Ok(Fate::Unchanged),
                }
            } else {
                applied(cluster.try_apply(target).await)?
            }
        }
        Method::ClientSide if how.change == Change::Replace => {
            let mut whole = target.clone();
            if let Some(version) = live.pointer("/metadata/resourceVersion")
                && let Some(metadata) = crate::objects::metadata(&mut whole.value)
            {
                metadata.insert("resourceVersion".to_owned(), version.clone());
            }
            applied(cluster.try_replace(&whole).await)?
        }
        Method::ClientSide => {
            let before = original.map_or(&live, |original| &original.value);
            match merge::patch(before, &target.value, &live, how.custom) {
                Some(patch) => applied(cluster.try_merge(target, &patch).await)?,
                None => return Ok(Fate::Unchanged),
            }
        }
    };
    let changes = changes(&live, &next.value);
    Ok(if changes.is_empty() { Fate::Unchanged } else { Fate::Changed(changes) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn definitions_bring_kinds() {
        let definition = json!({"spec": {"group": "e2e.test", "scope": "Namespaced", "names": {"kind": "Wheel", "plural": "wheels"},
            "versions": [{"name": "v1", "served": true}, {"name": "v0", "served": false}]}});
        let coming: Vec<_> = kinds_of(&definition).map(Arc::new).collect();
        assert_eq!(coming[0].collection("a"), "/apis/e2e.test/v1/namespaces/a/wheels");
        let definitions = Definitions { coming, ..Definitions::default() };
        let versions: Vec<_> = definitions.api_versions().into_iter().collect();
        assert_eq!(versions, ["e2e.test/v1", "e2e.test/v1/Wheel"]);
    }

    #[test]
    fn hooks_are_listed_as_they_run() {
        let hook = |name: &str, weight: i64| json!({"name": name, "kind": "Job", "weight": weight, "events": ["pre-upgrade"]});
        let release: Release = serde_json::from_value(
            json!({"name": "r", "namespace": "n", "version": 1, "info": {"status": "deployed"},
            "hooks": [hook("late", 5), hook("early", -1)]}),
        )
        .unwrap();
        let names: Vec<_> = hooks_of(&release, Event::PreUpgrade).into_iter().map(|hook| hook.name).collect();
        assert_eq!(names, ["early", "late"]);
        assert!(hooks_of(&release, Event::PostUpgrade).is_empty());
    }
}

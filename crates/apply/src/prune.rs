//! Deleting what is no longer wanted.

use object::{InventoryEntry, ObjectRef, Owner, Stage, Switches, apply_order};
use serde_json::Value;

use crate::error::Error;
use crate::failure::Failure;
use crate::http::Accept;
use crate::mapping::{NoMapping, Resource};
use crate::observation::Observation;
use crate::outcome::{Action, Entry, Pruned};
use crate::target::Target;
use crate::watch::Phase;

impl Target {
    /// Deletes the objects of inventory entries, one after the other, in reverse apply order.
    ///
    /// An object is skipped when its owner labels are not those of `owner`, or a switch says that it stays. One that is
    /// gone, or whose kind the API server does not serve any more, counts as deleted. An error about one object does not
    /// keep the others; its entry comes back as unsettled.
    pub async fn prune(&self, owner: &Owner, entries: &[InventoryEntry]) -> Pruned {
        let mut pruned = Pruned::default();
        let mut errors = Vec::new();
        let mut objects: Vec<(ObjectRef, &InventoryEntry)> = Vec::new();
        for entry in entries {
            match entry.parse() {
                Ok(object) => objects.push((object, entry)),
                Err(error) => {
                    errors.push(error.to_string());
                    pruned.unsettled.push(entry.clone());
                }
            }
        }
        let custom = &self.policy().custom_stages;
        objects.sort_by(|(a, _), (b, _)| {
            let stage = |o: &ObjectRef| Stage::of(&o.gvk.group_kind(), custom);
            stage(b).cmp(&stage(a)).then_with(|| apply_order(b, a))
        });
        for (object, entry) in objects {
            match self.prune_one(owner, &object).await {
                Ok(action) => pruned.entries.push(Entry { object, action }),
                Err(text) => {
                    errors.push(text);
                    pruned.unsettled.push(entry.clone());
                }
            }
        }
        if !errors.is_empty() {
            pruned.error = Some(Error::Delete(errors));
        }
        pruned
    }

    /// What a synced owned watch shows of an object.
    fn watched(&self, resource: &Resource, object: &ObjectRef) -> Option<Observation> {
        self.owned_watches(&resource.gvk.group_kind())
            .into_iter()
            .filter(|watch| watch.phase() == Phase::Synced)
            .find_map(|watch| watch.observed(object))
    }

    async fn prune_one(&self, owner: &Owner, object: &ObjectRef) -> Result<Action, String> {
        let resource = match self.0.mapping.resolve_any_version(&object.gvk).await {
            Ok(resource) => resource,
            // Discovery itself is healthy, so no object of the kind can exist.
            Err(NoMapping::NoMatch(_)) => return Ok(Action::Deleted),
            Err(other) => return Err(format!("{object} delete failed: {other}")),
        };
        let object = &resource.scoped(object);
        let failed = |failure: Failure| format!("{object} delete failed: {failure}");

        // What a synced watch shows need not be asked for: the preconditions of the deletion tell if it is out of date.
        if let Some(seen) = self.watched(&resource, object) {
            if seen.owner.as_ref() != Some(owner) || seen.switches.delete_disabled() {
                return Ok(Action::Skipped);
            }
            self.disown(&resource, object);
            let version = Some(seen.version);
            match self.delete(&resource, object, &seen.uid, version).await {
                Ok(()) => return Ok(Action::Deleted),
                Err(failure) if failure.is_not_found() => return Ok(Action::Deleted),
                Err(failure) if failure.code == 409 => {}
                Err(failure) => return Err(failed(failure)),
            }
        }

        // Only metadata is asked for: the object may be a Secret.
        let answer = match self.0.hub.http.get(&resource.item(object), Accept::Metadata).await {
            Ok(answer) => answer,
            Err(failure) if failure.is_not_found() => return Ok(Action::Deleted),
            Err(failure) => return Err(failed(failure)),
        };
        let live: Value = serde_json::from_slice(&answer.body)
            .map_err(|e| format!("{object} delete failed: cannot read the object: {e}"))?;
        let keys = self.policy().owner_labels();
        let owned = object::label(&live, &keys.name) == Some(owner.name.as_str())
            && object::label(&live, &keys.namespace) == Some(owner.namespace.as_str());
        if !owned || Switches::of(&live, &self.policy().group).delete_disabled() {
            return Ok(Action::Skipped);
        }
        // Its disappearance is our own doing.
        self.disown(&resource, object);
        let uid = object::string_at(&live, &["metadata", "uid"]).unwrap_or_default();
        match self.delete(&resource, object, uid, None).await {
            Ok(()) => Ok(Action::Deleted),
            Err(failure) if failure.is_not_found() => Ok(Action::Deleted),
            // Another object has taken the name since we looked.
            Err(failure) if failure.code == 409 && failure.reason == "Conflict" => Ok(Action::Deleted),
            Err(failure) => Err(failed(failure)),
        }
    }
}

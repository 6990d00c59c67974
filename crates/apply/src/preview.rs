//! The plan of an apply, for people: the same decisions, nothing written.

use std::collections::HashSet;
use std::fmt;

use futures::{StreamExt as _, stream};
use object::{ObjectRef, Owner, Switches};
use serde_json::Value;

use crate::apply::{ApplyOptions, Item};
use crate::difference::{FieldChange, changes};
use crate::error::Refusal;
use crate::ignore::{self, IgnoreRules};
use crate::manifest::Manifest;
use crate::mapping::NoMapping;
use crate::outcome::Action;
use crate::plan::skipped;
use crate::target::Target;

/// What an apply would do.
#[derive(Debug, Default)]
pub struct Plan {
    /// In apply order.
    pub objects: Vec<PlannedObject>,
    /// What the API server would refuse.
    pub refusals: Vec<Refusal>,
}

/// What an apply would do with one object.
#[derive(Debug)]
pub struct PlannedObject {
    /// The object.
    pub object: ObjectRef,
    /// What would be done.
    pub action: Action,
    /// The fields that would change, when it would be configured.
    pub changes: Vec<FieldChange>,
}

impl fmt::Display for Plan {
    /// A line for each object that would not stay as it is, with its fields below it, then the refusals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.objects.iter().filter(|o| o.action != Action::Unchanged);
        for planned in shown {
            writeln!(f, "{} {}", planned.object, planned.action)?;
            for change in &planned.changes {
                writeln!(f, "  {change}")?;
            }
        }
        for refusal in &self.refusals {
            writeln!(f, "{refusal}")?;
        }
        Ok(())
    }
}

impl Target {
    /// Says what [`Target::apply`] would do, field by field, without writing anything. Objects whose kind or namespace the
    /// same apply would create count as created.
    pub async fn plan(&self, owner: &Owner, manifests: &[Manifest], options: &ApplyOptions<'_>) -> Plan {
        let mut plan = Plan::default();
        let mut kinds = HashSet::new();
        let mut namespaces = HashSet::new();
        for (_, members) in self.stages(manifests) {
            let mut items = Vec::with_capacity(members.len());
            for manifest in members {
                let reference = manifest.reference();
                if let Some(kind) = crate::apply::defined_kind(manifest) {
                    kinds.insert(kind);
                }
                match self.0.mapping.resolve(&reference.gvk).await {
                    Ok(resource) => {
                        let object = resource.scoped(reference);
                        let hash = manifest.hash() ^ options.ignore.map_or(0, IgnoreRules::hash);
                        items.push(Item {
                            manifest,
                            resource,
                            object,
                            watch: None,
                            hash,
                            served_soon: false,
                        });
                    }
                    Err(NoMapping::NoMatch(_)) if kinds.contains(&reference.gvk.group_kind()) => {
                        plan.objects.push(PlannedObject::of(reference, Action::Created));
                    }
                    Err(missing) => plan
                        .refusals
                        .push(Refusal::new(reference, format!("{reference} dry-run failed: {missing}"))),
                }
            }
            let previews: Vec<_> = stream::iter(items.iter())
                .map(|item| self.preview(item, owner, options))
                .buffered(self.policy().concurrency.max(1))
                .collect()
                .await;
            for (item, preview) in items.iter().zip(previews) {
                match preview {
                    Ok(planned) => {
                        if item.resource.gvk.is("", "Namespace") && planned.action == Action::Created {
                            namespaces.insert(planned.object.name.clone());
                        }
                        plan.objects.push(planned);
                    }
                    Err(_) if namespaces.contains(&item.object.namespace) => {
                        plan.objects.push(PlannedObject::of(&item.object, Action::Created));
                    }
                    Err(refusal) => plan.refusals.push(refusal),
                }
            }
        }
        plan
    }

    async fn preview(
        &self,
        item: &Item<'_>,
        owner: &Owner,
        options: &ApplyOptions<'_>,
    ) -> Result<PlannedObject, Refusal> {
        let manifest = item.manifest;
        if manifest.switches().apply_disabled() {
            return Ok(PlannedObject::of(&item.object, Action::Skipped));
        }
        let covered = self.owned_watch(&item.resource, &item.object.namespace).await;
        let key = crate::cache::key_of(&item.object.namespace, &item.object.name);
        if covered.is_some_and(|w| w.with(|c| c.is_settled(&key, item.hash, owner))) {
            return Ok(PlannedObject::of(&item.object, Action::Unchanged));
        }
        let live = self.live(item).await?;
        let switches = live.as_ref().map(|live| Switches::of(live, &self.policy().group)).unwrap_or_default();
        if live.is_some() && skipped(manifest.switches(), switches) {
            return Ok(PlannedObject::of(&item.object, Action::Skipped));
        }
        let (answer, _) = self.dry_run(item).await?;
        let Some(mut live) = live else {
            return Ok(PlannedObject::of(&item.object, Action::Created));
        };
        let mut next: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        for path in options.ignore.map(|rules| rules.paths(&next)).unwrap_or_default() {
            ignore::remove(&mut live, path);
            ignore::remove(&mut next, path);
        }
        let changes = changes(&live, &next);
        let cleans = crate::plan::cleans(manifest.switches(), switches)
            && !crate::takeover::patch(&live, self.policy()).is_empty();
        let action = if changes.is_empty() && !cleans { Action::Unchanged } else { Action::Configured };
        Ok(PlannedObject { object: item.object.clone(), action, changes })
    }
}

impl PlannedObject {
    fn of(object: &ObjectRef, action: Action) -> Self {
        Self { object: object.clone(), action, changes: Vec::new() }
    }
}

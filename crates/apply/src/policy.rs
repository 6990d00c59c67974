use std::sync::Arc;
use std::time::Duration;

use object::{CustomStages, ObjectRef, Owner, OwnerLabels};

/// How a controller applies: the same for all its targets.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Field manager of every write, such as `kustomize-controller`.
    pub field_manager: String,
    /// Key prefix of the owner labels and of the switches, such as `kustomize.toolkit.fluxcd.io`.
    pub group: String,
    /// Further field managers (name prefixes) whose fields are taken over.
    pub override_managers: Vec<String>,
    /// How many dry-run requests one apply keeps in flight.
    pub concurrency: usize,
    /// Kinds applied in a stage of their own.
    pub custom_stages: CustomStages,
    /// Rewrite the API version of all managed fields of an object to the desired one before applying.
    pub migrate_api_version: bool,
}

impl Policy {
    /// The defaults of a controller: four dry-runs in flight, no further managers, no custom stage.
    pub fn new(field_manager: &str, group: &str) -> Self {
        Self {
            field_manager: field_manager.to_owned(),
            group: group.to_owned(),
            override_managers: Vec::new(),
            concurrency: 4,
            custom_stages: CustomStages::default(),
            migrate_api_version: false,
        }
    }

    /// The keys of the labels that mark ownership.
    pub fn owner_labels(&self) -> OwnerLabels {
        OwnerLabels::of_group(&self.group)
    }
}

/// Something that an owner should look at.
#[derive(Debug, Clone)]
pub struct Change {
    /// Whose object it is, or who waits for it.
    pub owner: Owner,
    /// The object.
    pub object: ObjectRef,
    /// What happened.
    pub what: What,
    /// Wait this long before acting: zero at first, growing when the same object drifts again and again, so that a
    /// fight with another controller stays slow.
    pub delay: Duration,
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Fields that we own were changed, or a manager whose fields we take over wrote to it.
    Drift,
    /// It is gone, or lost its owner labels.
    Deleted,
    /// The verdict of a set the owner waits for may have come.
    Health,
}

/// Hears of changes. Called from watch tasks: it must be quick and must not block (put the owner into a queue).
pub type Listener = Arc<dyn Fn(Change) + Send + Sync>;

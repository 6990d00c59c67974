//! Kubernetes objects as plain JSON values: who they are, in which order they are applied, which switches their
//! metadata carries, how they are prepared before an apply, and what of them may be shown.
//!
//! Pure: no IO, no clock, no Kubernetes client. Everything works on [`serde_json::Value`].

mod error;
mod identity;
mod inventory;
mod list;
mod mask;
mod metadata;
mod normalise;
mod order;
mod selector;
mod switches;

pub use error::Error;
pub use identity::{GroupKind, Gvk, ObjectRef};
pub use inventory::{InventoryEntry, difference};
pub use list::{expand_lists, is_object};
pub use mask::{mask_secret_pair, mask_text, masked};
pub use metadata::{Owner, OwnerLabels, annotation, label, set_common_metadata, set_owner_labels, string_at};
pub use normalise::{drop_invalid_ca_bundle, normalise};
pub use order::{CustomStages, Stage, apply_order};
pub use selector::LabelSelector;
pub use switches::{SsaMode, Switches};

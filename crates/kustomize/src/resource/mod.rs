//! Objects and their identities during a build.

mod id;
mod map;
mod object;
mod order;

pub(crate) use id::effective_namespace;
pub use id::{Gvk, ResourceId};
pub(crate) use map::ResourceMap;
pub use object::Resource;
pub(crate) use object::{Behavior, Previous, string};
pub(crate) use order::{FIRST, LAST, place, sort_key, type_order};

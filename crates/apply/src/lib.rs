//! Server-side apply with an observed-state cache: what a watch already told is not asked again.
//!
//! A controller makes one [`Targets`] with its [`Policy`] and a [`Listener`]. A [`Target`] is one cluster under one
//! identity. For an owner (a Kustomization, a release) it
//!
//! - applies [`Manifest`]s in stages ([`Target::apply`]), and says what it did with each object;
//! - says what an apply would do, field by field ([`Target::plan`]);
//! - deletes what is no longer wanted ([`Target::prune`]) and waits until it is gone ([`Target::wait_gone`]);
//! - follows the health of objects ([`Target::watch_health`]) without a task or a poll;
//! - tells the listener when an object drifts or vanishes ([`Change`]).
//!
//! # How it knows
//!
//! One watch a kind (and target) selects all objects with the owner label, whoever the owner is. Of each object the cache
//! keeps a few hundred bytes: uid, version, owner, switches, a hash of our `managedFields` entry, a hash of the content,
//! and its health. Contents of Secrets and ConfigMaps are not even transferred. Next to that stands what we applied last:
//! the manifest's hash, and the hash of our entry after the write. While both agree the object is as we left it, because
//! nobody can change a field that we own without changing our entry; then an apply sends nothing at all.
//!
//! Where an identity may not watch a kind, neither in the cluster nor in the namespace, each pass reads the objects. It
//! never falls back to another identity.

mod apply;
mod cache;
mod difference;
mod error;
mod examine;
mod failure;
mod health;
mod http;
mod hub;
mod ignore;
mod manifest;
mod mapping;
mod observation;
mod outcome;
mod plan;
mod policy;
mod preview;
mod prune;
mod takeover;
mod target;
mod unknown;
mod waiting;
mod watch;

pub use crate::apply::{ApplyOptions, BeforeCreate};
pub use difference::{FieldChange, changes};
pub use error::{Error, Refusal};
pub use failure::Failure;
pub use health::{Assess, Covers, CustomHealth, FailFast, HealthMember, HealthRequest, HealthSet, Verdict};
pub use http::{Accept, Answer, Content, Http};
pub use ignore::{IgnoreError, IgnoreRule, IgnoreRules, remove as remove_pointer};
pub use manifest::{Manifest, Preparation};
pub use mapping::{Mapping, NoMapping, Resource, ServerVersion};
pub use outcome::{Action, Applied, Entry, Pruned};
pub use policy::{Change, Listener, Policy, What};
pub use preview::{Plan, PlannedObject};
pub use target::{Target, Targets};
pub use unknown::prune as drop_unknown;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex. A panic of another holder is confined to its own reconcile: our data stays consistent because no
/// critical section calls foreign code.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

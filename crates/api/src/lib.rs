//! The Kubernetes API of the four controllers, as types: what users write, what controllers report, and the rules that
//! bind both.
//!
//! - [`source`], [`kustomize`], [`helm`], [`notification`]: the kinds of the four groups.
//! - [`meta`]: references, artifact, history, durations, revisions, annotation and label keys.
//! - [`condition`]: the condition list, how it is written, summarised, finalised and checked.
//! - [`suspend`]: when an object rests, by its spec or by annotation.
//! - [`object`]: what all kinds have in common, for code that serves every kind.
//! - [`crd`]: the CustomResourceDefinitions, written to `crds/` by `cargo run -p api --example crds`.
//!
//! Nothing here does IO or reads a clock: the time is always a parameter.
//!
//! # Reading and writing objects
//!
//! The types hold what the controllers read; an unknown field is ignored on read and survives because controllers send
//! merge patches and never whole objects. A `spec` is never written back: its durations keep the text their author chose.
//! An object stored under a newer schema may hold an enum value that these types do not know, so a watch should go
//! through `kube::core::DeserializeGuard`, which confines the failure to the one object.

#![allow(clippy::duplicated_attributes, reason = "fooled by the columns that kinds list in #[kube]")]

pub mod condition;
pub mod crd;
pub mod helm;
pub mod kustomize;
pub mod meta;
pub mod notification;
pub mod object;
mod schema;
pub mod source;
pub mod suspend;

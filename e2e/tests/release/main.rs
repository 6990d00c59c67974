//! Helm's actions by `crates/release` on the real control plane, next to the real Helm in another namespace of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod actions;
mod charts;
#[path = "../helm_support/compare.rs"]
mod compare;
mod crash;
mod definitions;
mod drifts;
mod hooks;
mod requests;
mod stage;
mod waits;

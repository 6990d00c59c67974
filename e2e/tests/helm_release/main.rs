//! helm-controller on a real API server, with the real `helm` as the judge: the acceptance cases of its specification, by
//! their numbers.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

mod basics;
mod cases;
mod charts;
mod cluster;
#[path = "../helm_support/compare.rs"]
mod compare;
mod crash;
mod cuts;
mod diff;
mod failures;
mod fields;
mod flux;
mod holdings;
mod interrupts;
mod lives;
mod peer;
mod remote;
mod scene;
mod soak;
mod sources;
mod targets;
mod tests;
mod trap;
mod whole;

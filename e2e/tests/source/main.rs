//! GitRepository, HelmRepository, HelmChart and OCIRepository on a real API server: the acceptance cases of source-controller that a user can see.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

mod chart_from_files;
mod chart_from_registry;
mod chart_from_repository;
mod charts;
mod events;
mod failures;
mod helm;
mod lifecycle;
mod oci;
mod process;
mod revisions;
mod scene;
mod storage;

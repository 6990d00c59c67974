//! GitRepository, HelmRepository and OCIRepository on a real API server: the acceptance cases of source-controller that a user can see.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

mod events;
mod failures;
mod helm;
mod lifecycle;
mod oci;
mod process;
mod revisions;
mod scene;
mod storage;

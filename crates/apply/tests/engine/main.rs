//! The engine against a real API server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod deletion;
mod drift;
mod health;
mod identity;
mod staging;
mod world;

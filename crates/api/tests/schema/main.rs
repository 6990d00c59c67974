//! The schema of every kind, tried with objects by the hundred: see `tests/data`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy's allowance for tests does not reach helpers of integration tests"
)]

mod cases;
mod coverage;
mod definitions;
mod server;
mod typed;

//! notification-controller on a real API server: the acceptance cases of its specification, by their numbers.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

mod cases;
mod chat;
mod command;
mod delivery;
mod events;
mod flux;
mod identity;
mod process;
mod receivers;
mod recorder;
mod routing;
mod scene;

//! The schema of every kind, tried with objects by the hundred: see `tests/data`.

mod cases;
mod coverage;
mod definitions;
mod server;
mod typed;

//! Alerts: which events go to which providers, and with what metadata.

mod dispatch;
pub mod metadata;
mod pattern;
mod select;
mod status_id;

pub use dispatch::{Dispatcher, Parts, read_secrets};
pub use status_id::status_id;

//! What every controller shares, and no controller's subject: flags, log, metrics, probes, leader election, the queue,
//! watching and reconciling a kind, writing statuses, events, and clients of the API server.
//!
//! A controller is a `main` that calls [`process::main`] with its [`Binary`] and a function that builds its
//! [`Controller`]s and runs them until [`Process::stop`]:
//!
//! ```ignore
//! let controller = Controller::<GitRepository>::new(process.clients.own().clone(), &process.metrics, process.settings("gitrepository"));
//! let writer = controller.writer("source-controller");
//! let reconciler = Arc::new(GitRepositories { store: controller.store(), wake: controller.handle(), writer, .. });
//! controller.run(reconciler, process.stop.clone(), |_change| {}).await;
//! ```
//!
//! A waiting object costs an entry in a map: no task, and no timer of its own.

pub mod client;
pub mod configs;
pub mod controller;
mod error;
pub mod events;
pub mod gates;
pub mod interrupt;
mod key;
pub mod lease;
pub mod log;
pub mod metrics;
pub mod options;
pub mod process;
pub mod queue;
pub mod serve;
pub mod status;
pub mod suspend;
pub mod watch;

pub use client::{Clients, Secret};
pub use controller::{BoxError, Controller, Handle, Outcome, Reconciler, Run};
pub use error::Error;
pub use events::{Recorder, Severity};
pub use gates::{Gate, Gates};
pub use key::Key;
pub use options::{Binary, IntervalOptions, Options};
pub use process::{CommandLine, Process};
pub use queue::Priority;
pub use status::{Writer, Written};
pub use watch::{Change, Scope, Store};

//! A real Kubernetes control plane on loopback, as processes: etcd, kube-apiserver, kube-controller-manager,
//! kube-scheduler and kwok (which simulates nodes, so that pods become Ready).
//!
//! [`programs`] builds the binaries once from the Go modules in `hack/`, [`Plane`] starts and stops a plane,
//! [`Record`] finds the planes that run on this machine. Nothing here links a Kubernetes client, so that `cargo xtask`
//! compiles in seconds; the client side is `crates/testkit`.

mod certificates;
mod components;
mod go_build;
mod kubectl;
pub mod places;
mod plane;
mod ports;
mod process;
pub mod programs;
mod record;
mod watchdog;

pub use go_build::require;
pub use kubectl::Kubectl;
pub use plane::{Audit, Lifetime, Options, Plane};
pub use ports::free_port;
pub use process::{Process, Signal, signal};
pub use record::Record;
pub use watchdog::Watchdog;

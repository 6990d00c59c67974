//! The real thing for tests: a Kubernetes control plane, our controllers as processes, git servers.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use testkit::{ControlPlane, Controller};
//!
//! let plane = ControlPlane::shared().await?; // one a test process, started on first use
//! plane.install_crds().await?;
//! let namespace = plane.namespace("shop").await?;
//! let source = Controller::source(plane)?.start().await?;
//! plane.apply(&format!("…manifests for {namespace}…")).await?;
//! let ready = plane
//!     .ready("source.toolkit.fluxcd.io/v1", "GitRepository", &namespace, "shop")
//!     .await?;
//! # Ok(()) }
//! ```
//!
//! `MILLRACE_PLANE=dev` makes [`ControlPlane::shared`] use the plane of `cargo xtask cluster up --name dev` instead of
//! starting one: quicker while a test is being written. `MILLRACE_CONTROLLERS=target/debug` takes our controllers from
//! there as they are, instead of asking cargo whether they are up to date.

pub mod cases;
mod control_plane;
mod controller;
pub mod git;
pub mod metrics;
pub mod registry;
mod wait;

pub use control_plane::ControlPlane;
pub use controller::{Controller, Profile, Running, built};
pub use plane::{Audit, Kubectl, Lifetime, Options, Process, Signal, places, programs, signal};
pub use wait::{condition, is_ready};

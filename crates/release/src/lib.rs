//! Helm as a library: install, upgrade, roll back, uninstall and test releases.
//!
//! ```no_run
//! # async fn example(client: kube::Client, chart: chart::Chart) -> Result<(), Box<dyn std::error::Error>> {
//! use release::{Cluster, Install, Storage};
//!
//! let cluster = Cluster::from_client(client, "helm");
//! let storage = Storage::new(&cluster, "shop");
//! let installed = Install::new("web", "shop", chart, chart::Table::new()).run(&cluster, &storage).await?;
//! assert_eq!(installed.release.info.description, "Install complete");
//! # Ok(()) }
//! ```
//!
//! Each action is a struct of options with a `run`. It ends in an [`Outcome`] or in [`Failed`]; both say which records
//! were written on the way, and hold the last lines of the log. Texts of errors are Helm's.
//!
//! Records are exactly Helm's: its own `helm` works with what is made here, and the other way round. A record is stored
//! as pending before anything is touched, and every step can be done twice, so that an action that was cut off anywhere
//! can be followed by another one once its record is unlocked: set to `failed`, with a description that begins with
//! [`UNLOCKED`], by which the next action knows to look for what was left.
//!
//! Each action has a `plan` beside its `run`: the same steps up to the first write, and dry runs for the rest. A [`Plan`]
//! says what would become of every object.
//!
//! [`Chart`](chart::Chart)s and their rendering are `chart`'s business; this crate adds the cluster.

mod action;
mod cluster;
mod crds;
pub mod drift;
mod error;
mod hooks;
mod install;
mod inventory;
mod leftovers;
mod legacy;
mod log;
mod managers;
mod merge;
mod objects;
mod ownership;
mod plan;
mod postrender;
mod render;
mod rollback;
mod storage;
mod test;
mod uninstall;
mod update;
mod upgrade;
mod wait;
mod write;

pub use action::{Change, Failed, Hooks, Method, MethodChoice, Outcome, Ownership};
pub use cluster::Cluster;
pub use crds::{CrdOptions, CrdPolicy, apply_crds};
pub use error::Error;
pub use install::{Install, Namespaces, Reuse};
pub use inventory::inventory;
pub use leftovers::UNLOCKED;
pub use log::Log;
pub use plan::{Definitions, Fate, Plan, PlannedHook, PlannedObject, hooks_of, plan_crds};
pub use postrender::{PostRender, Step};
pub use render::{Dns, RenderOptions, Schemas};
pub use rollback::Rollback;
pub use storage::{Last, Revision, Storage, Written};
pub use test::Test;
pub use uninstall::{History, Uninstall};
pub use upgrade::{Cleanup, OldValues, Upgrade};
pub use wait::{Jobs, Strategy, Waiting};
pub use write::Propagation;

//! Real git repositories and servers on loopback.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use testkit::git::{Change, HttpServer};
//!
//! let server = HttpServer::start().await?;
//! let repo = server.create("shop")?;
//! let commit = repo.commit("main", "first", &[Change::file("app/deployment.yaml", "…")])?;
//! println!("{} at {commit}", server.url("shop"));
//! # Ok(()) }
//! ```

mod http;
mod repo;
mod ssh;

pub use http::{Access, Fault, HttpServer, Request, ServerOptions};
pub use repo::{Change, Repo};
pub use ssh::{SshKey, SshServer};

//! Artifacts: the one thing that passes between source-controller and its consumers.
//!
//! An artifact is a gzip-compressed tar file, named by its digest, published over plain HTTP and never changed afterwards.
//! This crate holds both ends of that contract:
//!
//! * [`Writer`] writes a tree of files as tar.gz so that the same tree always gives the same bytes;
//! * [`Store`] keeps such files on disk, one directory per object, and [`server`] publishes them;
//! * [`Fetcher`] downloads an artifact, checks its digest, and indexes it as a [`Tree`] that many reconciles share;
//! * [`Digest`] names the content.
//!
//! Nothing here ever joins a path that came from outside without checking each component, and no archive is ever
//! extracted to named files: a [`Tree`] reads from one unlinked temporary file by offset.

mod archive;
mod digest;
mod error;
mod fetch;
mod retention;
pub mod server;
mod store;
mod tree;

pub use archive::{FileMode, Writer};
pub use digest::{Algorithm, Digest, Hasher, HashingWriter};
pub use error::Error;
pub use fetch::{Fetcher, FetcherOptions, Reference};
pub use retention::{Candidate, Retention};
pub use store::{Location, Lock, Store, Stored};
pub use tree::{Kind, Limits, Tree};

/// The result of every fallible call in this crate.
pub type Result<T> = std::result::Result<T, Error>;

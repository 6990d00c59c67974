//! Incremental fetch into a bare object store and export of trees.
//!
//! [`Stores`] keeps one object store per remote (URL and credentials together), which is never checked out. A reference is
//! resolved by listing references only; a fetch asks for the one commit without its history, and only for objects that
//! are not here yet. A [`Snapshot`] reads the files of a commit straight from the store, in the order of an archive, so
//! that memory stays that of the largest file.
//!
//! The Git protocol (version 2, and 0 and 1 for old servers) is spoken here, over HTTP(S) and SSH; packs and objects are
//! the work of the gix crates. Nothing is ever spawned. Network calls are async and end by the remote's timeout;
//! everything on a [`Snapshot`] blocks on the disk.

mod error;
mod generation;
#[cfg(test)]
mod hostile_input;
mod http;
mod known_hosts;
mod object;
mod packet;
mod receive;
mod reference;
mod remote;
mod snapshot;
mod ssh;
mod stores;
mod submodule;
mod upload_pack;

pub use error::Error;
pub use object::{Actor, Commit, Kind, Tag};
pub use remote::{Auth, Reference, Remote, Resolved, Submodules};
pub use snapshot::{Entry, Selection, Snapshot, Walk};
pub use ssh::{SshOptions, check_ssh_options, is_encrypted_identity};
pub use stores::{Options, Stores};

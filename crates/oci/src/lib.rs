//! Reads artifacts from OCI registries: tags, digests, manifests, layers.
//!
//! Credentials come from docker configurations ([`Keychain`]), certificates, proxy and address guard from
//! [`net::Settings`]. Registries are strangers: every answer has a limit, digests are checked, and credentials go to the
//! registry and to whom it names for tokens only.

mod challenge;
mod client;
mod error;
mod keychain;
mod manifest;
mod repository;

pub use client::{Limits, Registry, Transport};
pub use error::Error;
pub use keychain::Keychain;
pub use manifest::{Descriptor, Manifest};
pub use repository::{Reference, Repository, RepositoryError};

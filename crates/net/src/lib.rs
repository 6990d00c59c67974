//! Outbound HTTP for our own use, and credentials from Secret data.
//!
//! [`auth`] and [`Tls`] are pure: they turn the `data` of a Secret into settings, with the messages a Flux user knows.
//! [`Clients`] turns settings into HTTP clients, one per distinct settings, so that connections are reused between
//! reconciles. TLS is rustls on ring; call [`install_crypto_provider`] first in every `main` and test that uses TLS.

pub mod auth;
mod client;
mod error;
mod guard;
mod proxy;
mod retry;
mod secret;
mod tls;

pub use client::{Body, Clients, Settings};
pub use error::{Error, display_url};
pub use guard::AddressGuard;
pub use proxy::{Proxy, ProxyScheme};
pub use retry::{Retry, Verdict};
pub use secret::Secret;
pub use tls::{CaUse, Identity, Tls};

/// Makes ring the process-wide TLS provider. Later calls do nothing.
pub fn install_crypto_provider() {
    // An error only says that a provider is already installed, which is what we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

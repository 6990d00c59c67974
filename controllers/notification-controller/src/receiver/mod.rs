//! Receivers: webhooks that ask objects to reconcile.
//!
//! The reconciler computes the path and says whether the Receiver can be used; [`hook`] verifies calls.

#[cfg(test)]
mod body_tests;
mod cdevents;
mod cdevents_types;
mod filter;
mod gcr;
mod generic;
mod github;
mod gitlab;
mod harbor;
pub mod hook;
mod issuer;
mod jwt;
mod nexus;
mod oidc;
mod reconcile;
mod registry;
mod resource;

pub use filter::Filters;
pub use issuer::Issuers;
pub use reconcile::{Receivers, secret_of};
pub use resource::{Found, default_api_version, labelled, metadata_of, request_run};

use api::notification::{ReceiverSpec, ReceiverType};
use jiff::Timestamp;
use net::auth::Data;

use crate::digest::sha256_hex;
use hook::{Accepted, Hook, Refusal};

/// What the paths of webhooks begin with.
pub const PATHS: &str = "/hook/";

/// The path of a Receiver. The token counts as it is stored, a newline at its end included.
pub fn webhook_path(token: &[u8], name: &str, namespace: &str) -> String {
    format!("{PATHS}{}", sha256_hex(&[token, name.as_bytes(), namespace.as_bytes()].concat()))
}

/// Verifies a call, whatever that takes.
pub async fn verify(
    spec: &ReceiverSpec,
    secret: &Data,
    issuers: &Issuers,
    hook: &Hook,
    now: Timestamp,
) -> Result<Accepted, Refusal> {
    match spec.kind {
        ReceiverType::GenericOidc => oidc::verify(spec, issuers, hook, now).await,
        ReceiverType::Gcr => gcr::verify(secret, issuers, hook, now).await,
        _ => hook::verify(spec, secret, hook),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_hide_the_token() {
        assert_eq!(webhook_path(b"t", "n", "s"), format!("/hook/{}", sha256_hex(b"tns")));
        assert_ne!(webhook_path(b"t\n", "n", "s"), webhook_path(b"t", "n", "s"));
    }
}

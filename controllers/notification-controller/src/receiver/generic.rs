//! `generic-hmac`: any caller that signs the body.

use super::hook::{Accepted, Hook, Refusal, refused};
use crate::digest::{Hash, unhex};

/// Verifies `X-Signature`.
pub fn verify(token: &[u8], hook: &Hook) -> Result<Accepted, Refusal> {
    signed(token, hook.header("x-signature"), &hook.body)
        .or_else(|why| refused(format!("unable to validate HMAC signature: {why}")))?;
    Ok(Accepted::default())
}

/// Verifies a signature in the form `hash=hex`.
pub fn signed(token: &[u8], signature: &str, body: &[u8]) -> Result<(), &'static str> {
    if token.is_empty() {
        // Anybody could sign with nothing.
        return Err("the token of the Secret is empty");
    }
    if signature.is_empty() {
        return Err("missing signature");
    }
    let (hash, hex) =
        signature.split_once('=').ok_or("the signature has no hash before it, such as sha256=")?;
    let hash = Hash::named(hash).ok_or("the hash of the signature is none of sha1, sha256 and sha512")?;
    let signature = unhex(hex).ok_or("the signature is not hex")?;
    if hash.verifies(token, body, &signature) { Ok(()) } else { Err("payload signature check failed") }
}

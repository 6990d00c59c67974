//! Nexus: the body signed with HMAC-SHA1.

use super::hook::{Accepted, Hook, Refusal, refused};
use crate::digest::{Hash, unhex};

/// Verifies `X-Nexus-Webhook-Signature`.
pub fn verify(token: &[u8], hook: &Hook) -> Result<Accepted, Refusal> {
    let signature = hook.header("x-nexus-webhook-signature");
    if signature.is_empty() || token.is_empty() {
        return refused("the X-Nexus-Webhook-Signature header or the token of the Secret is missing");
    }
    let lower = !signature.bytes().any(|byte| byte.is_ascii_uppercase());
    match unhex(signature).filter(|_| lower) {
        Some(bytes) if Hash::Sha1.verifies(token, &hook.body, &bytes) => {}
        _ => return refused("the Nexus signature is not that of the body"),
    }
    hook.object("Nexus")?;
    Ok(Accepted::default())
}

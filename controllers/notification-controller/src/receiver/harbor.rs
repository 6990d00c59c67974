//! Harbor: the token as the whole of `Authorization`.

use super::hook::{Accepted, Hook, Refusal, refused};
use crate::digest::same_secret;

/// Verifies `Authorization`.
pub fn verify(token: &[u8], hook: &Hook) -> Result<Accepted, Refusal> {
    if !same_secret(hook.raw_header("authorization"), token) {
        return refused("the Harbor Authorization header value does not match the receiver token");
    }
    Ok(Accepted::default())
}

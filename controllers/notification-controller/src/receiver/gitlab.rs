//! GitLab: the token in a header.

use api::notification::ReceiverSpec;

use super::hook::{Accepted, Hook, Refusal, refused, takes_event};
use crate::digest::same_secret;

/// Verifies `X-Gitlab-Token`.
pub fn verify(spec: &ReceiverSpec, token: &[u8], hook: &Hook) -> Result<Accepted, Refusal> {
    if !same_secret(hook.raw_header("x-gitlab-token"), token) {
        return refused("the X-Gitlab-Token header value does not match the receiver token");
    }
    takes_event(spec, "GitLab", hook.header("x-gitlab-event"))?;
    Ok(Accepted::default())
}

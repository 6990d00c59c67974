//! GitHub, Gitea and Bitbucket: signed bodies, as JSON or within a form.

use api::notification::ReceiverSpec;

use super::generic::signed;
use super::hook::{Accepted, Hook, Refusal, refused, takes_event};

/// Verifies `X-Hub-Signature-256`, else `X-Hub-Signature`.
pub fn verify(
    spec: &ReceiverSpec,
    token: &[u8],
    hook: &Hook,
    who: &str,
    event_header: &str,
) -> Result<Accepted, Refusal> {
    let invalid = |why: &str| refused(format!("the {who} signature header is invalid: {why}"));
    let payload = match hook.media_type().as_str() {
        "application/json" => None,
        "application/x-www-form-urlencoded" => {
            let field = url::form_urlencoded::parse(&hook.body).find(|(name, _)| name == "payload");
            Some(field.map(|(_, value)| value.into_owned().into()).unwrap_or_default())
        }
        _ => {
            return invalid(
                "the content type is neither application/json nor application/x-www-form-urlencoded",
            );
        }
    };
    let signature = match hook.header("x-hub-signature-256") {
        "" => hook.header("x-hub-signature"),
        signature => signature,
    };
    if let Err(why) = signed(token, signature, &hook.body) {
        return invalid(why);
    }
    takes_event(spec, who, hook.header(event_header))?;
    Ok(Accepted { payload, claims: None })
}

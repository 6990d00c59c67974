//! A webhook call, and what makes it believable.

use api::notification::{ReceiverSpec, ReceiverType};
use bytes::Bytes;
use http::HeaderMap;
use net::auth::Data;
use serde_json::Value;

use super::{cdevents, generic, github, gitlab, harbor, nexus, registry};

/// A call, its body read.
pub struct Hook {
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// What a call that was believed says.
#[derive(Debug, Default, PartialEq)]
pub struct Accepted {
    /// What filters see as `req`, where that is not the body as it was sent.
    pub payload: Option<Bytes>,
    /// What filters see as `claims`.
    pub claims: Option<Value>,
}

/// Why a call is not believed. Never holds a token or signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// Not believed.
pub fn refused<T>(why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(why.into()))
}

impl Hook {
    /// A header as text; empty when it is missing or no text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A header as bytes; empty when it is missing.
    pub fn raw_header(&self, name: &str) -> &[u8] {
        self.headers.get(name).map_or(&[], |value| value.as_bytes())
    }

    /// The media type, without parameters, in lower case.
    pub fn media_type(&self) -> String {
        let text = self.header("content-type");
        text.split(';').next().unwrap_or_default().trim().to_lowercase()
    }

    /// Whether the header says that the body is JSON. The first type of a list counts.
    pub fn is_json(&self) -> bool {
        self.header("content-type")
            .split(',')
            .map(|text| text.split(';').next().unwrap_or_default().trim().to_lowercase())
            .find(|text| text.contains('/'))
            .is_some_and(|media_type| media_type == "application/json")
    }

    /// The body as a JSON object.
    pub fn object(&self, who: &str) -> Result<Value, Refusal> {
        match serde_json::from_slice::<Value>(&self.body) {
            Ok(value @ Value::Object(_)) => Ok(value),
            _ => refused(format!("cannot decode {who} webhook payload: it is no JSON object")),
        }
    }
}

/// Whether the event is one that the Receiver takes.
pub fn takes_event(spec: &ReceiverSpec, who: &str, event: &str) -> Result<(), Refusal> {
    if spec.events.is_empty() || spec.events.iter().any(|taken| taken.eq_ignore_ascii_case(event)) {
        Ok(())
    } else {
        refused(format!("the {who} event '{event}' is not authorised"))
    }
}

/// Verifies a call by the Receiver's Secret, for the types that need nothing but that.
pub fn verify(spec: &ReceiverSpec, secret: &Data, hook: &Hook) -> Result<Accepted, Refusal> {
    let token = secret.get("token").map(Vec::as_slice).unwrap_or_default();
    match spec.kind {
        ReceiverType::Generic => Ok(Accepted::default()),
        ReceiverType::GenericHmac => generic::verify(token, hook),
        ReceiverType::Github => github::verify(spec, token, hook, "GitHub", "x-github-event"),
        ReceiverType::Bitbucket => github::verify(spec, token, hook, "Bitbucket server", "x-event-key"),
        ReceiverType::Gitlab => gitlab::verify(spec, token, hook),
        ReceiverType::Harbor => harbor::verify(token, hook),
        ReceiverType::DockerHub => registry::docker_hub(hook),
        ReceiverType::Quay => registry::quay(hook),
        ReceiverType::Acr => registry::acr(hook),
        ReceiverType::Nexus => nexus::verify(token, hook),
        ReceiverType::CdEvents => cdevents::verify(spec, hook),
        // These ask an issuer for its keys first.
        ReceiverType::GenericOidc | ReceiverType::Gcr => refused("this type is verified by its issuer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest;

    fn spec(kind: &str, events: &[&str]) -> ReceiverSpec {
        serde_json::from_value(serde_json::json!({ "type": kind, "events": events, "resources": [] }))
            .expect("a spec")
    }

    fn hook(headers: &[(&str, &str)], body: &str) -> Hook {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(
                http::HeaderName::from_bytes(name.as_bytes()).expect("a name"),
                http::HeaderValue::from_str(value).expect("a value"),
            );
        }
        Hook { headers: map, body: Bytes::from(body.to_owned()) }
    }

    fn believed(spec: &ReceiverSpec, headers: &[(&str, &str)], body: &str) -> bool {
        let secret = Data::from([("token".to_owned(), b"t".to_vec())]);
        verify(spec, &secret, &hook(headers, body)).is_ok()
    }

    fn hmac(algorithm: ring::hmac::Algorithm, body: &str) -> String {
        digest::hex(ring::hmac::sign(&ring::hmac::Key::new(algorithm, b"t"), body.as_bytes()).as_ref())
    }

    const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

    #[test]
    fn github_signs_the_body() {
        use ring::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256};
        let body = r#"{"ref":"x"}"#;
        let (sha256, sha1) = (
            format!("sha256={}", hmac(HMAC_SHA256, body)),
            format!("sha1={}", hmac(HMAC_SHA1_FOR_LEGACY_USE_ONLY, body)),
        );
        let any = spec("github", &[]);
        assert!(believed(&any, &[JSON, ("x-hub-signature-256", &sha256)], body));
        assert!(believed(&any, &[JSON, ("x-hub-signature", &sha1)], body));
        assert!(!believed(&any, &[JSON, ("x-hub-signature-256", &sha256)], "{}"));
        assert!(!believed(&any, &[JSON, ("x-hub-signature-256", &sha1.replace("sha1", "sha256"))], body));
        assert!(!believed(&any, &[JSON], body));
        assert!(!believed(&any, &[("content-type", "text/plain"), ("x-hub-signature-256", &sha256)], body));
        assert!(!believed(&any, &[("x-hub-signature-256", &sha256)], body));
        let push = spec("github", &["push"]);
        let event = |event| {
            believed(&push, &[JSON, ("x-hub-signature-256", &sha256), ("x-github-event", event)], body)
        };
        assert!(event("Push") && !event("ping"));
        let form = "payload=%7B%22ref%22%3A%22x%22%7D";
        let signature = format!("sha256={}", hmac(HMAC_SHA256, form));
        let secret = Data::from([("token".to_owned(), b"t".to_vec())]);
        let sent = hook(
            &[("content-type", "application/x-www-form-urlencoded"), ("x-hub-signature-256", &signature)],
            form,
        );
        let accepted = verify(&any, &secret, &sent).expect("believed");
        assert_eq!(accepted.payload.as_deref(), Some(body.as_bytes()));
        // A Receiver without a token would be open to everybody.
        let empty = Data::from([("token".to_owned(), Vec::new())]);
        assert!(verify(&any, &empty, &hook(&[JSON], body)).is_err());
    }

    #[test]
    fn generic_calls_are_signed_with_any_of_three_hashes() {
        let signed = spec("generic-hmac", &[]);
        let sha512 = format!("sha512={}", hmac(ring::hmac::HMAC_SHA512, "b"));
        assert!(believed(&signed, &[("x-signature", &sha512)], "b"));
        assert!(!believed(&signed, &[("x-signature", &sha512.replace("sha512", "md5"))], "b"));
        assert!(!believed(&signed, &[], "b"));
        assert!(!believed(&signed, &[("x-signature", "sha256=zz")], "b"));
        assert!(believed(&spec("generic", &[]), &[], ""));
    }

    #[test]
    fn tokens_in_headers_are_equal_or_not() {
        let gitlab = spec("gitlab", &["Push Hook"]);
        assert!(believed(&gitlab, &[("x-gitlab-token", "t"), ("x-gitlab-event", "push hook")], ""));
        assert!(!believed(&gitlab, &[("x-gitlab-token", "u"), ("x-gitlab-event", "Push Hook")], ""));
        assert!(!believed(&gitlab, &[("x-gitlab-token", "t"), ("x-gitlab-event", "Tag Push Hook")], ""));
        assert!(believed(&spec("harbor", &[]), &[("authorization", "t")], ""));
        assert!(!believed(&spec("harbor", &[]), &[("authorization", "Bearer t")], ""));
    }

    #[test]
    fn registries_send_objects() {
        for kind in ["dockerhub", "quay", "acr"] {
            assert!(believed(&spec(kind, &[]), &[], "{}"), "{kind}");
            for body in ["x", "[]", "", "5"] {
                assert!(!believed(&spec(kind, &[]), &[], body), "{kind} {body}");
            }
        }
        assert!(!believed(&spec("dockerhub", &[]), &[], r#"{"push_data":{"tag":5}}"#));
        assert!(!believed(&spec("quay", &[]), &[], r#"{"updated_tags":"x"}"#));
        let signature = hmac(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, "{}");
        assert!(believed(&spec("nexus", &[]), &[("x-nexus-webhook-signature", &signature)], "{}"));
        assert!(!believed(&spec("nexus", &[]), &[], "{}"));
    }

    #[test]
    fn cdevents_have_a_known_type() {
        let event = |type_: &str| {
            format!(
                r#"{{"context":{{"version":"0.4.1","id":"1","source":"s","type":"{type_}","timestamp":"2026-11-21T10:00:00Z"}},"subject":{{"id":"1","type":"{}","content":{{}}}}}}"#,
                if type_.contains("cdeventsx") { "tool-thing" } else { "change" }
            )
        };
        let any = spec("cdevents", &[]);
        assert!(believed(&any, &[], &event("dev.cdevents.change.merged.0.2.0")));
        assert!(believed(&any, &[], &event("dev.cdeventsx.tool-thing.done.0.1.0")));
        assert!(!believed(&any, &[], &event("dev.cdevents.change.eaten.0.2.0")));
        assert!(!believed(&any, &[], &event("dev.cdevents.change.merged.7.0.0")));
        assert!(!believed(&any, &[], &event("change")));
        assert!(!believed(&any, &[], "{}"));
        let one = spec("cdevents", &["cd.change.merged.v1"]);
        let merged = event("dev.cdevents.change.merged.0.2.0");
        assert!(believed(&one, &[("ce-type", "CD.change.merged.v1")], &merged));
        assert!(!believed(&one, &[("ce-type", "other")], &merged));
    }

    #[test]
    fn media_types_may_be_lists() {
        for (text, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("nonsense, application/json", true),
            ("text/plain, application/json", false),
            ("application/ld+json", false),
            ("", false),
        ] {
            assert_eq!(hook(&[("content-type", text)], "").is_json(), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_call_panics(body: Vec<u8>, text in "[ -~]{0,80}", index in 0_usize..11) {
            let kinds = ["generic", "generic-hmac", "github", "gitlab", "bitbucket", "harbor", "dockerhub", "quay", "nexus", "acr", "cdevents"];
            let mut call = hook(&[], "");
            for name in ["content-type", "x-signature", "x-hub-signature", "x-hub-signature-256", "x-nexus-webhook-signature"] {
                call.headers.insert(http::HeaderName::from_static(name), http::HeaderValue::from_str(&text).expect("a value"));
            }
            call.body = body.into();
            let secret = Data::from([("token".to_owned(), b"t".to_vec())]);
            let _ = verify(&spec(kinds[index], &["push"]), &secret, &call);
        }

        #[test]
        fn no_form_or_document_panics(body in ".{0,200}", form: bool) {
            let media_type = if form { "application/x-www-form-urlencoded" } else { "application/json" };
            let signature = format!("sha256={}", hmac(ring::hmac::HMAC_SHA256, &body));
            proptest::prop_assert!(believed(&spec("github", &[]), &[("content-type", media_type), ("x-hub-signature-256", &signature)], &body));
        }
    }
}

//! Bodies of any shape, to every type of Receiver, signed as they have to be so that they are read: none may panic, neither
//! in the verification nor in the filters. `cargo xtask fuzz -p notification-controller` runs these with many cases.

use api::notification::ReceiverSpec;
use base64::Engine as _;
use http::{HeaderMap, HeaderName, HeaderValue};
use net::auth::Data;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::hook::{Accepted, Hook, verify};
use super::{Filters, Found, gcr};
use crate::digest;

const KINDS: [&str; 11] = [
    "generic",
    "generic-hmac",
    "github",
    "gitlab",
    "bitbucket",
    "harbor",
    "dockerhub",
    "quay",
    "nexus",
    "acr",
    "cdevents",
];
/// Keys that some type looks for.
const KEYS: [&str; 26] = [
    "message",
    "data",
    "publishTime",
    "push_data",
    "tag",
    "repository",
    "repo_url",
    "docker_url",
    "updated_tags",
    "target",
    "action",
    "digest",
    "context",
    "subject",
    "content",
    "version",
    "id",
    "source",
    "type",
    "timestamp",
    "links",
    "linkType",
    "customData",
    "schemaUri",
    "ref",
    "x",
];
const WORDS: [&str; 12] = [
    "",
    "1",
    "main",
    "dev.cdevents.change.merged.0.2.0",
    "dev.cdeventsx.a-b.c.0.1.0",
    "change",
    "pkg:oci/a@1",
    "2026-11-21T10:00:00Z",
    "http://[::1",
    "%",
    "e30=",
    "\u{1F4A3}\u{0}\"\\",
];

/// A document with some of the keys, and some of the words.
fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(&WORDS[..]).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        let key = prop_oneof![prop::sample::select(&KEYS[..]).prop_map(str::to_owned), any::<String>()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..8)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// A body: a document, whole or cut, or anything.
fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => document().prop_map(|document| document.to_string().into_bytes()),
        1 => (document(), any::<prop::sample::Index>()).prop_map(|(document, end)| {
            let mut bytes = document.to_string().into_bytes();
            bytes.truncate(end.index(bytes.len() + 1));
            bytes
        }),
        1 => any::<Vec<u8>>(),
    ]
}

/// A call with everything that any type wants to see.
fn call(body: Vec<u8>, form: bool) -> Hook {
    let media_type = if form { "application/x-www-form-urlencoded" } else { "application/json" };
    let sha1 = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"t");
    let signature = format!("sha256={}", digest::hmac_sha256_hex(b"t", &body));
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("content-type", media_type),
        ("authorization", "t"),
        ("x-gitlab-token", "t"),
        ("x-signature", &signature),
        ("x-hub-signature-256", &signature),
        ("x-nexus-webhook-signature", &digest::hex(ring::hmac::sign(&sha1, &body).as_ref())),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"));
    }
    Hook { headers, body: body.into() }
}

fn spec(kind: &str, filter: &str) -> ReceiverSpec {
    serde_json::from_value(json!({
        "type": kind, "resourceFilter": filter,
        "resources": [{ "kind": "GitRepository", "name": "a", "filter": "has(req.x) && size(req.x) > 1" }],
    }))
    .expect("a spec")
}

proptest! {
    #[test]
    fn no_body_panics(body in body(), form: bool) {
        let secret = Data::from([("token".to_owned(), b"t".to_vec())]);
        let object = Found { json: json!({ "kind": "GitRepository", "metadata": { "name": "a" } }) };
        let call = call(body, form);
        for kind in KINDS {
            let spec = spec(kind, "req.tag.contains(res.metadata.name) || req.ref == 'refs/heads/main'");
            let Ok(accepted) = verify(&spec, &secret, &call) else { continue };
            if let Ok(filters) = Filters::of(&spec, &call, accepted) {
                let _ = filters.pass(0, &object);
            }
        }
    }

    #[test]
    fn no_envelope_panics(outer in document(), inner in body()) {
        let mut envelope = outer;
        if envelope.is_object() {
            let data = base64::engine::general_purpose::STANDARD.encode(inner);
            envelope["message"] = json!({ "data": data, "publishTime": "2026-11-21T10:00:00Z" });
        }
        let call = call(envelope.to_string().into_bytes(), false);
        let spec = spec("gcr", "req.tag.contains(res.metadata.name)");
        let object = Found { json: json!({ "kind": "ImageRepository", "metadata": { "name": "a" } }) };
        if let Ok(message) = gcr::message(&call) {
            let accepted = Accepted { payload: Some(message.to_string().into()), claims: None };
            if let Ok(filters) = Filters::of(&spec, &call, accepted) {
                let _ = filters.pass(0, &object);
            }
        }
    }
}

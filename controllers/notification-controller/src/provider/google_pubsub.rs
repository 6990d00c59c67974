//! Google Pub/Sub, through its REST interface.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use jiff::Timestamp;
use net::Secret;
use serde_json::{Value, json};

use super::azure::obtained;
use super::github::signed_jwt;
use super::settings::Settings;
use super::step::{Call, Error, Step, TokenCall, address, setup};
use crate::digest::sha256_hex;
use crate::event::{Event, encode};

const API: &str = "https://pubsub.googleapis.com/v1";
const SCOPE: &str = "https://www.googleapis.com/auth/pubsub";
/// The metadata service of clusters and virtual machines.
const METADATA: &str =
    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token";

/// One message in a topic.
pub fn plan(settings: &Settings, event: &Event, now: Timestamp) -> Result<Step, Error> {
    if settings.address.is_empty() {
        return setup("GCP project ID cannot be empty");
    }
    if settings.channel.is_empty() {
        return setup("GCP Pub/Sub topic ID cannot be empty");
    }
    let mut message = json!({ "data": STANDARD.encode(encode(&event.json())) });
    if let (false, Some(message)) = (settings.headers.is_empty(), message.as_object_mut()) {
        message.insert("attributes".to_owned(), json!(settings.headers));
    }
    let url = address(&format!("{API}/projects/{}/topics/{}:publish", settings.address, settings.channel))?;
    let call =
        Call::post(url, &json!({ "messages": [message] })).context("error publishing to GCP Pub/Sub topic: ");
    let (key, first) = match &settings.token {
        Some(credentials) => (
            format!("gcp\n{}", sha256_hex(credentials.expose())),
            with_key(
                &serde_json::from_slice(credentials.expose()).map_err(|_| {
                    Error::Setup(
                        "the key 'token' of the Secret has to be the JSON of Google credentials".to_owned(),
                    )
                })?,
                now,
            )?,
        ),
        None if settings.service_account.is_some() => {
            return setup(
                "object-level workload identity for GCP is not available here yet: use credentials in the Secret, or the identity of the pod",
            );
        }
        None => (
            "gcp\npod".to_owned(),
            Call::new(Method::GET, address(METADATA)?).header("metadata-flavor", "Google"),
        ),
    };
    let first = first.context("could not get a Google token: ");
    Ok(Step::Token(Box::new(TokenCall {
        key,
        first: Box::new(move || Ok(first.then(|reply| obtained(&reply.document()?)))),
        then: Box::new(move |token: &Secret| Ok(call.bearer(token)?.last())),
    })))
}

/// The exchange of a service account's key for a token.
fn with_key(credentials: &Value, now: Timestamp) -> Result<Call, Error> {
    let text = |key: &str| credentials.get(key).and_then(Value::as_str).unwrap_or_default();
    if text("type") != "service_account" {
        return setup(format!(
            "Google credentials of type '{}' are not supported, use service_account",
            text("type")
        ));
    }
    let url =
        if text("token_uri").is_empty() { "https://oauth2.googleapis.com/token" } else { text("token_uri") };
    let seconds = now.as_second();
    let claims = json!({
        "iss": text("client_email"), "scope": SCOPE, "aud": url, "iat": seconds, "exp": seconds + 3600,
    });
    let assertion =
        signed_jwt(text("private_key").as_bytes(), &claims, "private_key of the Google credentials")?;
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
        .append_pair("assertion", &assertion.expose_text())
        .finish();
    Ok(Call::new(Method::POST, address(url)?)
        .bytes(form.into_bytes())
        .header("content-type", "application/x-www-form-urlencoded"))
}

//! Google Container Registry: Pub/Sub pushes with a token of Google.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use net::auth::Data;
use serde_json::{Value, json};

use super::hook::{Accepted, Hook, Refusal, refused};
use super::issuer::Issuers;
use super::jwt::Token;

const ISSUERS: [&str; 2] = ["accounts.google.com", "https://accounts.google.com"];

/// Verifies the token, and takes the message out of its envelope.
pub async fn verify(
    secret: &Data,
    issuers: &Issuers,
    hook: &Hook,
    now: Timestamp,
) -> Result<Accepted, Refusal> {
    let required = |key: &str| {
        secret
            .get(key)
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Refusal(format!("invalid secret data: required field '{key}' for GCR receiver")))
    };
    let (email, audience) = (required("email")?, required("audience")?);
    let Some(text) = hook.header("authorization").strip_prefix("Bearer ") else {
        return refused("cannot authenticate GCR request: the Authorization header has no Bearer token");
    };
    let token = Token::parse(text.trim())?;
    if !ISSUERS.contains(&token.claim("iss")) {
        return refused("cannot authenticate GCR request: the token is not of Google");
    }
    issuers.verify_google(&token).await?;
    token.check_claims(now.as_second(), &audience)?;
    if token.claim("email") != email || token.claims.get("email_verified") != Some(&Value::Bool(true)) {
        return refused("cannot authenticate GCR request: the token is not of the expected service account");
    }
    Ok(Accepted { payload: Some(message(hook)?.to_string().into()), claims: None })
}

/// The message in the envelope of Pub/Sub, reduced to what filters may see.
pub fn message(hook: &Hook) -> Result<Value, Refusal> {
    let malformed = |what: &str| Refusal(format!("cannot decode GCR webhook payload: {what}"));
    let envelope = hook.object("GCR")?;
    if let Some(time) = envelope.pointer("/message/publishTime").filter(|time| !time.is_null()) {
        let is_time = time.as_str().is_some_and(|time| time.parse::<Timestamp>().is_ok());
        if !is_time {
            return Err(malformed("message.publishTime is no time"));
        }
    }
    let data = envelope.pointer("/message/data").and_then(Value::as_str).unwrap_or_default();
    let bytes = STANDARD.decode(data).map_err(|_| malformed("message.data is not base64"))?;
    let inner: Value = serde_json::from_slice(&bytes).map_err(|_| malformed("message.data is not JSON"))?;
    if !inner.is_object() {
        return Err(malformed("message.data is no object"));
    }
    let text = |key: &str| inner.get(key).and_then(Value::as_str).unwrap_or_default();
    Ok(json!({ "action": text("action"), "digest": text("digest"), "tag": text("tag") }))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::super::jwt::tests::{Issuer, served};
    use super::*;

    #[tokio::test]
    async fn tokens_of_google_are_believed_for_the_service_account() {
        let google = Issuer::new();
        let issuers = Issuers::new("test", net::AddressGuard::Off)
            .with_google_keys(&format!("{}/certs", served(|_| google.keys()).await));
        let secret = |pairs: &[(&str, &str)]| -> Data {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect()
        };
        let whole = secret(&[("token", "t"), ("email", "a@b"), ("audience", "me")]);
        let now = Timestamp::from_second(1000).expect("a time");
        let data = STANDARD.encode(r#"{"action":"INSERT","tag":"app:1","more":"x"}"#);
        let body = format!(r#"{{"message":{{"data":"{data}","publishTime":"2026-11-21T10:00:00Z"}}}}"#);
        let call = |claims: Value, body: &str| {
            let mut headers = HeaderMap::new();
            let value = format!("Bearer {}", google.sign("ES256", &claims));
            headers.insert("authorization", value.parse().expect("a value"));
            Hook { headers, body: body.to_owned().into() }
        };
        let good = json!({ "iss": "https://accounts.google.com", "aud": "me", "exp": 2000, "email": "a@b", "email_verified": true });
        let accepted = verify(&whole, &issuers, &call(good.clone(), &body), now).await.expect("believed");
        assert_eq!(
            accepted.payload.as_deref(),
            Some(br#"{"action":"INSERT","digest":"","tag":"app:1"}"#.as_slice())
        );
        for (key, value) in [
            ("iss", json!("https://evil")),
            ("aud", json!("you")),
            ("exp", json!(900)),
            ("email", json!("c@d")),
            ("email_verified", json!(false)),
        ] {
            let mut claims = good.clone();
            claims[key] = value;
            assert!(verify(&whole, &issuers, &call(claims, &body), now).await.is_err(), "{key}");
        }
        let partial = secret(&[("token", "t"), ("audience", "me")]);
        assert!(verify(&partial, &issuers, &call(good.clone(), &body), now).await.is_err());
        for body in
            ["{}", r#"{"message":{"data":"!"}}"#, r#"{"message":{"data":"","publishTime":"x"}}"#, "[]"]
        {
            assert!(verify(&whole, &issuers, &call(good.clone(), body), now).await.is_err(), "{body}");
        }
    }
}

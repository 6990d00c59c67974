//! Logging in to Google: credentials of the Secret, the identity of a ServiceAccount, or that of the pod.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use net::Secret;
use serde_json::{Value, json};

use super::azure::obtained;
use super::github::signed_jwt;
use super::settings::Settings;
use super::step::{Call, Error, Step, TokenCall, Use, address, failed, setup};
use crate::digest::sha256_hex;

/// The metadata service of clusters and virtual machines.
const METADATA: &str = "http://metadata.google.internal/computeMetadata/v1";
/// Exchanges tokens of clusters for tokens of Google.
const EXCHANGE: &str = "https://sts.googleapis.com/v1/token";
/// Lets one identity act as another.
const ACT_AS: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts";
/// What an identity of a ServiceAccount asks for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Annotations of ServiceAccounts.
const EMAIL: &str = "iam.gke.io/gcp-service-account";
const TRUST: &str = "gcp.auth.fluxcd.io/workload-identity-provider";
const CONTEXT: &str = "could not get a Google token: ";

/// Goes on with a token; one of a key in the Secret is good for `scope`.
pub fn login(settings: &Settings, scope: &str, now: Timestamp, use_: Use) -> Result<Step, Error> {
    let token = |key: String, first: Call, then: Use| {
        let first = first.context(CONTEXT);
        let first = Box::new(move || Ok(first.then(|reply| obtained(&reply.document()?))));
        Ok(Step::Token(Box::new(TokenCall { key, first, then })))
    };
    if let Some(credentials) = &settings.token {
        let document = serde_json::from_slice(credentials.expose()).map_err(|_| {
            Error::Setup("the key 'token' of the Secret has to be the JSON of Google credentials".to_owned())
        })?;
        let key = format!("gcp\n{}", sha256_hex(credentials.expose()));
        return token(key, with_key(&document, scope, now)?, use_);
    }
    let Some(account) = settings.account().map(str::to_owned) else {
        return token("gcp\npod".to_owned(), metadata("instance/service-accounts/default/token")?, use_);
    };
    let namespace = settings.namespace.clone();
    Ok(Step::Account(
        account.clone(),
        Box::new(move |annotations| {
            let email = annotation(annotations, EMAIL, is_email)?;
            match annotation(annotations, TRUST, is_trust)? {
                Some(provider) => {
                    let audience = format!("//iam.googleapis.com/{provider}");
                    Ok(federated(&namespace, account, audience.clone(), audience, email, use_))
                }
                // A cluster of Google's own knows itself.
                None => on_gke(move |project, location, cluster| {
                    let pool = format!("{project}.svc.id.goog");
                    let exchanged = format!(
                        "identitynamespace:{pool}:https://container.googleapis.com/v1/projects/{project}/locations/{location}/clusters/{cluster}"
                    );
                    Ok(federated(&namespace, account, pool, exchanged, email, use_))
                }),
            }
        }),
    ))
}

/// The exchange of a service account's key for a token.
fn with_key(credentials: &Value, scope: &str, now: Timestamp) -> Result<Call, Error> {
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
        "iss": text("client_email"), "scope": scope, "aud": url, "iat": seconds, "exp": seconds + 3600,
    });
    let assertion =
        signed_jwt(text("private_key").as_bytes(), &claims, "private_key of the Google credentials")?;
    Ok(Call::new(Method::POST, address(url)?).form(&[
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("assertion", &assertion.expose_text()),
    ]))
}

fn metadata(path: &str) -> Result<Call, Error> {
    Ok(Call::new(Method::GET, address(&format!("{METADATA}/{path}"))?)
        .header("metadata-flavor", "Google")
        .context("could not ask the metadata service: ")
        .own())
}

/// Asks the metadata service for project, location and name of the cluster.
fn on_gke(
    then: impl FnOnce(&str, &str, &str) -> Result<Step, Error> + Send + 'static,
) -> Result<Step, Error> {
    let (project, location, cluster) = (
        metadata("project/project-id")?,
        metadata("instance/attributes/cluster-location")?,
        metadata("instance/attributes/cluster-name")?,
    );
    Ok(project.then(move |reply| {
        let project = reply.text()?;
        Ok(location.then(move |reply| {
            let location = reply.text()?;
            Ok(cluster.then(move |reply| then(&project, &location, &reply.text()?)))
        }))
    }))
}

/// A token of the ServiceAccount, exchanged, and exchanged again where it acts as a service account of Google.
fn federated(
    namespace: &str,
    account: String,
    audience: String,
    exchanged: String,
    email: Option<String>,
    use_: Use,
) -> Step {
    let acting = email.clone().unwrap_or_default();
    let key = format!("gcp\n{namespace}\n{account}\n{exchanged}\n{acting}");
    let exchange: Use = Box::new(move |token: &Secret| {
        let call = Call::new(Method::POST, address(EXCHANGE)?)
            .form(&[
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("audience", &exchanged),
                ("scope", SCOPE),
                ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
                ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
                ("subject_token", &token.expose_text()),
            ])
            .context(CONTEXT)
            .own();
        Ok(call.then(move |reply| {
            let step = obtained(&reply.document()?)?;
            match (email, step) {
                (Some(email), Step::Obtained(token, _)) => act_as(&email, &token),
                (_, step) => Ok(step),
            }
        }))
    });
    let first = Box::new(move || Ok(Step::AccountToken(account, audience, exchange)));
    Step::Token(Box::new(TokenCall { key, first, then: use_ }))
}

fn act_as(email: &str, token: &Secret) -> Result<Step, Error> {
    let url = address(&format!("{ACT_AS}/{email}:generateAccessToken"))?;
    let call = Call::post(url, &json!({ "scope": [SCOPE] })).bearer(token)?;
    let call = call.context("could not act as the service account of Google: ").own();
    Ok(call.then(|reply| {
        let answer = reply.document()?;
        match answer.get("accessToken").and_then(Value::as_str) {
            // It lives for an hour; when exactly it ends is written as a date, which the cache needs less precisely.
            Some(token) => Ok(Step::Obtained(Secret::new(token), Duration::from_secs(3600))),
            None => failed("the reply has no accessToken"),
        }
    }))
}

/// An annotation, if there is one, which has to have a certain form: it becomes part of an address.
fn annotation(
    annotations: &BTreeMap<String, String>,
    key: &str,
    fits: fn(&str) -> bool,
) -> Result<Option<String>, Error> {
    match annotations.get(key).filter(|value| !value.is_empty()) {
        Some(value) if fits(value) => Ok(Some(value.clone())),
        Some(value) => failed(format!("invalid {key} annotation: '{value}'")),
        None => Ok(None),
    }
}

fn is_email(text: &str) -> bool {
    let is_label = |text: &str| {
        (1..=100).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.strip_suffix(".iam.gserviceaccount.com")
        .and_then(|text| text.split_once('@'))
        .is_some_and(|(name, project)| is_label(name) && is_label(project))
}

fn is_trust(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let ["projects", number, "locations", "global", "workloadIdentityPools", pool, "providers", provider] =
        parts.as_slice()
    else {
        return false;
    };
    (1..=30).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && [pool, provider].iter().all(|name| (1..=100).contains(&name.len()))
}

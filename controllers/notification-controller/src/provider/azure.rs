//! Logging in to Azure: a token of the Secret, or the managed identity of the pod.

use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use net::Secret;
use serde_json::Value;
use url::Url;

use super::settings::Settings;
use super::step::{Call, Error, Step, TokenCall, Use, address, failed, setup};

/// The metadata service of virtual machines.
const METADATA: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

/// How requests are authorised.
pub enum Login {
    /// With what the Secret says.
    Token(Secret),
    /// With a token that these steps obtain.
    Identity(Box<TokenCallParts>),
}

/// The steps to a token.
pub struct TokenCallParts {
    key: String,
    first: Call,
}

/// The login of a provider.
pub fn login(settings: &Settings, scope: &str, _now: Timestamp) -> Result<Login, Error> {
    if let Some(token) = &settings.token {
        return Ok(Login::Token(token.clone()));
    }
    if settings.service_account.is_some() {
        return setup(
            "object-level workload identity for Azure is not available here yet: use a token in the Secret, or the identity of the pod",
        );
    }
    pod_identity(scope).map(|parts| Login::Identity(Box::new(parts)))
}

/// Workload identity through the environment that Azure's webhook sets up, else the metadata service.
fn pod_identity(scope: &str) -> Result<TokenCallParts, Error> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let federated =
        (variable("AZURE_CLIENT_ID"), variable("AZURE_TENANT_ID"), variable("AZURE_FEDERATED_TOKEN_FILE"));
    let first = match federated {
        (Some(client), Some(tenant), Some(file)) => {
            let authority = variable("AZURE_AUTHORITY_HOST")
                .unwrap_or_else(|| "https://login.microsoftonline.com/".to_owned());
            let assertion = std::fs::read_to_string(&file)
                .map_err(|error| Error::Setup(format!("cannot read the token file {file}: {error}")))?;
            let form = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("client_id", &client)
                .append_pair("scope", scope)
                .append_pair("grant_type", "client_credentials")
                .append_pair(
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                )
                .append_pair("client_assertion", assertion.trim())
                .finish();
            let url = address(&format!("{}/{tenant}/oauth2/v2.0/token", authority.trim_end_matches('/')))?;
            Call::new(Method::POST, url)
                .bytes(form.into_bytes())
                .header("content-type", "application/x-www-form-urlencoded")
        }
        _ => {
            let resource = scope.trim_end_matches("/.default");
            let mut url: Url = address(METADATA)?;
            url.query_pairs_mut().append_pair("api-version", "2018-02-01").append_pair("resource", resource);
            Call::new(Method::GET, url).header("metadata", "true")
        }
    };
    Ok(TokenCallParts {
        key: format!("azure\n{scope}"),
        first: first.context("could not get an Azure token: "),
    })
}

impl Login {
    /// Goes on with the token.
    pub fn then(self, use_: Use) -> Result<Step, Error> {
        match self {
            Self::Token(token) => use_(&token),
            Self::Identity(parts) => {
                let TokenCallParts { key, first } = *parts;
                let first = Box::new(move || Ok(first.then(|reply| obtained(&reply.document()?))));
                Ok(Step::Token(Box::new(TokenCall { key, first, then: use_ })))
            }
        }
    }
}

/// The token of an OAuth reply. Azure writes the life as a number or as text.
pub fn obtained(answer: &Value) -> Result<Step, Error> {
    let life =
        answer.get("expires_in").and_then(|life| life.as_u64().or_else(|| life.as_str()?.parse().ok()));
    match answer.get("access_token").and_then(Value::as_str) {
        Some(token) => Ok(Step::Obtained(Secret::new(token), Duration::from_secs(life.unwrap_or(300)))),
        None => failed("the reply has no access_token"),
    }
}

//! Logging in to Azure: a token of the Secret, the identity of a ServiceAccount, or that of the pod.

use std::time::Duration;

use http::Method;
use net::Secret;
use serde_json::Value;

use super::git_address::segment;
use super::settings::Settings;
use super::step::{Call, Error, Step, TokenCall, Use, address, failed};

/// The metadata service of virtual machines.
const METADATA: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
/// Whom tokens of ServiceAccounts are for.
const AUDIENCE: &str = "api://AzureADTokenExchange";
/// Annotations of ServiceAccounts.
const CLIENT: &str = "azure.workload.identity/client-id";
const TENANT: &str = "azure.workload.identity/tenant-id";
const CONTEXT: &str = "could not get an Azure token: ";

/// Goes on with a token that is good for `scope`.
pub fn login(settings: &Settings, scope: &'static str, use_: Use) -> Result<Step, Error> {
    if let Some(token) = &settings.token {
        return use_(token);
    }
    let Some(account) = settings.account().map(str::to_owned) else {
        let first = pod_identity(scope)?;
        return Ok(Step::Token(Box::new(TokenCall {
            key: format!("azure\n{scope}"),
            first: Box::new(move || Ok(first.then(|reply| obtained(&reply.document()?)))),
            then: use_,
        })));
    };
    let owner = settings.owner();
    Ok(Step::Account(
        account.clone(),
        Box::new(move |annotations| {
            let named = |key: &str| match annotations.get(key).filter(|value| !value.is_empty()) {
                Some(value) => Ok(value.clone()),
                None => failed(format!("service account '{account}' has no annotation {key}")),
            };
            let (client, tenant) = (named(CLIENT)?, named(TENANT)?);
            let key = format!("azure\n{scope}\n{}\n{account}\n{tenant}\n{client}", owner.namespace());
            let exchange: Use = Box::new(move |assertion: &Secret| {
                let call = exchange(&tenant, &client, scope, &assertion.expose_text())?;
                Ok(call.then(|reply| obtained(&reply.document()?)))
            });
            let first = Box::new(move || Ok(Step::AccountToken(account, AUDIENCE.to_owned(), exchange)));
            Ok(Step::Token(Box::new(TokenCall { key, first, then: use_ })))
        }),
    ))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Workload identity through the environment that Azure's webhook sets up, else the metadata service.
fn pod_identity(scope: &str) -> Result<Call, Error> {
    let federated =
        (variable("AZURE_CLIENT_ID"), variable("AZURE_TENANT_ID"), variable("AZURE_FEDERATED_TOKEN_FILE"));
    if let (Some(client), Some(tenant), Some(file)) = federated {
        let assertion = std::fs::read_to_string(&file)
            .map_err(|error| Error::Setup(format!("cannot read the token file {file}: {error}")))?;
        return exchange(&tenant, &client, scope, assertion.trim());
    }
    let resource = scope.trim_end_matches("/.default");
    let mut url = address(METADATA)?;
    url.query_pairs_mut().append_pair("api-version", "2018-02-01").append_pair("resource", resource);
    Ok(Call::new(Method::GET, url).header("metadata", "true").context(CONTEXT).own())
}

/// The exchange of a token that a cluster has signed for one of Azure.
fn exchange(tenant: &str, client: &str, scope: &str, assertion: &str) -> Result<Call, Error> {
    let authority =
        variable("AZURE_AUTHORITY_HOST").unwrap_or_else(|| "https://login.microsoftonline.com/".to_owned());
    let url = address(&format!("{}/{}/oauth2/v2.0/token", authority.trim_end_matches('/'), segment(tenant)))?;
    let call = Call::new(Method::POST, url).form(&[
        ("client_id", client),
        ("scope", scope),
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ]);
    Ok(call.context(CONTEXT).own())
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

//! ServiceAccounts beside a Provider, as identities in a cloud that trusts the cluster.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Client;
use net::Secret;
use runtime::Key;
use runtime::client::{get, object_path, send};
use serde_json::{Value, json};

use super::step::{Error, failed};

/// Reads ServiceAccounts and asks for their tokens.
#[derive(Clone)]
pub struct Accounts {
    client: Option<Client>,
}

impl Accounts {
    /// Those of a cluster; without one there are none.
    pub fn of(client: Option<Client>) -> Self {
        Self { client }
    }

    fn client(&self) -> Result<&Client, Error> {
        self.client.as_ref().ok_or_else(|| Error::Delivery("there is no cluster to ask".to_owned()))
    }

    /// The annotations of a ServiceAccount.
    pub async fn annotations(&self, namespace: &str, name: &str) -> Result<BTreeMap<String, String>, Error> {
        let problem = |why: String| {
            Error::Delivery(format!("failed to get service account '{namespace}/{name}': {why}"))
        };
        let path = object_path::<ServiceAccount>(&Key::new(namespace, name));
        let found: Option<ServiceAccount> =
            get(self.client()?, &path).await.map_err(|error| problem(error.to_string()))?;
        let account = found.ok_or_else(|| problem("it does not exist".to_owned()))?;
        Ok(account.metadata.annotations.unwrap_or_default())
    }

    /// A token of a ServiceAccount for an audience.
    pub async fn token(&self, namespace: &str, name: &str, audience: &str) -> Result<Secret, Error> {
        let path = format!("{}/token", object_path::<ServiceAccount>(&Key::new(namespace, name)));
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": { "audiences": [audience] },
        });
        let body = request.to_string().into_bytes();
        let answer =
            send(self.client()?, "create", http::Method::POST, &path, Some("application/json"), body).await;
        let answer = answer.map_err(|error| {
            Error::Delivery(format!(
                "failed to create kubernetes token for service account '{namespace}/{name}': {error}"
            ))
        })?;
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        match answer.pointer("/status/token").and_then(Value::as_str) {
            Some(token) => Ok(Secret::new(token)),
            None => failed(format!("the API server gave no token for service account '{namespace}/{name}'")),
        }
    }
}

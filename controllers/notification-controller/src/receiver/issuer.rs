//! Issuers of tokens: where their keys are, and the keys, for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderMap;
use net::{AddressGuard, Retry};
use serde_json::Value;
use url::Url;

use super::hook::{Refusal, refused};
use super::jwt::{Keys, Token};

/// How long keys are used without asking again.
const FRESH: Duration = Duration::from_secs(300);
/// How soon an unknown key may make us ask again.
const AGAIN: Duration = Duration::from_secs(10);
/// Longest document.
const LONGEST: u64 = 1024 * 1024;
/// Longest time for one.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Google's keys.
const GOOGLE_KEYS: &str = "https://www.googleapis.com/oauth2/v3/certs";
/// Where an issuer says what it does.
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Issuers, and their keys. Clones share them.
#[derive(Clone)]
pub struct Issuers {
    clients: net::Clients,
    guard: AddressGuard,
    known: Arc<Mutex<HashMap<String, Known>>>,
    google_keys: String,
}

#[derive(Clone)]
struct Known {
    at: Instant,
    keys: Arc<Keys>,
    algorithms: Arc<Vec<String>>,
}

impl Issuers {
    /// Nobody is known. The addresses of issuers come from Receivers, so that those of their documents are guarded.
    pub fn new(user_agent: &str, guard: AddressGuard) -> Self {
        Self {
            clients: net::Clients::new(user_agent),
            guard,
            known: Arc::default(),
            google_keys: GOOGLE_KEYS.to_owned(),
        }
    }

    /// With other keys for Google.
    #[cfg(test)]
    pub fn with_google_keys(mut self, url: &str) -> Self {
        url.clone_into(&mut self.google_keys);
        self
    }

    /// Whether an issuer has signed a token.
    pub async fn verify(&self, issuer: &str, token: &Token<'_>) -> Result<(), Refusal> {
        self.verify_with(issuer, token, self.discover(issuer)).await
    }

    /// Whether Google has signed a token.
    pub async fn verify_google(&self, token: &Token<'_>) -> Result<(), Refusal> {
        let fetch = async {
            let keys = self.document(&self.google_keys).await?;
            Ok((Keys::parse(&keys), vec!["RS256".to_owned(), "ES256".to_owned()]))
        };
        self.verify_with(&self.google_keys, token, fetch).await
    }

    async fn verify_with(
        &self,
        name: &str,
        token: &Token<'_>,
        fetch: impl Future<Output = Result<(Keys, Vec<String>), Refusal>>,
    ) -> Result<(), Refusal> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(known) = known.filter(|known| known.at.elapsed() < FRESH) {
            match token.verify(&known.keys, &known.algorithms) {
                // The issuer may have a new key.
                Err(_) if known.at.elapsed() >= AGAIN => {}
                verdict => return verdict,
            }
        }
        let (keys, algorithms) = fetch.await?;
        let known = Known { at: Instant::now(), keys: Arc::new(keys), algorithms: Arc::new(algorithms) };
        let verdict = token.verify(&known.keys, &known.algorithms);
        let mut held = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, known| known.at.elapsed() < FRESH);
        held.insert(name.to_owned(), known);
        verdict
    }

    async fn discover(&self, issuer: &str) -> Result<(Keys, Vec<String>), Refusal> {
        let discovery = self.document(&format!("{}{DISCOVERY}", issuer.trim_end_matches('/'))).await?;
        let text = |name: &str| discovery.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("issuer") != issuer {
            return refused(format!("the issuer at {issuer} says that it is another one"));
        }
        let announced: Vec<String> = discovery
            .get("id_token_signing_alg_values_supported")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .filter(|name| !name.starts_with("HS") && name != "none")
            .collect();
        let algorithms = if announced.is_empty() { vec!["RS256".to_owned()] } else { announced };
        let keys = self.document(text("jwks_uri")).await?;
        Ok((Keys::parse(&keys), algorithms))
    }

    async fn document(&self, url: &str) -> Result<Value, Refusal> {
        let fail = |why: String| Refusal(format!("cannot read the keys of the issuer: {why}"));
        let url = Url::parse(url).map_err(|error| fail(error.to_string()))?;
        let settings = net::Settings { guard: self.guard, ..net::Settings::default() };
        let bytes = self
            .clients
            .get_bytes(&settings, &url, &HeaderMap::new(), LONGEST, TIMEOUT, Retry::NONE)
            .await
            .map_err(|error| fail(error.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|_| fail(format!("{url} is no JSON")))
    }
}

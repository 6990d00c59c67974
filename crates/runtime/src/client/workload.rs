//! Clusters that a ConfigMap describes and that trust this one's tokens: provider `generic`. A token is asked for when it
//! is needed, and again before it runs out, so that a request of a long wait has one, too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures::future::BoxFuture;
use http::{HeaderValue, Request};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Config;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::{BoxError, Layer, Service};

use super::Allow;
use crate::{Error, Key};

/// Where a Pod finds the token of its own account.
const OWN_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// A cluster, and the account whose tokens it trusts.
pub(super) struct Cluster {
    address: String,
    ca: String,
    audiences: Vec<String>,
    /// In the namespace of the object; `None` for the controller's own.
    account: Option<Key>,
}

impl Cluster {
    /// Reads the description of a ConfigMap in a namespace.
    ///
    /// # Errors
    /// What it lacks, in Flux's words where it has some.
    pub fn described(
        data: &BTreeMap<String, String>,
        namespace: &str,
        allow: &Allow,
    ) -> Result<Self, String> {
        let text = |key: &str| data.get(key).map(String::as_str).unwrap_or_default();
        match text("provider") {
            "generic" => {}
            provider @ ("aws" | "azure" | "gcp") => {
                return Err(format!(
                    "provider '{provider}' is not supported for spec.kubeConfig.configMapRef: use provider 'generic', or \
                     spec.kubeConfig.secretRef"
                ));
            }
            provider => return Err(format!("provider '{provider}' not implemented")),
        }
        let account = Some(text("serviceAccountName")).filter(|name| !name.is_empty());
        let account = account.or(Some(allow.default_account.as_str()).filter(|name| !name.is_empty()));
        if account.is_some() && !allow.object_level_identity {
            return Err("failed to get access token for cluster: ObjectLevelWorkloadIdentity feature gate is not enabled".to_owned());
        }
        let given = text("audiences").lines().map(str::trim).filter(|line| !line.is_empty());
        let mut audiences: Vec<String> = given.map(str::to_owned).collect();
        if audiences.is_empty() {
            audiences.push(text("address").to_owned());
        }
        Ok(Cluster {
            address: canonical(text("address"))?,
            ca: text("ca.crt").to_owned(),
            audiences,
            account: account.map(|name| Key::new(namespace, name)),
        })
    }

    /// Whose tokens, for cache keys.
    pub fn account(&self) -> String {
        self.account.as_ref().map(Key::to_string).unwrap_or_default()
    }

    /// How it is reached; the token is not part of that.
    pub async fn config(&self) -> Result<Config, Error> {
        let ca = (!self.ca.is_empty()).then(|| STANDARD.encode(&self.ca));
        let cluster = json!({"server": self.address, "certificate-authority-data": ca});
        let kubeconfig = json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": cluster}], "users": [{"name": "c", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}]});
        let problem =
            |error: String| Error::Kubeconfig(format!("the cluster that the ConfigMap describes: {error}"));
        let kubeconfig: Kubeconfig =
            serde_json::from_value(kubeconfig).map_err(|error| problem(error.to_string()))?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        config.map_err(|error| problem(error.to_string()))
    }
}

/// `https://<host in lower case>:<port>`
fn canonical(address: &str) -> Result<String, String> {
    if address.is_empty() {
        return Err("cluster address is required to create a REST config".to_owned());
    }
    let whole = if address.starts_with("http") { address.to_owned() } else { format!("https://{address}") };
    let uri: http::Uri =
        whole.parse().map_err(|error| format!("failed to parse cluster address {address}: {error}"))?;
    if uri.scheme_str() != Some("https") {
        return Err(format!(
            "failed to parse cluster address {address}: the Kubernetes API server address '{whole}' must use https scheme"
        ));
    }
    let host = uri.host().unwrap_or_default().to_lowercase();
    Ok(format!("https://{host}:{}", uri.port_u16().unwrap_or(443)))
}

/// Tokens of one account for some audiences.
#[derive(Clone)]
pub(super) struct Tokens(Arc<Inner>);

struct Inner {
    client: kube::Client,
    account: Key,
    audiences: Vec<String>,
    held: tokio::sync::Mutex<Option<(HeaderValue, Instant)>>,
}

impl Tokens {
    /// Those that a cluster trusts, asked for with a client of this cluster.
    ///
    /// # Errors
    /// When the controller's own account is meant, and this is no Pod.
    pub async fn of(client: kube::Client, cluster: &Cluster) -> Result<Self, String> {
        let account = match &cluster.account {
            Some(account) => account.clone(),
            None => own_account().await?,
        };
        let audiences = cluster.audiences.clone();
        Ok(Tokens(Arc::new(Inner { client, account, audiences, held: tokio::sync::Mutex::default() })))
    }

    /// The header of a request.
    ///
    /// # Errors
    /// When there is no token to be had.
    pub async fn header(&self) -> Result<HeaderValue, String> {
        let mut held = self.0.held.lock().await;
        if let Some((header, until)) = &*held
            && Instant::now() < *until
        {
            return Ok(header.clone());
        }
        let (token, lifetime) = self.request().await?;
        let mut header = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| "the API server gave a token that is none".to_owned())?;
        header.set_sensitive(true);
        // A fifth is left for the request that takes it.
        *held = Some((header.clone(), Instant::now() + lifetime * 4 / 5));
        Ok(header)
    }

    async fn request(&self) -> Result<(String, Duration), String> {
        let account = &self.0.account;
        let path = format!("{}/token", super::object_path::<ServiceAccount>(account));
        let problem = |error: String| {
            format!(
                "failed to get access token for cluster: failed to create kubernetes token for service account '{account}': {error}"
            )
        };
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": self.0.audiences}});
        let body = body.to_string().into_bytes();
        let json = Some("application/json");
        let sent = super::send(&self.0.client, "create", http::Method::POST, &path, json, body).await;
        let answer: Value = sent.map_err(|error| problem(error.to_string())).and_then(|text| {
            serde_json::from_str(&text).map_err(|_| problem("the answer cannot be read".to_owned()))
        })?;
        let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str);
        let token = text("/status/token").ok_or_else(|| problem("the answer has no token".to_owned()))?;
        let until = text("/status/expirationTimestamp").and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let left = until.map(|until| until.as_second().saturating_sub(jiff::Timestamp::now().as_second()));
        let left = u64::try_from(left.unwrap_or(600)).unwrap_or(0);
        Ok((token.to_owned(), Duration::from_secs(left)))
    }
}

/// The account of the Pod that this runs in.
async fn own_account() -> Result<Key, String> {
    let text = tokio::fs::read_to_string(OWN_TOKEN).await.map_err(|error| {
        format!(
            "failed to get access token for cluster: failed to create provider access token for the controller: failed to \
             read service account token file {OWN_TOKEN}: {error}"
        )
    })?;
    subject(&text).ok_or_else(|| format!("the token in {OWN_TOKEN} is not one of a ServiceAccount"))
}

/// Namespace and name of the account that a token is of.
fn subject(token: &str) -> Option<Key> {
    let claims = URL_SAFE_NO_PAD.decode(token.trim().split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let (namespace, name) =
        claims.get("sub")?.as_str()?.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    Some(Key::new(namespace, name))
}

impl<S> Layer<S> for Tokens {
    type Service = WithToken<S>;

    fn layer(&self, inner: S) -> WithToken<S> {
        WithToken { inner, tokens: self.clone() }
    }
}

/// A service whose requests carry a token.
#[derive(Clone)]
pub(super) struct WithToken<S> {
    inner: S,
    tokens: Tokens,
}

impl<S> Service<Request<Body>> for WithToken<S>
where
    S: Service<Request<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let tokens = self.tokens.clone();
        // The one that is ready goes with the request.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let header = tokens.header().await.map_err(BoxError::from)?;
            request.headers_mut().insert(http::header::AUTHORIZATION, header);
            inner.call(request).await.map_err(Into::into)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(pairs: &[(&str, &str)], allow: &Allow) -> Result<Cluster, String> {
        let data = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Cluster::described(&data, "ns", allow)
    }

    #[test]
    fn a_cluster_by_its_description() {
        let allow =
            Allow { object_level_identity: true, default_account: "lockdown".into(), ..Allow::default() };
        let cluster = described(&[("provider", "generic"), ("address", "Example.test")], &allow).unwrap();
        assert_eq!(cluster.address, "https://example.test:443");
        assert_eq!(
            (cluster.audiences, cluster.account),
            (vec!["Example.test".to_owned()], Some(Key::new("ns", "lockdown")))
        );
        let more = [
            ("provider", "generic"),
            ("address", "https://a:6443/x"),
            ("audiences", " one \n\n two\n"),
            ("serviceAccountName", "sa"),
        ];
        let cluster = described(&more, &allow).unwrap();
        assert_eq!(cluster.address, "https://a:6443");
        assert_eq!(
            (cluster.audiences, cluster.account),
            (vec!["one".to_owned(), "two".to_owned()], Some(Key::new("ns", "sa")))
        );
        let error = |pairs: &[(&str, &str)], allow: &Allow| described(pairs, allow).err().unwrap();
        assert!(
            error(&more, &Allow::default())
                .ends_with("ObjectLevelWorkloadIdentity feature gate is not enabled")
        );
        assert_eq!(error(&[], &allow), "provider '' not implemented");
        assert!(error(&[("provider", "aws")], &allow).contains("use provider 'generic'"));
        assert!(
            error(&[("provider", "generic"), ("address", "http://a")], &allow)
                .contains("must use https scheme")
        );
        assert!(error(&[("provider", "generic")], &allow).contains("address is required"));
    }

    #[test]
    fn the_account_of_a_token() {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"system:serviceaccount:flux-system:helm-controller"}"#);
        assert_eq!(subject(&format!("e30.{claims}.x\n")), Some(Key::new("flux-system", "helm-controller")));
        assert_eq!(subject("nothing"), None);
    }
}

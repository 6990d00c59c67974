//! Clients of the API server, and the few requests that controllers make by hand.
//!
//! A client never retries by itself (the queue does), reports each request to the metrics, and is throttled only when the
//! API server does not protect itself by priority and fairness.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use kube::client::ConfigExt as _;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, Resource};
use serde::de::DeserializeOwned;
use tower::ServiceBuilder;

use crate::metrics::Metrics;
use crate::{Error, Options};

mod identity;
mod kubeconfig;
mod lean;
mod service;
mod throttle;
mod workload;

pub use identity::{Identity, IdentityError};
pub(crate) use lean::without_managed_fields;

pub use kubeconfig::{Allow, KubeconfigSource};
pub use service::is_watch;
pub use throttle::Throttle;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the API server may take to begin its answer to anything but a watch.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Makes clients: the controller's own, clients that act as a ServiceAccount, and clients of other clusters.
#[derive(Clone)]
pub struct Clients {
    config: Arc<Config>,
    client: Client,
    metrics: Metrics,
    throttle: Throttle,
    user_agent: String,
}

impl Clients {
    /// Finds the cluster (kubeconfig, else in-cluster configuration), and asks the API server whether it protects itself.
    ///
    /// # Errors
    /// When there is no usable configuration. An unreachable API server is not an error here.
    pub async fn connect(name: &str, options: &Options, metrics: &Metrics) -> Result<Self, Error> {
        // Fails only when a provider is installed already, which is then the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = Config::infer().await.map_err(|error| Error::ClientConfig(error.to_string()))?;
        Self::from_config(name, config, options, metrics).await
    }

    /// As [`Clients::connect`], with a kubeconfig and one of its contexts, where they are given: for commands that people run.
    ///
    /// # Errors
    /// When there is no usable configuration.
    pub async fn connect_to(
        name: &str,
        kubeconfig: Option<&std::path::Path>,
        context: Option<&str>,
        options: &Options,
        metrics: &Metrics,
    ) -> Result<Self, Error> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let chosen =
            KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
        let config = match (kubeconfig, context) {
            (None, None) => return Self::connect(name, options, metrics).await,
            (None, Some(_)) => Config::from_kubeconfig(&chosen).await,
            (Some(file), _) => match Kubeconfig::read_from(file) {
                Ok(read) => Config::from_custom_kubeconfig(read, &chosen).await,
                Err(error) => Err(error),
            },
        };
        let config = config.map_err(|error| Error::ClientConfig(error.to_string()))?;
        Self::from_config(name, config, options, metrics).await
    }

    /// As [`Clients::connect`], with a configuration that is known.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub async fn from_config(
        name: &str,
        config: Config,
        options: &Options,
        metrics: &Metrics,
    ) -> Result<Self, Error> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        if config.auth_info.exec.is_some() {
            return Err(Error::ClientConfig(
                "the user of the kubeconfig runs a command (exec); use a token or a client certificate"
                    .to_owned(),
            ));
        }
        let user_agent = format!("{name}/{}", env!("CARGO_PKG_VERSION"));
        let throttle = Throttle::off();
        let client = service_client(&config, &user_agent, metrics, &throttle, None)?;
        let probe = Request::head("/livez/ping").body(kube::client::Body::empty());
        let protected = match probe {
            Ok(request) => client
                .send(request)
                .await
                .is_ok_and(|answer| answer.headers().contains_key("x-kubernetes-pf-flowschema-uid")),
            Err(_) => false,
        };
        if !protected {
            throttle.limit(options.kube_api_qps, options.kube_api_burst);
        }
        Ok(Self { config: Arc::new(config), client, metrics: metrics.clone(), throttle, user_agent })
    }

    /// The controller's own client.
    #[must_use]
    pub fn own(&self) -> &Client {
        &self.client
    }

    /// The address of the cluster, for messages and cache keys.
    #[must_use]
    pub fn host(&self) -> String {
        self.config.cluster_url.to_string()
    }

    /// A client that acts as a ServiceAccount of this cluster: user `system:serviceaccount:<namespace>:<name>`.
    ///
    /// # Errors
    /// When the client cannot be built.
    pub fn impersonate(&self, namespace: &str, service_account: &str) -> Result<Client, Error> {
        self.derived((*self.config).clone(), Some((namespace, service_account)))
    }

    /// A client of another cluster, from a kubeconfig in a Secret. Only inline data is used: see [`KubeconfigSource`].
    ///
    /// # Errors
    /// When the kubeconfig is malformed or names no cluster.
    pub async fn remote(
        &self,
        source: &KubeconfigSource,
        impersonate: Option<(&str, &str)>,
    ) -> Result<Client, Error> {
        self.derived(source.config().await?, impersonate)
    }

    fn derived(&self, mut config: Config, impersonate: Option<(&str, &str)>) -> Result<Client, Error> {
        if let Some((namespace, name)) = impersonate {
            config.auth_info.impersonate = Some(format!("system:serviceaccount:{namespace}:{name}"));
        }
        service_client(&config, &self.user_agent, &self.metrics, &self.throttle, None)
    }

    /// A client whose requests carry tokens that are asked for on the way.
    fn with_tokens(
        &self,
        mut config: Config,
        impersonate: Option<(&str, &str)>,
        tokens: workload::Tokens,
    ) -> Result<Client, Error> {
        if let Some((namespace, name)) = impersonate {
            config.auth_info.impersonate = Some(format!("system:serviceaccount:{namespace}:{name}"));
        }
        service_client(&config, &self.user_agent, &self.metrics, &self.throttle, Some(tokens))
    }
}

fn service_client(
    config: &Config,
    user_agent: &str,
    metrics: &Metrics,
    throttle: &Throttle,
    tokens: Option<workload::Tokens>,
) -> Result<Client, Error> {
    let problem = |error: kube::Error| Error::ClientConfig(error.to_string());
    let mut config = config.clone();
    let value =
        http::HeaderValue::from_str(user_agent).map_err(|error| Error::ClientConfig(error.to_string()))?;
    config.headers.retain(|(name, _)| name != http::header::USER_AGENT);
    config.headers.push((http::header::USER_AGENT, value));

    let mut connector = hyper_util::client::legacy::connect::HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    // A watch on a dead connection would otherwise wait for ever.
    connector.set_keepalive(Some(Duration::from_secs(30)));
    connector.set_keepalive_interval(Some(Duration::from_secs(10)));
    connector.set_keepalive_retries(Some(3));

    let host = config.cluster_url.authority().map_or_else(String::new, ToString::to_string);
    let measured = service::MeasuredLayer::new(metrics.requests.clone(), throttle.clone(), host);
    let builder = |connector| {
        hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(90))
            .build(connector)
    };
    if config.proxy_url.is_some() {
        // kube knows the proxy protocols; the price is its tracing layer.
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = None;
        let builder = kube::client::ClientBuilder::try_from(config).map_err(problem)?;
        return Ok(builder.with_layer(&measured).build());
    }
    let https = config.rustls_https_connector_with_connector(connector).map_err(problem)?;
    let service = ServiceBuilder::new()
        .layer(measured)
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer().map_err(problem)?)
        .option_layer(tokens)
        .layer(config.extra_headers_layer().map_err(problem)?)
        .map_err(tower::BoxError::from)
        .service(builder(https));
    Ok(Client::new(service, config.default_namespace))
}

/// The path of a kind: `/apis/<group>/<version>[/namespaces/<namespace>]/<plural>`.
#[must_use]
pub fn collection_path<K: Resource<DynamicType = ()>>(namespace: Option<&str>) -> String {
    K::url_path(&(), namespace.filter(|namespace| !namespace.is_empty()))
}

/// The path of an object of a namespaced kind.
#[must_use]
pub fn object_path<K: Resource<DynamicType = ()>>(key: &crate::Key) -> String {
    format!("{}/{}", collection_path::<K>(Some(key.namespace())), key.name())
}

/// Reads an object; `None` when it does not exist.
///
/// # Errors
/// What the API server answers, or that it does not.
pub async fn get<T: DeserializeOwned>(client: &Client, path: &str) -> Result<Option<T>, Error> {
    match send(client, "get", http::Method::GET, path, None, Vec::new()).await {
        Ok(text) => decode(path, &text).map(Some),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sends a JSON merge patch and returns the object that resulted. `path` may end in `/status` and carry a query.
///
/// # Errors
/// What the API server answers, or that it does not.
pub async fn merge_patch<T: DeserializeOwned>(
    client: &Client,
    path: &str,
    manager: &str,
    patch: &serde_json::Value,
) -> Result<T, Error> {
    let uri = format!("{path}?fieldManager={manager}");
    let text =
        send(client, "patch", http::Method::PATCH, &uri, Some("application/merge-patch+json"), body(patch))
            .await?;
    decode(path, &text)
}

/// Creates an object and returns what resulted.
///
/// # Errors
/// What the API server answers, or that it does not.
pub async fn create<T: DeserializeOwned>(
    client: &Client,
    path: &str,
    manager: &str,
    object: &serde_json::Value,
) -> Result<T, Error> {
    let uri = format!("{path}?fieldManager={manager}");
    let text =
        send(client, "create", http::Method::POST, &uri, Some("application/json"), body(object)).await?;
    decode(path, &text)
}

/// Replaces an object and returns what resulted.
///
/// # Errors
/// What the API server answers, or that it does not.
pub async fn replace<T: DeserializeOwned>(
    client: &Client,
    path: &str,
    manager: &str,
    object: &serde_json::Value,
) -> Result<T, Error> {
    let uri = format!("{path}?fieldManager={manager}");
    let text =
        send(client, "update", http::Method::PUT, &uri, Some("application/json"), body(object)).await?;
    decode(path, &text)
}

/// The data of a Secret. Deliberately without Debug and Display.
pub struct Secret {
    namespace: String,
    name: String,
    /// The type, such as `Opaque`.
    pub type_: String,
    /// `metadata.resourceVersion`, for caches.
    pub resource_version: String,
    data: BTreeMap<String, Vec<u8>>,
}

impl Secret {
    /// Reads a Secret from the API server.
    ///
    /// # Errors
    /// [`Error::SecretNotFound`], or what the API server answers.
    pub async fn read(client: &Client, namespace: &str, name: &str) -> Result<Self, Error> {
        let path = object_path::<k8s_openapi::api::core::v1::Secret>(&crate::Key::new(namespace, name));
        let found: Option<k8s_openapi::api::core::v1::Secret> = get(client, &path).await?;
        let not_found = || Error::SecretNotFound { namespace: namespace.to_owned(), name: name.to_owned() };
        let secret = found.ok_or_else(not_found)?;
        Ok(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            type_: secret.type_.unwrap_or_default(),
            resource_version: secret.metadata.resource_version.unwrap_or_default(),
            data: secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)).collect(),
        })
    }

    /// `namespace/name`, as messages name it.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// The bytes of a key.
    #[must_use]
    pub fn bytes(&self, key: &str) -> Option<&[u8]> {
        self.data.get(key).map(Vec::as_slice)
    }

    /// The bytes of a key as text; invalid UTF-8 is replaced.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<String> {
        self.bytes(key).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// The whole data.
    #[must_use]
    pub fn into_data(self) -> BTreeMap<String, Vec<u8>> {
        self.data
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.data.keys().map(String::as_str)
    }
}

/// Sends a request and returns the answer's text.
///
/// # Errors
/// What the API server answers, or that it does not.
pub async fn send(
    client: &Client,
    verb: &'static str,
    method: http::Method,
    uri: &str,
    content_type: Option<&'static str>,
    body: Vec<u8>,
) -> Result<String, Error> {
    let path = || uri.split('?').next().unwrap_or_default().to_owned();
    let mut request =
        Request::builder().method(method).uri(uri).header(http::header::ACCEPT, "application/json");
    if let Some(content_type) = content_type {
        request = request.header(http::header::CONTENT_TYPE, content_type);
    }
    let request = request.body(body).map_err(|error| Error::Api {
        verb,
        path: path(),
        source: Box::new(kube::Error::HttpError(error)),
    })?;
    client.request_text(request).await.map_err(|source| Error::Api {
        verb,
        path: path(),
        source: Box::new(source),
    })
}

fn body(value: &serde_json::Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn decode<T: DeserializeOwned>(path: &str, text: &str) -> Result<T, Error> {
    let text = without_managed_fields(text);
    serde_json::from_str(&text).map_err(|source| Error::Decode { what: path.to_owned(), source })
}

//! What a provider works with: the Provider object together with what its Secrets say.

use std::collections::BTreeMap;

use api::notification::{Provider, ProviderType};
use kube::ResourceExt as _;
use net::auth::Data;
use net::{CaUse, Proxy, Secret, Tls};
use runtime::Key;

use super::step::{Error, setup};

/// Longest address.
const LONGEST_ADDRESS: usize = 2048;

/// The Secrets that a Provider refers to, each with its name as `namespace/name`.
#[derive(Default)]
pub struct Secrets {
    /// `spec.secretRef`.
    pub credentials: Option<(String, Data)>,
    /// `spec.proxySecretRef`.
    pub proxy: Option<(String, Data)>,
    /// `spec.certSecretRef`.
    pub certificates: Option<(String, Data)>,
}

/// The Alert that sends.
#[derive(Clone, Debug, Default)]
pub struct Sender {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
}

/// What a provider works with. Without Debug: it holds secrets.
#[derive(Default)]
pub struct Settings {
    /// The kind of receiver.
    pub kind: ProviderType,
    /// Namespace of the Provider.
    pub namespace: String,
    /// Name of the Provider.
    pub name: String,
    /// UID of the Provider.
    pub uid: String,
    /// Where to.
    pub address: String,
    /// Channel, topic, room …
    pub channel: String,
    /// Name to send under or to log in with.
    pub username: String,
    /// The key `token`.
    pub token: Option<Secret>,
    /// The key `password`.
    pub password: Option<Secret>,
    /// The key `headers`.
    pub headers: BTreeMap<String, String>,
    /// All keys of the Secret, for what one type only reads.
    pub data: Data,
    /// `spec.serviceAccountName`.
    pub service_account: Option<String>,
    /// The ServiceAccount that is meant where none is named: that of `--default-service-account`.
    pub default_account: Option<String>,
    /// The id of commit statuses.
    pub status_id: String,
    /// The Alert that sends.
    pub sender: Sender,
    /// Certificates, proxy, address guard.
    pub http: net::Settings,
    /// Texts that must not show up in errors.
    hidden: Vec<String>,
}

/// Whether the type writes commit statuses.
pub fn writes_commit_status(kind: ProviderType) -> bool {
    use ProviderType as P;
    matches!(kind, P::Github | P::Gitlab | P::Gitea | P::BitbucketServer | P::Bitbucket | P::AzureDevOps)
}

/// Whether the type comments on change requests.
pub fn comments(kind: ProviderType) -> bool {
    use ProviderType as P;
    matches!(kind, P::GithubPullRequestComment | P::GitlabMergeRequestComment | P::GiteaPullRequestComment)
}

/// Whether the type takes every event as it is.
pub fn is_generic(kind: ProviderType) -> bool {
    matches!(kind, ProviderType::Generic | ProviderType::GenericHmac)
}

/// The name of a type as it stands in `spec.type`.
pub fn type_name(kind: ProviderType) -> String {
    serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

impl Settings {
    /// Puts a Provider and its Secrets together.
    pub fn of(
        provider: &Provider,
        secrets: Secrets,
        sender: Sender,
        guard: net::AddressGuard,
    ) -> Result<Self, Error> {
        let spec = &provider.spec;
        let (name, data) = secrets.credentials.unwrap_or_default();
        let text = |key: &str| data.get(key).map(|value| String::from_utf8_lossy(value).into_owned());
        let trimmed = |key: &str| text(key).map(|value| value.trim().to_owned());
        let secret = |key: &str| data.get(key).filter(|value| !value.is_empty()).cloned().map(Secret::new);
        let address = match trimmed("address").filter(|address| !address.is_empty()) {
            Some(address) if address.len() > LONGEST_ADDRESS => {
                return setup(format!("address of secret '{name}' is longer than {LONGEST_ADDRESS} bytes"));
            }
            Some(address) => address,
            None => spec.address.clone().unwrap_or_default(),
        };
        let headers = match data.get("headers").filter(|text| !text.is_empty()) {
            Some(text) => headers(&name, text)?,
            None => BTreeMap::new(),
        };
        let username = match (text("username").filter(|user| !user.is_empty()), secret("password")) {
            (Some(username), Some(_)) => username,
            (username, _) => spec.username.clone().or(username).unwrap_or_default(),
        };
        let tls = match &secrets.certificates {
            Some((name, data)) => tls(name, data)?,
            None if writes_commit_status(spec.kind) => {
                // Credentials may bring certificates along; what does not make any is for something else.
                Tls::from_secret(&name, &data).unwrap_or_default()
            }
            None => Tls::default(),
        };
        let proxy = match (&secrets.proxy, trimmed("proxy"), &spec.proxy) {
            (Some((name, data)), ..) => {
                Some(Proxy::from_secret(name, data).map_err(|error| Error::Setup(error.to_string()))?)
            }
            (None, Some(address), _) if !address.is_empty() => Some(proxy(&name, &address)?),
            (None, _, Some(address)) if !address.is_empty() => {
                tracing::error!("spec.proxy is deprecated, use spec.proxySecretRef");
                Some(proxy(&format!("spec.proxy of {}", provider.name_any()), address)?)
            }
            _ => None,
        };
        let mut settings = Self {
            kind: spec.kind,
            namespace: provider.namespace().unwrap_or_default(),
            name: provider.name_any(),
            uid: provider.uid().unwrap_or_default(),
            address,
            channel: spec.channel.clone().unwrap_or_default(),
            username,
            token: secret("token"),
            password: secret("password"),
            headers,
            service_account: spec.service_account_name.clone().filter(|name| !name.is_empty()),
            default_account: None,
            status_id: String::new(),
            sender,
            http: net::Settings { tls: Tls { ca_use: CaUse::Replace, ..tls }, proxy, guard },
            hidden: Vec::new(),
            data,
        };
        if !super::github::keeps_certificates(&settings) {
            settings.http.tls = Tls::default();
        }
        settings.hide();
        Ok(settings)
    }

    /// The Provider.
    pub fn owner(&self) -> Key {
        Key::new(&self.namespace, &self.name)
    }

    /// The ServiceAccount that stands for the Provider in a cloud; without one it is the controller's.
    pub fn account(&self) -> Option<&str> {
        self.service_account.as_deref().or(self.default_account.as_deref())
    }

    /// The token, which this type cannot do without.
    pub fn required_token(&self, problem: &str) -> Result<&Secret, Error> {
        self.token.as_ref().ok_or_else(|| Error::Setup(problem.to_owned()))
    }

    /// The token, else the password.
    pub fn token_or_password(&self) -> Option<&Secret> {
        self.token.as_ref().or(self.password.as_ref())
    }

    /// The password as bytes; empty without one.
    pub fn password_bytes(&self) -> &[u8] {
        self.password.as_ref().map_or(&[], Secret::expose)
    }

    /// A text of the Secret.
    pub fn text(&self, key: &str) -> Option<String> {
        self.data
            .get(key)
            .filter(|value| !value.is_empty())
            .map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The text without any secret of this provider.
    pub fn masked(&self, text: &str) -> String {
        self.hidden.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "*****"))
    }

    /// Collects what must not show up: every value of the Secret that could be a credential, and what the address holds.
    fn hide(&mut self) {
        let mut hidden: Vec<String> = Vec::new();
        for (key, value) in &self.data {
            let text = String::from_utf8_lossy(value).trim().to_owned();
            let public = matches!(key.as_str(), "username" | "ca.crt" | "caFile" | "tls.crt" | "certFile");
            if !public && key != "headers" && key != "address" && key != "proxy" {
                hidden.push(text);
            }
        }
        hidden.extend(self.headers.values().cloned());
        for address in [Some(self.address.clone()), self.text("proxy")].into_iter().flatten() {
            if let Ok(url) = url::Url::parse(address.trim()) {
                hidden.extend(url.password().map(str::to_owned));
                hidden.extend(url.query().map(str::to_owned));
                // The address of a chat's webhook is its credential, when it is kept in a Secret.
                if self.data.contains_key("address") && url.path().len() > 1 {
                    let path = url.path().trim_matches('/');
                    hidden.push(path.strip_suffix(".git").unwrap_or(path).to_owned());
                }
            } else if self.data.contains_key("address") {
                hidden.push(address.trim().to_owned());
            }
        }
        if let Some(password) = self.http.proxy.as_ref().and_then(|proxy| proxy.password.as_ref()) {
            hidden.push(password.expose_text().into_owned());
        }
        // Short values are words such as `1` or `true`, which stand in any text. The token is masked whatever it is.
        hidden.retain(|text| text.len() >= 4);
        if let Some(token) = &self.token {
            hidden.push(token.expose_text().trim().to_owned());
        }
        hidden.retain(|text| !text.is_empty());
        // Longer ones first, so that none is cut by a shorter one within it.
        hidden.sort_by_key(|text| std::cmp::Reverse(text.len()));
        hidden.dedup();
        self.hidden = hidden;
    }
}

fn tls(name: &str, data: &Data) -> Result<Tls, Error> {
    let tls = Tls::from_secret(name, data).map_err(|error| Error::Setup(error.to_string()))?;
    for key in &tls.legacy_keys {
        tracing::error!(secret = name, key, "the key is deprecated, use ca.crt, tls.crt and tls.key");
    }
    Ok(tls)
}

fn proxy(name: &str, address: &str) -> Result<Proxy, Error> {
    let data = Data::from([("address".to_owned(), address.as_bytes().to_vec())]);
    Proxy::from_secret(name, &data).map_err(|error| Error::Setup(error.to_string()))
}

fn headers(name: &str, yaml: &[u8]) -> Result<BTreeMap<String, String>, Error> {
    let bad = || {
        Error::Setup(format!(
            "failed to read headers from secret '{name}': they have to be a YAML map of text to text, with numbers and booleans quoted"
        ))
    };
    let text = std::str::from_utf8(yaml).map_err(|_| bad())?;
    let values: BTreeMap<String, serde_json::Value> = serde_saphyr::from_str(text).map_err(|_| bad())?;
    values
        .into_iter()
        .map(|(key, value)| match value {
            serde_json::Value::String(text) => Ok((key, text)),
            _ => Err(bad()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(pairs: &[(&str, &str)]) -> Data {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect()
    }

    fn settings(spec: &str, pairs: &[(&str, &str)]) -> Result<Settings, Error> {
        let provider: Provider = serde_json::from_str(&format!(
            r#"{{"metadata":{{"name":"p","namespace":"n","uid":"0c9c2e41-1"}},"spec":{spec}}}"#
        ))
        .expect("a provider");
        let secrets = Secrets { credentials: Some(("n/s".to_owned(), data(pairs))), ..Secrets::default() };
        Settings::of(&provider, secrets, Sender::default(), net::AddressGuard::Off)
    }

    #[test]
    fn the_secret_beats_the_spec() {
        let both = settings(
            r#"{"type":"generic","address":"https://spec","username":"spec"}"#,
            &[("address", " https://secret \n"), ("username", "u"), ("password", "p"), ("token", "t ")],
        )
        .expect("settings");
        assert_eq!((both.address.as_str(), both.username.as_str()), ("https://secret", "u"));
        assert_eq!(both.token.expect("a token").expose(), b"t ");
        let alone = settings(r#"{"type":"bitbucketserver","username":"spec"}"#, &[("password", "p")]);
        let alone = alone.expect("settings");
        assert_eq!((alone.username.as_str(), alone.password_bytes()), ("spec", &b"p"[..]));
        let long = "x".repeat(3000);
        assert!(settings(r#"{"type":"generic"}"#, &[("address", &long)]).is_err());
    }

    #[test]
    fn headers_are_a_map_of_texts() {
        let good =
            settings(r#"{"type":"generic"}"#, &[("headers", "X-A: \"1\"\nAuthorization: Bearer abc\n")]);
        let good = good.expect("settings");
        assert_eq!(good.headers.get("X-A").map(String::as_str), Some("1"));
        for bad in ["X-A: 1", "[a]", "X-A: {b: c}", "X-A: true"] {
            let error = settings(r#"{"type":"generic"}"#, &[("headers", bad)]).err().expect("an error");
            assert!(error.to_string().contains("secret 'n/s'"), "{error}");
        }
    }

    #[test]
    fn no_secret_survives_masking() {
        let settings = settings(
            r#"{"type":"slack"}"#,
            &[
                ("token", "xoxb-canary\n"),
                ("password", "canary-password"),
                ("headers", "Authorization: Bearer canary-header"),
                ("address", "https://u:canary-user@hooks.example/services/canary-path?key=canary-query"),
            ],
        )
        .expect("settings");
        let text = "xoxb-canary canary-password Bearer canary-header https://u:canary-user@hooks.example/services/canary-path?key=canary-query";
        assert!(!settings.masked(text).contains("canary"), "{}", settings.masked(text));
    }

    #[test]
    fn the_proxy_secret_beats_the_other_proxies() {
        let spec = r#"{"type":"slack","proxy":"http://spec:1"}"#;
        let host = |settings: &Settings| settings.http.proxy.as_ref().expect("a proxy").url.to_string();
        let from_spec = settings(spec, &[]).expect("settings");
        assert_eq!(host(&from_spec), "http://spec:1/");
        let from_key = settings(spec, &[("proxy", " http://key:1 ")]).expect("settings");
        assert_eq!(host(&from_key), "http://key:1/");
    }
}

//! Credentials for registries, from docker configurations.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use net::Secret;
use serde::Deserialize;

use crate::Error;

/// Credentials by registry. Several configurations together: the first that knows a registry counts.
#[derive(Clone, Default)]
pub struct Keychain {
    entries: Vec<(String, Login)>,
}

/// How somebody logs in to a registry.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Login {
    /// With name and password.
    Password { username: String, password: Secret },
    /// With a token that others are made from.
    Identity(Secret),
    /// With a token as it is.
    Bearer(Secret),
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Auth {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl Keychain {
    /// Name and password for one registry.
    pub fn basic(registry: &str, username: &str, password: Secret) -> Self {
        let login = Login::Password { username: username.to_owned(), password };
        Self { entries: vec![(host_of(registry), login)] }
    }

    /// Adds the credentials of a docker configuration, `.dockerconfigjson` or the older `.dockercfg`.
    ///
    /// # Errors
    /// It is not JSON of that form. The text holds nothing of it.
    pub fn add_docker_config(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let malformed = || Error::Keychain("the docker configuration is not JSON with 'auths'".to_owned());
        let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|_| malformed())?;
        // The old form is what the new one has below `auths`.
        let value = if value.get("auths").is_some() { value } else { serde_json::json!({ "auths": value }) };
        let config: Config = serde_json::from_value(value).map_err(|_| malformed())?;
        for (registry, auth) in config.auths {
            if let Some(login) = auth.login(&registry)? {
                self.entries.push((host_of(&registry), login));
            }
        }
        Ok(())
    }

    /// Whether there are no credentials at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether there are credentials for a registry.
    pub fn knows(&self, registry: &str) -> bool {
        self.login(registry).is_some()
    }

    pub(crate) fn login(&self, registry: &str) -> Option<&Login> {
        self.entries.iter().find(|(host, _)| host == registry).map(|(_, login)| login)
    }
}

impl Auth {
    fn login(self, registry: &str) -> Result<Option<Login>, Error> {
        if !self.registrytoken.is_empty() {
            return Ok(Some(Login::Bearer(Secret::new(self.registrytoken.into_bytes()))));
        }
        if !self.identitytoken.is_empty() {
            return Ok(Some(Login::Identity(Secret::new(self.identitytoken.into_bytes()))));
        }
        if !self.auth.is_empty() {
            let malformed =
                || Error::Keychain(format!("the docker configuration has a malformed 'auth' for {registry}"));
            let pair = STANDARD.decode(self.auth.trim()).map_err(|_| malformed())?;
            let pair = String::from_utf8(pair).map_err(|_| malformed())?;
            let (username, password) = pair.split_once(':').ok_or_else(malformed)?;
            let password = Secret::new(password.trim_end_matches('\0').as_bytes().to_vec());
            return Ok(Some(Login::Password { username: username.to_owned(), password }));
        }
        if self.username.is_empty() {
            return Ok(None);
        }
        let password = Secret::new(self.password.into_bytes());
        Ok(Some(Login::Password { username: self.username, password }))
    }
}

/// The registry of a key, which may be written as an address.
fn host_of(key: &str) -> String {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let host = key.split('/').next().unwrap_or_default();
    if host == "docker.io" { "index.docker.io".to_owned() } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(config: &str, registry: &str) -> Option<(String, String)> {
        let mut keychain = Keychain::default();
        keychain.add_docker_config(config.as_bytes()).unwrap();
        match keychain.login(registry)? {
            Login::Password { username, password } => {
                Some((username.clone(), password.expose_text().to_string()))
            }
            Login::Identity(token) => Some(("identity".to_owned(), token.expose_text().to_string())),
            Login::Bearer(token) => Some(("bearer".to_owned(), token.expose_text().to_string())),
        }
    }

    #[test]
    fn every_form_of_a_docker_configuration_is_read() {
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        let auth = STANDARD.encode("me:pass:word");
        let config = format!(
            r#"{{"auths":{{"ghcr.io":{{"auth":"{auth}"}},"https://index.docker.io/v1/":{{"username":"u","password":"p"}},
                "127.0.0.1:5000":{{"identitytoken":"t"}},"quay.io":{{"registrytoken":"r"}},"empty.io":{{}}}}}}"#
        );
        assert_eq!(login(&config, "ghcr.io"), pair("me", "pass:word"));
        assert_eq!(login(&config, "index.docker.io"), pair("u", "p"));
        assert_eq!(login(&config, "127.0.0.1:5000"), pair("identity", "t"));
        assert_eq!(login(&config, "quay.io"), pair("bearer", "r"));
        assert_eq!(login(&config, "empty.io"), None);
        assert_eq!(login(&config, "other.io"), None);
        assert_eq!(login(r#"{"ghcr.io":{"username":"u","password":"p"}}"#, "ghcr.io"), pair("u", "p"));
    }

    #[test]
    fn a_malformed_configuration_is_told_without_its_content() {
        for config in ["secret", "[]", r#"{"auths":{"a":"secret"}}"#, r#"{"auths":{"a":{"auth":"secret!"}}}"#]
        {
            let error = Keychain::default().add_docker_config(config.as_bytes()).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}

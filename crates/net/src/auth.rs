//! Credentials from the data of Secrets, with the keys and messages of Flux. Everything here is a pure function.

use std::collections::BTreeMap;

use url::Url;

use crate::proxy::percent_decoded;
use crate::{Error, Secret, Tls};

/// The data of a Secret.
pub type Data = BTreeMap<String, Vec<u8>>;

/// How an HTTP request is authenticated.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum HttpAuth {
    /// Not at all.
    #[default]
    None,
    /// `Authorization: Basic …`.
    Basic {
        /// The user name.
        username: String,
        /// The password, possibly empty.
        password: Secret,
    },
    /// `Authorization: Bearer …`.
    Bearer(Secret),
}

impl HttpAuth {
    /// The value of the `Authorization` header, marked sensitive; `None` when there is nothing to send.
    pub fn header(&self) -> Option<http::HeaderValue> {
        use base64::Engine as _;
        let text = match self {
            Self::None => return None,
            Self::Basic { username, password } => {
                let pair = zeroize::Zeroizing::new([username.as_bytes(), b":", password.expose()].concat());
                zeroize::Zeroizing::new(format!(
                    "Basic {}",
                    base64::engine::general_purpose::STANDARD.encode(&*pair)
                ))
            }
            Self::Bearer(token) => zeroize::Zeroizing::new(format!("Bearer {}", token.expose_text().trim())),
        };
        let mut value = http::HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// An SSH login: a private key, and the host keys that are trusted.
#[derive(Clone, PartialEq, Eq)]
pub struct SshAuth {
    /// The login name.
    pub username: String,
    /// The private key in PEM or OpenSSH format.
    pub identity: Secret,
    /// The passphrase of the private key.
    pub passphrase: Option<Secret>,
    /// The trusted host keys, as in a `known_hosts` file.
    pub known_hosts: Vec<u8>,
}

/// The user that Git hosts expect on SSH.
const SSH_USER: &str = "git";

fn present<'a>(data: &'a Data, key: &str) -> Option<&'a [u8]> {
    data.get(key).map(Vec::as_slice).filter(|value| !value.is_empty())
}

/// The text of a key: credentials are often made with a trailing newline, which is left as it is, as Flux does.
fn text(data: &Data, key: &str) -> Option<String> {
    present(data, key).map(|value| String::from_utf8_lossy(value).into_owned())
}

/// Credentials of a Git server over HTTP(S), from an optional Secret and the user part of `url`. User and password of the
/// URL are used for what the Secret leaves empty.
///
/// # Errors
/// A password without user name, or a bearer token together with user or password in the URL.
pub fn git_http(url: &Url, data: Option<&Data>) -> Result<HttpAuth, Error> {
    let from_url = Some(percent_decoded(url.username())).filter(|user| !user.is_empty());
    let password_from_url = url.password().map(percent_decoded).filter(|password| !password.is_empty());
    if let Some(token) = data.and_then(|data| present(data, "bearerToken")) {
        if from_url.is_some() || password_from_url.is_some() {
            return Err(Error::Credential(
                "basic auth and bearer token cannot be set at the same time".to_owned(),
            ));
        }
        return Ok(HttpAuth::Bearer(Secret::new(token)));
    }
    let username = data.and_then(|data| text(data, "username")).or(from_url);
    let password = data
        .and_then(|data| present(data, "password"))
        .map(Secret::new)
        .or(password_from_url.map(Secret::new));
    match (username, password) {
        (Some(username), password) => {
            Ok(HttpAuth::Basic { username, password: password.unwrap_or_else(|| Secret::new(Vec::new())) })
        }
        (None, Some(_)) => Err(Error::Credential(format!(
            "invalid '{}' auth option: 'password' requires 'username' to be set",
            url.scheme()
        ))),
        (None, None) => Ok(HttpAuth::None),
    }
}

/// Credentials of a Git server over SSH. There is no anonymous SSH: without a Secret, or without its keys, it is an error.
///
/// # Errors
/// `identity` or `known_hosts` is missing.
pub fn git_ssh(url: &Url, data: Option<&Data>) -> Result<SshAuth, Error> {
    let required = |key: &str| {
        data.and_then(|data| present(data, key))
            .ok_or_else(|| Error::Credential(format!("invalid 'ssh' auth option: '{key}' is required")))
    };
    let identity = Secret::new(required("identity")?);
    let known_hosts = required("known_hosts")?.to_vec();
    let username = Some(percent_decoded(url.username())).filter(|user| !user.is_empty());
    Ok(SshAuth {
        username: username.unwrap_or_else(|| SSH_USER.to_owned()),
        identity,
        passphrase: data.and_then(|data| present(data, "password")).map(Secret::new),
        known_hosts,
    })
}

/// TLS settings in the Secret `name` (`namespace/name`) of a Git server; all keys are optional. As in Flux, unreadable PEM
/// is an error of the git operation, not of the Secret, so it is found out when a client is made of it.
///
/// # Errors
/// Half a client certificate.
pub fn git_tls(name: &str, data: &Data) -> Result<Tls, Error> {
    Tls::unchecked(name, data)
}

/// `username` and `password` of the Secret `name` (`namespace/name`): both or neither.
///
/// # Errors
/// Only one of them.
pub fn basic(name: &str, data: &Data) -> Result<HttpAuth, Error> {
    match (text(data, "username"), present(data, "password")) {
        (Some(username), Some(password)) => Ok(HttpAuth::Basic { username, password: Secret::new(password) }),
        (Some(_), None) => Err(malformed_basic(name, "username", "password")),
        (None, Some(_)) => Err(malformed_basic(name, "password", "username")),
        (None, None) => Ok(HttpAuth::None),
    }
}

fn malformed_basic(name: &str, present: &str, missing: &str) -> Error {
    Error::Credential(format!(
        "secret '{name}': malformed basic auth - has '{present}' but missing '{missing}'"
    ))
}

/// True when the data is that of a GitHub App, which only `provider: github` may use.
pub fn has_github_app(data: &Data) -> bool {
    present(data, "githubAppID").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(pairs: &[(&str, &str)]) -> Data {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect()
    }

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    fn header(auth: &HttpAuth) -> String {
        auth.header().map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default()
    }

    #[test]
    fn the_secret_beats_the_url_key_by_key() {
        let from_url = git_http(&url("https://u%40x:p%2Fw@host/r"), None).expect("credentials");
        // "u@x:p/w"
        assert_eq!(header(&from_url), "Basic dUB4OnAvdw==");
        let mixed =
            git_http(&url("https://u:p@host/r"), Some(&data(&[("password", "q")]))).expect("credentials");
        assert_eq!(header(&mixed), "Basic dTpx");
        let alone = git_http(&url("https://host/r"), Some(&data(&[("username", "u")]))).expect("credentials");
        assert_eq!(header(&alone), "Basic dTo=");
    }

    #[test]
    fn a_bearer_token_hides_the_basic_keys_of_the_secret() {
        let secret = data(&[("bearerToken", "abc"), ("username", "u"), ("password", "p")]);
        assert_eq!(
            header(&git_http(&url("https://host/r"), Some(&secret)).expect("credentials")),
            "Bearer abc"
        );
        let error = git_http(&url("https://u@host/r"), Some(&secret)).err().expect("an error");
        assert_eq!(error.to_string(), "basic auth and bearer token cannot be set at the same time");
    }

    #[test]
    fn partial_credentials_are_errors_with_flux_texts() {
        let password_only = git_http(&url("https://host/r"), Some(&data(&[("password", "p")])));
        assert_eq!(
            password_only.err().expect("an error").to_string(),
            "invalid 'https' auth option: 'password' requires 'username' to be set"
        );
        assert_eq!(
            git_ssh(&url("ssh://host/r"), None).err().expect("an error").to_string(),
            "invalid 'ssh' auth option: 'identity' is required"
        );
        assert_eq!(
            git_ssh(&url("ssh://host/r"), Some(&data(&[("identity", "k")])))
                .err()
                .expect("an error")
                .to_string(),
            "invalid 'ssh' auth option: 'known_hosts' is required"
        );
        assert_eq!(
            basic("ns/s", &data(&[("username", "u")])).err().expect("an error").to_string(),
            "secret 'ns/s': malformed basic auth - has 'username' but missing 'password'"
        );
    }

    #[test]
    fn the_ssh_user_is_that_of_the_url_or_git() {
        let secret = data(&[("identity", "k"), ("known_hosts", "h"), ("password", "p")]);
        let named = git_ssh(&url("ssh://me@host/r"), Some(&secret)).expect("credentials");
        assert_eq!(named.username, "me");
        assert!(named.passphrase.is_some_and(|passphrase| passphrase.expose() == b"p"));
        assert_eq!(git_ssh(&url("ssh://host/r"), Some(&secret)).expect("credentials").username, "git");
    }
}

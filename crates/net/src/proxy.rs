//! Proxy settings and their keys in a Secret.

use std::collections::BTreeMap;

use url::Url;

use crate::{Error, Secret};

/// The longest proxy address accepted, in characters.
const LONGEST_ADDRESS: usize = 2048;

/// The protocol spoken with the proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProxyScheme {
    /// Plain HTTP, CONNECT for TLS.
    Http,
    /// HTTP over TLS.
    Https,
    /// SOCKS 5.
    Socks5,
}

/// One proxy with its credentials. It beats the `HTTP_PROXY` family of environment variables.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The address, without user and password.
    pub url: Url,
    /// The protocol, from the scheme of the address.
    pub scheme: ProxyScheme,
    /// The user name.
    pub username: Option<String>,
    /// The password; there is none without a user name.
    pub password: Option<Secret>,
}

impl Proxy {
    /// A proxy from the data of the Secret `name` (`namespace/name`): `address`, and optionally `username` and `password`.
    ///
    /// # Errors
    /// A missing, empty, overlong or unreadable address, or a scheme other than http, https and socks5.
    pub fn from_secret(name: &str, data: &BTreeMap<String, Vec<u8>>) -> Result<Self, Error> {
        let bad = |what: String| Error::Credential(format!("secret '{name}': {what}"));
        let address = data.get("address").ok_or_else(|| bad("key 'address' not found".into()))?;
        if address.is_empty() {
            return Err(bad("proxy address is empty".into()));
        }
        let address = std::str::from_utf8(address).map_err(|_| bad("proxy address is not text".into()))?;
        if address.chars().count() > LONGEST_ADDRESS {
            return Err(bad(format!("proxy address is longer than {LONGEST_ADDRESS} characters")));
        }
        // The address may hold a password, so neither it nor the parser's view of it is repeated.
        let mut url = Url::parse(address.trim())
            .map_err(|error| bad(format!("failed to parse proxy address: {error}")))?;
        let scheme = match url.scheme() {
            "http" => ProxyScheme::Http,
            "https" => ProxyScheme::Https,
            "socks5" => ProxyScheme::Socks5,
            other => {
                return Err(bad(format!(
                    "proxy URL must use one of the supported schemes (http, https, socks5), got '{other}'"
                )));
            }
        };
        if url.host().is_none() {
            return Err(bad("proxy address has no host".into()));
        }
        let text = |key: &str| {
            data.get(key)
                .filter(|value| !value.is_empty())
                .map(|value| String::from_utf8_lossy(value).into_owned())
        };
        let (username, password) = match text("username") {
            Some(username) => {
                (Some(username), data.get("password").filter(|value| !value.is_empty()).cloned())
            }
            None => (
                Some(percent_decoded(url.username())).filter(|user| !user.is_empty()),
                url.password().map(|password| percent_decoded(password).into_bytes()),
            ),
        };
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let password = password.filter(|_| username.is_some()).map(Secret::new);
        Ok(Self { url, scheme, username, password })
    }
}

/// Undoes percent encoding as it stands in the user part of a URL.
pub(crate) fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

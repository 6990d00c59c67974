//! TLS and proxy settings from Secrets, with the texts of Flux.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use net::auth::Data;
use net::{Proxy, ProxyScheme, Tls};
use rcgen::{CertificateParams, KeyPair};

fn data(pairs: &[(&str, &str)]) -> Data {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect()
}

/// A certificate and its key, PEM.
fn pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["x".to_owned()]).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn tls_error(pairs: &[(&str, &str)]) -> String {
    Tls::from_secret("ns/s", &data(pairs)).err().expect("an error").to_string()
}

#[test]
fn tls_keys_and_their_legacy_names() {
    let (certificate, key) = pair();
    let (other, _) = pair();
    let full =
        data(&[("ca.crt", &certificate), ("tls.crt", &certificate), ("tls.key", &key), ("caFile", &other)]);
    let tls = Tls::from_secret("ns/s", &full).unwrap();
    assert!(tls.ca.is_some_and(|ca| ca.expose() == certificate.as_bytes()), "the new name wins");
    assert!(tls.identity.is_some() && tls.legacy_keys.is_empty());
    let legacy = data(&[("caFile", &certificate), ("certFile", &certificate), ("keyFile", &key)]);
    let tls = Tls::from_secret("ns/s", &legacy).unwrap();
    assert!(tls.ca.is_some() && tls.identity.is_some());
    assert_eq!(tls.legacy_keys, ["caFile", "certFile", "keyFile"]);
    assert!(Tls::from_secret_if_any("ns/s", &data(&[("username", "u")])).is_ok());
}

#[test]
fn tls_errors() {
    let (certificate, key) = pair();
    assert_eq!(
        tls_error(&[("tls.crt", &certificate)]),
        "secret 'ns/s' contains 'tls.crt' but missing 'tls.key'"
    );
    assert_eq!(tls_error(&[("tls.key", &key)]), "secret 'ns/s' contains 'tls.key' but missing 'tls.crt'");
    assert_eq!(
        tls_error(&[("username", "u")]),
        "secret 'ns/s' must contain either 'ca.crt' or both 'tls.crt' and 'tls.key'"
    );
    assert_eq!(tls_error(&[("ca.crt", "nonsense")]), "failed to parse CA certificate");
    let block = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(tls_error(&[("ca.crt", block)]), "failed to parse CA certificate");
    let broken = tls_error(&[("tls.crt", &certificate), ("tls.key", "nonsense")]);
    assert!(broken.starts_with("failed to parse TLS certificate and key: "), "{broken}");
    assert!(
        tls_error(&[("tls.crt", "nonsense"), ("tls.key", &key)])
            .starts_with("failed to parse TLS certificate")
    );
}

fn proxy_error(pairs: &[(&str, &str)]) -> String {
    Proxy::from_secret("ns/p", &data(pairs)).err().expect("an error").to_string()
}

#[test]
fn proxies() {
    let proxy = Proxy::from_secret(
        "ns/p",
        &data(&[("address", "socks5://h:1080"), ("username", "u"), ("password", "p")]),
    )
    .unwrap();
    assert_eq!(
        (proxy.scheme, proxy.url.as_str(), proxy.username.as_deref()),
        (ProxyScheme::Socks5, "socks5://h:1080", Some("u"))
    );
    let inline = Proxy::from_secret("ns/p", &data(&[("address", "http://a%40b:c@h:3128")])).unwrap();
    assert_eq!((inline.url.as_str(), inline.username.as_deref()), ("http://h:3128/", Some("a@b")));
    assert!(inline.password.is_some_and(|password| password.expose() == b"c"));
    let alone = Proxy::from_secret("ns/p", &data(&[("address", "http://h"), ("password", "p")])).unwrap();
    assert!(alone.password.is_none(), "a password without a user name is not used");
    assert_eq!(proxy_error(&[]), "secret 'ns/p': key 'address' not found");
    assert_eq!(proxy_error(&[("address", "")]), "secret 'ns/p': proxy address is empty");
    assert_eq!(
        proxy_error(&[("address", "ftp://secret:word@h")]),
        "secret 'ns/p': proxy URL must use one of the supported schemes (http, https, socks5), got 'ftp'"
    );
    let long = format!("http://h/{}", "x".repeat(2048));
    assert!(proxy_error(&[("address", &long)]).contains("longer than 2048 characters"));
    assert!(!proxy_error(&[("address", "http://user:hunter2@[bad")]).contains("hunter2"));
}

//! Signed tokens (JWT), and the keys of who issues them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature;
use serde_json::Value;

use super::hook::{Refusal, refused};

/// How far the clocks of issuers may be off, in seconds, where a token begins to be valid.
const LEEWAY: i64 = 300;

/// A token that was taken apart and is not verified.
pub struct Token<'a> {
    /// The algorithm that it claims to be signed with.
    algorithm: String,
    key_id: Option<String>,
    /// What it says, which nobody may believe before [`Token::verify`].
    pub claims: Value,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    pub fn parse(text: &'a str) -> Result<Self, Refusal> {
        let malformed =
            || Refusal("the token is malformed: it has to have three parts of base64url".to_owned());
        let (signed, signature) = text.rsplit_once('.').ok_or_else(malformed)?;
        let (head, payload) = signed.split_once('.').ok_or_else(malformed)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed());
        let object = |part: &str| match serde_json::from_slice::<Value>(&decode(part)?) {
            Ok(value @ Value::Object(_)) => Ok(value),
            _ => Err(malformed()),
        };
        let head = object(head)?;
        let field = |name: &str| head.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            algorithm: field("alg").ok_or_else(malformed)?,
            key_id: field("kid"),
            claims: object(payload)?,
            signed,
            signature: decode(signature)?,
        })
    }

    /// A claim that is text.
    pub fn claim(&self, name: &str) -> &str {
        self.claims.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether one of the keys has signed the token, with one of the algorithms.
    pub fn verify(&self, keys: &Keys, algorithms: &[String]) -> Result<(), Refusal> {
        if !algorithms.contains(&self.algorithm) {
            return refused(format!("the issuer does not sign with '{}'", self.algorithm));
        }
        let candidates =
            keys.0.iter().filter(|key| self.key_id.is_none() || key.id.is_none() || key.id == self.key_id);
        let verified = candidates
            .into_iter()
            .any(|key| key.verifies(&self.algorithm, self.signed.as_bytes(), &self.signature));
        if verified { Ok(()) } else { refused("the token is not signed by a key of its issuer") }
    }

    /// Whether the token is valid at this time, in seconds since 1970, and for this audience.
    pub fn check_claims(&self, now: i64, audience: &str) -> Result<(), Refusal> {
        let time = |name: &str| {
            let value = self.claims.get(name)?;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a time beyond the range is as far as it gets"
            )]
            value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
        };
        match time("exp") {
            Some(end) if end > now => {}
            Some(_) => return refused("the token is expired"),
            None => return refused("the token has no expiry"),
        }
        if time("nbf").is_some_and(|begin| begin > now.saturating_add(LEEWAY)) {
            return refused("the token is not valid yet");
        }
        let meant = match self.claims.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(list)) => list.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        };
        if meant { Ok(()) } else { refused(format!("the token is not meant for the audience '{audience}'")) }
    }
}

/// The public keys of an issuer.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<Key>);

#[derive(Debug, Clone)]
struct Key {
    id: Option<String>,
    material: Material,
}

#[derive(Debug, Clone)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Keys {
    /// The keys of a JWKS document that signatures can be verified with.
    pub fn parse(document: &Value) -> Self {
        let keys = document.get("keys").and_then(Value::as_array);
        Self(keys.into_iter().flatten().filter_map(Key::parse).collect())
    }
}

impl Key {
    fn parse(key: &Value) -> Option<Self> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?.trim_end_matches('=')).ok();
        if text("use").is_some_and(|use_| use_ != "sig") {
            return None;
        }
        let point = |size: usize| {
            let (x, y) = (bytes("x")?, bytes("y")?);
            (x.len() == size && y.len() == size).then(|| [&[4], x.as_slice(), y.as_slice()].concat())
        };
        let material = match (text("kty")?, text("crv")) {
            ("RSA", _) => Material::Rsa { n: bytes("n")?, e: bytes("e")? },
            ("EC", Some("P-256")) => Material::P256(point(32)?),
            ("EC", Some("P-384")) => Material::P384(point(48)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes("x")?),
            _ => return None,
        };
        Some(Self { id: text("kid").map(str::to_owned), material })
    }

    fn verifies(&self, algorithm: &str, signed: &[u8], signature: &[u8]) -> bool {
        let rsa = |n: &[u8], e: &[u8], parameters: &signature::RsaParameters| {
            let n: Vec<u8> = n.iter().copied().skip_while(|byte| *byte == 0).collect();
            signature::RsaPublicKeyComponents { n, e: e.to_vec() }
                .verify(parameters, signed, signature)
                .is_ok()
        };
        let plain = |algorithm: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            signature::UnparsedPublicKey::new(algorithm, key).verify(signed, signature).is_ok()
        };
        match (algorithm, &self.material) {
            ("RS256", Material::Rsa { n, e }) => rsa(n, e, &signature::RSA_PKCS1_2048_8192_SHA256),
            ("RS384", Material::Rsa { n, e }) => rsa(n, e, &signature::RSA_PKCS1_2048_8192_SHA384),
            ("RS512", Material::Rsa { n, e }) => rsa(n, e, &signature::RSA_PKCS1_2048_8192_SHA512),
            ("PS256", Material::Rsa { n, e }) => rsa(n, e, &signature::RSA_PSS_2048_8192_SHA256),
            ("PS384", Material::Rsa { n, e }) => rsa(n, e, &signature::RSA_PSS_2048_8192_SHA384),
            ("PS512", Material::Rsa { n, e }) => rsa(n, e, &signature::RSA_PSS_2048_8192_SHA512),
            ("ES256", Material::P256(key)) => plain(&signature::ECDSA_P256_SHA256_FIXED, key),
            ("ES384", Material::P384(key)) => plain(&signature::ECDSA_P384_SHA384_FIXED, key),
            ("EdDSA", Material::Ed25519(key)) => plain(&signature::ED25519, key),
            _ => false,
        }
    }
}

#[cfg(test)]
pub mod tests {
    use ring::signature::KeyPair as _;
    use serde_json::json;

    use super::*;

    /// An issuer with a key of its own.
    pub struct Issuer(ring::signature::EcdsaKeyPair);

    impl Issuer {
        pub fn new() -> Self {
            let random = ring::rand::SystemRandom::new();
            let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
            let pkcs8 = signature::EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
            Self(signature::EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a key"))
        }

        pub fn keys(&self) -> Value {
            let point = self.0.public_key().as_ref();
            json!({ "keys": [{
                "kty": "EC", "crv": "P-256", "kid": "k", "use": "sig",
                "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
            }]})
        }

        pub fn sign(&self, algorithm: &str, claims: &Value) -> String {
            let head = json!({ "alg": algorithm, "kid": "k" });
            let signed = format!(
                "{}.{}",
                URL_SAFE_NO_PAD.encode(head.to_string()),
                URL_SAFE_NO_PAD.encode(claims.to_string())
            );
            let signature =
                self.0.sign(&ring::rand::SystemRandom::new(), signed.as_bytes()).expect("a signature");
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
    }

    /// A server of two documents, each made from its own address: by default keys, and what issuers say of themselves.
    pub async fn served(keys: impl Fn(&str) -> Value) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let keys = keys(&url).to_string();
        let discovery = json!({
            "issuer": url, "jwks_uri": format!("{url}/keys"),
            "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
        })
        .to_string();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut buffer = vec![0; 4096];
                let read = stream.read(&mut buffer).await.unwrap_or(0);
                let asks = String::from_utf8_lossy(&buffer[..read]).contains("openid-configuration");
                let body = if asks { &discovery } else { &keys };
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        url
    }

    #[test]
    fn only_the_keys_of_the_issuer_are_believed() {
        let (issuer, other) = (Issuer::new(), Issuer::new());
        let algorithms = ["ES256".to_owned(), "RS256".to_owned()];
        let text = issuer.sign("ES256", &json!({ "iss": "i" }));
        let token = Token::parse(&text).expect("a token");
        assert!(token.verify(&Keys::parse(&issuer.keys()), &algorithms).is_ok());
        assert!(token.verify(&Keys::parse(&other.keys()), &algorithms).is_err());
        assert!(token.verify(&Keys::default(), &algorithms).is_err());
        for algorithm in ["none", "HS256", "RS256"] {
            let text = issuer.sign(algorithm, &json!({}));
            let token = Token::parse(&text).expect("a token");
            assert!(token.verify(&Keys::parse(&issuer.keys()), &algorithms).is_err(), "{algorithm}");
        }
        for malformed in ["", "a.b", "a.b.c", "e30.e30.", "....", "e30.W10.e30"] {
            assert!(Token::parse(malformed).is_err(), "{malformed}");
        }
    }

    #[test]
    fn claims_are_checked_against_clock_and_audience() {
        let issuer = Issuer::new();
        let check = |claims: Value| {
            let text = issuer.sign("ES256", &claims);
            Token::parse(&text).expect("a token").check_claims(1000, "me")
        };
        assert!(check(json!({ "exp": 1001, "aud": "me" })).is_ok());
        assert!(check(json!({ "exp": 1001.5, "aud": ["you", "me"], "nbf": 1299 })).is_ok());
        assert!(check(json!({ "exp": 1000, "aud": "me" })).is_err());
        assert!(check(json!({ "aud": "me" })).is_err());
        assert!(check(json!({ "exp": 1001, "aud": "you" })).is_err());
        assert!(check(json!({ "exp": 1001, "aud": "me", "nbf": 1400 })).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_token_panics(text: String) {
            let _ = Token::parse(&text);
        }
    }
}

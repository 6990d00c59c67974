//! NATS: one message a connection, in the text protocol.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use net::{AddressGuard, Secret};
use ring::signature::Ed25519KeyPair;
use rustls::pki_types::ServerName;
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use url::Url;

use super::settings::Settings;
use super::step::{Error, Step, setup};
use crate::event::{Event, encode};

/// Longest line of the server that is read.
const LONGEST_LINE: u64 = 64 * 1024;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// A message, and how to log in. Without Debug: it holds secrets.
pub struct Publish {
    server: Url,
    subject: String,
    body: Vec<u8>,
    login: Login,
}

enum Login {
    None,
    Password { username: String, password: Secret },
    Key { jwt: Option<Secret>, seed: Secret },
}

/// The event, to a subject.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    if settings.address.is_empty() {
        return setup("NATS server (provider address) cannot be empty");
    }
    if settings.channel.is_empty() {
        return setup("NATS subject (provider channel) cannot be empty");
    }
    if settings.channel.contains([' ', '\t', '\r', '\n']) {
        return setup("the NATS subject must not contain blanks");
    }
    let address = if settings.address.contains("://") {
        settings.address.clone()
    } else {
        format!("nats://{}", settings.address)
    };
    let server = super::step::address(&address)?;
    if !matches!(server.scheme(), "nats" | "tls") {
        return setup("the NATS server has to be nats://host:port or tls://host:port");
    }
    let login = if let Some(file) = settings.data.get("creds").filter(|file| !file.is_empty()) {
        credentials(file)?
    } else if let Some(seed) = settings.data.get("nkey").filter(|seed| !seed.is_empty()) {
        Login::Key { jwt: None, seed: Secret::new(seed.trim_ascii()) }
    } else if !settings.username.is_empty() && settings.password.is_some() {
        Login::Password {
            username: settings.username.clone(),
            password: Secret::new(settings.password_bytes()),
        }
    } else {
        Login::None
    };
    if let Login::Key { seed, .. } = &login {
        key_pair(seed)?;
    }
    Ok(Step::Nats(Box::new(Publish {
        server,
        subject: settings.channel.clone(),
        body: encode(&event.json()),
        login,
    })))
}

/// A credentials file holds a JWT and a seed, each between lines of dashes.
fn credentials(file: &[u8]) -> Result<Login, Error> {
    let text = String::from_utf8_lossy(file);
    let mut blocks = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("---"));
    let jwt = blocks.clone().find(|line| line.starts_with("eyJ"));
    let seed = blocks.find(|line| line.starts_with("SU") && !line.contains(' '));
    match (jwt, seed) {
        (Some(jwt), Some(seed)) => Ok(Login::Key { jwt: Some(Secret::new(jwt)), seed: Secret::new(seed) }),
        _ => setup("the key 'creds' of the Secret is not a NATS credentials file with a user JWT and seed"),
    }
}

/// The key pair of a user's seed: base32 of two bytes of prefix, 32 of seed and two of checksum.
fn key_pair(seed: &Secret) -> Result<Ed25519KeyPair, Error> {
    let bad = || Error::Setup("the NATS seed is malformed".to_owned());
    let bytes = base32(&seed.expose_text()).ok_or_else(bad)?;
    let raw = bytes.get(2..34).filter(|_| bytes.len() == 36).ok_or_else(bad)?;
    Ed25519KeyPair::from_seed_unchecked(raw).map_err(|_| bad())
}

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn base32(text: &str) -> Option<Vec<u8>> {
    let (mut held, mut bits, mut out) = (0u32, 0u32, Vec::with_capacity(text.len() * 5 / 8));
    for byte in text.bytes() {
        let digit = ALPHABET.iter().position(|letter| *letter == byte)?;
        held = (held << 5 | u32::try_from(digit).ok()?) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from((held >> bits) & 0xff).ok()?);
        }
    }
    Some(out)
}

fn to_base32(bytes: &[u8]) -> String {
    let (mut held, mut bits, mut out) = (0u32, 0u32, String::new());
    for byte in bytes {
        held = (held << 8 | u32::from(*byte)) & 0xffff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.extend(digit(held >> bits));
        }
    }
    if bits > 0 {
        out.extend(digit(held << (5 - bits)));
    }
    out
}

fn digit(value: u32) -> Option<char> {
    ALPHABET.get(usize::try_from(value & 31).ok()?).map(|letter| char::from(*letter))
}

/// The public key as NATS writes it: type `U`, the key, a CRC-16 of both.
fn public_key(raw: &[u8]) -> String {
    let mut bytes = vec![20 << 3];
    bytes.extend_from_slice(raw);
    let crc = bytes.iter().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    });
    bytes.extend_from_slice(&crc.to_le_bytes());
    to_base32(&bytes)
}

/// Connects, publishes, waits until the server has it, and leaves.
pub async fn publish(publish: &Publish, guard: AddressGuard) -> Result<(), Error> {
    let context = |why: String| {
        Error::Delivery(format!("error publishing event to subject {}: {why}", publish.subject))
    };
    let host = publish.server.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = publish.server.port().unwrap_or(4222);
    let connect = async {
        let addresses =
            tokio::net::lookup_host((host.as_str(), port)).await.map_err(|error| error.to_string())?;
        let mut last = "the host has no address".to_owned();
        for address in addresses {
            if let Some(reason) = guard.refuses(address.ip()) {
                last = format!("address of host '{host}' is not allowed: {reason}");
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    };
    let stream = match tokio::time::timeout(CONNECT, connect).await {
        Ok(stream) => stream.map_err(context)?,
        Err(_) => return Err(context("the server does not take the connection".to_owned())),
    };
    let mut plain = BufReader::new(stream);
    let info = info(&mut plain).await.map_err(context)?;
    let wants_tls = info.get("tls_required").and_then(Value::as_bool).unwrap_or(false);
    if publish.server.scheme() == "tls" || wants_tls {
        let name = ServerName::try_from(host).map_err(|error| context(error.to_string()))?;
        let secure = connector()
            .map_err(context)?
            .connect(name, plain.into_inner())
            .await
            .map_err(|error| context(error.to_string()))?;
        return converse(&mut BufReader::new(secure), publish, &info).await.map_err(context);
    }
    converse(&mut plain, publish, &info).await.map_err(context)
}

fn connector() -> Result<tokio_rustls::TlsConnector, String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(tokio_rustls::TlsConnector::from(Arc::new(config)))
}

async fn line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Result<String, String> {
    use tokio::io::AsyncReadExt as _;
    let mut text = Vec::new();
    let read =
        stream.take(LONGEST_LINE).read_until(b'\n', &mut text).await.map_err(|error| error.to_string())?;
    if read == 0 {
        return Err("the server closed the connection".to_owned());
    }
    Ok(String::from_utf8_lossy(&text).trim_end().to_owned())
}

async fn info<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Result<Value, String> {
    let line = line(stream).await?;
    let text = line.strip_prefix("INFO ").ok_or("the server does not speak NATS")?;
    serde_json::from_str(text).map_err(|_| "the server's greeting is malformed".to_owned())
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    publish: &Publish,
    info: &Value,
) -> Result<(), String> {
    let mut options = Map::new();
    options.insert("verbose".to_owned(), false.into());
    options.insert("pedantic".to_owned(), false.into());
    options.insert("lang".to_owned(), "rust".into());
    options.insert("version".to_owned(), env!("CARGO_PKG_VERSION").into());
    options.insert("protocol".to_owned(), 1.into());
    options.insert("name".to_owned(), "NATS Provider Publisher".into());
    match &publish.login {
        Login::None => {}
        Login::Password { username, password } => {
            options.insert("user".to_owned(), username.as_str().into());
            options.insert("pass".to_owned(), password.expose_text().into());
        }
        Login::Key { jwt, seed } => {
            use ring::signature::KeyPair as _;
            let pair = key_pair(seed).map_err(|error| error.to_string())?;
            let nonce = info.get("nonce").and_then(Value::as_str).unwrap_or_default();
            let signature = URL_SAFE_NO_PAD.encode(pair.sign(nonce.as_bytes()));
            match jwt {
                Some(jwt) => options.insert("jwt".to_owned(), jwt.expose_text().into()),
                None => options.insert("nkey".to_owned(), public_key(pair.public_key().as_ref()).into()),
            };
            options.insert("sig".to_owned(), signature.into());
        }
    }
    let mut text =
        format!("CONNECT {}\r\nPUB {} {}\r\n", Value::Object(options), publish.subject, publish.body.len())
            .into_bytes();
    text.extend_from_slice(&publish.body);
    text.extend_from_slice(b"\r\nPING\r\n");
    let error = |error: std::io::Error| error.to_string();
    stream.write_all(&text).await.map_err(error)?;
    stream.flush().await.map_err(error)?;
    loop {
        let line = line(stream).await?;
        if line == "PONG" {
            // It has read everything before the ping.
            return Ok(());
        } else if let Some(problem) = line.strip_prefix("-ERR") {
            return Err(problem.trim().trim_matches('\'').to_owned());
        } else if line == "PING" {
            stream.write_all(b"PONG\r\n").await.map_err(error)?;
            stream.flush().await.map_err(error)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A pair of the nkeys documentation: nobody's key.
    const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";

    #[test]
    fn seeds_give_the_public_keys_of_nkeys() {
        use ring::signature::KeyPair as _;
        let pair = key_pair(&Secret::new(SEED)).expect("a pair");
        assert_eq!(
            public_key(pair.public_key().as_ref()),
            "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
        );
        assert!(key_pair(&Secret::new("SUAC")).is_err());
        assert!(key_pair(&Secret::new("not base32!")).is_err());
    }

    #[tokio::test]
    async fn a_message_is_published_and_confirmed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a connection");
            let mut stream = BufReader::new(stream);
            stream.write_all(b"INFO {\"nonce\":\"abc\"}\r\n").await.expect("written");
            let mut seen = Vec::new();
            while seen.last().map(String::as_str) != Some("PING") {
                seen.push(line(&mut stream).await.expect("a line"));
            }
            stream.write_all(b"PING\r\nPONG\r\n").await.expect("written");
            seen
        });
        let mut settings = Settings::default();
        settings.address = address.to_string();
        settings.channel = "flux.events".to_owned();
        settings.data.insert("nkey".to_owned(), SEED.as_bytes().to_vec());
        let event = Event { message: "m".to_owned(), ..Event::default() };
        let Ok(Step::Nats(message)) = plan(&settings, &event) else { panic!("no message") };
        publish(&message, AddressGuard::Off).await.expect("published");
        let seen = server.await.expect("the server");
        assert!(seen[0].starts_with("CONNECT {") && seen[0].contains("\"nkey\":\"UDXU4"), "{}", seen[0]);
        let body = String::from_utf8(encode(&event.json())).expect("text");
        assert_eq!(seen[1..], [format!("PUB flux.events {}", body.len()), body, "PING".to_owned()]);
        assert!(publish_refused(&message).await.contains("loopback"));
    }

    async fn publish_refused(message: &Publish) -> String {
        publish(message, AddressGuard::NoLocal).await.expect_err("refused").to_string()
    }
}

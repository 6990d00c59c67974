//! The SSH transport: `git-upload-pack` in a session of its own.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use net::auth::SshAuth;
use russh::keys::{Algorithm, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, client};

use crate::known_hosts::KnownHosts;
use crate::packet::{PacketReader, Source};
use crate::{Auth, Error, Remote};

/// Algorithms to use instead of the defaults, by their SSH names. Empty: the defaults.
#[derive(Clone, Debug, Default)]
pub struct SshOptions {
    /// `--ssh-hostkey-algos`.
    pub host_key_algorithms: Vec<String>,
    /// `--ssh-kex-algos`; the only way to use old ones such as `diffie-hellman-group14-sha1`.
    pub kex_algorithms: Vec<String>,
}

/// A running `git-upload-pack`.
pub(crate) struct SshRemote {
    packets: PacketReader,
    input: ChannelWriteHalf<client::Msg>,
    complaints: Arc<Mutex<String>>,
    // The connection lives as long as its handle.
    _session: client::Handle<HostCheck>,
}

/// What the program writes.
pub(crate) struct SshOutput {
    channel: ChannelReadHalf,
    complaints: Arc<Mutex<String>>,
}

/// Complaints of the server kept for the error message.
const LONGEST_COMPLAINT: usize = 1000;

impl SshOutput {
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match self.channel.wait().await {
                Some(ChannelMsg::Data { data }) => return Ok(Some(data)),
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
                    if complaints.len() < LONGEST_COMPLAINT {
                        complaints.push_str(&String::from_utf8_lossy(&data));
                    }
                }
                Some(ChannelMsg::Failure) => {
                    return Err(Error::Ssh("the server refused to run git-upload-pack".to_owned()));
                }
                // Standard error may still come after the end of the output; only the close ends both.
                Some(ChannelMsg::Close) | None => return Ok(None),
                Some(_) => {}
            }
        }
    }
}

impl SshRemote {
    /// Connects, checks the host key, logs in and starts the program.
    pub(crate) async fn open(remote: &Remote, options: &SshOptions) -> Result<Self, Error> {
        let url = |reason: &str| Error::Url { url: remote.display_url(), reason: reason.to_owned() };
        let Auth::Ssh(auth) = &remote.auth else { return Err(url("SSH needs 'identity' and 'known_hosts'")) };
        if remote.proxy.is_some() {
            return Err(url("a proxy cannot be used with SSH"));
        }
        let host = remote.url.host_str().ok_or_else(|| url("it names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = remote.url.port().unwrap_or(22);
        let key = private_key(auth)?;
        let known = KnownHosts::new(&auth.known_hosts, host, port);
        let config = client::Config {
            preferred: preferred(&known, options)?,
            // A server that neither answers nor closes is found out, whatever the timeout of the operation.
            keepalive_interval: Some(Duration::from_secs(30)),
            keepalive_max: 3,
            nodelay: true,
            ..Default::default()
        };
        let check = HostCheck { known, host: host.to_owned() };
        let mut session =
            client::connect(Arc::new(config), (host, port), check).await.map_err(|error| match error {
                Refusal::HostKey(reason) => Error::HostKey(reason),
                Refusal::Ssh(russh::Error::IO(error)) => {
                    Error::Ssh(format!("cannot connect to {host}:{port}: {error}"))
                }
                Refusal::Ssh(error) => Error::Ssh(format!("handshake with {host}:{port} failed: {error}")),
            })?;
        log_in(&mut session, auth, key).await?;
        let channel = session.channel_open_session().await.map_err(failed("cannot open a session"))?;
        // A server that ignores the variable answers in the old protocol, which works as well.
        channel
            .set_env(false, "GIT_PROTOCOL", "version=2")
            .await
            .map_err(failed("cannot set up the session"))?;
        let command = format!("git-upload-pack {}", quoted(&repository_path(remote)));
        channel.exec(true, command).await.map_err(failed("cannot start git-upload-pack"))?;
        let complaints = Arc::new(Mutex::new(String::new()));
        let (channel, input) = channel.split();
        let output = SshOutput { channel, complaints: Arc::clone(&complaints) };
        Ok(Self { packets: PacketReader::new(Source::Ssh(output)), input, complaints, _session: session })
    }

    /// The answers, in one stream.
    pub(crate) fn packets(&mut self) -> &mut PacketReader {
        &mut self.packets
    }

    /// Sends a command.
    pub(crate) async fn send(&self, body: Vec<u8>) -> Result<(), Error> {
        self.input.data_bytes(body).await.map_err(failed("the connection broke"))
    }

    /// Puts what the server complained about in place of "it closed the connection".
    pub(crate) fn explain(&self, error: Error) -> Error {
        let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let complaint = complaints.trim();
        match error {
            Error::Disconnected if complaint.is_empty() => Error::RepositoryNotFound,
            Error::Disconnected => Error::Remote(complaint.to_owned()),
            error => error,
        }
    }
}

fn failed(what: &'static str) -> impl Fn(russh::Error) -> Error {
    move |error| Error::Ssh(format!("{what}: {error}"))
}

/// The path as the shell of the server must see it.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', "'\\''").replace('!', "'\\!'"))
}

/// The path of the repository: `/~user/x` starts at a home directory, as git has it.
fn repository_path(remote: &Remote) -> String {
    let path = remote.url.path();
    let decoded = percent_decoded(path);
    match decoded.strip_prefix("/~") {
        Some(rest) => format!("~{rest}"),
        None => decoded,
    }
}

fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn private_key(auth: &SshAuth) -> Result<PrivateKey, Error> {
    let text = auth.identity.expose_text();
    let passphrase = auth.passphrase.as_ref().map(net::Secret::expose_text);
    russh::keys::decode_secret_key(&text, passphrase.as_deref()).map_err(|error| match error {
        russh::keys::Error::KeyIsEncrypted => {
            Error::Ssh("the identity key is encrypted but no 'password' was provided".to_owned())
        }
        _ if passphrase.is_some() => Error::Ssh(
            "the identity key cannot be read: it is damaged, or 'password' is not its passphrase".to_owned(),
        ),
        error => Error::Ssh(format!("the identity key cannot be read: {error}")),
    })
}

/// True when `identity` is a private key that needs a passphrase.
pub fn is_encrypted_identity(identity: &[u8]) -> bool {
    let text = String::from_utf8_lossy(identity);
    matches!(russh::keys::decode_secret_key(&text, None), Err(russh::keys::Error::KeyIsEncrypted))
}

async fn log_in(
    session: &mut client::Handle<HostCheck>,
    auth: &SshAuth,
    key: PrivateKey,
) -> Result<(), Error> {
    let hash = match key.algorithm() {
        Algorithm::Rsa { .. } => {
            let offered = session.best_supported_rsa_hash().await.map_err(failed("login failed"))?;
            // A server that announces nothing is old, but SHA-256 is older than most.
            offered.unwrap_or(Some(HashAlg::Sha256))
        }
        _ => None,
    };
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
    let result =
        session.authenticate_publickey(auth.username.clone(), key).await.map_err(failed("login failed"))?;
    if result.success() {
        return Ok(());
    }
    Err(Error::Ssh(format!(
        "handshake failed: unable to authenticate user '{}': the server did not accept the identity key",
        auth.username
    )))
}

fn preferred(known: &KnownHosts, options: &SshOptions) -> Result<russh::Preferred, Error> {
    let mut preferred = russh::Preferred::default();
    let offered = known.algorithms();
    if !offered.is_empty() {
        preferred.key = Cow::Owned(offered);
    }
    if !options.host_key_algorithms.is_empty() {
        let chosen = options
            .host_key_algorithms
            .iter()
            .map(|name| host_key_algorithm(name))
            .collect::<Result<_, _>>()?;
        preferred.key = Cow::Owned(chosen);
    }
    if known.has_authority() {
        preferred.host_key_certificates = russh::Preferred::DEFAULT.key;
    }
    if !options.kex_algorithms.is_empty() {
        let mut chosen = options
            .kex_algorithms
            .iter()
            .map(|name| {
                russh::kex::Name::try_from(name.as_str())
                    .map_err(|()| Error::Ssh(format!("key exchange algorithm '{name}' is not supported")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        // Not algorithms but announcements: without them a server keeps its extensions, and its strict mode, to itself.
        chosen.push(russh::kex::EXTENSION_SUPPORT_AS_CLIENT);
        chosen.push(russh::kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT);
        preferred.kex = Cow::Owned(chosen);
    }
    Ok(preferred)
}

fn host_key_algorithm(name: &str) -> Result<Algorithm, Error> {
    match Algorithm::new(name) {
        Ok(algorithm) if !matches!(algorithm, Algorithm::Other(_)) => Ok(algorithm),
        _ => Err(Error::Ssh(format!("host key algorithm '{name}' is not supported"))),
    }
}

/// Checks option lists before any connection is made.
///
/// # Errors
/// An algorithm that is not supported.
pub fn check_ssh_options(options: &SshOptions) -> Result<(), Error> {
    preferred(&KnownHosts::new(b"", "", 22), options).map(drop)
}

/// Decides about the host key during the handshake, before anything of ours is shown to the server.
struct HostCheck {
    known: KnownHosts,
    host: String,
}

/// Why the handshake ended.
#[derive(Debug)]
enum Refusal {
    HostKey(String),
    Ssh(russh::Error),
}

impl From<russh::Error> for Refusal {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

impl client::Handler for HostCheck {
    type Error = Refusal;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Refusal> {
        let verdict = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.known.check(key),
            PublicKeyOrCertificate::Certificate(certificate) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                self.known.check_certificate(certificate, &self.host, now)
            }
        };
        verdict.map(|()| true).map_err(Refusal::HostKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_for_the_shell() {
        assert_eq!(quoted("/a b"), "'/a b'");
        assert_eq!(quoted("/a'; rm -rf /; '"), "'/a'\\''; rm -rf /; '\\'''");
    }

    #[test]
    fn algorithm_names_are_checked() {
        let options = |hosts: &[&str], kex: &[&str]| SshOptions {
            host_key_algorithms: hosts.iter().map(|name| (*name).to_owned()).collect(),
            kex_algorithms: kex.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert!(
            check_ssh_options(&options(&["ssh-ed25519", "rsa-sha2-512"], &["diffie-hellman-group14-sha1"]))
                .is_ok()
        );
        assert!(check_ssh_options(&options(&["ssh-nothing"], &[])).is_err());
        assert!(check_ssh_options(&options(&[], &["curve1-sha1"])).is_err());
    }
}
